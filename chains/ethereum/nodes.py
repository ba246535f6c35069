"""The endpoints of one EVM chain: which to ask first, what each of them offers, and what their refusals mean."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from typing import TypeVar

from chains.core.errors import (
    AllEndpointsFailed,
    BadAnswer,
    ChainError,
    HistoryUnavailable,
    NodeError,
    RateLimited,
    Reorganised,
    Unreachable,
)
from chains.core.quorum import Lie, Panel
from chains.core.rpc import Calls
from chains.core.values import BlockRef
from chains.ethereum.blocks import header_at

T = TypeVar("T")

#: What an endpoint only seemed not to offer is tried again after this time.
DOUBT_SECONDS = 600.0

#: EIP-1474 (method not supported), JSON-RPC 2.0 (method not found).
_NO_METHOD_CODES = frozenset({-32004, -32601})
# Node software and providers say the same in many words; a code alone is often a general -32000.
_NO_METHOD = re.compile(
    r"(method|tracer|namespace|module|api)\b.*\b(not (found|available|supported|allowed|exist|whitelisted|enabled)"
    r"|unsupported|disabled|blocked|forbidden|does ?n.t exist)"
    r"|(unsupported|unknown|unavailable|disabled) (method|tracer|namespace)"
    r"|not available on .*(plan|tier)",
    re.IGNORECASE | re.DOTALL,
)
_PRUNED = re.compile(
    r"missing trie node|pruned|(historical|world|archive) state|no state available|state (is )?not found"
    r"|(state|history)\b.{0,40}\b(unavailable|not (be )?available)|distance to target block|archive node",
    re.IGNORECASE | re.DOTALL,
)
_UNKNOWN_BLOCK = re.compile(
    r"(header|block|hash|resource).{0,80}(not found|unknown|not (currently )?canonical|could not be found)"
    r"|unknown (block|header)|out ?of ?range",
    re.IGNORECASE | re.DOTALL,
)
_TOO_MANY = re.compile(
    r"rate.?limit|too many requests|request (rate|limit)|exceeded .*(capacity|quota|limit|compute)|throttl",
    re.IGNORECASE | re.DOTALL,
)


def translate(error: NodeError) -> ChainError:
    """What a node's error object means on every EVM chain; the error itself where only the caller can tell."""
    if error.code == 429 or _TOO_MANY.search(error.text):
        return RateLimited(error.text)
    return error


def lacks_method(error: NodeError) -> bool:
    """Whether the node does not offer what was called, whatever the arguments."""
    return error.code in _NO_METHOD_CODES or _NO_METHOD.search(error.text) is not None


def is_pruned(error: NodeError) -> bool:
    """Whether the node no longer has the state that was asked for (4444 is EIP-4444's pruned history)."""
    return error.code == 4444 or _PRUNED.search(error.text) is not None


async def explain(one: Calls, error: NodeError, at: BlockRef) -> ChainError:
    """Why a node refused to read at block ``at``: pruned, reorganised, behind, or the refusal itself."""
    if is_pruned(error):
        return HistoryUnavailable(str(error))
    if _UNKNOWN_BLOCK.search(error.text) is None:
        return error
    ref = await header(one, at.chain, at.height)
    if ref.hash != at.hash:
        return Reorganised(f"block {at.height} {at.hash} is not on the chain any more")
    return BadAnswer(f"{error}, but it names the same block at this height")


async def header(one: Calls, chain: str, height: int) -> BlockRef:
    """The canonical block at ``height``; BadAnswer where the node has none."""
    found: BlockRef = await one.call(
        "eth_getBlockByNumber", [hex(height), False], check=lambda raw: header_at(chain, raw, height)
    )
    return found


@dataclass(frozen=True, slots=True)
class Offers:
    """What one endpoint offers: believed until it says otherwise. ``traces`` is the method, "" for none."""

    receipts: bool = True
    traces: str = "debug_traceBlockByHash"

    def without_traces(self) -> Offers:
        """The next best way to see internal transfers."""
        return replace(self, traces="trace_block" if self.traces == "debug_traceBlockByHash" else "")


class Nodes:
    """Reads that take several calls, each read whole from one endpoint.

    The ones that trace internal transfers are asked first, and those that just failed last.
    """

    def __init__(self, panel: Panel, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._panel = panel
        self.rpc = panel.rpc
        self._monotonic = monotonic
        self._offers: dict[str, tuple[Offers, float]] = {}

    def known(self, name: str) -> bool:
        """Whether the endpoint has shown what it offers."""
        return name in self._offers and self._monotonic() < self._offers[name][1]

    def offers(self, name: str) -> Offers:
        """What is known of one endpoint; everything is hoped for until it is known."""
        return self._offers[name][0] if self.known(name) else Offers()

    def learn(self, name: str, offers: Offers, *, doubtful: bool = False) -> None:
        """Remember what one endpoint turned out to offer; for a while only, where that is ``doubtful``."""
        self._offers[name] = (offers, self._monotonic() + DOUBT_SECONDS if doubtful else float("inf"))

    async def anywhere(
        self,
        read: Callable[[Calls], Awaitable[T]],
        among: Collection[str] | None = None,
        *,
        first: Collection[str] = (),
    ) -> T:
        """What ``read`` gives on the first endpoint (of those in ``among``) where it succeeds.

        Those in ``first`` are asked before the others.
        Whose answer was a Lie is condemned once another one's holds: what no endpoint's does may be the way of
        the chain.

        Raises AllEndpointsFailed with every cause; HistoryUnavailable where that is the cause on each
        endpoint; Reorganised at once.
        """
        failures: list[ChainError] = []
        lies: dict[str, Lie] = {}
        for name in sorted(self.order(among), key=lambda name: name not in first):
            try:
                found = await read(self.rpc.on(name))
            except (Unreachable, BadAnswer, NodeError) as error:
                self._panel.failed(name)
                failures.append(error)
                if isinstance(error, Lie):
                    lies[name] = error
            else:
                for liar, lie in lies.items():
                    self._panel.caught(liar, lie)
                return found
        if not failures:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.rpc.quarantined.items())
            raise Unreachable(f"every endpoint is in quarantine: {reasons}")
        everything = AllEndpointsFailed("no endpoint gave a whole answer", failures)
        if all(isinstance(failure, HistoryUnavailable) for failure in failures):
            raise HistoryUnavailable(str(failures[0])) from everything
        raise everything

    def order(self, among: Collection[str] | None = None) -> list[str]:
        """The endpoints (of those in ``among``) that are asked, in the order in which they are."""
        names = [name for name in self._panel.asked if among is None or name in among]
        return sorted(
            names,
            key=lambda name: (
                self._panel.is_set_back(name),
                not self.offers(name).traces,
                not self.offers(name).receipts,
            ),
        )
