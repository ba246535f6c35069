"""A Bitcoin node with the wallets of the corpus, and transactions of every shape."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

from embit import bip32

from chains.bitcoin.addresses import locator_of, script_of
from chains.bitcoin.networks import NETWORKS
from chains.lab.bitcoind import SATS_PER_BTC, Bitcoind
from chains.lab.errors import RpcError
from tests.real.sides import BITCOIN_FEE, JSON, BitcoinSide

REGTEST = NETWORKS["regtest"]
#: a point whose discrete logarithm nobody knows (BIP-341): an output under it can only be spent by a script
NOBODYS_KEY = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0"
#: what a node answers while it scans for somebody else (RPC_INVALID_PARAMETER)
SCANNING = -8
SCAN_SECONDS = 10
TAPROOT = "btc-hot-script-path"


@dataclass
class BitcoinGround:
    """A cold and a hot wallet of one address each, and a hot one that spends by a taproot script."""

    node: Bitcoind
    finality: int
    name: str = "bitcoin"
    native: str = "BTC"
    node_name: str = "bitcoind"
    began: float = 0.0
    decimals: dict[str, int] = field(default_factory=lambda: {"BTC": 8})
    people: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.side = BitcoinSide(self.node)
        self.addresses = self.side.addresses
        self._taproot()
        self.node.mine(self.finality)
        self.wallet_names = tuple(self.addresses)
        #: what outsiders own, for the rows in which they take part
        self.node.create_wallet("stranger")
        self.node.fund(self.node.new_address("stranger"), SATS_PER_BTC)
        self.node.fund(self.node.new_address("stranger"), SATS_PER_BTC)
        self.node.mine()

    def _taproot(self) -> None:
        key = bip32.HDKey.from_seed(secrets.token_bytes(32), version=b"\x04\x35\x83\x94").to_base58()
        bare = f"tr({NOBODYS_KEY},pk({key}/0/*))"
        checksum = self.node.rpc("getdescriptorinfo", bare)["checksum"]
        name = self.side._own(TAPROOT)
        self.node.rpc("createwallet", name, False, True)
        request = {"desc": f"{bare}#{checksum}", "timestamp": "now", "range": [0, 0]}
        (done,) = self.node.rpc("importdescriptors", [request], wallet=name)
        assert done["success"], done
        (self.addresses[TAPROOT],) = self.node.rpc("deriveaddresses", self._public(bare), [0, 0])
        self.node.fund(self.addresses[TAPROOT], SATS_PER_BTC)

    def _public(self, bare: str) -> str:
        return str(self.node.rpc("getdescriptorinfo", bare)["descriptor"])

    def config(self, folder: Path) -> JSON:
        self.side.options["finality"] = self.finality
        return self.side.config(folder)

    def wallets(self) -> list[JSON]:
        return [
            {"name": name, "chain": self.name, "tier": "cold" if "cold" in name else "hot", "addresses": [address]}
            for name, address in self.addresses.items()
        ]

    def outside(self, who: str, kind: str = "bech32") -> str:
        """A fresh address of somebody else, who is called that on the page."""
        address = self.node.new_address("stranger", kind)
        self.people[address] = who
        return address

    def locator(self, script: bytes, who: str) -> str:
        """How porwatch calls an output script."""
        locator = locator_of(script, REGTEST)
        self.people[locator] = who
        return locator

    def script(self, address: str) -> bytes:
        return script_of(address, REGTEST)

    def coins(self, wallet: str) -> list[JSON]:
        """Confirmed coins, largest first."""
        return sorted(self.side.coins(wallet), key=lambda coin: -int(coin["sats"]))

    def build(self, coins: list[JSON], outputs: list[tuple[bytes, int]], *, replaceable: bool = False) -> str:
        """The unsigned transaction that spends these coins on these scripts, in hex. What is left over is the fee."""
        from bitcoin.core import COutPoint, CTransaction, CTxIn, CTxOut, lx
        from bitcoin.core.script import CScript

        sequence = 0xFFFFFFFD if replaceable else 0xFFFFFFFF
        ins = [CTxIn(COutPoint(lx(coin["txid"]), coin["vout"]), nSequence=sequence) for coin in coins]
        outs = [CTxOut(units, CScript(script)) for script, units in outputs]
        return str(CTransaction(ins, outs, nVersion=2).serialize().hex())

    def sign(self, raw: str, *wallets: str) -> str:
        """Signed by each of these wallets (of the node: own ones by their name, or "stranger")."""
        complete = False
        for wallet in wallets:
            name = self.side._own(wallet) if wallet in self.addresses else wallet
            signed = self.node.rpc("signrawtransactionwithwallet", raw, wallet=name)
            raw, complete = signed["hex"], signed["complete"]
        assert complete
        return raw

    def send(self, raw: str) -> str:
        """Into the mempool; returns the txid. Neither a fee nor a burnt amount is too high here."""
        return str(self.node.rpc("sendrawtransaction", raw, 0, 21_000_000))

    def pay(self, wallet: str, outputs: list[tuple[bytes, int]], fee: int = BITCOIN_FEE) -> tuple[str, int]:
        """One coin of a wallet on these outputs and the change, last. (signed transaction, change)."""
        coin = self.coins(wallet)[0]
        change = coin["sats"] - sum(units for _, units in outputs) - fee
        raw = self.build([coin], [*outputs, (self.script(self.addresses[wallet]), change)], replaceable=True)
        return self.sign(raw, wallet), change

    def head(self) -> int:
        return self.node.head()

    def mine(self, blocks: int = 1, to: str | None = None) -> None:
        self.began = time.time()
        self.node.mine(blocks, to)

    def mine_only(self, *raw: str) -> None:
        """A block of exactly these transactions, whether or not the node would relay them."""
        self.began = time.time()
        self.node.rpc("generateblock", self.node.new_address("stranger"), list(raw))

    def txid(self, raw: str) -> str:
        return str(self.node.rpc("decoderawtransaction", raw)["txid"])

    def held(self, wallet: str, asset: str) -> int:
        """From the node's set of unspent outputs, which it scans for one asker at a time."""
        deadline = time.monotonic() + SCAN_SECONDS
        while True:
            try:
                return self.side.held(wallet)
            except RpcError as error:
                if error.code != SCANNING or time.monotonic() > deadline:
                    raise
            time.sleep(0.01)
