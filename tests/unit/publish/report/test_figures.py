"""Every figure is the same in every form, whatever its size."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from chains.core.amounts import format_coins
from monitor.ledger.encode import parse
from monitor.publish.report.cells import NUMBERS, grouped
from monitor.publish.report.fields import Column, Kind, View
from monitor.publish.report.forms import render
from monitor.publish.report.schema import tables_of
from monitor.publish.report.words import words

from .chance import reports
from .reading import csv_lines, pdf_text, workbook
from .samples import full_report

LARGEST = 2**256 - 1


def figure(column: Column, row: dict[str, Any], report: dict[str, Any]) -> Decimal | None:
    """The figure that a cell of the canonical report means, worked out apart from the forms."""
    value = row[column.id]
    if value is None:
        return None
    if column.kind is Kind.AMOUNT:
        return Decimal(format_coins(int(value), report["header"]["assets"][row[column.of]]["decimals"]))
    return Decimal(value)


def compare(report: dict[str, Any], folder: Path, language: str) -> int:
    """Compares every number of every table in all forms; how many were compared."""
    compared = 0
    book, text = workbook(folder / language / "report.xlsx"), pdf_text(folder / language / "report.pdf")
    sheets = {name[3:]: rows for name, rows in book.items()}
    for block, table, columns in tables_of(View.FULL):
        place = f"{block.id}.{table.id}"
        rows = report["blocks"][block.id]["tables"][table.id]
        lines = csv_lines(folder / language / "csv" / f"{place}.csv")
        sheet = sheets[words(language).tables[place][:28]]
        assert len(lines) == len(rows) + 1
        for column in columns:
            if column.kind not in NUMBERS | {Kind.COUNT}:
                continue
            label = words(language).column(column.id, place)
            at, cell = lines[0].index(label), sheet[1].index(label)
            for index, row in enumerate(rows):
                expected = figure(column, row, report)
                if expected is None:
                    assert lines[index + 1][at] == ""
                    continue
                assert Decimal(lines[index + 1][at]) == expected
                exact = sheet[index + 2][cell]
                assert Decimal(str(exact)) == expected
                assert isinstance(exact, int) if column.kind is Kind.COUNT else isinstance(exact, str)
                if column.kind in NUMBERS and column.paper:
                    assert float(sheet[index + 2][cell + 1]) == float(expected)  # type: ignore[arg-type]
                if column.paper and index < table.paper_rows:
                    assert grouped(f"{expected:f}") in text, (place, column.id)
                compared += 1
    return compared


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_number_of_the_sample_is_the_same_in_json_csv_xlsx_and_pdf(
    sample: dict[str, Any], printed: Path, language: str
) -> None:
    assert parse((printed / "report.json").read_text(encoding="utf-8")) == sample
    assert compare(sample, printed, language) > 600


@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(report=reports())
def test_every_number_of_any_report_is_the_same_in_all_forms(
    report: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    render(report, ["en"], folder)
    assert compare(report, folder, "en")


def test_the_largest_amount_keeps_all_its_digits_everywhere(tmp_path: Path) -> None:
    report = full_report(addresses=1)
    report["header"]["assets"]["ETH"]["decimals"] = 18
    for block, table, columns in tables_of(View.FULL):
        for row in report["blocks"][block.id]["tables"][table.id]:
            for column in columns:
                if column.kind is Kind.AMOUNT and row[column.of] is not None:
                    row[column.id] = str(LARGEST)
    for row in report["blocks"]["reconciliation"]["tables"]["flows"]:
        row["value"] = str(LARGEST) + ".000000000000000001"
    render(report, ["en"], tmp_path)
    assert compare(report, tmp_path, "en") > 100
    shown = "115,792,089,237,316,195,423,570,985,008,687,907,853,269,984,665,640,564,039,457.584007913129639935"
    assert shown in pdf_text(tmp_path / "en/report.pdf")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("0", "0"),
        ("-0.50", "−0.5"),
        ("1234567.890", "1,234,567.89"),
        ("1000", "1,000"),
        ("0.000000000000000001", "0.000000000000000001"),
    ],
)
def test_a_grouped_figure_loses_no_digit(text: str, read: str) -> None:
    assert grouped(text) == read


def test_a_long_table_prints_its_first_rows_and_says_where_the_rest_is(tmp_path: Path) -> None:
    report = full_report(addresses=450)
    render(report, ["en"], tmp_path)
    text = pdf_text(tmp_path / "en/report.pdf")
    assert "200of450rowsareprintedhere.Allofthemareincsv/assets.addresses.csv." in text
    assert len(csv_lines(tmp_path / "en/csv/assets.addresses.csv")) == 451
    assert f"0x{199:040x}" in text
    assert f"0x{200:040x}" not in text
