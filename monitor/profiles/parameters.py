"""The numbers of a profile: its own, those it extends, and what the entity confirmed or chose."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from monitor.config.translate import validated
from monitor.profiles.models import Confirmed, ParameterEntry, Report, ReserveEntry, ReserveModel
from monitor.rules.marks import Confirmation, Parameter, Verified
from monitor.rules.profile import Haircuts, ReserveRules
from monitor.rules.units import Unit

#: before the names of numbers of the reserve model under ``confirmed``
RESERVE = "reserve."
#: before the ids of checks that are a predicate
CHECK = "check."
#: before the ids of checks whose cure clock is meant
CURE = "cure."
#: shares of something: nothing above the whole counts
RISKS = ("incidents_in_three_years", "system_provider_not_notified", "custodian_share_above_limit", "no_drill")
_THRESHOLD = re.compile(r"0|[1-9][0-9]{0,30}", re.ASCII)
_SHARES = ("w_cold", "w_hot", "w_third", "kappa")


def read_parameters(
    entries: Mapping[str, Any], inherited: Mapping[str, Parameter], report: Report
) -> dict[str, Parameter]:
    """Inherited parameters and new ones; one that is there already cannot be written again."""
    found = dict(inherited)
    for name, value in entries.items():
        path = ("parameters", name)
        if name in inherited:
            report(
                path,
                "is a number of the profile that is extended: confirm it under confirmed, pick one of its choices "
                "under choose, or write an internal limit as warn_at of the check",
            )
            continue
        entry, _ = validated(ParameterEntry, value, path, report)
        if entry is not None:
            found[name] = _parameter(name, entry)
    return found


def _parameter(name: str, entry: ParameterEntry) -> Parameter:
    choices = entry.choices or {}
    value = entry.value if entry.value is not None else choices[entry.choice or ""]
    return Parameter(
        name=name,
        value=value,
        unit=entry.unit,
        verified=entry.verified,
        basis=entry.basis,
        placeholder=entry.placeholder,
        choice=entry.choice or "",
        choices=dict(choices),
    )


def choose(chosen: Mapping[str, str], parameters: dict[str, Parameter], report: Report) -> None:
    """Replaces the choice of parameters that have choices."""
    for name, choice in chosen.items():
        parameter = parameters.get(name)
        if parameter is None or not parameter.choices:
            having = [each.name for each in parameters.values() if each.choices]
            report(("choose", name), f"has no choices: {_instead(having)}")
        elif choice not in parameter.choices:
            report(("choose", name), f"{choice} is no choice: write one of {', '.join(parameter.choices)}")
        else:
            parameters[name] = replace(parameter, value=parameter.choices[choice], choice=choice)


def _instead(names: list[str]) -> str:
    return f"write one of {', '.join(names)}" if names else "remove it"


def confirm(
    confirmed: Mapping[str, Confirmed], parameters: dict[str, Parameter], reserve: ReserveRules | None, report: Report
) -> ReserveRules | None:
    """Sets the confirmations of parameters; returns the reserve model with its own."""
    of_reserve: dict[str, Parameter] = {}
    known = {} if reserve is None else reserve.parameters()
    for name, entry in confirmed.items():
        if name.startswith((CHECK, CURE)):
            continue
        parameter = parameters.get(name) or (known.get(name) if name.startswith(RESERVE) else None)
        if parameter is None:
            doubtful = [each.name for each in (*parameters.values(), *known.values()) if not each.passes]
            report(("confirmed", name), f"is no parameter of this profile: {_instead(doubtful)}")
            continue
        made = _confirmed(parameter, entry, name, report)
        if made is not None:
            (of_reserve if name.startswith(RESERVE) else parameters)[name] = made
    # A number of the model may be a parameter that stands under parameters.
    return (
        None
        if reserve is None
        else _mapped(reserve, lambda each: of_reserve.get(each.name, parameters.get(each.name, each)))
    )


def _confirmed(parameter: Parameter, entry: Confirmed, name: str, report: Report) -> Parameter | None:
    if parameter.verified is not Verified.FALSE:
        report(
            ("confirmed", name),
            f"is verified: {parameter.verified} and needs no confirmation: remove it, "
            "or write an internal limit as warn_at of the check",
        )
        return None
    number, _ = validated(ReserveEntry, _as_entry(entry.value), ("confirmed", name), report)
    if number is None:
        return None
    return replace(parameter, confirmed=confirmation(entry))


def _as_entry(value: str) -> dict[str, object]:
    return {"value": value, "verified": False, "basis": "confirmed"}


def confirmation(entry: Confirmed) -> Confirmation:
    """An entry under ``confirmed`` as a value."""
    return Confirmation(entry.value, entry.by, entry.on, entry.basis, entry.document_sha256)


def read_reserve(model: ReserveModel, parameters: Mapping[str, Parameter], report: Report) -> ReserveRules | None:
    """The reserve model in values; None where a mistake was reported."""
    reader = _Reserve(parameters, report)
    made = ReserveRules(
        rates=reader.table(model.rates, "rates"),
        w_cold=reader.one(model.w_cold, "w_cold"),
        w_hot=reader.one(model.w_hot, "w_hot"),
        w_third=reader.one(model.w_third, "w_third"),
        guarantee_offset=model.guarantee_offset,
        floor=reader.one(model.floor, "floor", Unit.MONEY),
        cap=None if model.cap is None else reader.one(model.cap, "cap", Unit.MONEY),
        kappa=reader.one(model.kappa, "kappa"),
        rho=reader.one(model.rho, "rho"),
        risks=reader.table(model.risks, "risks"),
        tiers=reader.tiers(model.tiers),
        phase_in_years=None if model.phase_in_years is None else reader.one(model.phase_in_years, "phase_in_years"),
        haircuts=Haircuts(
            None if model.haircuts.rating is None else reader.table(model.haircuts.rating, "haircuts", "rating"),
            reader.table(model.haircuts.instrument, "haircuts", "instrument"),
        ),
        replenish_months=None
        if model.replenish_months is None
        else reader.one(model.replenish_months, "replenish_months"),
        min_days_to_expiry=reader.one(model.min_days_to_expiry, "min_days_to_expiry"),
    )
    reader.check(made)
    return None if reader.wrong else made


class _Reserve:
    """Reads numbers of the reserve section."""

    def __init__(self, parameters: Mapping[str, Parameter], report: Report) -> None:
        self._parameters, self._report = parameters, report
        self.wrong = False

    def one(self, entry: ReserveEntry | str, key: str, unit: Unit = Unit.NUMBER, *inside: str) -> Parameter:
        path = ("reserve", key, *inside)
        name = ".".join(path)
        if isinstance(entry, ReserveEntry):
            return Parameter(name, entry.value, unit, entry.verified, entry.basis, entry.placeholder)
        parameter = self._parameters.get(entry.removeprefix("param."))
        if parameter is None or parameter.unit is not unit:
            what = "is not defined under parameters" if parameter is None else f"has unit {parameter.unit}, not {unit}"
            self.mistake(path, f"{entry} {what}: write the number here, or correct the name")
            return Parameter(name, Decimal(0), unit, Verified.FALSE, "")
        return parameter

    def table(self, entries: Mapping[str, ReserveEntry | str], key: str, *inside: str) -> dict[str, Parameter]:
        return {name: self.one(entry, key, Unit.NUMBER, *inside, name) for name, entry in entries.items()}

    def tiers(self, entries: Mapping[str, ReserveEntry | str]) -> dict[str, Parameter]:
        """Amounts by threshold, both money; the lowest threshold is 0, so that every exchange has a tier."""
        for name in entries:
            if _THRESHOLD.fullmatch(name) is None:
                self.mistake(("reserve", "tiers", name), "is no threshold: write a whole amount of money, e.g. 0")
        if entries and "0" not in entries:
            self.mistake(("reserve", "tiers"), "has no threshold 0: write the amount for the smallest exchange")
        return {name: self.one(entry, "tiers", Unit.MONEY, name) for name, entry in entries.items()}

    def check(self, made: ReserveRules) -> None:
        """Numbers that contradict one another, or what they are."""
        if made.cap is not None and made.cap.value < made.floor.value:
            self.mistake(("reserve", "cap"), "is below floor: correct one of them")
        shares: dict[tuple[str, ...], Parameter] = {(name,): getattr(made, name) for name in _SHARES}
        for table, entries in (("rating", made.haircuts.rating or {}), ("instrument", made.haircuts.instrument)):
            shares.update({("haircuts", table, key): each for key, each in entries.items()})
        for path, share in shares.items():
            if share.value > 1:
                self.mistake(("reserve", *path), "is a share, so at most 1: write e.g. 0.5 for half")
        for reason, addition in made.risks.items():
            if reason not in RISKS:
                self.mistake(("reserve", "risks", reason), f"is no reason: write one of {', '.join(RISKS)}")
            elif addition.value > 1:
                self.mistake(("reserve", "risks", reason), "adds more than 1: the factor is 2 at most")
        if not self.wrong and made.tiers:
            amounts = [made.tiers[name].value for name in sorted(made.tiers, key=int)]
            if amounts != sorted(amounts):
                self.mistake(("reserve", "tiers"), "has an amount below that of a lower threshold: sort the table")
        if made.rho.value < 1:
            self.mistake(("reserve", "rho"), "raises the requirement, so it is at least 1")
        if made.phase_in_years is not None and made.phase_in_years.value == 0:
            self.mistake(("reserve", "phase_in_years"), "is 0: write null where nothing is phased in")

    def mistake(self, path: tuple[str, ...], message: str) -> None:
        self.wrong = True
        self._report(path, message)


def _mapped(reserve: ReserveRules, change: Callable[[Parameter], Parameter]) -> ReserveRules:
    """The model with every number changed."""

    def table(entries: Mapping[str, Parameter]) -> dict[str, Parameter]:
        return {key: change(each) for key, each in entries.items()}

    haircuts = reserve.haircuts
    return replace(
        reserve,
        rates=table(reserve.rates),
        w_cold=change(reserve.w_cold),
        w_hot=change(reserve.w_hot),
        w_third=change(reserve.w_third),
        floor=change(reserve.floor),
        cap=None if reserve.cap is None else change(reserve.cap),
        kappa=change(reserve.kappa),
        rho=change(reserve.rho),
        risks=table(reserve.risks),
        tiers=table(reserve.tiers),
        phase_in_years=None if reserve.phase_in_years is None else change(reserve.phase_in_years),
        haircuts=Haircuts(None if haircuts.rating is None else table(haircuts.rating), table(haircuts.instrument)),
        replenish_months=None if reserve.replenish_months is None else change(reserve.replenish_months),
        min_days_to_expiry=change(reserve.min_days_to_expiry),
    )
