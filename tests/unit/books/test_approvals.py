from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.books import ApprovalError, Heartbeat, decode, parse_approval
from monitor.config import Config
from monitor.model import Approval, Cancellation

GOOD: dict[str, Any] = {
    "id": "w-1001",
    "chain": "ethereum",
    "asset": "USDT",
    "amount": "250.000000",
    "destination": "0x52908400098527886E0F7030069857D2E4169EE7",
}


def parsed(config: Config, now: datetime, **changes: Any) -> Approval:
    record = parse_approval(GOOD | changes, config, now)
    assert isinstance(record, Approval)
    return record


def test_amounts_are_exact_base_units_and_the_destination_is_the_locator(config: Config, now: datetime) -> None:
    approval = parsed(config, now, destination=GOOD["destination"].lower(), max_fee="0.01", wallet="eth-hot")
    assert (approval.units, approval.max_fee) == (250_000_000, 10**16)
    assert approval.destination == "0x52908400098527886E0F7030069857D2E4169EE7"
    assert (approval.wallet, approval.tag, approval.txid, approval.not_before) == ("eth-hot", None, None, None)


def test_the_window_ends_24_hours_after_its_begin_or_after_the_first_reading(config: Config, now: datetime) -> None:
    assert parsed(config, now).not_after == now + timedelta(hours=24)
    begun = parsed(config, now, not_before="2026-11-22T09:00:00+09:00")
    assert begun.not_before == datetime(2026, 11, 22, tzinfo=UTC)
    assert begun.not_after == datetime(2026, 11, 23, tzinfo=UTC)
    assert parsed(config, now, not_after="2026-11-22T13:00:00Z").not_after == datetime(2026, 11, 22, 13, tzinfo=UTC)


def test_the_digest_is_of_the_meaning_not_of_the_spelling_nor_of_the_time_of_reading(
    config: Config, now: datetime
) -> None:
    first = parsed(config, now, not_before="2026-11-22T00:00:00Z", tag=None, op="approve")
    again = parsed(
        config, now + timedelta(days=1), amount="250", destination=GOOD["destination"].lower(),
        not_before="2026-11-22T09:00:00.000+09:00",
    )  # fmt: skip
    assert first.digest == again.digest
    assert parsed(config, now).digest == parsed(config, now + timedelta(days=1)).digest


