"""The image and the compose file: hardened, pinned, and of nothing that was not checked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import load
from tests.conftest import CHECKOUT
from tools import compose

DEPLOY = CHECKOUT / "deploy"
DOCKERFILES = (DEPLOY / "Dockerfile", DEPLOY / "Dockerfile.offline")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def tool(name: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name(name)
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=60, check=False)


def instructions(file: Path) -> list[str]:
    text = "\n".join(line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


# -- the image --------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda path: path.name)
def test_hadolint_has_nothing_to_say(file: Path) -> None:
    done = tool("hadolint", "--failure-threshold", "style", file)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda path: path.name)
def test_no_shell_runs_while_it_is_built_and_none_starts_it(file: Path) -> None:
    for line in instructions(file):
        word, _, rest = line.strip().partition(" ")
        if word in {"RUN", "CMD", "ENTRYPOINT"}:
            assert rest.lstrip().startswith("["), line


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda path: path.name)
def test_it_runs_as_nobody_on_a_pinned_base_from_locked_libraries(file: Path) -> None:
    lines = instructions(file)
    assert re.fullmatch(r"ARG BASE=python:3\.\d+\.\d+-slim-\w+", lines[0]), "an exact tag; the digest is an argument"
    assert lines[lines.index("USER 65532:65532") :][0] == "USER 65532:65532"
    assert not any(line.startswith("USER") for line in lines[lines.index("USER 65532:65532") + 1 :])
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    installs = [line for line in lines if '"install"' in line and "pip" in line]
    assert installs
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)


def test_the_offline_image_is_the_same_one() -> None:
    last = [file.read_text(encoding="utf-8").rsplit("FROM ${BASE}\n", 1)[1] for file in DOCKERFILES]
    assert last[0] == last[1]


def test_everything_that_the_image_is_made_of_is_let_in_and_no_more() -> None:
    allowed = set(re.findall(r"^!(\S+)$", (CHECKOUT / ".dockerignore").read_text(), re.MULTILINE))
    copied = {
        word
        for line in instructions(DOCKERFILES[0])
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert copied == allowed
    assert all((CHECKOUT / name).exists() for name in copied)


# -- compose ----------------------------------------------------------------------------------------


def test_the_compose_file_is_valid_and_an_unknown_key_would_be_found(tmp_path: Path) -> None:
    wrong = COMPOSE | {"services": SERVICES | {"porwatch": SERVICES["porwatch"] | {"read_onlyy": True}}}
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(wrong))
    files = (DEPLOY / "compose.yaml", tmp_path / "wrong.yaml")
    done = tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "--output-format", "json", *files)
    found = json.loads(done.stdout)
    assert {each["filename"] for each in found["errors"]} == {str(files[1])}, done.stdout


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_service_may_do_what_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service["user"].startswith("0"), "no service is root"
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-[\w.]+)?", service["image"]), "an exact version"
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert "privileged" not in service
    assert all("docker.sock" not in volume for volume in service.get("volumes", []))


def test_secrets_are_files_and_each_is_one_that_is_declared() -> None:
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])
    for service in SERVICES.values():
        for key, value in service.get("environment", {}).items():
            assert "PASSWORD" not in key or (key.endswith("_FILE") and value.startswith("/run/secrets/"))


def test_the_database_is_reached_by_porwatch_alone() -> None:
    assert COMPOSE["networks"]["ledger"] == {"internal": True}
    assert {name for name, each in SERVICES.items() if "ledger" in each["networks"]} == {
        "porwatch",
        "postgres",
        "upgrade",
    }
    assert "ports" not in SERVICES["postgres"]


def test_everything_that_is_mounted_from_here_is_here() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source, target, *_ = volume.split(":")
            assert target.startswith("/")
            if source.startswith("."):
                assert (DEPLOY / source).exists(), volume
            else:
                assert source in COMPOSE["volumes"]


def configured(folder: Path) -> Path:
    """The configuration of compose, with secrets, as it lies in the container."""
    secrets = folder / "secrets"
    secrets.mkdir()
    for name in ("store_password", "bitcoin_rpc", "deadman_url"):
        (secrets / name).write_text("https://example.com/key")
    shutil.copytree(DEPLOY / "compose" / "books", folder / "books")
    text = (DEPLOY / "compose" / "porwatch.yaml").read_text(encoding="utf-8")
    text = text.replace("/run/secrets", str(secrets)).replace("/var/lib/porwatch", str(folder))
    (folder / "porwatch.yaml").write_text(text, encoding="utf-8")
    return folder / "porwatch.yaml"


def test_the_configuration_in_it_passes_check(tmp_path: Path) -> None:
    config = configured(tmp_path)
    words = [sys.executable, "-m", "monitor", "check", str(config)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=CHECKOUT, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert load(config).state_folder == tmp_path


def test_porwatch_is_where_prometheus_looks_and_alertmanager_where_both_send(tmp_path: Path) -> None:
    config = load(configured(tmp_path))
    prometheus = yaml.safe_load((DEPLOY / "compose" / "prometheus.yml").read_text())
    (job,) = (each for each in prometheus["scrape_configs"] if each["job_name"] == "porwatch")
    port = config.web.listen.rpartition(":")[2]
    assert job["static_configs"][0]["targets"] == [f"porwatch:{port}"]
    assert SERVICES["porwatch"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    (target,) = prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert config.alertmanagers[0].url == f"http://{target}"


@pytest.mark.component("promtool", "promtool-next", "amtool-next")
def test_prometheus_and_alertmanager_take_their_files(require_component: Any) -> None:
    for name, words in (
        ("promtool", ("check", "config", "--syntax-only", DEPLOY / "compose/prometheus.yml")),
        ("promtool-next", ("check", "config", "--syntax-only", DEPLOY / "compose/prometheus.yml")),
        # url_file of a webhook is younger than Debian's Alertmanager 0.25; the image has 0.28.
        ("amtool-next", ("check-config", DEPLOY / "compose/alertmanager.yml")),
    ):
        done = subprocess.run(
            [require_component(name), *words], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_routes_are_those_of_the_example_and_the_file_is_the_one_that_is_made_of_it() -> None:
    assert (DEPLOY / "compose" / "alertmanager.yml").read_text(encoding="utf-8") == compose.text()
    here = yaml.safe_load((DEPLOY / "compose" / "alertmanager.yml").read_text())
    example = yaml.safe_load((CHECKOUT / "alerts" / "alertmanager.example.yml").read_text())
    for key in ("global", "route", "inhibit_rules"):
        assert here[key] == example[key]
    assert [each["name"] for each in here["receivers"]] == [each["name"] for each in example["receivers"]]
