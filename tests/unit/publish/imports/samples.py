"""Reserve files made in a test: a file that agrees with itself, and parts to change."""

from __future__ import annotations

from pathlib import Path

from monitor.publish.imports.htx import ADDRESS_HEADER, COIN_HEADER, read
from monitor.publish.imports.model import Finding, Kind, ReserveFile
from monitor.publish.imports.reconcile import reconcile

COINS = [
    "BTC(ALL),-,30.50",
    "BTC,800000,20.25",
    "BTC-TRC20,50000000,10.25",
    "ETH(ALL),-,300.00",
    "ETH,18000000,100.00",
    "stETH,18000000,150.00",
    "BETH-Heco,28000000,50.00",
    "USDT(ALL),-,7000.00",
    "USDT-ERC20,18000000,4000.00",
    "USDT-TRC20,50000000,2000.00",
    "USDT-T-Bills,-,1000.00",
    "TRX(ALL),50000000,900.00",
]
ROWS = [
    "BTC,bitcoin-1,800000,12.25,-,-",
    "BTC,bitcoin-2,800000,8.00,-,-",
    "BTC-TRC20,tron-1,50000000,10.25,-,-",
    "ETH,ether-1,18000000,100.00,-,-",
    "ETH,signer-1,-,-,-,-",
    "ETH,signer-1,-,-,-,-",
    "stETH,ether-1,18000000,150.00,-,-",
    "BETH-Heco,heco-1,28000000,50.00,-,-",
    "USDT-ETH,ether-1,18000000,1500.00,-,-",
    "USDT-ETH,ether-2,18000000,2500.00,-,-",
    "USDT-TRC20,tron-1,50000000,2000.00,-,-",
    "TRX,tron-1,50000000,400.00,-,-",
    "TRX,tron-2,50000000,500.00,-,-",
]
#: The line of the first address row in a file of COINS.
FIRST_ROW = len(COINS) + 4


def text(coins: list[str] = COINS, rows: list[str] = ROWS) -> str:
    return "\n".join([",".join(COIN_HEADER), *coins, "", ",".join(ADDRESS_HEADER), *rows]) + "\n"


def changed(lines: list[str], old: str, *new: str) -> list[str]:
    """The lines with one of them replaced by others, or left out."""
    place = lines.index(old)
    return [*lines[:place], *new, *lines[place + 1 :]]


def file(folder: Path, coins: list[str] = COINS, rows: list[str] = ROWS) -> ReserveFile:
    path = folder / "reserves.csv"
    path.write_text(text(coins, rows), encoding="utf-8")
    return read(path)


def found(
    folder: Path, coins: list[str] = COINS, rows: list[str] = ROWS
) -> list[tuple[int, str, Kind, str | None, str | None]]:
    """(line, asset, kind, declared, computed) of what reconciling finds."""
    return [short(finding) for finding in reconcile(file(folder, coins, rows))]


def short(finding: Finding) -> tuple[int, str, Kind, str | None, str | None]:
    return finding.line, finding.asset, finding.kind, finding.declared, finding.computed
