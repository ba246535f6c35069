from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from chains.lab.process import LOOPBACK, free_port, wait_until
from monitor.health import Health
from monitor.ledger import reader
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, Ledger
from monitor.model import Case, CaseState
from monitor.publish import alert, deliver
from monitor.publish.deadman import Deadman
from monitor.publish.deliver import Delivery, Pace, Receiver
from monitor.publish.drill import drill
from monitor.publish.first_line import Form
from tests.real.servers import Alertmanager, WebhookReceiver
from tests.unit.publish.samples import DECIMALS, THEFT, Store

Alertmanagers = Callable[..., Alertmanager]
PACE = Pace(resend=1.0, first_wait=0.2, longest_wait=0.5, timeout=5.0)


def theft(number: int, state: CaseState = CaseState.OPEN) -> Case:
    """Cases that were opened just now, in this order."""
    opened = datetime.now(UTC) - timedelta(seconds=10) + timedelta(milliseconds=number)
    return replace(THEFT, id=f"{number:016x}", opened_at=opened, wallet=f"eth-hot-{number}", state=state)


class Courier:
    """Delivery on a loop of its own, as the monitor runs it beside everything else."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.health = Health(started_at=datetime.now(UTC), chains=())
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None

    def start(self, receivers: dict[str, str], pace: Pace = PACE, labels: dict[str, str] | None = None) -> None:
        self._thread = threading.Thread(target=self._run, args=(receivers, pace, labels or {}), daemon=True)
        self._thread.start()

    def _run(self, receivers: dict[str, str], pace: Pace, labels: dict[str, str]) -> None:
        async def mark_sent(ids: tuple[int, ...], told: tuple[Record, ...]) -> None:
            await asyncio.to_thread(self.store.commit, Commit(records=told, sent=ids))

        async def deliver() -> None:
            self._delivery = Delivery(
                [Receiver(name, url, labels) for name, url in receivers.items()],
                self.store.ledger,
                form=Form(DECIMALS, "http://127.0.0.1:9899"),
                mark_sent=mark_sent,
                health=self.health,
                pace=pace,
            )
            self._task = asyncio.current_task()
            await self._delivery.run()

        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(deliver())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def put(self, *cases: Case, receivers: tuple[str, ...] = ("one",)) -> float:
        """Commit cases and wake the couriers; the time of the commit."""
        self.store.put(*cases, receivers=receivers)
        committed = time.time()
        self._loop.call_soon_threadsafe(self._delivery.wake)
        return committed

    def pending(self) -> dict[str, int]:
        with self.store.ledger.read() as connection:
            return {name: p.count for name, p in reader.pending_messages(connection).items()}

    def settled(self) -> bool:
        return ("deliver", "") in self.health.last_success and not self.health.problems

    def stop(self) -> None:
        if self._thread is not None:
            self._loop.call_soon_threadsafe(lambda: self._task.cancel() if self._task else None)
            self._thread.join()


@pytest.fixture
def courier(tmp_path: Path) -> Iterator[Courier]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'porwatch.db'}")
    courier = Courier(Store(ledger))
    yield courier
    courier.stop()
    ledger.close()


def routing(url: str, resolve_timeout: str = "5m") -> dict[str, Any]:
    """Every case is a group of its own and is notified at once; a repetition would come after an hour."""
    return {
        "global": {"resolve_timeout": resolve_timeout},
        "route": {
            "receiver": "hook",
            "group_by": ["..."],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "hook", "webhook_configs": [{"url": url, "send_resolved": True}]}],
    }


def notices(webhook: WebhookReceiver, case: Case) -> list[str]:
    """What people were told about a case, in order: firing, resolved."""
    return [
        told["status"]
        for post in webhook.posts
        for told in post.body["alerts"]
        if told["labels"].get("case_id") == case.id
    ]


def firing(alertmanager: Alertmanager) -> set[str]:
    return {entry["labels"]["case_id"] for entry in alertmanager.alerts() if "case_id" in entry["labels"]}


def test_a_committed_case_reaches_people_within_a_second(
    courier: Courier, start_alertmanager: Alertmanagers, webhook: WebhookReceiver
) -> None:
    alertmanager = start_alertmanager(routing(webhook.url))
    courier.start({"one": alertmanager.url}, replace(PACE, resend=600.0))
    wait_until(courier.settled, "the first round")
    case = theft(1)
    committed = courier.put(case)
    post = webhook.wait_for(lambda post: post.body["alerts"][0]["labels"]["case_id"] == case.id)
    assert post.at - committed <= 1.0
    told = post.body["alerts"][0]
    assert told["labels"]["alertname"] == "PorwatchUnexplainedOutflow"
    assert "250.000001 USDT" in told["annotations"]["description"]
    assert told["generatorURL"] == f"http://127.0.0.1:9899/cases/{case.id}"
    wait_until(lambda: courier.pending() == {}, "the row to be marked")


@pytest.mark.parametrize("major", ["", "-next"])
def test_a_restarted_alertmanager_fires_again_and_never_says_resolved(
    major: str, courier: Courier, start_alertmanager: Alertmanagers, webhook: WebhookReceiver
) -> None:
    alertmanager = start_alertmanager(routing(webhook.url), major)
    courier.start({"one": alertmanager.url})
    case = theft(1)
    wait_until(courier.settled, "the first round")
    courier.put(case)
    webhook.wait_for(lambda post: post.body["status"] == "firing")
    alertmanager.restart()
    wait_until(lambda: firing(alertmanager) == {case.id}, "the alert after the restart", 10)
    time.sleep(2.5)
    assert firing(alertmanager) == {case.id}
    assert "resolved" not in notices(webhook, case)


def test_an_alertmanager_that_lost_its_memory_hears_of_every_open_case(
    courier: Courier, start_alertmanager: Alertmanagers, webhook: WebhookReceiver
) -> None:
    """More cases than fit into one request."""
    alertmanager = start_alertmanager(routing(webhook.url))
    courier.start({"one": alertmanager.url})
    wait_until(courier.settled, "the first round")
    courier.put(*[theft(number) for number in range(450)])
    wait_until(lambda: len(firing(alertmanager)) == 450, "all cases", 20)
    wait_until(lambda: courier.pending() == {}, "the rows to be marked")
    alertmanager.stop()
    for file in (alertmanager.folder / "data").iterdir():
        file.unlink()
    alertmanager.start()
    wait_until(lambda: len(firing(alertmanager)) == 450, "all cases again", 20)


def test_an_open_case_outlives_every_timeout_and_is_one_notice(
    courier: Courier, start_alertmanager: Alertmanagers, webhook: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The horizon is made shorter than the test, so that only the re-send can keep the alert alive."""
    monkeypatch.setattr(alert, "HORIZON", timedelta(seconds=3))
    alertmanager = start_alertmanager(routing(webhook.url, resolve_timeout="1s"))
    courier.start({"one": alertmanager.url})
    wait_until(courier.settled, "the first round")
    case = theft(1)
    courier.put(case)
    webhook.wait_for(lambda post: post.body["status"] == "firing")
    time.sleep(9)
    assert notices(webhook, case) == ["firing"]
    assert firing(alertmanager) == {case.id}
    courier.stop()
    courier._thread = None
    wait_until(lambda: notices(webhook, case) == ["firing", "resolved"], "the end without re-sends", 15)


