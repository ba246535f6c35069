"""The chart renders what Kubernetes and the Prometheus operator take, hardened, and with porwatch's own rules and routes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import helm_python
import pytest
import yaml

from monitor.config import load
from tests.conftest import CHECKOUT
from tests.unit.deploy.chart import CASES, Manifest, lint, one, problems, render, values

SECRETS = "/etc/porwatch/secrets"


@pytest.fixture(scope="module")
def rendered() -> dict[str, list[Manifest]]:
    return {case: render(values(case)) for case in CASES}


@pytest.mark.parametrize("case", CASES)
def test_helm_finds_nothing_to_say(case: str) -> None:
    assert lint(values(case)) == []


@pytest.mark.parametrize("case", CASES)
def test_every_manifest_is_valid_and_in_the_namespace_of_the_release(
    case: str, rendered: dict[str, list[Manifest]]
) -> None:
    assert rendered[case]
    for manifest in rendered[case]:
        assert problems(manifest) == [], manifest["kind"]
        assert manifest["metadata"]["namespace"] == "security"
        assert manifest["metadata"]["labels"]["app.kubernetes.io/instance"] == "porwatch"


def test_only_what_is_asked_for_is_made(rendered: dict[str, list[Manifest]]) -> None:
    kinds = {case: sorted(each["kind"] for each in rendered[case] if each["kind"] != "ConfigMap") for case in CASES}
    assert kinds["sqlite"] == ["Deployment", "NetworkPolicy", "PersistentVolumeClaim", "Service", "ServiceAccount"]
    assert kinds["existing"] == ["Deployment", "Service", "ServiceMonitor"]
    assert {"AlertmanagerConfig", "PrometheusRule", "ServiceMonitor"} <= set(kinds["operator"])


@pytest.mark.parametrize("kind", ["Deployment", "ServiceMonitor", "PrometheusRule", "AlertmanagerConfig"])
def test_a_field_that_does_not_exist_is_found(kind: str, rendered: dict[str, list[Manifest]]) -> None:
    manifest = deepcopy(one(rendered["operator"], kind))
    manifest["spec"]["replicaz"] = 1
    assert any("replicaz" in problem for problem in problems(manifest))


def test_a_field_deep_in_a_route_is_found_too(rendered: dict[str, list[Manifest]]) -> None:
    manifest = deepcopy(one(rendered["operator"], "AlertmanagerConfig"))
    manifest["spec"]["route"]["routes"][0]["group_by"] = ["chain"]
    assert any("group_by" in problem for problem in problems(manifest))


@pytest.mark.parametrize("case", CASES)
def test_the_pod_may_do_nothing_that_it_does_not_need(case: str, rendered: dict[str, list[Manifest]]) -> None:
    spec = one(rendered[case], "Deployment")["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}, "two porwatch never write to one ledger"
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("case", CASES)
def test_starting_may_take_half_an_hour_and_unreachable_nodes_end_no_pod(
    case: str, rendered: dict[str, list[Manifest]]
) -> None:
    (container,) = one(rendered[case], "Deployment")["spec"]["template"]["spec"]["containers"]
    start, live, ready = (container[f"{name}Probe"] for name in ("startup", "liveness", "readiness"))
    assert start["periodSeconds"] * start["failureThreshold"] >= 1800
    assert (live["httpGet"]["path"], ready["httpGet"]["path"]) == ("/-/healthy", "/-/ready")
    assert {probe["httpGet"]["scheme"] for probe in (start, live, ready)} == {"HTTPS" if case == "existing" else "HTTP"}


def test_secrets_are_mounted_and_never_made(rendered: dict[str, list[Manifest]]) -> None:
    pod = one(rendered["sqlite"], "Deployment")["spec"]["template"]["spec"]
    (mount,) = (each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "secret-bitcoin")
    (volume,) = (each for each in pod["volumes"] if each["name"] == "secret-bitcoin")
    assert mount == {"name": "secret-bitcoin", "mountPath": f"{SECRETS}/bitcoin", "readOnly": True}
    assert volume["secret"] == {"secretName": "porwatch-bitcoin", "defaultMode": 0o440}
    assert all(each["kind"] != "Secret" for case in CASES for each in rendered[case])


@pytest.mark.parametrize("case", ["sqlite", "operator"])
def test_the_configuration_that_is_mounted_is_one_that_porwatch_takes(
    case: str, rendered: dict[str, list[Manifest]], tmp_path: Any
) -> None:
    maps = [each for each in rendered[case] if each["kind"] == "ConfigMap" and "porwatch.yaml" in each["data"]]
    text = maps[0]["data"]["porwatch.yaml"]
    for name in ("bitcoin", "store"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "password").write_text("secret")
    text = text.replace(SECRETS, str(tmp_path)).replace("/var/lib/porwatch", str(tmp_path))
    (tmp_path / "porwatch.yaml").write_text(text)
    assert load(tmp_path / "porwatch.yaml").entity.name == "Example Exchange KK"


def test_the_rules_are_those_of_the_alerts_folder(rendered: dict[str, list[Manifest]]) -> None:
    source = yaml.safe_load((CHECKOUT / "alerts/rules/porwatch.yml").read_text(encoding="utf-8"))
    bare = values("operator") | {"alertmanagerConfig": {"enabled": False}, "externalUrl": ""}
    bare["prometheusRule"] = {"enabled": True}
    assert one(render(bare), "PrometheusRule")["spec"] == source


def test_labels_are_added_to_every_alert_and_replace_none(rendered: dict[str, list[Manifest]]) -> None:
    source = yaml.safe_load((CHECKOUT / "alerts/rules/porwatch.yml").read_text(encoding="utf-8"))
    made = one(rendered["operator"], "PrometheusRule")["spec"]
    for group in source["groups"]:
        for rule in (each for each in group["rules"] if "alert" in each):
            rule["labels"] = {"namespace": "security", "entity": "example"} | rule["labels"]
            rule["annotations"]["runbook_url"] = "https://porwatch.example" + rule["annotations"]["runbook_url"]
    assert made == source


def test_what_porwatch_sends_itself_carries_the_namespace_that_the_operator_selects_by(
    rendered: dict[str, list[Manifest]],
) -> None:
    maps = [each for each in rendered["operator"] if each["kind"] == "ConfigMap" and "porwatch.yaml" in each["data"]]
    config = yaml.safe_load(maps[0]["data"]["porwatch.yaml"])
    assert config["alertmanagers"][0]["labels"] == {"namespace": "security"}


def _plain(route: Manifest) -> Manifest:
    """A route of the CRD in Alertmanager's own words."""
    names = {
        "groupBy": "group_by",
        "groupWait": "group_wait",
        "groupInterval": "group_interval",
        "repeatInterval": "repeat_interval",
    }
    out = {names.get(key, key): value for key, value in route.items()}
    if "matchers" in out:
        out["matchers"] = _matchers(out["matchers"])
    if "routes" in out:
        out["routes"] = [_plain(each) for each in out["routes"]]
    return out


