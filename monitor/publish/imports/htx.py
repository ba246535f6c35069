"""The monthly reserve file of HTX: coin lines, an empty line, then address rows; "-" stands for nothing.

Read line by line: a line is a record (no quoted line ends). UTF-8 with or without byte-order mark, lines that end in
LF or CRLF, trailing empty cells and lines of empty cells as spreadsheets write them. Anything else is an error.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

from monitor.publish.imports.model import AddressRow, BadFile, CoinLine, ReserveFile

COIN_HEADER = ("coin", "snapshot height", "balance")
ADDRESS_HEADER = ("coin", "address", "snapshot height", "balance", "message", "signature")
#: The published files have about a hundred lines of at most 400 bytes.
LARGEST_BYTES = 16 * 1024 * 1024
LONGEST_LINE = 8 * 1024
MOST_LINES = 20_000
MOST_COINS = 500
LONGEST_NAME = 200
_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = (b"\xff\xfe", b"\xfe\xff")
_FIGURE = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_LONGEST_FIGURE = 60
_HEIGHT = re.compile(r"0|[1-9][0-9]{0,14}")
_NOTHING = "-"
_SHOWN = 60


def read(path: Path) -> ReserveFile:
    """The file, whole. Raises BadFile."""
    coins: list[CoinLine] = []
    rows: list[AddressRow] = []
    try:
        if not path.is_file():
            raise BadFile(f"{path}: it is not there, or no regular file: name a published CSV file")
        with path.open("rb") as stream:
            records = _records(str(path), stream)
            _header(path, records, COIN_HEADER)
            for line, cells in records:
                if tuple(cells) == ADDRESS_HEADER:
                    break
                coins.append(_coin(_Cells(path, line, cells, COIN_HEADER)))
            else:
                raise BadFile(f"{path}: it ends without address rows: expected the line {','.join(ADDRESS_HEADER)}")
            rows.extend(_row(_Cells(path, line, cells, ADDRESS_HEADER)) for line, cells in records)
    except OSError as error:
        raise BadFile(f"{path}: it cannot be read: {error.strerror}") from error
    if not 0 < len(coins) <= MOST_COINS:
        raise BadFile(
            f"{path}: it declares {len(coins)} coins: expected 1 to {MOST_COINS}, below {','.join(COIN_HEADER)}"
        )
    return ReserveFile(str(path), tuple(coins), tuple(rows))


def _header(path: Path, records: Iterator[tuple[int, list[str]]], expected: tuple[str, ...]) -> None:
    line, cells = next(records, (1, []))
    if tuple(cells) == expected:
        return
    unknown = [name for name in cells if name not in expected]
    wrong = f"unknown column {unknown[0][:_SHOWN]!r}" if unknown else "columns are missing or in another order"
    raise BadFile(f"{path}:{line}: {wrong}: expected the header {','.join(expected)}")


def _records(name: str, stream: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of every line that holds anything."""
    size = 0
    for line, raw in enumerate(iter(lambda: stream.readline(LONGEST_LINE + 1), b""), 1):
        size += len(raw)
        if len(raw) > LONGEST_LINE or line > MOST_LINES or size > LARGEST_BYTES:
            raise BadFile(
                f"{name}:{line}: it is larger than a reserve file: at most {LONGEST_LINE} bytes a line,"
                f" {MOST_LINES} lines, {LARGEST_BYTES} bytes"
            )
        cells = _cells(name, line, raw.removeprefix(_BOM) if line == 1 else raw)
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield line, cells


def _cells(name: str, line: int, raw: bytes) -> list[str]:
    if line == 1 and raw.startswith(_OTHER_BOMS):
        raise BadFile(f"{name}:1: it is UTF-16: save it as UTF-8")
    try:
        text = raw.removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError as error:
        raise BadFile(f"{name}:{line}: byte {error.start + 1} is not UTF-8: save the file as UTF-8") from error
    if not text.isprintable():
        raise BadFile(
            f"{name}:{line}: a character stands here that cannot be printed: expected text, one record a line"
        )
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise BadFile(f"{name}:{line}: it is no line of CSV: {error}") from error


class _Cells:
    """The cells of one record by column; every reader raises BadFile with file, line and column."""

    def __init__(self, path: Path, line: int, cells: list[str], header: tuple[str, ...]) -> None:
        self.path, self.line = path, line
        if len(cells) != len(header):
            raise BadFile(f"{path}:{line}: it has {len(cells)} cells: expected {len(header)}, {','.join(header)}")
        self.cells = dict(zip(header, cells, strict=True))

    def bad(self, column: str, expected: str) -> BadFile:
        return BadFile(f"{self.path}:{self.line}: {column}: {self.cells[column][:_SHOWN]!r}: expected {expected}")

    def text(self, column: str) -> str:
        text = self.cells[column]
        if not text or text != text.strip() or text == _NOTHING or len(text) > LONGEST_NAME:
            raise self.bad(column, f"a name of 1 to {LONGEST_NAME} characters, no spaces around it")
        return text

    def optional(self, column: str) -> str | None:
        text = self.cells[column]
        if not text:
            raise self.bad(column, f"a text, or {_NOTHING} for none")
        return None if text == _NOTHING else text

    def height(self) -> int | None:
        text = self.cells["snapshot height"]
        if text == _NOTHING:
            return None
        if not _HEIGHT.fullmatch(text):
            raise self.bad("snapshot height", f"a whole number, or {_NOTHING} for none")
        return int(text)

    def figure(self) -> Decimal:
        text = self.cells["balance"]
        if len(text) > _LONGEST_FIGURE or not _FIGURE.fullmatch(text):
            raise self.bad("balance", "a plain decimal of zero or more, e.g. 1250.75, without separators or exponent")
        return Decimal(text)


def _coin(cells: _Cells) -> CoinLine:
    return CoinLine(cells.line, cells.text("coin"), cells.height(), cells.figure())


def _row(cells: _Cells) -> AddressRow:
    return AddressRow(
        cells.line,
        cells.text("coin"),
        cells.text("address"),
        cells.height(),
        None if cells.cells["balance"] == _NOTHING else cells.figure(),
        cells.optional("message"),
        cells.optional("signature"),
    )
