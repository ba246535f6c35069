"""Watch lists that change while porwatch runs: a real ledger, the monitor's own wiring, and a chain in memory."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import select

from chains.core.chain import ChainKind
from chains.core.errors import BadAnswer
from chains.core.registry import open_kind
from chains.core.settings import ChainSettings
from monitor import build
from monitor.build import Monitor
from monitor.config import load
from monitor.connections import Connections
from monitor.ledger import reader, schema
from monitor.watchlist import MOST_POSTED, Refused
from tests.unit.fake_chain import FakeChain, failing

BITCOIN = {"kind": "bitcoin", "network": "regtest", "native": "BTC", "endpoints": [{"url": "http://127.0.0.1:1"}]}
XPUB = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B"


def script(name: str | int) -> str:
    """An address of somebody, written as its output script."""
    return "script:0014" + sha256(str(name).encode()).hexdigest()[:40]


@dataclass
class Desk:
    """One configuration in a folder, a chain that outlives the monitors on it, and what its node shows."""

    folder: Path
    chain: FakeChain
    wallets: list[dict[str, Any]]
    kind: ChainKind = field(default_factory=lambda: open_kind("bitcoin"))

    @property
    def settings(self) -> ChainSettings:
        return self.kind.Settings.model_validate(BITCOIN)

    @property
    def file(self) -> Path:
        return self.folder / "hot.csv"

    @property
    def database(self) -> Path:
        return self.folder / "wallets.db"

    def locator(self, name: str | int) -> str:
        return self.kind.parse_address(script(name), self.settings)

    def write(self) -> None:
        document = {
            "entity": {"name": "Test Exchange KK"},
            "store": "sqlite:///porwatch.db",
            "assets": {"BTC": {"decimals": 8}},
            "chains": {"bitcoin": BITCOIN},
            "wallets": self.wallets,
            "books": {"approvals": {"file": "approvals.jsonl"}},
        }
        (self.folder / "porwatch.yaml").write_text(yaml.safe_dump(document))

    def shown(self, *names: str | int, wallet: str = "hot") -> None:
        """The chain in memory tells of movements of these as well, as a node does to somebody who watches them."""
        self.chain.wallets.update({self.locator(name): wallet for name in names})

    def query(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute(statement, values)
            connection.commit()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Monitor]:
        """A monitor that has caught up; it begins as `porwatch run` does."""
        async with build.opened(load(self.folder / "porwatch.yaml")) as monitor:
            await monitor.watchlist.begin()
            await follow(monitor)
            yield monitor


async def follow(monitor: Monitor) -> None:
    await monitor.followers["bitcoin"].catch_up()


def held(monitor: Monitor) -> dict[str, int]:
    with monitor.ledger.read() as connection:
        rows = connection.execute(select(schema.account)).all()
    return {row.locator: row.units for row in rows if row.units}


def watched(monitor: Monitor) -> dict[str, str]:
    with monitor.ledger.read() as connection:
        return {name: item.wallet for name, item in reader.watched(connection, "bitcoin").items()}


def parts(monitor: Monitor) -> set[str]:
    with monitor.ledger.read() as connection:
        rows = connection.execute(select(schema.flow)).all()
    return {row.part for row in rows}


def rules(monitor: Monitor) -> list[str]:
    with monitor.ledger.read() as connection:
        return [case.rule for case in reader.cases(connection)]


def tell(monitor: Monitor) -> Mapping[str, str]:
    return monitor.health.problems


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    hot = {"name": "hot", "chain": "bitcoin", "tier": "hot", "addresses_file": "hot.csv"}
    cold = {"name": "cold", "chain": "bitcoin", "tier": "cold", "addresses": [script("cold")]}
    chain = FakeChain("bitcoin", {})
    made = Desk(tmp_path, chain, [hot, cold])
    made.file.write_text(f"{script('hot')}\n")
    (tmp_path / "approvals.jsonl").touch()
    made.write()
    made.shown("hot")
    made.shown("cold", wallet="cold")
    for name, amount in (("hot", 5), ("cold", 50), ("new", 3), ("newer", 2)):
        chain.world.give(made.locator(name), [f"{amount} BTC"], f"c-{name}")
    chain.grow(10)
    monkeypatch.setattr(Connections, "open", lambda *_: chain)
    return made


@pytest.fixture
def sql(desk: Desk) -> Desk:
    """The hot wallet is in a database, and only there."""
    (desk.folder / "dsn").write_text("sqlite:///wallets.db")
    desk.query("CREATE TABLE wallets (address TEXT)")
    desk.query("INSERT INTO wallets VALUES (?)", script("hot"))
    source = {"dsn_file": "dsn", "query": "SELECT address FROM wallets"}
    desk.wallets[0] = {"name": "hot", "chain": "bitcoin", "tier": "hot", "addresses_sql": source}
    desk.write()
    return desk


Adds = Callable[[Desk, Monitor, str], Any]


async def by_file(desk: Desk, monitor: Monitor, name: str) -> None:
    with desk.file.open("a") as file:
        file.write(f"{script(name)},a label\n")
    await monitor.watchlist.read_sources()


async def by_sql(desk: Desk, monitor: Monitor, name: str) -> None:
    desk.query("INSERT INTO wallets VALUES (?)", script(name))
    await monitor.watchlist.read_sources()


async def by_post(desk: Desk, monitor: Monitor, name: str) -> None:
    assert await monitor.watchlist.add("hot", [script(name)], "Sato") == [desk.locator(name)]


@pytest.fixture(params=[by_file, by_sql, by_post])
def way(request: pytest.FixtureRequest) -> Adds:
    """Adds an address to the hot wallet in each of the three ways; by_sql has the database."""
    if request.param is by_sql:
        request.getfixturevalue("sql")
    found: Adds = request.param
    return found


# -- what is added is followed ----------------------------------------------------------------------------------------


async def test_what_is_added_opens_with_what_it_holds_and_an_outflow_right_after_is_seen(desk: Desk, way: Adds) -> None:
    async with desk.running() as monitor:
        await way(desk, monitor, "new")
        desk.shown("new")
        desk.chain.mine(
            {"id": "out", "spends": ["c-new"], "pays": ["somebody 1 BTC", f"{desk.locator('hot')} 1.9 BTC"]}
        )
        await follow(monitor)
        assert held(monitor) == {
            desk.locator("hot"): 6_90000000,
            desk.locator("cold"): 50_00000000,
        }
        assert parts(monitor) == {"destination", "fee", "change"}, "an opening is no deposit"
        await monitor.cycle("provisional")
        assert rules(monitor) == ["unexplained_outflow"]
        assert monitor.health.problems.keys() <= {"books/approvals"}


async def test_what_is_added_is_watched_after_a_restart(desk: Desk, way: Adds) -> None:
    async with desk.running() as monitor:
        await way(desk, monitor, "new")
    async with desk.running() as monitor:
        assert watched(monitor)[desk.locator("new")] == "hot"
        assert held(monitor)[desk.locator("new")] == 3_00000000
        assert monitor.watchlist.locators["bitcoin"][desk.locator("new")] == "hot"


async def test_what_is_added_before_the_chain_is_open_is_opened_once(desk: Desk, way: Adds) -> None:
    async with build.opened(load(desk.folder / "porwatch.yaml")) as monitor:
        await monitor.watchlist.begin()
        await way(desk, monitor, "new")
        await follow(monitor)
        await follow(monitor)
        assert held(monitor)[desk.locator("new")] == 3_00000000


async def test_what_is_added_while_the_cursor_leaves_the_chain_is_opened_on_the_branch_that_wins(
    desk: Desk, way: Adds
) -> None:
    async with desk.running() as monitor:
        desk.chain.grow(2)
        await follow(monitor)
        await way(desk, monitor, "new")
        desk.shown("new")
        desk.chain.reorganise(2, "b")
        desk.chain.mine({"id": "in", "spends": ["c-newer"], "pays": [f"{desk.locator('new')} 2 BTC"]})
        desk.chain.grow(2)
        await follow(monitor)
        assert held(monitor)[desk.locator("new")] == 5_00000000


async def test_what_cannot_be_opened_at_the_cursor_is_opened_at_the_head(desk: Desk, way: Adds) -> None:
    async with desk.running() as monitor:
        old = desk.chain.head.height
        await way(desk, monitor, "new")
        desk.chain.grow(3)
        desk.chain.fault = failing("open_at")
        await follow(monitor)
        with monitor.ledger.read() as connection:
            assert reader.watched(connection, "bitcoin")[desk.locator("new")].opened_height == old + 3


async def test_while_nothing_can_be_opened_the_chain_is_followed_and_every_look_says_so(desk: Desk, way: Adds) -> None:
    async with desk.running() as monitor:
        await way(desk, monitor, "new")
        desk.chain.fault = failing("open_at", times=100)
        for _ in range(3):
            desk.chain.grow(1)
            with pytest.raises(BadAnswer, match="open_at failed"):
                await follow(monitor)
        with monitor.ledger.read() as connection:
            assert reader.cursors(connection)["bitcoin"].at == desk.chain.head
        desk.chain.fault = lambda _: None
        await follow(monitor)
        assert desk.locator("new") in watched(monitor)


async def test_a_payment_to_an_address_that_cannot_be_opened_yet_is_judged_as_one_to_a_stranger(
    desk: Desk, way: Adds
) -> None:
    async with desk.running() as monitor:
        desk.chain.fault = failing("open_at")
        await way(desk, monitor, "new")
        desk.chain.mine({"id": "in", "spends": ["c-hot"], "pays": [f"{desk.locator('new')} 4.999 BTC"]})
        await follow(monitor)
        assert rules(monitor) == ["unexplained_outflow"]
        assert held(monitor)[desk.locator("new")] == 7_99900000
        desk.shown("new")
        desk.chain.mine({"id": "on", "spends": ["in:0"], "pays": [f"{desk.locator('hot')} 4.998 BTC"]})
        await follow(monitor)
        await monitor.cycle("provisional")
        assert rules(monitor) == ["unexplained_outflow"], "no residual, and between our own no outflow"


# -- what is removed, moved, or wrong ---------------------------------------------------------------------------------


async def test_a_line_that_is_removed_is_followed_until_the_next_start(desk: Desk) -> None:
    async with desk.running() as monitor:
        await by_file(desk, monitor, "new")
        await follow(monitor)
        desk.file.write_text(f"{script('hot')}\n")
        await monitor.watchlist.read_sources()
        await follow(monitor)
        assert desk.locator("new") in watched(monitor)
    async with desk.running() as monitor:
        assert desk.locator("new") not in watched(monitor)


async def test_a_row_that_is_removed_is_followed_until_the_next_start(sql: Desk) -> None:
    async with sql.running() as monitor:
        await by_sql(sql, monitor, "new")
        await follow(monitor)
        sql.query("DELETE FROM wallets WHERE address = ?", script("new"))
        await monitor.watchlist.read_sources()
        await follow(monitor)
        assert sql.locator("new") in watched(monitor)
    async with sql.running() as monitor:
        assert sql.locator("new") not in watched(monitor)
        assert sql.locator("new") not in monitor.setup.owners["bitcoin"]


async def test_a_theft_from_an_address_of_the_database_while_porwatch_was_down_is_found(sql: Desk) -> None:
    async with sql.running() as monitor:
        await follow(monitor)
        assert held(monitor)[sql.locator("hot")] == 5_00000000
    sql.chain.mine({"id": "theft", "spends": ["c-hot"], "pays": ["thief 4.9 BTC"]})
    async with sql.running() as monitor:
        assert sql.locator("hot") not in held(monitor)
        assert rules(monitor) == ["unexplained_outflow"]


async def test_a_database_that_is_gone_at_the_start_takes_no_address_away(sql: Desk) -> None:
    async with sql.running() as monitor:
        await follow(monitor)
    sql.database.rename(sql.folder / "elsewhere.db")
    async with sql.running() as monitor:
        assert "addresses_sql/hot" in tell(monitor)
        assert watched(monitor)[sql.locator("hot")] == "hot"
        (sql.folder / "elsewhere.db").rename(sql.database)
        await monitor.watchlist.read_sources()
        assert "addresses_sql/hot" not in tell(monitor)


async def test_a_posted_address_stays_when_its_line_goes(desk: Desk) -> None:
    async with desk.running() as monitor:
        await by_file(desk, monitor, "new")
        await by_post(desk, monitor, "new")
        desk.file.write_text(f"{script('hot')}\n")
    async with desk.running() as monitor:
        assert desk.locator("new") in watched(monitor)


async def test_a_posted_address_whose_wallet_is_gone_can_be_posted_to_another(desk: Desk) -> None:
    async with desk.running() as monitor:
        await by_post(desk, monitor, "new")
    desk.wallets[0]["name"] = "hot-2"
    desk.write()
    async with desk.running() as monitor:
        assert desk.locator("new") not in watched(monitor)
        await monitor.watchlist.add("hot-2", [script("new")], "Sato")
    async with desk.running() as monitor:
        assert watched(monitor)[desk.locator("new")] == "hot-2"


async def test_a_bad_line_is_shown_until_it_is_mended_and_the_good_ones_are_watched(desk: Desk) -> None:
    async with desk.running() as monitor:
        good = desk.file.read_bytes()
        desk.file.write_bytes(good + b"bcrt1qwrong\n\xff\xfe\n" + script("new").encode() + b"\n")
        for _ in range(3):
            await monitor.watchlist.read_sources()
            problem = tell(monitor)["addresses_file/hot"]
            assert "bcrt1qwrong" in problem
            assert "line 3: not UTF-8" in problem
        await follow(monitor)
        assert desk.locator("new") in watched(monitor)
        desk.file.write_bytes(good + script("new").encode() + b"\n")
        await monitor.watchlist.read_sources()
        assert "addresses_file/hot" not in tell(monitor)


async def test_a_file_that_goes_away_is_shown_and_read_again_when_it_is_back_the_same(desk: Desk) -> None:
    async with desk.running() as monitor:
        desk.file.rename(desk.folder / "aside")
        await monitor.watchlist.read_sources()
        assert "hot.csv" in tell(monitor)["addresses_file/hot"]
        (desk.folder / "aside").rename(desk.file)
        await monitor.watchlist.read_sources()
        assert "addresses_file/hot" not in tell(monitor)
        assert desk.locator("hot") in watched(monitor)


async def test_many_bad_lines_are_counted(desk: Desk) -> None:
    async with desk.running() as monitor:
        desk.file.write_text("\n".join([script("hot"), *(f"bad-{n}" for n in range(9))]) + "\n")
        await monitor.watchlist.read_sources()
        assert "bad-4" in tell(monitor)["addresses_file/hot"]
        assert "bad-5" not in tell(monitor)["addresses_file/hot"]
        assert tell(monitor)["addresses_file/hot"].endswith("and 4 more")


async def test_an_address_of_another_wallet_stays_there(desk: Desk) -> None:
    async with desk.running() as monitor:
        await by_file(desk, monitor, "cold")
        assert "belongs to wallet cold already" in tell(monitor)["addresses_file/hot"]
        with pytest.raises(Refused, match="belongs to wallet cold already") as refused:
            await monitor.watchlist.add("hot", [script("new"), script("cold")], "Sato")
        assert refused.value.conflict
        await follow(monitor)
        assert watched(monitor)[desk.locator("cold")] == "cold"
        assert desk.locator("new") not in watched(monitor), "all or none"


async def test_two_requests_for_one_address_give_it_to_one_wallet(desk: Desk) -> None:
    async with desk.running() as monitor:
        answers = await asyncio.gather(
            *(monitor.watchlist.add(name, [script("new")], "Sato") for name in ("hot", "cold")), return_exceptions=True
        )
        assert sorted(type(answer).__name__ for answer in answers) == ["Refused", "list"]
        await follow(monitor)
        owner = watched(monitor)[desk.locator("new")]
        with monitor.ledger.read() as connection:
            assert reader.added(connection, "bitcoin") == {desk.locator("new"): owner}
        assert monitor.setup.owners["bitcoin"][desk.locator("new")].name == owner


async def test_a_request_is_refused_whole(desk: Desk) -> None:
    async with desk.running() as monitor:
        for addresses in ([], [script("new"), "nonsense"], [script("new")] * (MOST_POSTED + 1)):
            with pytest.raises(Refused) as refused:
                await monitor.watchlist.add("hot", addresses, "Sato")
            assert not refused.value.conflict
        with pytest.raises(KeyError):
            await monitor.watchlist.add("nobody", [script("new")], "Sato")
        assert desk.locator("new") not in monitor.watchlist.locators["bitcoin"]


async def test_a_chain_takes_no_more_addresses_than_it_is_built_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.watchlist.MOST_LOCATORS", 3)
    async with desk.running() as monitor:
        with pytest.raises(Refused, match="watch fewer"):
            await monitor.watchlist.add("hot", [script("new"), script("newer")], "Sato")
        desk.file.write_text("\n".join(script(name) for name in ("hot", "new", "newer")) + "\n")
        await monitor.watchlist.read_sources()
        assert "watch fewer" in tell(monitor)["addresses_file/hot"]
        assert len(monitor.watchlist.locators["bitcoin"]) == 3


async def test_an_address_that_is_read_again_and_again_is_journalled_once(desk: Desk, way: Adds) -> None:
    async with desk.running() as monitor:
        for _ in range(3):
            await way(desk, monitor, "new")
            await follow(monitor)
        with monitor.ledger.read() as connection:
            kinds = list(connection.execute(select(schema.journal.c.kind).order_by(schema.journal.c.seq)).scalars())
        assert kinds.count("opened") == 2
        assert kinds.count("added") <= 1


# -- descriptor ranges ------------------------------------------------------------------------------------------------


async def test_the_last_fifth_of_a_range_warns_once_also_across_a_restart(desk: Desk) -> None:
    desk.wallets[0] = {
        "name": "hot", "chain": "bitcoin", "tier": "hot", "descriptors": [f"wpkh({XPUB}/0/*)"], "range": [10, 19],
    }  # fmt: skip
    desk.write()
    derived = desk.kind.derive(f"wpkh({XPUB}/0/*)", 10, 19, desk.settings)
    desk.chain.wallets = {desk.locator("cold"): "cold", **dict.fromkeys(derived, "hot")}
    async with desk.running() as monitor:
        for number, seen in ((7, []), (8, ["inventory_gap"]), (9, ["inventory_gap"])):
            source = ["c-new", "c-newer", "c-hot"][number - 7]
            desk.chain.mine({"id": f"in-{number}", "spends": [source], "pays": [f"{derived[number]} 1 BTC"]})
            await follow(monitor)
            assert rules(monitor) == seen, number
    desk.chain.mine({"id": "again", "spends": ["in-9:0"], "pays": [f"{derived[9]} 1 BTC"]})
    async with desk.running() as monitor:
        with monitor.ledger.read() as connection:
            cases = [case for case in reader.cases(connection) if case.rule == "inventory_gap"]
        assert [case.severity for case in cases] == ["warning"]


# -- very many --------------------------------------------------------------------------------------------------------


async def test_a_hundred_thousand_added_addresses_take_seconds_and_little_memory(desk: Desk) -> None:
    count = 100_000
    async with desk.running() as monitor:
        with desk.file.open("a") as file:
            file.writelines(f"{script(number)}\n" for number in range(count))
        longest, stop = 0.0, False

        async def feel() -> None:
            nonlocal longest
            while not stop:
                began = time.perf_counter()
                await asyncio.sleep(0.01)
                longest = max(longest, time.perf_counter() - began)

        feeling = asyncio.create_task(feel())
        began = time.process_time()
        await monitor.watchlist.read_sources()
        stop = True
        await feeling
        assert len(monitor.watchlist.locators["bitcoin"]) == count + 2
        seconds = time.process_time() - began
        os.utime(desk.file)
        tracemalloc.start()
        await monitor.watchlist.read_sources()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert seconds < 30
        assert longest < 2
        assert peak < 100_000_000
