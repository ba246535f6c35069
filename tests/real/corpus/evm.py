"""An EVM node with the wallets and tokens of the corpus."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from chains.ethereum.address import spell
from chains.lab.anvil import WEI_PER_ETH, Anvil
from tests.real.corpus.contracts import Compiled
from tests.real.sides import JSON, address_of_nobody

#: asset -> contract of tests/contracts, the arguments of its constructor, and its profile in the configuration
TOKENS: dict[str, tuple[str, tuple[Any, ...], str]] = {
    "SZT": ("SeizableToken", (), "plain"),
    "PMT": ("PermitToken", (), "plain"),
    "QFT": ("FeeToken", (False,), "plain"),
    "LFT": ("FeeToken", (True,), "plain"),
    "HKT": ("HookToken", (), "plain"),
    "SHT": ("ShareToken", (), "shares"),
    "WETH": ("WrappedEther", (), "wrapped"),
}
EIGHTEEN = frozenset({"ETH", "SHT", "WETH"})
#: what hot and cold hold of each token at the start, in whole coins
TOKENS_HELD = 1_000
GAS = 500_000


@dataclass
class EvmGround:
    """A hot and a cold wallet with keys, and a hot and a cold one that are contracts; all with tokens of every kind."""

    node: Anvil
    compiled: Mapping[str, Compiled]
    finality: int
    name: str = "ethereum"
    native: str = "ETH"
    node_name: str = "anvil"
    began: float = 0.0
    people: dict[str, str] = field(default_factory=dict)
    keys: dict[str, LocalAccount] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.decimals = {asset: 18 if asset in EIGHTEEN else 6 for asset in ("ETH", *TOKENS)}
        self.anyone = self.node.accounts[0]
        for wallet in ("evm-hot", "evm-cold", "evm-7702"):
            self.keys[wallet] = Account.create()
            self.addresses[wallet] = self.keys[wallet].address
        for wallet in ("evm-hot-contract", "evm-cold-contract"):
            self.addresses[wallet] = self.deploy("ContractWallet")
        for address in self.addresses.values():
            self.node.fund(address, 50 * WEI_PER_ETH)
        for asset, (contract, arguments, _) in TOKENS.items():
            self.tokens[asset] = self.deploy(contract, *arguments)
            for wallet in ("evm-hot", "evm-cold"):
                self._give(asset, wallet)
        self.wallet_names = tuple(self.addresses)
        self.disperser = self.deploy("Disperser")
        self.node.mine()

    def _give(self, asset: str, wallet: str) -> None:
        units = TOKENS_HELD * 10 ** self.decimals[asset]
        if asset == "WETH":
            # Behind each unit there must be one of the native asset.
            self.node.fund(self.addresses[wallet], (50 + TOKENS_HELD + 1) * WEI_PER_ETH)
            self.send(self.addresses[wallet], self.tokens[asset], units)
            self.node.fund(self.addresses[wallet], 50 * WEI_PER_ETH)
        else:
            create = "submit(address,uint256)" if asset == "SHT" else "create(address,uint256)"
            self.call(self.anyone, asset, create, self.addresses[wallet], units)

    def config(self) -> JSON:
        tokens = {a: {"contract": self.tokens[a], "profile": profile} for a, (_, _, profile) in TOKENS.items()}
        return {
            "kind": "evm", "chain_id": self.node.chain_id, "native": "ETH", "finality": self.finality,
            "endpoints": [{"url": self.node.url}, {"url": self.node.ws_url}], "tokens": tokens,
        }  # fmt: skip

    def wallets(self) -> list[JSON]:
        return [
            {"name": name, "chain": self.name, "tier": "cold" if "cold" in name else "hot", "addresses": [address]}
            for name, address in self.addresses.items()
        ]

    def outside(self, who: str) -> str:
        """An address of somebody else, who is called that on the page."""
        address = address_of_nobody()
        self.people[address] = who
        return address

    def stranger(self, who: str = "a stranger") -> str:
        """An address of somebody else who can pay for gas. Funded by a transaction: blocks stay as they were made."""
        address = self.outside(who)
        self.send(self.anyone, address, 10 * WEI_PER_ETH)
        return address

    def send(self, sender: str, to: str | None, wei: int = 0, data: str = "0x") -> str:
        """A transaction from any address; a failing one is mined all the same. Returns its hash."""
        fields = {"from": sender, "value": hex(wei), "data": data, "gas": hex(GAS if to else 10 * GAS)}
        self.began = time.time()
        txid: str = self.node.rpc("eth_sendTransaction", fields | ({"to": to} if to else {}))
        self.node.receipt(txid)
        return txid

    def priced(self, sender: str, to: str, wei: int, data: str, price: int) -> str:
        """A transaction at a price of gas, which decides its place in a block that is mined later."""
        fields = {"from": sender, "to": to, "value": hex(wei), "data": data, "gas": hex(GAS), "gasPrice": hex(price)}
        txid: str = self.node.rpc("eth_sendTransaction", fields)
        return txid

    def raw(self, signed: str) -> str:
        """A transaction that was signed elsewhere."""
        self.began = time.time()
        txid: str = self.node.rpc("eth_sendRawTransaction", signed)
        self.node.receipt(txid)
        return txid

    def deploy(self, contract: str, *arguments: Any) -> str:
        txid = self.send(self.anyone, None, data=self.compiled[contract].creation(*arguments))
        receipt = self.node.receipt(txid)
        assert receipt["status"] == "0x1", contract
        address: str = receipt["contractAddress"]
        return spell(address.lower())

    def call(self, sender: str, asset: str, signature: str, *arguments: Any, wei: int = 0) -> str:
        """A call of a token's contract."""
        return self.send(sender, self.tokens[asset], wei, self.compiled[TOKENS[asset][0]].call(signature, *arguments))

    def ask(self, asset: str, signature: str, *arguments: Any) -> int:
        """What a token's contract answers: one number."""
        data = self.compiled[TOKENS[asset][0]].call(signature, *arguments)
        return int(self.node.rpc("eth_call", {"to": self.tokens[asset], "data": data}, "latest"), 16)

    def order(self, sender: str, wallet: str, signature: str, *arguments: Any) -> str:
        """A call of a wallet that is a contract."""
        data = self.compiled["ContractWallet"].call(signature, *arguments)
        return self.send(sender, self.addresses[wallet], data=data)

    def succeeded(self, txid: str) -> bool:
        return bool(self.node.receipt(txid)["status"] == "0x1")

    def fee(self, txid: str) -> int:
        receipt = self.node.receipt(txid)
        return int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)

    def head(self) -> int:
        return self.node.head()

    def mine(self, blocks: int = 1) -> None:
        self.began = time.time()
        self.node.mine(blocks)

    def held(self, wallet: str, asset: str) -> int:
        if asset == "ETH":
            return self.node.balance(self.addresses[wallet])
        return self.ask(asset, "sharesOf(address)" if asset == "SHT" else "balanceOf(address)", self.addresses[wallet])
