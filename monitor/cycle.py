"""One cycle: pin a final block on each chain, read every holding there, and end in a verdict.

A chain that cannot be read makes its assets UNVERIFIED; it never stops the cycle and is never zero.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chains.core.chain import Chain, HasContracts
from chains.core.errors import BadAnswer, ChainError, reason_of
from chains.core.values import Account, BlockRef, Holdings
from monitor.assess import Books, Inputs, Owed
from monitor.completeness import Completeness
from monitor.health import Health
from monitor.ledger import reader
from monitor.ledger.store import Ledger
from monitor.step import Outcome
from monitor.step.observations import AsOf, ContractsSeen, Measured
from monitor.step.writer import Writer, utc_now

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Cycles:
    """Runs cycles, one at a time.

    ``unseen``: what could not be enumerated since the last anchor, by chain; ``anchored``: the
    height up to which holdings were compared last, since this process started; ``checks``: by chain;
    ``reload`` is told of a chain whose coins were put right; ``prove_every``: how often proofs are due.
    """

    chains: Mapping[str, Chain]
    ledger: Ledger
    writer: Writer
    health: Health
    checks: Mapping[str, Completeness]
    reload: Callable[[str], None]
    prove_every: timedelta
    unseen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    anchored: dict[str, int] = field(default_factory=dict)
    _proofs: dict[str, _Proof] = field(default_factory=dict)
    _holdings: dict[str, _Known] = field(default_factory=dict)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    def go_on_from(self, before: Cycles, same: Collection[str]) -> None:
        """Know what the cycles before have found on the chains ``same``, whose endpoints are what they were."""
        self.anchored |= {name: height for name, height in before.anchored.items() if name in same}
        self._proofs |= {name: proof for name, proof in before._proofs.items() if name in same}

    async def run(self, kind: str, books: Books) -> Outcome:
        """One cycle of ``kind`` provisional or close; returns the step's outcome with its verdict."""
        async with self._one:
            readings = await asyncio.gather(*(self._read(chain) for chain in self.chains.values()))
            anchors = {r.chain: r.anchor for r in readings if r.anchor is not None}
            failures = {r.chain: r.failure for r in readings if r.failure}
            outcome = await self.writer.take(
                Measured(
                    kind=kind,
                    anchors=anchors,
                    holdings={r.chain: r.holdings for r in readings if r.holdings is not None},
                    proved=self._proved(),
                    failures=failures,
                    as_of=await self._anchors_as_of(anchors, failures, books.liabilities or ()),
                    books=books,
                    unseen=self.unseen,
                )
            )
            self.anchored |= {name: anchor.height for name, anchor in anchors.items() if name not in failures}
        for chain in outcome.recoined:
            self.reload(chain)
        assert outcome.inputs is not None
        self.health.evidence = _evidence(outcome.inputs)
        self._report("cycle", failures)
        return outcome

    async def prove(self) -> None:
        """Ask for state proofs at the newest anchors; what is proved counts until the next ones are due."""
        async with self._one:
            failures = {}
            for chain in self.chains.values():
                try:
                    await self._prove(chain)
                except ChainError as error:
                    log.warning("cannot prove holdings", extra={"chain": chain.name, "error": str(error)})
                    failures[chain.name] = reason_of(error)
        self._report("prove", failures)

    async def _prove(self, chain: Chain) -> None:
        anchor = await self._anchor(chain)
        accounts, _ = await asyncio.to_thread(self._accounts, chain)
        proved = await chain.prove(accounts, anchor)
        await self.checks[chain.name].compare(anchor, proved, {}, "final")
        self._proofs[chain.name] = _Proof(utc_now(), frozenset(proved))
        if len(proved) == len(accounts):
            self.health.proved[chain.name] = self._proofs[chain.name].at
        if isinstance(chain, HasContracts):
            await self.writer.take(ContractsSeen(anchor, await chain.contract_states(anchor)))

    def _proved(self) -> dict[str, frozenset[Account]]:
        """The accounts with a proof that is not older than two turns: one may be late, not missing."""
        oldest = utc_now() - 2 * self.prove_every
        return {name: proof.accounts for name, proof in self._proofs.items() if proof.at >= oldest}

    def _report(self, stage: str, failures: Mapping[str, str]) -> None:
        now = utc_now()
        for chain in self.chains:
            if chain in failures:
                self.health.problem(stage, chain, failures[chain])
            else:
                self.health.success(stage, chain, now)

    async def _read(self, chain: Chain) -> _Reading:
        anchor: BlockRef | None = None
        try:
            anchor = await self._anchor(chain)
            accounts, _ = await asyncio.to_thread(self._accounts, chain)
            holdings = await chain.holdings(accounts, anchor)
            if chain.account_based:
                equal_at, unseen = self.anchored.get(chain.name, 0), self.unseen.get(chain.name, ())
                await self.checks[chain.name].settle(anchor, holdings.units, equal_at, unseen)
                sequences = await chain.sequences([a.locator for a in accounts if a.asset == chain.assets[0]], anchor)
                await self.checks[chain.name].compare(anchor, {}, sequences, "final")
        except ChainError as error:
            log.warning("cannot read holdings", extra={"chain": chain.name, "error": str(error)})
            return _Reading(chain.name, anchor, None, reason_of(error))
        return _Reading(chain.name, anchor, holdings, "")

    def _accounts(self, chain: Chain) -> tuple[list[Account], int]:
        """Every followed account of a chain, and the height of the latest opening."""
        with self.ledger.read() as connection:
            watched = reader.watched(connection, chain.name)
        accounts = [Account(chain.name, locator, asset) for locator in watched for asset in chain.assets]
        return accounts, max((item.opened_height for item in watched.values()), default=0)

    async def _anchor(self, chain: Chain) -> BlockRef:
        """The newest final block, or the cursor where porwatch has not caught up that far."""
        with self.ledger.read() as connection:
            cursor = reader.cursors(connection).get(chain.name)
        if cursor is None or chain.name not in self.health.opened:
            raise BadAnswer("not followed yet")
        final = (await chain.heads()).final
        return final if final.height <= cursor.at.height else cursor.at

    async def _anchors_as_of(
        self, anchors: Mapping[str, BlockRef], failures: Mapping[str, str], liabilities: Sequence[Owed]
    ) -> tuple[AsOf, ...]:
        """For each as-of and chain the newest final block not after it, where that is not the anchor itself."""
        found = []
        for as_of in sorted({line.as_of for line in liabilities}):
            for name, anchor in anchors.items():
                if name in failures:
                    continue
                try:
                    item = await self._as_of(self.chains[name], anchor, as_of)
                except ChainError as error:
                    item = AsOf(name, as_of, None, None, reason_of(error))
                if item.at != anchor:
                    found.append(item)
        return tuple(found)

    async def _as_of(self, chain: Chain, anchor: BlockRef, as_of: datetime) -> AsOf:
        """Where the ledger covers the block it answers itself; else the nodes are asked, if they still can."""
        at = await self._block_as_of(chain, anchor, as_of)
        accounts, last_opened = await asyncio.to_thread(self._accounts, chain)
        if at == anchor or last_opened <= at.height:
            return AsOf(chain.name, as_of, at, None)
        known = self._holdings.get(chain.name)
        if known is None or known.at != at or known.accounts != len(accounts):
            known = _Known(at, len(accounts), await chain.holdings(accounts, at))
            self._holdings[chain.name] = known
        return AsOf(chain.name, as_of, at, known.holdings)

    async def _block_as_of(self, chain: Chain, anchor: BlockRef, as_of: datetime) -> BlockRef:
        """By the blocks' own times; but what porwatch had seen by then was there, whatever its miner's clock."""
        if anchor.time <= as_of.timestamp():
            return anchor
        with self.ledger.read() as connection:
            seen = reader.newest_seen(connection, chain.name, as_of, anchor.height)
        if seen is not None and seen.height == anchor.height:
            return anchor
        stamped = await chain.last_block_before(int(as_of.timestamp()), anchor)
        return stamped if seen is None or stamped.height >= seen.height else seen


@dataclass(frozen=True, slots=True)
class _Known:
    """Holdings at a past block, kept while the same liabilities are asked about again and again."""

    at: BlockRef
    accounts: int
    holdings: Holdings


@dataclass(frozen=True, slots=True)
class _Proof:
    """When accounts of a chain were proved, and which."""

    at: datetime
    accounts: frozenset[Account]


@dataclass(frozen=True, slots=True)
class _Reading:
    chain: str
    anchor: BlockRef | None
    holdings: Holdings | None
    failure: str


def _evidence(inputs: Inputs) -> dict[tuple[str, str, str], str]:
    """How well each wallet's holdings were known at the anchors; a chain that was not read has none."""
    return {
        (reading.chain, line.wallet, line.asset): "agreed" if line.verified == line.units else "claimed"
        for reading in inputs.readings
        if reading.as_of is None
        for line in reading.lines or ()
    }
