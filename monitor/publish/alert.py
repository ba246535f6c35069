"""A case as an alert of Alertmanager's API version 2.

Labels identify an alert there, so they come from what a case has at its opening and never change;
everything that may still grow stands in the annotations.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from monitor.ledger.encode import Json
from monitor.model import Case, CaseState, rfc3339
from monitor.publish.render import coins
from monitor.publish.rules import Category, alert_name, rule_of
from monitor.publish.text import printable

#: an alert that is not repeated for this long ends by itself
HORIZON = timedelta(minutes=5)
_SHOWN_DESTINATIONS = 5


def render_alert(case: Case, decimals: Mapping[str, int], external_url: str, now: datetime) -> Json:
    """The alert of one case as of ``now``: firing while it is open, resolved once acknowledged or closed."""
    rule = rule_of(case.rule)
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
    }
    end = now + HORIZON if case.state is CaseState.OPEN else now
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {
            "summary": rule.summary,
            "description": describe(case, decimals),
            "runbook_url": f"{external_url}/runbooks/{alert_name(case.rule)}",
        },
        "startsAt": rfc3339(case.opened_at),
        # An end before its start is refused as a whole.
        "endsAt": rfc3339(max(end, case.opened_at)),
        "generatorURL": f"{external_url}/api/v1/cases/{case.id}",
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


def describe(case: Case, decimals: Mapping[str, int]) -> str:
    """What happened, in numbers, and what to check. One paragraph of plain text."""
    parts = [_what(case, decimals), _where_to(case, decimals), _transaction(case, decimals)]
    if case.subject is not None:
        parts.append(f"Subject: {printable(case.subject)}.")
    if case.reorged_out:
        parts.append("Its block has since left the chain; the case stays open.")
    if "late_approval" in case.rules and case.rule != "late_approval":
        parts.append("An approval came only after the outflow.")
    parts.append(rule_of(case.rule).check)
    return " ".join(part for part in parts if part)


def _what(case: Case, decimals: Mapping[str, int]) -> str:
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
    amount = _amount(case.asset, abs(case.units), decimals)
    if case.units < 0:
        amount += " more than recorded"
    value = case.value
    if value is not None:
        amount += f", worth {value['amount']} {value['currency']} (price as of {value['price_as_of']})"
    return f"{amount}; {place}." if place else f"{amount}."


def _where_to(case: Case, decimals: Mapping[str, int]) -> str:
    if not case.destinations or case.asset is None:
        return ""
    shown = [
        f"{d.address} ({_amount(case.asset, d.units, decimals)}, {'known' if d.known else 'not known'} beforehand)"
        for d in case.destinations[:_SHOWN_DESTINATIONS]
    ]
    more = len(case.destinations) - len(shown)
    return f"To {', '.join(shown)}{f' and {more} more' if more else ''}."


def _transaction(case: Case, decimals: Mapping[str, int]) -> str:
    parts = []
    if case.txid:
        parts.append(f"transaction {case.txid}")
    if case.block is not None:
        parts.append(f"block {case.block.height}")
    if case.fee_asset and case.fee_units:
        parts.append(f"fee {_amount(case.fee_asset, case.fee_units, decimals)}")
    sentence = ", ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}." if sentence else ""


def _amount(asset: str, units: int, decimals: Mapping[str, int]) -> str:
    amount = coins(asset, units, decimals)
    return f"{units} base units of {asset}" if amount is None else f"{amount} {asset}"
