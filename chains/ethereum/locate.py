"""Which transactions of a block changed one account, as nodes that trace tell it: evidence, not a proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from chains.core.errors import AllEndpointsFailed, BadAnswer, HistoryUnavailable, NodeError
from chains.core.hex import data
from chains.core.rpc import Calls, Request
from chains.core.values import BlockRef
from chains.ethereum.nodes import Nodes, explain, lacks_method

#: One try at the traces of a block.
_SECONDS = 30.0
_DIFF = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}

Changed = Callable[[Any], bool]


async def locate(nodes: Nodes, at: BlockRef, address: str, slot: int | None, *, token: bool) -> tuple[str, ...]:
    """Transactions of block ``at``, in its order, that changed ``address`` (lower case); none where no node traces.

    ``token``: changes of its storage count, only those of ``slot`` where that is known; else those of its
    balance. Raises AllEndpointsFailed where nodes that may be able to do not answer.
    """
    try:
        return await nodes.anywhere(lambda one: _from(one, at, address, slot, token=token))
    except HistoryUnavailable:
        return ()
    except AllEndpointsFailed as failed:
        if all(isinstance(cause, NodeError | HistoryUnavailable) for cause in failed.exceptions):
            return ()
        raise


async def _from(one: Calls, at: BlockRef, address: str, slot: int | None, *, token: bool) -> tuple[str, ...]:
    changed = partial(_in_diff, address=address, slot=slot, token=token)
    try:
        return await _ask(one, at, ("debug_traceBlockByHash", [at.hash, _DIFF]), changed)
    except NodeError as error:
        if not lacks_method(error):
            raise await explain(one, error, at) from error
    changed = partial(_in_state_diff, address=address, slot=slot, token=token)
    return await _ask(one, at, ("trace_replayBlockTransactions", [hex(at.height), ["stateDiff"]]), changed)


async def _ask(one: Calls, at: BlockRef, call: Request, changed: Changed) -> tuple[str, ...]:
    def check(answers: list[Any]) -> tuple[str, ...]:
        block, traces = answers
        if not isinstance(block, Mapping) or block.get("hash") != at.hash:
            raise BadAnswer(f"does not know block {at.hash}")
        txids = [data(each, "block.transactions", 32) for each in block["transactions"]]
        if not isinstance(traces, list) or len(traces) != len(txids):
            raise BadAnswer(f"did not trace each of the {len(txids)} transactions")
        for txid, item in zip(txids, traces, strict=True):
            named = item.get("txHash", item.get("transactionHash"))
            if named is not None and data(named, "trace.txHash", 32) != txid:
                raise BadAnswer(f"gave a trace of another transaction than {txid}")
        return tuple(txid for txid, item in zip(txids, traces, strict=True) if changed(item))

    found: tuple[str, ...] = await one.batch(
        [("eth_getBlockByHash", [at.hash, False]), call], check=check, timeout=_SECONDS
    )
    return found


def _in_diff(item: Any, *, address: str, slot: int | None, token: bool) -> bool:
    """By prestateTracer of geth: what changed as it was before, and after."""
    before, after = (_of(item["result"][side], address) for side in ("pre", "post"))
    if not token:
        now = after.get("balance", before.get("balance") if after else None)
        return int(before.get("balance") or "0x0", 16) != int(now or "0x0", 16)
    slots = {int(key, 16) for side in (before, after) for key in side.get("storage") or ()}
    return bool(slots) if slot is None else slot in slots


def _in_state_diff(item: Any, *, address: str, slot: int | None, token: bool) -> bool:
    """By stateDiff of OpenEthereum: "=" where nothing changed."""
    change = _of(item["stateDiff"], address)
    if not token:
        return bool(change.get("balance", "=") != "=")
    slots = {int(key, 16) for key, how in (change.get("storage") or {}).items() if how != "="}
    return bool(slots) if slot is None else slot in slots


def _of(accounts: Mapping[str, Any], address: str) -> Mapping[str, Any]:
    for key, value in accounts.items():
        if key.lower() == address:
            found: Mapping[str, Any] = value
            return found
    return {}
