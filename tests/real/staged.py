"""The demo's exchange, watched by a real Prometheus with the shipped rules: calm, and then a theft."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chains.lab.process import LOOPBACK, wait_until
from monitor.demo.exchange import Exchange
from monitor.demo.traffic import Traffic
from tests.real.servers import Prometheus, WebhookReceiver

ROOT = Path(__file__).parents[2]
#: what the house allows itself, so that there is a check which no law knows
HOUSE = """
id: house-limits
version: "1"
title: Limits of the house
status: in_force
effective_from: 2020-01-01
valuation: {currency: JPY, price: spot_close, tz: Asia/Tokyo, verified: true}
calendar: every_day
staked_counts_as: hot
source_url: https://exchange.example/limits
source_date: 2026-01-01
verified: true
declared: {}
parameters:
  hot_share: {unit: number, value: 0.60, verified: true, basis: "decision of the board"}
checks:
  hot_ratio:
    per: aggregate
    expr: "sum(E.cust_hot) <= param.hot_share * sum(E.cust_*)"
    severity: critical
    freq: {legal: daily, monitor: daily, verified: true}
    basis: "decision of the board"
    verified: true
notifications: []
"""


class Watched(Exchange):
    """The same exchange with a receiver of alerts and a profile of its own."""

    receiver = ""

    def _write_config(self) -> None:
        super()._write_config()
        document = yaml.safe_load(self.config.read_text("utf-8"))
        document["alertmanagers"] = [{"url": type(self).receiver}]
        document["profiles"] = ["house-limits.yaml"]
        (self.folder / "house-limits.yaml").write_text(HOUSE, "utf-8")
        self.config.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")


@dataclass(frozen=True, slots=True)
class Staged:
    """Times are Unix seconds: calm from ``began`` to ``stolen``, then the theft until ``ended``."""

    prometheus: Prometheus
    began: float
    stolen: float
    ended: float

    def over(self, expr: str, began: float, ended: float) -> list[dict[str, Any]]:
        """The series of a range query, a point each second."""
        query = {"query": expr, "start": f"{began:.3f}", "end": f"{ended:.3f}", "step": "1"}
        series: list[dict[str, Any]] = self.prometheus.api("/api/v1/query_range", **query)["data"]["result"]
        return series


def stage(program: Path, folder: Path, stack: ExitStack, calm: float = 15.0, after: float = 6.0) -> Staged:
    """Starts everything, steals after ``calm`` seconds, and returns ``after`` seconds after Prometheus has seen it all."""
    receiver = WebhookReceiver()
    receiver.up()
    stack.callback(receiver.down)
    kind: type[Watched] = type("WatchedHere", (Watched,), {"receiver": receiver.url})
    exchange = kind.start(folder, stack)
    prometheus = stack.enter_context(Prometheus(program, folder / "prometheus", _scraping(exchange.port)))
    traffic = Traffic(exchange, threading.Event())
    stack.callback(traffic.end)
    traffic.start()
    wait_until(lambda: len(prometheus.query("porwatch_coverage_ratio")) == 3, "a verdict in Prometheus", 60)
    wait_until(lambda: len(prometheus.query('porwatch_movements_total{reason="approved"} > 0')) > 1, "traffic", 60)
    began = time.time()
    wait_until(lambda: time.time() - began > calm, "some calm", calm + 5)
    stolen = time.time()
    traffic.steal()
    wait_until(lambda: len(prometheus.query("porwatch_coverage_ratio < 1")) == 2, "the breach in Prometheus", 60)
    wait_until(lambda: prometheus.query('ALERTS{alertname="PorwatchUnexplainedOutflow"}') != [], "the alert", 30)
    seen = time.time()
    wait_until(lambda: time.time() - seen > after, "a look at what follows", after + 5)
    return Staged(prometheus, began, stolen, time.time())


def _scraping(port: int) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
        "rule_files": [str(path) for path in sorted((ROOT / "alerts" / "rules").glob("*.yml"))],
        "scrape_configs": [{"job_name": "porwatch", "static_configs": [{"targets": [f"{LOOPBACK}:{port}"]}]}],
    }
