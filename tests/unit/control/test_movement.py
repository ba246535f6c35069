"""An instructed movement: exactly that amount, from that address to that one, after the challenge and in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chains.core.ownership import BadProof, ProofKind
from chains.core.values import BlockRef
from monitor.control.movement import Change, judge
from tests.unit.control.test_challenge import GOOD, MOVE, NOW

ADDRESS = MOVE.address
TO = "0x8617E340B3D01FA5F11F306F4090FD50E238070D"
UNITS = 123_456_789_012_345
TXID = "0x" + "77" * 32
AT = BlockRef("ethereum", MOVE.height + 1, "0x" + "3a" * 32, "", int((NOW + timedelta(hours=1)).timestamp()))


def leg(source: str, destination: str, units: int = UNITS, asset: str = "ETH") -> list[Change]:
    return [Change(source, asset, -units, ""), Change(destination, asset, units, "")]


FEE = [Change(ADDRESS, "ETH", -21_000, "")]


def test_the_exact_amount_in_one_transfer_shows_control() -> None:
    shown = judge(MOVE, UNITS, TXID, AT, [*leg(ADDRESS, TO), *FEE])
    assert (shown.kind, shown.locator, shown.detail["txid"]) == (ProofKind.MOVEMENT, ADDRESS, TXID)


def test_coins_of_the_address_pay_the_exact_amount_with_change() -> None:
    spent = Change(ADDRESS, "ETH", -10 * UNITS, "aa:0")
    change = Change(ADDRESS, "ETH", 8 * UNITS, "bb:1")
    paid = Change(TO, "ETH", UNITS, "bb:0")
    assert judge(MOVE, UNITS, TXID, AT, [spent, paid, change]).locator == ADDRESS
    with pytest.raises(BadProof, match="exactly"):
        judge(MOVE, UNITS, TXID, AT, [spent, replace(paid, delta=UNITS + 1), change])
    with pytest.raises(BadProof, match="moves no ETH from"):
        judge(MOVE, UNITS, TXID, AT, [replace(spent, locator=TO), paid])


@pytest.mark.parametrize(
    "changes",
    [
        leg(ADDRESS, TO, UNITS - 1),
        leg(ADDRESS, TO, UNITS + 1),
        [*leg(ADDRESS, TO, UNITS - 1), *leg(ADDRESS, TO, 1)],
        [*leg(ADDRESS, "0xother"), *leg("0xhot", TO)],
        [*FEE, *leg("0xhot", TO)],
        [Change(ADDRESS, "ETH", -UNITS, "")],
    ],
)
def test_bypass_an_amount_or_an_end_that_is_another(changes: list[Change]) -> None:
    with pytest.raises(BadProof, match="exactly"):
        judge(MOVE, UNITS, TXID, AT, changes)


@pytest.mark.parametrize("changes", [leg("0xhot", TO), leg(TO, ADDRESS), leg(ADDRESS, TO, asset="USDT"), []], ids=str)
def test_bypass_a_movement_from_another_address_or_of_another_asset(changes: list[Change]) -> None:
    with pytest.raises(BadProof, match="moves no ETH from"):
        judge(MOVE, UNITS, TXID, AT, changes)


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (replace(AT, height=MOVE.height), "before the challenge"),
        (replace(AT, time=int(NOW.timestamp()) - 1), "before the challenge"),
        (replace(AT, time=int(MOVE.expires_at.timestamp())), "after the challenge expired"),
    ],
)
def test_bypass_a_movement_outside_the_window(at: BlockRef, why: str) -> None:
    with pytest.raises(BadProof, match=why):
        judge(MOVE, UNITS, TXID, at, leg(ADDRESS, TO))


def test_the_window_begins_with_the_issue_and_ends_before_the_expiry() -> None:
    for time in (int(NOW.timestamp()), int(MOVE.expires_at.timestamp()) - 1):
        assert judge(MOVE, UNITS, TXID, replace(AT, time=time), leg(ADDRESS, TO)).locator == ADDRESS


def test_a_challenge_without_instruction_is_not_answered_by_moving() -> None:
    with pytest.raises(BadProof, match="instructs no movement"):
        judge(GOOD, UNITS, TXID, AT, leg(ADDRESS, TO))
