"""What a node answers about one block, checked and turned into values. Pure: no node is asked here.

Addresses are lower-case hex inside this package. Forms: execution-apis; withdrawals EIP-4895; receipts'
price EIP-1559, blobs EIP-4844. Every function raises BadAnswer for an answer that cannot be true.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chains.core.errors import BadAnswer
from chains.core.hex import data, quantity
from chains.core.values import BlockRef

#: Withdrawals count in Gwei (EIP-4895).
WEI_PER_GWEI = 10**9
#: Fees that a layer-2 chain takes for its parent chain and its operator, on top of gas. They stand in its receipts.
LAYER_FEES = ("l1Fee", "operatorFee")
_SELECTOR = len("0x") + 8

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """One transaction as the block lists it. ``to`` is None where it creates a contract.

    ``minted``: wei that a layer-2 deposit credits to the sender even where the call itself fails.
    """

    hash: str
    position: int
    sender: str
    to: str | None
    value: int
    nonce: int
    selector: str
    minted: int


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What the consensus layer pays out in a block: wei, unconditionally."""

    address: str
    wei: int


@dataclass(frozen=True, slots=True)
class RawBlock:
    """One block, its transactions in order.

    ``miner`` is the fee recipient, ``base_fee`` wei for a unit of gas (0 before EIP-1559).
    """

    ref: BlockRef
    miner: str
    base_fee: int
    transactions: tuple[Sent, ...]
    withdrawals: tuple[Withdrawal, ...]


def header_ref(chain: str, raw: Any) -> BlockRef:
    """The reference of a block from any answer that carries its header."""
    if not isinstance(raw, Mapping):
        raise BadAnswer(f"a block must be an object, not {type(raw).__name__}")
    return BlockRef(
        chain=chain,
        height=quantity(raw.get("number"), "block.number"),
        hash=data(raw.get("hash"), "block.hash", 32),
        parent=data(raw.get("parentHash"), "block.parentHash", 32),
        time=quantity(raw.get("timestamp"), "block.timestamp"),
    )


def header_at(chain: str, raw: Any, height: int) -> BlockRef:
    """The same for a block that was asked for by number; a node without it is behind or wrong."""
    if raw is None:
        raise BadAnswer(f"has no block {height}: it is behind, or the chain is shorter")
    ref = header_ref(chain, raw)
    if ref.height != height:
        raise BadAnswer(f"was asked for block {height} and answered {ref.height}")
    return ref


def full_block(chain: str, raw: Any) -> RawBlock:
    """A block that was asked for with its transactions."""
    ref = header_ref(chain, raw)
    transactions = tuple(_sent(ref, n, item) for n, item in enumerate(_list(raw, "transactions")))
    if not transactions and _optional(raw, "gasUsed"):
        raise BadAnswer("the block used gas and lists no transaction")
    return RawBlock(
        ref=ref,
        miner=address(raw.get("miner"), "block.miner"),
        base_fee=_optional(raw, "baseFeePerGas"),
        transactions=transactions,
        withdrawals=tuple(_withdrawal(item) for item in _list(raw, "withdrawals", optional=True)),
    )


def _sent(ref: BlockRef, position: int, raw: Any) -> Sent:
    # Only what every transaction type has is asked for: a type that is new tomorrow must not stop the reading.
    if not isinstance(raw, Mapping):
        raise BadAnswer(f"transaction {position} must be an object, not {type(raw).__name__}")
    if raw.get("blockHash") not in (ref.hash, None) and data(raw["blockHash"], "transaction.blockHash", 32) != ref.hash:
        raise BadAnswer(f"transaction {position} names another block than the one it came in")
    if quantity(raw.get("transactionIndex"), "transaction.transactionIndex") != position:
        raise BadAnswer(f"transaction {position} says it is transaction {raw.get('transactionIndex')}")
    call = raw.get("input")
    return Sent(
        hash=data(raw.get("hash"), "transaction.hash", 32),
        position=position,
        sender=address(raw.get("from"), "transaction.from"),
        to=None if raw.get("to") is None else address(raw["to"], "transaction.to"),
        value=quantity(raw.get("value"), "transaction.value"),
        nonce=_optional(raw, "nonce"),
        selector=call[:_SELECTOR].lower() if isinstance(call, str) and len(call) >= _SELECTOR else "",
        minted=_optional(raw, "mint"),
    )


def _withdrawal(raw: Any) -> Withdrawal:
    if not isinstance(raw, Mapping):
        raise BadAnswer(f"a withdrawal must be an object, not {type(raw).__name__}")
    gwei = quantity(raw.get("amount"), "withdrawal.amount")
    return Withdrawal(address(raw.get("address"), "withdrawal.address"), gwei * WEI_PER_GWEI)


