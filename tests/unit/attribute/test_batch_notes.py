"""What a payment's note says of approvals that nearly explained it."""

from __future__ import annotations

from dataclasses import replace

from monitor.attribute import Names, Sink, assign, claims_of
from monitor.model import Approval
from tests.unit.attribute.test_explain import BASE, sighted


def member(number: int, **changes: object) -> Approval:
    return replace(BASE, id=f"w{number}", batch="b", **changes)  # type: ignore[arg-type]


def note(*approvals: Approval, units: int, read: int | None = None) -> str:
    sink = Sink("ETH", "0xa", units, frozenset({"hot"}), Names("t"), sighted(0), 1)
    found, (said,) = assign(claims_of(approvals, {} if read is None else {"b": read}), [sink])
    return "explained" if found != [None] else said


def test_a_batch_of_which_more_was_announced_explains_nothing_and_says_so() -> None:
    told = "w0: batch b has 3 approvals, 2 were read"
    assert note(member(0, batch_size=3), member(1, batch_size=3), units=10, read=2) == told
    assert note(member(0, batch_size=3), member(1, batch_size=3), units=10) == told


def test_a_batch_whose_lines_announce_different_sizes_explains_nothing_and_names_both() -> None:
    said = note(member(0, batch_size=3), member(1, batch_size=2), member(2), units=15, read=3)
    assert said == "w0: batch b has 2 or 3 approvals, 3 were read"


def test_a_batch_of_the_announced_size_and_one_of_none_explain_their_sum() -> None:
    assert note(member(0, batch_size=2), member(1), units=10, read=2) == "explained"
    assert note(member(0), member(1), units=10) == "explained"


def test_three_near_misses_at_most_are_named_in_their_order() -> None:
    misses = [replace(BASE, id=f"w{n}", wallet="cold", max_fee=n) for n in range(4)]
    assert note(*misses, units=5) == "; ".join(f"w{n}: is for wallet cold, paid by hot" for n in range(3))
