"""The alert rules, their promtool tests, their runbooks and the example routing, held against one another."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.detect.incidents import ALONE, CONTROL
from monitor.publish.alert import GROWTH_ALERT
from monitor.publish.rules import RULES as CASE_RULES_OF_THE_PROGRAM

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "alerts"
ROUTING = ALERTS / "alertmanager.example.yml"
METRICS_PAGE = ROOT / "docs" / "reference" / "metrics.md"

Rule = dict[str, Any]


def load(path: Path) -> Any:
    # Every scalar stays text: the sample notation 0x40 (forty zeros more) is no hexadecimal number.
    return yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)


RULES: dict[str, Rule] = {
    rule["alert"]: rule
    for path in sorted((ALERTS / "rules").glob("*.yml"))
    for group in load(path)["groups"]
    for rule in group["rules"]
}
TEST_GROUPS: list[dict[str, Any]] = [
    group for path in sorted((ALERTS / "tests").glob("*.yml")) for group in load(path)["tests"]
]
EACH_ALERT = pytest.mark.parametrize("name", sorted(RULES))

#: every rule that opens cases, as the program itself knows them
CASE_RULES = set(CASE_RULES_OF_THE_PROGRAM)


# Both supported major versions: a rule that only one of them accepts is no rule.
EACH_PROMTOOL = pytest.mark.parametrize("program", ["promtool", "promtool-next"])
EACH_AMTOOL = pytest.mark.parametrize("program", ["amtool", "amtool-next"])
Require = Callable[[str], Path]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=90)


def said(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


# Real promtool


@EACH_PROMTOOL
def test_promtool_accepts_the_rules_and_their_tests_pass(program: str, require_component: Require) -> None:
    tool = require_component(program)
    checked = run(tool, "check", "rules", *sorted((ALERTS / "rules").glob("*.yml")))
    assert checked.returncode == 0, said(checked)
    tested = run(tool, "test", "rules", *sorted((ALERTS / "tests").glob("*.yml")))
    assert tested.returncode == 0, said(tested)


def groups_of(name: str) -> list[dict[str, Any]]:
    """The promtool test groups that judge this alert, reduced to it."""
    reduced = []
    for group in TEST_GROUPS:
        own = [test for test in group["alert_rule_test"] if test["alertname"] == name]
        if own:
            reduced.append({**group, "alert_rule_test": own})
    return reduced


def passes(tool: Path, folder: Path, name: str, rule: Rule | None) -> bool:
    """Whether the alert's own tests pass with this rule in its place (None: removed)."""
    rules = {"groups": [{"name": "under-test", "rules": [rule] if rule else []}]}
    tests = {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": groups_of(name)}
    (folder / "rules.yml").write_text(yaml.safe_dump(rules), "utf-8")
    (folder / "tests.yml").write_text(yaml.safe_dump(tests), "utf-8")
    return run(tool, "test", "rules", folder / "tests.yml").returncode == 0


def branches(expr: str) -> Iterator[tuple[str, str]]:
    """The expression without one of its alternatives, where an `or` starts a line at the margin."""
    parts = re.split(r"\n(or(?: on \([^)]*\))?)\s", expr)
    for index in range(0, len(parts), 2) if len(parts) > 1 else ():
        kept = parts[2:] if index == 0 else parts[: index - 1] + parts[index + 1 :]
        yield f"without alternative {index // 2 + 1}", " ".join(kept)


def comparisons(expr: str) -> Iterator[tuple[str, str]]:
    """The expression with one comparison made always true, or never."""
    always = {">": "> -1000000000000", "<": "< 1000000000000", "<=": "<= 1000000000000"}
    never = {">": "> 1000000000000", "<": "< -1000000000000", "<=": "<= -1000000000000"}
    for match in re.finditer(r"(<=|<|>) (\d+)", expr):
        for kind, table in (("true", always), ("false", never)):
            changed = expr[: match.start()] + table[match[1]] + expr[match.end() :]
            yield f"{match[0]} at {match.start()} always {kind}", changed


def mutants(rule: Rule) -> Iterator[tuple[str, Rule | None]]:
    yield "removed", None
    yield "neutered", {**rule, "expr": "vector(0) > 1"}
    for label, expr in (*branches(rule["expr"]), *comparisons(rule["expr"])):
        yield label, {**rule, "expr": expr}
    if rule.get("for", "0m") != "0m":
        yield "without for", {key: value for key, value in rule.items() if key != "for"}
    if "keep_firing_for" in rule:
        yield "without keep_firing_for", {key: value for key, value in rule.items() if key != "keep_firing_for"}


@EACH_ALERT
def test_an_alert_that_is_removed_neutered_or_changed_fails_its_tests(
    name: str, require_component: Require, tmp_path: Path
) -> None:
    tool = require_component("promtool")
    assert passes(tool, tmp_path, name, RULES[name]), "the tests must pass before anything is changed"
    survivors = [label for label, rule in mutants(RULES[name]) if passes(tool, tmp_path, name, rule)]
    assert survivors == []


def in_a_shadow(group: dict[str, Any]) -> dict[str, Any]:
    """The group with a shadow at every porwatch whose cases it has; other alerts than those on cases stay."""
    instances = {found for entry in group["input_series"] for found in re.findall(r'instance="[^"]+"', entry["series"])}
    silent = [{"series": f"porwatch_shadow{{{instance}}}", "values": "1x400"} for instance in sorted(instances)]
    tests = [{**test, "exp_alerts": []} for test in group["alert_rule_test"]]
    return {**group, "input_series": [*group["input_series"], *silent], "alert_rule_test": tests}


@pytest.mark.parametrize("name", sorted(name for name, rule in RULES.items() if "rule" in rule["labels"]))
def test_in_a_shadow_no_case_pages_on_this_path_and_another_porwatch_still_does(
    name: str, require_component: Require, tmp_path: Path
) -> None:
    tool = require_component("promtool")
    rules = {"groups": [{"name": "under-test", "rules": [RULES[name]]}]}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules), "utf-8")
    quiet = [in_a_shadow(group) for group in groups_of(name)]
    elsewhere = [
        {
            **group,
            "input_series": [
                *group["input_series"],
                {"series": 'porwatch_shadow{instance="else:1"}', "values": "1x400"},
            ],
        }
        for group in groups_of(name)
    ]
    tests = {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": [*quiet, *elsewhere]}
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests), "utf-8")
    done = run(tool, "test", "rules", tmp_path / "tests.yml")
    assert done.returncode == 0, said(done)


