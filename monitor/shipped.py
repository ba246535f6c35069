"""The one place that finds the files shipped with porwatch: runbooks, example configuration."""

from __future__ import annotations

from pathlib import Path


def shipped(*parts: str) -> Path:
    """The path of a shipped file, e.g. ``shipped("alerts", "runbooks", "PorwatchResidual.md")``.

    In a wheel the files lie inside the package; in a checkout at its root. Raises FileNotFoundError.
    """
    package = Path(__file__).parent
    for root in (package / "shipped", package.parent):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"porwatch was installed without {'/'.join(parts)}: install it again")
