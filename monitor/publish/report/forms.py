"""The one door to the printed forms: from a report object to its files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from monitor.ledger.encode import canonical
from monitor.people import same_person
from monitor.publish.report import csv_form, typst_form, xlsx_form
from monitor.publish.report.schema import validate
from monitor.publish.report.words import words

JSON_FILE = "report.json"


_NEEDED = ("typst", "xlsxwriter", "noto_cjk_sans_jp_regular")


class FormsMissing(RuntimeError):
    """porwatch was installed without the libraries of the printed forms; the JSON needs none of them."""


def render(report: dict[str, Any], languages: Sequence[str], folder: Path) -> list[Path]:
    """Writes ``report.json`` (canonical) and, for each language, PDF, XLSX and CSV; returns every file written.

    The files are ``report.json``, ``ja/report.pdf``, ``ja/report.xlsx``, ``ja/csv/BLOCK.TABLE.csv`` and so on; with no
    language only the JSON. The same report gives the same bytes wherever it is printed. ``folder`` must exist. Raises
    ReportInvalid for a report that is not as declared, ValueError for an unknown language, FormsMissing; then nothing
    was written.
    """
    validate(report)
    lists = [words(language) for language in languages]
    missing = [name for name in _NEEDED if find_spec(name) is None] if lists else []
    if missing:
        raise FormsMissing(f"the printed forms need {', '.join(missing)}: install porwatch[report]")
    path = folder / JSON_FILE
    path.write_text(canonical(report), encoding="utf-8", newline="")
    written = [path]
    for each in lists:
        place = folder / each.language
        place.mkdir(exist_ok=True)
        written += typst_form.write(report, each, place / "report.pdf")
        written += xlsx_form.write(report, each, place / "report.xlsx")
        written += csv_form.write(report, each, place / "csv")
    return written


def approve(report: dict[str, Any], name: str, at: str) -> dict[str, Any]:
    """The report as approved by a second person at ``at`` (RFC 3339); until then every form says DRAFT.

    Raises ValueError where the report is approved already or where ``name`` prepared it.
    """
    header = report["header"]
    if header["approved_by"] is not None:
        raise ValueError(f"the report was approved by {header['approved_by']} at {header['approved_at']}")
    if same_person(name, header["prepared_by"]):
        raise ValueError(f"{name} prepared this report: another person must approve it")
    approved = {**report, "header": {**header, "approved_by": name, "approved_at": at}}
    validate(approved)
    return approved
