"""Requests to halt over real HTTP: signed, sent until they are taken, and in nobody's way."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from chains.lab.process import LOOPBACK, free_port
from monitor.config.models import Halt
from monitor.detect import Halting, halt_of
from monitor.health import Health
from monitor.ledger import reader
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, commit
from monitor.model import Case, Severity
from monitor.publish.deliver import Delivery, Receiver
from monitor.publish.first_line import Form
from monitor.publish.halt import HaltPace, Halts, signed_headers
from monitor.step import take
from monitor.step.observations import Acted
from tests.conftest import CHECKOUT
from tests.real.certificates import self_signed
from tests.real.servers import WebhookReceiver
from tests.scenarios.stage import Stage

SECRET = "correct horse battery staple 0123456789"
PAGE = CHECKOUT / "docs/how-to/halt-withdrawals.md"
PACE = HaltPace(first_wait=0.02, longest_wait=0.05, timeout=5.0, rest=5.0)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Endpoint:
    """The exchange's system, as a test wants it to answer; ``taken``: headers and body of each request."""

    answers: list[Answer] = field(default_factory=list)
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    elsewhere: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.taken.append((dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)

    async def other(self, _request: web.Request) -> web.Response:
        self.elsewhere += 1
        return web.json_response({"halted_at": "2026-11-24T00:00:00Z"})


def says(status: int, text: str = "", **headers: str) -> Answer:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers=headers)

    return answer


async def hangs(_request: web.Request) -> web.Response:
    await asyncio.sleep(60)
    raise AssertionError


@asynccontextmanager
async def listening(endpoint: Endpoint, trust: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/halt", endpoint.handle)
    app.router.add_route("*", "/elsewhere", endpoint.other)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, LOOPBACK, port, ssl_context=trust).start()
    try:
        yield f"http{'s' if trust else ''}://{LOOPBACK}:{port}/halt"
    finally:
        await runner.cleanup()


class Desk:
    """A ledger with thefts, and the courier that sends what they ask for."""

    def __init__(self, folder: Path) -> None:
        wallet = {"chain": "ethereum", "tier": "hot", "addresses": ["0xhot"]}
        self.folder = folder
        self.stage = Stage(folder, {"wallets": {"eth-hot": wallet}, "holds": {"0xhot": ["100000 ETH"]}})
        self.stage.setup.halting = Halting(frozenset({"unexplained_outflow"}), Severity.CRITICAL, False, 9, False)
        self.health = Health(started_at=datetime.now(UTC), chains=())
        (folder / "secret").write_text(SECRET + "\n")

    def steal(self, name: str = "t1") -> Case:
        now = datetime.now(UTC)
        height = self.stage.cursor("ethereum").height + 1
        payment = {"id": name, "from": "0xhot", "fee": "0 ETH", "moves": ["0xhot -> 0xthief 5000 ETH"]}
        at = now.replace(tzinfo=None).isoformat()
        self.stage.play({"at": at, "block": f"ethereum {height}", "transactions": [payment]})
        return self.stage.outcome.cases[0]

    async def give(self, observation: Any) -> None:
        def write() -> None:
            with self.stage.ledger.write() as connection:
                take(connection, self.stage.setup, observation, datetime.now(UTC))

        await asyncio.to_thread(write)

    def case(self, case: Case) -> Case:
        with self.stage.ledger.read() as connection:
            found = reader.case(connection, case.id)
        assert found is not None
        return found

    def halt(self, case: Case) -> dict[str, Any]:
        return dict(halt_of(self.case(case)))

    def waiting(self) -> int:
        with self.stage.ledger.read() as connection:
            return len(reader.next_messages(connection, "halt", 100))

    @asynccontextmanager
    async def sending(self, url: str | None, pace: HaltPace = PACE, **changes: Any) -> AsyncIterator[Halts]:
        settings = None
        if url is not None:
            keys = {"url": url, "secret_file": "secret", "rules": ["unexplained_outflow"], "dry_run": False, **changes}
            settings = Halt.model_validate(keys)
        halts = Halts(settings, self.folder, self.stage.ledger, self.give, self.health, pace=pace)
        task = asyncio.create_task(halts.run())
        try:
            yield halts
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.stage.close()


