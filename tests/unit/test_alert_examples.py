"""The example receivers: with the example's routing they are a configuration that Alertmanager takes, without a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.test_alerts import ALERTS, ROUTING, RULES, Require, run, said

EXAMPLES = sorted((ALERTS / "examples").glob("*.yml"))
EACH_EXAMPLE = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
#: what an example needs that is younger than Alertmanager 0.25
YOUNGER = {"teams"}


def merged(example: Path) -> dict[str, Any]:
    """The example routing with these receivers in the place of its own."""
    return {**yaml.safe_load(ROUTING.read_text("utf-8")), **yaml.safe_load(example.read_text("utf-8"))}


@EACH_EXAMPLE
@pytest.mark.parametrize("program", ["amtool", "amtool-next"])
def test_amtool_accepts_the_routing_with_these_receivers(
    example: Path, program: str, require_component: Require, tmp_path: Path
) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(yaml.safe_dump(merged(example)), "utf-8")
    checked = run(require_component(program), "check-config", file)
    accepted = program == "amtool-next" or example.stem not in YOUNGER
    assert (checked.returncode == 0) is accepted, said(checked)


@EACH_EXAMPLE
def test_alerts_of_each_category_arrive_at_those_who_must_act(
    example: Path, require_component: Require, tmp_path: Path
) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(yaml.safe_dump(merged(example)), "utf-8")
    for category, severity, expected in (
        ("outflow", "critical", "pager,chat"),
        ("compliance", "critical", "compliance"),
        ("compliance", "warning", "compliance"),
        ("quality", "critical", "pager"),
        ("quality", "warning", "ops"),
    ):
        name = next(
            name
            for name, rule in RULES.items()
            if rule["labels"]["category"] == category and name != "PorwatchWatchdog"
        )
        labels = [f"alertname={name}", f"severity={severity}", f"category={category}", "chain=ethereum"]
        command = ["config", "routes", "test", f"--config.file={file}", *labels]
        routed = run(require_component("amtool-next"), *command)
        assert routed.stdout.strip() == expected, said(routed)


@EACH_EXAMPLE
def test_an_example_has_the_receivers_of_the_routing_and_nothing_else(example: Path) -> None:
    document = yaml.safe_load(example.read_text("utf-8"))
    assert list(document) == ["receivers"]
    routing = yaml.safe_load(ROUTING.read_text("utf-8"))
    assert [r["name"] for r in document["receivers"]] == [r["name"] for r in routing["receivers"]]


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, key)
    else:
        yield key, value


@EACH_EXAMPLE
def test_every_secret_is_in_a_file(example: Path) -> None:
    secret = re.compile(r"(?:key|token|password|secret|credentials|api_url|webhook_url)")
    keys = dict.fromkeys(key for key, _ in leaves(yaml.safe_load(example.read_text("utf-8"))))
    named = [key for key in keys if secret.search(key)]
    assert named
    assert all(key.endswith("_file") for key in named)
    for key, value in leaves(yaml.safe_load(example.read_text("utf-8"))):
        if key.endswith("_file"):
            assert value.startswith("/etc/alertmanager/secrets/")
        elif key == "url":
            assert re.fullmatch(r"https://[a-z]+\.exchange\.example/[a-z]+", value), "an address without a secret in it"


def test_staleness_mutes_what_follows_from_it_and_neither_a_breach_nor_an_outflow() -> None:
    inhibitions = yaml.safe_load(ROUTING.read_text("utf-8"))["inhibit_rules"]
    stale = [rule for rule in inhibitions if "CycleStale" in rule["source_matchers"][0]]
    assert [rule["target_matchers"] for rule in stale] == [
        ['category="quality"', 'alertname="PorwatchCheckUnverified"']
    ]
