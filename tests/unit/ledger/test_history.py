"""A period read back from the ledger: exact where it can be, unknown where it cannot, and bounded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from chains.core.values import BlockRef
from monitor.ledger import history, schema
from monitor.ledger.encode import block_to_json
from monitor.ledger.errors import LedgerError
from monitor.ledger.journal import Record
from monitor.ledger.store import Advance, Commit, Ledger, commit
from monitor.model import rfc3339
from monitor.series import Past, held, roll_forward, unequal

T0 = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Story:
    """A chain told block by block. Times are minutes after T0."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.at = BlockRef("c", 100, "h100", "h99", int(T0.timestamp()))
        body = self._followed({"a": "hot", "b": "house"}, [["a", "BTC", "50"], ["b", "BTC", "900"]])
        self._commit(0, Commit((Record("opened", body),), Advance(self.at, None, 0)))

    def block(self, minute: int, *moves: tuple[str, str, int], final: int = 0, seen: int | None = None) -> None:
        """The next block with its own time, ``seen`` then or at another; ``moves``: (locator, wallet, delta)."""
        before = self.at
        time = int((T0 + timedelta(minutes=minute)).timestamp())
        self.at = BlockRef("c", before.height + 1, f"h{before.height + 1}", before.hash, time)
        transactions = [_transaction(self.at, n, *move) for n, move in enumerate(moves)]
        record = Record("block", {"block": block_to_json(self.at), "transactions": transactions, "unseen": []})
        change = Commit((record,) if moves else (), Advance(self.at, before.hash, final))
        self._commit(minute if seen is None else seen, change)

    def follow(self, minute: int, wallets: Mapping[str, str], holdings: list[list[str]]) -> None:
        self._commit(minute, Commit((Record("opened", self._followed(wallets, holdings)),)))

    def record(self, minute: int, kind: str, **body: Any) -> None:
        self._commit(minute, Commit((Record(kind, body),)))

    def owe(self, minute: int, as_of: int, **units: int) -> None:
        time = rfc3339(T0 + timedelta(minutes=as_of))
        lines = [{"asset": asset, "units": str(amount), "as_of": time} for asset, amount in units.items()]
        self.record(minute, "declared", source="liabilities", lines=lines)

    def past(self, begin: int, end: int) -> Past:
        with self.ledger.read() as connection:
            (found,) = history.past(connection, _minute(begin), _minute(end))
        return found

    def held(self, begin: int, end: int) -> list[tuple[int, int | None]]:
        steps = held(self.past(begin, end), {"hot"}, "BTC", _minute(begin), _minute(end))
        return [(int((step.at - T0) / timedelta(minutes=1)), step.units) for step in steps]

    def _followed(self, wallets: Mapping[str, str], holdings: list[list[str]]) -> dict[str, Any]:
        return {
            "at": block_to_json(self.at),
            "wallets": dict(wallets),
            "assets": ["BTC"],
            "holdings": holdings,
            "coins": [],
            "sequences": {},
        }

    def _commit(self, minute: int, change: Commit) -> None:
        with self.ledger.write() as connection:
            commit(connection, change, _minute(minute))


def _minute(minute: int) -> datetime:
    return T0 + timedelta(minutes=minute)


def _transaction(block: BlockRef, ordinal: int, locator: str, wallet: str, delta: int) -> dict[str, Any]:
    came = delta > 0
    flow = {
        "idx": 0,
        "wallet": wallet,
        "asset": "BTC",
        "part": "receipt" if came else "destination",
        "direction": "in" if came else "out",
        "destination": locator if came else "customer",
        "receiver": wallet if came else "",
        "sink": 0,
        "units": str(abs(delta)),
        "reason": "deposit" if came else "not_attributed",
        "approval": "",
        "note": "",
    }
    return {
        "txid": f"t{block.height}",
        "ordinal": ordinal,
        "kind": "transaction",
        "earliest": rfc3339(T0),
        "latest": rfc3339(T0),
        "fee": "0",
        "steps": {},
        "movements": [[ordinal, locator, "BTC", wallet, str(delta), ""]],
        "flows": [flow],
    }