async def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_request_is_signed_and_its_answer_contains_the_case(desk: Desk) -> None:
    halted = datetime.now(UTC) + timedelta(seconds=2)
    endpoint = Endpoint([says(200, json.dumps({"halted_at": halted.isoformat()}))])
    async with listening(endpoint) as url, desk.sending(url) as halts:
        case = desk.steal()
        halts.wake()
        await until(lambda: desk.waiting() == 0)
    ((headers, body),) = endpoint.taken
    assert json.loads(body)["case_id"] == case.id == headers["Idempotency-Key"]
    assert abs(int(headers["Porwatch-Timestamp"]) - time.time()) < 30
    signed = hmac.new(SECRET.encode(), f"{headers['Porwatch-Timestamp']}.".encode() + body, hashlib.sha256)
    assert headers["Porwatch-Signature"] == f"v1={signed.hexdigest()}"
    halt = desk.halt(case)
    assert (halt["state"], halt["said_by"]) == ("contained", "endpoint")
    assert datetime.fromisoformat(halt["contained_at"]) == halted
    assert halt["time_to_halt_ms"] == (halted - case.opened_at) // timedelta(milliseconds=1)


async def test_without_a_time_of_the_endpoint_the_time_of_its_answer_counts(desk: Desk) -> None:
    case = desk.steal()
    text = json.dumps({"halted_at": "2026-11-24T00:00:00Z", "log": "x" * 10_000})
    async with listening(Endpoint([says(200, text)])) as url, desk.sending(url):
        await until(lambda: desk.waiting() == 0)
    halt = desk.halt(case)
    assert (halt["state"], halt["said_by"]) == ("contained", "porwatch")
    assert abs(datetime.fromisoformat(halt["contained_at"]) - datetime.now(UTC)) < timedelta(seconds=30)


async def test_it_is_sent_until_it_is_taken_with_the_same_key_and_body(desk: Desk) -> None:
    endpoint = Endpoint([says(503, "halting"), says(500), says(404), says(200)])
    desk.steal()
    async with listening(endpoint) as url, desk.sending(url):
        await until(lambda: len(endpoint.taken) >= 2)
        await until(lambda: desk.waiting() == 0)
    assert len(endpoint.taken) == 4
    assert len({(headers["Idempotency-Key"], body) for headers, body in endpoint.taken}) == 1
    assert desk.health.problems == {}


async def test_a_redirect_is_not_followed(desk: Desk) -> None:
    endpoint = Endpoint([says(307, Location="/elsewhere")])
    case = desk.steal()
    async with listening(endpoint) as url, desk.sending(url):
        await until(lambda: "halt/" in desk.health.problems)
    assert desk.health.problems["halt/"] == "a request to halt was not taken: HTTP 307"
    assert endpoint.elsewhere == 0
    assert (desk.waiting(), desk.halt(case)["state"]) == (1, "requested")


async def test_one_that_is_refused_holds_up_no_other(desk: Desk) -> None:
    bad, good = desk.steal("t1"), desk.steal("t2")

    async def choose(request: web.Request) -> web.Response:
        return web.Response(status=422 if request.headers["Idempotency-Key"] == bad.id else 200)

    async with listening(Endpoint([choose])) as url, desk.sending(url):
        await until(lambda: desk.halt(good)["state"] == "contained")
        await until(lambda: "HTTP 422" in desk.health.problems.get("halt/", ""))
    assert desk.halt(bad)["state"] == "requested"


async def test_a_bad_secret_sends_nothing_and_a_good_one_is_taken_up(desk: Desk) -> None:
    secret = desk.folder / "secret"
    secret.unlink()
    endpoint = Endpoint([says(200)])
    desk.steal()
    async with listening(endpoint) as url, desk.sending(url):
        await until(lambda: "cannot be read" in desk.health.problems.get("halt/", ""))
        secret.write_text("hunter2")
        await until(lambda: "has 7 characters, fewer than 32" in desk.health.problems["halt/"])
        assert "hunter2" not in desk.health.problems["halt/"]
        assert (endpoint.taken, desk.waiting()) == ([], 1)
        secret.write_text(SECRET)
        await until(lambda: desk.waiting() == 0)


async def test_the_request_of_a_closed_case_is_withdrawn(desk: Desk) -> None:
    case = desk.steal()
    await desk.give(Acted(case.id, "close", "tanaka", "a drill"))
    endpoint = Endpoint([says(200)])
    async with listening(endpoint) as url, desk.sending(url):
        await until(lambda: desk.waiting() == 0)
    assert endpoint.taken == []
    assert desk.halt(case)["state"] == "withdrawn"
    assert desk.case(case).history[-1].note == "the case is closed"


