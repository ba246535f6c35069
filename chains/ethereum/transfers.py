"""What code did inside transactions, from a node's traces, in either of the two forms that nodes speak. Pure.

``debug_traceBlockByHash`` with geth's callTracer gives a tree of calls a transaction;
``trace_block`` (OpenEthereum's form) a flat list of calls with their place in that tree.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chains.core.errors import BadAnswer
from chains.core.hex import data, quantity
from chains.ethereum.blocks import RawBlock, address

#: Frames that move value. DELEGATECALL and CALLCODE run foreign code on one's own balance (the value
#: such a frame shows is its caller's), STATICCALL cannot carry any.
CREATING = frozenset({"CREATE", "CREATE2"})
MOVING = CREATING | {"CALL", "SELFDESTRUCT"}
# Refused before the creator's nonce counts (Yellow Paper, 8); whatever else fails, it has counted.
_NOT_BEGUN = re.compile(r"insufficient|balance|out ?of ?fund|depth|too ?deep|nonce", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Wei (> 0) from one address to another, both in lower case."""

    source: str
    destination: str
    wei: int


@dataclass(frozen=True, slots=True)
class Trace:
    """What the code of one transaction did.

    ``steps``: by how much it advanced nonces (lower-case addresses): one for each contract that an account
    created from inside, and one for a contract so created, which begins at 1 (EIP-161).
    """

    transfers: list[Transfer] = field(default_factory=list)
    steps: Counter[str] = field(default_factory=Counter)

    def create(self, creator: Any, created: Any, error: Any) -> None:
        """Take account of a contract creation by code, ``error`` None where it succeeded."""
        if error is not None and _NOT_BEGUN.search(str(error)):
            return
        self.steps[address(creator, "trace.from")] += 1
        if error is None:
            self.steps[address(created, "trace.to")] += 1

    def __bool__(self) -> bool:
        return bool(self.transfers or self.steps)


def from_call_trees(block: RawBlock, raw: Any) -> dict[int, Trace]:
    """Traces that show something, by position, from callTracer's answer for a whole block. Raises BadAnswer."""
    if not isinstance(raw, list):
        raise BadAnswer("traces of a block must be a list")
    if len(raw) != len(block.transactions):
        raise BadAnswer(f"gave {len(raw)} traces for {len(block.transactions)} transactions")
    found: dict[int, Trace] = {}
    for sent, item in zip(block.transactions, raw, strict=True):
        root = item.get("result") if isinstance(item, Mapping) else None
        if not isinstance(root, Mapping):
            raise BadAnswer(f"has no trace of {sent.hash}")
        # Older nodes do not name the transaction; the sender is then what ties the trace to it.
        named = item.get("txHash")
        if named is not None and data(named, "trace.txHash", 32) != sent.hash:
            raise BadAnswer(f"the trace at position {sent.position} is of another transaction than {sent.hash}")
        if address(root.get("from"), "trace.from") != sent.sender:
            raise BadAnswer(f"the trace of {sent.hash} has another sender")
        trace = _walk(root)
        if trace:
            found[sent.position] = trace
    return found


def _walk(root: Mapping[str, Any]) -> Trace:
    # Depth first, callers before callees, on a stack of our own: calls nest up to 1,024 deep.
    trace = Trace()
    waiting: list[Any] = [root]
    while waiting:
        frame = waiting.pop()
        if not isinstance(frame, Mapping):
            raise BadAnswer("a call frame must be an object")
        if frame.get("type") in CREATING and frame is not root:
            trace.create(frame.get("from"), frame.get("to"), frame.get("error"))
        if frame.get("error") is not None:
            continue  # everything below a reverted frame is undone with it
        if frame.get("type") in MOVING and frame.get("value") is not None:
            wei = quantity(frame["value"], "trace.value")
            if wei:
                trace.transfers.append(
                    Transfer(address(frame.get("from"), "trace.from"), address(frame.get("to"), "trace.to"), wei)
                )
        calls = frame.get("calls") or []
        if not isinstance(calls, list):
            raise BadAnswer("calls of a frame must be a list")
        waiting.extend(reversed(calls))
    return trace


def from_flat_traces(block: RawBlock, raw: Any) -> dict[int, Trace]:
    """The same from trace_block's answer, which is asked for by number: each trace must name the hash.

    Raises BadAnswer.
    """
    if not isinstance(raw, list):
        raise BadAnswer("traces of a block must be a list")
    by_position: dict[int, list[Mapping[str, Any]]] = {}
    for item in raw:
        if not isinstance(item, Mapping):
            raise BadAnswer("a trace must be an object")
        if data(item.get("blockHash"), "trace.blockHash", 32) != block.ref.hash:
            raise BadAnswer("a trace is from another block")
        if item.get("type") != "reward":  # of the block itself, before proof of stake
            by_position.setdefault(_position(block, item), []).append(item)
    missing = [sent.hash for sent in block.transactions if sent.position not in by_position]
    if missing:
        raise BadAnswer(f"gave no trace of {missing[0]} and {len(missing) - 1} more transactions")
    found = {position: _flat(items) for position, items in by_position.items()}
    return {position: trace for position, trace in found.items() if trace}


def _position(block: RawBlock, item: Mapping[str, Any]) -> int:
    position = item.get("transactionPosition")
    if type(position) is not int or not 0 <= position < len(block.transactions):
        raise BadAnswer(f"a trace has the position {position!r} in a block of {len(block.transactions)} transactions")
    if data(item.get("transactionHash"), "trace.transactionHash", 32) != block.transactions[position].hash:
        raise BadAnswer(f"the trace at position {position} is of another transaction")
    return position


def _flat(items: list[Mapping[str, Any]]) -> Trace:
    undone: set[tuple[int, ...]] = set()
    trace = Trace()
    places = [_place(item) for item in items]
    if () not in places or len(set(places)) != len(places):
        raise BadAnswer("traces of one transaction do not form a tree")
    undone.update(place for place, item in zip(places, items, strict=True) if item.get("error") is not None)
    for place, item in zip(places, items, strict=True):
        if any(place[:n] in undone for n in range(len(place))):
            continue
        if item.get("type") == "create" and place:
            trace.create(_action(item).get("from"), _created(item), item.get("error"))
        transfer = None if place in undone else _moved(item)
        if transfer is not None:
            trace.transfers.append(transfer)
    return trace


def _place(item: Mapping[str, Any]) -> tuple[int, ...]:
    place = item.get("traceAddress")
    if not isinstance(place, list) or not all(type(n) is int for n in place):
        raise BadAnswer("traceAddress must be a list of numbers")
    return tuple(place)


def _moved(item: Mapping[str, Any]) -> Transfer | None:
    action = _action(item)
    match item.get("type"):
        case "call" if action.get("callType") == "call":
            source, destination, value = action.get("from"), action.get("to"), action.get("value")
        case "create":
            source, destination, value = action.get("from"), _created(item), action.get("value")
        case "suicide":
            source, destination, value = action.get("address"), action.get("refundAddress"), action.get("balance")
        case _:
            return None
    wei = quantity(value, "trace.value")
    return Transfer(address(source, "trace.from"), address(destination, "trace.to"), wei) if wei else None


def _action(item: Mapping[str, Any]) -> Mapping[str, Any]:
    action = item.get("action")
    if not isinstance(action, Mapping):
        raise BadAnswer("a trace must have an action")
    return action


def _created(item: Mapping[str, Any]) -> Any:
    result = item.get("result")
    return result.get("address") if isinstance(result, Mapping) else None
