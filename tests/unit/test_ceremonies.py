"""Announced cold ceremonies: two people, a window, and never an explanation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.ceremonies import (
    LONGEST,
    Announcement,
    Ceremony,
    Phase,
    Signed,
    announce,
    cancel,
    confirm,
    outside,
    told,
)
from monitor.model import Owner, Tier, Wallet

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
COLD = Wallet("cold", "bitcoin", Tier.COLD, Owner.CUSTOMER, "self", 0)
WALLETS = {"cold": COLD, "hot": replace(COLD, name="hot", tier=Tier.HOT), "vault": replace(COLD, name="vault")}
WANTED = Announcement("key rotation", ("cold",), NOW + HOUR, NOW + 3 * HOUR)


def by(name: str, at: datetime = NOW, user: str = "") -> Signed:
    return Signed(name, user, at)


def announced(name: str = "Sato", user: str = "") -> Ceremony:
    found = announce(WANTED, by(name, user=user), WALLETS, None)
    assert found is not None
    return found


def confirmed(at: datetime = NOW) -> Ceremony:
    found = confirm(announced(), by("Tanaka", at))
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["Sato", "sato", " S ato ", "ＳＡＴＯ", "SATO\u3000"])
def test_the_same_person_in_another_spelling_is_no_second_person(name: str) -> None:
    with pytest.raises(ValueError, match="Sato announced it: a second person confirms it"):
        confirm(announced(), by(name))


def test_one_login_is_one_person_whatever_name_is_written() -> None:
    with pytest.raises(ValueError, match="announced as user sato: a second person with another login"):
        confirm(announced(user="sato"), by("Tanaka", user="sato"))
    assert confirm(announced(user="sato"), by("Tanaka", user="tanaka")) is not None


def test_the_same_word_again_changes_nothing() -> None:
    assert announce(WANTED, by("ＳＡＴＯ"), WALLETS, announced()) is None
    assert confirm(confirmed(), by("tanaka")) is None
    with pytest.raises(ValueError, match="was announced by Sato"):
        announce(WANTED, by("Suzuki"), WALLETS, announced())
    with pytest.raises(ValueError, match="it was confirmed by Tanaka"):
        confirm(confirmed(), by("Suzuki"))


WRONG = {
    "to: is not after from": replace(WANTED, ends_at=WANTED.begins_at),
    "has passed: a ceremony is announced before it begins": replace(WANTED, begins_at=NOW),
    "a window is at most 7 days long": replace(WANTED, ends_at=WANTED.begins_at + LONGEST + HOUR),
    "is more than 92 days ahead": Announcement("later", ("cold",), NOW + timedelta(days=93), NOW + timedelta(days=94)),
    "there is no wallet gone": replace(WANTED, wallets=("gone",)),
    "hot is hot: ceremonies are for cold wallets": replace(WANTED, wallets=("hot",)),
    "write 1 to 100 different names": replace(WANTED, wallets=()),
    "wallets: write 1 to 100 different": replace(WANTED, wallets=("cold", "cold")),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_announced_is_told(message: str) -> None:
    with pytest.raises(ValueError, match=message):
        announce(WRONG[message], by("Sato"), WALLETS, None)


def test_it_counts_from_its_confirmation_to_its_cancellation() -> None:
    assert announced().window is None
    assert confirmed().window == (NOW + HOUR, NOW + 3 * HOUR)
    late = confirmed(NOW + 2 * HOUR)
    assert late.window == (NOW + 2 * HOUR, NOW + 3 * HOUR)
    ended = cancel(late, by("Suzuki", NOW + 2 * HOUR + HOUR / 2), "rain")
    assert ended.window == (NOW + 2 * HOUR, NOW + 2 * HOUR + HOUR / 2)
    assert cancel(confirmed(), by("Suzuki"), "rain").window is None


def test_behind_its_window_or_cancelled_it_is_settled() -> None:
    after = NOW + 4 * HOUR
    with pytest.raises(ValueError, match="its window ended at 2026-11-24T12:00:00Z: it cannot be confirmed"):
        confirm(announced(), by("Tanaka", after))
    with pytest.raises(ValueError, match="it cannot be cancelled"):
        cancel(confirmed(), by("Tanaka", after), "late")
    gone = cancel(announced(), by("Suzuki"), "rain")
    with pytest.raises(ValueError, match="it was cancelled by Suzuki: it cannot be confirmed"):
        confirm(gone, by("Tanaka"))
    with pytest.raises(ValueError, match="was cancelled: write another window or purpose"):
        announce(WANTED, by("Sato"), WALLETS, gone)


def test_its_phase_follows_the_clock() -> None:
    times = [NOW, NOW + 2 * HOUR, NOW + 4 * HOUR]
    assert [announced().phase(at) for at in times] == [Phase.ANNOUNCED, Phase.ANNOUNCED, Phase.LAPSED]
    assert [confirmed().phase(at) for at in times] == [Phase.CONFIRMED, Phase.ACTIVE, Phase.OVER]
    gone = cancel(announced(), by("Suzuki"), "rain")
    assert [gone.phase(at) for at in times] == [Phase.CANCELLED] * 3


def test_a_case_says_whose_word_there_was() -> None:
    inside = (WANTED.begins_at, WANTED.begins_at)
    one = announced().id
    known = {
        "confirmed": told([confirmed()], "cold", *inside),
        "unconfirmed": told([announced()], "cold", *inside),
        "late": told([confirmed(NOW + 2 * HOUR)], "cold", *inside),
        "cancelled": told([cancel(confirmed(), by("Suzuki"), "rain")], "cold", *inside),
        "another wallet": told([confirmed()], "vault", *inside),
    }
    assert {name: (found["inside"], found["text"]) for name, found in known.items()} == {
        "confirmed": (True, f"inside ceremony {one} announced by Sato, confirmed by Tanaka"),
        "unconfirmed": (False, f"outside ceremony {one}: announced by Sato, confirmed by nobody"),
        "late": (
            False,
            f"outside ceremony {one}: announced by Sato, confirmed by Tanaka only at 2026-11-24T11:00:00Z",
        ),
        "cancelled": (False, f"outside ceremony {one}: announced by Sato, cancelled by Suzuki"),
        "another wallet": (False, "no ceremony was announced"),
    }


MINUTES = st.integers(0, 400).map(lambda minute: NOW + timedelta(minutes=minute))


@given(MINUTES, MINUTES, st.none() | MINUTES, st.none() | MINUTES)
def test_nothing_is_inside_before_both_people_have_spoken_or_after_somebody_took_it_back(
    one: datetime, other: datetime, second: datetime | None, taken_back: datetime | None
) -> None:
    earliest, latest = sorted((one, other))
    ceremony = replace(
        announced(),
        confirmed=None if second is None else by("Tanaka", second),
        cancelled=None if taken_back is None else by("Suzuki", taken_back),
    )
    if not outside([ceremony], "cold", earliest, latest):
        assert second is not None
        assert second <= latest
        assert taken_back is None or earliest <= taken_back
        assert WANTED.begins_at <= latest
        assert earliest <= WANTED.ends_at
