from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from monitor.rules.profile import Profile, Status, Superseded, in_force
from tests.unit.rules.profiles import PROFILE

START = date(2027, 7, 23)


def named(profile_id: str, supersedes: str = "", **changes: object) -> Profile:
    return replace(PROFILE, id=profile_id, supersedes=supersedes, **changes)  # type: ignore[arg-type]


def by_id(*profiles: Profile) -> dict[str, Profile]:
    return {each.id: each for each in profiles}


@pytest.mark.parametrize("key", ["effective_from", "effective_latest"])
@pytest.mark.parametrize(("on", "expected"), [(date(2027, 7, 22), "old"), (START, "new"), (date(2030, 1, 1), "new")])
def test_the_successor_stands_for_a_profile_from_the_day_it_starts(key: str, on: date, expected: str) -> None:
    profiles = by_id(named("old"), named("new", "old", status=Status.ENACTED_PENDING, **{key: START}))
    assert in_force(profiles, "old", on).id == expected


def test_a_start_that_has_been_set_counts_instead_of_the_latest_one() -> None:
    new = named("new", "old", effective_from=date(2027, 4, 1), effective_latest=START)
    assert in_force(by_id(named("old"), new), "old", date(2027, 4, 1)).id == "new"


def test_successors_are_followed_to_the_last_one_that_has_started() -> None:
    profiles = by_id(
        named("a"),
        named("b", "a", effective_from=date(2026, 1, 1)),
        named("c", "b", effective_from=date(2027, 1, 1)),
    )
    assert [in_force(profiles, "a", date(year, 6, 1)).id for year in (2025, 2026, 2027)] == ["a", "b", "c"]


def test_a_profile_that_is_pending_and_has_no_date_is_never_in_force() -> None:
    assert (
        in_force(by_id(named("old"), named("new", "old", status=Status.PENDING)), "old", date(2099, 1, 1)).id == "old"
    )


def test_a_profile_applies_from_its_first_to_its_last_day() -> None:
    profile = named("a", effective_from=date(2026, 1, 1), effective_to=date(2026, 12, 31))
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 12, 31), date(2027, 1, 1)]
    assert [profile.applies(day) for day in days] == [False, True, True, False]


def test_profiles_that_supersede_each_other_are_refused() -> None:
    profiles = by_id(named("a", "b"), named("b", "a"))
    with pytest.raises(Superseded, match="a and b supersede each other"):
        in_force(profiles, "a", START)


def test_two_successors_of_one_profile_are_refused() -> None:
    with pytest.raises(Superseded, match="b and c both supersede a"):
        in_force(by_id(named("a"), named("b", "a"), named("c", "a")), "a", START)
