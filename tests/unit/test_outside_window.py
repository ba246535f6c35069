"""A cold wallet that moves outside every confirmed window, with an approval or without."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.detect import Ceremony, Signed
from monitor.model import Case, CaseState, Part, Reason, Severity
from monitor.publish.alert import describe
from monitor.publish.first_line import Form, Present
from tests.unit.test_detect import NOW, SCENE, found, judged, one, part

HOUR = timedelta(hours=1)
CEREMONY = Ceremony(
    id="c" * 16,
    purpose="key rotation",
    wallets=("cold",),
    begins_at=NOW - HOUR,
    ends_at=NOW + HOUR,
    announced=Signed("Sato", "", NOW - 2 * HOUR),
    confirmed=Signed("Tanaka", "", NOW - 2 * HOUR),
)
REQUIRED = replace(SCENE, ceremonies_required=frozenset({"cold"}))
INSIDE = replace(REQUIRED, ceremonies=(CEREMONY,))
UNCONFIRMED = replace(REQUIRED, ceremonies=(replace(CEREMONY, confirmed=None),))


def cold(units: int, **changes: object) -> object:
    return part(units, wallet="cold", reason=Reason.APPROVED, **changes)  # type: ignore[arg-type]


def rules(cases: list[Case]) -> list[tuple[str | None, int | None, tuple[str, ...]]]:
    return [(case.asset, case.units, case.rules) for case in cases]


def test_an_approved_payment_outside_is_a_critical_case_at_once() -> None:
    case = one(judged(cold(500, to="0xa"), part(3, wallet="cold", kind=Part.FEE, reason=Reason.FEE)), REQUIRED)  # type: ignore[arg-type]
    assert (case.rule, case.severity, case.state, case.units) == (
        "outside_window",
        Severity.CRITICAL,
        CaseState.OPEN,
        500,
    )
    assert [(d.address, d.units) for d in case.destinations] == [("0xa", 500)]
    assert (case.fee_asset, case.fee_units) == ("ETH", 3)
    assert case.evidence["ceremony"] == {"inside": False, "id": None, "text": "no ceremony was announced"}
    assert "No ceremony was announced." in describe(case, Present(NOW), Form(SCENE.decimals, "http://x"))


def test_inside_a_confirmed_window_it_is_none() -> None:
    assert found(judged(cold(500)), INSIDE) == []  # type: ignore[arg-type]


def test_an_announcement_that_nobody_confirmed_is_no_window() -> None:
    case = one(judged(cold(500)), UNCONFIRMED)  # type: ignore[arg-type]
    assert case.rules == ("outside_window",)
    assert case.evidence["ceremony"]["text"].endswith("announced by Sato, confirmed by nobody")  # type: ignore[index]


def test_where_no_window_is_asked_for_an_approved_payment_opens_no_case() -> None:
    assert found(judged(cold(500))) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("scene", [INSIDE, REQUIRED, SCENE, replace(SCENE, ceremonies=(CEREMONY,))])
def test_a_ceremony_never_explains_an_outflow(scene: object) -> None:
    theft = judged(part(500, wallet="cold"), cold=("cold",))
    case = one(theft, scene)  # type: ignore[arg-type]
    assert case.rules[:2] == ("unexplained_outflow", "cold_without_approval")
    assert (case.severity, case.state) == (Severity.CRITICAL, CaseState.OPEN)
    assert ("outside_window" in case.rules) == (scene is REQUIRED)


def test_a_case_inside_a_window_says_whose_window_it_is() -> None:
    case = one(judged(part(500, wallet="cold"), cold=("cold",)), INSIDE)
    text = f"inside ceremony {'c' * 16} announced by Sato, confirmed by Tanaka"
    assert case.evidence["ceremony"] == {"inside": True, "id": "c" * 16, "text": text}
    assert f"I{text[1:]}." in describe(case, Present(NOW), Form(SCENE.decimals, "http://x"))


def test_nothing_outside_a_window_waits_for_its_approval() -> None:
    patient = replace(REQUIRED, grace=replace(SCENE.grace, cold=HOUR), balances={("cold", "ETH"): 10**9})
    small = judged(part(5, wallet="cold"))
    assert one(small, patient).state is CaseState.OPEN
    assert one(small, replace(patient, ceremonies=(CEREMONY,))).state is CaseState.PENDING


def test_each_asset_and_a_signature_alone_are_cases_of_their_own() -> None:
    fee = part(3, wallet="cold", kind=Part.FEE, reason=Reason.FEE)
    both = judged(fee, cold(500), cold(7, asset="USDT"), part(9, to="0xb", reason=Reason.APPROVED))  # type: ignore[arg-type]
    assert rules(found(both, REQUIRED)) == [
        ("ETH", 500, ("outside_window",)),
        ("USDT", 7, ("outside_window",)),
    ]
    assert rules(found(judged(fee), REQUIRED)) == [("ETH", 0, ("outside_window",))]


def test_what_comes_in_needs_no_window() -> None:
    assert found(judged(part(5, wallet="cold", kind=Part.RECEIPT, reason=Reason.DEPOSIT)), REQUIRED) == []
