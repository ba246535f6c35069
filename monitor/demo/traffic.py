"""Normal traffic of the staged exchange (approved withdrawals, internal moves, deposits), and the theft."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from chains.core.amounts import format_coins
from chains.lab.anvil import WEI_PER_ETH
from chains.lab.bitcoind import SATS_PER_BTC, Bitcoind
from chains.lab.errors import LabError
from monitor.demo.exchange import DECIMALS, Exchange

_PAUSE = 1.5


class Traffic:
    """Acts in a thread until it is stopped. ``stolen_at``: when the theft was sent."""

    def __init__(self, exchange: Exchange, stop: threading.Event) -> None:
        self._exchange = exchange
        self._stop = stop
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self._one = threading.Lock()
        # The same traffic each time: what is shown should not depend on luck.
        self._dice = random.Random(20240531)  # noqa: S311  no secret is made of it
        self._count = 0
        self.stolen_at: float | None = None
        self.failure: LabError | None = None

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Stop and wait for the act under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def steal(self) -> None:
        """Drain the cold wallet of the chain that has most to lose; nobody approved it."""
        exchange = self._exchange
        with self._one:
            node, address = exchange.ethereum, exchange.addresses
            self.stolen_at = time.time()
            loot = node.token_balance(exchange.token, address["eth-cold"])
            token = node.transfer_token(exchange.token, address["eth-cold"], address["eth-thief"], loot)
            coins = node.balance(address["eth-cold"]) - WEI_PER_ETH
            native = node.send(address["eth-cold"], address["eth-thief"], coins)
            node.receipt(token)
            node.receipt(native)

    def _run(self) -> None:
        acts: list[Callable[[], None]] = [self._withdraw_token, self._withdraw_ether, self._deposit, self._refill]
        if self._exchange.bitcoin is not None:
            acts += [self._bitcoin_batch, self._bitcoin_internal]
        try:
            while not self._stop.is_set():
                for act in self._dice.sample(acts, len(acts)):
                    if self._stop.is_set():
                        return
                    with self._one:
                        act()
                        self._exchange.write_liabilities()
                    self._stop.wait(_PAUSE)
        except LabError as error:
            self.failure = error

    def _approve(self, chain: str, asset: str, units: int, destination: str, wallet: str) -> None:
        self._count += 1
        self._exchange.approve(
            {
                "id": f"w-{1000 + self._count}",
                "chain": chain,
                "asset": asset,
                "amount": format_coins(units, DECIMALS[asset]),
                "destination": destination,
                "wallet": wallet,
            }
        )

    def _withdraw_token(self) -> None:
        exchange, address = self._exchange, self._exchange.addresses
        units = self._dice.randint(100, 9_999) * 10**4
        self._approve("ethereum", "USDT", units, address["eth-customer"], "eth-hot")
        exchange.owed["USDT"] -= units
        node = exchange.ethereum
        node.receipt(node.transfer_token(exchange.token, address["eth-hot"], address["eth-customer"], units))

    def _withdraw_ether(self) -> None:
        exchange, address = self._exchange, self._exchange.addresses
        units = self._dice.randint(1, 500) * (WEI_PER_ETH // 100)
        self._approve("ethereum", "ETH", units, address["eth-customer"], "eth-hot")
        exchange.owed["ETH"] -= units
        exchange.ethereum.receipt(exchange.ethereum.send(address["eth-hot"], address["eth-customer"], units))

    def _deposit(self) -> None:
        exchange, address = self._exchange, self._exchange.addresses
        units = self._dice.randint(1, 100) * (WEI_PER_ETH // 10)
        exchange.ethereum.receipt(exchange.ethereum.send(address["eth-customer"], address["eth-hot"], units))
        exchange.owed["ETH"] += units

    def _refill(self) -> None:
        """From cold to hot: internal, and approved because a cold wallet signs it."""
        exchange, address = self._exchange, self._exchange.addresses
        if self.stolen_at is not None:
            return
        units = 5 * WEI_PER_ETH
        self._approve("ethereum", "ETH", units, address["eth-hot"], "eth-cold")
        exchange.ethereum.receipt(exchange.ethereum.send(address["eth-cold"], address["eth-hot"], units))

    def _bitcoin(self) -> Bitcoind:
        node = self._exchange.bitcoin
        assert node is not None
        return node

    def _bitcoin_batch(self) -> None:
        """Two customers are paid in one transaction: two approvals, each for its own output."""
        node = self._bitcoin()
        outputs = {node.new_address("customer"): self._dice.randint(1, 20) * (SATS_PER_BTC // 1000) for _ in range(2)}
        for destination, units in outputs.items():
            self._approve("bitcoin", "BTC", units, destination, "btc-hot")
            self._exchange.owed["BTC"] -= units
        with suppress(LabError):
            node.send_many("hot", outputs)
        node.mine(1)

    def _bitcoin_internal(self) -> None:
        """From hot to cold: own wallets, no approval needed."""
        node = self._bitcoin()
        node.send("hot", node.new_address("cold", kind="bech32m"), SATS_PER_BTC // 100)
        node.mine(1)
