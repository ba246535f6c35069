"""Printed forms read back with other libraries than wrote them."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from functools import cache
from pathlib import Path

import openpyxl
import pypdf
from openpyxl.utils.escape import unescape


@cache
def pdf_text(path: Path) -> str:
    """All text of a PDF on one line: without breaks, and without the invisible marks where a word may break."""
    pages = (page.extract_text() for page in pypdf.PdfReader(io.BytesIO(path.read_bytes())).pages)
    return re.sub(r"\s+", "", "".join(pages).replace("\u200b", ""))


def csv_lines(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def workbook(path: Path) -> dict[str, list[list[object]]]:
    """Sheet name → its rows; Excel's escape of _x0041_ undone, which openpyxl leaves to its caller."""
    book = openpyxl.load_workbook(path)
    return {
        sheet.title: [[_cell(v) for v in row] for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets
    }


def _cell(value: object) -> object:
    return unescape(value) if isinstance(value, str) else value


def everything(folder: Path) -> str:
    """The content of every file below a folder as text, archives unpacked, PDFs by their text and their raw bytes."""
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as archive:
                found += [archive.read(name).decode() for name in archive.namelist()]
        elif path.suffix == ".pdf":
            found += [pdf_text(path), path.read_bytes().decode("latin-1")]
        elif path.is_file():
            found.append(path.read_bytes().decode("utf-8"))
    return "\n".join(found)
