"""The Bitcoin chain as ``chains.core.chain.Chain``: blocks by quorum and hash, holdings by scan, read-only.

Blocks are followed by quorum: every endpoint is asked for two hashes, one that agrees for the block.
Facts that prove themselves (a block by its hash) are taken from any endpoint; facts that do not (which
block stands at a height, what is unspent) need a quorum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from chains.bitcoin import node
from chains.bitcoin.addresses import script_of
from chains.bitcoin.body import BodyReader
from chains.bitcoin.capabilities import probe
from chains.bitcoin.control import show_control
from chains.bitcoin.hints import BlockHint
from chains.bitcoin.holdings import CoinSets
from chains.bitcoin.judge import Judge
from chains.bitcoin.networks import NETWORKS, Network
from chains.bitcoin.opening import effects
from chains.bitcoin.settings import Settings
from chains.bitcoin.testimony import Testifier
from chains.bitcoin.watch import CoinWatch
from chains.bitcoin.work import HeaderCheck
from chains.core.chain import Observer, Watch
from chains.core.errors import (
    AllEndpointsFailed,
    ChainError,
    Disagreement,
    HistoryUnavailable,
    NodeError,
    QuorumLost,
    Reorganised,
)
from chains.core.ownership import ProofKind, Shown
from chains.core.quorum import Lie, Panel, Vote, failure, reached, tally
from chains.core.rpc import Calls, Rpc, endpoint_names
from chains.core.testimony import Testimony
from chains.core.values import (
    Account,
    Block,
    BlockRef,
    Capabilities,
    Coin,
    EndpointIdentity,
    Fault,
    Heads,
    Holdings,
    Opening,
    Witness,
)

#: How many blocks below the highest head a quorum is looked for, where endpoints are on different branches.
FORK_MOST = 6


def open_chain(
    name: str, settings: Settings, decimals: dict[str, int], base: Path, observer: Observer | None = None
) -> BitcoinChain:
    """The chain of a configuration; opens no connection yet. Raises ValueError for an asset without 8 decimals."""
    settings.scales(decimals)
    return BitcoinChain(name, settings, Rpc(settings.endpoints, base, translate=node.translate, observer=observer))


class BitcoinChain:
    """A read-only view of one Bitcoin network; see ``chains.core.chain.Chain`` for what each method promises."""

    def __init__(self, name: str, settings: Settings, rpc: Rpc) -> None:
        self.rpc = rpc
        self._name = name
        self._settings = settings
        self._asset = settings.native
        self._network: Network = settings.parameters()
        self._finality = settings.finality
        self._panel = Panel(name, rpc, settings.needed_quorum())
        self._bodies = BodyReader(name, self._asset, self._network)
        names = endpoint_names(settings.endpoints)
        self._own = tuple(n for n, e in zip(names, settings.endpoints, strict=True) if e.own and not e.hint_only)
        self._sets = CoinSets(self._panel, Judge(self._panel, self._bodies), self._asset, self._own)
        self._headers = HeaderCheck(self._network)
        self._testifier = Testifier(self._panel, self._sets, self._headers, self._network, self._asset, self._own)
        self._hint = BlockHint(settings.zmq)
        self._heads: Heads | None = None
        self._capabilities: Capabilities | None = None

    @property
    def name(self) -> str:
        """The configured name."""
        return self._name

    @property
    def account_based(self) -> bool:
        """No: what an account holds is the set of its coins, which a scan finds for all at once."""
        return False

    @property
    def assets(self) -> tuple[str, ...]:
        """Bitcoin has one asset."""
        return (self._asset,)

    def watch(self, locators: Iterable[str], coins: Iterable[Coin]) -> CoinWatch:
        """An index of these locators and coins. Raises AddressError for a locator of another network."""
        return CoinWatch(self._network, locators, coins)

    async def identify(self) -> tuple[EndpointIdentity, ...]:
        """The genesis block of every endpoint beside that of the network (CAIP-2).

        An endpoint of another chain is quarantined until it serves ours again.
        """
        answers = await self.rpc.ask_each("getblockhash", [0], check=node.block_hash_of, also_quarantined=True)
        identities = tuple(self._identity(endpoint, answer) for endpoint, answer in answers.items())
        for each in identities:
            if each.state == "wrong":
                answered = str(answers[each.endpoint])
                evidence = {"asked": "getblockhash 0", "answered": answered, "refuted": self._network.genesis}
                self._panel.condemn(each.endpoint, Lie("genesis", f"{each.endpoint}: {each.detail}", evidence))
            elif each.state == "right":
                self._panel.release(each.endpoint, "genesis")
        return identities

    def _identity(self, endpoint: str, answer: str | ChainError) -> EndpointIdentity:
        if isinstance(answer, NodeError) and answer.code == node.RPC_METHOD_NOT_FOUND:
            return EndpointIdentity(endpoint, "wrong", f"is no Bitcoin node: {answer}")
        if isinstance(answer, ChainError):
            return EndpointIdentity(endpoint, "unreachable", str(answer))
        if answer == self._network.genesis:
            return EndpointIdentity(endpoint, "right", self._network.caip2)
        other = {network.genesis: network.name for network in NETWORKS.values()}.get(answer)
        served = f"Bitcoin {other}" if other else f"a chain with genesis block {answer[:64]}"
        return EndpointIdentity(endpoint, "wrong", f"serves {served}, not Bitcoin {self._network.name}")

    async def capabilities(self) -> Capabilities:
        """History depends on pruning and prevouts; what a block moved is always complete."""
        if self._capabilities is None:
            _, found = await self._panel.first(lambda calls: probe(calls, self._hint.trouble), "capabilities")
            self._capabilities = found
        return self._capabilities

    async def heads(self) -> Heads:
        """The highest block that a quorum agrees on, and the one with the configured confirmations below it."""
        known = self._heads
        height, unchanged = await self._tips(None if known is None else known.seen)
        if known is not None and unchanged:
            return known
        lowest = max(0, height - FORK_MOST)
        while True:
            try:
                self._heads = await self._heads_at(height)
            except Disagreement:
                if height == lowest:
                    raise
                height -= 1
            else:
                return self._heads

    async def _tips(self, known: BlockRef | None) -> tuple[int, bool]:
        """The greatest height that a quorum has reached, and whether that is still the head ``known``."""
        quorum = self._panel.quorum

        def settle(answers: Mapping[str, tuple[int, str] | ChainError], waiting: int) -> tuple[int, bool] | None:
            tips = {name: tip for name, tip in answers.items() if not isinstance(tip, ChainError)}
            same = sum(known is not None and tip[1] == known.hash for tip in tips.values())
            if known is not None and same >= quorum and len(tips) - same + waiting < quorum:
                return known.height, True
            if waiting:
                return None
            if len(tips) < quorum:
                raise failure(answers, quorum, str, f"{self._name}: head")
            height = reached({name: tip[0] for name, tip in tips.items()}, quorum)
            return height, known is not None and same >= quorum and height == known.height

        return await self._panel.poll(lambda calls: node.tip(calls, known), settle, "head")

    async def _heads_at(self, height: int) -> Heads:
        vote = await self._panel.agree(
            lambda calls: node.heads(calls, self._name, height, self._finality),
            lambda heads: f"{heads.seen.hash} on {heads.final.hash}",
            f"head {height}",
        )
        return vote.value

    async def header(self, height: int) -> BlockRef:
        """The canonical block at ``height`` by quorum. HistoryUnavailable is among the causes above the head."""
        return (
            await self._panel.agree(lambda calls: node.header_at(calls, self._name, height), _hash, f"block {height}")
        ).value

    async def is_canonical(self, ref: BlockRef) -> bool:
        """Whether a quorum has ``ref.hash`` at its height."""
        return (await self._panel.agree(lambda calls: node.is_canonical(calls, ref), bool, f"block {ref.height}")).value

    async def read(self, ref: BlockRef, watch: Watch) -> Block:
        """The block with exactly this hash. Raises Reorganised where no endpoint knows it any more."""
        coins = _coin_watch(watch)
        try:
            _, block = await self._panel.first(
                lambda calls: self._bodies.read(calls, ref.hash, ref.height, coins, on=ref.parent),
                f"block {ref.height}",
            )
        except AllEndpointsFailed as failed:
            if all(isinstance(error, node.UnknownBlock) for error in failed.exceptions):
                raise Reorganised(f"no endpoint of {self._name} knows block {ref.height} {ref.hash}") from failed
            raise
        return block

    async def read_next(self, after: BlockRef, watch: Watch) -> Block | None:
        """The block on top of ``after`` by quorum, in two round trips; None where a quorum has none yet.

        Its bytes come from one of those that agree; where they are false their endpoint's vote does not count.
        """
        coins = _coin_watch(watch)
        for _ in self.rpc.names:
            decision = await self._panel.after(after, lambda calls: node.link(calls, after))
            if decision.next is None:
                return None
            try:
                block = await self._candidate(decision.next, after, coins, decision.endpoints)
            except AllEndpointsFailed:
                if len(self._panel.asked) < self._panel.quorum or set(decision.endpoints) <= set(self._panel.asked):
                    raise
                continue
            if set(decision.endpoints) <= set(self._panel.asked):
                return block
        raise QuorumLost(f"{self._name}: every endpoint lied about the block after {after.height}")

    async def _candidate(self, block_hash: str, after: BlockRef, watch: CoinWatch, names: Sequence[str]) -> Block:
        height = after.height + 1
        _, block = await self._panel.first(
            lambda calls: self._bodies.read(calls, block_hash, height, watch, on=after.hash), f"block {height}", names
        )
        return block

    async def witnesses(self, after: BlockRef, watch: Watch) -> tuple[Witness, ...]:
        """Blocks on top of ``after`` without a quorum, verified as any other, from those that show them."""
        found = []
        for block_hash, names in self._panel.candidates.open(after).items():
            try:
                block = await self._candidate(block_hash, after, _coin_watch(watch), names)
            except ChainError:
                # Asked again when it is shown again; who lied about it is in quarantine and shows nothing.
                continue
            self._panel.candidates.tell(block_hash)
            shown = tuple(name for name in names if name in self._panel.asked)
            found.append(Witness(block, shown, self._panel.quorum))
        return tuple(found)

    async def holdings(self, accounts: Sequence[Account], at: BlockRef) -> Holdings:
        """What every account held after block ``at``, and the coins behind it; see ``open_at``."""
        scripts = self._scripts(accounts)
        vote = await self._coins(scripts, at)
        return Holdings(at, self._sums(scripts, vote.value), vote.endpoints, vote.value)

    async def open_at(self, locators: Sequence[str], at: BlockRef) -> Opening:
        """Coins and holdings after block ``at`` by quorum: UTXO sets scanned at the head, blocks above ``at`` undone.

        After the genesis block everything is empty without a scan. On mainnet a scan takes minutes: it is
        made again only for another block or for scripts that the last scan did not cover.
        """
        scripts = {script_of(locator, self._network).hex(): locator for locator in locators}
        vote = await self._coins(scripts, at)
        return Opening(at, self._sums(scripts, vote.value), vote.value)

    async def _coins(self, scripts: Mapping[str, str], at: BlockRef) -> Vote[tuple[Coin, ...]]:
        return await self._sets.agreed(scripts, at, final=self._is_final(at))

    def _is_final(self, at: BlockRef) -> bool:
        return self._heads is not None and at.height <= self._heads.final.height

    def _scripts(self, accounts: Sequence[Account]) -> dict[str, str]:
        for account in accounts:
            if account.chain != self._name or account.asset != self._asset:
                raise ValueError(f"{account} is no account of {self._name}, which has {self._asset}")
        return {script_of(account.locator, self._network).hex(): account.locator for account in accounts}

    def _sums(self, scripts: Mapping[str, str], coins: Sequence[Coin]) -> dict[Account, int]:
        held = dict.fromkeys(scripts.values(), 0)
        for coin in coins:
            held[coin.locator] += coin.units
        return {Account(self._name, locator, self._asset): units for locator, units in held.items()}

    async def prove(self, accounts: Sequence[Account], at: BlockRef) -> dict[Account, int]:
        """What every account held after ``at`` by the UTXO set of an endpoint marked ``own``; nothing without one.

        Checked before: that a quorum of all endpoints (which may be the own one alone) has ``at`` at its
        height; that the own endpoint's headers from the retarget period before that of ``at`` up to it are
        one chain by their hashes, each with the proof of work and the difficulty that ``chains.bitcoin.work``
        checks. Not checked: that the node's UTXO set follows from its blocks. That is what ``own`` vouches for.

        On the way every endpoint's genesis and its block at that height are compared: one of another
        chain, or with another final block than the quorum, is quarantined until it is right again.
        """
        scripts = self._scripts(accounts)
        await self.identify()
        await self._compare(at)
        if not self._own:
            return {}

        async def ask(calls: Calls) -> tuple[Coin, ...]:
            await self._headers.check(calls, at)
            return await self._sets.of(calls.names[0], scripts, at)

        _, coins = await self._panel.first(ask, f"proof at block {at.height}", self._own)
        return self._sums(scripts, coins)

    async def _compare(self, at: BlockRef) -> None:
        """Every endpoint's block at the height of ``at`` beside the quorum's, which must be ``at``."""

        async def ask(calls: Calls) -> str:
            found = await node.hash_at(calls, at.height)
            if found is None:
                raise HistoryUnavailable(f"the node has no block at height {at.height} yet: it lags behind")
            return found

        answers = await self.rpc.each(ask, also_quarantined=True)
        asked = {name: answer for name, answer in answers.items() if name in self._panel.asked}
        vote = tally(asked, self._panel.quorum, str)
        if vote is None:
            raise failure(asked, self._panel.quorum, str, f"{self._name}: block {at.height}")
        if vote.value != at.hash:
            raise Reorganised(f"block {at.height} {at.hash} of {self._name} has left the chain")
        for name, answer in answers.items():
            if answer == at.hash:
                self._panel.release(name, "final_block")
            elif isinstance(answer, str) and self._is_final(at):
                why = f"{', '.join(vote.endpoints)} have {at.hash} there, {self._finality} blocks deep"
                evidence = {"asked": f"getblockhash {at.height}", "answered": answer, "refuted": why}
                message = f"{name}: has block {answer} at the final height {at.height}, but {why}"
                self._panel.condemn(name, Lie("final_block", message, evidence))

    async def testify(self, accounts: Sequence[Account], at: BlockRef) -> Testimony:
        """Headers from ``at`` up to the head and every endpoint's coins; see ``chains.bitcoin.testimony``."""
        return await self._testifier.testify(self._scripts(accounts), at, final=self._is_final(at))

    async def show_control(self, kind: ProofKind, locator: str, message: bytes, proof: str, at: BlockRef) -> Shown:
        """See ``chains.core.chain.ShowsControl``."""
        return await show_control(self._panel, self._settings, kind, locator, message, proof, at)

    async def sequences(self, locators: Sequence[str], at: BlockRef) -> dict[str, int]:
        """Nothing: on a UTXO chain the set of coins is the sequence (``Holdings.coins``)."""
        return {}

    async def locate(self, account: Account, at: BlockRef) -> tuple[str, ...]:
        """The transactions of block ``at`` that spend coins of this account or pay it.

        Their ids are those of the block's merkle root; what they spend is the word of the endpoint.
        Empty where no endpoint gives prevouts.
        """
        scripts = self._scripts([account])

        async def ask(calls: Calls) -> tuple[str, ...]:
            header = await node.raw_header(calls, at.hash)
            found = await effects(calls, header, scripts, self._asset)
            return tuple(each.txid for each in found if each.created or each.spent)

        try:
            return (await self._panel.first(ask, f"transactions of block {at.height}"))[1]
        except AllEndpointsFailed as failed:
            if all(isinstance(error, HistoryUnavailable) for error in failed.exceptions):
                return ()
            raise

    def faults(self) -> tuple[Fault, ...]:
        """The endpoints' faults found since the last call."""
        return self._panel.faults()

    def quarantined(self) -> Mapping[str, str]:
        """Endpoints that are not asked any more, and why: a proven lie until porwatch is started again."""
        return self.rpc.quarantined

    async def last_block_before(self, time: int, final: BlockRef) -> BlockRef:
        """The newest block not above ``final`` whose own time is <= ``time``, by quorum."""
        vote = await self._panel.agree(
            lambda calls: node.last_block_before(calls, self._name, time, final), _hash, f"block before {time}"
        )
        return vote.value

    async def wait(self, seconds: float) -> None:
        """Sleep until a block is announced, ``seconds`` and one second at most."""
        await self._hint.wait(seconds)

    async def close(self) -> None:
        """Close every connection."""
        await self._hint.close()
        await self.rpc.close()


def _hash(ref: BlockRef) -> str:
    return ref.hash


def _coin_watch(watch: Watch) -> CoinWatch:
    if not isinstance(watch, CoinWatch):
        raise TypeError("a Bitcoin block is read with the watch that this chain made")
    return watch
