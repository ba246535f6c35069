"""A local EVM node (anvil), for any chain id. Every address is unlocked: a transaction can be sent from any of them."""

from __future__ import annotations

import functools
import importlib.resources
import json
from pathlib import Path
from typing import Any

from chains.lab.binaries import find_binary
from chains.lab.errors import LabError
from chains.lab.process import LOOPBACK, Node, Process, free_port, wait_until
from chains.lab.rpc import LabRpc

# More blocks than this in one call take longer than a client waits.
MINE_BLOCKS_MAX = 1000
WEI_PER_ETH = 10**18


class Anvil(Node):
    """One anvil. Without `block_time` every transaction makes a block at once, unless `manual` mining is asked for.

    `slots_in_an_epoch` N puts the safe block N and the finalized block 2 N below the head. `stop` keeps chain and
    state in `folder`, so that `start` brings back the same chain on the same port; `process.kill` loses them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        chain_id: int = 31337,
        block_time: int | None = None,
        manual: bool = False,
        slots_in_an_epoch: int = 2,
        hardfork: str = "prague",
        kept: bool = True,
    ) -> None:
        """Prepares the node; raises LabError when anvil is not on this machine. `block_time` is in whole seconds.

        `kept` False: `stop` loses the chain. The node writes its whole state each minute otherwise, and answers nobody
        meanwhile: gigabytes after thousands of blocks.
        """
        self.port = port or free_port()
        self.chain_id = chain_id
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.ws_url = f"ws://{LOOPBACK}:{self.port}"
        self._rpc = LabRpc(self.url)
        mining = ["--no-mining"] if manual else []
        mining += ["--block-time", str(block_time)] if block_time is not None else []
        command: list[str | Path] = [find_binary("anvil"), "--host", LOOPBACK, "--port", str(self.port)]
        command += ["--chain-id", str(chain_id), "--hardfork", hardfork, "--auto-impersonate", "--quiet", *mining]
        command += ["--slots-in-an-epoch", str(slots_in_an_epoch)]
        if kept:
            command += ["--state", folder.resolve() / "state.json", "--preserve-historical-states"]
        self.process = Process("anvil", command, folder)

    def start(self) -> None:
        """Starts the node and waits until it answers. Raises LabError."""
        self.process.start(lambda: self._rpc.answers("eth_chainId"))

    def rpc(self, method: str, *params: object) -> Any:
        """The result of one JSON-RPC call. Raises RpcError, LabError."""
        return self._rpc.call(method, *params)

    def batch(self, calls: list[tuple[str, list[object]]]) -> list[Any]:
        """The results of many JSON-RPC calls sent as one request."""
        return self._rpc.batch(calls)

    @property
    def accounts(self) -> list[str]:
        """The ten development accounts, 10,000 ETH each at the start, EIP-55 spelling."""
        addresses: list[str] = self.rpc("eth_accounts")
        return addresses

    def head(self) -> int:
        """Height of the newest block."""
        return int(self.rpc("eth_blockNumber"), 16)

    def balance(self, address: str, block: int | str = "latest") -> int:
        """Wei of `address` after `block` (a height or a tag)."""
        return int(self.rpc("eth_getBalance", address, hex(block) if isinstance(block, int) else block), 16)

    def mine(self, blocks: int = 1) -> int:
        """Mines `blocks` blocks, empty but for what waits in the mempool; returns the new height."""
        while blocks > 0:
            step = min(blocks, MINE_BLOCKS_MAX)
            self.rpc("anvil_mine", hex(step))
            blocks -= step
        return self.head()

    def fund(self, address: str, wei: int) -> None:
        """Sets the balance of `address` out of nothing and mines a block, so that proofs match.
        No transaction shows it: for preparing a chain before anybody watches; use `send` for a deposit.
        """
        self.rpc("anvil_setBalance", address, hex(wei))
        self.mine()

    def send(self, sender: str, to: str, wei: int = 0, data: str = "0x") -> str:
        """Sends a transaction from any address, which pays the fee; returns its hash without waiting for a block."""
        txid: str = self.rpc("eth_sendTransaction", {"from": sender, "to": to, "value": hex(wei), "data": data})
        return txid

    def receipt(self, txid: str, seconds: float = 30.0) -> dict[str, Any]:
        """The receipt of a transaction, waiting for its block up to `seconds`. Raises LabError when none comes."""
        wait_until(lambda: self.rpc("eth_getTransactionReceipt", txid) is not None, f"a block with {txid}", seconds)
        receipt: dict[str, Any] = self.rpc("eth_getTransactionReceipt", txid)
        return receipt

    def deploy_token(self, issuer: str, symbol: str, decimals: int, supply: int) -> str:
        """Deploys Token.sol from `issuer`, who gets all `supply` base units; returns the contract's address.
        With `manual` mining, the block is mined here.
        """
        code = token_json()["bytecode"] + _token_arguments(symbol, decimals, supply)
        txid = self.rpc("eth_sendTransaction", {"from": issuer, "data": code})
        if self.rpc("eth_getTransactionReceipt", txid) is None:
            self.mine()
        receipt = self.receipt(txid)
        if receipt["status"] != "0x1":
            raise LabError(f"deploying {symbol} failed in {txid}")
        address: str = receipt["contractAddress"]
        return address

    def transfer_token(self, token: str, sender: str, to: str, units: int) -> str:
        """Sends `units` base units of a token from any address; returns the transaction's hash."""
        return self.send(sender, token, data=token_call("transfer(address,uint256)", to, units))

    def token_balance(self, token: str, address: str, block: int | str = "latest") -> int:
        """Base units of a token that `address` holds after `block` (a height or a tag)."""
        call = {"to": token, "data": token_call("balanceOf(address)", address)}
        return int(self.rpc("eth_call", call, hex(block) if isinstance(block, int) else block), 16)

    def reorg(self, depth: int) -> None:
        """Replaces the newest `depth` blocks by as many empty ones; their transactions are gone for good."""
        self.rpc("anvil_reorg", depth, [])

    def rollback(self, depth: int) -> None:
        """Takes the newest `depth` blocks away: the head is lower afterwards."""
        self.rpc("anvil_rollback", depth)


@functools.cache
def token_json() -> dict[str, Any]:
    """{"abi", "bytecode", "compiler", "selectors"} of Token.sol as compiled by tools.compile_token."""
    text = importlib.resources.files("chains.lab").joinpath("token.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def token_call(signature: str, *arguments: str | int) -> str:
    """Call data (Solidity ABI) of one function of Token.sol; an argument is an address or an unsigned integer."""
    words = (int(word, 16) if isinstance(word, str) else word for word in arguments)
    code: str = token_json()["selectors"][signature]
    return code + "".join(f"{word:064x}" for word in words)


def _token_arguments(symbol: str, decimals: int, supply: int) -> str:
    """The constructor's arguments (Solidity ABI: two values in place, the string after them), in hex."""
    text = symbol.encode()
    padded = text.ljust(-(-len(text) // 32) * 32, b"\0")
    return f"{3 * 32:064x}{decimals:064x}{supply:064x}{len(text):064x}{padded.hex()}"
