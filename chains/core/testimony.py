"""What nodes answered about holdings after one block, as lines that anybody can re-check without a node.

Each line is one object of JSON with a ``kind``: first ``testimony`` (what this is about), then the block's
header, then proofs, endpoints' answers or coins as each chain has them, and last ``end``, which counts the
lines and seals them with a digest. The digest finds what was damaged; that nobody wrote other lines, only
a signature over the whole file shows.

Re-checking shows that the lines are consistent: headers hash to their hashes, proofs hold against them,
sums add up. Which endpoints said what is the record of whoever wrote the lines. That the block is on the
chain is for the anchor to show: ask a node of one's own for its hash (``auditor``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NoReturn

from chains.core import strictjson
from chains.core.errors import ChainError
from chains.core.values import Account, BlockRef

#: The form that these lines have; another one is refused.
FORM = 1
#: The longest line, as text. The longest that is written has 100 coins with scripts of 10,000 bytes.
LINE_CHARACTERS = 4_000_000
LINES_MOST = 20_000_000

_DEPTH = 5
_ITEMS = 20_000
_TEXT_CHARACTERS = 40_000
_NUMBER_MOST = 1 << 53
_UNITS = re.compile(r"0|[1-9][0-9]{0,77}")
_SHOWN = 80
#: What reading a line of the wrong form raises.
_MALFORMED = (ChainError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError)

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Testimony:
    """What nodes answered about holdings after block ``at``: enough to re-check them without a node.

    ``lines``: objects of text, whole numbers, booleans, lists and objects, written one a line by ``to_text``.
    """

    at: BlockRef
    lines: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class Rechecked:
    """What the lines of a testimony show.

    ``units``: of every account in them, zero included, in units of the asset. ``proved``: accounts shown by
    proof against a header that two endpoints or more showed (EVM), or by the UTXO set of an endpoint marked
    ``own`` (Bitcoin). ``agreed``: accounts of which two endpoints or more said just this. What is in neither
    is one endpoint's claim. ``header``: facts of the block for people. ``sequences``: nonces by locator (EVM).
    """

    at: BlockRef
    units: Mapping[Account, int]
    proved: frozenset[Account]
    agreed: frozenset[Account]
    header: Mapping[str, str]
    sequences: Mapping[str, int] = field(default_factory=dict)


class BadTestimony(Exception):
    """A line that cannot be true or has not the form; ``line``: its number, from 1."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line
        self.why = why


def to_text(line: Json) -> str:
    """The one form of a line as JSON text, without the newline."""
    return _ENCODER.encode(line)


def from_text(texts: Iterable[str | bytes]) -> Iterator[Json]:
    """The lines of a file. Raises BadTestimony for a line that is not JSON in the form of ``to_text``."""
    for number, text in enumerate(texts, start=1):
        raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        raw = raw.removesuffix(b"\n")
        if len(raw) > LINE_CHARACTERS:
            raise BadTestimony(number, f"has {len(raw):,} bytes, {LINE_CHARACTERS:,} are allowed")
        try:
            line = strictjson.loads(raw)
            same = isinstance(line, dict) and to_text(line).encode() == raw
        except (ValueError, TypeError) as error:
            raise BadTestimony(number, f"is no JSON as it must be written: {str(error)[:_SHOWN]}") from error
        if not same:
            raise BadTestimony(number, "is not written in the one form of such a line: it was changed")
        yield line


def seal(lines: Iterable[Json]) -> tuple[Json, ...]:
    """The lines of a testimony with their last one."""
    whole = tuple(lines)
    digest = sha256()
    for line in whole:
        digest.update(_bytes(line))
    return (*whole, {"kind": "end", "lines": len(whole), "sha256": digest.hexdigest()})


def _bytes(line: Json) -> bytes:
    return to_text(line).encode("utf-8", "surrogatepass") + b"\n"


@dataclass(slots=True)
class Line:
    """One line, read key by key; what is not as it must be raises BadTestimony with its number."""

    number: int
    fields: Json
    _read: set[str] = field(default_factory=set)

    def bad(self, why: str) -> NoReturn:
        """Refuse this line."""
        raise BadTestimony(self.number, why)

    def get(self, key: str, form: type) -> Any:
        """The value of a key, of exactly this type."""
        value = self.fields.get(key)
        if type(value) is not form:
            self.bad(f"{key} must be a {form.__name__}, not {_show(value)}")
        self._read.add(key)
        return value

    def text(self, key: str) -> str:
        """The text of a key."""
        found: str = self.get(key, str)
        return found

    def whole(self, key: str, low: int, high: int) -> int:
        """The whole number of a key, from ``low`` to ``high``."""
        found: int = self.get(key, int)
        if not low <= found <= high:
            self.bad(f"{key} is {found}, not from {low} to {high}")
        return found

    def expect(self, key: str, wanted: object) -> None:
        """Refuse any other value of a key."""
        found = self.get(key, type(wanted))
        if found != wanted:
            self.bad(f"{key} is {_show(found)}, not {_show(wanted)}")

    def listed(self, key: str, form: type = str) -> list[Any]:
        """The list of a key, whose items are all of one type."""
        found: list[Any] = self.get(key, list)
        wrong = next((item for item in found if type(item) is not form), None)
        if wrong is not None:
            self.bad(f"{key} holds {_show(wrong)} where a {form.__name__} must be")
        return found

    def units(self, key: str) -> int:
        """The amount of a key, written as text."""
        return self.amount(self.get(key, str), key)

    def amount(self, text: Any, what: str) -> int:
        """A whole number written as text without leading zeros, as amounts are."""
        if not isinstance(text, str) or _UNITS.fullmatch(text) is None:
            self.bad(f"{what} is {_show(text)}, not a whole number as text")
        return int(text)

    def only(self, *keys: str) -> None:
        """Refuse keys that nothing was read from, besides ``keys``."""
        unknown = self.fields.keys() - self._read - {"kind", *keys}
        if unknown:
            self.bad(f"has the unknown key {_show(min(unknown))}")


