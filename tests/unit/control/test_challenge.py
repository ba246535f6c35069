"""Challenges: one spelling each, and refused where entity, purpose, chain, address, block or time are others."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.core.ownership import BadProof
from monitor.control.challenge import Challenge, Instruction, check_form, check_time, compare, parse

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
GOOD = Challenge(
    entity="株式会社　例",
    purpose="proof of reserves",
    chain="eip155:1",
    address="0x52908400098527886E0F7030069857D2E4169EE7",
    height=25_000_000,
    block="0x" + "1f" * 32,
    block_time=NOW - timedelta(minutes=13),
    nonce="0123456789abcdef" * 2,
    issued_at=NOW,
    expires_at=NOW + timedelta(days=7),
)
MOVE = replace(
    GOOD, instruction=Instruction("ETH", "0.000123456789012345", "0x8617E340B3D01FA5F11F306F4090FD50E238070D")
)

_CHARACTERS = st.characters(codec="utf-8", exclude_categories=["C", "Z"])
_LINES = st.lists(st.text(_CHARACTERS, min_size=1, max_size=20), min_size=1, max_size=4).map(" ".join)
_SECONDS = st.integers(min_value=0, max_value=4 * 10**9)


@st.composite
def challenges(draw: st.DrawFn) -> Challenge:
    issued = datetime.fromtimestamp(draw(_SECONDS), UTC)
    amount = draw(st.decimals(min_value=0, max_value=10**9, places=8))
    return Challenge(
        entity=draw(_LINES),
        purpose=draw(_LINES),
        chain=draw(st.sampled_from(["eip155:1", "eip155:31337", "bip122:000000000019d6689c085ae165831e93"])),
        address=draw(st.text("0123456789abcdefx", min_size=1, max_size=60)),
        height=draw(st.integers(0, 10**15)),
        block=draw(st.sampled_from(["", "0x"])) + draw(st.text("0123456789abcdef", min_size=64, max_size=64)),
        block_time=issued - timedelta(seconds=draw(st.integers(-7200, 86_400))),
        nonce=draw(st.text("0123456789abcdef", min_size=32, max_size=32)),
        issued_at=issued,
        expires_at=issued + timedelta(seconds=draw(st.integers(1, 90 * 86_400))),
        instruction=draw(st.none() | st.just(Instruction("BTC", format(amount, "f"), "bc1qexample"))),
    )


def test_the_text_is_what_a_person_reads_before_signing() -> None:
    assert MOVE.text.split("\n")[2:] == [
        "Entity: 株式会社　例",
        "Purpose: proof of reserves",
        "Chain: eip155:1",
        "Address: 0x52908400098527886E0F7030069857D2E4169EE7",
        f"Block: 25000000 0x{'1f' * 32}",
        "Block time: 2026-11-24T08:47:00Z",
        f"Nonce: {'0123456789abcdef' * 2}",
        "Issued: 2026-11-24T09:00:00Z",
        "Expires: 2026-12-01T09:00:00Z",
        "Move: 0.000123456789012345 ETH",
        "To: 0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    ]


@given(challenges())
def test_every_challenge_reads_back_as_itself(challenge: Challenge) -> None:
    check_form(challenge)
    assert parse(challenge.text) == challenge


@given(challenges(), challenges())
def test_two_challenges_never_share_a_text(one: Challenge, other: Challenge) -> None:
    assert (one == other) == (one.text == other.text) == (one.id == other.id)


@given(st.data())
def test_a_changed_text_is_refused_or_is_another_challenge(data: st.DataObject) -> None:
    raw = bytearray(MOVE.text.encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    text = raw.decode(errors="replace")
    try:
        changed = parse(text)
    except BadProof:
        return
    assert changed != MOVE
    with pytest.raises(BadProof, match="was issued for another"):
        compare(changed, MOVE)


@given(st.text())
def test_any_other_text_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(BadProof):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        GOOD.text + "\n",
        " " + GOOD.text,
        GOOD.text.replace("\n", "\r\n"),
        GOOD.text.replace("version 1", "version 2"),
        GOOD.text.replace("Block: 25000000", "Block: 025000000"),
        GOOD.text.replace("2026-11-24T09:00:00Z", "2026-11-24T9:00:00Z"),
        GOOD.text.replace("2026-11-24T09:00:00Z", "2026-11-24T09:00:00+00:00"),
        GOOD.text.replace("Purpose", "purpose"),
        "\n".join([*GOOD.text.split("\n")[:-2], *reversed(GOOD.text.split("\n")[-2:])]),
        GOOD.text + "\nMove: 1 ETH",
        GOOD.text + "\nMove: 1e3 ETH\nTo: 0x00",
        MOVE.text + "\nTo: 0x00",
        MOVE.text * 100,
    ],
)
def test_another_spelling_of_a_challenge_is_refused(text: str) -> None:
    with pytest.raises(BadProof):
        parse(text)


@pytest.mark.parametrize("name", [field.name for field in fields(Challenge)])
def test_bypass_a_challenge_issued_for_something_else(name: str) -> None:
    other: dict[str, Any] = {
        "height": 25_000_001,
        "block": "0x" + "2f" * 32,
        "block_time": NOW,
        "issued_at": NOW + timedelta(seconds=1),
        "expires_at": NOW + timedelta(days=8),
        "instruction": MOVE.instruction,
    }
    with pytest.raises(BadProof, match=f"another {name.replace('_', ' ')}"):
        compare(replace(GOOD, **{name: other.get(name, "another")}), GOOD)
    compare(GOOD, GOOD)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"expires_at": NOW}, "expire after its issue"),
        ({"expires_at": NOW + timedelta(days=90, seconds=1)}, "90 days at most"),
        ({"block_time": NOW - timedelta(days=1, seconds=1)}, "too old to show a date"),
        ({"block_time": NOW + timedelta(hours=2, seconds=1)}, "younger than the challenge"),
        ({"entity": ""}, "Entity"),
        ({"entity": "Example\nPurpose: theft"}, "Entity"),
        ({"entity": "Exam\u202eple"}, "Entity"),
        ({"purpose": "x" * 201}, "Purpose"),
        ({"purpose": "\ud800"}, "Purpose"),
        ({"chain": "ethereum"}, "Chain"),
        ({"block": "0x12"}, "Block"),
        ({"nonce": "1"}, "Nonce"),
        ({"instruction": Instruction("ETH", "-1", "0x00")}, "Move"),
        ({"instruction": Instruction("ETH\n", "1", "0x00")}, "Move"),
    ],
)
def test_a_challenge_that_could_be_misread_or_misused_is_never_issued(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_form(replace(GOOD, **changes))


def test_bypass_a_challenge_whose_block_was_old_when_it_was_issued() -> None:
    old = replace(GOOD, block_time=NOW - timedelta(days=2))
    with pytest.raises(BadProof, match="too old"):
        parse(old.text)


def test_bypass_a_challenge_that_has_expired() -> None:
    check_time(GOOD, GOOD.expires_at - timedelta(seconds=1))
    with pytest.raises(BadProof, match="expired at 2026-12-01T09:00:00Z"):
        check_time(GOOD, GOOD.expires_at)


def test_a_challenge_from_the_future_is_refused() -> None:
    check_time(GOOD, NOW - timedelta(hours=2))
    with pytest.raises(BadProof, match="still to come"):
        check_time(GOOD, NOW - timedelta(hours=2, seconds=1))