@pytest.fixture
def story(ledger: Ledger) -> Story:
    return Story(ledger)


def test_a_period_in_the_middle_is_reached_from_the_present(story: Story) -> None:
    story.block(10, ("a", "hot", 5))
    story.block(20, ("a", "hot", -15), ("b", "house", 1))
    story.block(30, ("a", "hot", 60))
    story.block(40)
    assert story.held(15, 25) == [(15, 55), (20, 40)]
    found = story.past(15, 25)
    assert (found.opening["hot", "BTC"], found.closing["hot", "BTC"]) == (55, 40)
    assert [(p.wallet, p.units) for p in found.payments] == [("hot", 15), ("house", 1)]
    assert unequal(roll_forward(found, {"hot": "hot", "house": "house"})) == ()


def test_a_block_at_the_begin_is_in_the_opening_and_one_at_the_end_in_the_period(story: Story) -> None:
    story.block(10, ("a", "hot", 5))
    story.block(20, ("a", "hot", 7))
    story.block(30)
    found = story.past(10, 20)
    assert (found.opening["hot", "BTC"], found.closing["hot", "BTC"]) == (55, 62)
    assert [change.units for change in found.changes] == [7]


def test_before_the_opening_and_behind_the_cursor_it_is_unknown(story: Story) -> None:
    story.block(10, ("a", "hot", 5))
    assert story.held(-5, 20) == [(-5, None), (0, 50), (10, 55), (10, None)]
    assert story.held(15, 20) == [(15, None)]
    assert story.held(-9, -5) == [(-9, None)]


def test_addresses_that_are_followed_later_begin_with_what_they_hold(story: Story) -> None:
    story.block(10, ("a", "hot", 5))
    story.follow(10, {"c": "hot"}, [["c", "BTC", "1000"]])
    story.block(20, ("c", "hot", -1))
    story.block(30)
    assert story.held(5, 30) == [(5, 50), (10, 1055), (20, 1054)]
    (roll,) = roll_forward(story.past(5, 30), {"hot": "hot"})
    assert (roll.opening, roll.begun, roll.closing) == (50, 1000, 1054)
    # and before they are, they are nobody's
    assert story.held(5, 9) == [(5, 50)]
    assert story.past(5, 9).closing["hot", "BTC"] == 50
    assert story.held(15, 30) == [(15, 1055), (20, 1054)]


def test_a_miners_clock_that_runs_ahead_moves_nothing_behind_a_later_block(story: Story) -> None:
    story.block(10, ("a", "hot", 5))
    story.block(50, ("a", "hot", 7))
    story.block(20, ("a", "hot", -2))
    story.block(60)
    # block 102 was there by 20 at the latest, as 103 shows
    assert story.held(5, 60) == [(5, 50), (10, 55), (20, 60)]
    assert story.held(30, 60) == [(30, 60)]
    assert story.held(5, 15) == [(5, 50), (10, 55)]
    assert unequal(roll_forward(story.past(30, 60), {"hot": "hot"})) == ()


def test_a_quiet_block_at_the_cursor_shows_that_the_blocks_below_it_were_there(story: Story) -> None:
    story.block(50, ("a", "hot", 7))
    story.block(40)
    assert story.held(5, 45) == [(5, 50), (40, 57), (40, None)]
    assert story.past(5, 45).closing["hot", "BTC"] == 57


def test_an_address_that_came_and_went_in_blocks_of_the_future_is_not_taken_back(story: Story) -> None:
    story.block(20, seen=12)
    story.follow(12, {"d": "hot"}, [["d", "BTC", "1000"]])
    story.record(15, "retired", chain="c", locators=["d"])
    story.block(30)
    assert story.past(5, 30).opening["hot", "BTC"] == 50
    assert story.held(5, 30) == [(5, None), (15, 50)]


