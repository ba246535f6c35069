"""Who sees what: no customer in the regulator's view, pseudonyms for the examiner, everything for the trustee."""

from __future__ import annotations

import copy
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from monitor.ledger.encode import canonical
from monitor.publish.report.fields import Kind, View
from monitor.publish.report.forms import render
from monitor.publish.report.schema import BLOCKS, ReportInvalid, tables_of, validate
from monitor.publish.report.views import CustomerLeft, hash_of, pseudonym, view_of

from .reading import everything

KEY = b"an examiner's secret of 32 bytes"


def customers_of(report: dict[str, Any]) -> set[str]:
    return {
        row[column.id]
        for block, table, columns in tables_of(View.FULL)
        for column in columns
        if column.kind is Kind.CUSTOMER
        for row in report["blocks"][block.id]["tables"][table.id]
    }


@pytest.mark.parametrize("view", [View.REGULATOR, View.AUDITOR])
def test_no_byte_of_any_form_names_a_customer_to_regulator_or_examiner(
    sample: dict[str, Any], tmp_path: Path, view: View
) -> None:
    customers = customers_of(sample)
    assert len(customers) >= 4
    render(view_of(sample, view, pseudonym_key=KEY), ["ja"], tmp_path)
    found = everything(tmp_path)
    assert [customer for customer in customers if customer in found] == []
    pseudonyms = {pseudonym(KEY, customer) for customer in customers}
    assert all(name in found for name in pseudonyms) == (view is View.AUDITOR)


def test_the_trustee_sees_every_customer_the_addresses_and_who_holds_the_keys(
    sample: dict[str, Any], tmp_path: Path
) -> None:
    render(view_of(sample, View.TRUSTEE), ["ja"], tmp_path)
    found = everything(tmp_path)
    assert all(customer in found for customer in customers_of(sample))
    for word in ("鍵の保有者", "holders 0", "0x" + "0" * 40):
        assert word in found


def test_how_keys_are_kept_is_shown_to_nobody_else(sample: dict[str, Any]) -> None:
    assert "key_custody" in view_of(sample, View.TRUSTEE)["blocks"]
    for view in (View.REGULATOR, View.AUDITOR):
        assert "key_custody" not in view_of(sample, view, pseudonym_key=KEY)["blocks"]


def test_a_view_names_the_report_that_it_was_taken_from(sample: dict[str, Any]) -> None:
    before = copy.deepcopy(sample)
    header = view_of(sample, View.REGULATOR)["header"]
    assert header["parent"] == sha256(canonical(sample).encode()).hexdigest() == hash_of(sample)
    assert (header["view"], sample["header"]["parent"]) == ("regulator", None)
    assert sample == before
    assert view_of(sample, View.FULL) == sample


@pytest.mark.parametrize("view", [View.REGULATOR, View.AUDITOR])
@pytest.mark.parametrize("note", ["cust-0000042", "paid back to cust-0000042, by hand", "（利用者:cust-0000042）"])
def test_a_note_that_names_a_customer_stops_the_view(sample: dict[str, Any], view: View, note: str) -> None:
    report = copy.deepcopy(sample)
    report["blocks"]["liabilities"]["tables"]["per_asset"][0]["note"] = note
    with pytest.raises(CustomerLeft, match=r"blocks\.liabilities\.tables\.per_asset\[0\]\.note"):
        view_of(report, view, pseudonym_key=KEY)
    view_of(report, View.TRUSTEE)


@pytest.mark.parametrize("key", [None, b"", b"short"])
def test_pseudonyms_without_a_secret_are_refused(sample: dict[str, Any], key: bytes | None) -> None:
    with pytest.raises(ValueError, match="secret key"):
        view_of(sample, View.AUDITOR, pseudonym_key=key)


def test_a_view_of_a_view_is_refused(sample: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="full report only"):
        view_of(view_of(sample, View.REGULATOR), View.TRUSTEE)


def test_a_customers_column_smuggled_into_a_view_is_refused(sample: dict[str, Any]) -> None:
    report = view_of(sample, View.REGULATOR)
    report["blocks"]["liabilities"]["tables"]["negative"] = sample["blocks"]["liabilities"]["tables"]["negative"]
    with pytest.raises(ReportInvalid, match="negative: is not a key"):
        validate(report)


def test_every_customers_column_stands_in_a_table_or_place_that_the_regulator_never_sees() -> None:
    for block in BLOCKS:
        for item in (*block.facts, *(column for table in block.tables for column in table.columns)):
            assert item.kind is not Kind.CUSTOMER or View.REGULATOR not in item.views
