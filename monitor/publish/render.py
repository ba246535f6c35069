"""Cases and approvals as the API, the command line and evidence show them.

Amounts are plain decimal strings of coins; every field is there, null where it does not apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from chains.core.amounts import format_coins
from monitor.ledger.encode import Json, notice_to_json
from monitor.model import Approval, Case, rfc3339, utc
from monitor.publish.scope import Scope


def render_case(case: Case, decimals: Mapping[str, int]) -> Json:
    """One case in the form of the public interface. ``decimals`` by asset."""
    return {
        "id": case.id,
        "rule": case.rule,
        "rules": list(case.rules),
        "severity": case.severity.value,
        "state": case.state.value,
        "due_at": _time(case.due_at),
        "chain": case.chain,
        "wallet": case.wallet,
        "tier": None if case.tier is None else case.tier.value,
        "asset": case.asset,
        "amount": coins(case.asset, case.units, decimals),
        "units": None if case.units is None else str(case.units),
        "fee": coins(case.fee_asset, case.fee_units, decimals),
        "value": None if case.value is None else dict(case.value),
        "destinations": [
            {"address": d.address, "amount": coins(case.asset, d.units, decimals), "known": d.known}
            for d in case.destinations
        ],
        "txid": case.txid,
        "block": None
        if case.block is None
        else {"height": case.block.height, "hash": case.block.hash, "time": rfc3339(utc(case.block.time))},
        "seen_at": case.seen_at,
        "reorged_out": case.reorged_out,
        "opened_at": rfc3339(case.opened_at),
        "detected_after_seconds": None if case.detected_after_ms is None else case.detected_after_ms / 1000,
        "incident": case.incident,
        "growth": list(case.growth),
        "evidence": _evidence(case),
        "history": [
            {
                "at": rfc3339(e.at),
                "action": e.action,
                "by": e.by,
                "note": e.note,
                "how": e.how or None,
                "notice": None if e.notice is None else notice_to_json(e.notice),
            }
            for e in case.history
        ],
    }


def render_approval(approval: Approval, state: str, first_read: datetime, scope: Scope) -> Json:
    """One approval as it was declared, with its ``state`` (open, used, cancelled) and when it was first read."""
    native = scope.assets.get(approval.chain, (None,))[0]
    return {
        "id": approval.id,
        "chain": approval.chain,
        "asset": approval.asset,
        "amount": coins(approval.asset, approval.units, scope.decimals),
        "destination": approval.destination,
        "tag": approval.tag,
        "wallet": approval.wallet,
        "not_before": _time(approval.not_before),
        "not_after": rfc3339(approval.not_after),
        "max_fee": coins(native, approval.max_fee, scope.decimals),
        "txid": approval.txid,
        "batch": approval.batch,
        "batch_size": approval.batch_size,
        "safe_tx_hash": approval.safe_tx_hash,
        "outputs_hash": approval.outputs_hash,
        "state": state,
        "first_read": rfc3339(first_read),
    }


def coins(asset: str | None, units: int | None, decimals: Mapping[str, int]) -> str | None:
    """Coins of an amount, or None where there is none.

    An asset that has left the configuration has no known decimals: its amount is None, and
    ``units`` beside it still says how much.
    """
    if asset is None or units is None or asset not in decimals:
        return None
    return format_coins(units, decimals[asset])


def _evidence(case: Case) -> Json:
    return dict(case.evidence) if case.subject is None else {"subject": case.subject, **case.evidence}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
