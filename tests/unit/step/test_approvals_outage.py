"""A feed of approvals that is silent for six hours, on the real ledger and a real SQLite feed; time is an argument."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chains.core.values import Account, Block, BlockRef, Leg, Movement, Opening, Transaction, TransactionKind
from monitor.build import _setup
from monitor.config import load
from monitor.health import Health
from monitor.inbox import Inbox
from monitor.ledger import reader
from monitor.ledger.store import Ledger
from monitor.model import Case, CaseState
from monitor.step.observations import BlockSeen, Opened
from monitor.step.writer import Writer

HOT, COLD = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"
TEXT = f"""\
entity: {{name: Example Exchange KK}}
store: sqlite:///ledger.db
alertmanagers: [{{url: "http://pager.example:9093"}}]
assets: {{ETH: {{decimals: 18}}}}
chains:
  ethereum: {{kind: evm, chain_id: 1, native: ETH, endpoints: [{{url: "http://127.0.0.1:1"}}]}}
wallets:
  - {{name: eth-hot, chain: ethereum, tier: hot, addresses: ["{HOT}"]}}
  - {{name: eth-cold, chain: ethereum, tier: cold, addresses: ["{COLD}"]}}
books:
  approvals:
    sql:
      dsn_file: dsn
      query: SELECT n, id, 'ethereum' AS chain, 'ETH' AS asset, amount, destination, wallet, state, since FROM withdrawal
      cursor: n
      columns: {{not_before: since}}
      statuses: {{column: state, approved: [approved], cancelled: [declined]}}
      heartbeat_query: SELECT at FROM beat
