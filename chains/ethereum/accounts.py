"""What accounts hold and how often they acted, by quorum and by proof."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from chains.core.errors import AllEndpointsFailed, ChainError, HistoryUnavailable, NodeError
from chains.core.hex import quantity
from chains.core.quorum import Lie, Panel, failure
from chains.core.rpc import Calls, Request
from chains.core.values import Account, BlockRef
from chains.ethereum.agreement import Numbers, Question, Shown, agreed, outvote, refuted
from chains.ethereum.balances import BalanceReader
from chains.ethereum.headers import Headers, Look
from chains.ethereum.nodes import Nodes, explain
from chains.ethereum.proofs import Proved, Prover

#: Accounts proved in one run: on mainnet some 20 MB of proofs. Who wants others proved asks for them first.
PROVED_AT_MOST = 2_000
#: A header that one endpoint alone claims proves nothing.
_STAND_BY = 2


class Accounts:
    """Reads accounts of one chain, in units of this chain. ``native``: its native asset."""

    def __init__(
        self,
        panel: Panel,
        nodes: Nodes,
        headers: Headers,
        balances: BalanceReader,
        prover: Prover,
        native: str,
        finality: int | str,
    ) -> None:
        self._panel = panel
        self._nodes = nodes
        self._headers = headers
        self._balances = balances
        self._prover = prover
        self._native = native
        self._finality = finality

    async def holdings(self, accounts: Sequence[Account], at: BlockRef) -> tuple[Numbers[Account], tuple[str, ...]]:
        """What every account held after block ``at``, and who said so."""
        return await agreed(self._panel, self._nodes.order(), self.held(accounts, at))

    async def sequences(self, locators: Sequence[str], at: BlockRef) -> Numbers[str]:
        """The nonce of every account after block ``at``."""
        return (await agreed(self._panel, self._nodes.order(), self.counted(locators, at)))[0]

    def held(self, accounts: Sequence[Account], at: BlockRef) -> Question[Account]:
        """What accounts held after block ``at``."""

        async def read(one: Calls) -> Numbers[Account]:
            return await self._balances.read(one, accounts, at)

        async def prove(some: Sequence[Account], said: Mapping[str, Numbers[Account]]) -> Mapping[Account, Shown]:
            root, header = await self._headers.state_root(at)
            await self.learn({each.asset for each in some}, said, at, root)
            proved = await self._nodes.anywhere(lambda one: self._prover.prove(one, some, at, root))
            # Where a token's balances stand was only found; who says just that makes it certain.
            return {
                account: _shown(proof, header)
                for account, proof in proved.items()
                if account.asset == self._native or any(one[account] == proof.units for one in said.values())
            }

        return Question(f"balances after block {at.height} {at.hash}", "balance", _words, read, prove)

    def counted(self, locators: Sequence[str], at: BlockRef) -> Question[str]:
        """The nonces of accounts after block ``at``."""

        async def read(one: Calls) -> Numbers[str]:
            return await _counts(one, locators, at)

        async def prove(some: Sequence[str], _: Mapping[str, Numbers[str]]) -> Mapping[str, Shown]:
            root, header = await self._headers.state_root(at)
            asked = [Account(at.chain, locator, self._native) for locator in some]
            proved = await self._nodes.anywhere(lambda one: self._prover.prove(one, asked, at, root))
            return {each.locator: _nonce_shown(proof, header) for each, proof in proved.items()}

        return Question(f"nonces after block {at.height} {at.hash}", "nonce", str, read, prove)

    async def learn(self, assets: set[str], said: Mapping[str, Numbers[Account]], at: BlockRef, root: str) -> None:
        """Look for the balances of tokens where a quorum agrees on some of them."""
        unknown = [each for each in sorted(assets - {self._native}) if self._prover.layout(each) is None]
        if not unknown or len(said) < self._panel.quorum:
            return
        for asset in unknown:
            claims = {}
            for account in next(iter(said.values())):
                if account.asset == asset:
                    units, count = Counter(numbers[account] for numbers in said.values()).most_common(1)[0]
                    if count >= self._panel.quorum:
                        claims[account.locator] = units
            await self._nodes.anywhere(partial(self._prover.learn, asset=asset, claims=claims, at=at, state_root=root))

    async def prove(self, accounts: Sequence[Account], at: BlockRef) -> tuple[list[str], dict[Account, int]]:
        """Who shows block ``at``, and units of the accounts that could be proved, of the first PROVED_AT_MOST given.

        The state root is of a header that at least two endpoints show: with a single one nothing is proved. All
        endpoints are asked for that header and for the same accounts, so that a liar is found in any position.
        """
        if len(self._panel.rpc.names) < _STAND_BY:
            return [], {}
        names = await self.standing_by(at)
        if len(names) < _STAND_BY:
            return names, {}
        some = accounts[:PROVED_AT_MOST]
        root, header = await self._headers.state_root(at)
        held, counted = self.held(some, at), self.counted([a.locator for a in some if a.asset == self._native], at)
        said = await self.everyone(held, names)
        try:
            await self.learn({each.asset for each in some}, said, at, root)
            proved = await self._nodes.anywhere(lambda one: self._prover.prove(one, some, at, root), names)
        except (AllEndpointsFailed, HistoryUnavailable) as failed:
            if not could_not(failed):
                raise
            outvote(self._panel, held, said)
            return names, {}
        proved = self._certain(proved, said)
        self._judge(held, said, {account: _shown(proof, header) for account, proof in proved.items()})
        nonces = {a.locator: _nonce_shown(proof, header) for a, proof in proved.items() if a.asset == self._native}
        self._judge(counted, await self.everyone(counted, names), nonces)
        # What could not be proved is at least compared.
        outvote(self._panel, held, {n: numbers for n, numbers in said.items() if n in self._panel.asked})
        return names, {account: proof.units for account, proof in proved.items()}

    async def everyone(self, question: Question[Any], names: Sequence[str]) -> dict[str, Numbers[Any]]:
        """What each endpoint that can says."""
        asked = [name for name in names if name not in self._panel.rpc.quarantined]
        answers = await asyncio.gather(
            *(question.read(self._panel.rpc.on(name)) for name in asked), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, ChainError):
                raise answer
        return {n: a for n, a in zip(asked, answers, strict=True) if not isinstance(a, BaseException)}

    def _certain(self, proved: Mapping[Account, Proved], said: Mapping[str, Numbers[Account]]) -> dict[Account, Proved]:
        """Without the tokens whose storage shows what nobody says: it is not their balances that stand there."""
        wrong = {
            account.asset
            for account, proof in proved.items()
            if account.asset != self._native and all(one[account] != proof.units for one in said.values())
        }
        for asset in wrong if said else ():
            self._prover.forget(asset)
        return {account: proof for account, proof in proved.items() if account.asset not in wrong}

    def _judge(self, question: Question[Any], said: Mapping[str, Numbers[Any]], shown: Mapping[Any, Shown]) -> None:
        for name, numbers in said.items():
            lie = refuted(question, numbers, shown)
            if lie is not None:
                self._panel.condemn(name, lie)

    async def standing_by(self, at: BlockRef) -> list[str]:
        """The endpoints that show block ``at``, a quorum at least. Who calls another one final is condemned."""

        def settle(answers: Mapping[str, Any], waiting: int) -> Mapping[str, Any] | None:
            return None if waiting else answers

        with self._headers.look() as look:
            answers = await self._panel.poll(
                lambda one: self._position(one, look, at), settle, f"block {at.height}", patient=True
            )
        shown = {name: answer for name, answer in answers.items() if not isinstance(answer, ChainError)}
        names = [name for name, (ref, _) in shown.items() if ref.hash == at.hash]
        if len(names) < self._panel.quorum:
            raise failure(answers, self._panel.quorum, lambda answer: answer[0].hash, f"block {at.height}")
        for name, (ref, final) in shown.items():
            if ref.hash != at.hash and final >= at.height:
                what = f"calls block {ref.height} {ref.hash} final, {', '.join(names)} show {at.hash}"
                about = {"asked": f"block {at.height}", "answered": ref.hash, "final_height": str(final)}
                self._panel.condemn(name, Lie("final_block", what, about | {f"said_by_{n}": at.hash for n in names}))
        return names

    async def _position(self, one: Calls, look: Look, at: BlockRef) -> tuple[BlockRef, int]:
        """An endpoint's block at the height of ``at``, and how far it calls its chain final."""
        (name,) = one.names
        tag = None if isinstance(self._finality, int) else self._finality
        heads = await self._headers.heads_of(one, look, tag)
        final = heads.seen.height - self._finality if isinstance(self._finality, int) else heads.final.height
        ref: BlockRef = await one.call(
            "eth_getBlockByNumber", [hex(at.height), False], check=lambda raw: look.ref(name, raw, at.height)
        )
        return ref, final


