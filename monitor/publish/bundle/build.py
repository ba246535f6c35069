"""The report object as a function of the evidence, and of nothing else. Pure: `report` and `verify` both run this."""

from __future__ import annotations

from monitor.canonical import Json
from monitor.model import rfc3339, utc
from monitor.publish.bundle import events, handed_in, holdings, limits, period, requirements
from monitor.publish.bundle.cells import business_day
from monitor.publish.bundle.context import Context, context_of
from monitor.publish.bundle.evidence import Evidence
from monitor.publish.report.fields import View
from monitor.publish.report.schema import SCHEMA, validate
from monitor.publish.report.views import view_of
from monitor.rules.codec import digest

#: views need a key to hide customers by; this report has none to hide, which view_of's second lock makes sure of
_NO_CUSTOMERS = b"this report names no customer"


def build(evidence: Evidence) -> Json:
    """The report, in the view that its answers name. Raises BadEvidence, ReportInvalid."""
    report = build_full(evidence)
    view = View(evidence.answers.view)
    if view is View.FULL:
        return report
    for rows in (
        report["blocks"]["liabilities"]["tables"]["negative"],
        report["blocks"]["liabilities"]["tables"]["excluded"],
    ):
        assert not rows, "a row about a customer needs a secret key for its pseudonym"
    return view_of(report, view, pseudonym_key=_NO_CUSTOMERS)


def build_full(evidence: Evidence) -> Json:
    """The whole report. Raises BadEvidence, ReportInvalid."""
    context = context_of(evidence)
    reconciliation = holdings.reconciliation(context)
    reconciliation["tables"].update(period.movements(context))
    report = {
        "schema": SCHEMA,
        "header": _header(context),
        "blocks": {
            "reconciliation": reconciliation,
            "coverage_series": period.coverage_series(context),
            "requirements": requirements.requirements(context),
            "reserve": requirements.reserve(context),
            "liabilities": requirements.liabilities(context),
            "assets": holdings.assets(context),
            "in_transit": holdings.in_transit(context),
            "segregation": holdings.segregation(context),
            "custodians": holdings.custodians(context),
            "fiat": handed_in.fiat(context),
            "exceptions": events.exceptions(context),
            "alerts": events.alerts(context),
            "limitations": limits.limitations(context),
            "evidence": limits.evidence(context),
            **handed_in.handover(context),
        },
    }
    validate(report)
    return report


def _header(context: Context) -> Json:
    inputs, answers = context.inputs, context.evidence.answers
    facts = inputs.facts
    day = business_day(inputs.at, facts.timezone).isoformat()
    approval = answers.approval
    has_period = context.begin < inputs.at
    return {
        "report_id": f"{day}-{inputs.number}",
        "entity": {"name": facts.entity, "lei": answers.lei, "registration": answers.registration},
        "currency": facts.currency,
        "timezone": facts.timezone,
        "as_of": rfc3339(inputs.at),
        "period": {"from": answers.begin, "to": rfc3339(inputs.at)} if has_period else None,
        "business_date": day,
        "anchors": [
            {
                "chain": name,
                "height": ref.height,
                "hash": ref.hash,
                "time": rfc3339(utc(ref.time)),
                "finality": answers.finality.get(name, "as configured"),
            }
            for name, ref in sorted(inputs.anchors.items())
        ],
        "profiles": [
            {"id": each.id, "version": each.version, "sha256": digest(each), "status": each.status.value}
            for each in context.profiles
        ],
        "prepared_by": answers.prepared_by,
        "prepared_at": answers.prepared_at,
        "approved_by": None if approval is None else approval.by,
        "approved_at": None if approval is None else approval.at,
        "software": {"version": answers.software, "commit": None},
        "previous_report": answers.previous,
        "parent": None,
        "preset": answers.preset,
        "view": View.FULL.value,
        "assets": {asset: {"decimals": decimals} for asset, decimals in facts.assets.items()},
    }
