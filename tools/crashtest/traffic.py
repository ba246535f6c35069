"""The exchange under test on local nodes: its configuration, and a stream of planted transactions."""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import yaml

from chains.lab.anvil import WEI_PER_ETH, Anvil
from chains.lab.bitcoind import SATS_PER_BTC, Bitcoind
from chains.lab.errors import LabError, RpcError
from chains.lab.process import free_port, wait_until

#: seconds between two planted transactions
_PACE = (0.1, 0.3)
_BITCOIN_FEE = 1_000
_DECIMALS = {"BTC": 8, "ETH": 18}
_MINUTE = 60
#: how far below the head a transaction may stand that was sent while the node stalled
_STALL_BLOCKS = 20
#: how many addresses the outflows go to
_OUTSIDE = 100


@dataclass(frozen=True, slots=True)
class Planted:
    """One transaction of ours. ``kind``: theft, approved or deposit; ``approval``: the id that allows it, or ""."""

    kind: str
    chain: str
    txid: str
    wallet: str
    asset: str
    units: int
    approval: str


class Exchange:
    """Two chains, a cold and a hot wallet on each, and books; everything lives in ``folder``."""

    def __init__(self, folder: Path, anvil: Anvil, bitcoind: Bitcoind, receiver_url: str) -> None:
        self.folder = folder
        self.anvil = anvil
        self.bitcoind = bitcoind
        self.port = free_port()
        self.config = folder / "porwatch.yaml"
        self.approvals = folder / "approvals.jsonl"
        self.addresses = {"eth-cold": _address(), "eth-hot": _address()}
        for name in ("btc-cold", "btc-hot"):
            bitcoind.create_wallet(name)
            self.addresses[name] = bitcoind.new_address(name)
        self._fund()
        self.approvals.touch()
        self._configure(receiver_url)

    def _fund(self) -> None:
        for name in ("eth-cold", "eth-hot"):
            self.anvil.fund(self.addresses[name], 1_000_000 * WEI_PER_ETH)
        for name in ("btc-cold", "btc-hot"):
            self.bitcoind.fund(self.addresses[name], 500 * SATS_PER_BTC)
        self.bitcoind.mine(2)
        self.anvil.mine(2)

    def _configure(self, receiver_url: str) -> None:
        (self.folder / "rpc-password").write_text(self.bitcoind.password)
        bitcoin = {"url": self.bitcoind.url, "username": self.bitcoind.username, "password_file": "rpc-password"}
        document = {
            "entity": {"name": "Crash test"},
            "store": "sqlite:///porwatch.db",
            "web": {"listen": f"127.0.0.1:{self.port}"},
            "alertmanagers": [{"url": receiver_url}],
            "assets": {asset: {"decimals": decimals} for asset, decimals in _DECIMALS.items()},
            "chains": {
                "ethereum": {
                    "kind": "evm",
                    "chain_id": self.anvil.chain_id,
                    "native": "ETH",
                    "finality": 5,
                    "endpoints": [{"url": self.anvil.url}, {"url": self.anvil.ws_url}],
                },
                "bitcoin": {
                    "kind": "bitcoin",
                    "network": "regtest",
                    "native": "BTC",
                    "finality": 5,
                    "zmq": self.bitcoind.zmq["hashblock"],
                    "endpoints": [bitcoin],
                },
            },
            "wallets": [
                {
                    "name": name,
                    "chain": {"eth": "ethereum", "btc": "bitcoin"}[name[:3]],
                    "tier": name[4:],
                    "addresses": [address],
                }
                for name, address in self.addresses.items()
            ],
            "books": {"approvals": {"file": self.approvals.name}},
            # A second of grace: small hot outflows wait as pending and are opened by the clock, not by their block.
            "policy": {"approval_grace": {"hot": "1s", "up_to_percent": 1}},
            "schedule": {"cycle": "1s"},
        }
        self.config.write_text(yaml.safe_dump(document, sort_keys=False))

    def heads(self) -> dict[str, int]:
        return {"ethereum": self.anvil.head(), "bitcoin": self.bitcoind.head()}


class TrafficEnded(Exception):
    """A node refused what was to be planted."""


