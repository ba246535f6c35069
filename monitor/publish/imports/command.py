"""`porwatch import`: another party's published files, audited against themselves."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from monitor.publish.imports import htx
from monitor.publish.imports.model import BadFile, Finding, ReserveFile, Summary
from monitor.publish.imports.reconcile import name_months, reconcile
from monitor.publish.imports.signatures import verify

#: name on the command line → what reads such a file
FORMATS = MappingProxyType({"htx-csv": htx.read})
_FINE, _FINDING, _WRONG = 0, 1, 2
_COLUMNS = tuple(field.name for field in fields(Finding))


def audit(file: ReserveFile) -> tuple[Summary, tuple[Finding, ...]]:
    """Counts and findings of one file, in the order of its lines. Pure."""
    summary, signatures = verify(file)
    findings = sorted([*reconcile(file), *signatures], key=lambda finding: (finding.line, finding.kind))
    return summary, tuple(findings)


def import_files(form: str, paths: Sequence[Path], output: str) -> int:
    """Audits the files, each by itself, and prints findings and counts; the same path twice is read once.

    ``output``: table, json or csv (findings only). Exit code: 0 no finding, 1 findings, 2 a file cannot be read as
    its format or the format is not known; then nothing is printed but what is wrong with each file.
    """
    read = FORMATS.get(form)
    if read is None:
        sys.stderr.write(f"{form}: no format of published files: write one of {', '.join(FORMATS)}\n")
        return _WRONG
    files: list[ReserveFile] = []
    bad = False
    for path in dict.fromkeys(paths):
        try:
            files.append(read(path))
        except BadFile as error:
            sys.stderr.write(f"{error}\n")
            bad = True
    if bad:
        return _WRONG
    audits = [audit(file) for file in files]
    findings = name_months([finding for _, found in audits for finding in found], files)
    _print(findings, _added(summary for summary, _ in audits), output, sys.stdout)
    return _FINDING if findings else _FINE


def _added(summaries: Iterable[Summary]) -> Mapping[str, int]:
    rows = [asdict(summary) for summary in summaries]
    return {field.name: sum(row[field.name] for row in rows) for field in fields(Summary)}


def _print(findings: Sequence[Finding], summary: Mapping[str, int], output: str, stream: TextIO) -> None:
    if output == "json":
        body = {"findings": [asdict(finding) for finding in findings], "summary": summary}
        stream.write(json.dumps(body, indent=2, ensure_ascii=False) + "\n")
    elif output == "csv":
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_COLUMNS)
        # csv writes None as an empty cell
        writer.writerows([getattr(finding, column) for column in _COLUMNS] for finding in findings)
    else:
        stream.writelines(f"{_line(finding)}\n" for finding in findings)
        counts = {"findings": len(findings), **summary}
        stream.write(", ".join(f"{name} {count}" for name, count in counts.items()) + "\n")


def _line(finding: Finding) -> str:
    declared, computed = ("-" if figure is None else figure for figure in (finding.declared, finding.computed))
    where = f"{finding.file}:{finding.line}: {finding.asset}: {finding.kind}"
    return f"{where}: declared {declared}, computed {computed}: {finding.message}"
