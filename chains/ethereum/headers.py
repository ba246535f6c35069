"""Headers by quorum: heads, blocks by their height, and which block stands on the one before.

Every header is hashed again (``verify: full``), so that a hash on which endpoints agree also fixes what
stands in the header. An endpoint whose header hashes to something else is a liar where another endpoint's
does not: where nobody's does, it is the chain that hashes in its own way, or a fork that is new.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chains.core.errors import BadAnswer, ChainError, Disagreement, QuorumLost
from chains.core.hex import data, quantity
from chains.core.quorum import Lie, Link, Panel, failure, reached, tally
from chains.core.rpc import Calls, Request
from chains.core.values import BlockRef, Heads
from chains.ethereum.blocks import header_at, header_ref
from chains.ethereum.verify.header import header_hash

#: At the very head endpoints may stand on rival blocks: so far below it is looked for one that they share.
_STEPS_DOWN = 8
REMEDY = "where that is so on every endpoint, this chain hashes its blocks in another way: write verify: hashes"
_BODY = ("transactions", "withdrawals")


@dataclass(frozen=True, slots=True)
class Above:
    """The block that a quorum shows on top of another, who shows it, and whole blocks that came along."""

    ref: BlockRef
    endpoints: tuple[str, ...]
    bodies: Mapping[str, Any]


class Look:
    """One look at headers on several endpoints: who contradicts himself, and whether anybody does not."""

    def __init__(self, panel: Panel, *, full: bool) -> None:
        self._panel = panel
        self._full = full
        self._lies: dict[str, Lie] = {}
        self._sound = False

    def ref(self, endpoint: str, raw: Any, height: int | None = None) -> BlockRef:
        """The reference of a block; ``height``: the one asked for. Raises BadAnswer."""
        chain = self._panel.chain
        ref = header_ref(chain, raw) if height is None else header_at(chain, raw, height)
        if not self._full:
            return ref
        try:
            found = header_hash(raw)
        except BadAnswer as error:
            raise BadAnswer(f"{error}: {REMEDY}") from error
        if found != ref.hash:
            message = f"says that block {ref.height} has the hash {ref.hash}, but its header hashes to {found}"
            evidence = {"asked": f"block {ref.height}", "answered": header_text(raw), "hashes_to": found}
            self._lies[endpoint] = Lie("header_hash", message, evidence)
            raise BadAnswer(f"{message}: {REMEDY}")
        self._sound = True
        return ref

    def close(self) -> None:
        """Condemn who contradicts himself, if anybody does not."""
        if self._sound:
            for endpoint, lie in self._lies.items():
                self._panel.caught(endpoint, lie)


class Headers:
    """The headers of one chain. ``full``: each is hashed again."""

    def __init__(self, panel: Panel, *, full: bool) -> None:
        self._panel = panel
        self._full = full

    @contextmanager
    def look(self) -> Iterator[Look]:
        """A look that ends with its judgement, also where too few answered."""
        look = Look(self._panel, full=self._full)
        try:
            yield look
        finally:
            look.close()

    async def at(self, height: int) -> BlockRef:
        """The block at ``height`` that a quorum shows."""
        if height < 0:
            raise ValueError(f"a height must not be negative: {height}")
        with self.look() as look:

            async def ask(one: Calls) -> BlockRef:
                (name,) = one.names
                found: BlockRef = await one.call(
                    "eth_getBlockByNumber", [hex(height), False], check=lambda raw: look.ref(name, raw, height)
                )
                return found

            return (await self._panel.agree(ask, _said, f"block {height}")).value

    async def canonical(self, ref: BlockRef) -> bool:
        """Whether a quorum shows this block at its height."""
        return (await self.at(ref.height)).hash == ref.hash

    async def heads(self, finality: int | str) -> Heads:
        """The newest block that a quorum has come to, and the newest final one.

        ``finality``: the node's tag, or a number of blocks below the head.
        """
        if isinstance(finality, int):
            seen = (await self._heads_at(None)).seen
            height = max(0, seen.height - finality)
            return Heads(seen, seen if height == seen.height else await self.at(height))
        return await self._heads_at(finality)

    async def _heads_at(self, tag: str | None) -> Heads:
        def settle(answers: Mapping[str, Heads | ChainError], waiting: int) -> dict[str, Heads] | None:
            vote = tally(answers, self._panel.quorum, lambda heads: (heads.seen, heads.final))
            if vote is not None:
                return {vote.endpoints[0]: vote.value}
            given = {name: heads for name, heads in answers.items() if isinstance(heads, Heads)}
            if waiting:
                return None
            if len(given) < self._panel.quorum:
                raise failure(answers, self._panel.quorum, _heights, f"{self._panel.chain}: the head")
            return given

        with self.look() as look:
            given = await self._panel.poll(lambda one: self.heads_of(one, look, tag), settle, "the head")
        if len(given) == 1:
            return next(iter(given.values()))
        seen = await self._shared({name: heads.seen.height for name, heads in given.items()})
        final = await self._shared({name: heads.final.height for name, heads in given.items()}) if tag else seen
        return Heads(seen, final if final.height <= seen.height else seen)

    async def _shared(self, heights: Mapping[str, int]) -> BlockRef:
        """The newest block that a quorum has come to and agrees on."""
        top = reached(heights, self._panel.quorum)
        for height in range(top, max(-1, top - _STEPS_DOWN), -1):
            try:
                return await self.at(height)
            except (Disagreement, QuorumLost) as error:
                last = error
        raise last

    async def heads_of(self, one: Calls, look: Look, tag: str | None) -> Heads:
        """What one endpoint calls its head and its final block; without a tag the head stands for both."""
        (name,) = one.names
        if tag is None:
            seen: BlockRef = await one.call(
                "eth_getBlockByNumber", ["latest", False], check=lambda raw: look.ref(name, raw)
            )
            return Heads(seen, seen)

        def check(answers: list[Any]) -> Heads:
            if answers[1] is None:
                raise BadAnswer(f"knows no {tag} block: it is syncing, or write finality as a number of blocks")
            heads = Heads(look.ref(name, answers[0]), look.ref(name, answers[1]))
            if heads.final.height > heads.seen.height:
                raise BadAnswer(f"has its {tag} block above its head")
            return heads

        tags = ("latest", tag)
        heads: Heads = await one.batch([("eth_getBlockByNumber", [each, False]) for each in tags], check=check)
        return heads

    async def above(self, after: BlockRef, whole_from: str) -> Above | None:
        """The block that a quorum shows on top of ``after``; None where it has none yet.

        ``whole_from``: the endpoint that is asked for the block with its transactions at once. Raises as
        ``quorum.decide`` does.
        """
        bodies: dict[str, Any] = {}
        shown: dict[str, BlockRef] = {}
        with self.look() as look:

            async def ask(one: Calls) -> Link:
                (name,) = one.names
                link, ref, raw = await self._link(one, look, after, whole=name == whole_from)
                if ref is not None:
                    shown[ref.hash] = ref
                    if name == whole_from:
                        bodies[name] = raw
                return link

            decision = await self._panel.after(after, ask)
        if decision.next is None:
            return None
        return Above(shown[decision.next], decision.endpoints, bodies)

    async def _link(self, one: Calls, look: Look, after: BlockRef, *, whole: bool) -> tuple[Link, BlockRef | None, Any]:
        (name,) = one.names

        def check(answers: list[Any]) -> tuple[BlockRef, BlockRef | None, Any]:
            head, below, above = answers
            at = look.ref(name, below, after.height)
            if above is not None:
                return at, look.ref(name, above, after.height + 1), above
            # The head was asked for first, so what it promised must be there.
            if quantity(head, "eth_blockNumber") > after.height:
                raise BadAnswer(f"has no block {after.height + 1}, which is not above its head")
            return at, None, None

        calls: list[Request] = [
            ("eth_blockNumber", []),
            ("eth_getBlockByNumber", [hex(after.height), False]),
            ("eth_getBlockByNumber", [hex(after.height + 1), whole]),
        ]
        at, ref, raw = await one.batch(calls, check=check)
        if at.hash != after.hash or ref is None:
            return Link(at.hash, None), None, None
        if ref.parent == after.hash:
            return Link(at.hash, ref.hash), ref, raw
        # The chain may have turned between the two answers; if not, they contradict each other.
        again: BlockRef = await one.call(
            "eth_getBlockByNumber", [hex(after.height), False], check=lambda now: look.ref(name, now, after.height)
        )
        if again.hash == after.hash:
            raise BadAnswer(f"{name}: block {ref.height} does not stand on its block {after.height}")
        return Link(again.hash, None), None, None

    async def state_root(self, at: BlockRef) -> tuple[str, str]:
        """The state root of a block that was agreed on before, and its header as text.

        Any endpoint's header will do where it hashes to the agreed hash; else a quorum must say the same.
        """
        with self.look() as look:

            async def ask(one: Calls) -> tuple[str, str]:
                (name,) = one.names

                def check(raw: Any) -> tuple[str, str]:
                    if look.ref(name, raw, at.height).hash != at.hash:
                        raise BadAnswer(f"was asked for block {at.hash} and gave another")
                    return data(raw.get("stateRoot"), "block.stateRoot", 32), header_text(raw)

                found: tuple[str, str] = await one.call("eth_getBlockByHash", [at.hash, False], check=check)
                return found

            if self._full:
                return (await self._panel.first(ask, f"the header of block {at.height}"))[1]
            what = f"the state root of block {at.height}"
            return (await self._panel.agree(ask, lambda answer: answer[0], what)).value


def header_text(raw: Any) -> str:
    """A header as JSON, for evidence."""
    return json.dumps({key: value for key, value in raw.items() if key not in _BODY}, default=str)


def _said(ref: BlockRef) -> tuple[str, str, int]:
    return ref.hash, ref.parent, ref.time


def _heights(heads: Heads) -> str:
    return f"{heads.seen.height} {heads.seen.hash}, final {heads.final.height} {heads.final.hash}"