@pytest.mark.parametrize(
    "change",
    [
        {"id": "w-1002"},
        {"asset": "ETH"},
        {"amount": "250.000001"},
        {"destination": "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"},
        {"wallet": "eth-hot"},
        {"not_before": "2026-11-22T00:00:00Z"},
        {"not_after": "2026-11-23T12:00:00Z"},
        {"max_fee": "0"},
        {"txid": "0x" + "ab" * 32},
        {"batch": "b-1"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_key_is_a_part_of_the_digest(config: Config, now: datetime, change: dict[str, Any]) -> None:
    assert parsed(config, now, **change).digest != parsed(config, now).digest


@pytest.mark.parametrize(
    ("change", "key", "fragment"),
    [
        ({"id": None}, "id", "is missing"),
        ({"id": 7}, "id", "no name"),
        ({"id": "a\nb"}, "id", "no name"),
        ({"chain": "etherium"}, "chain", "write one of bitcoin, ethereum"),
        ({"asset": "BTC"}, "asset", "write one of ETH, USDT"),
        ({"amount": 250}, "amount", "decimal string"),
        ({"amount": 250.5}, "amount", "decimal string"),
        ({"amount": "1e3"}, "amount", "plain decimal"),
        ({"amount": "0.0000001"}, "amount", "more than 6 decimals"),
        ({"amount": "0"}, "amount", "more than zero"),
        ({"amount": "-1"}, "amount", "more than zero"),
        ({"amount": "١"}, "amount", "plain decimal"),
        ({"destination": "0x52908400098527886e0F7030069857D2E4169EE7"}, "destination", "wrong checksum"),
        ({"destination": ["0x"]}, "destination", "must be text"),
        ({"tag": "7"}, "tag", "must be null"),
        ({"wallet": "eth-cold"}, "wallet", "no wallet"),
        ({"wallet": "btc-cold"}, "wallet", "is on bitcoin"),
        ({"not_before": "2026-11-22T00:00:00"}, "not_before", "RFC 3339"),
        ({"not_before": "2026-02-30T00:00:00Z"}, "not_before", "calendar"),
        ({"not_before": "0001-01-01T00:00:00+01:00"}, "not_before", "calendar"),
        ({"not_before": 1763769600}, "not_before", "RFC 3339"),
        ({"not_before": "2026-11-22T01:00:00Z", "not_after": "2026-11-22T01:00:00Z"}, "not_after", "later"),
        ({"max_fee": "-0.1"}, "max_fee", "zero or more"),
        ({"txid": "ab" * 32}, "txid", "0x and 64 hex digits"),
        ({"op": "revoke"}, "op", "approve or cancel"),
        ({"note": "hi"}, "note", "unknown key"),
        ({"heartbeat": "2026-11-22T00:00:00Z"}, "id", "unknown key"),
    ],
)
def test_what_is_wrong_is_named_by_key(
    config: Config, now: datetime, change: dict[str, Any], key: str, fragment: str
) -> None:
    with pytest.raises(ApprovalError) as caught:
        parse_approval(GOOD | change, config, now)
    assert any(where == key and fragment in message for where, message in caught.value.problems), caught.value.problems


def test_everything_wrong_is_named_at_once(config: Config, now: datetime) -> None:
    with pytest.raises(ApprovalError) as caught:
        parse_approval({"id": "", "chain": "x", "x": 1}, config, now)
    assert [key for key, _ in caught.value.problems] == ["x", "id", "chain", "asset", "amount", "destination"]


@pytest.mark.parametrize("key", ["id", "chain", "asset", "amount", "destination"])
def test_a_required_key_cannot_be_left_out(config: Config, now: datetime, key: str) -> None:
    record = {name: value for name, value in GOOD.items() if name != key}
    with pytest.raises(ApprovalError, match=f"{key}: is missing"):
        parse_approval(record, config, now)


def test_a_bitcoin_destination_may_be_a_script_and_is_the_same_as_its_address(config: Config, now: datetime) -> None:
    change = {"chain": "bitcoin", "asset": "BTC", "amount": "0.00000001"}
    address = parsed(config, now, **change, destination="bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080")
    script = parsed(config, now, **change, destination="script:0014751e76e8199196d454941c45d1b3a323f1433bd6")
    assert address.digest == script.digest
    assert address.units == 1


def test_a_cancellation_needs_only_the_id(config: Config, now: datetime) -> None:
    short = parse_approval({"id": "w-1001", "op": "cancel"}, config, now)
    long = parse_approval(GOOD | {"op": "cancel"}, config, now)
    assert isinstance(short, Cancellation)
    assert short == long
    with pytest.raises(ApprovalError, match="id: is missing"):
        parse_approval({"op": "cancel"}, config, now)


def test_a_heartbeat_stands_alone_and_not_in_the_future(config: Config, now: datetime) -> None:
    assert parse_approval({"heartbeat": "2026-11-22T11:59:00Z"}, config, now) == Heartbeat(now - timedelta(minutes=1))
    with pytest.raises(ApprovalError, match="future"):
        parse_approval({"heartbeat": "2026-11-23T00:00:00Z"}, config, now)
    with pytest.raises(ApprovalError, match="unknown key"):
        parse_approval({"heartbeat": "2026-11-22T11:59:00Z", "id": "x"}, config, now)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        (b"{", "not JSON"),
        (b'{"id": "a", "id": "b"}', "written twice"),
        (b'{"amount": NaN}', "not JSON"),
        (b'{"amount": ' + b"9" * 5_000 + b"}", "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b"\xff", "not UTF-8"),
        (b" " * 70_000, "longer than"),
    ],
)
def test_a_body_that_is_not_json_is_refused(text: bytes, fragment: str) -> None:
    with pytest.raises(ApprovalError, match=fragment):
        decode(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=2),
)


@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "tag", "wallet", "not_before", "max_fee", "txid", "batch", "op", "heartbeat"]), _JSON
    )
)
def test_any_record_is_parsed_or_refused(config: Config, changes: dict[str, Any]) -> None:
    try:
        parse_approval(GOOD | changes, config, datetime(2026, 11, 22, tzinfo=UTC))
    except ApprovalError as error:
        problems = error.problems
    else:
        return
    assert problems


@given(st.integers(1, 10**30))
def test_units_survive_being_written_as_coins(config: Config, units: int) -> None:
    text = f"{units // 10**6}.{units % 10**6:06d}"
    assert parsed(config, datetime(2026, 11, 22, tzinfo=UTC), amount=text).units == units


def test_a_line_as_in_the_contract_is_read(config: Config, now: datetime) -> None:
    line = json.dumps(
        GOOD | {"tag": None, "txid": None, "batch": None, "op": "approve", "not_after": "2026-11-22T18:00:00Z"}
    )
    assert isinstance(parse_approval(decode(line), config, now), Approval)
