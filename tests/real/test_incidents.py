"""A night of theft against a real Alertmanager on the shipped routing: every case is an alert, a handful are pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from chains.core.values import BlockRef
from chains.lab.process import wait_until
from monitor.ledger.store import Commit, Ledger, commit
from monitor.model import Case, CaseState, Tier
from monitor.publish.alert import GROWTH_ALERT
from monitor.step.messages import written
from tests.real.servers import Alertmanager, WebhookReceiver
from tests.real.test_delivery import PACE, Courier
from tests.unit.publish.samples import THEFT, Store

ROUTING = Path(__file__).parents[2] / "alerts" / "alertmanager.example.yml"
START = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=25)

pytestmark = pytest.mark.component("alertmanager")


@pytest.fixture
def courier(tmp_path: Path) -> Iterator[Courier]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'porwatch.db'}")
    courier = Courier(Store(ledger))
    yield courier
    courier.stop()
    ledger.close()


def theft(number: int, **changes: Any) -> Case:
    """One of many tokens, every four seconds."""
    opened = START + timedelta(seconds=4 * number)
    value = {"amount": "1000000.00", "currency": "JPY", "price_as_of": "2026-09-21T00:00:00Z"}
    block = BlockRef("ethereum", 1000 + number, f"0x{number:064x}", "0x", int(opened.timestamp()))
    case = replace(THEFT, id=f"{number:016x}", opened_at=opened, asset=f"T{number % 24}", value=value, block=block)
    return replace(case, units=10**6, txid=f"0x{number:064x}", **changes)


def take(courier: Courier, *cases: Case) -> None:
    """One step, as the writer takes it."""
    with courier.store.ledger.write() as connection:
        done = written(connection, cases, ("one",))
        commit(connection, Commit(done.records, messages=done.messages), cases[0].opened_at)


def parts(alertmanager: Alertmanager) -> dict[str, int]:
    counts: dict[str, int] = {}
    for alert in alertmanager.alerts():
        part = alert["labels"]["incident_part"]
        counts[part] = counts.get(part, 0) + 1
    return counts


def test_a_night_of_24_tokens_and_hundreds_of_transactions_is_a_handful_of_pages(
    courier: Courier, start_alertmanager: Callable[..., Alertmanager], webhook: WebhookReceiver
) -> None:
    text = ROUTING.read_text().replace("http://127.0.0.1:9990/", webhook.url)
    alertmanager = start_alertmanager(yaml.safe_load(text))
    courier.start({"one": alertmanager.url}, PACE)
    wait_until(courier.settled, "the first round")
    cold = {"chain": "bitcoin", "wallet": "btc-cold", "tier": Tier.COLD}
    for block in range(0, 300, 5):
        take(courier, *(theft(number, **(cold if number == 200 else {})) for number in range(block, block + 5)))
    courier._loop.call_soon_threadsafe(courier._delivery.wake)
    # Of 5 million yen at first: doubled at 10, 20, … 160 million; a chain and a tier at 205 million.
    growths = 6
    wanted = {"first": 1, "further": 299, "growth": growths - 1, "spread": 1}
    wait_until(lambda: parts(alertmanager) == wanted, "every alert", 30)
    wait_until(lambda: len([post for post in webhook.posts if post.path == "/pager"]) == 1 + growths, "the pages", 15)
    pages = [post for post in webhook.posts if post.path == "/pager"]
    assert len({post.body["groupKey"] for post in pages}) == 1 + growths
    said = [alert for post in pages for alert in post.body["alerts"]]
    assert [alert["labels"]["incident_part"] for alert in said].count("first") == 1
    grown = [alert for alert in said if alert["labels"]["alertname"] == GROWTH_ALERT]
    assert {alert["labels"]["incident"] for alert in grown} == {theft(0).id}
    assert any("a new chain, a new tier, a new wallet" in alert["annotations"]["summary"] for alert in grown)
    whole = "JPY 300000000.00 (price of 2026-09-21T00:00:00Z) in 300 cases"
    wait_until(lambda: whole in str(alertmanager.alerts()), "the first line to tell the whole incident", 15)


def test_closing_what_paged_lets_the_next_open_case_page_so_that_none_is_forgotten(
    courier: Courier, start_alertmanager: Callable[..., Alertmanager], webhook: WebhookReceiver
) -> None:
    from monitor.ledger import incidents
    from monitor.step.observations import Acted
    from tests.scenarios.stage import setup_of

    text = ROUTING.read_text().replace("http://127.0.0.1:9990/", webhook.url)
    alertmanager = start_alertmanager(yaml.safe_load(text))
    courier.start({"one": alertmanager.url}, PACE)
    wait_until(courier.settled, "the first round")
    take(courier, theft(0))
    take(courier, theft(1, value={**theft(1).value, "amount": "5.00"}))  # type: ignore[dict-item]
    setup, _ = setup_of({"wallets": {"w": {"chain": "bitcoin", "tier": "hot"}}})
    setup.receivers = ("one",)
    from monitor.step import take as step

    with courier.store.ledger.write() as connection:
        outcome = step(connection, setup, Acted(theft(0).id, "close", "K. Sato", "was approved"), datetime.now(UTC))
    closed, waiting = outcome.cases
    assert (closed.state, waiting.state, waiting.growth) == (CaseState.CLOSED, CaseState.OPEN, ("remains",))
    courier._loop.call_soon_threadsafe(courier._delivery.wake)
    webhook.wait_for(
        lambda post: post.path == "/pager" and waiting.id in str(post.body) and "still open" in str(post.body)
    )
    with courier.store.ledger.read() as connection:
        assert incidents.left_unpaged(connection, closed) is None, "what waits has paged now"
    assert parts(alertmanager)["growth"] == 1
