from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.publish.imports.model import AddressRow, CoinLine, Kind, ReserveFile
from monitor.publish.imports.reconcile import name_months, reconcile
from tests.unit.publish.imports.samples import COINS, FIRST_ROW, ROWS, changed, file, found


def test_a_file_that_agrees_with_itself_has_no_finding(tmp_path: Path) -> None:
    assert found(tmp_path) == []


def test_a_coin_line_that_differs_from_its_rows_is_found_and_so_is_the_total_that_no_longer_adds_up(
    tmp_path: Path,
) -> None:
    coins = changed(COINS, "BTC,800000,20.25", "BTC,800000,20.35")
    assert found(tmp_path, coins) == [
        (2, "BTC(ALL)", Kind.TOTAL, "30.50", "30.60"),
        (3, "BTC", Kind.BALANCE, "20.35", "20.25"),
    ]


def test_a_row_left_out_is_found(tmp_path: Path) -> None:
    rows = changed(ROWS, "BTC,bitcoin-2,800000,8.00,-,-")
    assert found(tmp_path, rows=rows) == [(3, "BTC", Kind.BALANCE, "20.25", "12.25")]


def test_a_total_without_coin_lines_is_compared_with_its_rows(tmp_path: Path) -> None:
    rows = changed(ROWS, "TRX,tron-2,50000000,500.00,-,-", "TRX,tron-2,50000000,400.00,-,-")
    assert found(tmp_path, rows=rows) == [(13, "TRX(ALL)", Kind.TOTAL, "900.00", "800.00")]


def test_a_coin_line_without_rows_is_found_and_a_row_with_its_very_figures_is_named(tmp_path: Path) -> None:
    rows = changed(ROWS, "BETH-Heco,heco-1,28000000,50.00,-,-", "ETH-Heco,heco-1,28000000,50.00,-,-")
    findings = reconcile(file(tmp_path, rows=rows))
    assert [(each.line, each.asset, each.kind, each.declared, each.computed) for each in findings] == [
        (8, "BETH-Heco", Kind.NO_ROWS, "50.00", "0"),
        (FIRST_ROW + 7, "ETH-Heco", Kind.NO_LINE, None, "50.00"),
    ]
    assert f"line {FIRST_ROW + 7} has this height and balance under ETH-Heco" in findings[0].message


def test_a_holding_on_no_chain_needs_no_rows(tmp_path: Path) -> None:
    coins = changed(COINS, "USDT(ALL),-,7000.00", "USDT(ALL),-,7500.00")
    coins = changed(coins, "USDT-T-Bills,-,1000.00", "USDT-T-Bills,-,1500.00")
    assert found(tmp_path, coins) == []


def test_a_total_of_nothing_is_found(tmp_path: Path) -> None:
    assert found(tmp_path, [*COINS, "XRP(All),-,5.00"]) == [(14, "XRP(All)", Kind.NO_ROWS, "5.00", "0")]


def test_a_missing_total_is_found_for_each_of_its_coin_lines(tmp_path: Path) -> None:
    coins = changed(COINS, "BTC(ALL),-,30.50")
    assert found(tmp_path, coins) == [
        (2, "BTC", Kind.NO_TOTAL, "20.25", None),
        (3, "BTC-TRC20", Kind.NO_TOTAL, "10.25", None),
    ]


def test_each_height_of_a_coin_that_differs_is_one_finding(tmp_path: Path) -> None:
    coins = changed(COINS, "BTC,800000,20.25", "BTC,800000,24.25")
    coins = changed(coins, "BTC(ALL),-,30.50", "BTC(ALL),-,34.50")
    rows = changed(
        ROWS,
        "BTC,bitcoin-2,800000,8.00,-,-",
        "BTC,bitcoin-2,799000,4.00,-,-",
        "BTC,bitcoin-3,799000,4.00,-,-",
        "BTC,bitcoin-4,798000,2.00,-,-",
        "BTC,bitcoin-5,-,2.00,-,-",
    )
    assert found(tmp_path, coins, rows) == [
        (3, "BTC", Kind.HEIGHT, "800000", "799000"),
        (3, "BTC", Kind.HEIGHT, "800000", "798000"),
        (3, "BTC", Kind.HEIGHT, "800000", None),
    ]


