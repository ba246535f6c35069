"""What stands in the log: enough to find the cause, never a secret, and not the same line for ever."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitor import logs
from monitor.config import load
from tests.unit.config.test_loader import BASE

LETTERS = st.text("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", min_size=12, max_size=40)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    logs._hidden.clear()


@pytest.fixture(params=["json", "text"])
def stream(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """All logging as the command line sets it up, into memory."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure("info", request.param)
    written = io.StringIO()
    root.handlers[0].setStream(written)  # type: ignore[attr-defined]
    yield written
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@given(secret=LETTERS)
@pytest.mark.parametrize(
    "line",
    [
        "http://user:{}@node.example:8545/",
        "https://mainnet.example/v3/{}",
        "wss://mainnet.example/?key={} failed",
        "Authorization: Bearer {}",
        "headers: {{'x-api-key': '{}'}}",
        "password={} is wrong",
        "connection to porwatch:{}@db.example failed",
        "https://hooks.example/services/T0/{}: 404",
    ],
)
def test_what_has_the_form_of_a_secret_is_never_logged(line: str, secret: str) -> None:
    event: dict[str, Any] = {"event": line.format(secret), "deep": {"list": [line.format(secret), 3]}, "token": secret}
    assert secret not in str(logs.redact(None, "info", event))


@given(secret=LETTERS, before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_secret_that_is_known_is_never_logged_whatever_stands_around_it(secret: str, before: str, after: str) -> None:
    logs.hide([secret + "\n"])
    event = {"event": before + secret + after, "error": ValueError(secret), "n": {secret: [secret]}}
    assert secret not in str(logs.redact(None, "error", event))


def test_what_helps_to_find_the_cause_stays() -> None:
    event = {
        "event": "cannot follow chain",
        "chain": "bitcoin",
        "height": 7,
        "error": "Unreachable: endpoint-1: connection refused",
        "address": "http://127.0.0.1:9899",
    }
    assert logs.redact(None, "info", dict(event)) == event


def test_secrets_in_an_exception_and_its_causes_are_taken_out(stream: io.StringIO) -> None:
    logs.hide(["hunter2-hunter2"])
    try:
        try:
            raise ValueError("hunter2-hunter2")
        except ValueError as error:
            raise RuntimeError("https://node.example/key/abcdef") from error
    except RuntimeError:
        logging.getLogger("porwatch").exception("failed")
    structlog.get_logger("porwatch").error("failed too", detail=["hunter2-hunter2"])
    text = stream.getvalue()
    assert "RuntimeError" in text
    assert "hunter2" not in text
    assert "abcdef" not in text


def test_every_line_of_a_step_says_chain_and_height(stream: io.StringIO) -> None:
    with logs.context(chain="bitcoin", height=812345):
        logging.getLogger("porwatch").warning("from the library of logging")
        structlog.get_logger("porwatch").warning("from structlog")
    logging.getLogger("porwatch").warning("outside")
    one, two, outside = stream.getvalue().splitlines()
    assert "812345" in one
    assert "812345" in two
    assert "812345" not in outside


def test_a_repeated_line_comes_a_few_times_a_minute_and_says_how_many_did_not() -> None:
    now = 0.0
    throttle, passed = logs.Throttle(lambda: now), []

    def line(text: str, **extra: object) -> None:
        record = logging.makeLogRecord({"msg": text, "levelno": logging.WARNING, "name": "porwatch", **extra})
        if throttle.filter(record):
            passed.append((text, getattr(record, "repeated", 0)))

    for _ in range(100):
        line("node is down", chain="bitcoin")
    assert passed == [("node is down", 0)] * 5
    line("node is down", chain="ethereum")
    assert len(passed) == 6
    now = 61.0
    line("node is down", chain="bitcoin")
    assert passed[-1] == ("node is down", 95)


def test_a_flood_of_different_lines_needs_bounded_memory() -> None:
    throttle = logs.Throttle(lambda: 0.0)
    for number in range(5000):
        assert throttle.filter(logging.makeLogRecord({"msg": f"line {number}"}))
    assert len(throttle._seen) == 1000


def test_the_secrets_of_a_configuration_are_those_of_all_the_files_it_names(tmp_path: Path) -> None:
    for name in ("rpc", "url", "dsn", "dead", "halt"):
        (tmp_path / name).write_text(f"secret-{name}-{'0' * 32}\n")
    document = json.loads(json.dumps(BASE))
    document["chains"]["bitcoin"]["endpoints"] = [
        {"url": "http://127.0.0.1:1", "username": "u", "password_file": "rpc"},
        {"url_file": "url"},
    ]
    document["deadman"] = {"url_file": "dead"}
    document["halt"] = {"url": "http://127.0.0.1:1", "secret_file": "halt", "rules": ["residual"]}
    document["books"] = {"liabilities": {"sql": {"dsn_file": "dsn", "query": "SELECT 1"}}}
    file = tmp_path / "porwatch.yaml"
    file.write_text(yaml.safe_dump(document))
    names = ("rpc", "url", "dsn", "dead", "halt")
    assert set(load(file).secrets()) == {f"secret-{name}-{'0' * 32}" for name in names}
