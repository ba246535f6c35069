"""A whole block, held against the header that endpoints agreed on. Pure.

The header commits to the transactions, the receipts with their logs, and the withdrawals. What re-computes
is complete: nothing was left out, added or changed. What cannot be re-computed is told in a sentence; what
differs is a ``Lie`` with evidence for whoever runs the endpoint.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from typing import Any

from chains.core.errors import BadAnswer
from chains.core.quorum import Lie
from chains.ethereum.blocks import Json
from chains.ethereum.headers import REMEDY, header_text
from chains.ethereum.verify.header import header_hash
from chains.ethereum.verify.receipts import check_derived, check_receipts, encode_receipt
from chains.ethereum.verify.transactions import (
    UnverifiableTransaction,
    check_senders,
    check_transactions,
    encode_transaction,
)
from chains.ethereum.verify.withdrawals import check_withdrawals

UNPROVED_LOGS = "this endpoint has no eth_getBlockReceipts: receipts and logs are not held against receiptsRoot"
#: Whether recovering the key behind a signature costs microseconds. In pure Python a block would take seconds.
RECOVERS_FAST = importlib.util.find_spec("coincurve") is not None


def check_block(raw: Json) -> tuple[UnverifiableTransaction, ...]:
    """Holds header, transactions and withdrawals of a block against its hash.

    Returns the transactions of unknown types, for which that cannot be done. Those that nobody signed are
    proved by their root like all others, but for their own hash and sender: development nodes make them. Raises
    Lie where something contradicts the hash, BadAnswer for what has not the form of a block.
    """
    _check_header(raw)
    _judge("withdrawals_root", raw, "withdrawals", lambda: check_withdrawals(raw), lambda: None)
    sent: Sequence[Any] = raw["transactions"]
    unverifiable = _judge(
        "transactions_root",
        raw,
        "transactions",
        lambda: check_transactions(raw),
        lambda: [encode_transaction(each) for each in sent],
    )
    if RECOVERS_FAST:
        _judge("sender", raw, "transactions", lambda: check_senders(raw), lambda: None)
    return tuple(each for each in unverifiable if not each.unsigned)


def check_all_receipts(
    raw: Json, receipts: Sequence[Any] | None, unknown: Sequence[UnverifiableTransaction]
) -> tuple[str, ...]:
    """Holds the receipts of a checked block against it; what could not be, of the whole block, as sentences.

    ``receipts``: of all transactions, None where the endpoint does not give them at once; ``unknown``: what
    ``check_block`` returned. Raises as that.
    """
    sentences = [_unknown("transactions", "transactionsRoot", unknown)] if unknown else []
    if receipts is None:
        return (*sentences, UNPROVED_LOGS)
    answer = {**raw, "receipts": receipts}
    unproved = _judge(
        "receipts_root",
        answer,
        "receipts",
        lambda: check_receipts(raw, receipts),
        lambda: [encode_receipt(each) for each in receipts],
    )
    if unproved:
        sentences.append(_unknown("receipts", "receiptsRoot", unproved))
    elif not unknown:
        # Fees and created contracts follow from the roots by the rules of layer 1. Chains with types of their own have
        # rules of their own.
        _judge("receipt", answer, "receipts", lambda: check_derived(raw, receipts), lambda: None)
    return tuple(sentences)


def _check_header(raw: Json) -> None:
    found = header_hash(raw)
    if found != raw["hash"].lower():
        message = f"says that the block's hash is {raw['hash']}, but its header hashes to {found}"
        raise Lie("header_hash", message, {"answered": header_text(raw), "hashes_to": found})


def _judge(
    kind: str,
    raw: Json,
    part: str,
    check: Callable[[], tuple[UnverifiableTransaction, ...] | None],
    form: Callable[[], object],
) -> tuple[UnverifiableTransaction, ...]:
    """What ``check`` found; its refusal is a lie where the data have the right form, else ``form`` raises as well."""
    try:
        return check() or ()
    except BadAnswer as error:
        form()
        evidence = {
            "asked": f"block {raw['hash']} and its {part}",
            "header": header_text({key: value for key, value in raw.items() if key != "receipts"}),
            "answered": json.dumps(raw.get(part), default=str),
            "refuted_by": str(error),
        }
        raise Lie(kind, f"{error}: {REMEDY}", evidence) from error


def _unknown(what: str, root: str, found: Sequence[UnverifiableTransaction]) -> str:
    types = ", ".join(str(kind) for kind in sorted({each.type for each in found}))
    return f"transactions of types that this version does not know ({types}): {what} are not held against {root}"
