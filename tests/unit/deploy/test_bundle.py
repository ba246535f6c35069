"""The offline bundle and the bill of materials: what is in them is what was locked, and the same every time."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import helm_python
import pytest

from tools import bundle, sbom

PROGRAM = "def main():\n    print('porwatch stand-in')\n"


def wheel(folder: Path, name: str, version: str, module: str, *, script: bool = False) -> Path:
    """A wheel made by hand, so that nothing is fetched or built."""
    base, info = f"{name.replace('-', '_')}-{version}", f"{name.replace('-', '_')}-{version}.dist-info"
    files = {
        f"{module}.py": PROGRAM,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if script:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{name} = {module}:main\n"
    path = folder / f"{base}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        rows = []
        for file, text in files.items():
            archive.writestr(file, text)
            digest = base64.urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()
            rows.append(f"{file},sha256={digest},{len(text)}\n")
        archive.writestr(f"{info}/RECORD", "".join(rows) + f"{info}/RECORD,,\n")
    return path


@pytest.fixture(scope="module")
def assembled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of two small wheels, with everything else as it is."""
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "wheels").mkdir()
    wheel(folder / "wheels", "porwatch", "0.1.0", "standin", script=True)
    wheel(folder / "wheels", "A.library", "2", "library")
    (folder / "made").mkdir()
    bundle.assemble(folder / "made", folder / "wheels")
    return folder / "made"


def test_requirements_name_every_wheel_with_its_hash(assembled: Path) -> None:
    lines = (assembled / "requirements.txt").read_text().splitlines()
    assert [line.split(" ")[0] for line in lines] == ["a-library==2", "porwatch==0.1.0"]
    for line, name in zip(lines, ("A.library-2", "porwatch-0.1.0"), strict=True):
        digest = sha256((assembled / "wheels" / f"{name}-py3-none-any.whl").read_bytes()).hexdigest()
        assert line.endswith(f"--hash=sha256:{digest}")


def test_two_wheels_of_one_name_and_what_is_no_wheel_are_refused(tmp_path: Path) -> None:
    wheel(tmp_path, "one", "1", "one")
    wheel(tmp_path, "one", "2", "one")
    with pytest.raises(ValueError, match="two wheels of one"):
        bundle.requirements(tmp_path)
    (tmp_path / "one-2-py3-none-any.whl").rename(tmp_path / "one-2.tar.gz")
    with pytest.raises(ValueError, match="is no wheel"):
        bundle.requirements(tmp_path)


def test_every_file_has_its_sum(assembled: Path) -> None:
    lines = (line.split("  ") for line in (assembled / "SHA256SUMS").read_text().splitlines())
    listed = {name: digest for digest, name in lines}
    files = {path.relative_to(assembled).as_posix() for path in assembled.rglob("*") if path.is_file()}
    assert set(listed) == files - {"SHA256SUMS"}
    assert all(sha256((assembled / name).read_bytes()).hexdigest() == digest for name, digest in listed.items())
    assert {"Dockerfile", "install.sh", "sbom.json", "deploy/compose.yaml", "deploy/systemd/porwatch.service"} <= files
    assert not any("secrets" in name for name in files)


def _install(folder: Path, target: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHON": sys.executable, "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_NO_CACHE_DIR": "1"}
    command = ["sh", str(folder / "install.sh"), str(target)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_it_installs_where_no_index_answers(assembled: Path, tmp_path: Path) -> None:
    done = _install(assembled, tmp_path / "venv")
    assert done.returncode == 0, done.stderr
    said = subprocess.run([tmp_path / "venv/bin/porwatch"], capture_output=True, text=True, timeout=60, check=False)
    assert said.stdout == "porwatch stand-in\n"


def test_a_changed_file_and_another_python_stop_the_installation(assembled: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-R", assembled, copy], check=True)
    (copy / "PYTHON").write_text("2.7 linux-vax\n")
    done = _install(copy, tmp_path / "venv")
    assert done.returncode != 0
    assert "PYTHON: FAILED" in done.stdout + done.stderr
    name = "PYTHON"
    sums = (copy / "SHA256SUMS").read_text().splitlines()
    fixed = [f"{bundle.digest(copy / name)}  {name}" if line.endswith(f"  {name}") else line for line in sums]
    (copy / "SHA256SUMS").write_text("\n".join(fixed) + "\n")
    done = _install(copy, tmp_path / "venv")
    assert done.returncode == 2
    assert "this bundle is for Python 2.7 linux-vax" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_an_archive_is_the_same_bytes_whenever_it_is_made(assembled: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        bundle.pack(assembled, "porwatch-0.1.0", tmp_path / name)
        os.utime(assembled / "PYTHON")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    with tarfile.open(tmp_path / "one") as archive:
        assert {(member.uid, member.uname, member.isreg()) for member in archive} == {(0, "", True)}


def test_the_packed_chart_is_one_that_helm_reads_with_the_rules_in_it(assembled: Path) -> None:
    with helm_python.Chart.load(str(assembled / "porwatch-0.1.0.tgz")) as chart:
        assert (chart.name, chart.version) == ("porwatch", bundle.version())
        files = {each["name"] for each in chart.files}
    assert {"files/rules.yml", "files/alertmanager.yml"} <= files
    assert not any(name.startswith("ci/") for name in files)


def test_the_bill_of_materials_is_the_lock_with_hashes(assembled: Path) -> None:
    body: dict[str, Any] = json.loads((assembled / "sbom.json").read_text())
    assert body["bomFormat"] == "CycloneDX"
    assert {each["name"]: each["version"] for each in body["components"]} == sbom.locked()
    assert len(sbom.locked()) > 50
    for component in body["components"]:
        assert component["externalReferences"][0]["hashes"], component["name"]
    assert "serialNumber" not in body
    assert "timestamp" not in body["metadata"]


def test_it_is_the_same_bytes_every_time(assembled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    sbom.make(tmp_path / "sbom.json", validate=False)
    assert (tmp_path / "sbom.json").read_bytes() == (assembled / "sbom.json").read_bytes()
