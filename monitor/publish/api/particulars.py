"""What the configuration says that the API shows beside the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from monitor.model import Tier


def _as_written(address: str) -> tuple[str, ...]:
    return (address,)


@dataclass(frozen=True, slots=True)
class Particulars:
    """``known``: destinations of policy.allow by (chain, tier). ``spellings``: an address as the ledger may spell it.

    ``liabilities_age``: how long declared liabilities count. ``statements``: custodians state holdings that no chain
    shows. ``reports``: the folder of the daily reports, where there is one. ``ceremonies_required``: wallets that
    move inside confirmed windows only.
    """

    known: Mapping[tuple[str, Tier], frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    spellings: Callable[[str], tuple[str, ...]] = _as_written
    liabilities_age: timedelta | None = None
    statements: bool = False
    reports: Path | None = None
    ceremonies_required: frozenset[str] = frozenset()
