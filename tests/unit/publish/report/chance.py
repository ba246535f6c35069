"""Reports by chance: any value that the schema allows."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import strategies as st

from monitor.publish.report.fields import Column, Kind
from monitor.publish.report.schema import BLOCKS

from .samples import DECIMALS, Json, full_report

_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
_DECIMAL = st.builds(lambda whole, part: f"{whole}.{part:04d}", st.integers(1, 10**40), st.integers(0, 9999))
_VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: _TEXT,
    Kind.ASSET: st.sampled_from(sorted(DECIMALS)),
    Kind.AMOUNT: st.integers(-(2**256), 2**256 - 1).map(str),
    Kind.MONEY: _DECIMAL,
    Kind.RATIO: _DECIMAL,
    Kind.TIME: st.dates(date(1900, 1, 2)).map(lambda day: f"{day.isoformat()}T23:59:59+09:00"),
    Kind.DATE: st.dates(date(1900, 1, 1)).map(lambda d: d.isoformat()),
    Kind.COUNT: st.integers(0, 2**53 - 1),
    Kind.FLAG: st.sampled_from(("true", "secondary", "false")),
    Kind.VERDICT: st.sampled_from(("PASS", "BREACH", "UNVERIFIED")),
    Kind.HASH: st.binary(min_size=32, max_size=32).map(bytes.hex),
    Kind.ADDRESS: _TEXT.filter(bool),
    Kind.CUSTOMER: st.integers(0, 10**6).map(lambda n: f"kunde-{n:07d}-id"),
}


def values_of(column: Column) -> st.SearchStrategy[Any]:
    """Any value that the column may hold; an asset is never null, for amounts need theirs."""
    values = st.sampled_from(column.codes) if column.kind is Kind.CODE else _VALUES[column.kind]
    return st.none() | values if column.null and column.kind is not Kind.ASSET else values


@st.composite
def reports(draw: st.DrawFn) -> Json:
    """The sample with one table and one block's facts of values that are any that the schema allows."""
    report = full_report(addresses=1)
    block = draw(st.sampled_from(BLOCKS))
    table = draw(st.sampled_from(block.tables))
    shape = st.fixed_dictionaries({column.id: values_of(column) for column in table.columns})
    body = report["blocks"][block.id]
    body["tables"][table.id] = draw(st.lists(shape, min_size=1, max_size=2))
    body["facts"] = draw(st.fixed_dictionaries({fact.id: values_of(fact) for fact in block.facts}))
    return report
