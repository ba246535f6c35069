"""A running monitor that asks for a halt, over a kill; and one in its shadow, which tells nobody until that is over."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chains.lab.anvil import Anvil
from chains.lab.process import LOOPBACK
from tests.real.exchange import Exchange, exchange
from tests.real.servers import WebhookReceiver
from tests.real.sides import EvmSide


@dataclass
class Endpoint:
    """The exchange's system. While ``answer`` is not set it takes a request and says nothing, until it is woken."""

    taken: list[tuple[str, bytes]] = field(default_factory=list)
    answer: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.taken.append((handler.headers["Idempotency-Key"], body))
        self.answer.wait(60)
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(json.dumps({"halted_at": datetime.now(UTC).isoformat()}).encode())


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.handle(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # whoever asked was killed
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    made.url = f"http://{LOOPBACK}:{server.server_port}/halt"
    yield made
    made.answer.set()
    server.shutdown()
    thread.join()
    server.server_close()


def section(ex: Exchange, url: str, **changes: Any) -> dict[str, Any]:
    (ex.folder / "halt_password").write_text("s" * 40 + "\n")
    return {"url": url, "secret_file": "halt_password", "rules": ["unexplained_outflow"], **changes}


def state(ex: Exchange) -> dict[str, Any]:
    (case,) = ex.cases("all")
    found: dict[str, Any] = case["evidence"]["halt"]
    return found


def test_a_kill_between_commit_and_answer_loses_no_request_and_its_key_stays(
    anvil: Anvil, endpoint: Endpoint, tmp_path: Path
) -> None:
    side = EvmSide(anvil)
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.extra["halt"] = section(ex, "http://127.0.0.1:9/halt", dry_run=False)
        ex.write_config()
        ex.start()
        side.pay(side.cold, side.outside(), side.unit)
        side.mine()
        case = ex.only_case(rule="unexplained_outflow")
        ex.wait(lambda: ex.rows("SELECT 1 FROM outbox WHERE receiver = 'halt' AND sent_at IS NULL"), "no request")
        ex.wait(lambda: any(p["stage"] == "halt" for p in ex.get("status")["problems"]), "no problem is shown")
        ex.wait(lambda: ex.metric("porwatch_outbox_pending", receiver="halt") == 1.0, "nothing is pending")
        ex.kill()
        ex.extra["halt"]["url"] = endpoint.url
        ex.write_config()
        ex.start()
        ex.wait(lambda: endpoint.taken, "nothing was sent after the kill")
        assert state(ex)["state"] == "requested"
        ex.kill()
        endpoint.answer.set()
        ex.start()
        ex.wait(lambda: state(ex)["state"] == "contained", "the case is not contained")
        assert [key for key, _ in endpoint.taken] == [case["id"]] * 2, "at least once, and never as another request"
        assert len({body for _, body in endpoint.taken}) == 1
        halt = state(ex)
        assert halt["said_by"] == "endpoint"
        assert halt["time_to_halt_ms"] > 0
        assert [record["state"] for record in ex.records("halt")] == ["requested", "contained"]
        assert ex.rows("SELECT count(*) FROM outbox WHERE receiver = 'halt' AND sent_at IS NULL") == [(0,)]


def test_in_the_shadow_nobody_is_told_and_its_end_pages_for_what_is_open(
    anvil: Anvil, endpoint: Endpoint, webhook: WebhookReceiver, tmp_path: Path
) -> None:
    side = EvmSide(anvil)
    endpoint.answer.set()

    def paged() -> list[str]:
        alerts = [alert for post in webhook.posts for alert in post.body]
        return [alert["labels"]["alertname"] for alert in alerts]

    with exchange(tmp_path / "exchange", [side], alertmanagers=[{"url": webhook.url}]) as ex:
        until = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
        ex.extra |= {"halt": section(ex, endpoint.url, dry_run=False, lone_witness=True), "shadow_until": until}
        ex.write_config()
        ex.start()
        side.pay(side.cold, side.outside(), side.unit)
        side.mine()
        case = ex.only_case(rule="unexplained_outflow", severity="critical")
        assert "halt" not in case["evidence"]
        ex.wait(lambda: ex.metric("porwatch_shadow") == 1.0, "the shadow does not show")
        assert ex.get("status")["shadow"]["until"].startswith(
            (datetime.fromisoformat(until) - timedelta(days=1)).date().isoformat()
        )
        far = json.loads(ex.command("shadow", str(ex.config), "--output", "json").stdout)
        assert (far["state"], far["figures"]["would_have_paged"], far["figures"]["payments"]["unexplained"]) == (
            "begun",
            1,
            1,
        )
        ex.settle()
        assert (paged(), endpoint.taken) == ([], [])
        assert ex.stop() == 0
        del ex.extra["shadow_until"]
        ex.write_config()
        ex.start()
        ex.wait(
            lambda: {"PorwatchShadowEnded", "PorwatchUnexplainedOutflow"} <= set(paged()), "what is open was not told"
        )
        ex.wait(lambda: ex.metric("porwatch_shadow") == 0.0, "the shadow still shows")
        (ended,) = [found for found in ex.cases() if found["rule"] == "shadow_ended"]
        assert ended["severity"] == "critical"
        assert ended["evidence"]["figures"]["critical_open"] == 1
        assert [record["state"] for record in ex.records("shadow")] == ["begun", "begun", "ended"]
        assert endpoint.taken == [], "what was stolen in the shadow asks for no halt"
        assert ex.stop() == 0
        ex.extra["shadow_until"] = until
        ex.write_config()
        refused = ex.command("run", str(ex.config))
        assert (refused.returncode, "there is one for each ledger" in refused.stderr) == (2, True)