@pytest.mark.parametrize("off", ["dry run", "no section"])
async def test_what_was_asked_before_it_was_switched_off_is_withdrawn(desk: Desk, off: str) -> None:
    case = desk.steal()
    endpoint = Endpoint([says(200)])
    async with listening(endpoint) as url, desk.sending(url if off == "dry run" else None, dry_run=True):
        await until(lambda: desk.waiting() == 0)
    assert endpoint.taken == []
    assert desk.halt(case)["state"] == "withdrawn"


async def test_an_endpoint_that_hangs_holds_up_no_page(desk: Desk, webhook: WebhookReceiver) -> None:
    async def mark_sent(ids: tuple[int, ...], told: tuple[Record, ...]) -> None:
        def write() -> None:
            with desk.stage.ledger.write() as connection:
                commit(connection, Commit(records=told, sent=ids), datetime.now(UTC))

        await asyncio.to_thread(write)

    delivery = Delivery(
        [Receiver("pager", webhook.url)],
        desk.stage.ledger,
        form=Form(desk.stage.setup.decimals, "http://127.0.0.1:9899"),
        mark_sent=mark_sent,
        health=desk.health,
    )
    endpoint = Endpoint([hangs])
    pager = asyncio.create_task(delivery.run())
    try:
        async with listening(endpoint) as url, desk.sending(url, replace(PACE, timeout=60.0)) as halts:
            case = desk.steal("t1")
            halts.wake()
            delivery.wake()
            await until(lambda: len(endpoint.taken) == 1)
            await until(lambda: len(webhook.posts) >= 1)
            before = len(webhook.posts)
            await desk.give(Acted(case.id, "ack", "tanaka", "looking"))
            halts.wake()
            delivery.wake()
            await until(lambda: len(webhook.posts) > before)
            assert {alert["labels"]["case_id"] for post in webhook.posts for alert in post.body} == {case.id}
            assert len(endpoint.taken) == 1, "the first request still waits for its answer"
    finally:
        pager.cancel()
        await asyncio.gather(pager, return_exceptions=True)


async def test_only_a_certificate_of_the_named_authority_is_believed(desk: Desk, tmp_path: Path) -> None:
    certificate, both = self_signed(tmp_path)
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trust.load_cert_chain(both)
    endpoint = Endpoint([says(200)])
    case = desk.steal()
    async with listening(endpoint, trust) as url:
        async with desk.sending(url):
            await until(lambda: "Certificate" in desk.health.problems.get("halt/", ""))
        assert (endpoint.taken, desk.halt(case)["state"]) == ([], "requested")
        async with desk.sending(url, ca_file=certificate.name):
            await until(lambda: desk.halt(case)["state"] == "contained")


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[str]:
    """The receiver of the page, run as it stands there."""
    (script,) = re.findall(r"```python title=receiver.py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "receiver.py").write_text(script, encoding="utf-8")
    (tmp_path / "secret").write_text(SECRET + "\n")
    port = free_port()
    command = [sys.executable, "receiver.py", "secret", str(port)]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    yield f"http://{LOOPBACK}:{port}/"
    process.kill()
    process.wait()


async def test_the_receiver_of_the_page_takes_what_porwatch_sends_and_nothing_else(desk: Desk, receiver: str) -> None:
    case = desk.steal()
    async with desk.sending(receiver):
        await until(lambda: desk.halt(case)["state"] == "contained")
    assert desk.halt(case)["said_by"] == "endpoint"
    body = json.dumps({"case_id": case.id}).encode()
    now, secret = datetime.now(UTC), SECRET.encode()
    good = signed_headers(secret, body, case.id, now)
    sent = {
        "good": (body, good),
        "altered": (body.replace(b"case_id", b"other_id"), good),
        "old": (body, signed_headers(secret, body, case.id, now - timedelta(seconds=302))),
        "ahead": (body, signed_headers(secret, body, case.id, now + timedelta(seconds=302))),
        "another secret": (body, signed_headers(b"x" * 32, body, case.id, now)),
        "another time": (body, {**good, "Porwatch-Timestamp": str(int(now.timestamp()) + 1)}),
        "unsigned": (body, {"Content-Type": "application/json"}),
    }
    answers = {}
    async with aiohttp.ClientSession() as session:
        for name, (content, headers) in sent.items():
            async with session.post(receiver, data=content, headers=headers) as response:
                answers[name] = response.status
                if name == "good":
                    again = json.loads(await response.read())
    assert answers == {"good": 200, **dict.fromkeys(list(sent)[1:], 401)}
    assert datetime.fromisoformat(again["halted_at"]) == datetime.fromisoformat(desk.halt(case)["contained_at"])
