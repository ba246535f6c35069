"""One chain as a scenario sees it: wallets of an exchange on a real node, payments, blocks, what the node says."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from chains.ethereum.address import spell
from chains.lab.anvil import WEI_PER_ETH, Anvil, token_call
from chains.lab.bitcoind import SATS_PER_BTC, Bitcoind, sats
from chains.lab.errors import RpcError
from chains.lab.process import wait_until

JSON = dict[str, Any]

#: a contract that sends calldata[32:64] wei of its own to calldata[0:32], and takes what it is sent
FORWARDER = "0x5f5f5f5f6020355f355af100"
#: the fields of a transaction that its hash is made of
SIGNED = ("from", "to", "value", "nonce", "gas", "maxFeePerGas", "maxPriorityFeePerGas", "input")
BITCOIN_FEE = 1_000
_numbers: Iterator[int] = count()


def address_of_nobody() -> str:
    """An EVM address that was never seen before; the node lets it sign all the same."""
    return spell("0x" + secrets.token_hex(20))


def coins(units: int, decimals: int) -> str:
    """Base units as porwatch writes them: coins with every decimal."""
    return format(Decimal(units).scaleb(-decimals), f".{decimals}f")


class Side(Protocol):
    """What a scenario that runs on every chain needs of one of them. Amounts are base units of the native asset."""

    name: str
    asset: str
    decimals: int
    unit: int
    cold: str
    hot: str

    @property
    def url(self) -> str: ...
    def config(self, folder: Path) -> JSON: ...
    def wallets(self) -> list[JSON]: ...
    def address(self, wallet: str) -> str: ...
    def outside(self) -> str: ...
    def deposit(self, wallet: str, units: int) -> str: ...
    def pay(self, wallet: str, to: str, units: int) -> str: ...
    def fee(self, txid: str) -> int: ...
    def held(self, wallet: str) -> int: ...
    def head(self) -> int: ...
    def mine(self, blocks: int = 1) -> None: ...
    def reorg(self, depth: int) -> None: ...
    def mine_again(self, txid: str) -> None: ...
    def stop(self) -> None: ...
    def start(self) -> None: ...


@dataclass
class EvmSide:
    """A cold and a hot wallet with 100 and 50 ETH and, with ``tokens``, 5,000 USDT each, before anybody watches."""

    node: Anvil
    with_token: bool = False
    name: str = "ethereum"
    asset: str = "ETH"
    decimals: int = 18
    unit: int = WEI_PER_ETH
    cold: str = "eth-cold"
    hot: str = "eth-hot"
    addresses: dict[str, str] = field(default_factory=dict)
    options: JSON = field(default_factory=dict)
    token: str = ""
    sent: JSON = field(default_factory=dict)

    def __post_init__(self) -> None:
        for wallet, units in ((self.cold, 100), (self.hot, 50)):
            self.addresses[wallet] = address_of_nobody()
            # Spread over the accounts that the node begins with, so that none runs dry.
            rich = self.node.accounts[next(_numbers) % 8]
            self.node.receipt(self.node.send(rich, self.addresses[wallet], units * WEI_PER_ETH))
        if self.with_token:
            issuer = self.node.accounts[0]
            self.token = self.node.deploy_token(issuer, "USDT", 6, 10**15)
            for address in self.addresses.values():
                self.node.receipt(self.node.transfer_token(self.token, issuer, address, 5_000_000_000))
        self.node.mine()

    @property
    def url(self) -> str:
        return self.node.url

    def config(self, folder: Path) -> JSON:
        tokens = {"tokens": {"USDT": {"contract": self.token}}} if self.token else {}
        endpoints = [{"url": self.node.url}]
        return {
            "kind": "evm", "chain_id": self.node.chain_id, "native": "ETH", "finality": 5, "endpoints": endpoints,
        } | tokens | self.options  # fmt: skip

    def wallets(self) -> list[JSON]:
        return [
            {"name": name, "chain": self.name, "tier": name.removeprefix("eth-"), "owner": "customer", "addresses": [a]}
            for name, a in self.addresses.items()
        ]

    def address(self, wallet: str) -> str:
        return self.addresses[wallet]

    def outside(self) -> str:
        return address_of_nobody()

    def deposit(self, wallet: str, units: int) -> str:
        txid = self.node.send(self.node.accounts[9], self.addresses[wallet], units)
        self.node.receipt(txid)
        return txid

    def pay(self, wallet: str, to: str, units: int) -> str:
        txid = self.node.send(self.addresses[wallet], to, units)
        self.node.receipt(txid)
        whole = self.node.rpc("eth_getTransactionByHash", txid)
        self.sent[txid] = {key: whole[key] for key in SIGNED}
        return txid

    def pay_token(self, wallet: str, to: str, units: int) -> str:
        txid = self.node.transfer_token(self.token, self.addresses[wallet], to, units)
        self.node.receipt(txid)
        return txid

    def call(self, wallet: str, signature: str, *arguments: str | int) -> str:
        """A call of the token contract."""
        txid = self.node.send(self.addresses[wallet], self.token, data=token_call(signature, *arguments))
        self.node.receipt(txid)
        return txid

    def fee(self, txid: str) -> int:
        receipt = self.node.receipt(txid)
        return int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)

    def held(self, wallet: str) -> int:
        return self.node.balance(self.addresses[wallet])

    def head(self) -> int:
        return self.node.head()

    def mine(self, blocks: int = 1) -> None:
        self.node.mine(blocks)

    def reorg(self, depth: int) -> None:
        """The replaced transactions are gone, as anvil does it; the new branch is one longer, so that it wins."""
        self.node.reorg(depth)
        self.node.mine()

    def mine_again(self, txid: str) -> None:
        """The same transaction, by the same fields and so the same hash, in a new block."""
        assert self.node.rpc("eth_sendTransaction", self.sent[txid]) == txid
        self.node.receipt(txid)

    def stop(self) -> None:
        self.node.stop()

    def start(self) -> None:
        self.node.start()


@dataclass
class BitcoinSide:
    """A cold and a hot wallet of one address each with 10 and 5 BTC in five coins, before anybody watches."""

    node: Bitcoind
    name: str = "bitcoin"
    asset: str = "BTC"
    decimals: int = 8
    unit: int = SATS_PER_BTC
    cold: str = "btc-cold"
    hot: str = "btc-hot"
    addresses: dict[str, str] = field(default_factory=dict)
    options: JSON = field(default_factory=dict)
    number: int = field(default_factory=lambda: next(_numbers))

    def __post_init__(self) -> None:
        if self.node.head() == 0:
            # A burst of a hundred blocks runs ahead of the clock: it was an hour ago.
            self.node.rpc("setmocktime", int(time.time()) - 3600)
        self.node.create_wallet(self._own("outside"))
        for wallet, units in ((self.cold, 2), (self.hot, 1)):
            self.add(wallet)
            for _ in range(5):
                self.node.fund(self.addresses[wallet], units * SATS_PER_BTC)
        self.node.rpc("setmocktime", 0)
        self.node.mine(2)

    def add(self, wallet: str, kind: str = "bech32") -> str:
        """One more wallet on the node; returns its address."""
        self.node.create_wallet(self._own(wallet))
        self.addresses[wallet] = self.node.new_address(self._own(wallet), kind)
        return self.addresses[wallet]

    def _own(self, wallet: str) -> str:
        """The name on a node that other tests use as well."""
        return f"{wallet}-{self.number}"

    @property
    def url(self) -> str:
        return self.node.url

    def config(self, folder: Path) -> JSON:
        (folder / "rpc-password").write_text(self.node.password)
        endpoint = {"url": self.node.url, "username": self.node.username, "password_file": "rpc-password"}
        return {
            "kind": "bitcoin", "network": "regtest", "native": "BTC", "finality": 5,
            "zmq": self.node.zmq["hashblock"], "endpoints": [endpoint],
        } | self.options  # fmt: skip

    def wallets(self) -> list[JSON]:
        return [
            {"name": name, "chain": self.name, "tier": name.removeprefix("btc-"), "owner": "customer", "addresses": [a]}
            for name, a in self.addresses.items()
        ]

    def address(self, wallet: str) -> str:
        return self.addresses[wallet]

    def outside(self) -> str:
        return self.node.new_address(self._own("outside"))

    def deposit(self, wallet: str, units: int) -> str:
        txid = self.node.fund(self.addresses[wallet], units)
        self.node.mine()
        return txid

    def pay(self, wallet: str, to: str, units: int) -> str:
        txid = self.send([wallet], {to: units}, change_to=wallet)
        self.node.mine()
        return txid

    def send(self, wallets: list[str], payments: dict[str, int], change_to: str, fee: int = BITCOIN_FEE) -> str:
        """A transaction not mined yet: a coin of each wallet and as many more as it takes; the change last."""
        coins = [self.coins(wallet)[0] for wallet in wallets]
        more = [coin for wallet in wallets for coin in self.coins(wallet)[1:]]
        wanted = sum(payments.values()) + fee
        while sum(coin["sats"] for coin in coins) < wanted:
            coins.append(more.pop(0))
        change = sum(coin["sats"] for coin in coins) - wanted
        outputs = payments | ({self.addresses[change_to]: change} if change else {})
        return self.node.spend([self._own(wallet) for wallet in wallets], coins, outputs)

    def coins(self, wallet: str) -> list[JSON]:
        return [coin for coin in self.node.coins(self._own(wallet)) if coin["address"] == self.addresses[wallet]]

    def descriptors(self, wallet: str) -> list[str]:
        return self.node.descriptors(self._own(wallet))

    def spend(self, wallets: list[str], coins: list[JSON], payments: dict[str, int]) -> str:
        return self.node.spend([self._own(wallet) for wallet in wallets], coins, payments)

    def fee(self, txid: str) -> int:
        return BITCOIN_FEE

    def held(self, wallet: str) -> int:
        """From the node's set of unspent outputs: what waits in the mempool changes nothing there."""
        found: list[JSON] = []

        def scanned() -> bool:
            # A node does one scan at a time, and the monitor scans as well.
            with suppress(RpcError):
                found.append(self.node.rpc("scantxoutset", "start", [f"addr({self.addresses[wallet]})"]))
            return bool(found)

        wait_until(scanned, "a scan of the unspent outputs")
        return sats(found[0]["total_amount"])

    def head(self) -> int:
        return self.node.head()

    def mine(self, blocks: int = 1) -> None:
        self.node.mine(blocks)

    def reorg(self, depth: int) -> None:
        """The replaced transactions wait in the mempool until the next block is mined."""
        self.node.reorg(depth)

    def mine_again(self, txid: str) -> None:
        """It came back into the mempool with the reorganisation."""
        assert txid in self.node.rpc("getrawmempool")
        self.node.mine()

    def stop(self) -> None:
        self.node.stop()

    def start(self) -> None:
        self.node.start()
