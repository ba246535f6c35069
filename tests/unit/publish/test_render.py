from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from chains.core.amounts import parse_units
from monitor.model import Approval, Case, CaseState, Severity
from monitor.publish.render import render_approval, render_case
from tests.unit.publish.samples import BLOCK, DECIMALS, NOW, SCOPE, THEFT, THIEF, TXID

FIELDS = [
    "id", "rule", "rules", "severity", "state", "due_at", "chain", "wallet", "tier", "asset", "amount", "units", "fee",
    "value", "destinations", "txid", "block", "seen_at", "reorged_out", "opened_at", "detected_after_seconds",
    "incident", "growth", "evidence", "history",
]  # fmt: skip


def test_a_case_is_rendered_as_the_public_interface_says() -> None:
    assert render_case(THEFT, DECIMALS) == {
        "id": "c0ffee0000000001",
        "rule": "unexplained_outflow",
        "rules": ["unexplained_outflow"],
        "severity": "critical",
        "state": "open",
        "due_at": None,
        "chain": "ethereum",
        "wallet": "eth-hot",
        "tier": "hot",
        "asset": "USDT",
        "amount": "250.000001",
        "units": "250000001",
        "fee": "0.000021000000000000",
        "value": {"amount": "37500.00", "currency": "JPY", "price_as_of": "2026-09-21T00:00:00Z"},
        "destinations": [{"address": THIEF, "amount": "250.000001", "known": False}],
        "txid": TXID,
        "block": {"height": 120, "hash": BLOCK.hash, "time": "2026-09-21T14:13:10Z"},
        "seen_at": "seen",
        "reorged_out": False,
        "opened_at": "2026-09-21T14:13:20Z",
        "detected_after_seconds": 0.42,
        "incident": None,
        "growth": [],
        "evidence": {"source": "claimed by one endpoint"},
        "history": [
            {
                "at": "2026-09-21T14:13:20Z",
                "action": "opened",
                "by": "porwatch",
                "note": "",
                "how": None,
                "notice": None,
            }
        ],
    }


def test_fields_that_do_not_apply_are_null_and_never_absent() -> None:
    case = Case("1", "altered_approval", ("altered_approval",), Severity.CRITICAL, CaseState.OPEN, NOW, subject="w-1")
    body = render_case(case, DECIMALS)
    assert list(body) == FIELDS
    assert {name for name, value in body.items() if value is None} == {
        "due_at", "chain", "wallet", "tier", "asset", "amount", "units", "fee", "value", "txid", "block", "seen_at",
        "detected_after_seconds", "incident",
    }  # fmt: skip
    assert body["evidence"] == {"subject": "w-1"}


def test_every_field_of_a_case_reaches_the_reader() -> None:
    """A field added to Case must be rendered, or be named here as a part of another one."""
    shown_inside = {
        "subject": "evidence",
        "fee_asset": "fee",
        "fee_units": "fee",
        "detected_after_ms": "detected_after_seconds",
    }
    names = {shown_inside.get(field.name, field.name) for field in fields(Case)}
    assert names | {"amount"} == set(FIELDS)


def test_a_pending_case_says_when_it_comes_due() -> None:
    case = replace(THEFT, state=CaseState.PENDING, due_at=NOW + timedelta(seconds=120))
    assert render_case(case, DECIMALS)["due_at"] == "2026-09-21T14:15:20Z"


def test_an_asset_that_left_the_configuration_keeps_its_units() -> None:
    body = render_case(THEFT, {"ETH": 18})
    assert body["amount"] is None
    assert body["units"] == "250000001"


@given(st.integers(min_value=-(2**255), max_value=2**256), st.integers(min_value=0, max_value=36))
def test_no_amount_loses_a_unit_on_its_way_through_json(units: int, decimals: int) -> None:
    body = json.loads(json.dumps(render_case(replace(THEFT, units=units), {"USDT": decimals, "ETH": 18})))
    assert parse_units(body["amount"], decimals) == units == int(body["units"])


def test_an_approval_is_rendered_as_it_was_declared() -> None:
    approval = Approval(
        "w-1", "ethereum", "USDT", 5, THIEF, None, None, None, NOW, max_fee=10**16, txid=None, batch=None, digest="d"
    )
    body = render_approval(approval, "used", NOW, SCOPE)
    assert (body["amount"], body["max_fee"], body["not_before"]) == ("0.000005", "0.010000000000000000", None)
    assert (body["state"], body["first_read"]) == ("used", "2026-09-21T14:13:20Z")
