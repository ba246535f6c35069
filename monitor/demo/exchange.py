"""The staged exchange: nodes, funded wallets, books and configuration in one folder, and the monitor on it."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

from chains.core.amounts import format_coins
from chains.lab.anvil import WEI_PER_ETH, Anvil
from chains.lab.bitcoind import SATS_PER_BTC, Bitcoind
from chains.lab.errors import LabError
from chains.lab.process import Process, free_port

DECIMALS = {"BTC": 8, "ETH": 18, "USDT": 6}
_API_SECONDS = 10.0


@dataclass
class Exchange:
    """What is staged. ``bitcoin`` is None where no Bitcoin daemon can be had. ``owed`` in base units."""

    folder: Path
    ethereum: Anvil
    bitcoin: Bitcoind | None
    no_bitcoin: str
    token: str
    addresses: dict[str, str]
    port: int
    owed: dict[str, int] = field(default_factory=dict)

    @classmethod
    def start(cls, folder: Path, stack: ExitStack) -> Exchange:
        """Start the nodes, fund the wallets, write the books and start the monitor. Raises LabError."""
        ethereum = stack.enter_context(Anvil(folder / "anvil", block_time=1))
        bitcoin, missing = _bitcoin(folder, stack)
        exchange = cls(folder, ethereum, bitcoin, missing, "", {}, free_port())
        exchange._fund_ethereum()
        if bitcoin is not None:
            exchange._fund_bitcoin(bitcoin)
        exchange._write_config()
        exchange.write_liabilities()
        exchange._start_monitor(stack)
        return exchange

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "porwatch.yaml"

    def get(self, path: str) -> Any:
        """Data of one call of the monitor's API; None for what is not there yet (404)."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}", timeout=_API_SECONDS) as response:  # noqa: S310  loopback
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise

    def approve(self, record: dict[str, str]) -> None:
        """The books allow one movement: a line at the end of the approvals file."""
        with (self.folder / "approvals.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def write_liabilities(self) -> None:
        """What is owed now, as a book-keeper's export: whole, and moved into place."""
        as_of = datetime.now(UTC).isoformat()
        lines = [f"{asset},{format_coins(units, DECIMALS[asset])},{as_of}" for asset, units in self.owed.items()]
        new = self.folder / "liabilities.new"
        new.write_text("\n".join(["asset,amount,as_of", *lines]) + "\n", encoding="utf-8")
        new.replace(self.folder / "liabilities.csv")

    def _fund_ethereum(self) -> None:
        node = self.ethereum
        bank, cold, hot, customer, thief = node.accounts[:5]
        self.addresses |= {"eth-cold": cold, "eth-hot": hot, "eth-customer": customer, "eth-thief": thief}
        self.token = node.deploy_token(bank, "USDT", DECIMALS["USDT"], 10**15)
        for holder, units in ((cold, 8_000_000 * 10**6), (hot, 500_000 * 10**6), (customer, 10_000 * 10**6)):
            node.receipt(node.transfer_token(self.token, bank, holder, units))
        # A little more is held than owed: fees come out of the exchange's own pocket.
        self.owed |= {"ETH": 2 * 10_000 * WEI_PER_ETH - 50 * WEI_PER_ETH, "USDT": 8_490_000 * 10**6}

    def _fund_bitcoin(self, node: Bitcoind) -> None:
        for wallet in ("cold", "hot", "customer", "thief"):
            node.create_wallet(wallet)
            self.addresses[f"btc-{wallet}"] = node.new_address(wallet, kind="bech32m" if wallet == "cold" else "bech32")
        node.fund(self.addresses["btc-cold"], 40 * SATS_PER_BTC)
        for _ in range(5):
            node.fund(self.addresses["btc-hot"], 2 * SATS_PER_BTC)
        node.fund(self.addresses["btc-customer"], 5 * SATS_PER_BTC)
        node.mine(2)
        self.owed["BTC"] = 49 * SATS_PER_BTC + SATS_PER_BTC // 2

    def _write_config(self) -> None:
        node = self.ethereum
        chains: dict[str, Any] = {
            "ethereum": {
                "kind": "evm",
                "chain_id": node.chain_id,
                "native": "ETH",
                "finality": 2,
                "endpoints": [{"name": "local", "url": node.url}, {"name": "heads", "url": node.ws_url}],
                "tokens": {"USDT": {"contract": self.token}},
            }
        }
        wallets = [
            {"name": name, "chain": "ethereum", "tier": tier, "owner": "customer", "addresses": [self.addresses[name]]}
            for name, tier in (("eth-cold", "cold"), ("eth-hot", "hot"))
        ]
        if self.bitcoin is not None:
            chains["bitcoin"], more = self._bitcoin_config(self.bitcoin)
            wallets += more
        assets = {asset: {"decimals": decimals} for asset, decimals in DECIMALS.items() if asset in self.owed}
        document = {
            "entity": {"name": "Demo Exchange KK", "currency": "JPY", "timezone": "Asia/Tokyo"},
            "store": "sqlite:///porwatch.db",
            "web": {"listen": f"127.0.0.1:{self.port}"},
            "assets": assets,
            "chains": chains,
            "wallets": wallets,
            "books": {
                "approvals": {"file": "approvals.jsonl"},
                "liabilities": {"file": "liabilities.csv"},
                "prices": {"file": "prices.csv"},
            },
            "schedule": {"cycle": "2s"},
        }
        (self.folder / "approvals.jsonl").touch()
        as_of = datetime.now(UTC).isoformat()
        prices = {"BTC": Decimal(15_000_000), "ETH": Decimal(500_000), "USDT": Decimal(150)}
        lines = [f"{asset},JPY,{price},{as_of}" for asset, price in prices.items() if asset in self.owed]
        (self.folder / "prices.csv").write_text("\n".join(["asset,currency,price,as_of", *lines]) + "\n")
        self.config.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

    def _bitcoin_config(self, node: Bitcoind) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        (self.folder / "rpc-password").write_text(node.password, encoding="utf-8")
        chain = {
            "kind": "bitcoin",
            "network": "regtest",
            "native": "BTC",
            "finality": 2,
            "zmq": node.zmq["hashblock"],
            "endpoints": [
                {"name": "local", "url": node.url, "username": node.username, "password_file": "rpc-password"}
            ],
        }
        wallets = [
            {
                "name": f"btc-{wallet}",
                "chain": "bitcoin",
                "tier": wallet,
                "owner": "customer",
                "descriptors": node.descriptors(wallet),
                "gap_limit": 100,
            }
            for wallet in ("cold", "hot")
        ]
        return chain, wallets

    def _start_monitor(self, stack: ExitStack) -> None:
        command = [sys.executable, "-m", "monitor", "--log-format", "json", "run", str(self.config)]
        monitor = Process("porwatch", command, self.folder)
        stack.callback(monitor.stop)
        monitor.start(self._ready)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=_API_SECONDS) as response:  # noqa: S310  loopback
                return bool(response.status == HTTPStatus.OK)
        except OSError:
            return False


def _bitcoin(folder: Path, stack: ExitStack) -> tuple[Bitcoind | None, str]:
    try:
        return stack.enter_context(Bitcoind(folder / "bitcoin")), ""
    except LabError as error:
        return None, str(error)
