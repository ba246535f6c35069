"""The eighteen monthly files of HTX: what does not agree in them, as figures, and nothing else."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from chains.core.messages import BadSignature, Scheme, UnsupportedAddress, scheme_of
from monitor.publish.imports import audit
from monitor.publish.imports.htx import read
from monitor.publish.imports.model import Summary

#: file → address rows, unsigned rows, rows of other schemes (Algorand and Solana)
MONTHS = {
    "2023-08-10_73334f9": (73, 3, 2),
    "2023-09-12_6cadfab": (74, 3, 2),
    "2023-10-18_b68d634": (48, 3, 2),
    "2023-11-10_a031aea": (46, 3, 2),
    "2023-12-19_4fcb2b2": (48, 4, 2),
    "2024-01-18_041da73": (48, 5, 0),
    "2024-02-04_2969323": (45, 4, 0),
    "2024-03-13_c7b3511": (45, 4, 0),
    "2024-04-11_248684d": (49, 6, 0),
    "2024-05-08_98f4c6b": (54, 8, 0),
    "2024-05-08_b45d8ee": (53, 7, 0),
    "2024-06-04_d314eb1": (56, 8, 0),
    "2024-07-15_535e8c8": (56, 8, 0),
    "2024-08-13_9d7c584": (74, 27, 0),
    "2024-09-26_2ad498e": (73, 31, 0),
    "2024-10-15_948a590": (74, 28, 0),
    "2024-11-08_92adf66": (78, 33, 0),
    "2024-12-04_b5ecbb0": (84, 37, 0),
}

MAY_2024 = [
    (13, "USDT(ALL)", "total", "589266921.41", "653809298.15"),
    (15, "jUSDT-TRC20", "no_rows", "31700532.98", "0"),
    (16, "USDT-Optimism", "no_rows", "19614630.32", "0"),
    (19, "USDT-ETH", "balance", "64542376.74", "37932861.02"),
    (19, "USDT-ETH", "height", "19554919", "19769176"),
    (20, "USDT-TRC20", "balance", "5093354.10", "36793887.08"),
]

#: What a person finds with pencil and paper: (line, asset, kind, declared, computed). Other months have nothing.
FOUND: dict[str, list[tuple[int, str, str, str | None, str | None]]] = {
    # the coin line kept the height of October
    "2023-11-10_a031aea": [(9, "BETH-Heco", "height", "29731054", "30623743")],
    # a line of November was left over: no address, and not in the total
    "2023-12-19_4fcb2b2": [
        (9, "USDT(ALL)", "total", "475028915.8", "481141982.405"),
        (13, "USDT-BTTC", "no_rows", "6113066.664", "0"),
    ],
    # the line of BTC stands again where the one of BTC on TRON belongs; one row has a balance and no height
    "2024-01-18_041da73": [
        (2, "BTC(ALL)", "total", "21816.10212", "24154.55516"),
        (4, "BTC-TRC20", "balance", "12040.37758", "9701.924543"),
        (4, "BTC-TRC20", "height", "823738", "57801596"),
        (14, "stUSDT-TRC20", "height", "57801596", None),
    ],
    # one row of USDT was left at March; the total of USDT is not the sum of its lines
    "2024-04-11_248684d": [
        (13, "USDT(ALL)", "total", "672272311.24", "672061495.36"),
        (15, "USDT-ETH", "balance", "64542376.74", "46942376.745"),
        (15, "USDT-ETH", "height", "19554919", "19334219"),
    ],
    # the USDT line of April was left over beside the new one; jUSDT stands under USDT, USDT on Optimism under ETH
    "2024-05-08_98f4c6b": [*MAY_2024, (61, "ETH-Optimism", "no_line", None, "19614630.32")],
    "2024-05-08_b45d8ee": [*MAY_2024, (60, "ETH-Optimism", "no_line", None, "19614630.32")],
    # as in May, and here the rows are short by 6,000,015.00 USDT of what both lines declare
    "2024-06-04_d314eb1": [
        (15, "jUSDT-TRC20", "no_rows", "11700532.98", "0"),
        (18, "USDT-TRC20", "balance", "17068006.06", "22768524.04"),
        (20, "USDT-Optimism", "no_rows", "21150056.22", "0"),
        (78, "ETH-Optimism", "no_line", None, "21150056.22"),
    ],
    # 4.82 BTC more than the addresses hold; two rows of the same address under USDT-TRC20, one of them jUSDT
    "2024-07-15_535e8c8": [
        (3, "BTC", "balance", "12124.63", "12119.81"),
        (9, "HTX(ALL)", "total", "360522032584187.00", "360522032584188.00"),
        (10, "HTX-TRC20", "balance", "360522032584188.00", "360522032584187.71"),
        (15, "jUSDT-TRC20", "no_rows", "31700532.98", "0"),
        (18, "USDT-TRC20", "balance", "19199381.01", "50899913.99"),
        (70, "USDT-TRC20", "duplicate", "31700532.98", "4731015.00"),
    ],
    "2024-08-13_9d7c584": [
        (12, "HTX-TRC20", "balance", "341074117249121.00", "341074117249121.46"),
        (22, "USDT-TRC20", "balance", "9818125.78", "41518658.76"),
        (23, "jUSDT-TRC20", "no_rows", "31700532.98", "0"),
        (86, "USDT-TRC20", "duplicate", "4731015.00", "31700532.98"),
    ],
    # the rows of USDT on Ethereum are those of August; jUSDT has no row at all
    "2024-09-26_2ad498e": [
        (20, "USDT-ERC20", "balance", "33316977.69", "27679144.48"),
        (20, "USDT-ERC20", "height", "20649603", "20427586"),
        (23, "jUSDT-TRC20", "no_rows", "31700532.98", "0"),
    ],
    "2024-10-15_948a590": [
        (10, "baseETH", "no_rows", "9636.78", "0"),
        (62, "aETH", "no_line", None, "9636.78"),
    ],
    "2024-11-08_92adf66": [(8, "ETH", "balance", "2052.84", "2059.55")],
    # two rows of SOL and the one of jUSDT are those of November
    "2024-12-04_b5ecbb0": [
        (14, "SOL", "balance", "248232.80", "272263.79"),
        (14, "SOL", "height", "304567743", "298748778"),
        (23, "jUSDT-TRC20", "balance", "22069841.63", "32115661.06"),
        (23, "jUSDT-TRC20", "height", "67444103", "66580372"),
    ],
}


@pytest.fixture
def monthly(shared_data: Path) -> Path:
    return shared_data / "por_samples" / "htx_monthly"


def test_every_month_is_looked_at(monthly: Path) -> None:
    assert sorted(path.stem for path in monthly.glob("*.csv")) == sorted(MONTHS)
    assert sum(map(len, FOUND.values())) == 48


@pytest.mark.parametrize("month", MONTHS)
def test_a_month_has_these_contradictions_and_no_other(monthly: Path, month: str) -> None:
    summary, findings = audit(read(monthly / f"{month}.csv"))
    rows, unsigned, unsupported = MONTHS[month]
    signed = rows - unsigned
    assert summary == Summary(rows, signed, signed - unsupported, unsigned, unsupported)
    found = [(each.line, each.asset, str(each.kind), each.declared, each.computed) for each in findings]
    assert found == FOUND.get(month, [])


def test_all_signatures_of_five_schemes_verify_and_none_of_another(monthly: Path) -> None:
    schemes: Counter[Scheme | None] = Counter()
    for month in MONTHS:
        for row in read(monthly / f"{month}.csv").rows:
            if row.signature is not None and row.message is not None:
                try:
                    schemes[scheme_of(row.address, row.message, row.signature)] += 1
                except UnsupportedAddress:
                    schemes[None] += 1
    assert schemes == {
        Scheme.EIP191: 247,
        Scheme.KECCAK: 122,
        Scheme.TRON_HASHED: 365,
        Scheme.TRON_PLAIN: 26,
        Scheme.BITCOIN_P2PKH: 86,
        None: 10,
    }


def test_no_published_signature_verifies_on_another_text(monthly: Path) -> None:
    file = read(monthly / "2024-12-04_b5ecbb0.csv")
    changed = [row for row in file.rows if row.signature is not None and row.message is not None]
    assert len(changed) == 47
    for row in changed:
        assert row.message is not None
        assert row.signature is not None
        with pytest.raises(BadSignature, match="not this address's"):
            scheme_of(row.address, row.message + ".", row.signature)
