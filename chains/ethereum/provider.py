"""web3.py on our own RPC client: retries, fail-over and limits exist once, and nothing can be signed or sent."""

from __future__ import annotations

from typing import Any

from web3 import AsyncWeb3
from web3.providers.async_base import AsyncBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from chains.core.errors import NodeError
from chains.core.rpc import Calls

#: All that web3 may ask. Whatever changes a chain or uses a key is not here, and neither is anything unknown.
READING = frozenset(
    {
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_getBalance",
        "eth_getBlockByHash",
        "eth_getBlockByNumber",
        "eth_getCode",
        "eth_getLogs",
        "eth_getProof",
        "eth_getStorageAt",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getTransactionReceipt",
    }
)


class ReadOnlyProvider(AsyncBaseProvider):
    """Passes web3's reading calls to ``calls``; ChainErrors come out as they are.

    Refuses every method outside ``READING`` with PermissionError.
    """

    # An answer to eth_call may ask the caller to fetch any URL (EIP-3668). Nodes are hostile input: never.
    global_ccip_read_enabled = False

    def __init__(self, calls: Calls) -> None:
        super().__init__()
        self._calls = calls

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        if method not in READING:
            raise PermissionError(f"{method} is not a reading call: porwatch only reads")
        try:
            result = await self._calls.call(method, params)
        except NodeError as error:
            return {"jsonrpc": "2.0", "id": 0, "error": {"code": error.code, "message": error.text}}
        return {"jsonrpc": "2.0", "id": 0, "result": result}

    async def is_connected(self, show_traceback: bool = False) -> bool:  # noqa: FBT001, FBT002  web3's signature
        await self._calls.call("eth_chainId")
        return True


def reading_web3(calls: Calls) -> AsyncWeb3[ReadOnlyProvider]:
    """web3.py for contract calls on these endpoints. Needs no closing: the connections are those of ``calls``."""
    return AsyncWeb3(ReadOnlyProvider(calls))
