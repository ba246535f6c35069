"""A testimony of accounts and one token in tries that py-trie made, as a chain on three endpoints would write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rlp

from chains.core.testimony import opening, seal
from chains.core.values import Account
from chains.ethereum.address import spell
from chains.ethereum.settings import Settings
from chains.ethereum.verify.header import header_hash
from chains.ethereum.verify.layouts import Layout
from chains.ethereum.verify.trail import Trail
from tests.unit.ethereum.verify.tries import make_trie, other_hash, proof_of

CONTRACT = spell("0x" + "c0" * 20)
LAYOUT = Layout(3, key_last=False)
NAMES = ["endpoint-1", "endpoint-2", "endpoint-3"]
SETTINGS = Settings.model_validate(
    {
        "kind": "evm",
        "chain_id": 1,
        "native": "ETH",
        "endpoints": [{"url": f"http://127.0.0.1:{port}"} for port in (1, 2, 3)],
        "tokens": {"USDT": {"contract": CONTRACT}},
    }
)
DECIMALS = {"ETH": 18, "USDT": 6}
HEADER = {
    "parentHash": "0x" + "11" * 32,
    "sha3Uncles": "0x" + "22" * 32,
    "miner": "0x" + "33" * 20,
    "transactionsRoot": "0x" + "44" * 32,
    "receiptsRoot": "0x" + "55" * 32,
    "logsBloom": "0x" + "00" * 256,
    "difficulty": "0x0",
    "number": "0x64",
    "gasLimit": "0x1c9c380",
    "gasUsed": "0x0",
    "timestamp": "0x65e00000",
    "extraData": "0x",
    "mixHash": "0x" + "66" * 32,
    "nonce": "0x0000000000000000",
    "baseFeePerGas": "0x7",
}


def leaf(nonce: int, balance: int, storage: bytes) -> bytes:
    """An account as the state trie holds it, without code."""
    encoded: bytes = rlp.encode([nonce, balance, storage, other_hash(b"")])
    return encoded


class Made:
    """``ether`` and ``tokens``: units by address of those asked about; ``others``: accounts of somebody else.

    An address with neither ether nor a nonce is not in the trie at all.
    """

    def __init__(self, ether: Mapping[str, int], tokens: Mapping[str, int], others: Mapping[str, int]) -> None:
        self.ether = {spell(a): units for a, units in ether.items()}
        self.tokens = {spell(a): units for a, units in tokens.items()}
        self.storage = make_trie(
            {_slot_key(holder): rlp.encode(units) for holder, units in self.tokens.items() if units}
        )
        everyone = {a: u for a, u in ({spell(a): u for a, u in others.items()} | self.ether).items() if u}
        content = {_key(a): leaf(u % 7, u, other_hash(rlp.encode(b""))) for a, u in everyone.items()}
        self.state = make_trie(content | {_key(CONTRACT): leaf(1, 0, bytes(self.storage.root_hash))})

    @property
    def units(self) -> dict[Account, int]:
        """What a re-check must find."""
        held = {("ETH", a): u for a, u in self.ether.items()} | {("USDT", a): u for a, u in self.tokens.items()}
        return {Account("ethereum", address, asset): units for (asset, address), units in held.items()}

    def body(self) -> list[dict[str, Any]]:
        """The lines without their seal."""
        fields = HEADER | {"stateRoot": "0x" + bytes(self.state.root_hash).hex()}
        first = opening("ethereum", "evm", ["ETH", "USDT"], len(self.units)) | {"chain_id": "1", "zeros": [0, 0]}
        head = {"kind": "header", "hash": header_hash(fields), "recomputed": True}
        return [first, head | {"fields": fields, "endpoints": NAMES}, *self._accounts(), *self._token()]

    def lines(self) -> list[Any]:
        return list(seal(self.body()))

    def _accounts(self) -> list[dict[str, Any]]:
        trail, found = Trail(), []
        for address in sorted(self.ether, key=_key):
            units = self.ether[address]
            shared, own = trail.write(proof_of(self.state, _key(address)))
            line = {"kind": "account", "account": address, "units": str(units), "nonce": str(units % 7)}
            found.append(line | {"shared": shared, "nodes": own})
        return found

    def _token(self) -> list[dict[str, Any]]:
        if not self.tokens:
            return []
        holders = sorted(self.tokens)
        said = [{"endpoints": NAMES, "numbers": [str(self.tokens[a]) for a in holders]}]
        answers = {"kind": "answers", "asset": "USDT", "accounts": holders, "said": said}
        place = {"place": LAYOUT.place, "key_last": LAYOUT.key_last}
        nodes = proof_of(self.state, _key(CONTRACT))
        contract = {"kind": "contract", "asset": "USDT", "contract": CONTRACT, "nodes": nodes} | place
        trail, slots = Trail(), []
        for address in sorted(self.tokens, key=_slot_key):
            proof = proof_of(self.storage, _slot_key(address))
            shared, own = trail.write([] if proof == ["0x80"] else proof)
            line = {"kind": "slot", "holder": address, "units": str(self.tokens[address])}
            slots.append(line | {"shared": shared, "nodes": own})
        return [answers, contract, *slots]


def _key(address: str) -> bytes:
    return other_hash(bytes.fromhex(address[2:]))


def _slot_key(address: str) -> bytes:
    return other_hash(LAYOUT.slot(address).to_bytes(32, "big"))
