from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
import uvicorn

from chains.lab.process import LOOPBACK, free_port, wait_until
from monitor.health import Health
from monitor.ledger.store import Ledger
from monitor.model import Case
from monitor.publish.guard import Access
from monitor.publish.snapshot import Snapshots
from monitor.publish.web import Served, make_app
from tests.real.servers import Prometheus, get
from tests.unit.publish.samples import SCOPE, THEFT, Store, numbered


class Nobody:
    """Carries out nothing: these tests read."""

    async def approve(self, body: object) -> Any:
        raise AssertionError

    async def act(
        self, case_id: str, action: Literal["ack", "close"], name: str, reason: str, how: str = "none"
    ) -> Case:
        raise ValueError("nobody acts here")


@dataclass
class Site:
    """porwatch's HTTP interface on a port of its own."""

    port: int
    store: Store
    health: Health
    snapshots: Snapshots


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'porwatch.db'}")
    health = Health(started_at=datetime.now(UTC), chains=("bitcoin", "ethereum"))
    snapshots = Snapshots(ledger, health, SCOPE)
    port = free_port()
    access = Access(LOOPBACK, f"http://{LOOPBACK}:{port}")
    app = make_app(Served(ledger, health, snapshots, SCOPE, Nobody(), access, runbook=lambda name, lang: None))
    server = uvicorn.Server(uvicorn.Config(app, host=LOOPBACK, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: get(port, "/-/healthy")[0] == 200, "porwatch to answer")
    yield Site(port, Store(ledger), health, snapshots)
    server.should_exit = True
    thread.join()
    ledger.close()


def request(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=30)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("major", ["", "-next"])
def test_prometheus_scrapes_every_metric_and_sees_a_case(
    major: str, site: Site, start_prometheus: Callable[..., Prometheus]
) -> None:
    job = {
        "job_name": "porwatch",
        "scrape_interval": "200ms",
        "static_configs": [{"targets": [f"{LOOPBACK}:{site.port}"]}],
    }
    prometheus = start_prometheus({"scrape_configs": [job]}, major)
    wait_until(lambda: prometheus.query("porwatch_build_info") != [], "the first scrape")
    query = 'porwatch_open_cases{rule="unexplained_outflow", chain="ethereum", tier="hot"}'
    [(labels, value)] = prometheus.query(query)
    assert value == 0
    assert labels["severity"] == "critical"
    site.store.put(THEFT)
    site.snapshots.latest = Snapshots(site.store.ledger, site.health, SCOPE).latest
    wait_until(lambda: prometheus.query(query)[0][1] == 1, "the case in Prometheus", 10)
    [(labels, value)] = prometheus.query("porwatch_unexplained_outflow > 0")
    assert (labels["wallet"], labels["asset"], value) == ("eth-hot", "USDT", 250.000001)
    assert prometheus.query("up") == [
        ({"__name__": "up", "instance": f"{LOOPBACK}:{site.port}", "job": "porwatch"}, 1.0)
    ]
    # A label of ours that Prometheus sets itself would come back as exported_….
    assert prometheus.query('{__name__=~"porwatch_.+", exported_job!=""}') == []
    assert prometheus.query('{__name__=~"porwatch_.+", exported_instance!=""}') == []


def test_the_interface_answers_over_real_connections(site: Site) -> None:
    site.store.put(*[numbered(number) for number in range(3)])
    status, headers, body = request(site.port, "GET", "/api/v1/cases?limit=2")
    page = json.loads(body)["data"]
    assert (status, len(page["cases"]), page["next"]) == (200, 2, numbered(1).id)
    assert headers["x-content-type-options"] == "nosniff"
    status, headers, body = request(site.port, "HEAD", "/-/healthy")
    assert (status, body) == (200, b"")
    status, _, body = request(site.port, "GET", "/-/ready")
    assert (status, json.loads(body)["errorType"]) == (503, "not_ready")
    assert request(site.port, "GET", "/openapi.json")[0] == 200


def test_browsers_from_elsewhere_are_refused_over_real_connections(site: Site) -> None:
    path = f"/api/v1/cases/{THEFT.id}/close"
    body = b'{"name": "a", "reason": "b"}'
    json_type = {"content_type": "application/json"}
    assert request(site.port, "POST", path, body, origin="http://evil.example", **json_type)[0] == 403
    assert request(site.port, "POST", path, body, content_type="text/plain")[0] == 415
    assert request(site.port, "GET", "/api/v1/cases", host="evil.example")[0] == 403
    assert request(site.port, "POST", path, body, **json_type)[0] == 409
    assert request(site.port, "POST", path, b"x" * (2 << 20), **json_type)[0] == 413


def test_slow_reads_do_not_hold_up_other_answers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    free = threading.Event()
    entered = threading.Event()
    read = site.store.ledger.read

    def slow() -> Any:
        entered.set()
        free.wait(20)
        return read()

    monkeypatch.setattr(site.store.ledger, "read", slow)
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(request(site.port, "GET", "/api/v1/cases")[0]))
    thread.start()
    try:
        assert entered.wait(10)
        assert request(site.port, "GET", "/metrics")[0] == 200
        assert answers == []
    finally:
        free.set()
        thread.join()
    assert answers == [200]
