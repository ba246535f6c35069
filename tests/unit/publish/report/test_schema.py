"""The report object is exactly what its one declaration says."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings

from monitor.ledger.encode import canonical, parse
from monitor.publish.report.fields import Kind
from monitor.publish.report.schema import BLOCKS, ReportInvalid, json_schema, validate
from monitor.shipped import shipped

from .chance import reports
from .samples import full_report


def problems(report: Any) -> tuple[str, ...]:
    with pytest.raises(ReportInvalid) as caught:
        validate(report)
    return caught.value.problems


def changed(path: str, value: Any) -> Any:
    """The sample with one value set; the last step of the path may be new."""
    report = copy.deepcopy(full_report())
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    place: Any = report
    for step in steps:
        place = place[step]
    place[last] = value
    return report


def test_the_sample_is_a_report() -> None:
    validate(full_report())


@settings(max_examples=25, deadline=None)
@given(report=reports())
def test_any_report_of_allowed_values_survives_its_canonical_form(report: Any) -> None:
    validate(report)
    assert parse(canonical(report)) == report


def test_the_published_schema_is_the_declared_one() -> None:
    published = shipped("config", "report.schema.json").read_text(encoding="utf-8")
    assert published == json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", "run python -m tools.reference"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("extra", 1, "report.extra: is not a key of the report"),
        ("header/colour", "red", "header.colour: is not a key of the report"),
        ("header/entity/name", None, "header.entity.name: must not be null"),
        ("header/approved_by", "山田　花子", "stands together with approved_at"),
        ("header/currency", "yen", "is not an ISO 4217 code"),
        ("header/timezone", "Asia/Edo", "is not a time zone"),
        ("header/timezone", "../../etc/passwd", "is not a time zone"),
        ("header/business_date", "1868-12-31", "outside the years 1869 to 9998"),
        ("header/as_of", "9999-12-31T23:59:59-12:00", "outside the years 1869 to 9998"),
        ("header/period/to", "2026-07-01T00:00:00+09:00", "must end after it begins"),
        ("header/view", "regulator", "header.parent"),
        ("header/assets/BTC/decimals", 8.0, "header.assets.BTC.decimals"),
        ("header/assets/BTC/decimals", True, "header.assets.BTC.decimals"),
        (
            "blocks/assets/tables/addresses/3/quantity",
            15,
            "blocks.assets.tables.addresses[3].quantity: must be a string",
        ),
        ("blocks/assets/tables/addresses/3/quantity", "1.5", "whole number of base units"),
        ("blocks/assets/tables/addresses/3/quantity", "-0", "whole number of base units"),
        ("blocks/assets/tables/addresses/3/asset", "DOGE", "'DOGE' is not in header.assets"),
        ("blocks/assets/tables/addresses/3/tier", "lukewarm", "is none of cold, warm, hot"),
        ("blocks/assets/tables/addresses/3/colour", "red", "addresses[3].colour: is not a key of the report"),
        ("blocks/assets/facts/value", "1e9", "an exact decimal"),
        ("blocks/assets/facts/value", "-0.00", "must not be minus zero"),
        ("blocks/assets/facts/addresses", True, "is not a whole number"),
        ("blocks/assets/tables/stated/0/as_of", "2026-02-30T00:00:00Z", "is not in the calendar"),
        ("blocks/assets/tables/stated/0/as_of", "2026-02-28T00:00:00", "a time with offset"),
        ("blocks/assets/tables/stated/0/custodian", "\ud800", "half a character"),
        ("blocks/assets/tables/stated/0/custodian", "x" * 3001, "has 3001 characters"),
        ("blocks/reserve/tables/guarantee/0/verdict", "OK", "is none of PASS, BREACH, UNVERIFIED"),
        ("blocks/fiat/tables", [], "blocks.fiat.tables: must be an object"),
        ("blocks/fiat/tables/trusts", {}, "must be a list of rows"),
        ("schema", "porwatch-report-0", "is not known here"),
    ],
)
def test_what_is_not_declared_is_refused_with_its_place(path: str, value: Any, said: str) -> None:
    assert any(said in problem for problem in problems(changed(path, value)))


def test_a_missing_block_table_or_cell_is_refused() -> None:
    report = full_report()
    del report["blocks"]["fiat"]
    assert problems(report) == ("blocks.fiat: is missing",)
    report = full_report()
    del report["blocks"]["fiat"]["tables"]["trusts"]
    assert problems(report) == ("blocks.fiat.tables.trusts: is missing",)
    report = full_report()
    del report["blocks"]["fiat"]["tables"]["trusts"][0]["verdict"]
    assert problems(report) == ("blocks.fiat.tables.trusts[0].verdict: is missing",)


def test_only_the_optional_blocks_may_be_absent() -> None:
    report = full_report()
    for block in BLOCKS:
        if block.optional:
            del report["blocks"][block.id]
    validate(report)


@pytest.mark.parametrize("name", ["山田花子", "山田　花子", " 山田 花子"])
def test_nobody_approves_their_own_report(name: str) -> None:
    report = full_report()
    report["header"] |= {"approved_by": name, "approved_at": "2026-10-02T11:00:00+09:00"}
    assert any("another person" in problem for problem in problems(report))


def test_an_amount_without_its_asset_is_refused() -> None:
    report = full_report()
    report["blocks"]["exceptions"]["tables"]["cases"][0] |= {"asset": None, "gap": "5"}
    assert any("an amount needs its asset" in problem for problem in problems(report))


def test_a_report_of_a_thousand_mistakes_names_a_hundred() -> None:
    report = full_report(addresses=1000)
    for address in report["blocks"]["assets"]["tables"]["addresses"]:
        address["quantity"] = None if address["tier"] == "hot" else 7
    assert len(problems(report)) == 100


def test_ids_are_unique_and_every_amount_names_a_column_of_its_table() -> None:
    assert len({block.id for block in BLOCKS}) == len(BLOCKS)
    for block in BLOCKS:
        for table in block.tables:
            ids = [column.id for column in table.columns]
            assert len(set(ids)) == len(ids)
            for column in table.columns:
                assert column.kind is not Kind.AMOUNT or column.of in ids, (block.id, table.id, column.id)
                assert not column.of or column.of in ids
        assert all(fact.kind is not Kind.AMOUNT for fact in block.facts)


def test_the_published_schema_refers_only_to_what_it_defines() -> None:
    text = json.dumps(json_schema())
    named = {reference.split('"')[0] for reference in text.split("#/$defs/")[1:]}
    assert named <= set(json_schema()["$defs"])
