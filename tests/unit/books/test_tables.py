from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.books import BooksError, Statement, read_liabilities, read_prices, read_statements
from monitor.model import Liability, Owner, Price, Tier

DECIMALS = {"BTC": 8, "USDT": 6}
AS_OF = datetime(2026, 11, 21, 15, tzinfo=UTC)


def book(folder: Path, text: str | bytes) -> Path:
    path = folder / "book"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_liabilities_are_exact_and_at_their_own_time(tmp_path: Path, now: datetime) -> None:
    text = "\ufeffasset,amount,as_of\r\nBTC,0.00000001,2026-11-22T00:00:00+09:00\r\nUSDT,0,2026-11-21T15:00:00.000000001Z\r\n\r\n"
    found = read_liabilities(book(tmp_path, text), DECIMALS, now)
    assert found == (Liability("BTC", 1, AS_OF), Liability("USDT", 0, AS_OF))


def test_prices_keep_their_text(tmp_path: Path, now: datetime) -> None:
    text = "asset,currency,price,as_of\nBTC,JPY,12500000.50,2026-11-21T15:00:00Z\nBTC,USD,85000,2026-11-21T15:00:00Z\n"
    found = read_prices(book(tmp_path, text), DECIMALS, now)
    assert found == (Price("BTC", "JPY", "12500000.50", AS_OF), Price("BTC", "USD", "85000", AS_OF))


def test_statements_name_owner_and_tier(tmp_path: Path, now: datetime) -> None:
    text = 'custodian,asset,amount,as_of,owner,tier\n"Trust, Bank",BTC,1,2026-11-21T15:00:00Z,guarantee,cold\n'
    found = read_statements(book(tmp_path, text), DECIMALS, now)
    assert found == (Statement("Trust, Bank", "BTC", 100_000_000, AS_OF, Owner.GUARANTEE, Tier.COLD),)


def test_another_currency_has_a_price_too(tmp_path: Path, now: datetime) -> None:
    text = "asset,currency,price,as_of\nUSD,JPY,149.8,2026-11-21T15:00:00Z\n"
    assert read_prices(book(tmp_path, text), DECIMALS, now) == (Price("USD", "JPY", "149.8", AS_OF),)


@pytest.mark.parametrize(
    ("asset", "fragment"),
    [("JPY", "remove the line"), ("BTQ", "not defined under assets"), ("usd", "not defined under assets")],
)
def test_a_price_of_neither_an_asset_nor_a_currency_is_a_mistake(
    tmp_path: Path, now: datetime, asset: str, fragment: str
) -> None:
    text = f"asset,currency,price,as_of\n{asset},JPY,1,2026-11-21T15:00:00Z\n"
    with pytest.raises(BooksError) as caught:
        read_prices(book(tmp_path, text), DECIMALS, now)
    (mistake,) = caught.value.mistakes
    assert (mistake.line, mistake.key) == (2, "asset")
    assert fragment in mistake.message


def test_a_currency_is_owed_and_stated_nowhere(tmp_path: Path, now: datetime) -> None:
    with pytest.raises(BooksError, match="not defined under assets"):
        read_liabilities(book(tmp_path, "asset,amount,as_of\nUSD,1,2026-11-21T15:00:00Z\n"), DECIMALS, now)


@pytest.mark.parametrize(
    ("text", "line", "key", "fragment"),
    [
        ("", 1, "header", "the file is empty"),
        ("asset,amount,as_of\n", 1, "file", "has no rows"),
        ("asset;amount;as_of\n", 1, "header", "must be asset,amount,as_of"),
        ("asset,amount,as_of,note\n", 1, "header", "must be"),
        ("asset,amount,as_of\nBTC,1\n", 2, "line", "2 columns instead of 3"),
        ("asset,amount,as_of\n\nBTC,1.5e1,2026-11-21T15:00:00Z\n", 3, "amount", "plain decimal"),
        ("asset,amount,as_of\nBTC,0.000000001,2026-11-21T15:00:00Z\n", 2, "amount", "more than 8 decimals"),
        ("asset,amount,as_of\nBTC,-1,2026-11-21T15:00:00Z\n", 2, "amount", "zero or more"),
        ("asset,amount,as_of\nBTC,-0,2026-11-21T15:00:00Z\n", 2, "amount", "zero or more"),
        ('asset,amount,as_of\nBTC,"1,000",2026-11-21T15:00:00Z\n', 2, "amount", "plain decimal"),
        ("asset,amount,as_of\nbtc,1,2026-11-21T15:00:00Z\n", 2, "asset", "not defined"),
        ("asset,amount,as_of\nBTC,1,2026-11-21\n", 2, "as_of", "RFC 3339"),
        ("asset,amount,as_of\nBTC,1,2027-01-01T00:00:00Z\n", 2, "as_of", "future"),
        ('asset,amount,as_of\nBTC,"1,2026\n', 2, "line", "not CSV"),
        (b"asset,amount,as_of\nBTC,\xff,2026\n", 2, "file", "not UTF-8"),
        (b"x" * (16 * 1024 * 1024 + 1), 1, "file", "larger than"),
    ],
)
def test_one_mistake_refuses_the_whole_file_and_names_the_line(
    tmp_path: Path, now: datetime, text: str | bytes, line: int, key: str, fragment: str
) -> None:
    with pytest.raises(BooksError) as caught:
        read_liabilities(book(tmp_path, text), DECIMALS, now)
    (mistake,) = caught.value.mistakes
    assert (mistake.line, mistake.key) == (line, key), str(mistake)
    assert fragment in mistake.message


def test_an_asset_twice_is_a_mistake_and_every_bad_line_is_named(tmp_path: Path, now: datetime) -> None:
    rows = [
        "BTC,1,2026-11-21T15:00:00Z",
        "BTC,2,2026-11-21T15:00:00Z",
        "XRP,1,2026-11-21T15:00:00Z",
        "USDT,x,2026-11-21T15:00:00Z",
    ]
    with pytest.raises(BooksError) as caught:
        read_liabilities(book(tmp_path, "\n".join(["asset,amount,as_of", *rows])), DECIMALS, now)
    assert [(mistake.line, mistake.key) for mistake in caught.value.mistakes] == [
        (3, "asset"),
        (4, "asset"),
        (5, "amount"),
    ]


def test_a_missing_book_is_an_error(tmp_path: Path, now: datetime) -> None:
    with pytest.raises(BooksError, match="cannot be read"):
        read_liabilities(tmp_path / "nowhere", DECIMALS, now)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_after_the_header_are_read_or_refused(tmp_path: Path, now: datetime, raw: bytes) -> None:
    try:
        found: tuple[object, ...] = read_liabilities(book(tmp_path, b"asset,amount,as_of\n" + raw), DECIMALS, now)
    except BooksError as error:
        found = error.mistakes
    assert found


@given(st.dictionaries(st.sampled_from(sorted(DECIMALS)), st.integers(0, 2**256), min_size=1))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_units_survive_being_written(tmp_path: Path, now: datetime, units: dict[str, int]) -> None:
    rows = [
        f"{a},{u // 10 ** DECIMALS[a]}.{u % 10 ** DECIMALS[a]:0{DECIMALS[a]}d},2026-11-21T15:00:00Z"
        for a, u in units.items()
    ]
    found = read_liabilities(book(tmp_path, "\n".join(["asset,amount,as_of", *rows])), DECIMALS, now)
    assert {row.asset: row.units for row in found} == units