def test_what_a_dropped_address_did_in_a_block_of_the_future_is_a_named_difference(story: Story) -> None:
    # the one thing that cannot be told apart: its movement lies behind the time at which it was dropped
    story.block(20, ("b", "house", 1), seen=12)
    story.record(15, "retired", chain="c", locators=["b"])
    story.block(30)
    found = story.past(5, 30)
    assert found.opening["house", "BTC"] == 0
    assert [(each.what, each.units) for each in unequal(roll_forward(found, {"house": "house"}))] == [("movements", -1)]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("assigned", {"chain": "c", "wallets": {"b": "hot"}}),
        ("retired", {"chain": "c", "locators": ["b"]}),
        ("asset_retired", {"chain": "c", "assets": ["BTC"]}),
    ],
)
def test_what_was_regrouped_is_unknown_before_and_named(story: Story, kind: str, body: dict[str, Any]) -> None:
    story.block(10, ("a", "hot", 5), ("b", "house", 1))
    story.record(15, kind, **body)
    story.block(20)
    found = story.past(5, 20)
    assert found.begin == _minute(15)
    assert [(each.kind, each.count, each.wallets) for each in found.regrouped] == [
        (kind, 1, ("hot",) if kind == "assigned" else ())
    ]
    assert story.held(5, 20)[0] == (5, None)
    # also for a period that had ended by then: the balances of now do not lead back to it
    assert story.held(5, 12) == [(5, None)]
    assert roll_forward(story.past(5, 12), {"hot": "hot"}) == ()
    # behind it all is known again
    assert story.past(16, 20).regrouped == ()


def test_whether_the_period_can_still_be_reorganised_is_said(story: Story) -> None:
    story.block(10, ("a", "hot", 5))
    story.block(20, ("a", "hot", 5), final=101)
    story.block(30, final=101)
    assert [story.past(5, end).final for end in (15, 25)] == [True, False]


def test_liabilities_are_those_that_may_be_in_force(story: Story) -> None:
    story.owe(1, 0, BTC=10, ETH=5)
    story.owe(21, 20, BTC=11, ETH=6)
    story.record(22, "declared", source="prices", lines=[])
    story.owe(41, 40, BTC=12)
    story.owe(61, 60, BTC=13, ETH=7)
    with story.ledger.read() as connection:
        found = history.liabilities(connection, _minute(30), _minute(60))
        assert history.liabilities(connection, _minute(-9), _minute(-8)) == {"BTC": (), "ETH": ()}
    lines = {
        asset: [(int((step.at - T0) / timedelta(minutes=1)), step.units) for step in steps]
        for asset, steps in found.items()
    }
    # a newer table without a line for ETH says nothing of it from when it was read
    assert lines == {"BTC": [(20, 11), (40, 12)], "ETH": [(20, 6), (41, None)]}


def test_no_liabilities_are_none(story: Story) -> None:
    with story.ledger.read() as connection:
        assert history.liabilities(connection, T0, T0 + DAY) == {}


def test_more_than_can_be_held_is_refused_with_what_to_do(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.block(10, ("a", "hot", 5), ("b", "house", 1))
    story.block(20, ("a", "hot", 5))
    monkeypatch.setattr(history, "MOST_ROWS", 2)
    with pytest.raises(LedgerError, match="the period has more than 2 movements on c: ask for a shorter one"):
        story.past(5, 25)
    assert story.past(12, 25).closing["hot", "BTC"] == 60


def test_what_is_declared_and_followed_is_found_by_an_index(ledger: Ledger) -> None:
    columns = schema.journal.c
    query = select(columns.body).where(columns.kind == "declared", columns.at > T0).order_by(columns.at)
    with ledger.read() as connection:
        text = str(query.compile(connection, compile_kwargs={"literal_binds": False}))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", ("declared", 0)).all()
    assert any("journal_kind" in row[-1] for row in plan), plan
