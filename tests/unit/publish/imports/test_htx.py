from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.publish.imports import htx
from monitor.publish.imports.htx import read
from monitor.publish.imports.model import BadFile, plain
from tests.unit.publish.imports.samples import COINS, FIRST_ROW, ROWS, changed, text


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "reserves.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_lines_keep_their_numbers_and_figures_their_printed_digits(tmp_path: Path) -> None:
    file = read(write(tmp_path, text()))
    assert [(coin.line, coin.asset, coin.height) for coin in file.coins[:2]] == [
        (2, "BTC(ALL)", None),
        (3, "BTC", 800000),
    ]
    assert plain(file.coins[1].balance) == "20.25"
    first, signer = file.rows[0], file.rows[4]
    assert (first.line, first.address, first.height, first.balance) == (
        FIRST_ROW,
        "bitcoin-1",
        800000,
        Decimal("12.25"),
    )
    assert (signer.height, signer.balance, signer.message, signer.signature) == (None, None, None, None)


@pytest.mark.parametrize(
    "as_written",
    [
        lambda plain: b"\xef\xbb\xbf" + plain.encode(),
        lambda plain: plain.replace("\n", "\r\n").encode(),
        lambda plain: b"\xef\xbb\xbf" + plain.replace("\n", "\r\n").encode(),
        lambda plain: plain.rstrip("\n").encode(),
        lambda plain: plain.replace("BTC(ALL),-,30.50", "BTC(ALL),-,30.50,,,").replace("\n\n", "\n,,,,,\n").encode(),
        lambda plain: plain.replace("BTC,bitcoin-1,800000", '"BTC","bitcoin-1","800000"').encode(),
    ],
    ids=["mark", "crlf", "mark-crlf", "no-last-newline", "padded-by-a-spreadsheet", "quoted"],
)
def test_the_same_file_written_otherwise_reads_the_same(tmp_path: Path, as_written: object) -> None:
    assert callable(as_written)
    plain_file = read(write(tmp_path, text()))
    assert read(write(tmp_path, as_written(text()))) == plain_file


BAD_LINES = [
    (changed(COINS, "BTC,800000,20.25", "BTC,800000"), ROWS, 3, "2 cells"),
    (changed(COINS, "BTC,800000,20.25", "BTC,800000,20.25,1"), ROWS, 3, "4 cells"),
    (changed(COINS, "BTC,800000,20.25", "BTC,800000,-"), ROWS, 3, "plain decimal"),
    (changed(COINS, "BTC,800000,20.25", "BTC,800000,-20.25"), ROWS, 3, "plain decimal"),
    (changed(COINS, "BTC,800000,20.25", "BTC,800000,2.03E+01"), ROWS, 3, "plain decimal"),
    (changed(COINS, "BTC,800000,20.25", 'BTC,800000,"1,020.25"'), ROWS, 3, "plain decimal"),
    (changed(COINS, "BTC,800000,20.25", "BTC,800000,NaN"), ROWS, 3, "plain decimal"),
    (changed(COINS, "BTC,800000,20.25", "BTC,800000,²"), ROWS, 3, "plain decimal"),
    (changed(COINS, "BTC,800000,20.25", "BTC,800000," + "9" * 61), ROWS, 3, "plain decimal"),
    (changed(COINS, "BTC,800000,20.25", "BTC,800000.0,20.25"), ROWS, 3, "whole number"),
    (changed(COINS, "BTC,800000,20.25", "BTC,,20.25"), ROWS, 3, "whole number"),
    (changed(COINS, "BTC,800000,20.25", ",800000,20.25"), ROWS, 3, "coin: '': expected a name"),
    (changed(COINS, "BTC,800000,20.25", " BTC,800000,20.25"), ROWS, 3, "no spaces around"),
    (changed(COINS, "BTC,800000,20.25", "B" * 201 + ",800000,20.25"), ROWS, 3, "200 characters"),
    (changed(COINS, "BTC,800000,20.25", 'BTC,800000,"20.25'), ROWS, 3, "no line of CSV"),
    (changed(COINS, "BTC,800000,20.25", "BTC,800000,20\0.25"), ROWS, 3, "cannot be printed"),
    (changed(COINS, "BTC,800000,20.25", "BTC\x1b[31m,800000,20.25"), ROWS, 3, "cannot be printed"),
    (COINS, changed(ROWS, "BTC,bitcoin-2,800000,8.00,-,-", "BTC,bitcoin-2,800000,,-,-"), FIRST_ROW + 1, "balance: ''"),
    (COINS, changed(ROWS, "BTC,bitcoin-2,800000,8.00,-,-", "BTC,-,800000,8.00,-,-"), FIRST_ROW + 1, "address: '-'"),
    (COINS, changed(ROWS, "BTC,bitcoin-2,800000,8.00,-,-", "BTC,bitcoin-2,800000,8.00"), FIRST_ROW + 1, "4 cells"),
    (
        COINS,
        changed(ROWS, "BTC,bitcoin-2,800000,8.00,-,-", "BTC,bitcoin-2,800000,8.00,,-"),
        FIRST_ROW + 1,
        "message: ''",
    ),
]


