"""Who was told of an outflow: inside by alerts, outside by a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.ledger.encode import case_to_json
from monitor.ledger.journal import Record
from monitor.model import CaseState, Event, Notice
from monitor.publish.bundle.verify import verify
from tests.unit.assess.sample import NOW
from tests.unit.publish.bundle import made
from tests.unit.publish.bundle.test_report import ask, report_of

ALERT, LETTER = "a1" * 32, "b2" * 32
TOLD = Event(
    NOW - timedelta(hours=1),
    "notified",
    "Hanako Yamada",
    "received, no. 17",
    "",
    Notice("it_incident", "MAS", "portal", LETTER),
)
POLICE = Event(
    NOW - timedelta(minutes=50), "notified", "Taro Ito", "by telephone", "", Notice("theft", "police", "telephone")
)
CASE = replace(made.THEFT, history=(*made.THEFT.history, TOLD, POLICE))
HISTORY = (
    Record("case", case_to_json(CASE)),
    Record(
        "delivered",
        {"case": CASE.id, "receiver": "pager", "redacted": False, "people": ["K. Sato", "A. Ito"], "content": ALERT},
    ),
    Record("delivered", {"case": CASE.id, "receiver": "board", "redacted": True, "people": [], "content": LETTER}),
)


def test_the_report_lists_everyone_who_was_told_and_what_is_still_to_be_told(tmp_path: Path) -> None:
    found = made.exchange(tmp_path / "x", made.closing(("jp-psa-2020", "sg-psr")), HISTORY)
    assert ask(found, tmp_path / "report") == 0
    blocks = report_of(tmp_path / "report")["blocks"]
    assert [
        (row["receiver"], row["person"], row["channel"], row["status"], row["content"])
        for row in blocks["alerts"]["tables"]["recipients"]
    ] == [
        ("pager", "K. Sato", "full", "sent", ALERT),
        ("pager", "A. Ito", "full", "sent", ALERT),
        ("board", None, "redacted", "sent", LETTER),
    ]
    rows = blocks["exceptions"]["tables"]["notifications"]
    assert all(row["case"] == CASE.id for row in rows)
    opened = CASE.opened_at
    assert [(row["event"], row["authority"], row["deadline"], row["done_at"], row["person"]) for row in rows] == [
        ("it_incident", "MAS", _text(opened + timedelta(hours=1)), _text(TOLD.at), "Hanako Yamada"),
        ("theft", "police", None, _text(POLICE.at), "Taro Ito"),
        ("outflow", "FSA or local finance bureau; JVCEA; own website", None, None, None),
    ]
    assert (rows[0]["channel"], rows[0]["content"], rows[0]["verified"]) == ("portal", LETTER, "false")
    assert (rows[1]["verified"], rows[1]["from"]) == (None, None)
    assert verify(tmp_path / "report", None).problems == ()


def test_a_case_is_dated_by_its_closing_not_by_whom_was_told_later(tmp_path: Path) -> None:
    closed = Event(NOW - timedelta(hours=1), "closed", "Hanako Yamada", "known")
    case = replace(made.THEFT, state=CaseState.CLOSED, history=(*made.THEFT.history, closed, POLICE))
    found = made.exchange(tmp_path / "x", made.closing(), (Record("case", case_to_json(case)),))
    assert ask(found, tmp_path / "report") == 0
    blocks = report_of(tmp_path / "report")["blocks"]
    (row,) = blocks["exceptions"]["tables"]["cases"]
    assert row["closed_at"] == _text(closed.at)
    (alert,) = blocks["alerts"]["tables"]["alerts"]
    assert (alert["decision"], alert["owner"]) == ("closed", "Hanako Yamada")


@pytest.mark.parametrize(
    ("state", "rules", "decision"),
    [
        (CaseState.OPEN, (), "undecided"),
        (CaseState.OPEN, ("late_approval",), "undecided"),
        (CaseState.ACKNOWLEDGED, (), "acknowledged"),
        (CaseState.CLOSED, ("late_approval",), "approved_later"),
    ],
)
def test_an_alert_says_what_became_of_it(
    state: CaseState, rules: tuple[str, ...], decision: str, tmp_path: Path
) -> None:
    case = replace(made.THEFT, state=state, rules=(*made.THEFT.rules, *rules))
    found = made.exchange(tmp_path / "x", made.closing(), (Record("case", case_to_json(case)),))
    assert ask(found, tmp_path / "report") == 0
    (alert,) = report_of(tmp_path / "report")["blocks"]["alerts"]["tables"]["alerts"]
    assert (alert["decision"], alert["owner"]) == (decision, None)


def _text(at: object) -> str:
    return str(at).replace(" ", "T").replace("+00:00", "Z")
