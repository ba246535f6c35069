"""The chart, rendered by Helm's own library, and what its manifests are held against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator

from tests.conftest import CHECKOUT

CHART = CHECKOUT / "deploy" / "helm" / "porwatch"
CASES = ("sqlite", "operator", "existing")
Manifest = dict[str, Any]
CRDS = {
    path.stem: Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))
    for path in (Path(__file__).parent / "crds").glob("*.json")
}


def values(case: str) -> Manifest:
    loaded: Manifest = yaml.safe_load((CHART / "ci" / f"{case}.yaml").read_text(encoding="utf-8"))
    return loaded


def lint(given: Manifest) -> list[str]:
    """What `helm lint --strict` finds, the advice about an icon apart."""
    found = helm_python.lint(str(CHART), given, strict=True)
    return [each["error"] for each in found["messages"] if "icon is recommended" not in each["error"]]


def render(given: Manifest, chart: Path = CHART) -> list[Manifest]:
    """Every manifest that `helm template` prints. Raises HelmError."""
    with helm_python.Chart.load(str(chart)) as loaded:
        files = loaded.render(values=given, name="porwatch", namespace="security")
    texts = [text for name, text in sorted(files.items()) if name.endswith(".yaml")]
    return [manifest for text in texts for manifest in yaml.safe_load_all(text) if manifest]


def problems(manifest: Manifest) -> list[str]:
    """What Kubernetes would refuse in a manifest: a wrong type, or a field that it does not know."""
    if "monitoring.coreos.com" in manifest["apiVersion"]:
        return [f"{error.json_path}: {error.message}" for error in CRDS[manifest["kind"]].iter_errors(manifest)]
    try:
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.ValidationError as error:
        return [str(error.message)]
    return []


def one(manifests: list[Manifest], kind: str) -> Manifest:
    (found,) = (each for each in manifests if each["kind"] == kind)
    return found
