"""Addresses that are added while the monitor runs, on real nodes: by a file, a database, and the API."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from tests.real.exchange import Exchange, exchange
from tests.real.sides import JSON, BitcoinSide, EvmSide, Side, coins

#: how soon an address is followed that somebody adds
SECONDS = 2.0
#: this machine may be busy with other tests
SLACK = 3.0


@pytest.fixture
def sides(anvil: Anvil, bitcoind: Bitcoind) -> list[Side]:
    return [BitcoinSide(bitcoind), EvmSide(anvil)]


class Lists:
    """The hot wallets' addresses in files or in a database, and the new addresses of the exchange."""

    def __init__(self, ex: Exchange, sides: list[Side]) -> None:
        self.ex, self.sides = ex, sides

    def by_file(self, side: Side, address: str) -> None:
        with (self.ex.folder / f"{side.name}.csv").open("a") as file:
            file.write(f"{address},added while it runs\n")

    def by_sql(self, side: Side, address: str) -> None:
        with closing(sqlite3.connect(self.ex.folder / "wallets.db")) as connection:
            connection.execute("INSERT INTO wallets VALUES (?, ?)", [side.name, address])
            connection.commit()

    def by_post(self, side: Side, address: str) -> None:
        body = {"name": "Sato", "addresses": [address]}
        status, answer = self.ex.post(f"wallets/{side.hot}/addresses", body)
        assert (status, answer["data"]["wallet"]) == (201, side.hot)
        assert len(answer["data"]["addresses"]) == 1


@pytest.fixture
def lists(sides: list[Side], tmp_path: Path) -> Iterator[Lists]:
    """A running exchange whose hot wallets are in a file and in a database."""
    folder = tmp_path / "exchange"
    folder.mkdir()
    wallets: list[JSON] = []
    with closing(sqlite3.connect(folder / "wallets.db")) as connection:
        connection.execute("CREATE TABLE wallets (chain TEXT, address TEXT)")
        for side in sides:
            connection.execute("INSERT INTO wallets VALUES (?, ?)", [side.name, side.address(side.hot)])
        connection.commit()
    (folder / "dsn").write_text(f"sqlite:///{folder / 'wallets.db'}")
    for side in sides:
        cold, hot = side.wallets()
        del hot["addresses"]
        (folder / f"{side.name}.csv").write_text(f"address,label\n{side.address(side.hot)},main\n")
        query = f"SELECT address FROM wallets WHERE chain = '{side.name}'"
        hot |= {"addresses_file": f"{side.name}.csv", "addresses_sql": {"dsn_file": "dsn", "query": query}}
        wallets += [cold, hot]
    with exchange(folder, sides, wallets) as ex:
        ex.start()
        yield Lists(ex, sides)


def newcomer(side: Side) -> str:
    """An address of the exchange's own with two coins on it, unknown to porwatch."""
    if isinstance(side, BitcoinSide):
        address = side.add("btc-new")
        side.node.fund(address, 2 * side.unit)
    else:
        assert isinstance(side, EvmSide)
        address = side.addresses["eth-new"] = side.outside()
        side.node.receipt(side.node.send(side.node.accounts[9], address, 2 * side.unit))
    side.mine()
    return address


def followed(ex: Exchange, side: Side) -> int:
    (wallet,) = (line for line in ex.get("wallets")["wallets"] if line["name"] == side.hot)
    return int(wallet["addresses"])


def booked(ex: Exchange, side: Side) -> int:
    ((units,),) = ex.rows("SELECT units FROM total WHERE chain = ? AND wallet = ?", side.name, side.hot)
    return int(units)