class Lines:
    """The lines of a testimony in order: whole, within limits, sealed by the last. ``number``: of the current one."""

    def __init__(self, lines: Iterable[Json]) -> None:
        self._lines = lines
        self.number = 0

    def __iter__(self) -> Iterator[Line]:
        digest, ended = sha256(), False
        for fields in self._lines:
            self.number += 1
            if ended:
                raise BadTestimony(self.number, "stands after the end")
            if self.number > LINES_MOST:
                raise BadTestimony(self.number, f"is one more than {LINES_MOST:,} lines")
            _check(self.number, fields)
            line = Line(self.number, fields)
            if line.text("kind") == "end":
                line.expect("lines", self.number - 1)
                line.expect("sha256", digest.hexdigest())
                line.only()
                ended = True
                continue
            digest.update(_bytes(fields))
            yield line
        if not ended:
            raise BadTestimony(self.number + 1, "is missing: the testimony breaks off before its end")

    def each(self, take: Callable[[Line], None]) -> None:
        """``take`` every line but the last. Raises BadTestimony only, also for what ``take`` raises on bad data."""
        for line in self:
            try:
                take(line)
            except _MALFORMED as error:
                raise BadTestimony(self.number, str(error)[:1_000] or type(error).__name__) from error


def _check(number: int, fields: Any) -> None:
    """Refuse what no line is: other values than text, whole numbers, booleans, lists and objects, or too much of it."""
    if type(fields) is not dict:
        raise BadTestimony(number, f"is {_show(fields)}, not an object")
    left: list[tuple[Any, int]] = [(fields, 1)]
    items = 0
    while left:
        value, depth = left.pop()
        if type(value) is str:
            if len(value) > _TEXT_CHARACTERS:
                raise BadTestimony(number, f"has a text of {len(value):,} characters")
        elif type(value) is int:
            if not -_NUMBER_MOST < value < _NUMBER_MOST:
                raise BadTestimony(number, "has a number beyond 2^53: amounts are written as text")
        elif type(value) is dict or type(value) is list:
            items += len(value)
            if depth > _DEPTH or items > _ITEMS:
                raise BadTestimony(number, f"is nested deeper than {_DEPTH}, or has more than {_ITEMS:,} items")
            inner = value
            if type(value) is dict:
                if not all(type(key) is str and len(key) <= _SHOWN for key in value):
                    raise BadTestimony(number, "has a key that is not short text")
                inner = list(value.values())
            left += [(each, depth + 1) for each in inner]
        elif type(value) is not bool:
            raise BadTestimony(number, f"has {_show(value)}, where text, a whole number, a boolean or a list must be")


def opening(chain: str, kind: str, assets: Sequence[str], accounts: int) -> dict[str, Any]:
    """The first line. ``kind``: of the chain, as in the configuration; ``assets``: the native one first."""
    return {
        "kind": "testimony",
        "form": FORM,
        "chain": chain,
        "chain_kind": kind,
        "assets": list(assets),
        "accounts": accounts,
    }


def opened(line: Line, chain: str, kind: str, assets: Sequence[str]) -> int:
    """How many accounts a testimony is about, by its first line, which must be of this chain."""
    line.expect("kind", "testimony")
    line.expect("form", FORM)
    line.expect("chain", chain)
    line.expect("chain_kind", kind)
    if line.listed("assets") != list(assets):
        line.bad(f"assets are {_show(line.fields['assets'])}, the chain is configured with {', '.join(assets)}")
    return line.whole("accounts", 0, LINES_MOST)


def endpoints(line: Line, key: str, known: Sequence[str], owner: Json | None = None) -> tuple[str, ...]:
    """Names of configured endpoints in configured order, each once. ``owner``: what holds the key, default the line."""
    names = line.listed(key) if owner is None else owner.get(key)
    places = [known.index(name) for name in names] if isinstance(names, list) and set(names) <= set(known) else []
    if not places or places != sorted(set(places)):
        line.bad(f"{key} are {_show(names)}, not configured endpoints in their order: {', '.join(known)}")
    return tuple(known[place] for place in places)


def shown_time(seconds: int) -> str:
    """Unix seconds for people."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, ValueError, OSError) as error:
        raise ValueError(f"the time {seconds} is none that a calendar has") from error


def _show(value: object) -> str:
    if type(value) is str or (type(value) is int and abs(value) < _NUMBER_MOST):
        text = repr(value)
        return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return str(value) if value is None or type(value) is bool else f"a {type(value).__name__}"
