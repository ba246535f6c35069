"""The files of a pack: the same ledger and configuration give the same bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from monitor.ledger.encode import Json
from monitor.model import rfc3339
from monitor.publish.pack.facts import Facts, Row, addresses, amounts, transactions
from monitor.publish.pack.letters import LETTERS, checklist_text, letter
from monitor.publish.pack.words import LANGUAGES
from monitor.publish.render import render_case
from monitor.publish.report.csv_form import FORMULA

_FIGURES = frozenset({"amount", "units", "fee", "value"})


def files_of(facts: Facts, duties: Sequence[Row]) -> dict[str, bytes]:
    """Every file by its path in the pack. ``duties``: of ``clocks.checklist``."""
    tables = {"addresses": addresses(facts), "transactions": transactions(facts), "amounts": amounts(facts)}
    tables["notifications"] = list(duties)
    body = json.dumps(_body(facts, tables), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    files = {"pack.json": body.encode()}
    files.update({f"{name}.csv": _csv(rows, name) for name, rows in tables.items()})
    for language in LANGUAGES:
        files[f"checklist.{language}.md"] = checklist_text(duties, facts, language).encode()
        files.update({f"letters/{kind}.{language}.md": letter(kind, facts, language).encode() for kind in LETTERS})
    return files


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make ``folder`` with the files, whole or not at all, for its owner alone. Raises FileExistsError, OSError."""
    if folder.exists():
        raise FileExistsError(f"{folder} is there already: name a folder that is not")
    part = folder.with_name(f".{folder.name}.part")
    part.mkdir(mode=0o700)
    try:
        for name, content in files.items():
            (part / name).parent.mkdir(mode=0o700, exist_ok=True)
            (part / name).touch(mode=0o600)
            (part / name).write_bytes(content)
        part.rename(folder)
    except OSError:
        for path in sorted(part.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        part.rmdir()
        raise


def _body(facts: Facts, tables: Mapping[str, Sequence[Row]]) -> Json:
    entity = facts.entity
    return {
        "entity": {"name": entity.name, "registration": entity.registration or None, "lei": entity.lei or None},
        "incident": facts.incident or None,
        "detected": rfc3339(facts.detected),
        "cases": [render_case(case, facts.decimals) for case in facts.cases],
        **{name: [{key: value or None for key, value in row.items()} for row in rows] for name, rows in tables.items()},
    }


_COLUMNS = {
    "addresses": ("chain", "address", "asset", "amount", "units", "known_beforehand", "txid", "case"),
    "transactions": (
        *("chain", "txid", "block", "block_time", "wallet", "tier", "asset", "amount", "units", "fee"),
        *("left_the_chain", "case"),
    ),
    "amounts": ("asset", "amount", "units", "value", "currency", "price_as_of", "cases"),
    "notifications": (
        *("profile", "version", "event", "authority", "template", "deadline", "from", "verified", "detected"),
        *("due", "due_local", "due_business_day", "clock"),
    ),
}


def _csv(rows: Iterable[Row], name: str) -> bytes:
    """RFC 4180 with byte-order mark; text that a spreadsheet would compute gets an apostrophe in front."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(_COLUMNS[name])
    writer.writerows([_safe(column, row[column]) for column in _COLUMNS[name]] for row in rows)
    return buffer.getvalue().encode("utf-8-sig")


def _safe(column: str, text: str) -> str:
    return f"'{text}" if column not in _FIGURES and text.startswith(FORMULA) else text
