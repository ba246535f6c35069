"""The profiles of a configuration, together: each read, their ids and successions checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath

from monitor.config.changes import mistake_at
from monitor.config.mistakes import ConfigError, Mistake, in_order
from monitor.config.models import SHIPPED_PROFILES
from monitor.config.resolved import Config
from monitor.profiles.files import Sheet
from monitor.profiles.loader import profile_file, read_profile
from monitor.rules.profile import Profile


def read_profiles(config: Config) -> dict[str, Profile]:
    """By id: every configured profile in configured order, then the shipped ones that succeed one of them.

    ``rules.in_force`` says which of them stands for an id on a day. Raises ConfigError with every mistake.
    """
    found, mistakes = _read(config)
    if mistakes:
        raise ConfigError(mistakes)
    # Without a configured one nothing can succeed it, and reading them all is a tenth of a start.
    waiting = [name for name in SHIPPED_PROFILES if found and name not in found]
    shipped = {name: read_profile(name) for name in waiting}
    while heirs := [name for name in shipped if shipped[name].supersedes in found]:
        found.update({name: shipped.pop(name) for name in heirs})
    return found


def check_profiles(config: Config) -> list[Mistake]:
    """Every mistake in the profiles of a configuration; empty where there is none."""
    return _read(config)[1]


def _unlisted(config: Config, found: dict[str, Profile]) -> Iterator[Mistake]:
    """Alertmanagers whose readers nobody has named, where a profile makes alerts about outflows inside information."""
    asking = [
        name for name, each in found.items() if each.insider_channel and each.insider_channel.recipients_must_be_listed
    ]
    for number, each in enumerate(config.alertmanagers):
        if asking and not each.recipients:
            what = f"{asking[0]} asks that whoever gets an alert about an outflow is listed: write [NAME, …]"
            yield mistake_at(config, ("alertmanagers", number, "recipients"), what)


def _read(config: Config) -> tuple[dict[str, Profile], list[Mistake]]:
    found: dict[str, Profile] = {}
    files: dict[str, FilePath] = {}
    mistakes: list[Mistake] = []
    for name in config.profiles:
        try:
            profile = read_profile(name, config.base)
        except ConfigError as error:
            mistakes.extend(error.mistakes)
            continue
        file = profile_file(name, config.base)
        if profile.id in found:
            what = f"{profile.id} is also the id of {files[profile.id].name}: remove one, or give it its own id"
            mistakes.append(Sheet(file).mistake(("id",), what))
            continue
        found[profile.id], files[profile.id] = profile, file
    for profile in found.values():
        wrong = _succession(profile, found)
        if wrong:
            mistakes.append(Sheet(files[profile.id]).mistake(("supersedes",), wrong))
    mistakes.extend(_unlisted(config, found))
    return found, list(in_order(mistakes, str(FilePath(config.file))))


def _succession(profile: Profile, found: dict[str, Profile]) -> str:
    """What is wrong with the profile that this one supersedes, or ""."""
    seen, current = [profile.id], profile
    while current.supersedes:
        name = current.supersedes
        if name in seen:
            return f"{' supersedes '.join([*seen, name])}: profiles cannot supersede each other in a circle"
        if name not in found:
            return "" if name in SHIPPED_PROFILES else f"{name} is neither configured nor shipped: correct the id"
        seen.append(name)
        current = found[name]
    return ""
