"""A local Bitcoin node (regtest) with wallets. Amounts are whole satoshis throughout."""

from __future__ import annotations

import secrets
from decimal import Decimal
from pathlib import Path
from typing import Any

from chains.lab.binaries import find_binary
from chains.lab.errors import LabError, RpcError
from chains.lab.process import LOOPBACK, Node, Process, free_port
from chains.lab.rpc import LabRpc

SATS_PER_BTC = 10**8
# A block's reward may be spent this many blocks later (consensus rule).
MATURITY_BLOCKS = 100
# Blocks per generate call; regtest makes some 300 a second.
MINE_BLOCKS_MAX = 1000
MINER = "miner"
RPC_WALLET_EXISTS = -4
RPC_WALLET_NOT_FOUND = -18


class Bitcoind(Node):
    """One bitcoind on regtest, without peers. `stop` and `start` keep chain, wallets, ports and credentials."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        """Prepares the node in `folder`; raises LabError when bitcoind is not on this machine."""
        self.port = port or free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.username = "lab"
        self.password = secrets.token_urlsafe(24)
        self.zmq = {topic: f"tcp://{LOOPBACK}:{free_port()}" for topic in ("hashblock", "rawtx", "sequence")}
        self._rpc = LabRpc(self.url, self.username, self.password)
        self._folder = folder.resolve()
        self.process = Process("bitcoind", [find_binary("bitcoind"), f"-datadir={self._folder}"], self._folder)

    def start(self) -> None:
        """Starts the node and waits until it answers. Raises LabError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        configuration = self._folder / "bitcoin.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(self._configuration())
        self.process.start(lambda: self._rpc.answers("getblockchaininfo"))

    def rpc(self, method: str, *params: object, wallet: str | None = None) -> Any:
        """The result of one RPC call, of a wallet's where one is named. Raises RpcError, LabError. Amounts in answers
        are Decimal bitcoins.
        """
        return self._rpc.call(method, *params, path=f"/wallet/{wallet}" if wallet else "/")

    def head(self) -> int:
        """Height of the newest block."""
        return int(self.rpc("getblockcount"))

    def head_hash(self) -> str:
        """Hash of the newest block."""
        return str(self.rpc("getbestblockhash"))

    def create_wallet(self, name: str) -> None:
        """Makes a wallet, loaded again at every later start; one that is there already stays as it is."""
        if name in self.rpc("listwallets"):
            return
        try:
            self.rpc("createwallet", name, False, False, "", False, True, True)
        except RpcError as error:
            if error.code != RPC_WALLET_EXISTS:
                raise
            self.rpc("loadwallet", name, True)

    def new_address(self, wallet: str, kind: str = "bech32") -> str:
        """A fresh address of a wallet; kind is legacy, p2sh-segwit, bech32 or bech32m."""
        return str(self.rpc("getnewaddress", "", kind, wallet=wallet))

    def descriptors(self, wallet: str) -> list[str]:
        """The wallet's active public descriptors of receiving and change addresses, ranged, with checksum."""
        listed = self.rpc("listdescriptors", False, wallet=wallet)["descriptors"]
        return [str(entry["desc"]) for entry in listed if entry["active"]]

    def balance(self, wallet: str) -> int:
        """Satoshis of a wallet in mature coins, with at least one confirmation."""
        return sats(self.rpc("getbalances", wallet=wallet)["mine"]["trusted"])

    def coins(self, wallet: str, confirmations: int = 1) -> list[dict[str, Any]]:
        """The wallet's unspent coins: {"txid", "vout", "address", "sats"} each."""
        return [
            {"txid": coin["txid"], "vout": coin["vout"], "address": coin["address"], "sats": sats(coin["amount"])}
            for coin in self.rpc("listunspent", confirmations, wallet=wallet)
        ]

    def mine(self, blocks: int = 1, to: str | None = None) -> list[str]:
        """Mines blocks holding what waits in the mempool; the reward goes to `to`, else to the miner's own wallet.
        Returns their hashes.
        """
        address = to or self._miner_address()
        hashes: list[str] = []
        while len(hashes) < blocks:
            hashes += self.rpc("generatetoaddress", min(blocks - len(hashes), MINE_BLOCKS_MAX), address)
        return hashes

    def fund(self, address: str, amount: int) -> str:
        """Pays satoshis from the miner's wallet, mining until it has enough; returns the txid, not mined yet."""
        self._miner_address()
        # Rewards halve every 150 blocks on regtest: what this many blocks cannot pay will never be there.
        for _ in range(10):
            if self.balance(MINER) > amount:
                return self.send(MINER, address, amount)
            self.mine(MATURITY_BLOCKS + 1)
        raise LabError(f"the miner cannot pay {amount} satoshis")

    def send(self, wallet: str, address: str, amount: int) -> str:
        """Pays satoshis from a wallet, which adds the fee; returns the txid, not mined yet."""
        return str(self.rpc("sendtoaddress", address, bitcoins(amount), wallet=wallet))

    def send_many(self, wallet: str, payments: dict[str, int]) -> str:
        """Pays satoshis to several addresses in one transaction; returns the txid, not mined yet."""
        outputs = {address: bitcoins(amount) for address, amount in payments.items()}
        return str(self.rpc("sendmany", "", outputs, wallet=wallet))

    def spend(self, wallets: list[str], coins: list[dict[str, Any]], payments: dict[str, int]) -> str:
        """Spends exactly these coins (as `coins` lists them) on these outputs; what is left over is the fee.
        Each wallet signs its part. Returns the txid, not mined yet. Raises LabError if a signature is missing.
        """
        inputs = [{"txid": coin["txid"], "vout": coin["vout"]} for coin in coins]
        outputs = [{address: bitcoins(amount)} for address, amount in payments.items()]
        raw = self.rpc("createrawtransaction", inputs, outputs)
        complete = False
        for wallet in wallets:
            signed = self.rpc("signrawtransactionwithwallet", raw, wallet=wallet)
            raw, complete = signed["hex"], signed["complete"]
        if not complete:
            raise LabError(f"the wallets {', '.join(wallets)} cannot sign for all of the coins")
        # A fee limit of 0 means none: tests spend odd leftovers.
        return str(self.rpc("sendrawtransaction", raw, 0))

    def reorg(self, depth: int, blocks: int | None = None) -> str:
        """Replaces the newest `depth` blocks by `blocks` empty ones (default: one more); the replaced transactions wait
        in the mempool again. Returns the new head's hash.
        """
        rivals = depth + 1 if blocks is None else blocks
        address = self._miner_address()
        self.rpc("invalidateblock", self.rpc("getblockhash", self.head() - depth + 1))
        for _ in range(rivals):
            self.rpc("generateblock", address, [])
        return self.head_hash()

    def _miner_address(self) -> str:
        """A fresh address: mining the same block to the same address would remake an invalidated one."""
        self.create_wallet(MINER)
        return self.new_address(MINER)

    def _configuration(self) -> str:
        top = ["regtest=1", "server=1", "rest=1", "fallbackfee=0.0002", "dbcache=16", "par=1", "printtoconsole=0"]
        section = [
            f"rpcuser={self.username}",
            f"rpcpassword={self.password}",
            f"rpcport={self.port}",
            f"rpcbind={LOOPBACK}",
            f"rpcallowip={LOOPBACK}",
            "listen=0",
            # A node that looks for nobody.
            "connect=0",
            *(f"zmqpub{topic}={address}" for topic, address in self.zmq.items()),
        ]
        return "\n".join([*top, "[regtest]", *section, ""])


def sats(amount: Decimal | int) -> int:
    """Whole satoshis of bitcoins as the node writes them. Raises LabError for a fraction of a satoshi."""
    units = amount * SATS_PER_BTC
    if units != int(units):
        raise LabError(f"{amount} BTC is not a whole number of satoshis")
    return int(units)


def bitcoins(amount: int) -> str:
    """Satoshis as the decimal string that the node reads exactly."""
    return f"{amount // SATS_PER_BTC}.{amount % SATS_PER_BTC:08d}"