@pytest.mark.parametrize("state", [CaseState.ACKNOWLEDGED, CaseState.CLOSED])
def test_an_acknowledged_or_closed_case_is_resolved(
    state: CaseState, courier: Courier, start_alertmanager: Alertmanagers, webhook: WebhookReceiver
) -> None:
    alertmanager = start_alertmanager(routing(webhook.url))
    courier.start({"one": alertmanager.url})
    wait_until(courier.settled, "the first round")
    case, other = theft(1), theft(2)
    courier.put(case, other)
    wait_until(lambda: notices(webhook, case) == notices(webhook, other) == ["firing"], "both notices")
    courier.put(replace(case, state=state))
    wait_until(lambda: notices(webhook, case) == ["firing", "resolved"], "the resolved notice")
    time.sleep(2.5)
    assert notices(webhook, case) == ["firing", "resolved"]
    assert notices(webhook, other) == ["firing"]
    assert firing(alertmanager) == {other.id}


def test_what_happened_while_alertmanager_was_down_is_delivered_after(
    courier: Courier, start_alertmanager: Alertmanagers, webhook: WebhookReceiver
) -> None:
    alertmanager = start_alertmanager(routing(webhook.url))
    courier.start({"one": alertmanager.url})
    before, told, grown, gone = (theft(number) for number in range(4))
    wait_until(courier.settled, "the first round")
    courier.put(before)
    wait_until(lambda: notices(webhook, before) == ["firing"], "the case before")
    alertmanager.stop()
    courier.put(told)
    courier.put(grown)
    courier.put(gone)
    courier.put(replace(gone, state=CaseState.CLOSED))
    courier.put(replace(grown, units=THEFT.units * 2 if THEFT.units else 0))
    wait_until(lambda: "no connection (Connection refused)" in courier.health.problems.get("deliver/", ""), "a problem")
    time.sleep(4)
    assert courier.pending() == {"one": 5}
    alertmanager.start()
    wait_until(lambda: courier.pending() == {}, "the backlog", 15)
    wait_until(lambda: firing(alertmanager) == {before.id, told.id, grown.id}, "what is open")
    wait_until(lambda: notices(webhook, told) == ["firing"], "the notice of what happened meanwhile")
    assert "resolved" not in notices(webhook, before)
    descriptions = {e["labels"]["case_id"]: e["annotations"]["description"] for e in alertmanager.alerts()}
    assert "500.000002 USDT" in descriptions[grown.id]
    wait_until(courier.settled, "the stage to have succeeded")


