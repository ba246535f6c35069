"""What happened in a block: its receipts, and what code did, in one exchange with one endpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from chains.core.errors import BadAnswer, ChainError, NodeError, Unreachable
from chains.core.quorum import Lie
from chains.core.rpc import Calls, Request
from chains.ethereum import transfers
from chains.ethereum.blocks import Json, RawBlock, check_logs, check_receipts
from chains.ethereum.extract import UNSEEN_INTERNAL, Traced
from chains.ethereum.nodes import Nodes, Offers, lacks_method
from chains.ethereum.profiles import TOPICS

UNSEEN_HERE = "internal transfers of this block could not be traced: the residual catches them"
#: An endpoint can turn out to lack receipts once and traces twice.
_DOWNGRADES = 3
#: Seconds for one try at the traces of a block. Whoever wants to blind us can make them slow, so this is short.
_TRACE_SECONDS = 10.0


class TracesFailed(BadAnswer):
    """The traces of a block came too late, too large, too deep or wrong; without them it may be readable."""

    def __init__(self, endpoint: str, cause: ChainError) -> None:
        super().__init__(str(cause))
        self.endpoint = endpoint
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Details:
    """The second round trip: all receipts, or the token logs where the node has no block receipts."""

    receipts: dict[int, Json] | None
    logs: list[Any]
    traced: Traced | None
    unseen: tuple[str, ...]


class DetailReader:
    """Asks each endpoint for as much as it offers. ``contracts``: of the tokens; ``full``: receipts are counted."""

    def __init__(self, nodes: Nodes, contracts: Sequence[str], *, full: bool) -> None:
        self._nodes = nodes
        self._contracts = list(contracts)
        self._full = full
        # Endpoints that never answered a call for traces. Some providers refuse a method by closing the door
        # (HTTP 403); one that then answers without it is asked for it again only after a while.
        self._shut: set[str] = set()

    async def whole(self, one: Calls, block: RawBlock) -> Details:
        """Receipts and traces; less where the endpoint says that it does not offer something."""
        (name,) = one.names
        for _ in range(_DOWNGRADES + 1):
            offers = self._nodes.offers(name)
            calls = [*self._receipt_calls(offers, block), *_trace_calls(offers, block)]
            timeout = _TRACE_SECONDS if offers.traces else None
            check = partial(self._checked, offers, block)
            try:
                answer = await one.batch(calls, keep_errors=True, timeout=timeout, check=check)
            except Lie:
                raise
            except (Unreachable, BadAnswer) as error:
                if not offers.traces:
                    raise
                if isinstance(error, Unreachable) and not self._nodes.known(name):
                    self._shut.add(name)
                raise TracesFailed(name, error) from error
            if isinstance(answer, Details):
                self._shut.discard(name)
                if not self._nodes.known(name):
                    self._nodes.learn(name, offers)
                return answer
            self._nodes.learn(name, answer)
        raise AssertionError("an endpoint cannot offer less than nothing")

    async def without_traces(self, one: Calls, block: RawBlock) -> Details:
        (name,) = one.names
        offers = replace(self._nodes.offers(name), traces="")
        calls = self._receipt_calls(offers, block)
        answer = await one.batch(calls, keep_errors=True, check=partial(self._checked, offers, block))
        if isinstance(answer, Offers):
            offers, calls = answer, self._receipt_calls(answer, block)
            answer = await one.batch(calls, keep_errors=True, check=partial(self._checked, offers, block))
        assert isinstance(answer, Details), "receipts are either offered or not"
        if name in self._shut:
            self._shut.remove(name)
            self._nodes.learn(name, offers, doubtful=True)
        return replace(answer, unseen=(UNSEEN_HERE,))

    def _receipt_calls(self, offers: Offers, block: RawBlock) -> list[Request]:
        if offers.receipts:
            return [("eth_getBlockReceipts", [{"blockHash": block.ref.hash}])]
        if not self._contracts:
            return []
        # The contracts keep the answer small; who is meant is matched here, whatever the number of wallets.
        wanted = {"blockHash": block.ref.hash, "address": self._contracts, "topics": [list(TOPICS)]}
        return [("eth_getLogs", [wanted])]

    def _checked(self, offers: Offers, block: RawBlock, answers: list[Any]) -> Details | Offers:
        """What the answers hold; where they say that a method is not offered, what is left to try."""
        trace = answers.pop() if offers.traces else None
        receipts = answers[0] if answers else []
        if isinstance(receipts, NodeError):
            if not offers.receipts or not lacks_method(receipts):
                raise receipts
            return replace(offers, receipts=False)
        if isinstance(trace, NodeError) and lacks_method(trace):
            return offers.without_traces()
        if offers.receipts:
            self._check_number(block, receipts)
        traced, unseen = _traced(offers, block, trace)
        if offers.receipts:
            return Details(check_receipts(block, receipts), [], traced, unseen)
        if not isinstance(receipts, list):
            raise BadAnswer("logs of a block must be a list")
        check_logs(block, receipts)
        return Details(None, receipts, traced, unseen)

    def _check_number(self, block: RawBlock, receipts: Any) -> None:
        """Some receipts of a block, and not all, are no lack but a lie; none at all may be one."""
        given, due = len(receipts) if isinstance(receipts, list) else 0, len(block.transactions)
        if self._full and given not in (0, due):
            message = f"gave {given} receipts for {due} transactions of block {block.ref.height} {block.ref.hash}"
            listed = json.dumps([each.get("transactionHash") for each in receipts if isinstance(each, Mapping)])
            raise Lie("receipts_root", message, {"asked": "eth_getBlockReceipts", "answered": listed})


def _trace_calls(offers: Offers, block: RawBlock) -> list[Request]:
    if offers.traces == "debug_traceBlockByHash":
        return [(offers.traces, [block.ref.hash, {"tracer": "callTracer"}])]
    if offers.traces == "trace_block":
        return [(offers.traces, [hex(block.ref.height)])]
    return []


def _traced(offers: Offers, block: RawBlock, trace: Any) -> tuple[Traced | None, tuple[str, ...]]:
    if not offers.traces:
        return None, (UNSEEN_INTERNAL,)
    if isinstance(trace, NodeError):
        # The method is there and fails for this block, as it does on full nodes for blocks whose state they dropped.
        raise BadAnswer(str(trace)) from trace
    if offers.traces == "trace_block":
        return transfers.from_flat_traces(block, trace), ()
    return transfers.from_call_trees(block, trace), ()
