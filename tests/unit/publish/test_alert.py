from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor.model import Case, CaseState, Destination, Event, Severity
from monitor.publish.alert import HORIZON, drill_alert, render_alerts
from monitor.publish.first_line import Form, Present
from monitor.publish.rules import RULES, alert_name
from tests.unit.publish.samples import BLOCK, DECIMALS, NOW, THEFT, THIEF, TXID

URL = "https://porwatch.example"


def alert(case: Case, after: timedelta = timedelta(0)) -> dict[str, Any]:
    (told,) = render_alerts(case, Present(NOW + after), Form(DECIMALS, URL))
    return told


def test_an_open_case_is_a_firing_alert_with_all_its_labels() -> None:
    assert alert(THEFT) == {
        "labels": {
            "alertname": "PorwatchUnexplainedOutflow",
            "severity": "critical",
            "category": "outflow",
            "rule": "unexplained_outflow",
            "chain": "ethereum",
            "wallet": "eth-hot",
            "tier": "hot",
            "asset": "USDT",
            "case_id": "c0ffee0000000001",
        },
        "annotations": {
            "summary": (
                "JPY 37500.00 (price of 2026-09-21T00:00:00Z) · hot · USDT · destination new · confirmations unknown · "
                "approvals never read · blind time before unknown"
            ),
            "description": (
                "Assets left a wallet and no approval explains it. "
                "250.000001 USDT, worth JPY 37500.00 (price as of 2026-09-21T00:00:00Z); wallet eth-hot (hot) on ethereum. "
                f"To {THIEF} (250.000001 USDT, not known beforehand). "
                f"Transaction {TXID}, block 120, fee 0.000021000000000000 ETH. "
                "Check whether an approval is missing in the books before anything else leaves the wallet."
            ),
            "runbook_url": f"{URL}/runbooks/PorwatchUnexplainedOutflow",
        },
        "startsAt": "2026-09-21T14:13:20Z",
        "endsAt": "2026-09-21T14:18:20Z",
        "generatorURL": f"{URL}/cases/c0ffee0000000001",
    }


def test_labels_do_not_change_while_a_case_grows() -> None:
    grown = replace(
        THEFT,
        rules=("unexplained_outflow", "late_approval"),
        units=500,
        destinations=(),
        reorged_out=True,
        block=None,
        evidence={"new": "evidence"},
        history=(Event(NOW, "ack", "a", "b"),),
        state=CaseState.ACKNOWLEDGED,
    )
    assert alert(grown)["labels"] == alert(THEFT)["labels"]
    assert alert(grown)["startsAt"] == alert(THEFT)["startsAt"]
    assert alert(grown)["annotations"]["description"] != alert(THEFT)["annotations"]["description"]


def test_labels_without_a_value_are_left_out() -> None:
    case = Case("1", "altered_approval", ("altered_approval",), Severity.CRITICAL, CaseState.OPEN, NOW, subject="w-1")
    assert set(alert(case)["labels"]) == {"alertname", "severity", "category", "rule", "case_id"}


@pytest.mark.parametrize("state", [CaseState.ACKNOWLEDGED, CaseState.CLOSED])
def test_an_acknowledged_or_closed_case_ends_now(state: CaseState) -> None:
    assert alert(replace(THEFT, state=state), timedelta(hours=1))["endsAt"] == "2026-09-21T15:13:20Z"


def test_an_alert_never_ends_before_it_starts_even_if_the_clock_was_set_back() -> None:
    closed = alert(replace(THEFT, state=CaseState.CLOSED), timedelta(hours=-1))
    assert closed["endsAt"] == closed["startsAt"]


def test_many_destinations_are_counted_not_listed() -> None:
    many = tuple(Destination(f"0x{number:040x}", 1, known=False) for number in range(1000))
    text = alert(replace(THEFT, destinations=many))["annotations"]["description"]
    assert "and 995 more" in text
    assert len(text) < 2000


def test_text_from_outside_cannot_break_out_of_its_line() -> None:
    case = replace(THEFT, subject="w-1\n\x1b[2J\u202eALL CLEAR" + "x" * 10_000)
    text = alert(case)["annotations"]["description"]
    assert "w-1··[2J·ALL CLEAR" in text
    assert len(text) < 2000


def test_a_surplus_is_called_one() -> None:
    case = replace(THEFT, rule="residual", rules=("residual",), units=-5, destinations=(), value=None)
    assert alert(case)["annotations"]["description"].startswith(
        "A balance on the node is not what the recorded movements give. 0.000005 USDT more than recorded; wallet eth-hot"
    )


def test_a_case_of_a_rule_of_another_version_is_alerted_where_nothing_inhibits_it() -> None:
    labels = alert(replace(THEFT, rule="brand_new"))["labels"]
    assert (labels["alertname"], labels["category"]) == ("PorwatchBrandNew", "outflow")


def test_a_chain_without_a_wallet_still_reads_as_a_sentence() -> None:
    case = Case(
        "1", "deep_reorg", ("deep_reorg",), Severity.CRITICAL, CaseState.OPEN, NOW, chain="bitcoin", block=BLOCK
    )
    assert alert(case)["annotations"]["description"] == (
        "A chain replaced blocks that counted as final. On bitcoin. Block 120. Stop crediting deposits of that chain and compare its endpoints."
    )


def test_alert_names_are_camel_case_and_differ() -> None:
    names = {alert_name(rule) for rule in RULES}
    assert len(names) == len(RULES)
    assert all(name.isalpha() and name.startswith("Porwatch") for name in names)


def test_a_drill_says_so_and_ends_by_itself() -> None:
    drill = drill_alert(URL, NOW)
    assert drill["labels"] == {"alertname": "PorwatchDrill", "severity": "info", "category": "quality", "rule": "drill"}
    assert (drill["startsAt"], drill["endsAt"]) == ("2026-09-21T14:13:20Z", "2026-09-21T14:18:20Z")
    assert timedelta(minutes=5) == HORIZON