def test_a_backlog_arrives_in_the_order_it_was_committed(courier: Courier, webhook: WebhookReceiver) -> None:
    """The receiver records what Alertmanager would be sent."""
    webhook.down()
    cases = [theft(number, CaseState.CLOSED) for number in (5, 3, 9, 1, 7, 2, 8, 0, 6, 4)]
    for case in cases:
        courier.store.put(case, receivers=("one",))
    courier.start({"one": webhook.url}, replace(PACE, resend=600.0, batch=4))
    wait_until(lambda: bool(courier.health.problems), "a problem")
    webhook.status = 503
    webhook.up()
    wait_until(lambda: len(webhook.refused) >= 2, "an answer that says no")
    assert courier.pending() == {"one": 10}
    webhook.status = 200
    wait_until(lambda: courier.pending() == {}, "the backlog")
    assert {post.path for post in webhook.posts} == {"/api/v2/alerts"}
    assert [a["labels"]["case_id"] for post in webhook.posts for a in post.body] == [case.id for case in cases]
    assert [len(post.body) for post in webhook.posts] == [4, 4, 2]


def test_two_replicas_hear_of_every_case_and_one_that_is_down_holds_up_nobody(
    courier: Courier, start_alertmanager: Alertmanagers, webhook: WebhookReceiver
) -> None:
    one, two = start_alertmanager(routing(webhook.url)), start_alertmanager(routing(webhook.url))
    courier.start({"one": one.url, "two": two.url})
    wait_until(courier.settled, "the first round")
    first, second = theft(1), theft(2)
    courier.put(first, receivers=("one", "two"))
    wait_until(lambda: firing(one) == firing(two) == {first.id}, "both replicas")
    one.stop()
    committed = courier.put(second, receivers=("one", "two"))
    post = webhook.wait_for(lambda post: post.body["alerts"][0]["labels"]["case_id"] == second.id)
    assert post.at - committed <= 1.0
    assert courier.pending() == {"one": 1}
    one.start()
    wait_until(lambda: firing(one) == {first.id, second.id}, "the replica that came back")