class Traffic:
    """Plants transactions in a thread of its own until it is stopped; ``planted`` grows. ``seed``: their order."""

    def __init__(self, exchange: Exchange, seed: str) -> None:
        self._exchange = exchange
        self._random = random.Random(seed)  # noqa: S311  reproducible, no secret
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic")
        self._failure: Exception | None = None
        self._payer = exchange.anvil.accounts[0]
        # Few: the node keeps all accounts once for each of its last blocks, and the machine's memory ends.
        self._outside = [_address() for _ in range(_OUTSIDE)]
        self.planted: list[Planted] = []
        self.reorganised = 0
        self.stalled = 0

    def start(self) -> None:
        self._thread.start()

    def check(self) -> None:
        """Raises TrafficEnded where something ended the traffic early."""
        if self._failure is not None:
            raise TrafficEnded(f"the planted traffic ended early: {self._failure!r}") from self._failure

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(_MINUTE)

    def _run(self) -> None:
        actions: list[tuple[Callable[[], None], int]] = [
            (self._deposit, 15),
            (lambda: self._evm("theft"), 25),
            (lambda: self._evm("approved"), 25),
            (lambda: self._bitcoin("theft"), 5),
            (lambda: self._bitcoin("approved"), 6),
            (self._bitcoin_deposit, 4),
            (self._reorganise, 20),
        ]
        kinds, weights = zip(*actions, strict=True)
        try:
            while not self._stop.wait(self._random.uniform(*_PACE)):
                self._random.choices(kinds, weights)[0]()
        except Exception as error:  # noqa: BLE001  told to the lane, which ends
            self._failure = error

    def _evm(self, kind: str) -> None:
        """An outflow of a wallet on the EVM chain: of a cold one at once a case, of a hot one after the grace."""
        exchange = self._exchange
        wallet = self._random.choice(("eth-cold", "eth-hot"))
        units = self._random.randint(1, 10**6)
        to = self._random.choice(self._outside)
        approval = self._approve(kind, "ethereum", "ETH", units, to, wallet)
        txid = self._send(exchange.addresses[wallet], to, units)
        if txid:
            self.planted.append(Planted(kind, "ethereum", txid, wallet, "ETH", units, approval))

    def _deposit(self) -> None:
        exchange = self._exchange
        wallet, units = self._random.choice(("eth-cold", "eth-hot")), self._random.randint(1, 10**6)
        try:
            txid = exchange.anvil.send(self._payer, exchange.addresses[wallet], units)
        except RpcError:
            raise
        except LabError:
            self._recovered()
            return
        self.planted.append(Planted("deposit", "ethereum", txid, wallet, "ETH", units, ""))

    def _bitcoin(self, kind: str) -> None:
        node, wallet = self._exchange.bitcoind, self._random.choice(("btc-cold", "btc-hot"))
        units, to = self._random.randint(1_000, 100_000), node.new_address("miner")
        coin = max(node.coins(wallet), key=lambda coin: int(coin["sats"]))
        change = coin["sats"] - units - _BITCOIN_FEE
        approval = self._approve(kind, "bitcoin", "BTC", units, to, wallet)
        txid = node.spend([wallet], [coin], {to: units, self._exchange.addresses[wallet]: change})
        node.mine()
        self.planted.append(Planted(kind, "bitcoin", txid, wallet, "BTC", units, approval))

    def _bitcoin_deposit(self) -> None:
        node, wallet = self._exchange.bitcoind, self._random.choice(("btc-cold", "btc-hot"))
        units = self._random.randint(10_000, 100_000)
        txid = node.fund(self._exchange.addresses[wallet], units)
        node.mine()
        self.planted.append(Planted("deposit", "bitcoin", txid, wallet, "BTC", units, ""))

    def _reorganise(self) -> None:
        """Two empty blocks give way to two others: followers must rewind, and no planted transaction moves."""
        try:
            self._exchange.anvil.mine(2)
            time.sleep(self._random.uniform(*_PACE))
            self._exchange.anvil.reorg(2)
        except RpcError:
            raise
        except LabError:
            self._recovered()
        else:
            self.reorganised += 1

    def _send(self, sender: str, to: str, units: int) -> str:
        """Pay somebody outside. Returns the transaction's hash, "" where none was made."""
        anvil = self._exchange.anvil
        try:
            return anvil.send(sender, to, units)
        except RpcError:
            raise
        except LabError:
            self._recovered()
        head, known = anvil.head(), {item.txid for item in self.planted}
        for height in range(head, max(head - _STALL_BLOCKS, 0), -1):
            for each in anvil.rpc("eth_getBlockByNumber", hex(height), True)["transactions"]:
                paid = each["from"], each["to"], int(each["value"], 16)
                if paid == (sender, to, units) and each["hash"] not in known:
                    return str(each["hash"])
        return ""

    def _recovered(self) -> None:
        """Once in thousands of calls the node answers nobody until the call that it works on is given up."""
        self.stalled += 1
        wait_until(self._answers, "the EVM node again", _MINUTE)
        time.sleep(1)

    def _answers(self) -> bool:
        try:
            return self._exchange.anvil.head() >= 0
        except LabError:
            return False

    def _approve(self, kind: str, chain: str, asset: str, units: int, to: str, wallet: str) -> str:
        """The books know an approved outflow before the chain does, as at an exchange."""
        if kind != "approved":
            return ""
        name = f"withdrawal-{len(self.planted)}"
        amount = format(Decimal(units).scaleb(-_DECIMALS[asset]), "f")
        line = {"id": name, "chain": chain, "asset": asset, "amount": amount, "destination": to, "wallet": wallet}
        with self._exchange.approvals.open("a") as file:
            file.write(json.dumps(line) + "\n")
        return name


def _address() -> str:
    """An EVM address of nobody; the node lets it sign all the same."""
    return "0x" + secrets.token_hex(20)
