"""Withdrawals of a block, held against its withdrawalsRoot (EIP-4895)."""

from __future__ import annotations

from typing import Any

from chains.core.errors import BadAnswer
from chains.ethereum.verify import rlp
from chains.ethereum.verify.fields import Json, address_item, array, mapping, quantity_item, text
from chains.ethereum.verify.trie import ordered_root


def check_withdrawals(raw: Json) -> None:
    """Raises BadAnswer where a block's withdrawals are not those that its header commits to.

    ``raw``: the block, whose header is checked elsewhere. Before EIP-4895 it has neither.
    """
    if raw.get("withdrawalsRoot") is None:
        if raw.get("withdrawals"):
            raise BadAnswer("the block lists withdrawals, which its header does not commit to")
        return
    stated = text(raw["withdrawalsRoot"], "block.withdrawalsRoot", 32)
    found = "0x" + ordered_root([_encode(item) for item in array(raw, "withdrawals", "block.withdrawals")]).hex()
    if found != stated:
        raise BadAnswer(f"the block's withdrawals have the root {found}, its header says {stated}")


def _encode(raw: Any) -> bytes:
    item = mapping(raw, "a withdrawal")
    return rlp.encode_list(
        (
            quantity_item(item.get("index"), "withdrawal.index"),
            quantity_item(item.get("validatorIndex"), "withdrawal.validatorIndex"),
            address_item(item.get("address"), "withdrawal.address"),
            quantity_item(item.get("amount"), "withdrawal.amount"),
        )
    )