# Lint of rules and tests


@EACH_ALERT
def test_every_alert_has_a_test_that_fires_and_one_that_stays_quiet(name: str) -> None:
    expected = [test["exp_alerts"] for group in groups_of(name) for test in group["alert_rule_test"]]
    assert any(expected)
    assert not all(expected)


@EACH_ALERT
def test_every_alert_is_tested_on_series_of_several_replicas_or_pods(name: str) -> None:
    firing = [group for group in groups_of(name) if any(test["exp_alerts"] for test in group["alert_rule_test"])]
    series = [entry["series"] for group in firing for entry in group["input_series"]]
    assert all("instance=" in one for one in series)
    assert any("pod=" in one for one in series)


@EACH_ALERT
def test_every_alert_carries_its_labels_and_annotations(name: str) -> None:
    rule = RULES[name]
    labels, annotations = rule["labels"], rule["annotations"]
    assert labels["severity"] in {"critical", "warning", "info", "none", "{{ $labels.severity }}"}
    if labels["severity"].startswith("{{"):
        assert "severity" in grouping_labels(rule["expr"])
    assert labels["category"] in {"outflow", "control", "quality", "compliance"}
    assert annotations["summary"].endswith(".")
    assert "{{" not in annotations["summary"], "the summary is a constant sentence"
    assert len(annotations["description"]) > len(annotations["summary"])
    assert annotations["runbook_url"] == f"/runbooks/{name}"


def test_every_case_rule_has_an_alert_named_after_it() -> None:
    named = {rule["labels"]["rule"]: name for name, rule in RULES.items() if "rule" in rule["labels"]}
    assert named == {rule: "Porwatch" + rule.title().replace("_", "") for rule in CASE_RULES}


