"""The lines of ``testimony`` re-checked without a node: hashes, proofs, and who said what.

Every number is computed again from the proofs, or counted from what the endpoints said; what a line
states beside them must be the same. A token's balance needs both: its proof shows what stands in a slot,
and that this slot holds the balance only the endpoints' answers show (a node's balanceOf tells an auditor).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from chains.core.errors import BadAnswer
from chains.core.hex import data, quantity
from chains.core.rpc import endpoint_names
from chains.core.testimony import BadTestimony, Json, Line, Lines, Rechecked, endpoints, opened, shown_time
from chains.core.values import Account, BlockRef
from chains.ethereum.address import canonical_address
from chains.ethereum.settings import Settings
from chains.ethereum.verify.hashing import keccak
from chains.ethereum.verify.header import STATED, header_fields, header_hash
from chains.ethereum.verify.layouts import PLACES, Layout
from chains.ethereum.verify.proof import Proofs
from chains.ethereum.verify.trail import Trail

#: A header that one endpoint alone shows proves nothing.
_STAND_BY = 2
#: Nodes of so many proofs are remembered together; the next ones begin anew, which bounds the memory.
_TOGETHER = 1_000
_NODES_MOST = 65
_ZEROS_MOST = 77


def recheck(
    chain: str, lines: Iterable[Json], settings: Settings, decimals: Mapping[str, int] | None = None
) -> Rechecked:
    """What the lines show; see ``chains.core.chain.ChainKind.recheck``."""
    book = _Book(chain, settings, decimals)
    read = Lines(lines)
    read.each(book.take)
    return book.result(read.number)


@dataclass(slots=True)
class _Contract:
    """The contract whose holders' slots come next."""

    asset: str
    layout: Layout
    storage_root: str
    trail: Trail


