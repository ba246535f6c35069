"""Which characters the report's font can show. One without a glyph would vanish, and PDF/A forbids it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

FAMILY = "Noto Sans CJK JP"


def font() -> Path:
    """The font file, from its wheel (extra ``report``)."""
    # only in the extra `report`
    from noto_cjk_sans_jp_regular import FONT_PATH  # noqa: PLC0415

    return Path(FONT_PATH)


@lru_cache(maxsize=65536)
def printable(text: str) -> str:
    r"""``text`` with every character that has no glyph as ``\u{1f600}``."""
    ranges = _ranges()
    return "".join(c if _covered(ord(c), ranges) else f"\\u{{{ord(c):x}}}" for c in text)


def _covered(point: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    low, high = 0, len(ranges)
    while low < high:
        middle = (low + high) // 2
        if ranges[middle][1] < point:
            low = middle + 1
        else:
            high = middle
    return low < len(ranges) and ranges[low][0] <= point


@cache
def _ranges() -> tuple[tuple[int, int], ...]:
    return tuple(_read_ranges(font().read_bytes()))


def _read_ranges(file: bytes) -> Iterator[tuple[int, int]]:
    """The code points that an OpenType font maps: its Unicode subtable of format 12 (ISO/IEC 14496-22, cmap)."""
    tables = struct.unpack(">H", file[4:6])[0]
    for index in range(tables):
        tag, _, offset, _ = struct.unpack_from(">4sIII", file, 12 + 16 * index)
        if tag == b"cmap":
            yield from _read_cmap(file, offset)
            return
    raise ValueError("the font has no character map")


def _read_cmap(file: bytes, start: int) -> Iterator[tuple[int, int]]:
    for index in range(struct.unpack_from(">H", file, start + 2)[0]):
        _, _, offset = struct.unpack_from(">HHI", file, start + 4 + 8 * index)
        at = start + offset
        if struct.unpack_from(">H", file, at)[0] == 12:
            groups = struct.unpack_from(">I", file, at + 12)[0]
            for group in range(groups):
                first, last, _ = struct.unpack_from(">III", file, at + 16 + 12 * group)
                yield first, last
            return
    raise ValueError("the font's character map has no Unicode subtable of format 12")
