"""A whole answer of eth_getProof (EIP-1186), held against a state root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chains.core.errors import BadAnswer
from chains.core.hex import quantity
from chains.ethereum.verify.fields import Json, array, mapping, padded, text
from chains.ethereum.verify.proof import AccountState, Proofs

#: What nodes write for the code and the storage of an account that does not exist, besides the empty ones.
_NOTHING = "0x" + "0" * 64


@dataclass(frozen=True, slots=True)
class ProvedAccount:
    """What a proof shows of an account: its state and the words (0: none) of the slots that were asked for."""

    state: AccountState
    storage: Mapping[int, int]


def check_proof(proofs: Proofs, state_root: str, address: str, raw: Any, slots: Sequence[int] = ()) -> ProvedAccount:
    """What an answer proves; what it says beside its proofs must be the same.

    ``state_root``: of the header of the block that was asked for, which is agreed and re-hashed. ``slots``:
    in the order they were asked for. Raises BadAnswer.
    """
    answer = mapping(raw, "a proof")
    if text(answer.get("address"), "proof.address", 20) != address.lower():
        raise BadAnswer(f"was asked for a proof of {address} and gave one of {answer['address']}")
    state = proofs.account(state_root, address, array(answer, "accountProof", "proof.accountProof"))
    _compare("balance", quantity(answer.get("balance"), "proof.balance"), state.balance)
    _compare("nonce", quantity(answer.get("nonce"), "proof.nonce"), state.nonce)
    for name, proved in (("storageHash", state.storage_root), ("codeHash", state.code_hash)):
        stated = text(answer.get(name), f"proof.{name}", 32)
        if state.exists or stated != _NOTHING:
            _compare(name, stated, proved)
    entries = array(answer, "storageProof", "proof.storageProof") if slots else []
    if len(entries) != len(slots):
        raise BadAnswer(f"gave {len(entries)} storage proofs for {len(slots)} slots")
    words = {
        slot: _word(proofs, state, slot, mapping(entry, "a storage proof"))
        for slot, entry in zip(slots, entries, strict=True)
    }
    return ProvedAccount(state, words)


def _word(proofs: Proofs, state: AccountState, slot: int, entry: Json) -> int:
    # Nodes write keys as quantities or as 32 bytes.
    if padded(entry.get("key"), "storageProof.key") != slot:
        raise BadAnswer(f"was asked for slot {slot:#x} and gave a proof of another")
    word = proofs.storage(state.storage_root, slot, array(entry, "proof", "storageProof.proof"))
    _compare(f"slot {slot:#x}", padded(entry.get("value"), "storageProof.value"), word)
    return word


def _compare(name: str, stated: int | str, proved: int | str) -> None:
    if stated != proved:
        raise BadAnswer(f"says that {name} is {stated}, but its proof shows {proved}")
