"""Stands in for Alertmanager: takes POST /api/v2/alerts and counts what it would page, once for each alert that begins.

An alert is the set of its labels. It fires until the `endsAt` that was last said; while it does, saying
it again is the same page, and after its end it would page again.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from chains.lab.process import LOOPBACK
from monitor.publish.alert import GROWTH_ALERT

#: each way takes as long as over a network, so that a kill finds requests not yet taken, and taken but not answered
WAY_SECONDS = 0.01
#: 200 alerts of a few kilobytes
_LONGEST_BODY = 4 * 1024 * 1024


@dataclass(slots=True)
class Pager:
    """The state machine. Times are Unix seconds; ``pages`` and ``alerts`` (how often it was said) by case id.

    ``grown``: pages for the growth of an incident, by the case that made it grow: an alert beside the case's own.
    """

    pages: Counter[str] = field(default_factory=Counter)
    grown: Counter[str] = field(default_factory=Counter)
    alerts: Counter[str] = field(default_factory=Counter)
    _ends: dict[frozenset[tuple[str, str]], float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, alerts: list[dict[str, Any]], now: float) -> None:
        """What one request says."""
        with self._lock:
            for alert in alerts:
                labels = frozenset(alert["labels"].items())
                case_id = alert["labels"]["case_id"]
                self.alerts[case_id] += 1
                ends = datetime.fromisoformat(alert["endsAt"]).timestamp()
                if ends > now and self._ends.get(labels, 0.0) <= now:
                    (self.grown if alert["labels"].get("alertname") == GROWTH_ALERT else self.pages)[case_id] += 1
                self._ends[labels] = ends

    def firing(self, now: float) -> list[str]:
        """Case ids of the alerts that fire at ``now``."""
        with self._lock:
            return [dict(labels)["case_id"] for labels, ends in self._ends.items() if ends > now]


class Receiver:
    """The pager behind HTTP on a free loopback port; a context manager."""

    def __init__(self) -> None:
        self.pager = Pager()
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _handler(self.pager))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(pager: Pager) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(min(length, _LONGEST_BODY))
            if len(body) != length or self.path != "/api/v2/alerts":
                self.close_connection = True  # its sender died while sending: Alertmanager takes nothing of it either
                return
            time.sleep(WAY_SECONDS)
            pager.take(json.loads(body), time.time())
            time.sleep(WAY_SECONDS)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return Handler
