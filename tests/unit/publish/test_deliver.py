from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest

from monitor.health import Health
from monitor.ledger import reader
from monitor.ledger.encode import parse
from monitor.ledger.journal import Record, entries
from monitor.ledger.store import Commit, Message
from monitor.model import CaseState
from monitor.publish import deliver
from monitor.publish.deliver import Delivery, Pace, Receiver, receivers
from monitor.publish.first_line import Form, Present
from monitor.publish.http import LONGEST_WAIT, DeliveryFailed, _retry_after
from tests.unit.publish.samples import DECIMALS, NOW, Store, numbered

PACE = Pace(resend=3600, first_wait=0.01, longest_wait=0.05, batch=3)
Answer = Callable[[list[str]], DeliveryFailed | None]


class Wire:
    """Stands in for HTTP: keeps what was sent, and answers as told per receiver."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[tuple[str, bool]]]] = []
        self.tries: list[tuple[str, list[str]]] = []
        self.answers: dict[str, Answer] = {}
        self.labels: list[dict[str, str]] = []

    async def post(self, session: object, url: str, alerts: list[dict[str, Any]], now: datetime) -> int:
        name = url.split("/")[2]
        ids = [alert["labels"]["case_id"] for alert in alerts]
        self.tries.append((name, ids))
        answer = self.answers.get(name, lambda _: None)(ids)
        if answer is not None:
            raise answer
        firing = [alert["endsAt"] > "2026-09-21T14:15" for alert in alerts]
        self.sent.append((name, list(zip(ids, firing, strict=True))))
        self.labels.extend(alert["labels"] for alert in alerts)
        return 200

    def cases(self, name: str = "one") -> list[str]:
        return [case_id for receiver, alerts in self.sent if receiver == name for case_id, _ in alerts]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire()
    monkeypatch.setattr(deliver, "post", wire.post)
    return wire


@asynccontextmanager
async def delivering(
    store: Store, health: Health, *names: str, pace: Pace = PACE, mark: Any = None
) -> AsyncIterator[Delivery]:
    async def mark_sent(ids: tuple[int, ...], told: tuple[Record, ...]) -> None:
        await asyncio.to_thread(store.commit, Commit(records=told, sent=ids))

    delivery = Delivery(
        [Receiver(name, f"http://{name}", {"site": "tokyo"}, recipients=("Sato",)) for name in names],
        store.ledger,
        form=Form(DECIMALS, "http://127.0.0.1:9899"),
        mark_sent=mark or mark_sent,
        health=health,
        clock=lambda: NOW,
        pace=pace,
    )
    task = asyncio.create_task(delivery.run())
    try:
        yield delivery
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def pending(store: Store) -> dict[str, int]:
    with store.ledger.read() as connection:
        return {name: p.count for name, p in reader.pending_messages(connection).items()}


def refuse(bad: str) -> Answer:
    return lambda ids: DeliveryFailed("HTTP 400: bad label", refused=True) if bad in ids else None


async def test_outbox_rows_are_sent_in_order_and_marked(store: Store, health: Health, wire: Wire) -> None:
    cases = [numbered(n, state=CaseState.CLOSED) for n in range(8)]
    store.put(*reversed(cases), receivers=("one",))
    async with delivering(store, health, "one"):
        await until(lambda: health.last_success.get(("deliver", "")) == NOW)
    assert pending(store) == {}
    assert wire.cases() == [case.id for case in reversed(cases)]
    assert [len(ids) for _, ids in wire.tries] == [3, 3, 2]
    assert wire.labels[0]["site"] == "tokyo"


async def test_what_a_receiver_was_told_is_journalled_with_the_people_behind_it(
    store: Store, health: Health, wire: Wire
) -> None:
    told, quiet, refused = numbered(1), numbered(2, state=CaseState.PENDING), numbered(3)
    store.put(told, quiet, refused, receivers=("one",))
    wire.answers["one"] = refuse(refused.id)
    async with delivering(store, health, "one"):
        await until(lambda: pending(store) == {"one": 1})
        await until(lambda: bool(delivered(store)))
    (record,) = delivered(store)
    digest = record.pop("content")
    assert record == {"case": told.id, "receiver": "one", "redacted": False, "people": ["Sato"]}
    assert len(digest) == 64


def delivered(store: Store) -> list[dict[str, Any]]:
    with store.ledger.read() as connection:
        return [parse(entry.body) for entry in entries(connection) if entry.kind == "delivered"]


async def test_a_commit_wakes_the_courier_within_a_moment(store: Store, health: Health, wire: Wire) -> None:
    async with delivering(store, health, "one") as delivery:
        await until(lambda: ("deliver", "") in health.last_success)
        store.put(numbered(1), receivers=("one",))
        delivery.wake()
        await until(lambda: wire.cases() == [numbered(1).id])


async def test_nothing_is_marked_before_the_receiver_took_it(store: Store, health: Health, wire: Wire) -> None:
    store.put(numbered(1), numbered(2), receivers=("one",))
    down = True
    wire.answers["one"] = lambda _: DeliveryFailed("no answer in time") if down else None
    async with delivering(store, health, "one"):
        await until(lambda: len(wire.tries) >= 3)
        assert pending(store) == {"one": 2}
        assert health.problems == {"deliver/": "one: no answer in time"}
        assert ("deliver", "") not in health.last_success
        down = False
        await until(lambda: pending(store) == {})
        await until(lambda: health.problems == {})


async def test_a_row_is_sent_again_when_marking_it_failed(store: Store, health: Health, wire: Wire) -> None:
    calls: list[tuple[int, ...]] = []

    async def mark(ids: tuple[int, ...], _: tuple[Record, ...]) -> None:
        calls.append(ids)
        if len(calls) == 1:
            raise OSError("disk full")
        store.commit(Commit(sent=ids))

    store.put(numbered(1, state=CaseState.CLOSED), receivers=("one",))
    async with delivering(store, health, "one", mark=mark):
        await until(lambda: pending(store) == {})
    assert wire.cases() == [numbered(1).id] * 2


async def test_open_cases_are_said_again_and_no_others(store: Store, health: Health, wire: Wire) -> None:
    states = (CaseState.OPEN, CaseState.PENDING, CaseState.ACKNOWLEDGED, CaseState.CLOSED)
    store.put(*[numbered(n, state=states[n % 4]) for n in range(20)])
    async with delivering(store, health, "one", pace=replace(PACE, resend=0.05)):
        await until(lambda: len(wire.cases()) >= 15)
    opened = [numbered(n).id for n in range(0, 20, 4)]
    assert wire.cases()[:10] == opened * 2
    assert all(firing for _, alerts in wire.sent for _, firing in alerts)


async def test_a_receiver_that_comes_back_hears_every_open_case_at_once(
    store: Store, health: Health, wire: Wire
) -> None:
    store.put(numbered(1))
    async with delivering(store, health, "one") as delivery:
        await until(lambda: wire.cases() == [numbered(1).id])
        wire.answers["one"] = lambda _: DeliveryFailed("no connection (Connection refused)")
        store.put(numbered(2), receivers=("one",))
        delivery.wake()
        await until(lambda: bool(health.problems))
        wire.answers.clear()
        await until(lambda: len(wire.cases()) >= 4)
    assert wire.cases() == [numbered(n).id for n in (1, 2, 1, 2)]


async def test_a_pending_case_is_told_to_nobody(store: Store, health: Health, wire: Wire) -> None:
    store.put(numbered(1, state=CaseState.PENDING), numbered(2, state=CaseState.CLOSED), receivers=("one",))
    async with delivering(store, health, "one"):
        await until(lambda: pending(store) == {})
    assert wire.cases() == [numbered(2).id]


async def test_one_receiver_that_is_down_holds_up_no_other(store: Store, health: Health, wire: Wire) -> None:
    store.put(numbered(1), receivers=("one", "two"))
    wire.answers["one"] = lambda _: DeliveryFailed("no answer in time")
    async with delivering(store, health, "one", "two"):
        await until(lambda: wire.cases("two") == [numbered(1).id] * 2)
        assert pending(store) == {"one": 1}
        assert health.problems == {"deliver/": "one: no answer in time"}
        assert ("deliver", "") not in health.last_success


async def test_a_refused_alert_stays_pending_and_holds_up_no_other(store: Store, health: Health, wire: Wire) -> None:
    cases = [numbered(n, state=CaseState.CLOSED) for n in range(7)]
    store.put(*cases, receivers=("one",))
    wire.answers["one"] = refuse(cases[1].id)
    async with delivering(store, health, "one") as delivery:
        await until(lambda: pending(store) == {"one": 1})
        await until(lambda: bool(health.problems))
        assert "1 alerts refused" in health.problems["deliver/"]
        assert wire.cases() == [case.id for case in cases if case is not cases[1]]
        store.put(numbered(9, state=CaseState.CLOSED), receivers=("one",))
        delivery.wake()
        await until(lambda: wire.cases()[-1] == numbered(9).id)
        assert ("deliver", "") not in health.last_success


async def test_a_wrong_address_is_a_failure_of_the_receiver_not_of_the_alert(
    store: Store, health: Health, wire: Wire
) -> None:
    store.put(*[numbered(n) for n in range(3)], receivers=("one",))
    wire.answers["one"] = lambda _: DeliveryFailed("HTTP 404")
    async with delivering(store, health, "one"):
        await until(lambda: len(wire.tries) >= 3)
    assert all(len(ids) == 3 for _, ids in wire.tries)


async def test_an_unreadable_row_holds_up_no_other(store: Store, health: Health, wire: Wire) -> None:
    store.commit(Commit(messages=(Message("one", "x", '{"id":"x"}'),)))
    store.put(numbered(1, state=CaseState.CLOSED), receivers=("one",))
    async with delivering(store, health, "one"):
        await until(lambda: wire.cases() == [numbered(1).id])
        await until(lambda: "cannot be read" in health.problems.get("deliver/", ""))
    assert pending(store) == {"one": 1}


def test_waits_double_up_to_a_bound_and_heed_the_receiver() -> None:
    courier = deliver._Courier(Receiver("one", "http://one"), None, Form({}, ""), lambda: NOW, Pace())  # type: ignore[arg-type]
    failed = DeliveryFailed("x")
    for failures, bound in ((1, 1), (2, 2), (3, 4), (6, 30), (10_000, 30)):
        waits = {courier._wait(failures, failed) for _ in range(50)}
        assert all(bound / 2 <= wait <= bound for wait in waits)
        assert len(waits) > 10
    assert courier._wait(1, DeliveryFailed("x", retry_after=17.0)) == 17.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("7", 7),
        ("99999999999", LONGEST_WAIT),
        ("Mon, 21 Sep 2026 14:13:50 GMT", 30),
        ("Mon, 21 Sep 2020 14:13:50 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("٣", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_bounded(header: str | None, seconds: float | None) -> None:
    assert _retry_after(header, NOW) == seconds


def test_receivers_are_named_by_their_place() -> None:
    @dataclass
    class Settings:
        url: str
        labels: dict[str, str]
        redact: bool = False
        recipients: tuple[str, ...] = ()

    found = receivers([Settings("http://a:9093/", {"x": "y"}), Settings("http://b/prefix", {})])
    assert [r.name for r in found] == ["alertmanager-1", "alertmanager-2"]
    assert [r.alerts_url for r in found] == ["http://a:9093/api/v2/alerts", "http://b/prefix/api/v2/alerts"]


def test_own_labels_win_over_configured_ones() -> None:
    courier = deliver._Courier(
        Receiver("one", "http://one", {"severity": "none", "site": "x"}),
        None,
        Form(DECIMALS, ""),
        lambda: NOW,
        Pace(),  # type: ignore[arg-type]
    )
    (alert,) = courier._alerts(numbered(1), Present(NOW))
    labels = alert["labels"]
    assert (labels["severity"], labels["site"]) == ("critical", "x")


async def test_without_receivers_delivery_just_waits(store: Store, health: Health) -> None:
    async with delivering(store, health) as delivery:
        await asyncio.sleep(0.01)
        delivery.wake()
    assert health.last_success == {}
    assert timedelta(0) < timedelta(seconds=Pace().resend) < timedelta(minutes=1)
    assert isinstance(Pace().timeout, float)
    assert aiohttp.ClientTimeout(total=Pace().timeout).total == 10
