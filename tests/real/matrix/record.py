"""What the failure matrix saw, kept for the page that is made from it: nothing stands there that was not asserted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Row:
    """One fault: what was done, what porwatch was seen to do, and how long it took once the fault was over."""

    title: str
    done: str
    seen: list[str] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    milliseconds: list[int] = field(default_factory=list)

    def saw(self, *sentences: str) -> None:
        """What was asserted just before, in words."""
        self.seen.extend(sentences)

    def took(self, milliseconds: float, blocks: int = 0) -> None:
        """The slowest counts."""
        self.milliseconds.append(round(milliseconds))
        self.blocks.append(blocks)

    def cells(self) -> list[str]:
        timed = [str(max(self.blocks)), str(max(self.milliseconds))] if self.milliseconds else ["–", "–"]
        return [self.title, self.done, "; ".join(dict.fromkeys(self.seen)), *timed]


COLUMNS = ["fault", "what was done", "what porwatch did", "blocks caught up", "ms"]
WHAT = (
    "Each row was done to `porwatch run`, a process of its own, on real local nodes (a Bitcoin and an EVM node, behind "
    "a JSON-RPC proxy that can fail). What stands under “what porwatch did” is what the test asserted. "
    "“Nothing lost” means: every planted outflow is exactly one case, every approved one is none, each wallet's ledger "
    "is what the node says, and the journal's hash chain verifies."
)
WHEN = (
    "Milliseconds: from the end of the fault (or, where porwatch has to notice something, from its beginning) to what "
    "the row says, waiting times between tries included. Blocks: how many were caught up in that time."
)


@dataclass(slots=True)
class Record:
    """What one run showed."""

    rows: list[Row] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def page(self) -> dict[str, Any]:
        """The content of the evidence file."""
        return {
            "title": "The failure matrix",
            "text": [WHAT, WHEN],
            "tables": [{"heading": "Rows", "columns": COLUMNS, "rows": [row.cells() for row in self.rows]}],
            "failed": self.failed,
            "skipped": self.skipped,
        }


RECORD = Record()
