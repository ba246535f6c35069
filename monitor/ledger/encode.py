"""Values to canonical JSON and back, without loss: units as decimal strings, times as RFC 3339."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chains.core.values import BlockRef
from monitor.canonical import Json, canonical, parse
from monitor.model import (
    Approval,
    Case,
    CaseState,
    Destination,
    Event,
    Notice,
    Severity,
    Tier,
    rfc3339,
)

__all__ = [
    "Json",
    "approval_from_json",
    "approval_to_json",
    "block_from_json",
    "block_to_json",
    "canonical",
    "case_from_json",
    "case_to_json",
    "moment",
    "notice_to_json",
    "parse",
]


def moment(text: str) -> datetime:
    """A time as ``rfc3339`` writes it."""
    return datetime.fromisoformat(text)


def _moment(value: datetime | None) -> str | None:
    return None if value is None else rfc3339(value)


def _datetime(text: str | None) -> datetime | None:
    return None if text is None else moment(text)


def _units(value: int | None) -> str | None:
    return None if value is None else str(value)


def _int(text: str | None) -> int | None:
    return None if text is None else int(text)


def block_to_json(ref: BlockRef) -> Json:
    """A block reference as JSON."""
    return {"chain": ref.chain, "height": ref.height, "hash": ref.hash, "parent": ref.parent, "time": ref.time}


def block_from_json(body: Json) -> BlockRef:
    """The inverse of ``block_to_json``."""
    return BlockRef(body["chain"], body["height"], body["hash"], body["parent"], body["time"])


def approval_to_json(item: Approval) -> Json:
    """An approval as JSON."""
    return {
        "id": item.id,
        "chain": item.chain,
        "asset": item.asset,
        "units": str(item.units),
        "destination": item.destination,
        "wallet": item.wallet,
        "tag": item.tag,
        "not_before": _moment(item.not_before),
        "not_after": rfc3339(item.not_after),
        "max_fee": _units(item.max_fee),
        "txid": item.txid,
        "batch": item.batch,
        "digest": item.digest,
        "safe_tx_hash": item.safe_tx_hash,
        "outputs_hash": item.outputs_hash,
        "batch_size": item.batch_size,
    }


def approval_from_json(body: Json) -> Approval:
    """The inverse of ``approval_to_json``."""
    return Approval(
        id=body["id"],
        chain=body["chain"],
        asset=body["asset"],
        units=int(body["units"]),
        destination=body["destination"],
        wallet=body["wallet"],
        tag=body["tag"],
        not_before=_datetime(body["not_before"]),
        not_after=moment(body["not_after"]),
        max_fee=_int(body["max_fee"]),
        txid=body["txid"],
        batch=body["batch"],
        digest=body["digest"],
        # journals of the first versions do not have these
        safe_tx_hash=body.get("safe_tx_hash"),
        outputs_hash=body.get("outputs_hash"),
        batch_size=body.get("batch_size"),
    )


def _event_to_json(event: Event) -> list[Any]:
    line: list[Any] = [rfc3339(event.at), event.action, event.by, event.note]
    if event.how or event.notice is not None:
        line.append(event.how)
    if event.notice is not None:
        line.append(notice_to_json(event.notice))
    return line


def _event_from_json(line: list[Any]) -> Event:
    at, action, by, note, *rest = line
    how = rest[0] if rest else ""
    return Event(moment(at), action, by, note, how, Notice(**rest[1]) if len(rest) > 1 else None)


def notice_to_json(notice: Notice) -> Json:
    """Who was told, as JSON."""
    return {name: getattr(notice, name) for name in ("event", "authority", "channel", "content")}


def case_to_json(case: Case) -> Json:
    """A case with its whole history as JSON."""
    return {
        "id": case.id,
        "rule": case.rule,
        "rules": list(case.rules),
        "severity": case.severity.value,
        "state": case.state.value,
        "opened_at": rfc3339(case.opened_at),
        "chain": case.chain,
        "wallet": case.wallet,
        "tier": None if case.tier is None else case.tier.value,
        "asset": case.asset,
        "units": _units(case.units),
        "fee_asset": case.fee_asset,
        "fee_units": _units(case.fee_units),
        "destinations": [[d.address, str(d.units), d.known] for d in case.destinations],
        "txid": case.txid,
        "block": None if case.block is None else block_to_json(case.block),
        "seen_at": case.seen_at,
        "due_at": _moment(case.due_at),
        "reorged_out": case.reorged_out,
        "detected_after_ms": case.detected_after_ms,
        "subject": case.subject,
        "value": None if case.value is None else dict(case.value),
        "evidence": dict(case.evidence),
        "history": [_event_to_json(event) for event in case.history],
        "incident": case.incident,
        "growth": list(case.growth),
    }


def case_from_json(body: Json) -> Case:
    """The inverse of ``case_to_json``."""
    return Case(
        id=body["id"],
        rule=body["rule"],
        rules=tuple(body["rules"]),
        severity=Severity(body["severity"]),
        state=CaseState(body["state"]),
        opened_at=moment(body["opened_at"]),
        chain=body["chain"],
        wallet=body["wallet"],
        tier=None if body["tier"] is None else Tier(body["tier"]),
        asset=body["asset"],
        units=_int(body["units"]),
        fee_asset=body["fee_asset"],
        fee_units=_int(body["fee_units"]),
        destinations=tuple(Destination(address, int(units), known) for address, units, known in body["destinations"]),
        txid=body["txid"],
        block=None if body["block"] is None else block_from_json(body["block"]),
        seen_at=body["seen_at"],
        due_at=_datetime(body["due_at"]),
        reorged_out=body["reorged_out"],
        detected_after_ms=body["detected_after_ms"],
        subject=body["subject"],
        value=body["value"],
        evidence=body["evidence"],
        history=tuple(map(_event_from_json, body["history"])),
        # journals of the first versions do not have these
        incident=body.get("incident"),
        growth=tuple(body.get("growth", ())),
    )
