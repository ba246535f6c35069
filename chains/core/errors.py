"""Errors of reading a chain.

    ChainError                 base; never raised itself
    ├─ Unreachable             nothing came back in time: retried, then the next endpoint
    ├─ RateLimited             the endpoint asked us to wait: waited as told, then as Unreachable
    ├─ BadAnswer               an answer that cannot be true: next endpoint, never retried
    │  └─ HistoryUnavailable   the node no longer (or not yet) has what was asked: never a zero
    ├─ Disagreement            endpoints differ at one block: the read fails and alerts
    ├─ QuorumLost              too few endpoints answer: what they say is not enough to be believed
    ├─ Reorganised             the block asked for is not on the chain any more: rewind
    ├─ WrongChain              an endpoint of another chain: configuration error at start,
    │                          quarantine while running
    └─ NodeError               the node said no (a JSON-RPC error object): to the caller, unless the
                               chain package reads it as one of the above

    AddressError               (a ValueError) text that is not an address of this network

Where every endpoint failed, an ``ExceptionGroup`` named ``AllEndpointsFailed`` keeps every cause.
"""

from __future__ import annotations


class ChainError(Exception):
    """Base of all errors of reading a chain; the message names the endpoint and the call, never a URL."""


class Unreachable(ChainError):
    """No answer in time, connection refused or broken, or HTTP 5xx."""


class RateLimited(Unreachable):
    """HTTP 429, or the JSON-RPC equivalent.

    ``retry_after``: seconds the endpoint asked for, or None where it did not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BadAnswer(ChainError):
    """An answer of the wrong form, or one that contradicts itself or what was asked."""


class HistoryUnavailable(BadAnswer):
    """The node does not hold the state or block asked for (pruned, or no undo data)."""


class Disagreement(ChainError):
    """Endpoints give different answers about one and the same block."""


class QuorumLost(ChainError):
    """Fewer endpoints answered than must agree."""


class Reorganised(ChainError):
    """The block asked for has left the canonical chain."""


class WrongChain(ChainError):
    """The endpoint serves another chain than the configured one."""


class NodeError(ChainError):
    """The node answered with an error object.

    ``code`` and ``text`` are the node's own (``text`` shortened, secrets taken out); ``data`` is
    what it added, unchecked: never put it into a message.
    """

    def __init__(self, code: int, text: str, data: object = None) -> None:
        super().__init__(f"the node answered error {code}: {text}")
        self.code = code
        self.text = text
        self.data = data


class AllEndpointsFailed(ExceptionGroup[ChainError], ChainError):
    """Every endpoint failed; the group holds one error an endpoint and try."""


class AddressError(ValueError):
    """Text that is no address of this network; the message says what is wrong and what to write instead."""


def reason_of(error: ChainError) -> str:
    """What went wrong in one sentence: of a group, every different cause."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(str(inner) for inner in error.exceptions))
    return str(error)
