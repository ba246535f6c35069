"""Signed approvals: a known key, this very content, or nothing."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.books import Bookmark, BooksError, Heartbeat, SignatureError, parse_approval, read_keys, read_new
from monitor.books.keys import signed_bytes
from monitor.config import Config
from monitor.model import Approval, Cancellation
from tests.unit.books.test_approvals import GOOD

#: RFC 8032, 7.1, test 2
SECRET = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
)
PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"


def sign(record: dict[str, Any], key: str = "ops") -> dict[str, Any]:
    sig = base64.b64encode(SECRET.sign(signed_bytes(record))).decode()
    return {**record, "signature": {"key": key, "sig": sig}}


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(f"# who may approve\n\nops {PUBLIC}\n", encoding="utf-8")
    return file


def test_what_is_signed_is_the_record_with_sorted_keys_and_without_spaces() -> None:
    record = {"b": "é", "a": {"d": 1, "c": None}, "signature": {"key": "x"}}
    assert signed_bytes(record) == '{"a":{"c":null,"d":1},"b":"é"}'.encode()


def test_keys_are_in_hex_or_base64(keys_file: Path) -> None:
    in_hex = read_keys(keys_file)
    keys_file.write_text(f"ops {base64.b64encode(bytes.fromhex(PUBLIC)).decode()}", encoding="utf-8")
    assert in_hex == read_keys(keys_file)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "holds no key"),
        ("ops", "is no key"),
        ("ops zz", "no ed25519 public key"),
        (f"ops {PUBLIC[2:]}", "no ed25519 public key"),
        (f"ops {PUBLIC}\nops {PUBLIC}", "twice"),
        (f"the ops {PUBLIC}", "without spaces"),
    ],
)
def test_a_keys_file_with_a_mistake_is_refused_whole(keys_file: Path, text: str, fragment: str) -> None:
    keys_file.write_text(text, encoding="utf-8")
    with pytest.raises(BooksError, match=fragment):
        read_keys(keys_file)


def test_a_keys_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BooksError, match="cannot be read"):
        read_keys(tmp_path / "nowhere")


def test_approvals_cancellations_and_heartbeats_count_when_signed(
    config: Config, now: datetime, keys_file: Path
) -> None:
    keys = read_keys(keys_file)
    signed = parse_approval(sign(GOOD), config, now, keys)
    assert isinstance(signed, Approval)
    assert signed == parse_approval(GOOD, config, now), "the signature is no part of what it says"
    assert isinstance(parse_approval(sign({"id": "w-1", "op": "cancel"}), config, now, keys), Cancellation)
    assert isinstance(parse_approval(sign({"heartbeat": "2026-11-22T12:00:00Z"}), config, now, keys), Heartbeat)


@pytest.mark.parametrize(
    ("record", "id_", "key", "fragment"),
    [
        (GOOD, "w-1001", "", "has no signature"),
        ({"heartbeat": "2026-11-22T12:00:00Z"}, "heartbeat", "", "has no signature"),
        ({"id": "w-1", "op": "cancel"}, "w-1", "", "has no signature"),
        ({**sign(GOOD), "amount": "250.1"}, "w-1001", "ops", "did not sign this content"),
        ({**sign(GOOD), "id": "w-2"}, "w-2", "ops", "did not sign this content"),
        ({**sign(GOOD), "wallet": "eth-hot"}, "w-1001", "ops", "did not sign this content"),
        (sign(GOOD, "thief"), "w-1001", "thief", "not in the keys file"),
        ({**GOOD, "signature": "x"}, "w-1001", "", 'write {"key": NAME'),
        ({**GOOD, "signature": {"key": "ops", "sig": "AAAA"}}, "w-1001", "ops", "64 bytes"),
        ({**GOOD, "signature": {"key": "ops", "sig": 5}}, "w-1001", "ops", "64 bytes"),
        ({**GOOD, "signature": {"key": ["ops"], "sig": ""}}, "w-1001", "", "no name"),
        ({"id": "a\nb"}, "no id", "", "has no signature"),
        ({**sign(GOOD), "tag": "\ud800"}, "w-1001", "ops", "did not sign"),
    ],
)
def test_without_a_valid_signature_nothing_is_said(
    config: Config, now: datetime, keys_file: Path, record: dict[str, Any], id_: str, key: str, fragment: str
) -> None:
    with pytest.raises(SignatureError, match=fragment) as caught:
        parse_approval(record, config, now, read_keys(keys_file))
    assert (caught.value.bad.id, caught.value.bad.key) == (id_, key)


def test_without_a_keys_file_a_signature_is_not_looked_at(config: Config, now: datetime) -> None:
    assert parse_approval({**GOOD, "signature": 5}, config, now) == parse_approval(GOOD, config, now)


def test_lines_of_the_file_are_checked_one_by_one(
    config: Config, now: datetime, keys_file: Path, tmp_path: Path
) -> None:
    file = tmp_path / "approvals.jsonl"
    lines = [sign(GOOD), {**GOOD, "id": "w-2"}, sign({"id": "w-3"})]
    file.write_text("".join(json.dumps(line, indent=None) + "\n" for line in lines), encoding="utf-8")
    read = read_new(file, Bookmark(), config, now, read_keys(keys_file))
    assert [record.id for _, record in read.records] == ["w-1001"]
    assert [(bad.line, bad.signature.id if bad.signature else None) for bad in read.malformed] == [
        (2, "w-2"),
        (3, None),
    ]
