"""The roll-forward: opening + movements = closing, to the unit, and a difference is never hidden."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Direction, Part, Reason
from monitor.series import Change, Past, Payment, Roll, Unequal, roll_forward, unequal
from tests.unit.series.sample import BEGIN, at, came, change, past, payment, went

GROUPS = {"hot": "customer", "cold": "customer", "house": "own"}


def one(story: Past, group: str = "customer") -> Roll:
    (roll,) = [roll for roll in roll_forward(story, GROUPS) if roll.group == group]
    return roll


def test_a_day_worked_by_hand() -> None:
    story = past(
        change(10, 30),
        change(20, -12),
        change(30, 5, wallet="hot", kind="reward"),
        change(40, -2, kind="residual"),
        change(50, 9, kind="opened"),
        opening=100,
        payments=(
            came(10, 30),
            went(20, 11, "x"),
            payment(20, 1, Direction.OUT, Part.FEE, Reason.FEE, ""),
            payment(30, 5, Direction.IN, Part.RECEIPT, Reason.REWARD, ""),
        ),
    )
    roll = one(story)
    assert (roll.opening, roll.begun, roll.fees, roll.residual, roll.closing) == (100, 9, 1, -2, 130)
    assert roll.inflow == {Reason.DEPOSIT: 30, Reason.REWARD: 5}
    assert roll.outflow == {Reason.APPROVED: 11}
    assert roll.unexplained == 0
    assert roll.closing == 100 + 9 + 30 + 5 - 11 - 1 - 2
    assert unequal([roll]) == ()


def test_what_nobody_approved_is_shown_with_its_fee() -> None:
    story = past(
        change(20, -50),
        opening=60,
        payments=(
            payment(20, 48, Direction.OUT, Part.DESTINATION, Reason.UNEXPLAINED, "thief"),
            payment(20, 2, Direction.OUT, Part.FEE, Reason.UNEXPLAINED, ""),
        ),
    )
    roll = one(story)
    assert (roll.unexplained, roll.fees, roll.outflow) == (50, 2, {Reason.UNEXPLAINED: 48})
    assert unequal([roll]) == ()


def test_what_moves_inside_a_group_is_no_movement_of_it() -> None:
    story = past(
        change(10, -40),
        change(10, 40, wallet="cold"),
        change(20, 7),
        change(20, -7, wallet="house"),
        opening=50,
        closing={("hot", "BTC"): 17, ("cold", "BTC"): 40, ("house", "BTC"): 1},
        payments=(
            went(10, 40, "cold", own=True),
            came(10, 40, "hot", own=True, wallet="cold"),
            came(20, 7, "house", own=True),
            went(20, 7, "hot", own=True, wallet="house"),
        ),
    )
    story = replace(story, opening={**story.opening, ("house", "BTC"): 8})
    assert (one(story).inflow, one(story).outflow) == ({Reason.INTERNAL: 7}, {})
    assert (one(story, "own").inflow, one(story, "own").outflow) == ({}, {Reason.INTERNAL: 7})
    assert unequal(roll_forward(story, GROUPS)) == ()
    apart = roll_forward(story, {"hot": "hot", "cold": "cold"})
    assert [(r.group, r.inflow, r.outflow) for r in apart] == [
        ("cold", {Reason.INTERNAL: 40}, {}),
        ("hot", {Reason.INTERNAL: 7}, {Reason.INTERNAL: 40}),
    ]


def test_a_closing_that_no_movement_leads_to_is_named_by_how_much() -> None:
    story = past(change(10, 30), opening=100, closing={("hot", "BTC"): 129}, payments=(came(10, 30),))
    assert unequal(roll_forward(story, GROUPS)) == (Unequal("c", "BTC", "customer", "movements", -1),)


def test_parts_that_are_not_their_movements_are_named_and_cancel_nothing() -> None:
    # one too few in the closing and one too few in the parts: together they would look like nothing
    story = past(change(10, 30), opening=100, closing={("hot", "BTC"): 129}, payments=(came(10, 29),))
    assert unequal(roll_forward(story, GROUPS)) == (
        Unequal("c", "BTC", "customer", "movements", -1),
        Unequal("c", "BTC", "customer", "flow parts", 1),
    )


def test_an_unknown_past_has_no_roll_forward() -> None:
    assert roll_forward(past(begin=at(200)), GROUPS) == ()
    assert [r.begin for r in roll_forward(past(opening=1), GROUPS)] == [BEGIN]


_units = st.integers(1, 2**200)


@given(st.lists(st.tuples(st.sampled_from(["in", "out", "fee", "residual", "own"]), _units), max_size=30), _units)
def test_whatever_happens_the_roll_forward_leads_to_the_closing(story: list[tuple[str, int]], opening: int) -> None:
    changes: list[Change] = []
    payments: list[Payment] = []
    for number, (what, units) in enumerate(story, 1):
        match what:
            case "in":
                changes.append(change(number, units))
                payments.append(came(number, units))
            case "out":
                changes.append(change(number, -units))
                payments.append(went(number, units, "x"))
            case "fee":
                changes.append(change(number, -units))
                payments.append(payment(number, units, Direction.OUT, Part.FEE, Reason.FEE, ""))
            case "residual":
                changes.append(change(number, -units, kind="residual"))
            case "own":
                changes += [change(number, -units), change(number, units, wallet="cold")]
                payments += [went(number, units, "cold", own=True), came(number, units, "hot", own=True, wallet="cold")]
    held = {("hot", "BTC"): opening, ("cold", "BTC"): 0}
    closing = {k: u + sum(c.units for c in changes if (c.wallet, c.asset) == k) for k, u in held.items()}
    made = past(*changes, opening=opening, closing=closing, payments=tuple(payments))
    roll = one(made)
    assert unequal([roll]) == ()
    inside = sum(roll.inflow.values()) - sum(roll.outflow.values())
    assert roll.opening + inside - roll.fees + roll.residual == roll.closing
    assert Reason.INTERNAL not in roll.inflow
    wrong = replace(made, closing={**closing, ("cold", "BTC"): closing["cold", "BTC"] + 1})
    assert [found.units for found in unequal(roll_forward(wrong, GROUPS))] == [1]
