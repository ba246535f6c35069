"""A case as alerts of Alertmanager's API version 2.

Labels identify an alert there, so they come from what a case has at its opening and never change;
everything that may still grow stands in the annotations. A case that makes its incident grow is two alerts:
its own, and the one that pages for the growth.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from monitor.detect.incidents import Growth
from monitor.ledger.encode import Json
from monitor.model import Case, CaseState, rfc3339
from monitor.publish.first_line import Form, Present, first_line
from monitor.publish.rules import Category, alert_name, rule_of
from monitor.publish.text import printable

#: an alert that is not repeated for this long ends by itself
HORIZON = timedelta(minutes=5)
#: the alert that pages for what an incident has become
GROWTH_ALERT = "PorwatchIncidentGrowth"
_SHOWN_DESTINATIONS = 5

_GROWN: Mapping[str, str] = {
    Growth.DOUBLED: "the value has doubled",
    Growth.CHAIN: "a new chain",
    Growth.TIER: "a new tier",
    Growth.URGENCY: "something more urgent",
    Growth.UNPRICED: "an asset without a price",
    Growth.WALLET: "a new wallet",
    Growth.REMAINS: "this case is still open, and what had paged is closed",
}


def render_alerts(case: Case, present: Present, form: Form) -> list[Json]:
    """The alerts of one case as of ``present``: firing while it is open, resolved once acknowledged or closed."""
    rule, now = rule_of(case.rule), present.at
    labels = {
        "alertname": alert_name(case.rule),
        "severity": case.severity.value,
        "category": rule.category.value,
        "rule": case.rule,
        "chain": case.chain,
        "wallet": case.wallet,
        "tier": None if case.tier is None else case.tier.value,
        "asset": case.asset,
        "case_id": case.id,
        "incident": case.incident,
        "incident_part": _part(case),
    }
    end = now + HORIZON if case.state is CaseState.OPEN else now
    alert = {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {
            "summary": first_line(case, present, form),
            "description": describe(case, present, form),
            "runbook_url": f"{form.external_url}/runbooks/{alert_name(case.rule)}",
        },
        "startsAt": rfc3339(case.opened_at),
        # An end before its start is refused as a whole.
        "endsAt": rfc3339(max(end, case.opened_at)),
        "generatorURL": f"{form.external_url}/cases/{case.id}",
    }
    return [alert, _growth(case, alert, form)] if case.growth else [alert]


def _part(case: Case) -> str | None:
    """What a case is to its incident, as it opened: only the first one pages by itself."""
    if case.incident is None:
        return None
    return "first" if case.incident == case.id else "further"


def _growth(case: Case, alert: Json, form: Form) -> Json:
    why = ", ".join(_GROWN.get(reason, reason) for reason in case.growth)
    # What spreads to another wallet is the first that is said of it, on this path and on the second.
    part = "spread" if Growth.WALLET in case.growth else "growth"
    labels = {"alertname": GROWTH_ALERT, "incident_part": part}
    said = alert["annotations"]
    return {
        **alert,
        "labels": {**alert["labels"], **labels},
        "annotations": {
            "summary": f"Incident {case.incident} has grown, {why}: {said['summary']}",
            "description": said["description"],
            "runbook_url": f"{form.external_url}/runbooks/{GROWTH_ALERT}",
        },
    }


def drill_alert(external_url: str, now: datetime) -> Json:
    """An alert that says it is a drill; it ends by itself."""
    return {
        "labels": {
            "alertname": "PorwatchDrill",
            "severity": "info",
            "category": Category.QUALITY.value,
            "rule": "drill",
        },
        "annotations": {
            "summary": "This is a drill of porwatch's alert delivery.",
            "description": f"Sent by `porwatch alerts test` at {rfc3339(now)}. Nothing has happened on any chain.",
        },
        "startsAt": rfc3339(now),
        "endsAt": rfc3339(now + HORIZON),
        "generatorURL": f"{external_url}/",
    }


def describe(case: Case, present: Present, form: Form) -> str:
    """What happened, in numbers, and what to check. One paragraph of plain text."""
    parts = [rule_of(case.rule).summary, _what(case, form)]
    parts.append(_where_to_redacted(case) if form.redact else _where_to(case, form))
    if not form.redact:
        # Subjects are names from outside: nobody knows what stands in them.
        parts += [_transaction(case, form), "" if case.subject is None else f"Subject: {printable(case.subject)}."]
        ceremony = case.evidence.get("ceremony")
        if isinstance(ceremony, Mapping):
            sentence = printable(str(ceremony["text"]))
            parts.append(f"{sentence[0].upper()}{sentence[1:]}.")
    if case.reorged_out:
        parts.append("Its block has since left the chain; the case stays open.")
    if "late_approval" in case.rules and case.rule != "late_approval":
        parts.append("An approval came only after the outflow.")
    parts += [_incident(case, present), rule_of(case.rule).check]
    return " ".join(part for part in parts if part)


def _what(case: Case, form: Form) -> str:
    place = " ".join(
        part
        for part in (
            f"wallet {case.wallet}" if case.wallet else "",
            f"({case.tier.value})" if case.tier else "",
            f"on {case.chain}" if case.chain else "",
        )
        if part
    )
    if case.asset is None or case.units is None:
        return f"{place[0].upper()}{place[1:]}." if place else ""
    amount = form.coins(case.asset, abs(case.units))
    if case.units < 0:
        amount += " more than recorded"
    value = case.value
    if value is not None:
        worth = form.money(Decimal(value["amount"]), value["currency"])
        amount += f", worth {worth} (price as of {value['price_as_of']})"
    return f"{amount}; {place}." if place else f"{amount}."


def _where_to(case: Case, form: Form) -> str:
    if not case.destinations or case.asset is None:
        return ""
    shown = [
        f"{d.address} ({form.coins(case.asset, d.units)}, {'known' if d.known else 'not known'} beforehand)"
        for d in case.destinations[:_SHOWN_DESTINATIONS]
    ]
    more = len(case.destinations) - len(shown)
    return f"To {', '.join(shown)}{f' and {more} more' if more else ''}."


def _where_to_redacted(case: Case) -> str:
    new = sum(not d.known for d in case.destinations)
    if not case.destinations:
        return ""
    return f"Destinations: {len(case.destinations)}, of these not known beforehand: {new}."


def _transaction(case: Case, form: Form) -> str:
    parts = []
    if case.txid:
        parts.append(f"transaction {case.txid}")
    if case.block is not None:
        parts.append(f"block {case.block.height}")
    if case.fee_asset and case.fee_units:
        parts.append(f"fee {form.coins(case.fee_asset, case.fee_units)}")
    sentence = ", ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}." if sentence else ""


def _incident(case: Case, present: Present) -> str:
    incident = present.incidents.get(case.incident or "")
    if incident is None or incident.cases == 1:
        return ""
    wallets, chains = _counted(len(incident.wallets), "wallet"), _counted(len(incident.chains), "chain")
    return f"Incident {incident.id}: {incident.cases} cases, {wallets}, {chains}."


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