@EACH_ALERT
def test_alerts_on_outflows_do_not_wait(name: str) -> None:
    rule = RULES[name]
    if rule["labels"]["category"] == "outflow":
        assert rule["for"] == "0m"
        assert rule["labels"]["severity"] == "critical"
        assert "keep_firing_for" in rule


@EACH_ALERT
def test_no_alert_takes_the_increase_of_a_counter_of_cases(name: str) -> None:
    functions = re.findall(r"\b(?:increase|i?rate|delta|idelta|resets|changes)\((\w+)", RULES[name]["expr"])
    assert set(functions) <= {"porwatch_books_malformed_total"}


def grouping_labels(expr: str) -> set[str]:
    groups = re.findall(r"\bby \(([^)]*)\)", expr)
    return {label.strip() for group in groups for label in group.split(",")}


def closing(text: str, opening: int) -> int:
    depth = 0
    for position in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return position
    raise AssertionError(f"unbalanced parentheses: {text}")


def outside_aggregations(expr: str) -> str:
    """What remains of the expression when every aggregation, with all that it contains, is taken out."""
    start = re.compile(r"\b(?:max|min|sum|group|count|absent)(?: by \([^)]*\))? ?\(")
    while match := start.search(expr):
        expr = expr[: match.start()] + "vector(0)" + expr[closing(expr, match.end() - 1) + 1 :]
    return expr


@EACH_ALERT
def test_every_alert_aggregates_away_what_the_scrape_adds(name: str) -> None:
    expr = RULES[name]["expr"]
    assert "porwatch_" not in outside_aggregations(expr)
    added = {"pod", "instance", "job", "namespace", "service", "container", "endpoint"}
    assert not grouping_labels(expr) & added
    assert not re.search(r"\b(?:without|group_left|group_right)\b", expr)


def table_rows(page: str, width: int) -> Iterator[list[str]]:
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| `") and len(cells) == width:
            yield cells


def documented_metrics() -> dict[str, set[str]]:
    rows = table_rows(METRICS_PAGE.read_text("utf-8"), 5)
    return {row[0].split("`")[1]: {label.strip() for label in row[2].split(",")} for row in rows}


@EACH_ALERT
def test_every_metric_and_label_in_a_rule_is_documented(name: str) -> None:
    documented = documented_metrics()
    for metric, selector in re.findall(r"\b(porwatch_\w+)(\{[^}]*\})?", RULES[name]["expr"]):
        assert metric in documented
        assert set(re.findall(r"(\w+)(?:=~|!~|!=|=)", selector)) <= documented[metric]


def test_the_metrics_page_lists_every_alert_with_its_severity_and_category() -> None:
    rows = table_rows(METRICS_PAGE.read_text("utf-8"), 4)
    listed = {row[0].strip("`"): (row[1], row[2]) for row in rows}
    severity = {"{{ $labels.severity }}": "of the case"}
    assert listed == {
        name: (severity.get(rule["labels"]["severity"], rule["labels"]["severity"]), rule["labels"]["category"])
        for name, rule in RULES.items()
    }


# Runbooks


def test_there_is_exactly_one_runbook_for_each_alert() -> None:
    assert {path.stem for path in (ALERTS / "runbooks").iterdir()} == {*RULES, GROWTH_ALERT}


@pytest.mark.parametrize("name", sorted({*RULES, GROWTH_ALERT}))
def test_every_runbook_has_its_four_sections_in_both_languages(name: str) -> None:
    text = (ALERTS / "runbooks" / f"{name}.md").read_text("utf-8")
    assert text.startswith(f"# {name}\n")
    sections = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n?)+)", text, re.MULTILINE))
    english, japanese = ["Meaning", "Impact", "Diagnosis", "Mitigation"], ["意味", "影響", "診断", "対処"]
    assert list(sections) == english + japanese
    assert all(len(body.strip()) > 20 for body in sections.values())
    assert all(re.search(r"[ぁ-ん]", sections[title]) for title in japanese)
    assert not any(re.search(r"[ぁ-ん]", sections[title]) for title in english)
    assert "`" in sections["Diagnosis"] + sections["Mitigation"]
    commands = [
        set(re.findall(r"`(/[^`]*|porwatch [^`]*)`", "".join(sections[t] for t in half)))
        for half in (english, japanese)
    ]
    assert commands[0] == commands[1], "both languages name the same commands"


