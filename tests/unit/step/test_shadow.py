"""The shadow: begun once, bounded, silent, and ended by its time with everything told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.detect import Halting
from monitor.ledger import occasions, reader
from monitor.ledger.encode import parse
from monitor.ledger.store import Commit, commit
from monitor.model import Case, Severity
from monitor.step import take
from monitor.step.observations import Acted, ShadowAsked, ShadowOver
from monitor.step.shadow import ShadowRefused
from tests.scenarios.stage import Stage, moment

SCRIPT: dict[str, Any] = {
    "wallets": {
        "eth-hot": {"chain": "ethereum", "tier": "hot", "addresses": ["0xhot"]},
        "btc-hot": {"chain": "bitcoin", "tier": "hot", "addresses": ["hot"]},
    },
    "holds": {"0xhot": ["100000 ETH"]},
    "coins": {"c1": "hot 3 BTC"},
    "prices": {"ETH": "300000", "BTC": "10000000"},
}
BEGIN, END = moment("09:00:30"), moment("2026-12-01T00:00:00")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    opened = Stage(tmp_path, SCRIPT)
    yield opened
    opened.close()


def ask(stage: Stage, until: datetime | None, at: datetime = BEGIN) -> datetime | None:
    """What a start with this configuration says of the shadow."""
    with stage.ledger.write() as connection:
        stage.setup.shadow = take(connection, stage.setup, ShadowAsked(until), at).shadow
    return stage.setup.shadow


def end(stage: Stage, at: datetime) -> tuple[Case, ...]:
    with stage.ledger.write() as connection:
        cases = take(connection, stage.setup, ShadowOver(), at).cases
    stage.setup.shadow = None
    return cases


def pay(stage: Stage, name: str, at: str, amount: int, to: str = "0xa") -> None:
    height = stage.cursor("ethereum").height + 1
    payment = {"id": name, "from": "0xhot", "fee": "0 ETH", "moves": [f"0xhot -> {to} {amount} ETH"]}
    stage.play({"at": at, "block": f"ethereum {height}", "transactions": [payment]})


def told(stage: Stage) -> list[str]:
    with stage.ledger.read() as connection:
        return [parse(payload)["rule"] for _, _, payload in reader.next_messages(connection, "pager", 100)]


def newest(stage: Stage) -> dict[str, Any]:
    with stage.ledger.read() as connection:
        found = occasions.newest_shadow(connection)
    assert found is not None
    return found


def test_in_the_shadow_cases_are_recorded_and_nobody_is_told_or_asked(stage: Stage) -> None:
    stage.setup.halting = Halting(frozenset({"unexplained_outflow"}), Severity.CRITICAL, True, 9, False)
    assert ask(stage, END) == END
    pay(stage, "t1", "10:00", 5000)
    assert stage.cases() == ["open unexplained_outflow eth-hot 5000 ETH"]
    stage.play({"at": "10:01", "act": "ack", "case": "eth-hot", "by": "tanaka"})
    with stage.ledger.read() as connection:
        assert reader.pending_messages(connection) == {}
    assert "halt" not in stage.outcome.cases[0].evidence


def test_its_end_pages_with_what_it_showed_and_once(stage: Stage) -> None:
    ask(stage, END)
    stage.play({"at": "09:59", "approve": [{"id": "w-1", "amount": "300 ETH", "to": "0xa", "until": "11:00"}]})
    pay(stage, "t1", "10:00", 300)
    pay(stage, "t2", "10:01", 5000, "0xthief")
    pay(stage, "t3", "10:02", 4700, "0xother")
    stage.play(
        {
            "at": "10:03",
            "block": "bitcoin 101",
            "transactions": [{"id": "b1", "spends": ["c1"], "pays": ["thief 3 BTC"]}],
        }
    )
    with stage.ledger.read() as connection:
        first = next(case for case in reader.cases(connection) if case.txid == "t2")
    stage._take(Acted(first.id, "close", "tanaka", "known"))
    stage.setup.prices = {asset: replace(price, as_of=END) for asset, price in stage.setup.prices.items()}
    (case,) = end(stage, END)
    assert (case.rule, case.severity, case.state) == ("shadow_ended", "critical", "open")
    assert told(stage) == ["shadow_ended"]
    record = newest(stage)
    assert record["state"] == "ended"
    assert record["figures"] == case.evidence["figures"]
    assert record["figures"] == {
        "payments": {"explained": 1, "not_attributed": 0, "unexplained": 3, "share": "0.2500"},
        "value": {
            "currency": "JPY",
            "explained": "90000000.00",
            "not_attributed": "0.00",
            "unexplained": "2940000000.00",
            "total": "3030000000.00",
            "share": "0.0297",
            "without_price": [],
        },
        "assets": [
            {
                "asset": "BTC",
                "payments": 1,
                "explained": "0.00000000",
                "not_attributed": "0.00000000",
                "unexplained": "3.00000000",
                "share": "0.0000",
            },
            {
                "asset": "ETH",
                "payments": 3,
                "explained": "300.000000000000000000",
                "not_attributed": "0.000000000000000000",
                "unexplained": "9700.000000000000000000",
                "share": "0.0300",
            },
        ],
        "would_have_paged": 3,
        "rules": [{"rule": "unexplained_outflow", "severity": "critical", "cases": 3}],
        "still_open": 2,
        "critical_open": 2,
        "latency": {"measured": 3, "median_ms": "0", "slowest_ms": "0"},
    }
    assert end(stage, END + timedelta(seconds=1)) == ()
    pay(stage, "t4", "2026-12-01T00:00:02", 5000)
    assert told(stage) == ["shadow_ended", "unexplained_outflow"]


def test_without_a_fresh_price_the_share_by_value_is_unknown_and_says_why(stage: Stage) -> None:
    ask(stage, END)
    pay(stage, "t1", "10:00", 5000)
    end(stage, END)
    assert newest(stage)["figures"]["value"] == {
        "currency": "JPY",
        "explained": None,
        "not_attributed": None,
        "unexplained": None,
        "total": None,
        "share": None,
        "without_price": ["ETH"],
    }


def test_a_shadow_in_which_nothing_left_has_no_share_and_only_warns(stage: Stage) -> None:
    ask(stage, END)
    (case,) = end(stage, END)
    figures = newest(stage)["figures"]
    assert case.severity is Severity.WARNING
    assert figures["payments"]["share"] is None
    assert figures["latency"] == {"measured": 0, "median_ms": None, "slowest_ms": None}


def test_what_was_there_before_the_shadow_is_not_counted(stage: Stage) -> None:
    pay(stage, "t1", "09:10", 5000)
    stage.play({"at": "09:11", "act": "close", "case": "eth-hot", "by": "tanaka", "why": "known"})
    with stage.ledger.write() as connection:
        rows = [row for row, _, _ in reader.next_messages(connection, "pager", 100)]
        commit(connection, Commit(sent=tuple(rows)), moment("09:12"))
    ask(stage, END, moment("09:30"))
    end(stage, END)
    assert newest(stage)["figures"]["payments"]["unexplained"] == 0
    assert newest(stage)["figures"]["would_have_paged"] == 0


def test_a_restart_changes_nothing_and_a_passed_end_is_still_to_be_told(stage: Stage) -> None:
    ask(stage, END)
    stage.play({"restart": True})
    assert ask(stage, END, BEGIN + timedelta(days=1)) == END
    assert ask(stage, END, END + timedelta(days=3)) == END
    assert not stage.setup.is_silent(END + timedelta(days=3))
    (case,) = end(stage, END + timedelta(days=3))
    assert case.rule == "shadow_ended"


def test_a_key_that_is_taken_out_ends_the_shadow_now(stage: Stage) -> None:
    ask(stage, END)
    later = BEGIN + timedelta(hours=1)
    assert ask(stage, None, later) == later
    assert not stage.setup.is_silent(later)
    assert newest(stage)["until"] == "2026-11-24T10:00:30Z"


def test_its_end_may_be_moved_within_ninety_days_of_its_beginning(stage: Stage) -> None:
    ask(stage, END)
    last = BEGIN + timedelta(days=90)
    assert ask(stage, last, BEGIN + timedelta(days=5)) == last
    with pytest.raises(ShadowRefused, match="more than 90 days after it began: write a day before 2027-02-22"):
        ask(stage, last + timedelta(seconds=1), BEGIN + timedelta(days=5))
    assert newest(stage)["since"] == "2026-11-24T09:00:30Z"


def test_a_shadow_of_more_than_ninety_days_does_not_begin(stage: Stage) -> None:
    with pytest.raises(ShadowRefused, match="90 days"):
        ask(stage, BEGIN + timedelta(days=90, seconds=1))
    assert ask(stage, BEGIN + timedelta(days=90)) is not None


def test_a_day_that_has_passed_begins_no_shadow(stage: Stage) -> None:
    assert ask(stage, BEGIN) is None
    assert ask(stage, BEGIN - timedelta(days=5)) is None
    assert ask(stage, None) is None
    with stage.ledger.read() as connection:
        assert occasions.newest_shadow(connection) is None


def test_there_is_one_shadow_for_a_ledger(stage: Stage) -> None:
    ask(stage, END)
    end(stage, END)
    assert ask(stage, END, END + timedelta(days=1)) is None
    with pytest.raises(ShadowRefused, match="there is one for each ledger: remove shadow_until"):
        ask(stage, END + timedelta(days=30), END + timedelta(days=1))


def test_a_shadow_does_not_silence_a_case_that_is_told(stage: Stage) -> None:
    pay(stage, "t1", "09:10", 5000)
    with pytest.raises(ShadowRefused, match="1 cases are open"):
        ask(stage, END, moment("09:30"))
    stage.play({"at": "09:31", "act": "close", "case": "eth-hot", "by": "tanaka", "why": "known"})
    with pytest.raises(ShadowRefused, match="still wait to be delivered"):
        ask(stage, END, moment("09:32"))