class _Book:
    """What the lines read so far have shown."""

    def __init__(self, chain: str, settings: Settings, decimals: Mapping[str, int] | None) -> None:
        self._chain = chain
        self._settings = settings
        self._decimals = decimals
        self._contracts = settings.tokens_by_asset()
        names = endpoint_names(settings.endpoints)
        self._known = [name for name, each in zip(names, settings.endpoints, strict=True) if not each.hint_only]
        self._quorum = settings.needed_quorum()
        self._scale: dict[str, int] = {}
        self._count = -1
        self._at: BlockRef | None = None
        self._root = ""
        self._witnessed = False
        self._header: dict[str, str] = {}
        self._units: dict[Account, int] = {}
        self._sequences: dict[str, int] = {}
        self._proved: set[Account] = set()
        self._agreed: set[Account] = set()
        self._sections = {
            "account": self._take_account,
            "answers": self._take_answers,
            "contract": self._take_contract,
            "slot": self._take_slot,
        }
        self._order = {each: n for n, each in enumerate((self._settings.native, *self._contracts))}
        self._ranks = {kind: n for n, kind in enumerate(self._sections)}
        self._place = (0, 0)
        self._answered = ""
        self._addresses = Trail()
        self._contract: _Contract | None = None
        self._proofs = Proofs()
        self._read = 0

    def take(self, line: Line) -> None:
        """Read one line."""
        kind = line.text("kind")
        if self._count < 0:
            self._open(line)
        elif self._at is None:
            self._take_header(line)
        elif kind in self._sections:
            self._sections[kind](line)
        else:
            line.bad(f"{kind[:40]!r} is no kind of line that may stand here")
        line.only()

    def result(self, last: int) -> Rechecked:
        """What all lines show. ``last``: the number of the last."""
        if self._at is None:
            raise BadTestimony(last, "ends before the header of the block")
        if len(self._units) != self._count:
            raise BadTestimony(last, f"ends after {len(self._units)} accounts, the first line announces {self._count}")
        return Rechecked(
            self._at, self._units, frozenset(self._proved), frozenset(self._agreed), self._header, self._sequences
        )

    def _open(self, line: Line) -> None:
        assets = (self._settings.native, *self._contracts)
        self._count = opened(line, self._chain, self._settings.kind, assets)
        line.expect("chain_id", str(self._settings.chain_id))
        zeros = line.listed("zeros", int)
        if len(zeros) != len(assets) or not all(0 <= each <= _ZEROS_MOST for each in zeros):
            line.bad(f"zeros must be {len(assets)} numbers from 0 to {_ZEROS_MOST}")
        self._scale = {asset: 10**each for asset, each in zip(assets, zeros, strict=True)}
        if self._decimals is not None and self._scale != self._settings.scales(self._decimals):
            line.bad(f"zeros are {zeros}, which are not those of the assets' decimals")

    def _take_header(self, line: Line) -> None:
        line.expect("kind", "header")
        full = self._settings.verify == "full"
        line.expect("recomputed", full)
        fields: Json = line.get("fields", dict)
        stated = data(line.text("hash"), "hash", 32)
        if full:
            found = header_hash(fields)
            if found != stated:
                line.bad(f"the header hashes to {found}, not to {stated}")
            if header_fields(fields).keys() != fields.keys():
                line.bad("the header has a field that its hash does not cover")
            self._root = data(fields["stateRoot"], "stateRoot", 32)
        elif set(fields) != set(STATED):
            line.bad(f"a header that is not re-computed has {', '.join(STATED)} only")
        height, time = quantity(fields.get("number"), "number"), quantity(fields.get("timestamp"), "timestamp")
        self._at = BlockRef(self._chain, height, stated, data(fields.get("parentHash"), "parentHash", 32), time)
        names = endpoints(line, "endpoints", self._known)
        if len(names) < self._quorum:
            line.bad(f"{len(names)} endpoints show this block, {self._quorum} are needed")
        self._witnessed = len(names) >= _STAND_BY
        self._header = {
            "height": str(height),
            "hash": stated,
            "time": shown_time(time),
            "state_root": self._root or "not re-computed",
            "endpoints": ", ".join(names),
        }

    def _take_account(self, line: Line) -> None:
        account = self._account(line, line.text("account"), self._settings.native)
        self._enter(line, account.asset)
        key = keccak(bytes.fromhex(account.locator[2:]))
        try:
            nodes = self._addresses.read(key, *self._proof(line))
            state = self._verifier().account(self._root, account.locator, nodes)
        except BadAnswer as error:
            line.bad(f"{account.asset} of {account.locator}: {error}")
        self._same(line, account, "units", state.balance)
        self._same(line, account, "nonce", state.nonce)
        self._units[account] = state.balance * self._scale[account.asset]
        self._sequences[account.locator] = state.nonce
        self._prove(account)

    def _take_contract(self, line: Line) -> None:
        asset = line.text("asset")
        if asset not in self._contracts:
            line.bad(f"{asset[:40]!r} is no token of this chain")
        self._enter(line, asset)
        line.expect("contract", self._contracts[asset])
        layout = Layout(line.whole("place", 0, PLACES - 1), line.get("key_last", bool))
        if not self._root:
            line.bad("is a proof, and the header that it must hold against is not re-computed")
        try:
            state = Proofs().account(self._root, self._contracts[asset], line.listed("nodes"))
        except BadAnswer as error:
            line.bad(f"the contract of {asset}: {error}")
        if self._contract is not None and self._contract.asset == asset:
            line.bad(f"the contract of {asset} stands twice")
        self._contract = _Contract(asset, layout, state.storage_root, Trail())
        self._proofs = Proofs()

    def _take_slot(self, line: Line) -> None:
        contract = self._contract
        if contract is None:
            line.bad("stands before the contract that it is of")
        self._enter(line, contract.asset)
        account = self._account(line, line.text("holder"), contract.asset)
        if account not in self._units:
            line.bad(f"{account.asset} of {account.locator} was not answered for by any endpoint")
        slot = contract.layout.slot(account.locator)
        try:
            nodes = contract.trail.read(keccak(slot.to_bytes(32, "big")), *self._proof(line))
            units = self._verifier().storage(contract.storage_root, slot, nodes)
        except BadAnswer as error:
            line.bad(f"{account.asset} of {account.locator}: {error}")
        self._same(line, account, "units", units)
        # Where a token keeps its balances was only found: what endpoints say makes it certain.
        if units * self._scale[account.asset] != self._units[account]:
            line.bad(f"{account.asset} of {account.locator}: the proof shows {units}, endpoints say otherwise")
        self._prove(account)

    def _take_answers(self, line: Line) -> None:
        asset = line.text("asset")
        if asset not in self._order:
            line.bad(f"{asset[:40]!r} is no asset of this chain")
        self._enter(line, asset)
        accounts = [self._account(line, each, asset) for each in line.listed("accounts")]
        order = [self._answered, *(each.locator for each in accounts)]
        if not accounts or any(a >= b for a, b in pairwise(order)) or any(each in self._units for each in accounts):
            line.bad(f"an account of {asset} stands twice, or not in order")
        self._answered = order[-1]
        names, numbers = self._figures(line, "said", accounts)
        self._units |= {account: units * self._scale[asset] for account, units in zip(accounts, numbers, strict=True)}
        if len(names) > 1:
            self._agreed.update(accounts)
        if asset == self._settings.native:
            _, counted = self._figures(line, "counted", accounts)
            self._sequences |= {account.locator: count for account, count in zip(accounts, counted, strict=True)}

    def _figures(self, line: Line, key: str, accounts: Sequence[Account]) -> tuple[tuple[str, ...], list[int]]:
        """The endpoints that are most, and what they say of the accounts; each endpoint speaks once."""
        groups: list[tuple[tuple[str, ...], list[int]]] = []
        for owner in line.listed(key, dict):
            numbers = owner.get("numbers")
            if owner.keys() != {"endpoints", "numbers"} or type(numbers) is not list or len(numbers) != len(accounts):
                line.bad(f"{key} must name endpoints and a number for each account")
            found = [line.amount(n, f"{a.asset} of {a.locator}") for n, a in zip(numbers, accounts, strict=True)]
            groups.append((endpoints(line, "endpoints", self._known, owner), found))
        said = [name for names, _ in groups for name in names]
        sizes = sorted((len(names) for names, _ in groups), reverse=True)
        if len(set(said)) != len(said) or any(a[1] == b[1] for n, a in enumerate(groups) for b in groups[:n]):
            line.bad(f"{key}: an endpoint speaks twice, or two groups say the same")
        if not sizes or sizes[0] < self._quorum or sizes[0] in sizes[1:]:
            line.bad(f"{key}: {self._quorum} endpoints must say the same, and more than say anything else")
        return max(groups, key=lambda group: len(group[0]))

    def _enter(self, line: Line, asset: str) -> None:
        """Refuse a line that stands before another that must come first: assets and sections have one order."""
        kind = line.text("kind")
        place = (self._order[asset], self._ranks[kind])
        if place < self._place:
            line.bad(f"{kind} of {asset} stands too late")
        if place != self._place:
            self._answered = ""
        self._place = place

    def _account(self, line: Line, locator: str, asset: str) -> Account:
        if canonical_address(locator) != locator:
            line.bad(f"{locator} is not spelled as EIP-55 says")
        return Account(self._chain, locator, asset)

    def _proof(self, line: Line) -> tuple[int, list[Any]]:
        if not self._root:
            line.bad("is a proof, and the header that it must hold against is not re-computed")
        return line.whole("shared", 0, _NODES_MOST), line.listed("nodes")

    def _same(self, line: Line, account: Account, key: str, proved: int) -> None:
        if line.units(key) != proved:
            line.bad(f"{account.asset} of {account.locator}: {key} is {line.fields[key]}, the proof shows {proved}")

    def _prove(self, account: Account) -> None:
        if self._witnessed:
            self._proved.add(account)

    def _verifier(self) -> Proofs:
        self._read += 1
        if self._read % _TOGETHER == 0:
            self._proofs = Proofs()
        return self._proofs