def test_rows_under_a_line_without_height_must_agree_among_themselves(tmp_path: Path) -> None:
    coins = changed(COINS, "BTC,800000,20.25", "BTC,-,20.25")
    rows = changed(ROWS, "BTC,bitcoin-2,800000,8.00,-,-", "BTC,bitcoin-2,799000,8.00,-,-")
    assert found(tmp_path, coins, rows) == [(3, "BTC", Kind.HEIGHT, "800000", "799000")]


def test_a_coin_at_another_height_than_the_rest_of_its_chain_is_found_once(tmp_path: Path) -> None:
    coins = changed(COINS, "stETH,18000000,150.00", "stETH,17000000,150.00")
    rows = changed(ROWS, "stETH,ether-1,18000000,150.00,-,-", "stETH,ether-1,17000000,150.00,-,-")
    assert found(tmp_path, coins, rows) == [(7, "stETH", Kind.HEIGHT, "17000000", "18000000")]


def test_heights_of_different_chains_are_not_compared(tmp_path: Path) -> None:
    coins = changed(COINS, "BETH-Heco,28000000,50.00", "BETH-Heco,28000001,50.00")
    rows = changed(ROWS, "BETH-Heco,heco-1,28000000,50.00,-,-", "BETH-Heco,heco-1,28000001,50.00,-,-")
    assert found(tmp_path, coins, rows) == []


def test_an_address_twice_with_a_balance_is_found_and_one_that_only_signs_is_not(tmp_path: Path) -> None:
    rows = changed(ROWS, "BTC,bitcoin-1,800000,12.25,-,-", "BTC,0xAB,800000,6.25,-,-", "BTC,0xab,800000,6.00,-,-")
    assert found(tmp_path, rows=rows) == [(FIRST_ROW + 1, "BTC", Kind.DUPLICATE, "6.25", "6.00")]


def test_base58_addresses_that_differ_in_case_are_two(tmp_path: Path) -> None:
    rows = changed(ROWS, "BTC,bitcoin-1,800000,12.25,-,-", "BTC,1AB,800000,6.25,-,-", "BTC,1Ab,800000,6.00,-,-")
    assert found(tmp_path, rows=rows) == []


def test_a_coin_line_twice_is_found(tmp_path: Path) -> None:
    assert found(tmp_path, [*COINS, "BTC,800000,20.25"]) == [
        (2, "BTC(ALL)", Kind.TOTAL, "30.50", "50.75"),
        (14, "BTC", Kind.DUPLICATE, "20.25", "20.25"),
    ]


def test_a_row_with_a_height_and_no_balance_is_found(tmp_path: Path) -> None:
    rows = [*ROWS, "BTC,bitcoin-3,800000,-,-,-"]
    assert found(tmp_path, rows=rows) == [(FIRST_ROW + 13, "BTC", Kind.NO_BALANCE, None, None)]


def test_the_exact_label_comes_before_one_that_means_the_same_chain(tmp_path: Path) -> None:
    coins = changed(COINS, "USDT-T-Bills,-,1000.00", "USDT-ETH,18000000,1000.00")
    assert found(tmp_path, coins) == [(12, "USDT-ETH", Kind.BALANCE, "1000.00", "4000.00")]


def test_rows_of_one_coin_may_name_its_chain_in_two_ways(tmp_path: Path) -> None:
    rows = changed(ROWS, "USDT-ETH,ether-1,18000000,1500.00,-,-", "USDT-ERC20,ether-1,18000000,1500.00,-,-")
    assert found(tmp_path, rows=rows) == []


def test_a_total_counts_the_longest_coin_that_fits(tmp_path: Path) -> None:
    coins = ["TX(ALL),-,1", "HTX(ALL),-,2", "HTX-TRC20,5,2", "TX,5,1"]
    rows = ["HTX-TRC20,a,5,2,-,-", "TX,b,5,1,-,-"]
    assert found(tmp_path, coins, rows) == []


def test_digits_beyond_those_a_spreadsheet_keeps_are_taken_at_their_word_and_the_finding_says_so(
    tmp_path: Path,
) -> None:
    coins = ["HTX(ALL),-,341000000000000.00", "HTX,5,341000000000000.00"]
    findings = reconcile(file(tmp_path, coins, ["HTX,a,5,341000000000000.46,-,-"]))
    assert [(each.kind, each.computed) for each in findings] == [(Kind.BALANCE, "341000000000000.46")]
    assert "0.46 more" in findings[0].message
    assert "a spreadsheet keeps 15 digits" in findings[0].message


