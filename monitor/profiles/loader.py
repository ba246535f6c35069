"""A profile file, with what it extends, into a Profile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as FilePath
from typing import Annotated, Any

from monitor.config.mistakes import ConfigError, Mistake, in_order
from monitor.config.models import is_profile_file
from monitor.config.translate import instead_of, validated
from monitor.profiles.calendars import NoCalendar, read_calendar
from monitor.profiles.checks import Setting, confirm_rules, read_rules
from monitor.profiles.files import Sheet, is_file, shipped_file, shipped_names
from monitor.profiles.models import NEEDED, OWN, OWN_OPTIONAL, ProfileDocument
from monitor.profiles.parameters import choose, confirm, read_parameters, read_reserve
from monitor.rules.calendar import Calendar
from monitor.rules.profile import InsiderChannel, Notification, Profile, ReserveRules, Source, Status, Valuation

#: An overlay of an overlay is enough; more is a slip.
_DEEPEST = 8


def read_profile(name: str, base: FilePath | None = None) -> Profile:
    """The shipped profile of a name, or the one in a file (relative to ``base``, by default the working folder).

    Raises ConfigError with every mistake in the file and in those that it extends.
    """
    file = profile_file(name, FilePath.cwd() if base is None else base)
    try:
        return _read(file, ())
    except ConfigError as error:
        raise ConfigError(in_order(error.mistakes, str(file))) from error


def profile_file(name: str, base: FilePath) -> FilePath:
    """The file of a profile. Raises ConfigError where none of that name is shipped."""
    file = base / name if is_profile_file(name) else shipped_file("profiles", name)
    if file is None:
        message = f"{name!r} is no shipped profile: write one of {', '.join(shipped_names('profiles'))}, or a file"
        raise ConfigError([Mistake(name, 1, "profile", message)])
    return file


def _read(file: FilePath, above: tuple[FilePath, ...]) -> Profile:
    """``above``: the files that extend this one."""
    sheet = Sheet(file)
    sections = _sections(sheet)
    base = _base(sections.get("extends"), sheet, (*above, file))
    if base is None and "extends" in sections:
        sheet.finish()
    own = base is None or "id" in sections
    needed = NEEDED if base is None else OWN if own else ()
    for key in needed:
        if sheet.data.get(key) is None:
            sheet.report((key,), f"is missing: write {key}: …")
    profile = _Build(sheet, sections, base, own=own).profile()
    sheet.finish()
    assert profile is not None, "a profile without mistakes"
    return profile


def _sections(sheet: Sheet) -> dict[str, Any]:
    """The keys of the file that could be read; an empty value is as good as no key."""
    found: dict[str, Any] = {}
    fields = ProfileDocument.model_fields
    for key, value in sheet.data.items():
        if key not in fields:
            sheet.report((key,), f"unknown key{instead_of(key, list(fields))}")
        elif value is not None:
            info = fields[key]
            section, _ = validated(Annotated[info.annotation, info], value, (key,), sheet.report)
            if section is not None:
                found[key] = section
    return found


def _base(name: str | None, sheet: Sheet, above: tuple[FilePath, ...]) -> Profile | None:
    """The profile that a file extends; its mistakes become those of the sheet."""
    if name is None:
        return None
    file = sheet.file.parent / name if is_profile_file(name) else shipped_file("profiles", name)
    if file is None:
        sheet.report(
            ("extends",), f"{name!r} is no shipped profile: write one of {', '.join(shipped_names('profiles'))}"
        )
    elif not is_file(file):
        sheet.report(("extends",), f"{name} does not exist: create it, or correct the path")
    elif file.resolve() in {each.resolve() for each in above}:
        sheet.report(("extends",), f"{name} extends this file in turn: profiles cannot extend each other in a circle")
    elif len(above) >= _DEEPEST:
        sheet.report(("extends",), f"more than {_DEEPEST} profiles extend one another: write it flatter")
    else:
        try:
            return _read(file, above)
        except ConfigError as error:
            sheet.mistakes.extend(error.mistakes)
    return None


class _Build:
    """Puts a profile together from the sections of a file and the profile that it extends."""

    def __init__(self, sheet: Sheet, sections: dict[str, Any], base: Profile | None, *, own: bool) -> None:
        self._sheet, self._sections, self._base, self._own = sheet, sections, base, own
        self._report = sheet.report

    def _value(self, key: str, missing: Any = None) -> Any:
        """A section, or what is inherited; a profile with its own id inherits no dates and no status."""
        inherits = self._base is not None and (not self._own or key not in {"id", *OWN, *OWN_OPTIONAL})
        return self._sections.get(key, getattr(self._base, key) if inherits else missing)

    def profile(self) -> Profile | None:
        """None where a mistake has been reported."""
        base = self._base
        calendar, source = self._calendar()
        declared = dict(base.declared) if base is not None else {}
        for name, kind in self._sections.get("declared", {}).items():
            if declared.setdefault(name, kind) is not kind:
                self._report(("declared", name), f"is {declared[name]} in the profile that is extended: remove it")
        parameters = read_parameters(
            self._sections.get("parameters", {}), base.parameters if base is not None else {}, self._report
        )
        choose(self._sections.get("choose", {}), parameters, self._report)
        confirmed = self._sections.get("confirmed", {})
        reserve = confirm(confirmed, parameters, self._reserve(parameters), self._report)
        staked = self._value("staked_counts_as")
        if staked is None:
            return None
        setting = Setting(declared, parameters, staked, calendar, has_reserve=reserve is not None)
        rules = read_rules(
            self._sections.get("checks", {}), base.rules if base is not None else (), setting, self._report
        )
        rules = confirm_rules(confirmed, rules, self._report)
        self._dates()
        valuation = self._valuation()
        if self._sheet.mistakes or calendar is None or valuation is None:
            return None
        return Profile(
            **{key: self._value(key) for key in ("id", *OWN, "effective_from", "effective_latest", "effective_to")},
            supersedes=self._value("supersedes", ""),
            valuation=valuation,
            calendar=calendar,
            staked_counts_as=staked,
            declared=declared,
            parameters=parameters,
            rules=rules,
            reserve=reserve,
            insider_channel=self._insider(),
            notifications=self._notifications(),
            sources=self._sources(source),
        )

    def _calendar(self) -> tuple[Calendar | None, Source | None]:
        name = self._sections.get("calendar")
        if name is None:
            return (None if self._base is None else self._base.calendar), None
        try:
            return read_calendar(name, self._sheet.file.parent)
        except NoCalendar as error:
            self._report(("calendar",), str(error))
        except ConfigError as error:
            self._sheet.mistakes.extend(error.mistakes)
        return None, None

    def _reserve(self, parameters: dict[str, Any]) -> ReserveRules | None:
        inherited = self._base.reserve if self._base is not None else None
        model = self._sections.get("reserve")
        if model is None:
            return inherited
        if inherited is not None:
            self._report(("reserve",), "stands in the profile that is extended: confirm its numbers under confirmed")
            return inherited
        return read_reserve(model, parameters, self._report)

    def _dates(self) -> None:
        begins, latest, ends = (self._value(key) for key in ("effective_from", "effective_latest", "effective_to"))
        if begins is not None and latest is not None and begins > latest:
            self._report(("effective_from",), f"is after effective_latest, {latest}: correct one of them")
        start = begins or latest
        if start is not None and ends is not None and ends < start:
            self._report(("effective_to",), f"is before the start, {start}: correct one of them")
        if start is None and self._value("status") not in {Status.IN_FORCE, None}:
            self._report(
                ("status",), "is not in force, so it starts some day: write effective_from or effective_latest"
            )
        if self._value("supersedes") == self._value("id") and self._value("id") is not None:
            self._report(("supersedes",), "is this profile itself: write the id of the one that ends when this starts")

    def _valuation(self) -> Valuation | None:
        entry = self._sections.get("valuation")
        if entry is None:
            return None if self._base is None else self._base.valuation
        basis, days = entry.price_rule()
        return Valuation(entry.currency, basis, days, entry.tz, entry.verified)

    def _insider(self) -> InsiderChannel | None:
        entry = self._sections.get("insider_channel")
        if entry is None:
            return None if self._base is None else self._base.insider_channel
        return InsiderChannel(entry.alerts_are_material_fact, entry.recipients_must_be_listed, entry.verified)

    def _notifications(self) -> tuple[Notification, ...]:
        inherited = self._base.notifications if self._base is not None else ()
        own = tuple(
            Notification(each.event, each.authority, each.deadline, each.starts, each.template, each.verified)
            for each in self._sections.get("notifications", ())
        )
        return (*inherited, *own)

    def _sources(self, calendar: Source | None) -> tuple[Source, ...]:
        """This file first, then what it extends, then the calendar that is used."""
        inherited = self._base.sources if self._base is not None else ()
        bases = [replace(each, kind="base") for each in inherited if each.kind != "calendar"]
        calendars = [each for each in inherited if each.kind == "calendar"] if calendar is None else [calendar]
        own = Source("profile", self._value("id"), self._sheet.sha256)
        return (own, *bases, *calendars)
