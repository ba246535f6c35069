"""JSON from nodes: exact numbers, strict form, and one call's reply that really is its reply."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.core.errors import BadAnswer, NodeError, RateLimited, Unreachable
from chains.core.hex import data, data_bytes, quantity
from chains.core.jsonrpc import Reply, encode, printable, read_one, request
from chains.core.strictjson import loads as parse

EDGES = [0, 1, 2**53 - 1, 2**53 + 1, 2**63 - 1, 2**63 + 1, 2**64 - 1, 2**64 + 1, 2**128, 2**256 - 1]


def read(document: Any, ident: int = 1, status: int = 200) -> Any:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return read_one(Reply(status, body, "application/json"), ident, lambda error: error, 0.0)


@pytest.mark.parametrize("number", EDGES)
def test_whole_numbers_of_any_size_are_exact(number: int) -> None:
    assert parse(str(number).encode()) == number
    assert type(parse(str(number).encode())) is int


@given(st.decimals(min_value=-(10**20), max_value=10**20, places=8))
def test_amounts_with_a_point_are_exact_decimals(amount: Decimal) -> None:
    text = f"{amount:.8f}"
    found = parse(text.encode())
    assert (type(found), found) == (Decimal, amount)


@pytest.mark.parametrize("text", ["1e-8", "4.656542373906925e-10", "1.0E+14"])
def test_numbers_with_an_exponent_are_exact_decimals(text: str) -> None:
    assert parse(text.encode()) == Decimal(text)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nul",
        b'{"a":1,"a":2}',
        b'{"x":{"a":1,"b":2,"a":1}}',
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"\xff",
        b'\xef\xbb\xbf{"id":1}',
        b'"\x01"',
        b"{} {}",
        b"[1,]",
        b"0x10",
        b"01",
        b"1e999999999",
        b"1e-999999999",
        b"1e99999999999999999999999999",
        b"0." + b"1" * 200,
        b"1" * 5000,
        b"[" * 100_000,
        b"<html></html>",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_not_strict_json_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer, match="no JSON"):
        read(body)


def test_a_body_that_is_no_json_is_named_by_its_content_type_and_not_repeated() -> None:
    reply = Reply(200, b"<html>secret</html>", "text/html")
    with pytest.raises(BadAnswer, match="text/html") as caught:
        read_one(reply, 1, lambda error: error, 0.0)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        {"jsonrpc": "2.0", "id": 1, "result": 5},
        {"id": 1, "result": 5, "error": None},
    ],
)
def test_replies_of_both_versions_of_json_rpc_are_read(document: Any) -> None:
    assert read(document) == 5


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        5,
        "x",
        {},
        {"id": 1},
        {"id": 2, "result": 5},
        {"result": 5},
        {"id": None, "result": 5},
        {"id": "1", "result": 5},
        {"id": True, "result": 5},
        {"id": 1, "result": 5, "error": {"code": 1, "message": "x"}},
        {"id": 1, "error": "x"},
        {"id": 1, "error": {"code": "1", "message": "x"}},
        {"id": 1, "error": {"code": True, "message": "x"}},
        {"id": 1, "error": {"code": 1}},
        {"id": 2, "error": {"code": 1, "message": "x"}},
    ],
)
def test_what_is_no_reply_to_the_call_is_a_bad_answer(document: Any) -> None:
    with pytest.raises(BadAnswer):
        read(document)


@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_an_error_object_is_read_on_any_status_that_nodes_use(status: int) -> None:
    with pytest.raises(NodeError) as caught:
        read({"id": None, "error": {"code": -32601, "message": "Method not found", "data": {"x": 1}}}, status=status)
    assert (caught.value.code, caught.value.text, caught.value.data) == (-32601, "Method not found", {"x": 1})


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, BadAnswer),
        (401, Unreachable),
        (403, Unreachable),
        (404, BadAnswer),
        (408, Unreachable),
        (429, RateLimited),
        (500, Unreachable),
        (502, Unreachable),
        (503, Unreachable),
        (504, Unreachable),
    ],
)
def test_a_status_without_a_json_rpc_body_says_what_happened(status: int, error: type[Exception]) -> None:
    for body in (b"", b"<html>", b'{"message":"no"}'):
        with pytest.raises(error) as caught:
            read(body, status=status)
        assert str(status) in str(caught.value)
        assert type(caught.value) is error


def test_a_gateway_that_speaks_for_a_dead_node_is_not_the_node() -> None:
    with pytest.raises(Unreachable):
        read({"id": 1, "error": {"code": -32603, "message": "upstream"}}, status=502)


def test_what_is_sent_holds_no_number_that_is_not_exact() -> None:
    assert encode(request(1, "m", [2**256 - 1])) == (
        b'{"jsonrpc":"2.0","id":1,"method":"m","params":[%d]}' % (2**256 - 1)
    )
    with pytest.raises(ValueError, match="JSON"):
        encode(request(1, "m", [float("nan")]))


@pytest.mark.parametrize("number", EDGES)
def test_quantities_are_read_exactly(number: int) -> None:
    assert quantity(hex(number), "balance") == number
    assert quantity(f"0x{number:X}", "balance") == number


@pytest.mark.parametrize(
    "wrong",
    ["", "0x", "0x00", "0x01", "10", "0Xa", "-0x1", "0x1 ", "0x1\n", "0xg", "0x" + "f" * 65, 16, None, True, ["0x1"]],
)
def test_what_is_no_quantity_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises(BadAnswer, match=r"^balance is "):
        quantity(wrong, "balance")


@given(st.binary(max_size=80))
def test_data_is_whole_bytes(content: bytes) -> None:
    text = "0x" + content.hex().upper()
    assert data(text, "input") == text.lower()
    assert data_bytes(text, "input", len(content)) == content
    with pytest.raises(BadAnswer, match=f"^input has {len(content)} bytes, not {len(content) + 1}$"):
        data(text, "input", len(content) + 1)


@pytest.mark.parametrize("wrong", ["", "00", "0x0", "0x0g", "0x00 ", "0x00\n", 0, None, b"0x00"])
def test_what_is_no_data_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises(BadAnswer, match=r"^hash is "):
        data(wrong, "hash", 1)


@given(st.text())
def test_foreign_text_becomes_one_short_printable_line(text: str) -> None:
    line = printable(text, limit=50)
    assert line.isprintable()
    assert len(line) <= 51


def test_deep_nesting_is_refused_even_after_a_library_has_raised_the_recursion_limit() -> None:
    before = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(100_000)
        with pytest.raises(ValueError, match="nested too deeply"):
            parse(b"[" * 200_000)
    finally:
        sys.setrecursionlimit(before)
