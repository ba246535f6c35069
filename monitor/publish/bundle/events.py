"""The blocks about what happened: cases, alerts, and what a breach asks for."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from monitor.canonical import Json
from monitor.model import Case, CaseState, rfc3339
from monitor.publish.bundle.cells import business_day, cut, day, money, units, units_of
from monitor.publish.bundle.context import Context, Rows
from monitor.publish.bundle.notices import notifications, recipients
from monitor.rules.profile import Rule

_RESOLVED = CaseState.CLOSED
#: what people do with a case
_BY_PEOPLE = frozenset({"acknowledged", "closed"})
_WAITING = (CaseState.OPEN, CaseState.ACKNOWLEDGED)


def exceptions(context: Context) -> Json:
    """Every case that stood open at the close or was closed in the period, and the cure clock of every breach."""
    shown = [case for case in context.cases.values() if _of_period(context, case)]
    legal = _legal(context)
    return {
        "facts": {
            "open": sum(case.state in _WAITING for case in shown),
            "overdue": sum(row["overdue"] == "yes" for row in legal),
            "closed": sum(case.state is _RESOLVED for case in shown),
        },
        "tables": {
            "cases": [_case(context, case) for case in shown],
            "legal": legal,
            "notifications": notifications(context, shown),
        },
    }


def _of_period(context: Context, case: Case) -> bool:
    closed = _closed_at(case)
    return case.state is not _RESOLVED or closed is None or closed >= context.begin


def _closed_at(case: Case) -> datetime | None:
    if case.state is not _RESOLVED or not case.history:
        return None
    return next((event.at for event in reversed(case.history) if event.notice is None), None)


def _case(context: Context, case: Case) -> Json:
    closed, last = _closed_at(case), case.history[-1] if case.history else None
    until = context.inputs.at if closed is None else closed
    asset = case.asset if case.asset in context.inputs.facts.assets else None
    amount = case.units if asset is not None else None
    return {
        "case": case.id,
        "rule": case.rule,
        "severity": case.severity.value,
        "state": case.state.value,
        "opened_at": rfc3339(case.opened_at),
        "age_days": max(0, (until - case.opened_at).days),
        "chain": case.chain,
        "wallet": case.wallet,
        "asset": asset,
        "gap": units(amount),
        "gap_value": None if asset is None else money(context.prices.worth(asset, amount)),
        "cause": case.subject and cut(case.subject),
        "action": None if last is None else cut(f"{last.action}: {last.note}" if last.note else last.action),
        "owner": None if last is None else cut(last.by),
        "closed_at": None if closed is None else rfc3339(closed),
        "evidence": case.txid,
    }


def _legal(context: Context) -> Rows:
    """A row for each breach: since when, and by when the law wants it cured."""
    rules = {(profile.id, rule.id): rule for profile in context.profiles for rule in profile.rules}
    zone, today = context.inputs.facts.timezone, business_day(context.inputs.at, context.inputs.facts.timezone)
    rows = []
    for check in context.checks():
        if check["verdict"] != "BREACH":
            continue
        rule = rules.get((check["profile"], check["id"]))
        since = datetime.fromisoformat(check["breached_since"] or rfc3339(context.inputs.at))
        asset, due = check["asset"], day(check["due"])
        gap = None
        if asset is not None and check["margin"] is not None:
            gap = units_of(check["margin"].removeprefix("-"), context.inputs.facts.assets[asset])
        rows.append(
            {
                "case": " ".join(filter(None, (check["profile"], check["id"], asset))),
                "profile": check["profile"],
                "check": check["id"],
                "asset": asset,
                "detected_on": since.astimezone(ZoneInfo(zone)).date().isoformat(),
                "gap": gap,
                "gap_value": None if gap is None else money(context.prices.worth(asset, int(gap))),
                "cure_days": _cure_days(rule),
                "cure_due": due,
                "cure_verified": None if rule is None or rule.cure is None else rule.cure.verified.value,
                "overdue": "yes" if due is not None and date.fromisoformat(due) < today else "no",
                "state": "open",
                "closed_on": None,
            }
        )
    return rows


def _cure_days(rule: Rule | None) -> int | None:
    return None if rule is None or rule.cure is None else rule.cure.n


def alerts(context: Context) -> Json:
    """Every case that paged in the period, with the time from the block to the alert."""
    rows = []
    for case in context.cases.values():
        if case.opened_at < context.begin or case.state is CaseState.PENDING:
            continue
        asset = case.asset if case.asset in context.inputs.facts.assets else None
        latency = None if case.detected_after_ms is None else money(Decimal(case.detected_after_ms).scaleb(-3))
        rows.append(
            {
                "case": case.id,
                "rule": case.rule,
                "severity": case.severity.value,
                "event_at": None if case.block is None else _block_time(case),
                "detected_at": rfc3339(case.opened_at),
                "latency_seconds": latency,
                "asset": asset,
                "quantity": units(case.units) if asset is not None else None,
                "decision": _decision(case),
                "owner": next((cut(event.by) for event in reversed(case.history) if event.action in _BY_PEOPLE), None),
            }
        )
    return {"facts": {"alerts": len(rows)}, "tables": {"alerts": rows, "recipients": recipients(context)}}


def _decision(case: Case) -> str:
    """What became of an alert; the reason stands beside the case."""
    if case.state is not _RESOLVED:
        return "acknowledged" if case.state is CaseState.ACKNOWLEDGED else "undecided"
    return "approved_later" if "late_approval" in case.rules else "closed"


def _block_time(case: Case) -> str | None:
    return None if case.block is None else rfc3339(datetime.fromtimestamp(case.block.time, ZoneInfo("UTC")))
