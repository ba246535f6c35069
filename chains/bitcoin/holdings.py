"""The unspent coins of given scripts after one block, as a quorum of endpoints has them.

A scan reads the whole UTXO set of a node, minutes on mainnet. So only as many endpoints scan as must
agree, side by side, and what each found is kept for the last few blocks asked about: an anchor that
has not moved is not scanned again. Whose turn it is moves on with the block, so that in time the
sets of all are compared; an endpoint marked ``own`` is always among them, since it is needed for proofs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from chains.bitcoin import node
from chains.bitcoin.judge import Judge
from chains.bitcoin.opening import Found, coins_after
from chains.core.errors import ChainError, Reorganised
from chains.core.quorum import Lie, Panel, Vote, failure, tally
from chains.core.values import BlockRef, Coin

log = logging.getLogger(__name__)

#: Blocks whose scans are kept: the anchor, and the one that the liabilities are as of.
KEPT_BLOCKS = 2
#: Scripts that can never be spent begin with OP_RETURN: their outputs are in no UTXO set.
UNSPENDABLE = "6a"

Scripts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CoinSet:
    """The coins that one endpoint has of ``scripts``; ``name`` tells sets apart, whatever heights they name."""

    scripts: Scripts
    found: tuple[Found, ...]
    name: str


def coin_set(scripts: Scripts, found: Iterable[Found]) -> CoinSet:
    """The coins of these scripts among ``found``, which are ordered by id."""
    locators = set(scripts.values())
    kept = tuple(each for each in found if each.coin.locator in locators)
    digest = sha256()
    for each in kept:
        digest.update(coin_text(each.coin))
    return CoinSet(scripts, kept, f"{len(kept)} coins, SHA-256 {digest.hexdigest()}")


def coin_text(coin: Coin) -> bytes:
    """What of a coin goes into the digest that names its set."""
    return f"{coin.id} {coin.locator} {coin.units}\n".encode()


def _name(coins: CoinSet) -> str:
    return coins.name


class CoinSets:
    """Sets of coins by quorum. ``own``: endpoints of ours by name; ``asset``: what the coins are of."""

    def __init__(self, panel: Panel, judge: Judge, asset: str, own: Sequence[str]) -> None:
        self._panel = panel
        self._judge = judge
        self._asset = asset
        self._own = tuple(own)
        self._kept: dict[str, dict[str, CoinSet]] = {}

    async def agreed(self, scripts: Scripts, at: BlockRef, *, final: bool) -> Vote[tuple[Coin, ...]]:
        """The coins of ``scripts`` (hex -> locator) after block ``at``, ordered by id, and who has just these.

        Where sets differ, the liar is found in the blocks where these can tell, otherwise more endpoints
        are asked. ``final``: whether ``at`` is final, so that whoever a quorum contradicts there is not
        merely on another branch. Raises Reorganised, Disagreement, QuorumLost or AllEndpointsFailed.
        """
        canonical = await self._panel.agree(lambda calls: node.is_canonical(calls, at), bool, f"block {at.height}")
        if not canonical.value:
            raise Reorganised(f"block {at.height} {at.hash} of {at.chain} has left the chain")
        scripts = {script: locator for script, locator in scripts.items() if not script.startswith(UNSPENDABLE)}
        if not scripts or at.height == 0:
            # The genesis block's only output can never be spent and is in no UTXO set.
            return Vote((), canonical.endpoints, {})
        answers: dict[str, CoinSet | ChainError] = {}
        while True:
            answers |= await self._lies(answers, at)
            vote = tally(answers, self._panel.quorum, _name)
            if vote is not None:
                self._contradicted(vote, at, final=final)
                return Vote(tuple(each.coin for each in vote.value.found), vote.endpoints, {})
            turn = self._next(answers, at)
            if not turn:
                raise failure(answers, self._panel.quorum, _name, f"{at.chain}: coins after block {at.height}")
            answers |= await self._scan(turn, scripts, at)

    async def _lies(self, answers: Mapping[str, CoinSet | ChainError], at: BlockRef) -> dict[str, Lie]:
        """The provable lies among sets that differ; their endpoints are condemned."""
        sets = {name: coins for name, coins in answers.items() if isinstance(coins, CoinSet)}
        if len({coins.name for coins in sets.values()}) < 2:
            return {}
        try:
            lies = await self._judge.lies({name: coins.found for name, coins in sets.items()}, at)
        except ChainError as error:
            log.warning("coin sets differ after block %s, and its blocks cannot be read: %s", at.height, error)
            return {}
        for name, lie in lies.items():
            self._condemn(name, lie, at)
        return lies

    async def everyone(self, scripts: Scripts, at: BlockRef, *, final: bool) -> list[tuple[tuple[str, ...], CoinSet]]:
        """The sets of all endpoints that can give one, with who has just this; that of the quorum first.

        Sets that are provably false are left out, and their endpoints condemned. Raises as ``agreed`` does.
        """
        await self.agreed(scripts, at, final=final)
        scripts = {script: locator for script, locator in scripts.items() if not script.startswith(UNSPENDABLE)}
        answers = await self._scan(self._panel.asked, scripts, at)
        answers |= await self._lies(answers, at)
        top = tally(answers, self._panel.quorum, _name)
        if top is None:
            raise failure(answers, self._panel.quorum, _name, f"{at.chain}: coins after block {at.height}")
        self._contradicted(top, at, final=final)
        found = {top.value.name: (top.endpoints, top.value)}
        for name, coins in answers.items():
            if name not in top.endpoints and isinstance(coins, CoinSet):
                names, _ = found.get(coins.name, ((), coins))
                found[coins.name] = (*names, name), coins
        return list(found.values())

    async def of(self, name: str, scripts: Scripts, at: BlockRef) -> tuple[Coin, ...]:
        """The coins that one endpoint has after block ``at``. Raises its error."""
        coins = (await self._scan([name], scripts, at))[name]
        if isinstance(coins, ChainError):
            raise coins
        return tuple(each.coin for each in coins.found)

    def _next(self, answers: Mapping[str, CoinSet | ChainError], at: BlockRef) -> list[str]:
        """The endpoints that should scan now: as many as the largest group lacks to a quorum."""
        names = self._panel.asked
        start = at.height % len(names) if names else 0
        turns = [name for name in names[start:] + names[:start] if name not in answers]
        turns.sort(key=lambda name: name not in self._own)
        held = [coins.name for coins in answers.values() if isinstance(coins, CoinSet)]
        most = max((held.count(each) for each in held), default=0)
        return turns[: self._panel.quorum - most]

    async def _scan(self, names: Sequence[str], scripts: Scripts, at: BlockRef) -> dict[str, CoinSet | ChainError]:
        """What each endpoint has, side by side; an endpoint's failure is its value."""

        async def one(name: str) -> CoinSet | ChainError:
            kept = self._kept.get(at.hash, {}).get(name)
            if kept is not None and scripts.keys() <= kept.scripts.keys():
                return kept if len(scripts) == len(kept.scripts) else coin_set(scripts, kept.found)
            try:
                found = await coins_after(self._panel.rpc.on(name), scripts, at, self._asset)
            except ChainError as error:
                if isinstance(error, Lie):
                    self._panel.caught(name, error)
                return error
            coins = coin_set(scripts, found)
            self._keep(name, at, coins)
            return coins

        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(one(name)) for name in names}
        return {name: task.result() for name, task in tasks.items()}

    def _keep(self, name: str, at: BlockRef, coins: CoinSet) -> None:
        sets = self._kept.pop(at.hash, {})
        known = sets.get(name)
        if known is None or len(known.scripts) < len(coins.scripts):
            sets = sets | {name: coins}
        self._kept[at.hash] = sets
        while len(self._kept) > KEPT_BLOCKS:
            del self._kept[next(iter(self._kept))]

    def _condemn(self, name: str, lie: Lie, at: BlockRef) -> None:
        self._panel.condemn(name, lie)
        self._kept.get(at.hash, {}).pop(name, None)

    def _contradicted(self, vote: Vote[CoinSet], at: BlockRef, *, final: bool) -> None:
        """Whoever has another set than the quorum at a final block is asked nothing more."""
        for name, other in vote.others.items():
            if final and isinstance(other, CoinSet):
                theirs = {each.coin for each in vote.value.found}
                ours = {each.coin for each in other.found}
                why = f"{', '.join(vote.endpoints)} have {vote.value.name}"
                evidence = {
                    "asked": f"scantxoutset, undone to block {at.height} {at.hash}",
                    "answered": other.name,
                    "only_here": _listed(ours - theirs),
                    "missing_here": _listed(theirs - ours),
                    "refuted": why,
                }
                message = f"{name}: the unspent coins given after block {at.height} are {other.name}, but {why}"
                self._condemn(name, Lie("coins", message, evidence), at)


def _listed(coins: Iterable[Coin]) -> str:
    return ", ".join(sorted(f"{coin.id} {coin.units}" for coin in coins))
