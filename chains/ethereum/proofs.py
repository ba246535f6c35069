"""State proofs (eth_getProof, EIP-1186): what accounts hold, shown against a state root instead of believed.

The native balance and the nonce stand in the account itself. A token's balance stands in a slot of its
contract's storage, in a mapping whose place only its source tells; it is found by looking where a known
balance stands, and forgotten as soon as it shows what nobody says.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chains.core.errors import BadAnswer, NodeError
from chains.core.quorum import Lie
from chains.core.rpc import Calls, Request
from chains.core.values import Account, BlockRef
from chains.ethereum.nodes import explain
from chains.ethereum.verify.accounts import ProvedAccount, check_proof
from chains.ethereum.verify.layouts import LAYOUTS, Layout
from chains.ethereum.verify.proof import Proofs

log = logging.getLogger(__name__)

#: Proofs in one batch: some 10 KB each, on mainnet.
_BATCH = 200
#: Storage slots in one call; nodes refuse more than 1,024.
_SLOTS = 100
#: How many accounts must show the same place, where so many hold anything.
_SHOWN_BY = 3


@dataclass(frozen=True, slots=True)
class Proved:
    """A number that a proof shows, and the proof.

    ``answer``: of eth_getProof, checked. ``entry``: which of its storage proofs shows the number, None where
    the account itself does.
    """

    units: int
    nonce: int
    answer: Any
    entry: int | None = None

    def evidence(self) -> dict[str, str]:
        """The proof as text, for people."""
        found = _nodes(self.answer)
        if self.entry is not None:
            entry = self.answer["storageProof"][self.entry]
            found |= {"storage_key": str(entry["key"]), "storage_value": str(entry["value"])}
            found |= {f"storage_proof_{n}": str(node) for n, node in enumerate(entry["proof"])}
        return found

    def account_nodes(self) -> list[str]:
        """The nodes from the state root down to the account (of the token's contract, where it is a token)."""
        return _normal(self.answer["accountProof"])

    def slot_nodes(self) -> list[str]:
        """The nodes from the root of the contract's storage down to the slot."""
        return _normal(self.answer["storageProof"][self.entry]["proof"])


@dataclass(frozen=True, slots=True)
class _Asked:
    address: str
    slots: tuple[int, ...]

    @property
    def weight(self) -> int:
        return 1 + len(self.slots)


class Prover:
    """Proves accounts of one chain. ``native``: its native asset; ``contracts``: of tokens, by asset."""

    def __init__(self, native: str, contracts: Mapping[str, str]) -> None:
        self._native = native
        self._contracts = contracts
        self._layouts: dict[str, Layout] = {}

    def layout(self, asset: str) -> Layout | None:
        """Where a token keeps balances, once that is known."""
        return self._layouts.get(asset)

    def forget(self, asset: str) -> None:
        """What was taken for the balances of a token is not."""
        if self._layouts.pop(asset, None) is not None:
            log.warning("the storage of %s does not show its balances any more: looked for anew", asset)

    async def prove(
        self, one: Calls, accounts: Sequence[Account], at: BlockRef, state_root: str
    ) -> dict[Account, Proved]:
        """Units of this chain of those accounts that can be proved: native ones, and tokens of known layout.

        Raises Lie for a proof that does not hold, HistoryUnavailable where the state is gone, and as Calls does.
        """
        native = [each for each in accounts if each.asset == self._native]
        asked = [_Asked(each.locator.lower(), ()) for each in native]
        tokens: list[list[Account]] = []
        for asset, layout in self._layouts.items():
            held = [each for each in accounts if each.asset == asset]
            for first in range(0, len(held), _SLOTS):
                tokens.append(held[first : first + _SLOTS])
                slots = tuple(layout.slot(each.locator) for each in tokens[-1])
                asked.append(_Asked(self._contracts[asset].lower(), slots))
        answers = await self._ask(one, asked, at, state_root)
        proved = {}
        for account, (shown, raw) in zip(native, answers, strict=False):
            proved[account] = Proved(shown.state.balance, shown.state.nonce, raw)
        for some, request, (shown, raw) in zip(tokens, asked[len(native) :], answers[len(native) :], strict=True):
            for n, (account, slot) in enumerate(zip(some, request.slots, strict=True)):
                proved[account] = Proved(shown.storage[slot], shown.state.nonce, raw, n)
        return proved

    async def learn(self, one: Calls, asset: str, claims: Mapping[str, int], at: BlockRef, state_root: str) -> bool:
        """Look for the place of a token's balances; ``claims``: what holders are said to hold. True where it is known.

        Found is what fits every holder looked at, alone: two places that both fit are none.
        """
        if asset in self._layouts:
            return True
        holders = sorted((h for h, units in claims.items() if units), key=lambda h: -claims[h])[:_SHOWN_BY]
        if not holders:
            return False
        asked = [
            _Asked(self._contracts[asset].lower(), tuple(layout.slot(holder) for layout in LAYOUTS))
            for holder in holders
        ]
        answers = await self._ask(one, asked, at, state_root)
        fitting = [
            layout
            for layout in LAYOUTS
            if all(
                shown.storage[layout.slot(holder)] == claims[holder]
                for holder, (shown, _) in zip(holders, answers, strict=True)
            )
        ]
        if len(fitting) == 1:
            self._layouts[asset] = fitting[0]
        return len(fitting) == 1

    async def _ask(
        self, one: Calls, asked: Sequence[_Asked], at: BlockRef, state_root: str
    ) -> list[tuple[ProvedAccount, Any]]:
        proofs = Proofs()
        found = []
        for part in _parts(asked):
            block = {"blockHash": at.hash}
            calls: list[Request] = [
                ("eth_getProof", [each.address, [f"0x{slot:064x}" for slot in each.slots], block]) for each in part
            ]
            try:
                answers = await one.batch(calls)
            except NodeError as error:
                raise await explain(one, error, at) from error
            checked = await asyncio.to_thread(_checked, proofs, state_root, part, answers)
            found += checked
        return found


def _parts(asked: Sequence[_Asked]) -> Iterable[list[_Asked]]:
    part: list[_Asked] = []
    for each in asked:
        if part and sum(other.weight for other in part) + each.weight > _BATCH:
            yield part
            part = []
        part.append(each)
    if part:
        yield part


def _checked(
    proofs: Proofs, state_root: str, asked: Sequence[_Asked], answers: Sequence[Any]
) -> list[tuple[ProvedAccount, Any]]:
    found = []
    for each, raw in zip(asked, answers, strict=True):
        if not isinstance(raw, Mapping):
            raise BadAnswer(f"gave no proof of {each.address}")
        try:
            found.append((check_proof(proofs, state_root, each.address, raw, each.slots), raw))
        except BadAnswer as error:
            evidence = {"asked": f"eth_getProof of {each.address}", "state_root": state_root, "refuted_by": str(error)}
            raise Lie("proof", f"the proof of {each.address} does not hold: {error}", evidence | _nodes(raw)) from error
    return found


def _normal(nodes: Sequence[str]) -> list[str]:
    """Nodes in lower case; of an empty trie, of which some give the empty string, none."""
    return [] if list(nodes) == ["0x80"] else [node.lower() for node in nodes]


def _nodes(raw: Any) -> dict[str, str]:
    """A proof by its nodes, each short enough to stand whole in evidence."""
    kept = {k: v for k, v in raw.items() if k not in ("accountProof", "storageProof")}
    nodes = raw.get("accountProof")
    listed = {f"account_proof_{n}": str(node) for n, node in enumerate(nodes if isinstance(nodes, list) else ())}
    return {"proof_of": json.dumps(kept, default=str)} | dict(list(listed.items())[:65])