FIGURES = st.tuples(st.integers(0, 10**16), st.integers(0, 9)).map(lambda pair: Decimal(pair[0]).scaleb(-pair[1]))


def book(declared: Decimal, parts: list[Decimal]) -> ReserveFile:
    coins = (CoinLine(2, "BTC(ALL)", None, declared), CoinLine(3, "BTC", 1, declared))
    rows = tuple(AddressRow(9 + place, "BTC", f"a{place}", 1, part, None, None) for place, part in enumerate(parts))
    return ReserveFile("f.csv", coins, rows)


def half_unit(figure: Decimal) -> Decimal:
    return Decimal("0.5") * Decimal(1).scaleb(int(figure.as_tuple().exponent))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(FIGURES, st.integers(0, 9)), min_size=1, max_size=8), st.integers(0, 9))
def test_values_that_were_only_rounded_are_never_a_finding(values: list[tuple[Decimal, int]], decimals: int) -> None:
    printed = [value.quantize(Decimal(1).scaleb(-digits)) for value, digits in values]
    declared = sum(value for value, _ in values) + Decimal(0)
    assert reconcile(book(declared.quantize(Decimal(1).scaleb(-decimals)), printed)) == ()


@settings(max_examples=300, deadline=None)
@given(st.lists(FIGURES, min_size=1, max_size=8), FIGURES, st.booleans(), st.integers(0, 9))
def test_a_change_beyond_the_rounding_is_always_found_and_one_unit_less_never_is(
    parts: list[Decimal], beyond: Decimal, down: bool, decimals: int
) -> None:
    exact = sum(parts, Decimal(0)).quantize(Decimal(1).scaleb(-9))
    bound = sum(map(half_unit, parts), half_unit(exact))
    grid = Decimal(1).scaleb(-9)
    edge = (bound // grid) * grid
    inside = exact - edge if down else exact + edge
    outside = exact - edge - grid - beyond if down else exact + edge + grid + beyond
    if inside >= 0:
        assert reconcile(book(inside, parts)) == ()
    if outside >= 0:
        assert [each.kind for each in reconcile(book(outside, parts))] == [Kind.BALANCE]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([row for row in ROWS if "signer" not in row]), st.integers(1, 10**6))
def test_any_planted_change_of_any_row_of_the_sample_is_found(tmp_path: Path, row: str, cents: int) -> None:
    asset, address, height, balance, *rest = row.split(",")
    planted = Decimal(balance) + Decimal(cents + 5) / 100
    rows = changed(ROWS, row, ",".join([asset, address, height, f"{planted:f}", *rest]))
    kinds = [kind for _, _, kind, _, _ in found(tmp_path, rows=rows)]
    assert kinds in ([Kind.BALANCE], [Kind.TOTAL])


@pytest.mark.parametrize("cents", [1, 2, -2])
def test_a_change_within_the_printed_digits_is_no_finding(tmp_path: Path, cents: int) -> None:
    # two rows of half a cent each, and half a cent of the line: 1.5 cents for BTC, so 2 are beyond it
    row = f"BTC,bitcoin-2,800000,{Decimal('8.00') + Decimal(cents) / 100},-,-"
    kinds = [kind for _, _, kind, _, _ in found(tmp_path, rows=changed(ROWS, "BTC,bitcoin-2,800000,8.00,-,-", row))]
    assert kinds == ([] if abs(cents) < 2 else [Kind.BALANCE])


def test_a_height_of_another_month_names_the_file_that_has_it(tmp_path: Path) -> None:
    before = ReserveFile(
        "august.csv", (CoinLine(2, "SOL(ALL)", None, Decimal(1)), CoinLine(3, "SOL", 7, Decimal(1))), ()
    )
    now = ReserveFile(
        "september.csv",
        (CoinLine(2, "SOL(ALL)", None, Decimal(1)), CoinLine(3, "SOL", 9, Decimal(1))),
        (AddressRow(6, "SOL", "a", 7, Decimal(1), None, None),),
    )
    (alone,) = name_months(reconcile(now), [now])
    (beside,) = name_months(reconcile(now), [before, now])
    assert (alone.kind, alone.declared, alone.computed) == (Kind.HEIGHT, "9", "7")
    assert "august.csv" not in alone.message
    assert beside.message.endswith("7 is also a height of august.csv")
