"""What moved, page by page: nothing twice, nothing lost, and never by reading everything."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Select, update

from monitor.ledger import reader, schema
from monitor.ledger.reader import Line, Place, Wanted, listing
from monitor.ledger.store import Ledger, rebuild
from tests.unit.ledger.moved import DECIMALS, NOW, T0, Chain, Paid

ALL = Wanted()


def page(ledger: Ledger, wanted: Wanted = ALL, limit: int = 500, after: Place | None = None) -> reader.Page:
    with ledger.read() as connection:
        return reader.lines(connection, wanted, DECIMALS, limit, after)


def txids(ledger: Ledger, wanted: Wanted) -> list[str]:
    return [line.txid for line in page(ledger, wanted).lines]


def pages(ledger: Ledger, wanted: Wanted, limit: int) -> Iterator[tuple[Line, ...]]:
    after: Place | None = None
    while True:
        found = page(ledger, wanted, limit, after)
        yield found.lines
        if found.next is None:
            return
        after = found.next


def test_the_newest_stands_first_by_the_time_of_its_block_whatever_its_chain(ledger: Ledger) -> None:
    one, other = Chain(ledger, "a"), Chain(ledger, "b")
    one.block(10, Paid("a1"), Paid("a2"))
    other.block(5, Paid("b1"))
    at = one.block(20, Paid("a3"))
    other.block(20, Paid("b2"))
    one.residual(at, -7)
    assert txids(ledger, ALL) == ["b2", "a3", "residual-1", "a2", "a1", "b1"]
    residual = page(ledger, replace(ALL, txid="residual-1")).lines
    assert [(line.part, line.direction, line.units, line.reason, line.locator) for line in residual] == [
        ("residual", "out", 7, "unexplained", "a-cold")
    ]


def test_every_condition_leaves_only_what_meets_it(ledger: Ledger) -> None:
    one, other = Chain(ledger, "a"), Chain(ledger, "b")
    one.block(10, Paid("t1"), Paid("t2", wallet="cold", reason="unexplained", destination="thief", units=10**8))
    other.block(20, Paid("t3", asset="USDT", units=10**8), Paid("t4", direction="in", part="receipt", reason="deposit"))
    one.residual(one.at, 3)
    cases: dict[str, tuple[Wanted, list[str]]] = {
        "chain": (Wanted(chain="a"), ["t2", "t1", "residual-1"]),
        "wallet": (Wanted(wallet="cold"), ["t2", "residual-1"]),
        "asset": (Wanted(asset="USDT"), ["t3"]),
        "in": (Wanted(direction="in"), ["t4", "residual-1"]),
        "reason": (Wanted(reason="unexplained"), ["t2", "residual-1"]),
        "common reason": (Wanted(reason="approved", wallet="hot"), ["t3", "t1"]),
        "txid": (Wanted(txid="t1"), ["t1"]),
        "destination": (Wanted(destinations=("thief", "other")), ["t2"]),
        "least": (Wanted(least=Fraction(1)), ["t3", "t2"]),
        "a little more": (Wanted(least=Fraction("1.00000001"), asset="BTC"), []),
        "from": (Wanted(begin=NOW + timedelta(seconds=20)), ["t4", "t3"]),
        "just after": (Wanted(begin=NOW + timedelta(seconds=19, microseconds=1)), ["t4", "t3"]),
        "to": (Wanted(end=NOW + timedelta(seconds=19, microseconds=999_999)), ["t2", "t1", "residual-1"]),
        "nothing": (Wanted(wallet="hot", reason="unexplained"), []),
    }
    for name, (wanted, expected) in cases.items():
        assert txids(ledger, wanted) == expected, name


def test_an_asset_that_left_the_configuration_is_not_left_out_by_an_amount(ledger: Ledger) -> None:
    Chain(ledger).block(10, Paid("t1", asset="OLD", units=1))
    assert txids(ledger, Wanted(least=Fraction(10**9))) == ["t1"]


def test_pages_hold_everything_once_in_the_order_of_one_page(ledger: Ledger) -> None:
    one, other = Chain(ledger, "a"), Chain(ledger, "b")
    for number in range(7):
        # The clocks of miners run backwards, and stand still.
        one.block(100 - number // 2, *(Paid(f"a{number}-{n}") for n in range(number % 3 + 1)))
        at = other.block(number * 3, Paid(f"b{number}", wallet="cold"))
        other.residual(at, number - 3 or 1, number)
    whole = page(ledger).lines
    assert len({line.place for line in whole}) == len(whole) > 20
    for limit in (1, 2, 3, 5, len(whole), len(whole) + 1):
        split = list(pages(ledger, ALL, limit))
        assert [line for lines in split for line in lines] == list(whole)
        assert all(len(lines) == limit for lines in split[:-1])


MOVES = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 4), st.lists(st.sampled_from(["hot", "cold"]), max_size=3)),
    max_size=8,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=MOVES, between=st.lists(MOVES, min_size=3, max_size=3), limit=st.integers(1, 4))
def test_what_was_there_is_seen_once_while_more_is_appended(
    ledger: Ledger, before: list[Any], between: list[list[Any]], limit: int
) -> None:
    chains = {name: Chain(ledger, name) for name in "ab"} if not opened(ledger) else resumed(ledger)
    append(chains, before)
    there = {line.place for line in page(ledger).lines}
    seen: list[Place] = []
    for number, lines in enumerate(pages(ledger, ALL, limit)):
        seen += [line.place for line in lines]
        if number < len(between):
            append(chains, between[number])
    assert len(seen) == len(set(seen))
    assert there <= set(seen)
    assert seen == sorted(seen, reverse=True)


def opened(ledger: Ledger) -> bool:
    with ledger.read() as connection:
        return bool(reader.cursors(connection))


def resumed(ledger: Ledger) -> dict[str, Chain]:
    with ledger.read() as connection:
        cursors = reader.cursors(connection)
    found = {}
    for name, cursor in cursors.items():
        chain = Chain.__new__(Chain)
        chain.ledger, chain.at = ledger, cursor.at
        found[name] = chain
    return found


def append(chains: dict[str, Chain], moves: list[Any]) -> None:
    for name, time, wallets in moves:
        chain = chains[name]
        chain.block(time, *(Paid(f"{name}{chain.at.height}-{n}", wallet=w) for n, w in enumerate(wallets)))


def test_one_page_costs_a_bounded_number_of_rows(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_SCANNED", 4)
    chain = Chain(ledger)
    chain.block(1, Paid("rare", destination="x", units=5))
    for number in range(10):
        chain.block(2 + number, Paid(f"t{number}"))
    split = list(pages(ledger, Wanted(wallet="hot", least=Fraction("0.00000005")), 3))
    assert [[line.txid for line in lines] for lines in split] == [[], [], ["rare"]]


def test_a_place_is_the_same_in_words_and_after_a_rebuild(ledger: Ledger) -> None:
    chain = Chain(ledger, "chain-1.x")
    at = chain.block(10, Paid("t1"), Paid("t2"))
    chain.residual(at, 1)
    before = page(ledger).lines
    for line in before:
        assert reader.place(str(line.place)) == line.place
    with ledger.write() as connection:
        rebuild(connection)
    assert page(ledger).lines == before


def test_after_a_reorganisation_only_the_branch_that_won_is_listed(ledger: Ledger) -> None:
    chain = Chain(ledger)
    fork = chain.at
    chain.block(10, Paid("lost"))
    gone = page(ledger).lines[0].place
    chain.rewind(fork)
    chain.block(11, Paid("lost"), branch="b")
    found = page(ledger).lines
    assert [(line.txid, line.block_hash, line.place.block_time) for line in found] == [("lost", "c-101b", T0 + 11)]
    # A place that is gone is still one to go on from.
    assert page(ledger, after=gone).lines == ()


@given(st.text(st.sampled_from(string.printable + "あ\x00"), max_size=60))
def test_no_text_but_a_place_is_taken_for_one(text: str) -> None:
    try:
        found = reader.place(text)
    except ValueError as error:
        assert "write what next or id gave" in str(error)  # noqa: PT017  most texts are none
    else:
        assert reader.place(str(found)) == found


DRIVEN = {
    "flow_time": ALL,
    "flow_chain": Wanted(chain="c"),
    "flow_wallet": Wanted(wallet="hot", reason="approved"),
    "flow_asset": Wanted(asset="BTC", direction="in"),
    "flow_reason": Wanted(reason="unexplained", wallet="hot"),
    "flow_destination": Wanted(destinations=("x",)),
    "flow_txid": Wanted(txid="x", wallet="hot"),
}
AFTER = Place(T0, "c", 7, 0, "", 1)


@pytest.mark.parametrize("index", DRIVEN)
@pytest.mark.parametrize("after", [None, AFTER], ids=["first page", "next page"])
def test_every_search_goes_by_an_index(ledger: Ledger, index: str, after: Place | None) -> None:
    with ledger.read() as connection:
        told = plan(connection, listing.flow_query(DRIVEN[index], after).limit(100))
    assert index in told
    assert reads_by_index(told), told


@pytest.mark.parametrize("after", [None, AFTER], ids=["first page", "next page"])
def test_residuals_are_found_without_looking_at_other_movements(ledger: Ledger, after: Place | None) -> None:
    with ledger.read() as connection:
        told = plan(connection, listing.residual_query(Wanted(begin=NOW), after).limit(100))
    assert "movement_residual" in told
    assert reads_by_index(told), told


def plan(connection: Connection, query: Select[Any]) -> str:
    """How the engine would answer; PostgreSQL is told that a table is long, which it would see by itself."""
    words = str(query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        return "\n".join(str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN {words}".replace("%", "%%")))
    return "\n".join(str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}"))


def reads_by_index(told: str) -> bool:
    """Whether no table is read from end to end: a walk along an index stops at the page's end."""
    return "Seq Scan" not in told and all("INDEX" in line for line in told.splitlines() if line.startswith("SCAN"))


def test_a_ledger_of_before_learns_the_time_of_its_flows(ledger: Ledger) -> None:
    """The statement of the migration, on a ledger that has lost what it fills in."""

    migration = import_module("monitor.ledger.migrations.versions.0011_pages_and_ceremonies")
    one, other = Chain(ledger, "a"), Chain(ledger, "b")
    fork = one.block(10, Paid("t1"))
    one.block(11, Paid("gone"))
    one.rewind(fork)
    one.block(12, Paid("t2"), branch="x")
    other.block(5, Paid("t3"))
    before = page(ledger).lines
    with ledger.write() as connection:
        connection.execute(update(schema.flow).values(block_time=None, block_hash=None))
        connection.exec_driver_sql(migration.FILL[connection.dialect.name])
    assert page(ledger).lines == before
    assert [(line.txid, line.block_hash) for line in before] == [("t2", "a-102x"), ("t1", "a-101"), ("t3", "b-101")]
