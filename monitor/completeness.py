"""Nothing leaves unseen: holdings and counters beside the ledger, after each block and at each anchor.

Three proofs for each account: the gross enumeration of blocks (follow), the integer residual, and
the chain's own sequence. What differs is bisected to its block and booked there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from chains.core.chain import Chain
from chains.core.errors import BadAnswer, ChainError, HistoryUnavailable
from chains.core.values import Account, Block, BlockRef
from monitor import reconcile
from monitor.health import Health
from monitor.ledger import reader
from monitor.ledger.store import Ledger
from monitor.step.observations import Checked
from monitor.step.writer import Writer

log = logging.getLogger(__name__)

#: accounts that are bisected in one cycle; the rest is booked at the anchor, and said so
_BISECT_ACCOUNTS = 20
#: holdings read to bisect one account: 2^64 blocks could not need more for one change, a few changes fit
_BISECT_READS = 128
#: seconds until a difference right after a block is looked at again, and how often that is tried
_SECOND_LOOK_SECONDS = 1.0
_LOOKS = 3
#: accounts whose transactions are looked for in one block
_LOCATE_ACCOUNTS = 20

Key = tuple[str, str]


@dataclass(slots=True)
class Completeness:
    """The checks of one chain. ``cold``: locators that are checked after every block, touched or not."""

    chain: Chain
    ledger: Ledger
    writer: Writer
    health: Health
    cold: tuple[str, ...] = ()

    async def after_block(self, block: Block, *, live: bool) -> None:
        """Check the accounts that a committed block touched and, at the head, the cold ones.

        What cannot be read now is left to the cycle, which bisects it: the problem is shown until then.
        """
        touched = {m.account.locator for item in block.transactions for m in item.movements}
        touched |= {locator for item in block.transactions for locator in item.steps}
        locators = sorted(touched | set(self.cold)) if live else sorted(touched)
        if not self.chain.account_based or not locators:
            return
        for tries_left in reversed(range(_LOOKS)):
            try:
                await self._check(locators, block.ref, "seen", block.unseen)
            except ChainError as error:
                self.health.problem("check", self.chain.name, f"block {block.ref.height}: {error}")
                if isinstance(error, HistoryUnavailable) or not tries_left:
                    return
                continue
            self.health.solved("check", self.chain.name)
            return

    async def _check(self, locators: Collection[str], at: BlockRef, tier: str, unseen: tuple[str, ...]) -> None:
        units, sequences = await self._read(locators, at)
        if await asyncio.to_thread(self._differing, at, units, sequences) is None:
            return
        # A node that is just taking the next block may answer with that one's state under this one's hash.
        await asyncio.sleep(_SECOND_LOOK_SECONDS)
        again = await self._read(locators, at)
        if again != (units, sequences):
            raise BadAnswer("the same question about the same block was answered in two ways")
        await self.compare(at, units, sequences, tier, unseen)

    async def _read(self, locators: Collection[str], at: BlockRef) -> tuple[Mapping[Account, int], dict[str, int]]:
        accounts = [Account(self.chain.name, locator, asset) for locator in locators for asset in self.chain.assets]
        holdings, sequences = await asyncio.gather(
            self.chain.holdings(accounts, at), self.chain.sequences(list(locators), at)
        )
        return holdings.units, sequences

    async def compare(
        self,
        at: BlockRef,
        units: Mapping[Account, int],
        sequences: Mapping[str, int],
        tier: str,
        unseen: tuple[str, ...] = (),
    ) -> None:
        """Take the step of a check, where there is anything to book."""
        differing = await asyncio.to_thread(self._differing, at, units, sequences)
        if differing is None:
            return
        located = {account: await self._locate(account, at) for account in differing[:_LOCATE_ACCOUNTS]}
        await self.writer.take(Checked(at, units, sequences, tier, located, unseen))

    def _differing(
        self, at: BlockRef, units: Mapping[Account, int], sequences: Mapping[str, int]
    ) -> list[Account] | None:
        """The accounts that differ from the ledger, or None where they and the counters are all equal."""
        locators = {account.locator for account in units} | set(sequences)
        with self.ledger.read() as connection:
            opened = reader.opened_by(connection, at.chain, locators, at.height)
            known = reader.units_at(connection, at.chain, [(a.locator, a.asset) for a in units], at.height)
            counters = reader.sequences_at(connection, at.chain, opened & set(sequences), at.height)
        accounts = [a for a, held in units.items() if a.locator in opened and held != known[a.locator, a.asset]]
        return accounts if accounts or reconcile.gaps(sequences, counters) else None

    async def _locate(self, account: Account, at: BlockRef) -> tuple[str, ...]:
        try:
            return await self.chain.locate(account, at)
        except ChainError as error:
            log.warning("cannot trace a residual", extra={"chain": at.chain, "error": str(error)})
            return ()

    async def settle(
        self, anchor: BlockRef, units: Mapping[Account, int], equal_at: int, unseen: tuple[str, ...]
    ) -> None:
        """Bisect what differs at an anchor to the blocks where it came to differ, and book it there.

        ``equal_at``: a height at which all was equal. What nodes cannot be asked about any more
        stays for the step of the cycle, which books it at the anchor.
        """
        differing = await asyncio.to_thread(self._differences_at, anchor, units)
        for account, (opened, difference) in list(differing.items())[:_BISECT_ACCOUNTS]:
            try:
                for at in await self._changes(account, max(opened, equal_at), anchor, difference):
                    held = await self.chain.holdings([account], at)
                    await self.compare(at, held.units, {}, "final", unseen)
            except HistoryUnavailable as error:
                log.warning("cannot bisect a residual", extra={"chain": anchor.chain, "error": str(error)})

    def _differences_at(self, anchor: BlockRef, units: Mapping[Account, int]) -> dict[Account, tuple[int, int]]:
        """Opening height and difference of each account that differs from the ledger at ``anchor``."""
        with self.ledger.read() as connection:
            watched = reader.watched(connection, anchor.chain)
            carried = reader.carried(connection, anchor.chain)
            known = reader.accounts_at(connection, anchor.chain, anchor.height)
        found = {}
        for account, held in units.items():
            item = watched.get(account.locator)
            difference = held - known.get((account.locator, account.asset), 0)
            opened = max(-1 if item is None else item.opened_height, carried.get(account.asset, -1))
            if item is not None and opened <= anchor.height and difference:
                found[account] = (opened, difference)
        return found

    async def _changes(self, account: Account, low: int, anchor: BlockRef, difference: int) -> list[BlockRef]:
        """The blocks in (low, anchor] in which the difference between node and ledger changed, oldest first."""
        reads = 0
        blocks = {anchor.height: anchor}

        async def difference_at(height: int) -> int:
            nonlocal reads
            reads += 1
            if reads > _BISECT_READS:
                raise HistoryUnavailable(f"{account.locator}: its residual changed in too many blocks to find them all")
            blocks[height] = await self.chain.header(height)
            held = await self.chain.holdings([account], blocks[height])
            return held.units[account] - await asyncio.to_thread(self._known, account, height)

        async def between(low: int, low_value: int, high: int, high_value: int) -> list[int]:
            if low_value == high_value:
                return []
            if high - low == 1:
                return [high]
            middle = (low + high) // 2
            value = await difference_at(middle)
            return [*await between(low, low_value, middle, value), *await between(middle, value, high, high_value)]

        heights = await between(low, 0, anchor.height, difference)
        return [blocks[height] for height in heights]

    def _known(self, account: Account, height: int) -> int:
        key: Key = (account.locator, account.asset)
        with self.ledger.read() as connection:
            return reader.units_at(connection, account.chain, [key], height)[key]
