from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.books import BooksError, read_declared
from monitor.books.declared import COUNTS, DATES, FIGURES
from monitor.reserve import Risk

DECIMALS = {"BTC": 8, "USDT": 6}
SHIPPED = Path(__file__).parents[3] / "config" / "books" / "declared.yaml"
BASE: dict[str, Any] = {"as_of": "2026-11-21T15:00:00Z", "currency": "JPY"}


def book(folder: Path, **keys: Any) -> Path:
    path = folder / "declared.yaml"
    path.write_text(yaml.safe_dump({**BASE, **keys}, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def test_what_was_not_declared_is_not_there(tmp_path: Path, now: datetime) -> None:
    found = read_declared(book(tmp_path), DECIMALS, now)
    assert (found.figures, found.dates, found.counts, found.volumes) == ({}, {}, {}, {})
    assert (found.general_ledger, found.risks, found.fiscal_year) == ({}, {}, None)


def test_every_name_that_a_rule_may_use_is_read(tmp_path: Path, now: datetime) -> None:
    file = book(
        tmp_path,
        figures={name: f"{index}.5" for index, name in enumerate(FIGURES)},
        dates=dict.fromkeys(DATES, "2026-03-31"),
        counts=dict.fromkeys(COUNTS, 501),
    )
    found = read_declared(file, DECIMALS, now)
    assert found.figures == {name: Decimal(f"{index}.5") for index, name in enumerate(FIGURES)}
    assert found.dates == dict.fromkeys(DATES, date(2026, 3, 31))
    assert found.counts == dict.fromkeys(COUNTS, 501)


def test_net_assets_may_be_below_zero(tmp_path: Path, now: datetime) -> None:
    found = read_declared(book(tmp_path, figures={"net_assets": "-3", "own_funds": "-0.5"}), DECIMALS, now)
    assert found.figures == {"net_assets": Decimal(-3), "own_funds": Decimal("-0.5")}


def test_volumes_are_by_product_and_year(tmp_path: Path, now: datetime) -> None:
    volumes = {"2026": {"spot": "3", "margin": "6"}, "2025": {"spot": "2"}}
    found = read_declared(book(tmp_path, currency="USD", fiscal_year=2026, volumes=volumes), DECIMALS, now)
    assert found.volumes == {"spot": {2026: Decimal(3), 2025: Decimal(2)}, "margin": {2026: Decimal(6)}}


def test_the_general_ledger_is_in_base_units(tmp_path: Path, now: datetime) -> None:
    found = read_declared(book(tmp_path, general_ledger={"BTC": "120.50000001", "USDT": "0"}), DECIMALS, now)
    assert found.general_ledger == {"BTC": 12_050_000_001, "USDT": 0}


def test_the_shipped_example_declares_every_risk(now: datetime) -> None:
    found = read_declared(SHIPPED, {"BTC": 8, "ETH": 18, "USDT": 6, "XRP": 6}, now)
    assert found.risks == dict.fromkeys(Risk, False)
    assert set(found.volumes) == {"spot", "margin"}


LEI = "529900T8BM49AURSDO55"


def test_a_lei_has_its_check_digits(tmp_path: Path, now: datetime) -> None:
    assert read_declared(book(tmp_path, parties={"lei": LEI}), DECIMALS, now).parties.lei == LEI


@pytest.mark.parametrize(
    ("keys", "key", "fragment"),
    [
        ({"as_of": "2027-11-21T15:00:00Z"}, "as_of", "future"),
        ({"currency": None}, "currency", "an empty value"),
        ({"figures": {"net_assets": 3}}, "figures.net_assets", "put it in quotes"),
        ({"figures": {"net_asset": "3"}}, "figures.net_asset", "did you mean net_assets?"),
        ({"figures": {"fixed_overheads": "-1"}}, "figures.fixed_overheads", "zero or more"),
        ({"figures": {"fixed_overheads": "1,000"}}, "figures.fixed_overheads", "plain decimal"),
        ({"dates": {"last_statement": "2026-11-24"}}, "dates.last_statement", "in the future"),
        ({"dates": {"last_statement": "31.3.2026"}}, "dates.last_statement", "year-month-day"),
        ({"counts": {"texas_customers": -1}}, "counts.texas_customers", "-1"),
        ({"counts": {"texas_customers": "12"}}, "counts.texas_customers", "whole number"),
        ({"volumes": {"2026": {"spot": "1"}}}, "volumes", "needs fiscal_year"),
        ({"fiscal_year": 2025, "volumes": {"2026": {"spot": "1"}}}, "volumes.2026", "after fiscal_year 2025"),
        ({"fiscal_year": 2026, "volumes": {"26": {"spot": "1"}}}, "volumes.26", "no fiscal year"),
        ({"fiscal_year": 2026, "volumes": {"2026": {"Spot": "1"}}}, "volumes.2026.Spot", "no kind of product"),
        ({"fiscal_year": 2026, "volumes": {"2026": {"spot": "-1"}}}, "volumes.2026.spot", "zero or more"),
        ({"fiscal_year": "2026"}, "fiscal_year", "whole number"),
        ({"general_ledger": {"XRP": "1"}}, "general_ledger.XRP", "not defined under assets"),
        ({"general_ledger": {"BTC": "0.000000001"}}, "general_ledger.BTC", "more than 8 decimals"),
        ({"general_ledger": {"BTC": "-1"}}, "general_ledger.BTC", "zero or more"),
        ({"risks": {"no_drills": False}}, "risks.no_drills", "'no_drill'"),
        ({"risks": {"no_drill": 0}}, "risks.no_drill", "true or false"),
        ({"parties": {"lei": LEI[:-1] + "6"}}, "parties.lei", "ISO 17442"),
        ({"parties": {"lei": "５" * 20}}, "parties.lei", "ISO 17442"),
        ({"parties": {"prepared_by": "A", "approved_by": "A"}}, "parties.approved_by", "second person"),
        ({"parties": {"chief_executive": "A", "chief_financial": "A"}}, "parties.chief_financial", "two people"),
        ({"net_assets": "3"}, "net_assets", "unknown key"),
    ],
)
def test_a_figure_that_cannot_be_meant_is_a_mistake_at_its_key(
    tmp_path: Path, now: datetime, keys: dict[str, Any], key: str, fragment: str
) -> None:
    with pytest.raises(BooksError) as caught:
        read_declared(book(tmp_path, **keys), DECIMALS, now)
    found = {mistake.key: mistake.message for mistake in caught.value.mistakes}
    assert fragment in found[key], found
    assert len(found) == 1, found