def _matchers(found: list[Manifest]) -> list[str]:
    return [f'{each["name"]}{each["matchType"]}"{each["value"]}"' for each in found]


def test_the_routes_are_those_of_the_example(rendered: dict[str, list[Manifest]]) -> None:
    source = yaml.safe_load((CHECKOUT / "alerts/alertmanager.example.yml").read_text(encoding="utf-8"))
    spec = one(rendered["operator"], "AlertmanagerConfig")["spec"]
    assert _plain(spec["route"]) == source["route"]
    rules = [
        {"source_matchers": _matchers(each["sourceMatch"]), "target_matchers": _matchers(each["targetMatch"])}
        | ({"equal": each["equal"]} if "equal" in each else {})
        for each in spec["inhibitRules"]
    ]
    assert rules == source["inhibit_rules"]


def test_a_receiver_that_the_routes_need_and_nobody_gave_is_named() -> None:
    given = values("operator")
    given["alertmanagerConfig"]["receivers"] = given["alertmanagerConfig"]["receivers"][1:]
    with pytest.raises(helm_python.HelmError, match="there is none named pager"):
        render(given)


def test_every_dashboard_is_a_configmap_for_the_sidecar(rendered: dict[str, list[Manifest]]) -> None:
    files = {path.name: path for path in (CHECKOUT / "deploy/grafana/dashboards").glob("*.json")}
    maps = [each for each in rendered["operator"] if "grafana_dashboard" in each["metadata"]["labels"]]
    assert {name for each in maps for name in each["data"]} == set(files)
    for each in maps:
        ((name, text),) = each["data"].items()
        assert text == files[name].read_text(encoding="utf-8")
        assert each["metadata"]["annotations"] == {"grafana_folder": "porwatch"}


def test_without_a_rule_for_it_nothing_is_reached_but_dns(rendered: dict[str, list[Manifest]]) -> None:
    policy = one(render(values("sqlite") | {"networkPolicy": {"enabled": True}}), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [[port["port"] for port in rule["ports"]] for rule in policy["egress"]] == [[53, 53]]
    assert policy["ingress"][0]["from"] == [{"podSelector": {}}]
    closed = values("sqlite") | {"networkPolicy": {"enabled": True, "dns": False, "egress": []}}
    assert one(render(closed), "NetworkPolicy")["spec"]["egress"] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"config": {}}, "anyOf"),
        ({"replicas": 2}, "replicas"),
        ({"image": {"repository": "porwatch", "digest": "latest"}}, "digest"),
        ({"persistence": {"accessModes": ["ReadWriteMany"]}}, "accessModes"),
        ({"prometheusRule": {"enabled": True, "ruleLabels": {"severity": "info"}}}, "severity"),
        ({"serviceMonitor": {"enabled": True, "interval": "15"}}, "interval"),
        ({"externalUrl": "porwatch.example"}, "externalUrl"),
    ],
)
def test_values_that_cannot_be_meant_are_refused_by_name(change: Manifest, said: str) -> None:
    with pytest.raises(helm_python.HelmError, match=said):
        render(values("sqlite") | change)
