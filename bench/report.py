"""What printing a month's report of 100,000 addresses costs, all forms in both languages together.

The report has every table of the schema; each printed address row is counted in the CSV before the time is
believed. Processor time and peak memory are those of a process of its own. Goals: at most 60 s, at most 1 GB.
Run alone: python -m bench.report
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from monitor.publish.report.fields import Column, Kind
from monitor.publish.report.schema import BLOCKS, HEADER, HEADER_OBJECTS, HEADER_TABLES, SCHEMA

ADDRESSES = 100_000
SECONDS_GOAL, MEMORY_GOAL = 60.0, 1000.0
_VALUES: dict[Kind, Any] = {
    Kind.TEXT: "eth-cold-1",
    Kind.ASSET: "ETH",
    Kind.MONEY: "1500.25",
    Kind.RATIO: "1.0325",
    Kind.DATE: "2026-09-30",
    Kind.COUNT: 12,
    Kind.FLAG: "true",
    Kind.VERDICT: "PASS",
    Kind.CUSTOMER: "customer-0042",
}
_HEADER = {
    "currency": "JPY",
    "timezone": "Asia/Tokyo",
    "prepared_by": "A",
    "approved_by": None,
    "approved_at": None,
    "parent": None,
}


def run() -> list[str]:
    """The lines of the result. Raises AssertionError where a row was not printed."""
    context = multiprocessing.get_context("spawn")
    parent, child = context.Pipe()
    process = context.Process(target=_measure, args=(child,))
    process.start()
    found: dict[str, float] = parent.recv()
    process.join(30)
    seconds, memory = found["seconds"], found["memory"]
    return [
        f"report: {ADDRESSES:,} addresses as JSON, and as PDF, XLSX and CSV in two languages",
        f"  {seconds:.1f} s of one processor; goal at most {SECONDS_GOAL:.0f} s: {_reached(seconds <= SECONDS_GOAL)}",
        f"  {memory:.0f} MB at its peak; goal at most {MEMORY_GOAL:.0f} MB: {_reached(memory <= MEMORY_GOAL)}",
    ]


def _measure(pipe: Any) -> None:
    from monitor.publish.report.forms import render

    report = _report()
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        render(report, ["ja", "en"], Path(folder))
        seconds = time.process_time() - began
        for language in ("ja", "en"):
            with Path(folder, language, "csv", "assets.addresses.csv").open(encoding="utf-8-sig") as file:
                assert sum(1 for _ in file) == ADDRESSES + 1
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    pipe.send({"seconds": seconds, "memory": memory})


def _report() -> dict[str, Any]:
    blocks: dict[str, Any] = {
        block.id: {"facts": _row(block.facts, 0), "tables": {t.id: [_row(t.columns, 0)] for t in block.tables}}
        for block in BLOCKS
    }
    (addresses,) = (table for block in BLOCKS for table in block.tables if table.id == "addresses")
    blocks["assets"]["tables"]["addresses"] = [_row(addresses.columns, index) for index in range(ADDRESSES)]
    header = {**_row(HEADER, 0), **_HEADER, **{name: _row(columns, 0) for name, columns in HEADER_OBJECTS.items()}}
    header |= {table.id: [_row(table.columns, 0)] for table in HEADER_TABLES}
    header["period"] = {"from": "2026-09-01T00:00:00+09:00", "to": "2026-10-01T00:00:00+09:00"}
    return {"schema": SCHEMA, "header": {**header, "assets": {"ETH": {"decimals": 18}}}, "blocks": blocks}


def _row(columns: tuple[Column, ...], index: int) -> dict[str, Any]:
    return {column.id: _value(column, index) for column in columns}


def _value(column: Column, index: int) -> Any:
    """A value that differs from row to row where real ones do, so that no cache makes the work small."""
    if column.kind is Kind.CODE:
        return column.codes[0]
    if column.kind is Kind.AMOUNT:
        return str(10**18 + index)
    if column.kind is Kind.ADDRESS:
        return f"0x{index:040x}"
    if column.kind is Kind.HASH:
        return f"{index:064x}"
    if column.kind is Kind.TIME:
        return f"2026-09-{1 + index % 30:02d}T{index // 30 % 24:02d}:{index // 720 % 60:02d}:00+09:00"
    return _VALUES[column.kind]


def _reached(reached: bool) -> str:
    return "reached" if reached else "NOT reached"


if __name__ == "__main__":
    print("\n".join(run()))