def test_an_alert_that_alertmanager_refuses_stays_pending_and_is_named(
    courier: Courier, start_alertmanager: Alertmanagers, webhook: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = [theft(1), theft(3)], theft(2)
    render = deliver.render_alerts

    def spoil(case: Case, *rest: Any) -> list[dict[str, Any]]:
        """An end before the start is what Alertmanager refuses."""
        changes = {"endsAt": "2001-01-01T00:00:00Z"} if case.id == bad.id else {}
        return [{**told, **changes} for told in render(case, *rest)]

    alertmanager = start_alertmanager(routing(webhook.url))
    courier.start({"one": alertmanager.url})
    wait_until(courier.settled, "the first round")
    with monkeypatch.context() as patch:
        patch.setattr(deliver, "render_alerts", spoil)
        courier.put(good[0], bad, good[1])
        wait_until(lambda: firing(alertmanager) == {case.id for case in good}, "the good ones")
        wait_until(lambda: courier.pending() == {"one": 1}, "the good ones to be marked")
        wait_until(lambda: f"case {bad.id}: HTTP 400" in courier.health.problems.get("deliver/", ""), "the refusal")
    courier.put(theft(4))
    wait_until(lambda: courier.pending() == {}, "the alert that is good now")


class Busy(BaseHTTPRequestHandler):
    """Asks to come back in two seconds, once."""

    asked: list[float]

    def do_POST(self) -> None:
        json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(time.monotonic())
        self.send_response(429 if len(self.asked) == 1 else 200)
        self.send_header("Retry-After", "2")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_receiver_that_asks_to_wait_is_left_alone_for_so_long(courier: Courier) -> None:
    asked: list[float] = []
    handler = type("BusyOnce", (Busy,), {"asked": asked})
    with ExitStack() as cleanup:
        server = cleanup.enter_context(HTTPServer((LOOPBACK, free_port()), handler))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        cleanup.callback(thread.join)
        cleanup.callback(server.shutdown)
        courier.store.put(theft(1, CaseState.CLOSED), receivers=("one",))
        courier.start({"one": f"http://{LOOPBACK}:{server.server_port}"})
        wait_until(lambda: courier.pending() == {}, "the second try", 10)
        courier.stop()
        courier._thread = None
    assert asked[1] - asked[0] >= 2.0


async def test_a_drill_goes_through_every_receiver_for_real(
    start_alertmanager: Alertmanagers, webhook: WebhookReceiver, tmp_path: Path
) -> None:
    alertmanager = start_alertmanager(routing(webhook.url))
    beat = tmp_path / "beat"
    beat.write_text(f"{webhook.url}ping/secret")
    some = [
        Receiver("alertmanager-1", alertmanager.url),
        Receiver("alertmanager-2", f"http://{LOOPBACK}:{free_port()}"),
    ]
    results = await drill(some, beat, "http://127.0.0.1:9899", datetime.now(UTC))
    assert [(r.receiver, r.ok) for r in results] == [
        ("alertmanager-1", True),
        ("alertmanager-2", False),
        ("deadman", True),
    ]
    assert results[1].detail == "no connection (Connection refused)"

    def told() -> bool:
        return any(
            post.body and post.body["alerts"][0]["labels"]["alertname"] == "PorwatchDrill" for post in webhook.posts
        )

    await asyncio.to_thread(wait_until, told, "the drill at the webhook")
    assert [post.body for post in webhook.posts if post.path == "/ping/secret"] == [None]


async def test_the_heartbeat_stops_with_the_chain_and_its_answer_is_never_quoted(
    webhook: WebhookReceiver, tmp_path: Path
) -> None:
    health = Health(started_at=datetime.now(UTC), chains=("bitcoin",))
    (tmp_path / "beat").write_text(f"{webhook.url}ping/secret\n")
    every = timedelta(milliseconds=100)
    heart = asyncio.create_task(Deadman(tmp_path / "beat", every, timedelta(seconds=1), health).run())
    try:
        await asyncio.sleep(0.5)
        assert webhook.posts == []
        health.success("follow", "bitcoin", datetime.now(UTC))
        await asyncio.sleep(2.0)
        beats = len(webhook.posts)
        assert 3 <= beats <= 12
        assert health.problems["deadman/"] == "no heartbeat: not followed: bitcoin"
        webhook.status = 500
        health.success("follow", "bitcoin", datetime.now(UTC))
        await asyncio.sleep(0.4)
        assert health.problems["deadman/"] == "the heartbeat was not taken: HTTP 500"
        assert len(webhook.posts) == beats
    finally:
        heart.cancel()
        await asyncio.gather(heart, return_exceptions=True)
