"""Units survive every place they are kept in, to the last unit, and nothing there adds them up but Python."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, insert, select
from sqlalchemy.dialects import postgresql

import monitor
from chains.core.values import BlockRef
from monitor import assess
from monitor.ledger import schema
from monitor.ledger.encode import (
    approval_from_json,
    approval_to_json,
    canonical,
    case_from_json,
    case_to_json,
    parse,
)
from monitor.ledger.types import Moment, Units
from monitor.model import Approval, Case, CaseState, Destination, Event, Severity, Tier
from tests.unit.assess.sample import AT, inputs

EDGES = [n + d for n in (0, 2**53, 2**63, 2**64) for d in (-1, 0, 1)] + [2**128, 2**256 - 1]
VALUES = [*EDGES, *(-value for value in EDGES)]
NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.mark.parametrize("units", VALUES)
def test_units_come_back_from_sqlite_as_they_went_in(units: int) -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        schema.metadata.create_all(connection)
        row = {"chain": "c", "wallet": "w", "asset": "A", "units": units}
        connection.execute(insert(schema.total).values(**row))
        assert connection.execute(select(schema.total.c.units)).scalar_one() == units
        stored = connection.exec_driver_sql("SELECT typeof(units), units FROM total").one()
        assert tuple(stored) == ("text", str(units))
    engine.dispose()


@pytest.mark.parametrize("wrong", [1.0, True, "1", 10**78, -(10**78)])
def test_what_is_no_whole_number_of_units_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="not base units"):
        Units().process_bind_param(wrong, create_engine("sqlite://").dialect)  # type: ignore[arg-type]


def test_units_are_a_78_digit_number_elsewhere() -> None:
    dialect = postgresql.dialect()
    assert str(Units().load_dialect_impl(dialect)) == "NUMERIC(78, 0)"
    assert Units().process_bind_param(2**256 - 1, dialect) == 2**256 - 1


@pytest.mark.parametrize("units", VALUES)
def test_units_survive_the_journal_of_an_approval_and_a_case(units: int) -> None:
    approval = Approval("w", "c", "A", units, "to", None, None, None, NOW, units, None, None, "d")
    assert approval_from_json(parse(canonical(approval_to_json(approval)))) == approval
    case = Case(
        "id",
        "residual",
        ("residual",),
        Severity.WARNING,
        CaseState.PENDING,
        NOW,
        chain="c",
        wallet="w",
        tier=Tier.COLD,
        asset="A",
        units=units,
        fee_asset="B",
        fee_units=units,
        destinations=(Destination("to", units, known=True),),
        txid="t",
        block=BlockRef("c", 1, "h", "p", 2),
        seen_at="seen",
        due_at=NOW + timedelta(microseconds=1),
        reorged_out=True,
        detected_after_ms=3,
        subject="s",
        value={"amount": "1.00"},
        evidence={"lines": [["to", str(units)]]},
        history=(Event(NOW, "opened", "porwatch", "日本"),),
    )
    assert case_from_json(parse(canonical(case_to_json(case)))) == case


@pytest.mark.parametrize("units", [value for value in VALUES if value >= 0])
def test_units_stand_in_a_verdict_to_the_last_one(units: int) -> None:
    line = assess.Line("cold", "XRP", units, 0)
    made = inputs({})
    found = replace(
        made,
        readings=(assess.Reading("c", ("XRP",), AT, (line,)),),
        books=replace(made.books, liabilities=(assess.Owed("XRP", units + 1, NOW),)),
    )
    body = parse(canonical(assess.verdict(assess.from_json(assess.canonical_bytes(found).decode()))))
    (position,) = (each for each in body["positions"] if each["asset"] == "XRP")
    assert int(position["held"].replace(".", "")) == units
    assert int(position["owed"].replace(".", "")) == units + 1
    assert [check["verdict"] for check in body["checks"] if check["asset"] == "XRP"] == ["BREACH"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_canonical_json_is_the_one_way_to_write_a_value(value: object) -> None:
    text = canonical(value)
    assert parse(text) == value
    assert canonical(parse(text)) == text
    assert "\n" not in text


@pytest.mark.parametrize("value", [1.0, {"a": [1, (2.5,)]}, [{"b": float("nan")}], {"c": float("inf")}])
def test_a_float_is_never_journalled(value: object) -> None:
    with pytest.raises(TypeError, match="a float cannot be journalled"):
        canonical(value)


@pytest.mark.parametrize("text", ["1.5", "[1e3]", '{"a": NaN}', "Infinity"])
def test_a_float_is_never_read_from_the_journal(text: str) -> None:
    with pytest.raises(ValueError, match="a float, which has no one way"):
        parse(text)


def test_a_type_that_json_does_not_know_is_refused() -> None:
    with pytest.raises(TypeError):
        canonical({"a": {1, 2}})


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=9))])))
def test_times_come_back_to_the_microsecond(moment: datetime) -> None:
    dialect = create_engine("sqlite://").dialect
    stored = Moment().process_bind_param(moment, dialect)
    assert Moment().process_result_value(stored, dialect) == moment


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        Moment().process_bind_param(NOW.replace(tzinfo=None), create_engine("sqlite://").dialect)


def test_sql_adds_no_units_up() -> None:
    sums = re.compile(r"func\.(sum|total|avg)\b|\bSUM\(|cast\(", re.IGNORECASE)
    folder = Path(monitor.__file__).parent
    found = [
        f"{path.relative_to(folder)}: {line.strip()}"
        for path in folder.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if sums.search(line) and "typing" not in line and re.search(r"func\.|SUM\(", line)
    ]
    assert not found


def test_units_columns_are_exactly_those_that_count_base_units() -> None:
    columns = {
        f"{t.name}.{c.name}" for t in schema.metadata.sorted_tables for c in t.columns if isinstance(c.type, Units)
    }
    assert columns == {
        "account.units",
        "approval.max_fee",
        "approval.units",
        "cases.units",
        "coin.units",
        "flow.fee",
        "flow.units",
        "movement.delta",
        "total.units",
    }
    assert json.loads(canonical({"k": 2**256})) == {"k": 2**256}
