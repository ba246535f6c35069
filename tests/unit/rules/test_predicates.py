from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from monitor.model import Outcome
from monitor.rules import Figures, Missing, Records, evaluate
from monitor.rules.grammar import GrammarError
from monitor.rules.marks import Confirmation, Verified
from monitor.rules.predicates import Fact, parse_predicate
from monitor.rules.units import Per
from tests.unit.rules.profiles import PROFILE, asks

ON = date(2026, 11, 20)  # a Friday
WEEK = frozenset(date(2026, 11, day) for day in (16, 17, 18, 19))
ALL = ("record_each(business_day)", "record_each(day)", "record_each(month)", "age_at_most(audit, 365d)")
ALL += ("storage_is(guarantee, cold)", "destination_listed(book)", "is_true(listed)")


def facts(**known: Fact | Missing) -> Figures:
    """Facts by name; "_" stands for the point."""
    return Figures(on=ON, facts={name.replace("_", ".", 1): fact for name, fact in known.items()})


@pytest.mark.parametrize(
    ("text", "known", "outcome", "value"),
    [
        ("age_at_most(audit, 365d)", {"declared_audit": date(2025, 11, 20)}, Outcome.PASS, 365),
        ("age_at_most(audit, 365d)", {"declared_audit": date(2025, 11, 19)}, Outcome.BREACH, 366),
        ("age_at_most(audit, 92d)", {"declared_audit": ON}, Outcome.PASS, 0),
        ("age_at_most(audit, 92d)", {"declared_audit": date(2026, 11, 21)}, Outcome.UNVERIFIED, None),
        ("age_at_most(audit, 92d)", {"declared_audit": True}, Outcome.UNVERIFIED, None),
        ("is_true(listed)", {"declared_listed": True}, Outcome.PASS, 0),
        ("is_true(listed)", {"declared_listed": False}, Outcome.BREACH, 1),
        ("is_true(listed)", {"declared_listed": ON}, Outcome.UNVERIFIED, None),
        ("record_each(business_day)", {"records": Records(date(2026, 11, 16), WEEK)}, Outcome.PASS, 0),
        ("record_each(business_day)", {"records": Records(date(2026, 11, 14), WEEK)}, Outcome.PASS, 0),
        ("record_each(day)", {"records": Records(date(2026, 11, 14), WEEK)}, Outcome.BREACH, 2),
        ("record_each(business_day)", {"records": Records(date(2026, 11, 13), WEEK)}, Outcome.BREACH, 1),
        ("record_each(business_day)", {"records": Records(date(2025, 12, 31), WEEK)}, Outcome.UNVERIFIED, None),
        ("record_each(business_day)", {"records": Records(ON, WEEK)}, Outcome.UNVERIFIED, None),
        ("record_each(business_day)", {"records": True}, Outcome.UNVERIFIED, None),
        (
            "record_each(month)",
            {"records": Records(date(2026, 9, 1), frozenset({date(2026, 9, 30), date(2026, 10, 1)}))},
            Outcome.PASS,
            0,
        ),
        (
            "record_each(month)",
            {"records": Records(date(2026, 8, 31), frozenset({date(2026, 10, 1)}))},
            Outcome.BREACH,
            2,
        ),
        ("record_each(month)", {"records": Records(date(2026, 11, 1), WEEK)}, Outcome.UNVERIFIED, None),
    ],
)
def test_a_predicate_of_the_entity(text: str, known: dict[str, Fact], outcome: Outcome, value: int | None) -> None:
    found = evaluate(asks(text), PROFILE, facts(**known))
    assert (found.outcome, found.value) == (outcome, value), found.basis


@pytest.mark.parametrize(("on", "outcome"), [(date(2026, 10, 31), Outcome.PASS), (date(2026, 11, 1), Outcome.BREACH)])
def test_a_month_needs_its_record_only_when_it_is_over(on: date, outcome: Outcome) -> None:
    records = Records(date(2026, 9, 1), frozenset({date(2026, 9, 30)}))
    found = evaluate(asks("record_each(month)"), PROFILE, Figures(on=on, facts={"records": records}))
    assert found.outcome is outcome