"""
BEGIN = datetime(2026, 11, 24, 10, tzinfo=UTC)
ETH = 10**18


@dataclass
class House:
    """An exchange: its withdrawals in a database, its monitor, and the time."""

    folder: Path
    ledger: Ledger
    writer: Writer
    inbox: Inbox
    now: list[datetime]
    height: int = 100
    number: int = 0

    def sql(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.folder / "bank.db")) as connection, connection:
            connection.execute(statement, values)

    def beat(self) -> None:
        self.sql("UPDATE beat SET at = ?", self.now[0].isoformat())

    async def tick(self, seconds: float = 1) -> None:
        self.now[0] += timedelta(seconds=seconds)
        await self.inbox.read_all()
        await self.inbox.tick()

    def decide(self, count: int, *, state: str = "approved") -> list[str]:
        """So many withdrawals of 1 ETH, each to a customer of its own; returns who they go to."""
        customers = []
        with closing(sqlite3.connect(self.folder / "bank.db")) as connection, connection:
            for _ in range(count):
                self.number += 1
                customers.append(f"0x{self.number:040d}")  # digits only: no checksum to spell
                row = (self.number, f"w-{self.number}", "1", customers[-1], "eth-hot", state, self.now[0].isoformat())
                connection.execute("INSERT INTO withdrawal VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return customers

    async def pay(self, source: str, *customers: str) -> None:
        """One block with a transaction of 1 ETH for each customer, judged as the follower does."""
        await self.inbox.read_approvals()
        self.height += 1
        time = int(self.now[0].timestamp())
        ref = BlockRef("ethereum", self.height, f"h{self.height}", f"h{self.height - 1}", time)
        transactions = tuple(self._transaction(n, source, to) for n, to in enumerate(customers))
        await self.writer.take(BlockSeen(Block(ref, transactions), self.now[0], live=True, final_height=50))

    def _transaction(self, position: int, source: str, to: str) -> Transaction:
        txid = f"0x{self.height:032x}{position:032x}"
        movement = Movement(txid, 0, Account("ethereum", source, "ETH"), -ETH)
        leg = Leg(0, "ETH", ETH, source, to)
        return Transaction(txid, position, TransactionKind.TRANSACTION, (movement,), (leg,), frozenset({source}))

    def cases(self, *states: CaseState) -> list[Case]:
        with self.ledger.read() as connection:
            return reader.cases(connection, states=states or None)


@asynccontextmanager
async def closing_after(ledger: Ledger) -> AsyncIterator[None]:
    try:
        yield
    finally:
        ledger.close()


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    (folder / "porwatch.yaml").write_text(TEXT, encoding="utf-8")
    (folder / "dsn").write_text("sqlite:///bank.db", encoding="utf-8")
    with closing(sqlite3.connect(folder / "bank.db")) as connection, connection:
        connection.execute(
            "CREATE TABLE withdrawal (n INTEGER PRIMARY KEY, id, amount TEXT, destination, wallet, state, since)"
        )
        connection.execute("CREATE TABLE beat (at TEXT)")
        connection.execute("INSERT INTO beat VALUES (?)", (BEGIN.isoformat(),))
    config = load(folder / "porwatch.yaml")
    setup = _setup(config)
    now, ledger = [BEGIN], Ledger(config.store_url())
    health = Health(BEGIN, ("ethereum",))
    async with closing_after(ledger), Writer(ledger, setup, health, clock=lambda: now[0]) as writer:
        inbox = Inbox(config, setup, ledger, writer, health, clock=lambda: now[0])
        at = BlockRef("ethereum", 100, "h100", "h99", int(BEGIN.timestamp()))
        held = {Account("ethereum", HOT, "ETH"): 100_000 * ETH, Account("ethereum", COLD, "ETH"): 100 * ETH}
        await writer.take(Opened(Opening(at, held), {HOT: "eth-hot", COLD: "eth-cold"}, ("ETH",), 50, first=True))
        await inbox.read_all()
        yield House(folder, ledger, writer, inbox, now)


async def test_an_outage_of_six_hours_with_two_thousand_approved_withdrawals_ends_with_no_case_of_theirs(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as ex:
        await ex.tick(301)
        (blind,) = ex.cases()
        assert (blind.rule, blind.state) == ("approvals_blind", CaseState.OPEN)

        bank = tmp_path / "bank.db"
        paid: list[str] = []
        for _ in range(20):
            paid.extend(ex.decide(100))
            bank.rename(tmp_path / "unreachable")
            await ex.pay(HOT, *paid[-100:])
            await ex.tick(18 * 60)
            (tmp_path / "unreachable").rename(bank)
        bank.rename(tmp_path / "unreachable")
        await ex.pay(COLD, "0x" + "c" * 40)
        await ex.tick()
        (tmp_path / "unreachable").rename(bank)
        assert ex.now[0] - BEGIN > timedelta(hours=6)
        assert [case.rule for case in ex.cases(CaseState.OPEN)] == ["approvals_blind", "unexplained_outflow"]
        assert ex.cases(CaseState.OPEN)[1].wallet == "eth-cold", "cold pages whatever the feed does"
        assert len(ex.cases(CaseState.PENDING)) == 2_000
        assert ex.cases(CaseState.OPEN)[0].evidence["outflows_waiting"] == 2_000

        ex.beat()
        await ex.tick()
        await ex.tick(80)
        assert ex.cases(CaseState.PENDING) == []
        assert [case.wallet for case in ex.cases(CaseState.OPEN)] == [None, "eth-cold"]
        assert len(ex.cases(CaseState.CLOSED)) == 2_000
        with ex.ledger.read() as connection:
            states = [state for _, state, _ in reader.approvals(connection, limit=5_000)]
            told = {case_id for _, case_id, _ in reader.next_messages(connection, "alertmanager-1", 9_999)}
        assert states == ["used"] * 2_000
        assert len(told) == 2, "nobody was called for a withdrawal"


async def test_a_withdrawal_that_nobody_approved_opens_when_the_feed_is_back(tmp_path: Path) -> None:
    async with house(tmp_path) as ex:
        await ex.tick(301)
        await ex.pay(HOT, *ex.decide(1), *ex.decide(1, state="declined"))
        await ex.tick(3600)
        assert [case.rule for case in ex.cases(CaseState.OPEN)] == ["approvals_blind"]
        ex.beat()
        await ex.tick()
        assert [case.rule for case in ex.cases(CaseState.OPEN)] == ["approvals_blind", "unexplained_outflow"]


async def test_the_feed_is_read_to_its_end_before_an_outflow_is_judged(tmp_path: Path) -> None:
    async with house(tmp_path) as ex:
        await ex.pay(HOT, *ex.decide(600))
        assert ex.cases() == []


async def test_after_a_restart_of_the_monitor_nothing_is_taken_twice(tmp_path: Path) -> None:
    async with house(tmp_path) as ex:
        (customer,) = ex.decide(1)
        await ex.pay(HOT, customer)
        ex.inbox = Inbox(ex.inbox._config, ex.inbox._setup, ex.ledger, ex.writer, ex.inbox._health, lambda: ex.now[0])
        await ex.pay(HOT, customer)
        assert [case.rule for case in ex.cases()] == ["unexplained_outflow"], "the replay is not explained"


async def test_bad_signatures_of_the_api_are_refused_and_a_case(tmp_path: Path) -> None:
    async with house(tmp_path) as ex:
        book = ex.inbox._config.books.approvals
        assert book is not None
        (tmp_path / "keys").write_text("ops " + "ab" * 32, encoding="utf-8")
        books = ex.inbox._config.books.model_copy(update={"approvals": book.model_copy(update={"keys_file": "keys"})})
        config = replace(ex.inbox._config, books=books)
        inbox = Inbox(config, ex.inbox._setup, ex.ledger, ex.writer, ex.inbox._health, lambda: ex.now[0])
        answer = await inbox.approve({"id": "w-1", "op": "cancel"})
        assert (answer.outcome, "has no signature" in answer.message) == ("malformed", True)
        assert [case.subject for case in ex.cases()] == ["w-1 (no key)"]
        (tmp_path / "keys").unlink()
        assert (await inbox.approve({"id": "w-1"})).outcome == "malformed"
