"""A published file beside itself: totals, coin lines, address rows and heights. Pure.

**Rounding.** A figure printed with d decimals stands for some value at most half a unit of its last digit away:
½·10^-d. So a declared figure and the sum of n printed figures may differ, without any contradiction, by at most

    ½·10^-d(declared) + Σ ½·10^-d(i) over the n figures

and a difference above that cannot come from rounding, whatever the values were. Each figure counts with its own
digits, because one file mixes them; a figure printed without decimals stands for itself ± ½. The bound says nothing
about how the publisher computes: digits that are printed are taken at their word, also zeros that a spreadsheet
wrote beyond its own precision. No difference is netted against another.

**Which rows a line declares.** The rows of the same label, and those whose label means the same chain in other words
(``USDT-ERC20`` = ``USDT-ETH``) and has no line of its own; where that gives none, the rows of the other wording
although they have a line: both lines then claim them, and the total shows it.

``X(ALL)`` totals every line whose coin, before the first "-", ends in X (stETH, BETH-Heco and ETH-Arbitrum count for
ETH); with no such line, the rows of that kind.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, Inexact, localcontext

from monitor.publish.imports.model import AddressRow, CoinLine, Finding, Kind, ReserveFile, plain

#: Two figures of 60 digits with the point at either end need 120, and 20,000 of them five more.
_DIGITS = 130
#: What a spreadsheet keeps of a number; the zeros that it prints after them say nothing.
_SPREADSHEET_DIGITS = 15
_TOTAL = re.compile(r"(.+?) *\(ALL\)", re.IGNORECASE)
#: Suffixes that name the standard of a chain's tokens instead of the chain.
_STANDARDS = {"ERC20": "ETH", "TRC20": "TRX"}
#: Coins without suffix that live on the chain of another's.
_CHAIN_OF = {"stETH": "ETH", "aETH": "ETH", "USDT-aEthUSDT": "ETH", "jsTRX": "TRX", "USDT-Omni": "BTC"}


def reconcile(file: ReserveFile) -> tuple[Finding, ...]:
    """Every contradiction of a file with itself, in the order of its lines; signatures aside."""
    with localcontext(prec=_DIGITS) as context:
        context.traps[Inexact] = True
        book = _arrange(file)
        findings = [
            *_totals(book),
            *_lines(book),
            *_undeclared(book),
            *_row_heights(book),
            *_chain_heights(book),
            *_duplicates(file),
            *_incomplete(file),
        ]
    return tuple(sorted(findings, key=lambda finding: (finding.line, finding.kind)))


def name_months(findings: Sequence[Finding], files: Sequence[ReserveFile]) -> tuple[Finding, ...]:
    """The findings; one about a height also names the file whose height it is, where another of the files has it.

    A height that other coin lines of the same file declare as well is that file's own and needs no explanation.
    """
    first: dict[int, str] = {}
    own = {file.name: Counter(coin.height for coin in file.coins) for file in files}
    for file in files:
        for coin in file.coins:
            if coin.height is not None:
                first.setdefault(coin.height, file.name)
    named = []
    for finding in findings:
        message = finding.message
        for text in (finding.declared, finding.computed):
            if finding.kind is Kind.HEIGHT and text is not None and own[finding.file][int(text)] <= 1:
                elsewhere = first.get(int(text), finding.file)
                message += "" if elsewhere == finding.file else f"; {text} is also a height of {elsewhere}"
        named.append(replace(finding, message=message))
    return tuple(named)


@dataclass(frozen=True, slots=True)
class _Book:
    """A file by label.

    ``declared``: each coin line with the rows it stands for. ``strays``: the rows of no coin line, by label.
    ``bases``: the coin whose total counts a label, None where no total does. ``counted``: coins whose total has lines.
    """

    name: str
    totals: Mapping[str, CoinLine]
    declared: Sequence[tuple[CoinLine, Sequence[AddressRow]]]
    strays: Mapping[str, Sequence[AddressRow]]
    bases: Mapping[str, str | None]
    counted: frozenset[str | None]

    def stray_rows(self, base: str) -> list[AddressRow]:
        """The rows that stand directly behind the total of a coin."""
        return [row for label, rows in self.strays.items() if self.bases[label] == base for row in rows]

    def found(self, at: CoinLine | AddressRow, kind: Kind, declared: object, computed: object, message: str) -> Finding:
        return Finding(self.name, at.line, at.asset, kind, _text(declared), _text(computed), message)


def _text(value: object) -> str | None:
    if isinstance(value, Decimal):
        return plain(value)
    return None if value is None else str(value)


def _arrange(file: ReserveFile) -> _Book:
    labels: dict[str, list[AddressRow]] = {}
    for row in file.rows:
        labels.setdefault(row.asset, []).append(row)
    wordings: dict[str, list[str]] = {}
    for label in labels:
        wordings.setdefault(_spelled(label), []).append(label)
    lined = {coin.asset for coin in file.coins}
    totals: dict[str, CoinLine] = {}
    declared: list[tuple[CoinLine, Sequence[AddressRow]]] = []
    taken: set[str] = set()
    for coin in file.coins:
        if total := _TOTAL.fullmatch(coin.asset):
            totals.setdefault(total[1], coin)
            continue
        group = wordings.get(_spelled(coin.asset), [])
        own = [label for label in group if label == coin.asset or label not in lined] or group
        taken.update(own)
        declared.append((coin, [row for label in own for row in labels[label]]))
    strays = {label: rows for label, rows in labels.items() if label not in taken}
    named = [*(coin.asset for coin, _ in declared), *strays]
    bases = {label: _base(label, totals) for label in named}
    counted = frozenset(bases[coin.asset] for coin, _ in declared)
    return _Book(file.name, totals, declared, strays, bases, counted)


def _base(label: str, totals: Iterable[str]) -> str | None:
    """The coin whose total counts this label: the longest that fits."""
    coin = label.partition("-")[0].upper()
    return max((base for base in totals if coin.endswith(base.upper())), key=len, default=None)


def _spelled(label: str) -> str:
    """The label with the chain named one way."""
    coin, dash, chain = label.partition("-")
    return coin + dash + _STANDARDS.get(chain.upper(), chain)


def _half_unit(figure: Decimal) -> Decimal:
    """How far a printed figure may be from the value it stands for."""
    exponent = figure.as_tuple().exponent
    assert isinstance(exponent, int), "a printed figure is finite"
    return Decimal(5).scaleb(exponent - 1)


def _balances(rows: Iterable[AddressRow]) -> list[Decimal]:
    return [row.balance for row in rows if row.balance is not None]


def _difference(declared: Decimal, parts: Sequence[Decimal]) -> tuple[Decimal, str] | None:
    """(sum, sentence) where the parts contradict the declared figure, None where rounding can explain them."""
    total = sum(parts, Decimal(0))
    bound = sum(map(_half_unit, parts), _half_unit(declared))
    difference = total - declared
    if abs(difference) <= bound:
        return None
    side = "more" if difference > 0 else "less"
    sentence = f"{plain(abs(difference))} {side}; the printed digits explain {plain(bound.normalize())} at most"
    if any(len(figure.as_tuple().digits) > _SPREADSHEET_DIGITS for figure in (declared, *parts)):
        sentence += f"; a spreadsheet keeps {_SPREADSHEET_DIGITS} digits, the file prints more"
    return total, sentence


def _totals(book: _Book) -> Iterator[Finding]:
    for base, total in book.totals.items():
        if base not in book.counted:
            yield from _beside_rows(book, total, book.stray_rows(base), Kind.TOTAL)
            continue
        members = [coin.balance for coin, _ in book.declared if book.bases[coin.asset] == base]
        wrong = _difference(total.balance, members)
        if wrong:
            what = f"its coin lines ({len(members)}) add up to {plain(wrong[0])}, {wrong[1]}"
            yield book.found(total, Kind.TOTAL, total.balance, wrong[0], what)


def _lines(book: _Book) -> Iterator[Finding]:
    for coin, rows in book.declared:
        if rows or coin.height is not None:
            yield from _beside_rows(book, coin, rows, Kind.BALANCE)
        if book.bases[coin.asset] is None:
            what = f"no total counts it: expected a line such as {coin.asset.partition('-')[0]}(ALL)"
            yield book.found(coin, Kind.NO_TOTAL, coin.balance, None, what)


def _beside_rows(book: _Book, coin: CoinLine, rows: Sequence[AddressRow], kind: Kind) -> Iterator[Finding]:
    balances = _balances(rows)
    wrong = _difference(coin.balance, balances)
    if wrong is None:
        return
    if balances:
        what = f"its address rows ({len(balances)}) add up to {plain(wrong[0])}, {wrong[1]}"
        yield book.found(coin, kind, coin.balance, wrong[0], what)
        return
    what = f"no address row stands behind it{_lookalike(book, coin)}"
    yield book.found(coin, Kind.NO_ROWS, coin.balance, wrong[0], what)


def _lookalike(book: _Book, coin: CoinLine) -> str:
    """A row of another label with the very figures of a line that has no rows: where to look, nothing more."""
    others = [
        *(row for _, rows in book.declared for row in rows),
        *(row for rows in book.strays.values() for row in rows),
    ]
    for row in others:
        if row.balance == coin.balance and row.height == coin.height:
            return f"; line {row.line} has this height and balance under {row.asset}"
    return ""


def _undeclared(book: _Book) -> Iterator[Finding]:
    for label, rows in book.strays.items():
        base = book.bases[label]
        balances = _balances(rows)
        if balances and (base is None or base in book.counted):
            total = sum(balances, Decimal(0))
            what = f"{_places(rows)}: {plain(total)} that no coin line declares"
            yield book.found(rows[0], Kind.NO_LINE, None, total, what)


def _places(rows: Sequence[AddressRow]) -> str:
    shown = ", ".join(str(row.line) for row in rows[:10])
    return f"line{'s' if len(rows) > 1 else ''} {shown}{' …' if len(rows) > 10 else ''}"


def _row_heights(book: _Book) -> Iterator[Finding]:
    """One finding for each height of a line's rows that is not the line's own."""
    for coin, rows in _with_totals(book):
        heights: dict[int | None, list[AddressRow]] = {}
        for row in rows:
            if row.balance is not None or row.height is not None:
                heights.setdefault(row.height, []).append(row)
        expected = coin.height if coin.height is not None else _most_common(heights)
        for height, at in heights.items():
            if height == expected:
                continue
            stands = "no height" if height is None else f"height {height}"
            says = "the other rows have" if coin.height is None else "the coin line says"
            what = f"{_places(at)} at {stands}; {says} {expected}"
            yield book.found(coin, Kind.HEIGHT, expected, height, what)


def _with_totals(book: _Book) -> Iterator[tuple[CoinLine, Sequence[AddressRow]]]:
    """Coin lines, and totals that stand over address rows directly, with their rows."""
    yield from book.declared
    for base, total in book.totals.items():
        if base not in book.counted:
            yield total, book.stray_rows(base)


def _most_common(heights: Mapping[int | None, Sequence[object]]) -> int | None:
    """The height of most rows; of the first where several have as many."""
    known = {height: len(rows) for height, rows in heights.items() if height is not None}
    return max(known, key=lambda height: known[height], default=None)


def _chain_heights(book: _Book) -> Iterator[Finding]:
    """Coins of one chain at another height than most of them: one snapshot has one height.

    Lines whose own rows already contradict them are left out: that height has its finding.
    """
    chains: dict[str, list[CoinLine]] = {}
    for coin, rows in _with_totals(book):
        own = {row.height for row in rows if row.balance is not None}
        if coin.height is not None and own <= {coin.height}:
            chains.setdefault(_chain(coin.asset), []).append(coin)
    for coins in chains.values():
        expected = Counter(coin.height for coin in coins).most_common(1)[0][0]
        for coin in coins:
            if coin.height != expected:
                first = next(each for each in coins if each.height == expected)
                what = f"its chain stands at {expected} elsewhere (line {first.line}, {first.asset})"
                yield book.found(coin, Kind.HEIGHT, coin.height, expected, what)


def _chain(label: str) -> str:
    total = _TOTAL.fullmatch(label)
    coin, _, chain = _spelled(total[1] if total else label).partition("-")
    return _CHAIN_OF.get(label) or chain or coin


def _duplicates(file: ReserveFile) -> Iterator[Finding]:
    lines: dict[str, CoinLine] = {}
    for coin in file.coins:
        first = lines.setdefault(coin.asset, coin)
        if first is not coin:
            what = f"the coin stands a second time, first on line {first.line}"
            yield _repeated(file, coin, first.balance, coin.balance, what)
    rows: dict[tuple[str, str], AddressRow] = {}
    for row in file.rows:
        if row.balance is None:
            continue
        before = rows.setdefault((row.asset, _same(row.address)), row)
        if before is not row:
            what = f"{row.address} stands a second time with a balance, first on line {before.line}"
            yield _repeated(file, row, before.balance, row.balance, what)


def _repeated(
    file: ReserveFile, at: CoinLine | AddressRow, first: Decimal | None, second: Decimal, message: str
) -> Finding:
    return Finding(file.name, at.line, at.asset, Kind.DUPLICATE, _text(first), plain(second), message)


def _same(address: str) -> str:
    """Hex addresses are the same in any case; every other kind tells cases apart."""
    return address.lower() if address[:2] in {"0x", "0X"} else address


def _incomplete(file: ReserveFile) -> Iterator[Finding]:
    for row in file.rows:
        if row.height is not None and row.balance is None:
            what = f"{row.address} has a height and no balance: the sum of its coin cannot be known"
            yield Finding(file.name, row.line, row.asset, Kind.NO_BALANCE, None, None, what)
