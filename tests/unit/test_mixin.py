"""The monitoring mixin: what jsonnet makes of it is what the YAML says, and settings change only what they may."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.test_alerts import ALERTS, RULES
from tests.unit.test_dashboards import BY_UID
from tools.mixin import MIXIN, content

SETTINGS = (
    "{ _config+:: { porwatchUrl: 'https://porwatch.example', grafanaUrl: 'https://grafana.example',"
    " alertLabels: { team: 'custody' } } }"
)


def compiled(field: str, settings: str = "{}") -> Any:
    """A field of the mixin, as a user of it would evaluate it."""
    jsonnet = pytest.importorskip("_jsonnet")
    snippet = f"((import 'mixin.libsonnet') + {settings}){field}"
    return json.loads(jsonnet.evaluate_snippet("user.jsonnet", snippet, jpathdir=[str(MIXIN.parent)]))


def test_the_rules_of_the_mixin_are_those_of_the_yaml() -> None:
    assert MIXIN.read_text("utf-8") == content()
    source = [
        group
        for path in sorted((ALERTS / "rules").glob("*.yml"))
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
    ]
    assert compiled(".prometheusAlerts") == {"groups": source}
    assert compiled(".prometheusRules") == {"groups": []}


def test_the_dashboards_of_the_mixin_are_the_committed_ones() -> None:
    assert compiled(".grafanaDashboards") == {f"{uid}.json": dashboard for uid, dashboard in BY_UID.items()}


def test_all_fields_are_hidden_as_the_convention_asks() -> None:
    assert compiled("") == {}


def test_settings_reach_every_alert_and_promtool_accepts_them(
    require_component: Callable[[str], Path], tmp_path: Path
) -> None:
    groups = compiled(".prometheusAlerts", SETTINGS)
    rules = {rule["alert"]: rule for group in groups["groups"] for rule in group["rules"]}
    assert rules.keys() == RULES.keys()
    for name, rule in rules.items():
        assert rule["labels"] == {**RULES[name]["labels"], "team": "custody"}
        assert rule["annotations"]["runbook_url"] == f"https://porwatch.example/runbooks/{name}"
        assert rule["annotations"]["dashboard_url"].startswith("https://grafana.example/d/porwatch-")
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(groups), "utf-8")
    for program in ("promtool", "promtool-next"):
        command = [str(require_component(program)), "check", "rules", str(tmp_path / "rules.yml")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("label", ["severity", "category", "rule"])
def test_a_setting_that_would_redirect_alerts_is_refused(label: str) -> None:
    with pytest.raises(RuntimeError, match="must not replace severity, category or rule"):
        compiled(".prometheusAlerts", f"{{ _config+:: {{ alertLabels: {{ {label}: 'info' }} }} }}")


def test_every_alert_names_the_dashboard_of_those_who_must_act() -> None:
    boards = {"outflow": "security", "control": "security", "compliance": "regulator", "quality": "operations"}
    for name, rule in RULES.items():
        assert rule["annotations"]["dashboard_url"] == f"/d/porwatch-{boards[rule['labels']['category']]}", name
    assert {rule["annotations"]["dashboard_url"].removeprefix("/d/") for rule in RULES.values()} <= BY_UID.keys()
