"""What a check asks that is not arithmetic: a closed list of named predicates over declared facts.

record_each(PERIOD)          a record exists for every finished day, business_day or month
age_at_most(NAME, Nd)        the date declared.NAME lies at most N days back
storage_is(CLASS, TIER)      every wallet of the class is in that storage tier
destination_listed(LIST)     every withdrawal went to an address of the customer's list
is_true(NAME)                the entity declares that declared.NAME holds
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from monitor.model import Tier
from monitor.rules.calendar import Calendar
from monitor.rules.grammar import CLASSES, GrammarError

#: Records are kept ten years at most; one that is asked for longer is a slip.
MOST_DAYS = 3_660
LONGEST = 300
_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,62}"
_FORM = re.compile(rf" *({_NAME}) *\( *([A-Za-z0-9_]{{1,63}}) *(?:, *([A-Za-z0-9_]{{1,63}}) *)?\) *", re.ASCII)
_DAYS = re.compile(r"([1-9][0-9]{0,3})d", re.ASCII)
FUNCTIONS = ("record_each", "age_at_most", "storage_is", "destination_listed", "is_true")
_PERIODS = ("day", "business_day", "month")


class Kind(StrEnum):
    """What a declared name is, besides a figure."""

    DATE = "date"
    FLAG = "flag"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Records:
    """The days that have a record, of those from ``first`` on."""

    first: date
    days: frozenset[date]


#: a date; a flag; addresses; records; wallet -> tier
Fact = date | bool | frozenset[str] | Records | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Predicate:
    """``limit``: the tier of storage_is, the days of age_at_most as text, "" for the others."""

    function: str
    name: str
    limit: str = ""

    def __str__(self) -> str:
        limit = f"{self.limit}d" if self.function == "age_at_most" else self.limit
        return f"{self.function}({self.name}{f', {limit}' if limit else ''})"

    @property
    def facts(self) -> tuple[str, ...]:
        """The facts that it needs, by the names under which a lookup has them."""
        return {
            "record_each": ("records",),
            "storage_is": (f"storage.{self.name}",),
            "destination_listed": ("destinations", f"declared.{self.name}"),
        }.get(self.function, (f"declared.{self.name}",))


def parse_predicate(text: str) -> Predicate:
    """The predicate that ``text`` states. Raises GrammarError, and nothing else, for any other text."""
    match = _FORM.fullmatch(text[:LONGEST])
    if match is None:
        raise GrammarError("is no predicate: write e.g. age_at_most(last_segregation_audit, 365d)", 0)
    function, name, limit = match[1], match[2], match[3] or ""
    position = match.start(2)
    if function in _LIMITED:
        return _LIMITED[function](name, limit, position)
    if function not in FUNCTIONS:
        raise GrammarError(f"{function} is no predicate: write one of {', '.join(FUNCTIONS)}", match.start(1))
    if limit:
        raise GrammarError(f"{function} takes one name: remove {limit}", position)
    return Predicate(function, name)


def _record_each(name: str, limit: str, position: int) -> Predicate:
    if name not in _PERIODS or limit:
        raise GrammarError(f"write record_each with one of {', '.join(_PERIODS)}", position)
    return Predicate("record_each", name)


def _age_at_most(name: str, limit: str, position: int) -> Predicate:
    days = _DAYS.fullmatch(limit)
    if days is None or int(days[1]) > MOST_DAYS:
        raise GrammarError(f"{limit!r} is no age: write days, 1d to {MOST_DAYS}d", position)
    return Predicate("age_at_most", name, days[1])


def _storage_is(name: str, limit: str, position: int) -> Predicate:
    if name not in CLASSES:
        raise GrammarError(f"{name} is no class: write one of {', '.join(CLASSES)}", position)
    if limit not in list(Tier):
        raise GrammarError(f"{limit!r} is no storage tier: write one of {', '.join(Tier)}", position)
    return Predicate("storage_is", name, limit)


_LIMITED = {"record_each": _record_each, "age_at_most": _age_at_most, "storage_is": _storage_is}
#: what the name of a predicate must be declared as
NEEDS = {"age_at_most": Kind.DATE, "destination_listed": Kind.LIST, "is_true": Kind.FLAG}


class NoAnswer(Exception):
    """Facts that are there but do not answer the question."""


def judge(predicate: Predicate, facts: Mapping[str, Fact], on: date, calendar: Calendar) -> tuple[int, int, str]:
    """(value, threshold, what was found): the predicate holds where value ≤ threshold.

    The value is an age in days, or how many things fail. Raises NoAnswer, and calendar.OutOfRange.
    """
    if predicate.function == "record_each":
        return _judge_records(predicate, facts["records"], on, calendar)
    if predicate.function == "age_at_most":
        return _judge_age(predicate, facts, on)
    if predicate.function == "storage_is":
        return _judge_storage(predicate, facts)
    if predicate.function == "destination_listed":
        return _judge_destinations(predicate, facts)
    return _judge_flag(predicate, facts)


def _judge_records(predicate: Predicate, records: Fact, on: date, calendar: Calendar) -> tuple[int, int, str]:
    if not isinstance(records, Records):
        raise NoAnswer("records are no list of days")
    if records.first >= on or (on - records.first).days > MOST_DAYS:
        raise NoAnswer(f"records from {records.first} on say nothing on {on}")
    if predicate.name == "month":
        wanted = _finished_months(records.first, on)
        missing = [month for month in wanted if not any((day.year, day.month) == month for day in records.days)]
        shown = [f"{year}-{month:02d}" for year, month in missing]
        if not wanted:
            raise NoAnswer(f"no month from {records.first} on is finished on {on}")
    else:
        days = [records.first + timedelta(days=step) for step in range((on - records.first).days)]
        asked = [day for day in days if predicate.name == "day" or calendar.is_business_day(day)]
        shown = [day.isoformat() for day in asked if day not in records.days]
        if not asked:
            raise NoAnswer(f"no business day from {records.first} on is finished on {on}")
    return len(shown), 0, f"without a record: {_few(shown)}" if shown else f"every {predicate.name} has a record"


def _finished_months(first: date, on: date) -> list[tuple[int, int]]:
    found = []
    year, month = first.year, first.month
    while date(year, month, monthrange(year, month)[1]) < on:
        found.append((year, month))
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return found


def _judge_age(predicate: Predicate, facts: Mapping[str, Fact], on: date) -> tuple[int, int, str]:
    (name,) = predicate.facts
    day = facts[name]
    if type(day) is not date:
        raise NoAnswer(f"{name} is no date")
    if day > on:
        raise NoAnswer(f"{name} is {day}, after {on}")
    return (on - day).days, int(predicate.limit), f"{name} is {day}"


def _judge_storage(predicate: Predicate, facts: Mapping[str, Fact]) -> tuple[int, int, str]:
    (name,) = predicate.facts
    tiers = facts[name]
    if not isinstance(tiers, Mapping):
        raise NoAnswer(f"{name} is no list of wallets")
    wrong = sorted(wallet for wallet, tier in tiers.items() if tier != predicate.limit)
    return len(wrong), 0, f"not {predicate.limit}: {_few(wrong)}" if wrong else f"{len(tiers)} wallets of this class"


def _judge_destinations(predicate: Predicate, facts: Mapping[str, Fact]) -> tuple[int, int, str]:
    paid, listed = (facts[name] for name in predicate.facts)
    if not isinstance(paid, frozenset) or not isinstance(listed, frozenset):
        raise NoAnswer("destinations are no list of addresses")
    wrong = len(paid - listed)
    return wrong, 0, f"{wrong} of {len(paid)} destinations are not listed"


def _judge_flag(predicate: Predicate, facts: Mapping[str, Fact]) -> tuple[int, int, str]:
    (name,) = predicate.facts
    holds = facts[name]
    if not isinstance(holds, bool):
        raise NoAnswer(f"{name} is neither true nor false")
    return int(not holds), 0, f"{name} is declared {str(holds).lower()}"


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
