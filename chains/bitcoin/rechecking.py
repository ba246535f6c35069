"""The lines of ``testimony`` re-checked without a node: proof of work, sums, and who has which coins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from chains.bitcoin.addresses import locator_of, script_of
from chains.bitcoin.blocks import Header, parse_header
from chains.bitcoin.holdings import UNSPENDABLE, coin_text
from chains.bitcoin.settings import Settings
from chains.bitcoin.testimony import ABOVE_MOST
from chains.bitcoin.transactions import SATOSHIS_MOST
from chains.bitcoin.walker import HEADER_BYTES
from chains.bitcoin.work import check_linked, target_of
from chains.core.rpc import endpoint_names
from chains.core.testimony import LINES_MOST, BadTestimony, Json, Line, Lines, Rechecked, endpoints, opened, shown_time
from chains.core.values import Account, BlockRef, Coin

_HEADER = re.compile(rf"[0-9a-f]{{{2 * HEADER_BYTES}}}")
_OUTPOINT = re.compile(r"[0-9a-f]{64}:(?:0|[1-9][0-9]{0,9})")
_SCRIPT = re.compile(r"(?:[0-9a-f]{2}){1,10000}")
_HEIGHT_MOST = 1 << 31


def recheck(
    chain: str, lines: Iterable[Json], settings: Settings, decimals: Mapping[str, int] | None = None
) -> Rechecked:
    """What the lines show; see ``chains.core.chain.ChainKind.recheck``."""
    if decimals is not None:
        settings.scales(decimals)
    book = _Book(chain, settings)
    read = Lines(lines)
    read.each(book.take)
    return book.result(read.number)


@dataclass(slots=True)
class _Set:
    """A set of coins as far as it was read."""

    line: int
    endpoints: tuple[str, ...]
    own: tuple[str, ...]
    coins: int
    digest: str
    found: int = 0
    last: str = ""
    sums: dict[str, int] = field(default_factory=dict)
    hashed: Any = field(default_factory=sha256)


class _Book:
    """What the lines read so far have shown."""

    def __init__(self, chain: str, settings: Settings) -> None:
        self._chain = chain
        self._asset = settings.native
        self._network = settings.parameters()
        names = endpoint_names(settings.endpoints)
        asked = [(name, e.own) for name, e in zip(names, settings.endpoints, strict=True) if not e.hint_only]
        self._known = [name for name, _ in asked]
        self._own = [name for name, own in asked if own]
        self._quorum = settings.needed_quorum()
        self._count = -1
        self._at: BlockRef | None = None
        self._header: dict[str, str] = {}
        self._held: dict[str, tuple[int, int]] = {}
        self._scripts: dict[str, str] = {}
        self._sets: list[_Set] = []

    def take(self, line: Line) -> None:
        """Read one line."""
        kind = line.text("kind")
        if self._count < 0:
            self._count = opened(line, self._chain, "bitcoin", [self._asset])
            line.expect("network", self._network.name)
        elif self._at is None:
            self._take_headers(line)
        elif kind == "holdings" and not self._sets:
            self._take_holdings(line)
        elif kind == "set":
            self._take_set(line)
        elif kind == "coins" and self._sets:
            for row in line.listed("coins", list):
                self._take_coin(line, self._sets[-1], row)
        else:
            line.bad(f"{kind[:40]!r} is no kind of line that may stand here")
        line.only()

    def result(self, last: int) -> Rechecked:
        """What all lines show. ``last``: the number of the last."""
        if self._at is None or not self._sets:
            raise BadTestimony(last, "ends before the headers, or before a set of coins")
        self._close_set(last)
        first, *others = self._sets
        if len(first.endpoints) < self._quorum or any(len(o.endpoints) >= len(first.endpoints) for o in others):
            raise BadTestimony(first.line, f"{self._quorum} endpoints must have this set, and more than any other")
        units = {Account(self._chain, locator, self._asset): units for locator, (units, _) in self._held.items()}
        everyone, nobody = frozenset(units), frozenset[Account]()
        return Rechecked(
            self._at,
            units,
            everyone if first.own else nobody,
            everyone if len(first.endpoints) > 1 else nobody,
            self._header,
        )

    def _take_headers(self, line: Line) -> None:
        line.expect("kind", "headers")
        height, raws = line.whole("height", 0, _HEIGHT_MOST), line.listed("headers")
        if not 0 < len(raws) <= ABOVE_MOST + 1 or not all(_HEADER.fullmatch(raw) for raw in raws):
            line.bad(f"headers must be 1 to {ABOVE_MOST + 1} of {HEADER_BYTES} bytes in lower-case hex")
        headers = [parse_header(bytes.fromhex(raw)) for raw in raws]
        check_linked(headers, height, self._network)
        block = headers[0]
        if height == 0 and block.hash != self._network.genesis:
            line.bad(f"block 0 has the hash {block.hash}, not that of {self._network.name}")
        self._at = BlockRef(self._chain, height, block.hash, block.parent, block.time)
        self._header = {
            "height": str(height),
            "hash": block.hash,
            "time": shown_time(block.time),
            "confirmations": str(len(headers)),
            "head": headers[-1].hash,
            "work": str(sum(map(_work, headers))),
        }

    def _take_holdings(self, line: Line) -> None:
        for row in line.listed("accounts", list):
            if len(row) != 2 or type(row[0]) is not str:
                line.bad("accounts must be pairs of a locator and an amount")
            locator, units = row[0], line.amount(row[1], f"the amount of {row[0][:100]}")
            script = script_of(locator, self._network)
            if locator_of(script, self._network) != locator:
                line.bad(f"{locator[:100]} is not spelled as the locator of its script")
            if self._held and locator <= next(reversed(self._held)):
                line.bad(f"{locator[:100]} stands twice, or not in order")
            self._held[locator] = units, line.number
            self._scripts[script.hex()] = locator

    def _take_set(self, line: Line) -> None:
        if self._sets:
            self._close_set(line.number)
        elif len(self._held) != self._count:
            line.bad(f"stands after {len(self._held)} accounts, the first line announces {self._count}")
        names = endpoints(line, "endpoints", self._known)
        own = tuple(line.listed("own"))
        if own and endpoints(line, "own", [name for name in self._own if name in names]) != own:
            line.bad("own must be endpoints of this set that are configured as own")
        taken = {name for each in self._sets for name in each.endpoints}
        if not taken.isdisjoint(names):
            line.bad("names an endpoint that has another set")
        self._sets.append(_Set(line.number, names, own, line.whole("coins", 0, LINES_MOST), line.text("sha256")))

    def _close_set(self, last: int) -> None:
        """Refuse the set that ends before line ``last`` where it is not what its line says, or what accounts hold."""
        ended = self._sets[-1]
        if (ended.found, ended.hashed.hexdigest()) != (ended.coins, ended.digest):
            said = f"{ended.found} coins, SHA-256 {ended.hashed.hexdigest()}"
            raise BadTestimony(ended.line, f"says {ended.coins} coins, SHA-256 {ended.digest[:64]}; there are {said}")
        if any(each.digest == ended.digest for each in self._sets[:-1]):
            raise BadTestimony(ended.line, "is the same set as one before")
        if len(self._sets) > 1:
            return
        for locator, (units, number) in self._held.items():
            found = ended.sums.get(locator, 0)
            if found != units:
                raise BadTestimony(number, f"{locator[:100]} is said to hold {units}, its coins are worth {found}")

    def _take_coin(self, line: Line, into: _Set, row: list[Any]) -> None:
        if [type(each) for each in row] != [str, str, str, int]:
            line.bad("coins must be lists of outpoint, script, amount and height")
        name, script, text, height = row
        if _OUTPOINT.fullmatch(name) is None or int(name[65:]) >= 1 << 32:
            line.bad(f"{name[:100]!r} is no outpoint")
        if name <= into.last:
            line.bad(f"{name} stands twice, or not in order")
        if _SCRIPT.fullmatch(script) is None or script not in self._scripts or script.startswith(UNSPENDABLE):
            line.bad(f"{name}: the script {script[:100]!r} is that of no account here that can be spent from")
        units = line.amount(text, f"the amount of {name}")
        if not 0 < units <= SATOSHIS_MOST:
            line.bad(f"{name}: {units} is no amount of satoshis that a coin can have")
        if self._at is None or not -1 <= height <= self._at.height:
            line.bad(f"{name} is from block {height}, after the block asked about")
        locator = self._scripts[script]
        into.last, into.found = name, into.found + 1
        into.sums[locator] = into.sums.get(locator, 0) + units
        into.hashed.update(coin_text(Coin(name, locator, self._asset, units)))


def _work(header: Header) -> int:
    """The hashes that such a header takes on average (Bitcoin Core's GetBlockProof)."""
    return (1 << 256) // (target_of(header.bits) + 1)
