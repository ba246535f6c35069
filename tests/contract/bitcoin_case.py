"""Bitcoin under the laws of every chain: a bitcoind on regtest, one wallet of ours and one of strangers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from chains.bitcoin import Settings, connect, recheck
from chains.core.chain import Chain
from chains.core.testimony import Rechecked
from chains.lab.bitcoind import Bitcoind
from chains.lab.process import wait_until

OWN, STRANGER = "own", "stranger"
#: Enough for the miner's first rewards to be spendable.
FIRST_BLOCKS = 102
FEE = 2_000


class Case:
    COMPONENTS = ("bitcoind",)
    native = "BTC"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._node = Bitcoind(folder / "bitcoind")

    def start(self) -> None:
        self._node.start()
        for wallet in (OWN, STRANGER):
            self._node.create_wallet(wallet)
        self._node.mine(FIRST_BLOCKS)

    def stop(self) -> None:
        self._node.stop()

    def connect(self) -> Chain:
        return self._connect("regtest")

    def connect_wrong(self) -> Chain:
        return self._connect("signet")

    def recheck(self, lines: Iterable[Mapping[str, Any]]) -> Rechecked:
        return recheck("case", lines, self._settings("regtest"), {self.native: 8})

    def _connect(self, network: str) -> Chain:
        return connect("case", self._settings(network), {self.native: 8}, self._folder)

    def _settings(self, network: str) -> Settings:
        (self._folder / "password").write_text(self._node.password)
        endpoint = {"url": self._node.url, "username": self._node.username, "password_file": "password"}
        return Settings.model_validate(
            {"kind": "bitcoin", "network": network, "native": self.native, "endpoints": [endpoint]}
        )

    def account(self) -> str:
        return self._node.new_address(OWN)

    def pay_in(self, locator: str, units: int) -> None:
        self._node.fund(locator, units)

    def pay_out(self, locator: str, units: int) -> None:
        # The wallet hears of a payment that is not mined a moment later than the mempool does.
        wait_until(lambda: bool(self._coins(locator)), f"a coin of {locator}")
        coins = self._coins(locator)
        change = sum(coin["sats"] for coin in coins) - units - FEE
        self._node.spend([OWN], coins, {self._node.new_address(STRANGER): units, locator: change})

    def _coins(self, locator: str) -> list[dict[str, Any]]:
        return [coin for coin in self._node.coins(OWN, 0) if coin["address"] == locator]

    def mine(self, blocks: int = 1) -> None:
        self._node.mine(blocks)

    def reorg(self, depth: int) -> None:
        self._node.reorg(depth)