async def _counts(one: Calls, locators: Sequence[str], at: BlockRef) -> dict[str, int]:
    block = {"blockHash": at.hash, "requireCanonical": True}
    calls: list[Request] = [("eth_getTransactionCount", [locator, block]) for locator in locators]

    def check(answers: list[Any]) -> dict[str, int]:
        return {
            locator: quantity(answer, f"the nonce of {locator}")
            for locator, answer in zip(locators, answers, strict=True)
        }

    try:
        counts: dict[str, int] = await one.batch(calls, check=check)
    except NodeError as error:
        raise await explain(one, error, at) from error
    return counts


def could_not(failed: AllEndpointsFailed | HistoryUnavailable) -> bool:
    """Whether no endpoint offers proofs or still has the state: then there is nothing to be proved."""
    if isinstance(failed, HistoryUnavailable):
        return True
    return all(isinstance(cause, NodeError | HistoryUnavailable) for cause in failed.exceptions)


def _words(account: Account) -> str:
    return f"{account.asset} of {account.locator}"


def _shown(proof: Proved, header: str) -> Shown:
    return Shown(proof.units, lambda: {"header": header} | proof.evidence())


def _nonce_shown(proof: Proved, header: str) -> Shown:
    return Shown(proof.nonce, lambda: {"header": header} | proof.evidence())