def check_receipts(block: RawBlock, raw: Any) -> dict[int, Json]:
    """All receipts of a block by position, each for the transaction at its place in this very block."""
    if not isinstance(raw, list):
        raise BadAnswer("has no receipts of a block it just named" if raw is None else "receipts must be a list")
    if len(raw) != len(block.transactions):
        raise BadAnswer(f"gave {len(raw)} receipts for {len(block.transactions)} transactions")
    return {sent.position: check_receipt(block, sent, item) for sent, item in zip(block.transactions, raw, strict=True)}


def check_receipt(block: RawBlock, sent: Sent, raw: Any) -> Json:
    """One receipt, which must be of this transaction in this block; so must be its logs."""
    if not isinstance(raw, Mapping):
        raise BadAnswer(f"has no receipt of {sent.hash}" if raw is None else "a receipt must be an object")
    if data(raw.get("blockHash"), "receipt.blockHash", 32) != block.ref.hash:
        raise BadAnswer(f"the receipt of {sent.hash} is from another block")
    if data(raw.get("transactionHash"), "receipt.transactionHash", 32) != sent.hash:
        raise BadAnswer(f"the receipt at position {sent.position} is of another transaction than {sent.hash}")
    if quantity(raw.get("transactionIndex"), "receipt.transactionIndex") != sent.position:
        raise BadAnswer(f"the receipt of {sent.hash} has another position than {sent.position}")
    check_logs(block, _list(raw, "logs"), sent)
    return raw


def check_logs(block: RawBlock, logs: Sequence[Any], sent: Sent | None = None) -> None:
    """Logs must be of this block (and of this transaction, where given), and not taken back."""
    for log in logs:
        if not isinstance(log, Mapping) or not isinstance(log.get("topics"), list):
            raise BadAnswer("a log must be an object with topics")
        if data(log.get("blockHash"), "log.blockHash", 32) != block.ref.hash:
            raise BadAnswer("a log is from another block")
        if log.get("removed") not in (None, False):
            raise BadAnswer("a log of the block is marked as removed")
        if sent is not None and data(log.get("transactionHash"), "log.transactionHash", 32) != sent.hash:
            raise BadAnswer(f"a log in the receipt of {sent.hash} is of another transaction")


def succeeded(receipt: Json) -> bool:
    """Whether the transaction took effect (EIP-658)."""
    status = quantity(receipt.get("status"), "receipt.status")
    if status > 1:
        raise BadAnswer(f"receipt.status must be 0x0 or 0x1, not {receipt.get('status')}")
    return status == 1


def fee(receipt: Json) -> int:
    """Wei that the sender paid for a transaction, whether it succeeded or not: gas, blobs, and the layer's own fees."""
    paid = quantity(receipt.get("gasUsed"), "receipt.gasUsed")
    paid *= quantity(receipt.get("effectiveGasPrice"), "receipt.effectiveGasPrice")
    blob_gas = _optional(receipt, "blobGasUsed")
    if blob_gas:
        paid += blob_gas * quantity(receipt.get("blobGasPrice"), "receipt.blobGasPrice")
    return paid + sum(_optional(receipt, name) for name in LAYER_FEES)


def tips(block: RawBlock, receipts: Mapping[int, Json]) -> int:
    """Wei that the fee recipient earned in a block: gas times what was paid above the base fee (EIP-1559).

    Transactions that a layer-2 chain itself puts into a block pay nothing at all; no other can pay
    less than the base fee. Needs every receipt of the block.
    """
    if len(receipts) != len(block.transactions):
        raise ValueError("the fee recipient's reward needs every receipt of the block")
    total = 0
    for receipt in receipts.values():
        price = quantity(receipt.get("effectiveGasPrice"), "receipt.effectiveGasPrice")
        total += quantity(receipt.get("gasUsed"), "receipt.gasUsed") * max(0, price - block.base_fee)
    return total


def address(value: Any, field: str) -> str:
    """An address in lower case."""
    return data(value, field, 20)


def _optional(raw: Json, name: str) -> int:
    value = raw.get(name)
    return 0 if value is None else quantity(value, name)


def _list(raw: Json, name: str, *, optional: bool = False) -> list[Any]:
    value = raw.get(name)
    if value is None and optional:
        return []
    if not isinstance(value, list):
        raise BadAnswer(f"{name} must be a list, not {type(value).__name__}")
    return value