@pytest.mark.parametrize(
    ("tiers", "outcome"),
    [
        ({"vault": "cold"}, Outcome.PASS),
        ({"vault": "cold", "desk": "hot"}, Outcome.BREACH),
        ({"desk": "warm"}, Outcome.BREACH),
        (frozenset({"vault"}), Outcome.UNVERIFIED),
    ],
)
def test_the_storage_of_a_class_names_the_wallets_that_are_elsewhere(tiers: Fact, outcome: Outcome) -> None:
    found = evaluate(asks("storage_is(guarantee, cold)", Per.WALLET), PROFILE, facts(storage_guarantee=tiers))
    assert found.outcome is outcome
    assert (outcome is Outcome.BREACH) == ("desk" in found.basis)


@pytest.mark.parametrize(
    ("paid", "outcome"),
    [(frozenset({"a"}), Outcome.PASS), (frozenset({"a", "x"}), Outcome.BREACH), (True, Outcome.UNVERIFIED)],
)
def test_destinations_must_all_be_listed_and_are_not_shown(paid: Fact, outcome: Outcome) -> None:
    found = evaluate(
        asks("destination_listed(book)", Per.MOVEMENT), PROFILE, facts(destinations=paid, declared_book=frozenset("ab"))
    )
    assert found.outcome is outcome
    assert "x" not in found.operands.values()


@pytest.mark.parametrize("text", ALL)
@pytest.mark.parametrize("verified", list(Verified))
def test_a_predicate_without_its_facts_never_passes(text: str, verified: Verified) -> None:
    found = evaluate(asks(text, verified=verified), PROFILE, facts())
    assert found.outcome is Outcome.UNVERIFIED
    assert set(found.operands.values()) == {"unknown"}
    assert "nothing is declared" in found.basis


def test_the_reason_of_a_missing_fact_is_told() -> None:
    found = evaluate(asks("is_true(listed)"), PROFILE, facts(declared_listed=Missing("the file is 50 days old")))
    assert (found.outcome, "the file is 50 days old" in found.basis) == (Outcome.UNVERIFIED, True)


def test_a_predicate_that_was_not_verified_passes_only_when_the_entity_confirms_it() -> None:
    doubtful, known = asks("is_true(listed)", verified=Verified.FALSE), facts(declared_listed=True)
    assert evaluate(doubtful, PROFILE, known).outcome is Outcome.UNVERIFIED
    assert evaluate(doubtful, PROFILE, facts(declared_listed=False)).outcome is Outcome.BREACH
    confirmed = replace(doubtful, confirmed=Confirmation("is_true(listed)", "Sato", ON, "Order 29", "0" * 64))
    found = evaluate(confirmed, PROFILE, known)
    assert found.outcome is Outcome.PASS
    assert found.basis.startswith("PASS, rule confirmed by the entity, not by statute")


@pytest.mark.parametrize("text", ALL)
def test_a_predicate_that_is_shown_and_parsed_again_is_the_same(text: str) -> None:
    assert str(parse_predicate(text)) == text
    assert parse_predicate(str(parse_predicate(text))) == parse_predicate(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("is_true", "is no predicate: write e.g."),
        ("is_true(a) or is_true(b)", "is no predicate"),
        ("exec(a)", "exec is no predicate: write one of record_each"),
        ("record_each(week)", "write record_each with one of day, business_day, month"),
        ("age_at_most(audit)", "is no age: write days"),
        ("age_at_most(audit, 1h)", "is no age: write days"),
        ("age_at_most(audit, 3661d)", "1d to 3660d"),
        ("storage_is(vault, cold)", "vault is no class"),
        ("storage_is(guarantee, frozen)", "is no storage tier: write one of cold, warm, hot"),
        ("is_true(a, b)", "takes one name: remove b"),
    ],
)
def test_what_is_no_predicate_is_refused(text: str, words: str) -> None:
    with pytest.raises(GrammarError) as caught:
        parse_predicate(text)
    assert words in caught.value.message
