"""What a report is made of, as data: a block has facts and tables, a table has columns, each of one kind.

The kinds decide how a value is checked, written as JSON Schema, printed and shown to whom; no printed form
knows a column by its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class View(StrEnum):
    """Who reads: the whole report (full), or one of its filters."""

    FULL = "full"
    REGULATOR = "regulator"
    AUDITOR = "auditor"
    TRUSTEE = "trustee"


class Kind(StrEnum):
    """What a value is.

    text: any Unicode, never markup. code: a word of a closed set, translated when printed. asset: a symbol of
    header.assets. amount: whole base units, a string; the asset stands in the same row. money: an exact decimal
    string, in header.currency or in the currency that the row names. ratio: an exact decimal string. time:
    RFC 3339 with offset. date: ISO 8601. count: a whole number ≥ 0. flag: how well a rule is known (true,
    secondary, false). verdict: PASS, BREACH, UNVERIFIED. hash: lower-case hex. address: a locator on a chain.
    customer: the identifier of a customer, withheld or replaced by a pseudonym according to the view.
    """

    TEXT = "text"
    CODE = "code"
    ASSET = "asset"
    AMOUNT = "amount"
    MONEY = "money"
    RATIO = "ratio"
    TIME = "time"
    DATE = "date"
    COUNT = "count"
    FLAG = "flag"
    VERDICT = "verdict"
    HASH = "hash"
    ADDRESS = "address"
    CUSTOMER = "customer"


ALL_VIEWS = frozenset(View)
#: those who may see a row about one customer: the auditor by pseudonym
PER_CUSTOMER = frozenset({View.FULL, View.AUDITOR, View.TRUSTEE})
#: how keys are kept tells a thief where to go: only who takes over sees it
HANDOVER = frozenset({View.FULL, View.TRUSTEE})


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, or one fact of a block.

    ``null``: whether the value may be null (unknown, or does not apply). ``of``: for an amount the column of
    its asset, for money the column of its currency ("" is header.currency). ``codes``: the closed set of a code.
    ``views``: who sees it. ``paper``: whether the PDF prints it; CSV and XLSX print every column.
    """

    id: str
    kind: Kind
    null: bool = False
    of: str = ""
    codes: tuple[str, ...] = ()
    views: frozenset[View] = ALL_VIEWS
    paper: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one shape. ``paper_rows``: how many the PDF prints at most; CSV and XLSX hold every row."""

    id: str
    columns: tuple[Column, ...]
    views: frozenset[View] = ALL_VIEWS
    paper_rows: int = 200

    def seen_by(self, view: View) -> tuple[Column, ...]:
        """The columns that ``view`` shows, in order."""
        return tuple(column for column in self.columns if view in column.views)


@dataclass(frozen=True, slots=True)
class Block:
    """One section of the report. ``optional``: it may be absent; every other block always stands there."""

    id: str
    facts: tuple[Column, ...]
    tables: tuple[Table, ...]
    optional: bool = False
    views: frozenset[View] = ALL_VIEWS

    def facts_seen_by(self, view: View) -> tuple[Column, ...]:
        """The facts that ``view`` shows, in order."""
        return tuple(fact for fact in self.facts if view in fact.views)

    def tables_seen_by(self, view: View) -> Iterator[Table]:
        """The tables that ``view`` shows, in order."""
        return (table for table in self.tables if view in table.views)


def text(id: str, *, null: bool = False, paper: bool = True) -> Column:
    """A column of free text."""
    return Column(id, Kind.TEXT, null, paper=paper)


def code(id: str, codes: tuple[str, ...], *, null: bool = False, paper: bool = True) -> Column:
    """A column of words of a closed set."""
    return Column(id, Kind.CODE, null, codes=codes, paper=paper)


def asset(id: str = "asset", *, null: bool = False) -> Column:
    """A column of asset symbols."""
    return Column(id, Kind.ASSET, null)


def amount(id: str, *, null: bool = False, of: str = "asset", paper: bool = True) -> Column:
    """A column of base units of the asset in column ``of``."""
    return Column(id, Kind.AMOUNT, null, of=of, paper=paper)


def money(id: str, *, null: bool = False, of: str = "", paper: bool = True) -> Column:
    """A column of money in header.currency, or in the currency in column ``of``."""
    return Column(id, Kind.MONEY, null, of=of, paper=paper)


def ratio(id: str, *, null: bool = False, paper: bool = True) -> Column:
    """A column of exact decimals without a unit."""
    return Column(id, Kind.RATIO, null, paper=paper)


def time(id: str, *, null: bool = False, paper: bool = True) -> Column:
    """A column of instants."""
    return Column(id, Kind.TIME, null, paper=paper)


def date(id: str, *, null: bool = False, paper: bool = True) -> Column:
    """A column of days."""
    return Column(id, Kind.DATE, null, paper=paper)


def count(id: str, *, null: bool = False, paper: bool = True) -> Column:
    """A column of whole numbers."""
    return Column(id, Kind.COUNT, null, paper=paper)


def flag(id: str = "verified", *, null: bool = False) -> Column:
    """A column that says how well a rule is known."""
    return Column(id, Kind.FLAG, null)


def verdict(id: str = "verdict", *, null: bool = False) -> Column:
    """A column of verdicts."""
    return Column(id, Kind.VERDICT, null)


def digest(id: str, *, null: bool = False, paper: bool = True) -> Column:
    """A column of hashes."""
    return Column(id, Kind.HASH, null, paper=paper)


def address(id: str = "address", *, null: bool = False, paper: bool = True) -> Column:
    """A column of locators on a chain."""
    return Column(id, Kind.ADDRESS, null, paper=paper)


def customer() -> Column:
    """The column of customer identifiers."""
    return Column("customer", Kind.CUSTOMER, views=PER_CUSTOMER)
