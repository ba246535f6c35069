"""A worksheet that streams whole rows: XlsxWriter's own calls cost seven times as much a cell.

It writes what XlsxWriter writes in constant_memory mode (ECMA-376 part 1, 18.3.1.4: inline strings), into the same
file. It uses three names of XlsxWriter that are not public; the tests read the result back with another library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain

from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

#: Excel reads _x0041_ in a string as an escape: the underscore is escaped itself
_ESCAPE = re.compile("_(?=x[0-9a-fA-F]{4}_)")
_SPACE = (" ", "\u3000")


class RowSheet(Worksheet):  # type: ignore[misc]  # XlsxWriter ships no types
    """A worksheet of constant_memory mode with ``stream_rows``."""

    def stream_rows(self, first: int, rows: Iterable[Sequence[str | float | None]], formats: Sequence[Format]) -> None:
        """Writes ``rows`` from line ``first`` (from 0) on: strings as strings, numbers as numbers, nothing for None.

        Every line above must have been written before, and nothing may follow.
        """
        self._write_single_row(first)
        heads = [
            (f'<c r="{xl_col_to_name(index)}', f'" s="{style._get_xf_index()}"')  # noqa: SLF001  as XlsxWriter does
            for index, style in enumerate(formats)
        ]
        last = first - 1
        for last, row in enumerate(rows, start=first):
            cells = (_cell(head, last + 1, value) for head, value in zip(heads, row, strict=True) if value is not None)
            self.row_data_fh.write("".join(chain((f'<row r="{last + 1}">',), cells, ("</row>",))))
        self._check_dimensions(max(last, 0), max(len(formats) - 1, 0))


def _cell(head: tuple[str, str], line: int, value: str | float) -> str:
    place, style = head
    if isinstance(value, str):
        space = ' xml:space="preserve"' if value.startswith(_SPACE) or value.endswith(_SPACE) else ""
        return f'{place}{line}{style} t="inlineStr"><is><t{space}>{_escaped(value)}</t></is></c>'
    return f"{place}{line}{style}><v>{value:.17G}</v></c>"


def _escaped(text: str) -> str:
    if "_x" in text:
        text = _ESCAPE.sub("_x005F_", text)
    if "&" in text or "<" in text or ">" in text:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text
