"""What the corpus saw, kept for the page that is made from it: nothing stands there that a test did not assert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.real.sides import coins


@dataclass(frozen=True, slots=True)
class Want:
    """One case that must be there, and nothing else of it may differ. Units are base units.

    ``to``: units by destination. ``fee``: of the native asset, None where the case has none.
    """

    wallet: str
    asset: str
    units: int
    to: Mapping[str, int] = field(default_factory=dict)
    fee: int | None = 0
    rules: tuple[str, ...] = ("unexplained_outflow",)
    severity: str = "critical"


@dataclass(slots=True)
class Row:
    """One row of the page: what was done, and what porwatch was seen to do."""

    chain: str = ""
    title: str = ""
    done: str = ""
    cases: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    blocks: int = 0
    milliseconds: int = 0
    node: str = ""

    def saw_case(self, want: Want, decimals: int, native: tuple[str, int], names: Mapping[str, str]) -> None:
        """An asserted case, in words."""
        amount = f"{_plain(want.units, decimals)} {want.asset}"
        places = " and ".join(f"{_plain(u, decimals)} to {names.get(a, 'an outsider')}" for a, u in want.to.items())
        fee = "" if want.fee is None else f", fee {_plain(want.fee, native[1])} {native[0]}"
        rules = ", ".join(f"`{rule}`" for rule in want.rules)
        text = f"{rules} ({want.severity}): {want.wallet}, {amount}"
        self.cases.append(text + (f", {places}" if places else "") + fee)

    def saw_flows(self, flows: Sequence[tuple[str, str, str, str, int]]) -> None:
        """Asserted flow parts: part and reason, with how many there were."""
        for _, asset, part, reason, _ in flows:
            self.reasons.append(f"{asset} {part} {reason}")

    def took(self, blocks: int, milliseconds: int) -> None:
        """The slowest judgement counts."""
        self.blocks = max(self.blocks, blocks)
        self.milliseconds = max(self.milliseconds, milliseconds)

    def cells(self) -> list[str]:
        counted = dict.fromkeys(self.reasons)
        reasons = [f"{what} ×{n}" if (n := self.reasons.count(what)) > 1 else what for what in counted]
        return [
            self.node,
            self.title,
            self.done,
            "; ".join(self.cases) or "no case",
            ", ".join(reasons) or "nothing moved",
            str(self.blocks),
            str(self.milliseconds),
        ]


COLUMNS = [
    "on", "row", "what was done", "cases", "parts and reasons",
    "blocks until judged", "ms until committed",
]  # fmt: skip


TOTALS = ["chain", "wallet", "asset", "opening", "Σ movements", "of which residual", "node at the end"]
#: the paragraphs above the table
WHAT = (
    "Each row was done on a real local node (or, where marked, replayed from recorded blocks whose hashes were "
    "re-computed) while `porwatch run` followed it as a process of its own. Every cell is what the test asserted: "
    "cases with rule, severity, wallet, amount, destination and fee; every part of every flow with its reason; and "
    "after each row, for every wallet and asset of the chain, that the ledger holds what the node says."
)
WHEN = (
    "Blocks: from the block in which it happened to the newest one when it was judged; 0 is the same block. "
    "Milliseconds: from the request that made the last of these blocks to the commit that holds the judgement, the "
    "slowest of a row; "
    "blocks are announced over WebSocket or ZeroMQ, recorded ones are found by polling each second. A residual that is not found right after its block waits for "
    "finality, which is 2 blocks here, and for the cycle, which runs every second."
)


@dataclass(slots=True)
class Record:
    """What one run showed. ``totals``: lines of the last table."""

    rows: list[Row] = field(default_factory=list)
    totals: list[list[str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def page(self) -> dict[str, Any]:
        """The content of the evidence file: what tools/evidence.py turns into a page."""
        return {
            "title": "The adversarial corpus",
            "text": [WHAT, WHEN],
            "tables": [
                {"heading": "Rows", "columns": COLUMNS, "rows": [row.cells() for row in self.rows]},
                {"heading": "At the end", "columns": TOTALS, "rows": self.totals},
            ],
            "failed": self.failed,
            "skipped": self.skipped,
        }


RECORD = Record()


def _plain(units: int, decimals: int) -> str:
    whole = coins(units, decimals)
    return whole.rstrip("0").rstrip(".") if "." in whole else whole
