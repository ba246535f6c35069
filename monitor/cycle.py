"""One cycle: pin a final block on each chain, read every holding there, and end in a verdict.

A chain that cannot be read makes its assets UNVERIFIED; it never stops the cycle and is never zero.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chains.core.chain import Chain
from chains.core.errors import BadAnswer, ChainError
from chains.core.values import Account, BlockRef
from monitor.health import Health
from monitor.ledger import reader
from monitor.ledger.store import Ledger
from monitor.model import Liability
from monitor.step import Outcome
from monitor.step.observations import AsOf, Measured
from monitor.step.writer import Writer, utc_now

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Declared:
    """The last good liabilities, or None and why there are none."""

    liabilities: tuple[Liability, ...] | None
    reason: str = ""


@dataclass(slots=True)
class Cycles:
    """Runs cycles, one at a time.

    ``unseen``: what could not be enumerated since the last anchor, by chain; ``anchored``: the
    height up to which holdings were compared last, since this process started.
    """

    chains: Mapping[str, Chain]
    ledger: Ledger
    writer: Writer
    health: Health
    unseen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    anchored: dict[str, int] = field(default_factory=dict)
    _holdings: dict[str, _Known] = field(default_factory=dict)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, kind: str, declared: Declared) -> Outcome:
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
                    failures=failures,
                    as_of=await self._anchors_as_of(anchors, failures, declared.liabilities or ()),
                    liabilities=declared.liabilities,
                    liabilities_reason=declared.reason,
                    unseen=self.unseen,
                )
            )
            self.anchored |= {name: anchor.height for name, anchor in anchors.items() if name not in failures}
        now = utc_now()
        for chain in self.chains:
            if chain in failures:
                self.health.problem("cycle", chain, failures[chain])
            else:
                self.health.success("cycle", chain, now)
        return outcome

    async def _read(self, chain: Chain) -> _Reading:
        anchor: BlockRef | None = None
        try:
            anchor = await self._anchor(chain)
            accounts, _ = await asyncio.to_thread(self._accounts, chain)
            holdings = await chain.holdings(accounts, anchor)
        except ChainError as error:
            log.warning("cannot read holdings", extra={"chain": chain.name, "error": str(error)})
            return _Reading(chain.name, anchor, None, _reason(error))
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
        if cursor is None:
            raise BadAnswer("not followed yet")
        final = (await chain.heads()).final
        return final if final.height <= cursor.at.height else cursor.at

    async def _anchors_as_of(
        self, anchors: Mapping[str, BlockRef], failures: Mapping[str, str], liabilities: Sequence[Liability]
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
                    item = AsOf(name, as_of, None, None, _reason(error))
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
    holdings: Mapping[Account, int]


@dataclass(frozen=True, slots=True)
class _Reading:
    chain: str
    anchor: BlockRef | None
    holdings: Mapping[Account, int] | None
    failure: str


def _reason(error: ChainError) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(str(inner) for inner in error.exceptions))
    return str(error)