@pytest.mark.parametrize("way", [Lists.by_file, Lists.by_sql, Lists.by_post])
def test_an_added_address_is_followed_in_two_seconds_and_its_next_outflow_is_a_case(
    lists: Lists, way: Callable[[Lists, Side, str], None]
) -> None:
    ex = lists.ex
    for side in lists.sides:
        new = newcomer(side)
        ex.wait_for_block(side.name, side.head())
        before, head = followed(ex, side), side.head()
        began = time.monotonic()
        way(lists, side, new)
        ex.wait(lambda side=side, before=before: followed(ex, side) == before + 1, "the address is not followed", 20)
        assert time.monotonic() - began < SECONDS + SLACK
        # Opened with what it holds, at the block where the ledger stood.
        wallet = "btc-new" if side.name == "bitcoin" else "eth-new"
        assert booked(ex, side) == side.held(side.hot) + side.held(wallet)
        opened = ex.records("opened")[-1]
        assert opened["at"]["height"] == head
        assert [int(units) for _, _, units in opened["holdings"]] == [2 * side.unit]
        side.pay(wallet, side.outside(), side.unit)
        side.mine()
        ex.wait_for_block(side.name, side.head())
        (case,) = (c for c in ex.cases() if c["chain"] == side.name)
        assert (case["rule"], case["wallet"], case["amount"]) == (
            "unexplained_outflow",
            side.hot,
            coins(side.unit, side.decimals),
        )
        assert booked(ex, side) == side.held(side.hot) + side.held(wallet)
    ex.settle()
    assert {case["rule"] for case in ex.cases("all")} == {"unexplained_outflow"}, "no residual"
    assert ex.rows("SELECT count(*) FROM flow WHERE part = 'receipt'") == [(0,)], "no deposit"


def test_posted_addresses_outlive_a_restart_and_dropped_lines_do_not(lists: Lists) -> None:
    ex, side = lists.ex, lists.sides[1]
    posted, written = newcomer(side), newcomer(side)
    lists.by_post(side, posted)
    lists.by_file(side, written)
    ex.wait(lambda: followed(ex, side) == 3, "the addresses are not followed")
    file = ex.folder / f"{side.name}.csv"
    file.write_text(file.read_text().rpartition(written)[0])
    time.sleep(2 * SECONDS)
    assert followed(ex, side) == 3, "removing a line takes nothing away while it runs"
    assert ex.stop() == 0
    ex.start()
    assert followed(ex, side) == 2
    assert posted.lower() in {locator.lower() for (locator,) in ex.rows("SELECT locator FROM watched")}
    ex.settle()
    assert ex.cases("all") == []


def test_addresses_that_cannot_be_added_are_refused_and_a_bad_line_is_shown(lists: Lists) -> None:
    ex = lists.ex
    for side in lists.sides:
        good = side.outside()
        for path, addresses, status in (
            (f"wallets/{side.hot}/addresses", [good, side.address(side.cold)], 409),
            (f"wallets/{side.hot}/addresses", [good, "nonsense"], 400),
            ("wallets/nobody/addresses", [good], 404),
        ):
            assert ex.post(path, {"name": "Sato", "addresses": addresses})[0] == status
        before = followed(ex, side)
        lists.by_file(side, "nonsense")
        lists.by_file(side, good)
        ex.wait(lambda side=side, before=before: followed(ex, side) == before + 1, "the good line is not followed")
    time.sleep(SECONDS)
    problems = ex.get("status")["problems"]
    for side in lists.sides:
        (told,) = (problem for problem in problems if side.hot in problem.values())
        assert "nonsense" in str(told)


def test_a_descriptor_range_that_is_used_to_four_fifths_is_one_warning(bitcoind: Bitcoind, tmp_path: Path) -> None:
    side = BitcoinSide(bitcoind)
    side.add("ranged")
    (descriptor,) = (d for d in side.descriptors("ranged") if d.startswith("wpkh(") and "/0/*)" in d)
    cold, _, _ = side.wallets()
    ranged = {"name": "ranged", "chain": "bitcoin", "tier": "hot", "descriptors": [descriptor], "range": [0, 9]}
    addresses = side.node.rpc("deriveaddresses", descriptor, [0, 9])
    with exchange(tmp_path / "exchange", [side], [cold, ranged]) as ex:
        ex.start()
        for number, count in ((7, 0), (8, 1), (9, 1)):
            side.node.fund(addresses[number], side.unit)
            side.mine()
            ex.wait_for_block("bitcoin", side.head())
            assert len(ex.cases("all")) == count, number
        case = ex.only_case(rule="inventory_gap", severity="warning", wallet="ranged")
        assert ex.stop() == 0
        ex.start()
        side.node.fund(addresses[9], side.unit)
        side.mine()
        ex.wait_for_block("bitcoin", side.head())
        assert [c["id"] for c in ex.cases("all")] == [case["id"]]
