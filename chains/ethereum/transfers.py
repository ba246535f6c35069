"""Native transfers from a node's traces, in either of the two forms that nodes speak. Pure.

``debug_traceBlockByHash`` with geth's callTracer gives a tree of calls a transaction;
``trace_block`` (OpenEthereum's form) a flat list of calls with their place in that tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chains.core.errors import BadAnswer
from chains.core.hex import data, quantity
from chains.ethereum.blocks import RawBlock, address

#: Frames that move value. DELEGATECALL and CALLCODE run foreign code on one's own balance (the value
#: such a frame shows is its caller's), STATICCALL cannot carry any.
MOVING = frozenset({"CALL", "CREATE", "CREATE2", "SELFDESTRUCT"})


@dataclass(frozen=True, slots=True)
class Transfer:
    """Wei (> 0) from one address to another, both in lower case."""

    source: str
    destination: str
    wei: int


def from_call_trees(block: RawBlock, raw: Any) -> dict[int, list[Transfer]]:
    """Transfers by position from callTracer's answer for a whole block. Raises BadAnswer."""
    if not isinstance(raw, list):
        raise BadAnswer("traces of a block must be a list")
    if len(raw) != len(block.transactions):
        raise BadAnswer(f"gave {len(raw)} traces for {len(block.transactions)} transactions")
    found: dict[int, list[Transfer]] = {}
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
        transfers = _walk(root)
        if transfers:
            found[sent.position] = transfers
    return found


def _walk(root: Mapping[str, Any]) -> list[Transfer]:
    # Depth first, callers before callees, on a stack of our own: calls nest up to 1,024 deep.
    transfers: list[Transfer] = []
    waiting: list[Any] = [root]
    while waiting:
        frame = waiting.pop()
        if not isinstance(frame, Mapping):
            raise BadAnswer("a call frame must be an object")
        if frame.get("error") is not None:
            continue  # everything below a reverted frame is undone with it
        if frame.get("type") in MOVING and frame.get("value") is not None:
            wei = quantity(frame["value"], "trace.value")
            if wei:
                transfers.append(
                    Transfer(address(frame.get("from"), "trace.from"), address(frame.get("to"), "trace.to"), wei)
                )
        calls = frame.get("calls") or []
        if not isinstance(calls, list):
            raise BadAnswer("calls of a frame must be a list")
        waiting.extend(reversed(calls))
    return transfers


def from_flat_traces(block: RawBlock, raw: Any) -> dict[int, list[Transfer]]:
    """Transfers by position from trace_block's answer, which is asked for by number: each trace must name the hash.

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
    return {position: transfers for position, transfers in found.items() if transfers}


def _position(block: RawBlock, item: Mapping[str, Any]) -> int:
    position = item.get("transactionPosition")
    if type(position) is not int or not 0 <= position < len(block.transactions):
        raise BadAnswer(f"a trace has the position {position!r} in a block of {len(block.transactions)} transactions")
    if data(item.get("transactionHash"), "trace.transactionHash", 32) != block.transactions[position].hash:
        raise BadAnswer(f"the trace at position {position} is of another transaction")
    return position


def _flat(items: list[Mapping[str, Any]]) -> list[Transfer]:
    undone: set[tuple[int, ...]] = set()
    transfers: list[Transfer] = []
    places = [_place(item) for item in items]
    if () not in places or len(set(places)) != len(places):
        raise BadAnswer("traces of one transaction do not form a tree")
    undone.update(place for place, item in zip(places, items, strict=True) if item.get("error") is not None)
    for place, item in zip(places, items, strict=True):
        if any(place[:n] in undone for n in range(len(place) + 1)):
            continue
        transfer = _moved(item)
        if transfer is not None:
            transfers.append(transfer)
    return transfers


def _place(item: Mapping[str, Any]) -> tuple[int, ...]:
    place = item.get("traceAddress")
    if not isinstance(place, list) or not all(type(n) is int for n in place):
        raise BadAnswer("traceAddress must be a list of numbers")
    return tuple(place)


def _moved(item: Mapping[str, Any]) -> Transfer | None:
    action = item.get("action")
    if not isinstance(action, Mapping):
        raise BadAnswer("a trace must have an action")
    match item.get("type"):
        case "call" if action.get("callType") == "call":
            source, destination, value = action.get("from"), action.get("to"), action.get("value")
        case "create":
            result = item.get("result")
            created = result.get("address") if isinstance(result, Mapping) else None
            source, destination, value = action.get("from"), created, action.get("value")
        case "suicide":
            source, destination, value = action.get("address"), action.get("refundAddress"), action.get("balance")
        case _:
            return None
    wei = quantity(value, "trace.value")
    return Transfer(address(source, "trace.from"), address(destination, "trace.to"), wei) if wei else None
