"""EVM under the laws of every chain: an anvil with a token, accounts made on the spot."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from chains.core.chain import Chain
from chains.core.testimony import Rechecked
from chains.ethereum import Settings, connect, parse_address, recheck
from chains.lab.anvil import Anvil

FIRST_BLOCKS = 12
TOKEN, TOKEN_DECIMALS = "USDT", 6


class Case:
    COMPONENTS = ("anvil",)
    native = "ETH"
    _decimals: ClassVar[dict[str, int]] = {native: 18, TOKEN: TOKEN_DECIMALS}

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._node = Anvil(folder / "anvil", manual=True)
        self._contract = ""

    def start(self) -> None:
        self._node.start()
        if self._contract:
            return
        # The laws pay a few million wei: with the usual base fee no such account could pay for gas. Empty
        # blocks keep it at zero.
        self._node.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")
        self._rich, *_ = self._node.accounts
        self._contract = self._node.deploy_token(self._rich, TOKEN, TOKEN_DECIMALS, 10**12)
        self._node.mine(FIRST_BLOCKS)

    def stop(self) -> None:
        self._node.stop()

    def connect(self) -> Chain:
        return self._connect(self._node.chain_id)

    def connect_wrong(self) -> Chain:
        return self._connect(1)

    def recheck(self, lines: Iterable[Mapping[str, Any]]) -> Rechecked:
        return recheck("case", lines, self._settings(self._node.chain_id), self._decimals)

    def _connect(self, chain_id: int) -> Chain:
        return connect("case", self._settings(chain_id), self._decimals, self._folder)

    def _settings(self, chain_id: int) -> Settings:
        keys = {"kind": "evm", "chain_id": chain_id, "native": self.native, "endpoints": [{"url": self._node.url}]}
        return Settings.model_validate(keys | {"finality": 2, "tokens": {TOKEN: {"contract": self._contract}}})

    def account(self) -> str:
        address = "0x" + secrets.token_hex(20)
        return parse_address(address, Settings.model_construct())

    def pay_in(self, locator: str, units: int) -> None:
        self._pay(self._rich, locator, units)

    def pay_out(self, locator: str, units: int) -> None:
        self._pay(locator, self._node.accounts[-1], units)

    def _pay(self, source: str, destination: str, units: int) -> None:
        payment = {"from": source, "to": destination, "value": hex(units), "gas": hex(21_000), "gasPrice": "0x1"}
        self._node.rpc("eth_sendTransaction", payment)

    def mine(self, blocks: int = 1) -> None:
        self._node.mine(blocks)

    def reorg(self, depth: int) -> None:
        self._node.reorg(depth)
