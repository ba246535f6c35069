"""Everything that a site without network needs, in one file: wheels, chart, image context, unit, sums.

Use: python -m tools.bundle             makes build/porwatch-VERSION.tar.gz (fetches wheels from the configured index)
     python -m tools.bundle --check     unpacks it elsewhere, installs it with no index, and runs what was installed
The lock's hashes are asked of everything that is fetched. What the index has as source only is built here; the
bundle's own requirements.txt holds the hash of every wheel in it, so that nothing else is ever installed from it.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
from hashlib import sha256
from pathlib import Path

from tools import sbom

CHECKOUT = Path(__file__).resolve().parent.parent
CHART = CHECKOUT / "deploy" / "helm" / "porwatch"
BUILD = CHECKOUT / "build"
SUMS = "SHA256SUMS"
_SECONDS = 900
_WHEEL = re.compile(r"^([A-Za-z0-9_.]+)-([^-]+)-[^-]+-[^-]+-[^-]+\.whl$")
#: of every file in an archive: bytes must not depend on when it was made
_EPOCH = 315_532_800


def version() -> str:
    """Of the project."""
    found: str = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return found


def run(command: list[str], folder: Path = CHECKOUT, **environment: str) -> str:
    """Standard output of a program; CalledProcessError where it fails, its messages printed."""
    env = {**os.environ, **environment}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode != 0:
        print(done.stdout + done.stderr, file=sys.stderr)
    done.check_returncode()
    return done.stdout


def fetch(folder: Path) -> None:
    """Wheels of every locked library for this Python and machine, and the project's own."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--quiet",
        "wheel",
        "--no-deps",
        "-w",
        str(folder),
    ]
    run([*pip, "--require-hashes", "-r", str(sbom.LOCK)])
    run([*pip, "--no-index", "--no-build-isolation", str(CHECKOUT)])


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    return sha256(path.read_bytes()).hexdigest()


def requirements(wheels: Path) -> str:
    """What pip is to install: each wheel by name, version and hash. Raises ValueError for two of one name."""
    lines: dict[str, str] = {}
    for path in sorted(wheels.iterdir()):
        match = _WHEEL.match(path.name)
        if match is None:
            raise ValueError(f"{path.name} is no wheel")
        name = re.sub(r"[-_.]+", "-", match[1]).lower()
        if name in lines:
            raise ValueError(f"there are two wheels of {name}")
        lines[name] = f"{name}=={match[2]} --hash=sha256:{digest(path)}\n"
    return "".join(lines[name] for name in sorted(lines))


def pack(source: Path, name: str, target: Path) -> None:
    """A folder as NAME/… in a .tar.gz, links followed: the same files give the same bytes."""
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", dereference=True, format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(_files(source)):
            member = archive.gettarinfo(str(path), f"{name}/{path.relative_to(source).as_posix()}")
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime, member.mode = _EPOCH, 0o755 if path.suffix == ".sh" else 0o644
            with path.open("rb") as content:
                archive.addfile(member, content)


def _files(folder: Path) -> list[Path]:
    """Every file below, those behind linked folders too; without what is for developers only."""
    found = []
    for root, folders, names in os.walk(folder, followlinks=True):
        if "ci" in folders:
            folders.remove("ci")
        found += [Path(root) / name for name in names if name not in {".helmignore", ".gitkeep"}]
    return found


def assemble(target: Path, wheels: Path) -> None:
    """Fill the empty folder ``target`` from the checkout and a folder of wheels."""
    shutil.copytree(wheels, target / "wheels")
    (target / "requirements.txt").write_text(requirements(target / "wheels"), encoding="utf-8")
    major, minor = sys.version_info[:2]
    (target / "PYTHON").write_text(f"{major}.{minor} {sysconfig.get_platform()}\n", encoding="utf-8")
    shutil.copy(CHECKOUT / "deploy" / "install.sh", target)
    shutil.copy(CHECKOUT / "deploy" / "Dockerfile.offline", target / "Dockerfile")
    (target / ".dockerignore").write_text("*\n!requirements.txt\n!wheels\n", encoding="utf-8")
    pack(CHART, "porwatch", target / f"porwatch-{version()}.tgz")
    for folder in ("alerts", "deploy/compose", "deploy/grafana", "deploy/systemd"):
        shutil.copytree(CHECKOUT / folder, target / folder, ignore=shutil.ignore_patterns("secrets", ".gitkeep"))
    shutil.copy(CHECKOUT / "deploy" / "compose.yaml", target / "deploy")
    sbom.make(target / "sbom.json", validate=False)
    names = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
    sums = "".join(f"{digest(target / name)}  {name}\n" for name in names)
    (target / SUMS).write_text(sums, encoding="utf-8")


def make() -> Path:
    """The bundle's archive, with its own sum beside it."""
    name = f"porwatch-{version()}"
    archive = BUILD / f"{name}.tar.gz"
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as work:
        wheels, folder = Path(work) / "wheels", Path(work) / "bundle"
        wheels.mkdir()
        folder.mkdir()
        fetch(wheels)
        assemble(folder, wheels)
        pack(folder, name, archive)
    archive.with_name(f"{archive.name}.sha256").write_text(f"{digest(archive)}  {archive.name}\n", encoding="utf-8")
    return archive


def check(archive: Path) -> None:
    """Install a bundle into a folder of its own, with an index that nobody answers, and run the program."""
    with tempfile.TemporaryDirectory() as work:
        with tarfile.open(archive) as packed:
            packed.extractall(work, filter="data")
        (folder,) = Path(work).iterdir()
        nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_NO_CACHE_DIR": "1", "PYTHON": sys.executable}
        run(["sh", str(folder / "install.sh"), str(folder / "venv")], folder, **nowhere)
        program = str(folder / "venv" / "bin" / "porwatch")
        run([program, "config", "schema"], folder)
        broken = folder / "requirements.txt"
        broken.write_text(broken.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        try:
            run(["sh", str(folder / "install.sh"), str(folder / "other")], folder, **nowhere)
        except subprocess.CalledProcessError:
            return
        raise ValueError("a bundle that was changed was installed all the same")


def main() -> int:
    """Makes or checks the bundle and returns the exit status."""
    if sys.argv[1:] == ["--check"]:
        check(BUILD / f"porwatch-{version()}.tar.gz")
        print("installed without an index, ran, and refused when changed")
        return 0
    archive = make()
    print(f"{archive}: {archive.stat().st_size // 1_000_000} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
