from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from monitor.config.models import HALT_RULES, may_be_asked
from monitor.config.secret import SecretError, read_signing_secret
from monitor.publish.halt import contained_at, signed_headers
from monitor.publish.rules import RULES
from tests.unit.publish.samples import NOW


def test_the_endpoint_is_believed_about_the_past_and_a_minute_ahead() -> None:
    assert contained_at(b'{"halted_at": "2026-09-21T23:00:00+09:00"}', NOW)[1] == "endpoint"
    for ahead, said_by in ((60, "endpoint"), (61, "porwatch")):
        moment = NOW + timedelta(seconds=ahead)
        answer = f'{{"halted_at": "{moment.isoformat()}"}}'.encode()
        assert contained_at(answer, NOW) == (moment if said_by == "endpoint" else NOW, said_by)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"halted",
        b"[]",
        b'{"halted": true}',
        b'{"halted_at": 5}',
        b'{"halted_at": "yesterday"}',
        b'{"halted_at": "2026-09-21T00:00:00"}',
        b'{"halted_at": "2026-09-21T00:00:00Z", "halted_at": "2026-09-20T00:00:00Z"}',
        b'{"halted_at": "2026-09-21T00:00:00Z"',
        b"\xff\xfe",
        b"[" * 4000,
    ],
)
def test_without_a_time_that_can_be_used_the_time_of_the_answer_counts(answer: bytes) -> None:
    assert contained_at(answer, NOW) == (NOW, "porwatch")


def test_the_signature_is_that_of_rfc_2104_over_time_and_body() -> None:
    """The value was made with: printf '1790000000.{}' | openssl dgst -sha256 -hmac …"""
    headers = signed_headers(b"0123456789abcdef0123456789abcdef", b"{}", "c0ffee", NOW)
    assert headers == {
        "Content-Type": "application/json",
        "Porwatch-Timestamp": "1790000000",
        "Porwatch-Signature": "v1=5949482f8f268ce61c6208ee9050323b82d4c3033bad3f5c14c19f657d409d60",
        "Idempotency-Key": "c0ffee",
    }


@pytest.mark.parametrize(
    ("text", "wrong"),
    [(None, "cannot be read"), ("", "is empty"), ("\n", "is empty"), ("x" * 31, "has 31 characters, fewer than 32")],
)
def test_a_secret_that_is_none_or_can_be_guessed_is_refused(tmp_path: Path, text: str | None, wrong: str) -> None:
    if text is not None:
        (tmp_path / "secret").write_text(text)
    with pytest.raises(SecretError, match=wrong) as caught:
        read_signing_secret(tmp_path / "secret")
    assert "xxx" not in str(caught.value)


def test_the_last_newline_is_no_part_of_the_secret(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"y" * 32 + b"\r\n")
    assert read_signing_secret(tmp_path / "secret") == b"y" * 32


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://exchange.example/halt", True),
        ("http://127.0.0.1:8080/halt", True),
        ("http://[::1]:8080/halt", True),
        ("http://localhost/halt", True),
        ("http://exchange.example/halt", False),
        ("http://127.0.0.1.example/halt", False),
        ("http://10.0.0.1/halt", False),
    ],
)
def test_only_who_cannot_be_forged_is_asked(url: str, asked: bool) -> None:
    assert may_be_asked(url) is asked


def test_every_rule_that_may_ask_is_a_rule() -> None:
    assert set(HALT_RULES) <= set(RULES)
