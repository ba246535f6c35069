"""Finds the local programs that the demo and the tests start."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from chains.lab.errors import LabError

COMPONENT_OF = {
    "anvil": "anvil",
    "solcjs": "anvil",
    "bitcoind": "bitcoin",
    "bitcoin-cli": "bitcoin",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "alertmanager": "prometheus",
    "amtool": "prometheus",
    "prometheus-next": "prometheus-next",
    "promtool-next": "prometheus-next",
    "alertmanager-next": "prometheus-next",
    "amtool-next": "prometheus-next",
    "chromium": "chromium",
}
# Debian's name where it is not upstream's.
OTHER_NAMES = {"alertmanager": "prometheus-alertmanager"}


def component_folders() -> Iterator[Path]:
    """Where components may lie, best first: $PORWATCH_COMPONENTS, the working directory, the checkout of this code."""
    configured = os.environ.get("PORWATCH_COMPONENTS")
    if configured:
        yield Path(configured)
        return
    yield Path.cwd() / ".components"
    yield Path(__file__).resolve().parents[2] / ".components"


def find_binary(name: str) -> Path:
    """Absolute path of one program out of COMPONENT_OF, from the component folders or else PATH. Raises LabError."""
    component = COMPONENT_OF[name]
    for folder in component_folders():
        path = folder / "bin" / name
        if path.is_file():
            return path.resolve()
    found = shutil.which(name) or shutil.which(OTHER_NAMES.get(name, name))
    if found is None:
        raise LabError(
            f"{name} is not on this machine: run `python tools/components.py {component}` in a checkout of porwatch, "
            f"or put {name} on PATH, or name a folder whose bin/ holds it in PORWATCH_COMPONENTS"
        )
    return Path(found).resolve()
