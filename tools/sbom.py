"""What porwatch is made of, as CycloneDX: every library of requirements/run.txt with its hashes. Needs no network.

Use: python -m tools.sbom [FILE]     default: build/sbom.json
The same lock gives the same bytes: no time, no serial number, nothing of this machine.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
LOCK = CHECKOUT / "requirements" / "run.txt"
_PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", re.MULTILINE)
_SECONDS = 300


def locked() -> dict[str, str]:
    """Name → version of every library of the lock."""
    return dict(_PINNED.findall(LOCK.read_text(encoding="utf-8")))


def make(file: Path, *, validate: bool = True) -> None:
    """Write the bill of materials. Raises ValueError where it would not be of the lock, CalledProcessError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", str(LOCK)]
    command += ["--pyproject", str(CHECKOUT / "pyproject.toml"), "--output-reproducible", "--of", "JSON"]
    command += ["--validate" if validate else "--no-validate", "-o", str(file)]
    subprocess.run(command, cwd=CHECKOUT, timeout=_SECONDS, check=True, capture_output=True, text=True)
    body = json.loads(file.read_text(encoding="utf-8"))
    found = {each["name"]: each["version"] for each in body["components"]}
    if found != locked():
        raise ValueError(
            f"{file}: is not of requirements/run.txt: {sorted(set(found.items()) ^ set(locked().items()))}"
        )
    file.write_text(json.dumps(_plain(body), indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(body: dict[str, object]) -> dict[str, object]:
    """Without the descriptions, which repeat each line of the lock with all its hashes."""
    components = body["components"]
    assert isinstance(components, list)
    for component in components:
        component.pop("description", None)
    return body


def main() -> int:
    """Writes the file and returns the exit status."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else CHECKOUT / "build" / "sbom.json"
    make(file)
    print(f"{file}: {len(locked())} libraries")
    return 0


if __name__ == "__main__":
    sys.exit(main())
