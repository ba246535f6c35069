"""What nodes prove and say of accounts after one block, as lines that ``rechecking`` reads without a node.

    testimony   chain id, assets, and how many zeros turn units of this chain into units of each asset
    header      the fields that the block's hash covers, and the endpoints that show it
    account     balance and nonce of one address, with its proof; in order of the hashed addresses
    answers     what each endpoint says of addresses without a proof; in order of the addresses
  and for each token
    answers     what each endpoint says of its holders; in order of their addresses
    contract    where it keeps its balances, with the proof of its contract
    slot        the balance of one holder, with its proof; in order of the hashed slots
  at last
    end         the seal

Proofs name each node of a trie once (``verify.trail``). Numbers are those of the chain, as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from chains.core.errors import AllEndpointsFailed, Disagreement, HistoryUnavailable
from chains.core.quorum import Panel
from chains.core.testimony import Json, Testimony, opening, seal
from chains.core.values import Account, BlockRef
from chains.ethereum.accounts import PROVED_AT_MOST, Accounts, could_not
from chains.ethereum.agreement import Numbers, Question, agreed, groups, outvote
from chains.ethereum.headers import Headers
from chains.ethereum.nodes import Nodes
from chains.ethereum.proofs import Proved, Prover
from chains.ethereum.settings import Settings
from chains.ethereum.verify.hashing import keccak
from chains.ethereum.verify.header import STATED, header_fields
from chains.ethereum.verify.layouts import Layout
from chains.ethereum.verify.trail import Trail

T = TypeVar("T")

#: Accounts read from every endpoint at once, which bounds the memory.
_READ_AT_ONCE = 10_000
#: Accounts in one line of answers.
LINE_ACCOUNTS = 500


@dataclass(frozen=True, slots=True)
class _Place:
    """Where is looked: the block, its state root, and the endpoints that show it."""

    at: BlockRef
    root: str
    names: list[str]


class Testifier:
    """Makes the testimony of one chain."""

    def __init__(
        self, panel: Panel, nodes: Nodes, headers: Headers, accounts: Accounts, prover: Prover, settings: Settings
    ) -> None:
        self._panel = panel
        self._nodes = nodes
        self._headers = headers
        self._accounts = accounts
        self._prover = prover
        self._settings = settings
        self._contracts = settings.tokens_by_asset()
        self._full = settings.verify == "full"

    async def testify(self, accounts: Sequence[Account], at: BlockRef, scale: Mapping[str, int]) -> Testimony:
        """The testimony of ``accounts`` after block ``at``; ``scale``: units of an asset in one unit of this chain.

        Raises Disagreement, QuorumLost, Reorganised, HistoryUnavailable or AllEndpointsFailed.
        """
        wanted = list(dict.fromkeys(accounts))
        names = await self._accounts.standing_by(at)
        root, text = await self._headers.state_root(at)
        place = _Place(at, root, [name for name in self._panel.rpc.names if name in names])
        assets = (self._settings.native, *self._contracts)
        zeros = [len(str(scale[asset])) - 1 for asset in assets]
        first = opening(at.chain, self._settings.kind, assets, len(wanted))
        lines: list[Json] = [first | {"chain_id": str(self._settings.chain_id), "zeros": zeros}]
        lines.append(self._header(json.loads(text), place))
        lines += await self._native([each for each in wanted if each.asset == self._settings.native], place)
        for asset in self._contracts:
            lines += await self._token(asset, [each for each in wanted if each.asset == asset], place)
        return Testimony(at, seal(lines))

    def _header(self, raw: Json, place: _Place) -> Json:
        fields = header_fields(raw) if self._full else {name: raw[name] for name in STATED}
        return {
            "kind": "header",
            "hash": place.at.hash,
            "recomputed": self._full,
            "fields": fields,
            "endpoints": place.names,
        }

    async def _native(self, accounts: Sequence[Account], place: _Place) -> list[Json]:
        """Proofs of addresses; what endpoints say, where nobody proves anything."""
        trail, can = Trail(), True
        lines: list[Json] = []
        left: list[Account] = []
        for run in _runs(sorted(accounts, key=lambda each: keccak(_address(each))), PROVED_AT_MOST):
            proved = await self._prove(run, place) if can else {}
            can = bool(proved)
            left += [] if can else run
            for account, proof in proved.items():
                shared, own = trail.write(proof.account_nodes())
                lines.append(
                    {
                        "kind": "account",
                        "account": account.locator,
                        "units": str(proof.units),
                        "nonce": str(proof.nonce),
                        "shared": shared,
                        "nodes": own,
                    }
                )
        answers, _ = await self._answers(left, place)
        return lines + answers

    async def _token(self, asset: str, accounts: Sequence[Account], place: _Place) -> list[Json]:
        """What endpoints say of a token's holders, and proofs of the same where its balances are found."""
        lines, held = await self._answers(accounts, place)
        layout = await self._layout(asset, held, place)
        if layout is None:
            return lines
        shown: list[Json] = []
        trail = Trail()
        for run in _runs(sorted(accounts, key=lambda each: _hashed(layout, each)), PROVED_AT_MOST):
            proved = await self._prove(run, place)
            wrong = [account for account, proof in proved.items() if proof.units != held[account]]
            if wrong:
                await self._settle(wrong, layout, place)
            if wrong or not proved:
                return lines
            if not shown:
                shown.append(_contract(asset, self._contracts[asset], layout, proved[run[0]]))
            for account in run:
                shared, own = trail.write(proved[account].slot_nodes())
                units = str(proved[account].units)
                shown.append(
                    {"kind": "slot", "holder": account.locator, "units": units, "shared": shared, "nodes": own}
                )
        return lines + shown

    async def _settle(self, wrong: Sequence[Account], layout: Layout, place: _Place) -> None:
        """Storage shows another balance than a quorum says: it is no balance, or else they lie."""
        asset = wrong[0].asset
        await self._accounts.prove(wrong, place.at)
        if self._prover.layout(asset) == layout:
            where = f"{place.at.chain}: block {place.at.height}"
            raise Disagreement(f"{where}: a proof shows another {asset} of {wrong[0].locator} than endpoints say")

    async def _layout(self, asset: str, held: Mapping[Account, int], place: _Place) -> Layout | None:
        """Where a token keeps the balances that were agreed; None where that is not found or nothing is proved."""
        if not self._full or not held:
            return None
        claims = {account.locator: units for account, units in held.items()}
        try:
            await self._nodes.anywhere(
                lambda one: self._prover.learn(one, asset, claims, place.at, place.root), place.names
            )
        except (AllEndpointsFailed, HistoryUnavailable) as failed:
            if not could_not(failed):
                raise
            return None
        return self._prover.layout(asset)

    async def _prove(self, accounts: Sequence[Account], place: _Place) -> dict[Account, Proved]:
        """Proofs of all of these accounts, in their order; empty where no endpoint proves anything."""
        if not self._full:
            return {}
        try:
            found = await self._nodes.anywhere(
                lambda one: self._prover.prove(one, accounts, place.at, place.root), place.names
            )
        except (AllEndpointsFailed, HistoryUnavailable) as failed:
            if not could_not(failed):
                raise
            return {}
        return {account: found[account] for account in accounts}

    async def _answers(self, accounts: Sequence[Account], place: _Place) -> tuple[list[Json], dict[Account, int]]:
        """Lines with every endpoint's answer, and what a quorum says."""
        lines: list[Json] = []
        held: dict[Account, int] = {}
        for run in _runs(sorted(accounts, key=lambda each: each.locator), _READ_AT_ONCE):
            native = run[0].asset == self._settings.native
            locators = [each.locator for each in run]
            said = await self._said(self._accounts.held(run, place.at), place)
            counted = await self._said(self._accounts.counted(locators, place.at), place) if native else {}
            for some in _runs(run, LINE_ACCOUNTS):
                names = [each.locator for each in some]
                line = {"kind": "answers", "asset": some[0].asset, "accounts": names, "said": _grouped(said, some)}
                lines.append(line | ({"counted": _grouped(counted, names)} if native else {}))
                held |= zip(some, self._figures(line), strict=True)
        return lines, held

    async def _said(self, question: Question[Any], place: _Place) -> dict[str, Numbers[Any]]:
        """What every endpoint that stands by the block answers; a quorum says the same."""
        said = await self._accounts.everyone(question, place.names)
        if outvote(self._panel, question, said):
            return {name: said[name] for name in place.names if name in said}
        numbers, endpoints = await agreed(self._panel, self._nodes.order(), question)
        return {name: numbers for name in self._panel.rpc.names if name in endpoints}

    def _figures(self, line: Json) -> list[int]:
        """The numbers that most endpoints say in a line; Disagreement where as many say others."""
        sizes = [len(group["endpoints"]) for group in line["said"]]
        if sizes[0] < self._panel.quorum or sizes[0] in sizes[1:]:
            raise Disagreement(f"{line['asset']}: as many endpoints say one thing of {line['accounts'][0]} as another")
        return [int(number) for number in line["said"][0]["numbers"]]


def _grouped(said: Mapping[str, Numbers[Any]], keys: Sequence[Any]) -> list[Json]:
    """What endpoints say of some keys, those together that say the same; the largest group first."""
    parts = {name: {key: numbers[key] for key in keys} for name, numbers in said.items()}
    return [
        {"endpoints": list(names), "numbers": [str(number) for number in parts[names[0]].values()]}
        for names in groups(parts)
    ]


def _contract(asset: str, contract: str, layout: Layout, proof: Proved) -> Json:
    return {
        "kind": "contract",
        "asset": asset,
        "contract": contract,
        "place": layout.place,
        "key_last": layout.key_last,
        "nodes": proof.account_nodes(),
    }


def _address(account: Account) -> bytes:
    return bytes.fromhex(account.locator[2:])


def _hashed(layout: Layout, account: Account) -> bytes:
    return keccak(layout.slot(account.locator).to_bytes(32, "big"))


def _runs(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]
