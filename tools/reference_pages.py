"""Reference pages made from the program: commands, routes, metrics and rules. tools.reference writes them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, cast

import typer.main

from monitor.__main__ import app
from monitor.config.models import SHIPPED_PROFILES
from monitor.health import Health
from monitor.ledger.store import Ledger
from monitor.model import Owner, Tier, Wallet
from monitor.profiles import read_profile
from monitor.publish.actions import Actions
from monitor.publish.console.words import words
from monitor.publish.guard import Access
from monitor.publish.metrics import families
from monitor.publish.roles import ROLES, Role
from monitor.publish.rules import RULES, alert_name
from monitor.publish.scope import Scope
from monitor.publish.snapshot import Snapshots
from monitor.publish.web import Served, make_app
from monitor.rules.grammar import show
from monitor.rules.predicates import Predicate
from tools import manpage

_MADE = "<!-- Made from the program by tools/reference_pages.py: run make docs. -->"
_THEN = datetime(2026, 1, 1, tzinfo=UTC)
#: one of everything that names a label
_SCOPE = Scope(
    version="0",
    wallets=(Wallet("wallet", "chain", Tier.COLD, Owner.CUSTOMER, "self", 0),),
    assets={"chain": ("ASSET",)},
    decimals={"ASSET": 8},
    receivers=("alertmanager-1",),
    sources=("liabilities", "approvals", "prices"),
    endpoints={"chain": ("endpoint-1",)},
)


def pages() -> dict[str, str]:
    """By file name in docs/reference."""
    with tempfile.TemporaryDirectory() as folder, closing(Ledger(f"sqlite:///{folder}/porwatch.db")) as ledger:
        health = Health(started_at=_THEN, chains=("chain",))
        snapshots = Snapshots(ledger, health, _SCOPE, lambda: _THEN)
        access = Access("127.0.0.1", "http://127.0.0.1:9899")
        served = Served(ledger, health, snapshots, _SCOPE, cast("Actions", None), access, runbook=lambda *_: None)
        document = make_app(served).openapi()
        metrics = [*families(snapshots.latest)]
    return {
        "options.md": _page("Every command and option", "What they do is told in [Command line](cli.md).", _options()),
        "routes.md": _page(
            "Every route, and who may call it", "What they answer is told in [HTTP](http.md).", _routes(document)
        ),
        "metrics-list.md": _page(
            "Every metric", "What they are good for is told in [Metrics](metrics.md).", _metrics(metrics)
        ),
        "rules.md": _page(
            "Every rule", "How outflows are explained is told [elsewhere](../explanation/attribution.md).", _rules()
        ),
    }


def _page(title: str, text: str, lines: Iterable[str]) -> str:
    return "\n".join((f"# {title}", "", _MADE, "", text, "", *lines)).rstrip("\n") + "\n"


def _options() -> Iterator[str]:
    for called, command in manpage.commands(typer.main.get_command(app)):
        yield from (f"## `{called}`", "", _cell(command.help or ""), "")
        if found := manpage.options(command):
            yield from ("| option | default | |", "|---|---|---|")
            yield from (f"| {_names(each)} | {_default(each)} | {_cell(each.help or '')} |" for each in found)
            yield ""


def _names(option: Any) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _default(option: Any) -> str:
    if option.required:
        return "required"
    value = option.default
    if value is None or value in {"", False, ()}:
        return ""
    return f"`{getattr(value, 'value', value)}`"


def _routes(document: Any) -> Iterator[str]:
    roles = [role.value for role in Role]
    yield f"| route | {' | '.join(roles)} | anybody | parameters | |"
    yield f"|---|{'---|' * (len(roles) + 3)}"
    for (method, path), allowed in sorted(ROLES.items(), key=lambda item: (item[0][1], item[0][0])):
        operation = document["paths"].get(path.replace(":path}", "}"), {}).get(method.lower(), {})
        parameters = ", ".join(f"`{each['name']}`" for each in operation.get("parameters", ()))
        marks = " | ".join("✓" if who in allowed else "" for who in (*Role, None))
        yield f"| `{method} {path}` | {marks} | {parameters} | {_first(operation.get('description', ''))} |"


def _metrics(found: Iterable[Any]) -> Iterator[str]:
    yield from ("| metric | type | labels | |", "|---|---|---|---|")
    for family in sorted(found, key=lambda each: each.name):
        suffix = {"counter": "_total", "info": "_info"}.get(family.kind.value, "")
        labels = ", ".join(f"`{label}`" for label in family.labels)
        yield f"| `{family.name}{suffix}` | {family.kind.value} | {labels} | {_cell(family.text)} |"


def _rules() -> Iterator[str]:
    english, japanese = words("en"), words("ja")
    yield from ("## What opens a case", "", "| rule | | category | severity | what it says | first check | runbook |")
    yield "|---|---|---|---|---|---|---|"
    for name, rule in RULES.items():
        said = f"{english.term('rule', name)}, {japanese.term('rule', name)}"
        severities = ", ".join(severity.value for severity in rule.severities)
        alert = alert_name(name)
        yield (
            f"| `{name}` | {said} | {rule.category.value} | {severities} | {_cell(rule.summary)} | {_cell(rule.check)} "
            f"| [{alert}](../../alerts/runbooks/{alert}.md) |"
        )
    yield from ("", "## What the shipped profiles check", "")
    for name in SHIPPED_PROFILES:
        profile = read_profile(name)
        yield from (f"### {name}", "", f"{_cell(profile.title)}.", "", "| check | condition | basis | verified |")
        yield "|---|---|---|---|"
        for each in profile.rules:
            condition = each.condition if isinstance(each.condition, Predicate) else show(each.condition)
            yield f"| `{each.id}` | `{_code(str(condition))}` | {_cell(each.basis)} | {each.verified.value} |"
        yield ""


def _first(text: str) -> str:
    return _cell(text.split("\n\n", maxsplit=1)[0])


def _code(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