@pytest.mark.parametrize(("coins", "rows", "line", "says"), BAD_LINES)
def test_a_bad_line_is_an_error_that_names_file_line_and_what_is_expected(
    tmp_path: Path, coins: list[str], rows: list[str], line: int, says: str
) -> None:
    path = write(tmp_path, text(coins, rows))
    with pytest.raises(BadFile) as refused:
        read(path)
    assert str(refused.value).startswith(f"{path}:{line}: ")
    assert says in str(refused.value)
    assert "expected" in str(refused.value) or "no line of CSV" in str(refused.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", ":1: columns are missing"),
        (b"\n\n\n", ":1: columns are missing"),
        (b"coin,balance\n", ":1: columns are missing"),
        (b"coin,height,balance\n", ":1: unknown column 'height'"),
        (b"coin,snapshot height,balance,note\n", ":1: unknown column 'note'"),
        (b"coin,snapshot height,balance\nBTC(ALL),-,1\n", "it ends without address rows"),
        (b"coin,snapshot height,balance\ncoin,address,height,balance,message,signature\n", ":2: it has 6 cells"),
        (b"coin,snapshot height,balance\ncoin,address,snapshot height,balance,message,signature\n", "declares 0 coins"),
        (text().encode("utf-16"), ":1: it is UTF-16"),
        (text().encode().replace(b"bitcoin-1", b"bitc\xf6in-1"), f":{FIRST_ROW}: byte 9 is not UTF-8"),
        (text().replace("\n", "\r").encode(), ":1: a character stands here"),
        (b"coin,snapshot height,balance\n" + b"x" * 9000, ":2: it is larger than a reserve file"),
    ],
)
def test_a_file_of_another_kind_is_an_error(tmp_path: Path, content: bytes, says: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(BadFile) as refused:
        read(path)
    assert str(refused.value).startswith(str(path))
    assert says in str(refused.value)


def test_a_folder_and_a_missing_file_are_errors(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(BadFile, match="no regular file"):
            read(path)


def test_a_file_with_more_lines_than_any_reserve_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, text(rows=["BTC,a,1,1,-,-"] * htx.MOST_LINES))
    with pytest.raises(BadFile, match=f":{htx.MOST_LINES + 1}: it is larger"):
        read(path)


def test_a_file_with_more_coins_than_any_reserve_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, text([f"C{place},1,1" for place in range(htx.MOST_COINS + 1)]))
    with pytest.raises(BadFile, match="declares 501 coins"):
        read(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_read_or_refused_but_never_an_accident(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(text().encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path = write(tmp_path, bytes(content))
    try:
        lines = [coin.line for coin in read(path).coins]
    except BadFile as refused:
        lines = [] if str(refused).startswith(f"{path}:") else [0]
    assert 0 not in lines