# Routing


def routes() -> list[dict[str, Any]]:
    return list(load(ROUTING)["route"]["routes"])


def matches(matchers: list[str], labels: dict[str, str]) -> bool:
    for matcher in matchers:
        label, operator, value = re.fullmatch(r'(\w+)(=~|=)"([^"]*)"', matcher).groups()  # type: ignore[union-attr]
        if not re.fullmatch(value if operator == "=~" else re.escape(value), labels.get(label, "")):
            return False
    return True


@EACH_AMTOOL
def test_amtool_accepts_the_example_routing(program: str, require_component: Require) -> None:
    checked = run(require_component(program), "check-config", ROUTING)
    assert checked.returncode == 0, said(checked)


@EACH_ALERT
def test_every_alert_goes_where_its_category_belongs(name: str, require_component: Require) -> None:
    labels = RULES[name]["labels"]
    for severity in ("critical", "warning"):
        level = severity if labels["severity"].startswith("{{") else labels["severity"]
        expected = {"outflow": "pager,chat", "compliance": "compliance"}.get(
            labels["category"], "pager" if level == "critical" else "ops"
        )
        if name == "PorwatchWatchdog":
            expected = "deadman"
        given = [f"alertname={name}", f"severity={level}", f"category={labels['category']}"]
        routed = run(require_component("amtool"), "config", "routes", "test", f"--config.file={ROUTING}", *given)
        assert routed.stdout.strip() == expected, said(routed)


def test_the_pager_groups_outflows_only_by_labels_that_both_paths_carry() -> None:
    pager = next(r for r in routes() if r["receiver"] == "pager" and r["matchers"] == ['category="outflow"'])
    assert pager["group_by"] == ["category", "chain", "wallet"]
    for rule in RULES.values():
        if rule["labels"]["category"] != "outflow":
            continue
        child = next((route for route in pager["routes"] if matches(route["matchers"], rule["labels"])), pager)
        # What porwatch sends itself carries category, chain, wallet, tier and asset of every case.
        assert set(child["group_by"]) <= grouping_labels(rule["expr"]) | set(rule["labels"])


def test_nothing_inhibits_an_outflow_and_no_outflow_inhibits() -> None:
    outflows = [name for name, rule in RULES.items() if rule["labels"]["category"] == "outflow"]
    assert outflows
    for rule in load(ROUTING)["inhibit_rules"]:
        assert 'category="quality"' in rule["target_matchers"]
        for name in outflows:
            for severity in ("critical", "warning", "info"):
                labels = {"alertname": name, "category": "outflow", "severity": severity}
                assert not matches(rule["target_matchers"], labels)
                assert not matches(rule["source_matchers"], labels)


@EACH_AMTOOL
@pytest.mark.parametrize("category", ["outflow", "control"])
def test_only_the_first_case_of_an_incident_and_its_growth_page(
    program: str, category: str, require_component: Require
) -> None:
    expected = {"first": "pager,chat" if category == "outflow" else "pager", "further": "chat", "growth": "pager,chat"}
    expected["spread"] = expected["first"]
    for part, receivers in expected.items():
        given = [f"category={category}", "severity=critical", f"incident_part={part}", "incident=1", "case_id=2"]
        tool = require_component(program)
        routed = run(tool, "config", "routes", "test", f"--config.file={ROUTING}", *given)
        assert routed.stdout.strip() == receivers, said(routed)


def test_a_case_joins_incidents_exactly_where_its_category_is_outflow_or_control() -> None:
    categories = {name: rule.category for name, rule in CASE_RULES_OF_THE_PROGRAM.items()}
    assert {name for name, category in categories.items() if category in ("quality", "compliance")} == ALONE
    assert {name for name, category in categories.items() if category == "control"} == CONTROL


def test_nothing_inhibits_the_watchdog() -> None:
    labels = {"alertname": "PorwatchWatchdog", **RULES["PorwatchWatchdog"]["labels"]}
    assert not any(matches(rule["target_matchers"], labels) for rule in load(ROUTING)["inhibit_rules"])
