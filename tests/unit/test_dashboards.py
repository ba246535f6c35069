"""The committed dashboards, held against the rules of Grafana's dashboard-linter and against what porwatch exports.

Each rule keeps the linter's name (github.com/grafana/dashboard-linter); what is excluded says why.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.test_alerts import documented_metrics
from tools.dashboards.__main__ import DASHBOARDS, FOLDER, files
from tools.dashboards.builder import Panel, scoped

ROOT = Path(__file__).parents[2]
PROVISIONING = ROOT / "deploy" / "grafana" / "provisioning"
Dashboard = dict[str, Any]
BY_UID: dict[str, Dashboard] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))
}
EACH = pytest.mark.parametrize("uid", sorted(BY_UID))

#: series that porwatch does not export itself
PROMETHEUS_OWN = {
    "ALERTS": "made by Prometheus of the alert rules",
    "up": "made by Prometheus of every scrape",
    "scrape_duration_seconds": "made by Prometheus of every scrape",
    "scrape_samples_scraped": "made by Prometheus of every scrape",
}
#: (rule of the linter, title of the panel) → why it does not hold there
EXCLUSIONS = {
    ("target-job-rule", "Alerts firing"): "the alert rules aggregate job away, so that replicas give one alert",
    ("target-instance-rule", "Alerts firing"): "the alert rules aggregate instance away",
    ("target-rate-interval-rule", "From the head to the case"): "counts the cases of the whole time shown: $__range",
    ("target-rate-interval-rule", "Reorganisations by depth"): "counts those of the whole time shown: $__range",
}
UNITS = {"none", "short", "locale", "percentunit", "s", "reqps"}


def each_panel(uid: str) -> Iterator[dict[str, Any]]:
    yield from BY_UID[uid]["panels"]


def each_target(uid: str) -> Iterator[tuple[str, str]]:
    for panel in each_panel(uid):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def breaking(rule: str, uid: str, holds: Callable[[str], bool]) -> list[tuple[str, str]]:
    """The targets that break a rule and are not excluded from it."""
    return [(t, e) for t, e in each_target(uid) if not holds(e) and (rule, t) not in EXCLUSIONS]


def selectors(expr: str) -> Iterator[tuple[str, str]]:
    """(metric, matchers) of each selector."""
    plain = re.sub(
        r"\b(?:by|on|without|ignoring) \([^)]*\)", "", re.sub(r'"[^"]*"', lambda m: m[0].replace("{", "("), expr)
    )
    for name, matchers in re.findall(r"\b([a-zA-Z_]\w*)(?:\{([^}]*)\})?(?![\w(])", plain):
        if name not in {"bool", "by", "on", "le"} and not name.startswith("__") and (matchers or "_" in name):
            yield name, matchers


# What is committed


def test_the_committed_files_are_what_the_generator_writes() -> None:
    assert {path: path.read_text("utf-8") for path in FOLDER.glob("*.json")} == files()


def test_there_are_four_dashboards_and_each_leads_to_the_others() -> None:
    assert sorted(BY_UID) == ["porwatch-operations", "porwatch-regulator", "porwatch-security", "porwatch-wall"]
    for uid, dashboard in BY_UID.items():
        assert dashboard["uid"] == uid
        assert {link["url"] for link in dashboard["links"]} == {f"/d/{other}" for other in BY_UID if other != uid}
        assert dashboard["tags"] == ["porwatch"]


@EACH
def test_panels_fill_the_grid_and_do_not_overlap(uid: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in each_panel(uid):
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in each_panel(uid)]
    assert len(set(ids)) == len(ids)


# The linter's rules


@EACH
def test_template_datasource_rule(uid: str) -> None:
    [source] = [v for v in BY_UID[uid]["templating"]["list"] if v["type"] == "datasource"]
    assert (source["name"], source["label"], source["query"]) == ("datasource", "Data Source", "prometheus")


@EACH
@pytest.mark.parametrize("name", ["job", "instance"])
def test_template_job_and_instance_rules(uid: str, name: str) -> None:
    [variable] = [v for v in BY_UID[uid]["templating"]["list"] if v["name"] == name]
    assert (variable["type"], variable["label"]) == ("query", name.capitalize())
    assert variable["datasource"]["uid"] == "${datasource}"
    assert variable["multi"]
    assert variable["allValue"] == ".+"


@EACH
def test_template_label_promql_and_on_time_change_reload_rules(uid: str) -> None:
    for variable in BY_UID[uid]["templating"]["list"]:
        if variable["type"] == "query":
            assert re.fullmatch(r"label_values\(porwatch_build_info\{[^}]*\}, \w+\)", variable["query"])
            assert variable["refresh"] == 2, "reloaded when the time changes"


@EACH
def test_panel_datasource_rule(uid: str) -> None:
    for panel in each_panel(uid):
        for place in (panel, *panel["targets"]):
            assert place["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@EACH
def test_panel_title_description_rule(uid: str) -> None:
    titles = [panel["title"] for panel in each_panel(uid)]
    assert all(titles)
    assert len(set(titles)) == len(titles)
    assert all(panel["description"].endswith(".") for panel in each_panel(uid))


@EACH
def test_panel_units_rule(uid: str) -> None:
    assert {panel["fieldConfig"]["defaults"]["unit"] for panel in each_panel(uid)} <= UNITS


@EACH
def test_panel_no_targets_rule(uid: str) -> None:
    assert all(panel["targets"] for panel in each_panel(uid))


@EACH
def test_target_job_and_instance_rules(uid: str) -> None:
    for rule, matcher in (("target-job-rule", 'job=~"$job"'), ("target-instance-rule", 'instance=~"$instance"')):
        assert breaking(rule, uid, lambda e, m=matcher: all(m in given for _, given in selectors(e))) == []  # type: ignore[misc]


@EACH
def test_target_rate_interval_rule(uid: str) -> None:
    ranges = re.compile(r"\[([^\]]+)\](?!\"|\+)")

    def holds(expr: str) -> bool:
        found = [r for r in ranges.findall(expr) if r != "+"]
        return all(given == "$__rate_interval" for given in found)

    assert breaking("target-rate-interval-rule", uid, holds) == []


@EACH
def test_target_counter_agg_rule(uid: str) -> None:
    counters = re.compile(r"(\w+)\((porwatch_\w+_(?:total|bucket|count|sum))\b")

    def holds(expr: str) -> bool:
        named = re.findall(r"porwatch_\w+_(?:total|bucket|count|sum)\b", expr)
        taken = [metric for function, metric in counters.findall(expr) if function in {"rate", "increase", "irate"}]
        return named == taken

    assert breaking("target-counter-agg-rule", uid, holds) == []


@EACH
def test_uneditable_dashboard_rule(uid: str) -> None:
    assert BY_UID[uid]["editable"] is False


def test_every_exclusion_is_needed_and_says_why() -> None:
    titles = {panel["title"] for uid in BY_UID for panel in each_panel(uid)}
    assert all(title in titles and len(why) > 20 for (_, title), why in EXCLUSIONS.items())


# PromQL and what it names


def replaced(expr: str) -> str:
    """As Grafana sends it with every job and instance chosen."""
    for variable, value in {"$job": ".+", "$instance": ".+", "$__rate_interval": "1m", "$__range": "1h"}.items():
        expr = expr.replace(variable, value)
    return expr


@pytest.mark.parametrize("program", ["promtool", "promtool-next"])
def test_target_promql_rule(program: str, require_component: Callable[[str], Path], tmp_path: Path) -> None:
    """Every expression and every annotation, as a recording rule that the real promtool parses."""
    expressions = [expr for uid in BY_UID for _, expr in each_target(uid)]
    expressions += [mark["expr"] for uid in BY_UID for mark in BY_UID[uid]["annotations"]["list"]]
    rules = [{"record": f"checked:{number}", "expr": replaced(expr)} for number, expr in enumerate(expressions)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    command = [str(require_component(program)), "check", "rules", str(tmp_path / "rules.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@EACH
def test_every_series_is_exported_and_has_the_labels_that_are_asked_for(uid: str) -> None:
    documented = documented_metrics()
    for title, expr in each_target(uid):
        found = list(selectors(expr))
        assert found, expr
        for name, matchers in found:
            if name in PROMETHEUS_OWN:
                continue
            family = re.sub(r"_(bucket|count|sum)$", "", name)
            metric = name if name in documented else family
            assert metric in documented, f"{title}: {name}"
            asked = set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", matchers)) - {"job", "instance", "le"}
            assert asked <= documented[metric], f"{title}: {expr}"


@EACH
def test_no_panel_makes_up_a_zero_or_calculates_with_reserves(uid: str) -> None:
    """An empty answer must look empty; whether reserves suffice is decided in exact numbers, by porwatch."""
    money = r"porwatch_(?:holdings|liabilities|coverage_ratio|wallet_balance|check_value|check_threshold)\b(?:\{[^}]*\})?\)?"
    for _, expr in each_target(uid):
        assert "vector(" not in expr
        assert not re.search(
            rf"{money} *(?:[-+*/<>]|[<>=!]=)|(?:[-+*/<>]|[<>=!]=)(?: bool)? *\w*(?: by \([^)]*\))? *\(?{money}", expr
        ), expr
        assert not re.search(
            rf"\b(?:sum|avg|delta|deriv)\b(?: by \([^)]*\))? \(?(?:max by \([^)]*\) \()?{money}", expr
        ), expr


@EACH
def test_red_stands_only_where_porwatch_or_an_alert_rule_has_decided(uid: str) -> None:
    for panel in each_panel(uid):
        money = re.search(
            r"holdings|liabilities|coverage|balance|check_value|check_threshold", panel["targets"][0]["expr"]
        )
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        if money:
            assert [step["color"] for step in steps] == ["text"], panel["title"]


def test_every_panel_says_what_a_theft_does_to_it_and_why() -> None:
    panels: list[Panel] = [panel for dashboard in DASHBOARDS for panel in dashboard.panels()]
    assert all(len(panel.why) > 10 for panel in panels)
    assert {panel.theft for panel in panels} == {"rises", "falls", "steady"}


def test_a_selector_gets_the_matchers_of_job_and_instance_once() -> None:
    assert scoped('max(porwatch_open_cases{rule="x"}) - up') == (
        'max(porwatch_open_cases{job=~"$job",instance=~"$instance",rule="x"}) - up{job=~"$job",instance=~"$instance"}'
    )


# Provisioning


def test_the_provider_reads_the_folder_and_the_source_is_a_prometheus() -> None:
    [provider] = yaml.safe_load((PROVISIONING / "dashboards" / "porwatch.yml").read_text("utf-8"))["providers"]
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
    [source] = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text("utf-8"))["datasources"]
    assert (source["type"], source["access"], source["jsonData"]["timeInterval"]) == ("prometheus", "proxy", "15s")
    assert not {"basicAuthPassword", "secureJsonData", "password"} & set(source)
