"""What a page says first, and what a redacted channel never says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.core.values import BlockRef
from monitor.detect import Incident, join, recorded
from monitor.ledger.reader import Cursor
from monitor.ledger.store import FeedState
from monitor.model import Case, CaseState, Destination, Event, Severity
from monitor.publish.alert import GROWTH_ALERT, render_alerts
from monitor.publish.band import band, coins_band
from monitor.publish.first_line import Form, Present, first_line
from tests.unit.publish.samples import BLOCK, DECIMALS, NOW, THEFT, THIEF, TXID, numbered

FORM = Form(DECIMALS, "https://porwatch.example")
REDACTED = replace(FORM, redact=True)
FEED = FeedState("approvals", "{}", NOW - timedelta(seconds=20), 5, 0, NOW)
CURSOR = Cursor(BlockRef("ethereum", 122, "0x", "0x", 1_789_999_999), 60)
EVIDENCE = {"source": "agreed by 2 endpoints or more", "blind_before_seconds": 12}


def incident(*cases: Case) -> Incident:
    whole = None
    for case in cases:
        whole = recorded(whole, case)
    assert whole is not None
    return whole


def present(*cases: Case, **changes: object) -> Present:
    found = {} if not cases else {cases[0].incident or "": incident(*cases)}
    now = Present(NOW + timedelta(seconds=30), {"ethereum": CURSOR}, approvals=FEED, incidents=found)
    return replace(now, **changes)  # type: ignore[arg-type]


FIRST, SECOND = join([replace(THEFT, evidence=EVIDENCE), numbered(2, asset="ETH", units=10**18)], [])


def test_the_first_line_of_an_incident_says_everything_that_must_be_known() -> None:
    assert first_line(FIRST, present(FIRST, SECOND), FORM) == (
        "JPY 75000.00 (price of 2026-09-21T00:00:00Z) in 2 cases · hot · ETH, USDT · "
        "2 destinations, a new one among them · 3 confirmations · still running, last case 28 s ago · "
        "approvals healthy · blind for 12 s before"
    )


def test_a_case_that_only_joined_speaks_for_itself() -> None:
    line = first_line(SECOND, present(FIRST, SECOND), FORM)
    assert line.startswith("JPY 37500.00 (price of 2026-09-21T00:00:00Z) · hot · ETH · destination new · ")


def test_what_is_unknown_says_so() -> None:
    bare = replace(THEFT, value=None, tier=None, destinations=(), block=None, evidence={})
    assert first_line(bare, Present(NOW), FORM) == (
        "value unknown, no price: 250.000001 USDT · tier unknown · USDT · destination unknown · "
        "confirmations unknown · approvals never read · blind time before unknown"
    )
    lost = replace(FIRST, evidence={"blind_before_seconds": None})
    line = first_line(lost, present(), FORM)
    assert "still running: unknown" in line
    assert line.endswith("blind time before unknown")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": False}, "no approvals source configured"),
        ({"approvals": None}, "approvals never read"),
        ({"approvals": replace(FEED, heartbeat=None)}, "approvals without heartbeat"),
        ({"approvals": replace(FEED, heartbeat=NOW - timedelta(seconds=60))}, "approvals healthy"),
        (
            {"approvals": replace(FEED, heartbeat=NOW - timedelta(seconds=61))},
            "approvals BLIND since 2026-09-21T14:12:19Z",
        ),
    ],
)
def test_the_approvals_feed_is_healthy_blind_or_unknown(changes: dict[str, object], said: str) -> None:
    assert f" · {said} · " in first_line(FIRST, present(FIRST, **changes), FORM)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reorged_out": True}, "its block has left the chain"),
        ({"evidence": {"unconfirmed": True}}, "unconfirmed, too few endpoints show it"),
        ({"block": replace(BLOCK, height=122)}, "1 confirmation"),
        ({"block": replace(BLOCK, height=123)}, "confirmations unknown"),
        ({"chain": "bitcoin"}, "confirmations unknown"),
    ],
)
def test_confirmations_are_counted_from_the_cursor(changes: dict[str, object], said: str) -> None:
    assert f" · {said} · " in first_line(replace(FIRST, **changes), present(FIRST), FORM)  # type: ignore[arg-type]


def test_an_incident_without_a_case_for_half_an_hour_is_quiet_not_over() -> None:
    late = present(FIRST, at=NOW + timedelta(minutes=31))
    assert " · no further case for 31 min · " in first_line(FIRST, late, FORM)


def test_known_destinations_are_called_known() -> None:
    known = replace(FIRST, destinations=(Destination(THIEF, 1, known=True),) * 2)
    assert "2 destinations, all known" in first_line(known, present(known), FORM)


def test_24_tokens_fit_into_one_line() -> None:
    tokens = join([numbered(n, asset=f"T{n:02}", value=None) for n in range(24)], [])
    line = first_line(tokens[0], present(*tokens), FORM)
    assert "T00, T01, T02, T03, T04 and 19 more" in line
    assert "\n" not in line
    assert len(line) < 500


def test_growth_is_an_alert_of_its_own_beside_the_alert_of_its_case() -> None:
    grown = replace(SECOND, growth=("doubled", "chain"))
    own, growth = render_alerts(grown, present(FIRST, grown), FORM)
    assert own["labels"]["incident_part"] == "further"
    assert growth["labels"] == {
        **own["labels"],
        "alertname": GROWTH_ALERT,
        "incident_part": "growth",
    }
    spread = render_alerts(replace(grown, growth=("chain", "wallet")), present(FIRST, grown), FORM)[1]
    assert spread["labels"]["incident_part"] == "spread"
    assert growth["annotations"]["summary"].startswith(
        f"Incident {FIRST.id} has grown, the value has doubled, a new chain: JPY 75000.00"
    )
    assert growth["annotations"]["runbook_url"].endswith("/runbooks/PorwatchIncidentGrowth")
    assert (growth["startsAt"], growth["endsAt"]) == (own["startsAt"], own["endsAt"])
    ended = render_alerts(replace(grown, state=CaseState.ACKNOWLEDGED), present(FIRST, grown), FORM)
    assert {alert["endsAt"] for alert in ended} == {"2026-09-21T14:13:50Z"}


def test_a_growth_of_a_newer_version_is_told_all_the_same() -> None:
    grown = replace(SECOND, growth=("brand_new",))
    assert "has grown, brand_new: " in render_alerts(grown, present(FIRST, grown), FORM)[1]["annotations"]["summary"]


def test_a_case_without_an_incident_has_the_labels_it_always_had() -> None:
    (alert,) = render_alerts(THEFT, present(), FORM)
    assert not {"incident", "incident_part"} & set(alert["labels"])


def test_a_redacted_channel_keeps_the_magnitude_and_nothing_that_leads_to_the_transaction() -> None:
    grown = replace(FIRST, growth=("doubled",), subject=THIEF)
    said = json.dumps(render_alerts(grown, present(grown, SECOND), REDACTED))
    for secret in (THIEF, TXID, "250.000001", "250000001", "37500", "75000", "0.000021", "block 120"):
        assert secret not in said
    (own, growth) = render_alerts(grown, present(grown, SECOND), REDACTED)
    assert own["annotations"]["description"] == (
        "Assets left a wallet and no approval explains it. 10^2 to 10^3 USDT, worth JPY 10^4 to 10^5 "
        "(price as of 2026-09-21T00:00:00Z); wallet eth-hot (hot) on ethereum. "
        f"Destinations: 1, of these not known beforehand: 1. Incident {FIRST.id}: 2 cases, 1 wallet, 1 chain. "
        "Check whether an approval is missing in the books before anything else leaves the wallet."
    )
    assert growth["annotations"]["summary"].startswith(
        f"Incident {FIRST.id} has grown, the value has doubled: JPY 10^4 to"
    )


_TEXTS = st.text("0123456789abcdefx", min_size=12, max_size=40)


@given(_TEXTS, _TEXTS, st.integers(10**7, 10**30))
def test_no_address_transaction_or_exact_amount_is_in_a_redacted_alert(address: str, txid: str, units: int) -> None:
    case = Case(
        "c0ffee", "unexplained_outflow", ("unexplained_outflow",), Severity.CRITICAL, CaseState.OPEN, NOW,
        chain="ethereum", wallet="w", asset="USDT", units=units, destinations=(Destination(address, units, known=False),),
        txid=txid, block=BLOCK, subject=address, evidence={"transaction": {"from": address}},
        history=(Event(NOW, "opened", "porwatch", txid),),
    )  # fmt: skip
    said = json.dumps(render_alerts(case, present(), REDACTED))
    assert address not in said
    assert txid not in said
    assert str(units) not in said
    assert re.search(r"10\^\d+ to 10\^\d+ USDT", said)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("0", "0"),
        ("0.00", "0"),
        ("1", "10^0 to 10^1"),
        ("9.99", "10^0 to 10^1"),
        ("10", "10^1 to 10^2"),
        ("0.05", "10^-2 to 10^-1"),
        ("1200000000.00", "10^9 to 10^10"),
        ("9" * 90, "10^89 to 10^90"),
    ],
)
def test_a_band_has_its_lower_end_and_not_its_upper_one(amount: str, expected: str) -> None:
    assert band(Decimal(amount)) == expected


@given(st.integers(1, 10**77), st.integers(0, 18))
def test_an_amount_lies_in_its_band_exactly(units: int, decimals: int) -> None:
    low, high = re.fullmatch(r"10\^(-?\d+) to 10\^(-?\d+) X", coins_band("X", units, {"X": decimals})).groups()  # type: ignore[union-attr]
    assert int(high) == int(low) + 1
    assert 10 ** (int(low) + decimals) <= units < 10 ** (int(high) + decimals)


def test_an_asset_without_decimals_has_no_band() -> None:
    assert coins_band("GONE", 5, DECIMALS) == "an unknown amount of GONE"
