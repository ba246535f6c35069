"""Which of several approvals is used, and what a note says of those that nearly were."""

from __future__ import annotations

from dataclasses import replace

from monitor.attribute import Names, Sink, assign, claims_of
from monitor.model import Approval
from tests.unit.attribute.test_explain import BASE, at, sighted


def member(number: int, **changes: object) -> Approval:
    return replace(BASE, id=f"w{number}", batch="b", **changes)  # type: ignore[arg-type]


def note(*approvals: Approval, units: int, read: int | None = None) -> str:
    paid = Sink("ETH", "0xa", units, frozenset({"hot"}), Names("t"), sighted(0), 1)
    found, (said,) = assign(claims_of(approvals, {} if read is None else {"b": read}), [paid])
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


def sink(minute: int = 0, payer: str = "hot", fee: int = 0) -> Sink:
    return Sink("ETH", "0xa", 5, frozenset({payer}), Names("t"), sighted(minute), fee)


def test_of_approvals_that_end_together_the_one_with_the_narrowest_terms_is_used() -> None:
    for narrow, wide in (
        ({"wallet": "hot"}, {}),
        ({"max_fee": 9}, {}),
        ({"max_fee": 0}, {"max_fee": 1}),
        ({"max_fee": 8}, {"max_fee": 9}),
        ({"txid": "t"}, {"wallet": "hot", "max_fee": 0}),
    ):
        offered = [replace(BASE, id="a", **wide), replace(BASE, id="b", **narrow)]  # type: ignore[arg-type]
        ((claim,), _) = assign(claims_of(offered, {}), [sink()])
        assert claim is not None
        assert claim.ids == ("b",), narrow


def test_two_approvals_move_on_so_that_a_third_finds_its_only_payment() -> None:
    first = replace(BASE, id="a", not_before=at(0), not_after=at(10))
    second = replace(BASE, id="b", not_before=at(10), not_after=at(20))
    third = replace(BASE, id="c", wallet="other", not_after=at(99))
    sinks = [sink(0, "other"), sink(10), sink(20)]
    found, notes = assign(claims_of([first, second, third], {}), sinks)
    assert [claim and claim.ids for claim in found] == [("c",), ("a",), ("b",)]
    assert notes == ["", "", ""]
