"""What a step writes, and what it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from chains.core.values import Block, BlockRef
from monitor.health import Health
from monitor.ledger import reader, schema
from monitor.ledger.encode import parse
from monitor.ledger.store import CursorMoved, Ledger
from monitor.step import take
from monitor.step.observations import (
    Acted,
    ApprovalsRead,
    BlockSeen,
    Due,
    FinalSeen,
    Opened,
    Reloaded,
    Rewound,
    ShadowAsked,
    ShadowOver,
)
from monitor.step.writer import Writer
from tests.scenarios.stage import Stage, moment, setup_of
from tests.unit.fake_chain import FakeChain

SCRIPT: dict[str, Any] = {
    "wallets": {"eth-hot": {"chain": "ethereum", "tier": "hot", "addresses": ["0xhot"]}},
    "holds": {"0xhot": ["1000 ETH"]},
}
PAYMENT = {"id": "t1", "from": "0xhot", "fee": "0.01 ETH", "moves": ["0xhot -> 0xa 300 ETH"]}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    opened = Stage(tmp_path, SCRIPT)
    yield opened
    opened.close()


def journalled(stage: Stage) -> int:
    with stage.ledger.read() as connection:
        return connection.execute(select(func.count()).select_from(schema.journal)).scalar_one()


def read(stage: Stage, *, source: str = "approvals", **changes: Any) -> None:
    fields: dict[str, Any] = {"records": (), "malformed": (), "heartbeat": None, "position": None, **changes}
    stage._take(ApprovalsRead(source, **fields))


def feed(stage: Stage) -> tuple[int, int, datetime | None, str]:
    with stage.ledger.read() as connection:
        found = reader.feeds(connection)["approvals"]
    return found.records, found.malformed, found.heartbeat, found.position


def test_a_block_without_our_transactions_leaves_no_record(stage: Stage) -> None:
    before = journalled(stage)
    stage.play({"block": "ethereum 101"})
    stage.play(
        {"block": "ethereum 102", "transactions": [{"id": "x", "from": "0xelse", "moves": ["0xelse -> 0xb 1 ETH"]}]}
    )
    assert journalled(stage) == before
    assert stage.cursor("ethereum").height == 102


def test_time_that_changes_nothing_leaves_no_record(stage: Stage) -> None:
    before = journalled(stage)
    for _ in range(3):
        stage.play({"due": True})
    assert journalled(stage) == before
    assert stage.told() == 0


def test_the_feed_counts_what_was_read_and_never_forgets_how_far(stage: Stage) -> None:
    read(stage, malformed=("line 1: not JSON",), heartbeat=moment("09:50"), position='{"offset":9}')
    read(stage, source="post", heartbeat=moment("09:40"))
    assert feed(stage) == (0, 1, moment("09:50"), '{"offset":9}')
    read(stage, malformed=("line 2: not JSON",), heartbeat=moment("09:55"), position='{"offset":19}')
    assert feed(stage) == (0, 2, moment("09:55"), '{"offset":19}')
    stage.play({"approve": [{"id": "w-1", "amount": "1 ETH", "to": "0xa"}, {"cancel": "w-1"}]})
    assert feed(stage)[0] == 2


def test_a_refused_line_is_journalled_with_its_reason(stage: Stage) -> None:
    read(stage, malformed=("line 7: amount: is missing",))
    with stage.ledger.read() as connection:
        last = connection.execute(select(schema.journal).order_by(schema.journal.c.seq.desc()).limit(1)).one()
    assert (last.kind, parse(last.body)["why"]) == ("refused", "line 7: amount: is missing")


def test_every_receiver_is_told_and_what_it_is_told_is_frozen(stage: Stage) -> None:
    stage.setup.receivers = ("pager", "chat")
    stage.play({"block": "ethereum 101", "transactions": [PAYMENT]})
    stage.play({"act": "ack", "case": "eth-hot", "by": "tanaka", "why": "looking"})
    with stage.ledger.read() as connection:
        rows = connection.execute(select(schema.outbox).order_by(schema.outbox.c.id)).all()
    assert [(row.receiver, parse(row.payload)["state"]) for row in rows] == [
        ("pager", "open"),
        ("chat", "open"),
        ("pager", "acknowledged"),
        ("chat", "acknowledged"),
    ]


def test_an_action_on_a_case_that_is_not_there_is_an_error(stage: Stage) -> None:
    with pytest.raises(KeyError, match="nothing"):
        stage._take(Acted("nothing", "ack", "tanaka", ""))


def test_a_block_that_is_taken_twice_is_refused_the_second_time(stage: Stage) -> None:
    at = stage.cursor("ethereum")
    ref = BlockRef("ethereum", 101, "h101", at.hash, at.time)
    seen = BlockSeen(Block(ref, ()), stage.now, live=True, final_height=0)
    stage._take(seen)
    with pytest.raises(CursorMoved):
        stage._take(seen)


def test_a_chain_is_opened_once(stage: Stage) -> None:
    with pytest.raises(CursorMoved):
        stage._open("ethereum", stage.cursor("ethereum"), {}, first=True)


def test_an_opening_elsewhere_than_at_the_cursor_is_refused(stage: Stage) -> None:
    behind = stage.cursor("ethereum")
    stage.play({"block": "ethereum 101"})
    with pytest.raises(CursorMoved):
        stage._open("ethereum", behind, {"0xnew": "eth-hot"}, first=False)


def test_a_new_final_height_is_kept_without_a_block(stage: Stage) -> None:
    before = journalled(stage)
    stage._take(FinalSeen("ethereum", 77))
    with stage.ledger.read() as connection:
        assert reader.cursors(connection)["ethereum"].final_height == 77
    assert journalled(stage) == before


def test_a_feed_that_never_sent_a_heartbeat_is_not_blind(stage: Stage) -> None:
    read(stage)
    stage.play({"at": "23:00", "due": True})
    assert stage.cases() == []


def test_a_case_that_a_person_closed_while_it_waited_is_told_to_nobody(stage: Stage) -> None:
    stage.play({"block": "ethereum 101", "transactions": [{**PAYMENT, "moves": ["0xhot -> 0xa 1 ETH"]}]})
    stage.play({"act": "close", "case": "eth-hot", "by": "tanaka", "why": "mine"})
    stage.play({"at": "23:00", "due": True})
    assert (stage.told(), stage.cases()) == (0, ["closed unexplained_outflow eth-hot 1 ETH fee 0.01 ETH"])


async def test_the_writer_counts_only_what_was_committed(tmp_path: Path) -> None:
    setup, watched = setup_of(SCRIPT)
    chain = FakeChain("ethereum", watched["ethereum"])
    chain.world.give("0xhot", ["1000 ETH"])
    opened = chain.mine()
    now = [moment("10:00")]
    health = Health(now[0], ("ethereum",))
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    hooks: list[int] = []
    async with Writer(ledger, setup, health, clock=lambda: now[0]) as writer:
        writer.on_commit.append(lambda: hooks.append(1))
        await writer.take(
            Opened(await chain.open_at(["0xhot"], opened), watched["ethereum"], ("ETH", "USDT"), 0, first=True)
        )
        chain.mine(PAYMENT)
        seen = BlockSeen(chain.blocks[1], now[0], live=True, final_height=0)
        now[0] += timedelta(milliseconds=120)
        await writer.take(seen)
        with pytest.raises(CursorMoved):
            await writer.take(seen)
        await writer.take(Rewound(opened, 0))
        await writer.take(Due())
        with ledger.read() as connection:
            (row,) = reader.next_messages(connection, "pager", 1)
        await writer.mark_sent((row[0],))
        with ledger.read() as connection:
            assert row[0] not in {message for message, _, _ in reader.next_messages(connection, "pager", 9)}
    ledger.close()
    assert health.movements == {
        ("ethereum", "ETH", "out", "unexplained"): 2,
    }
    assert health.detection["ethereum"].sum == pytest.approx(0.12)
    assert health.reorg_depth["ethereum"].sum == 1
    assert len(hooks) == 4


async def test_a_shadow_lasts_over_a_reload_and_ends_under_the_new_configuration(tmp_path: Path) -> None:
    before, _ = setup_of(SCRIPT)
    after, _ = setup_of(SCRIPT)
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    now, end = [moment("10:00")], moment("10:00") + timedelta(days=7)
    async with Writer(ledger, before, Health(now[0], ("ethereum",)), clock=lambda: now[0]) as writer:
        await writer.take(ShadowAsked(end))
        await writer.adopt(after, Reloaded("b" * 64, "a" * 64, ("policy",)))
        assert (before.shadow, after.shadow) == (end, end)
        now[0] = end
        await writer.take(ShadowOver())
        assert after.shadow is None
    with ledger.read() as connection:
        columns = schema.journal.c
        kinds = connection.execute(select(columns.kind).order_by(columns.seq)).scalars().all()
    ledger.close()
    assert kinds[:2] == ["shadow", "reloaded"]


async def test_observations_are_taken_one_at_a_time(tmp_path: Path) -> None:
    setup, _ = setup_of(SCRIPT)
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    health = Health(moment("10:00"), ("ethereum",))
    async with Writer(ledger, setup, health) as writer:
        malformed = [ApprovalsRead("post", (), (f"line {n}",), None, None) for n in range(20)]
        await asyncio.gather(*(writer.take(item) for item in malformed))
        with ledger.read() as connection:
            assert reader.feeds(connection)["approvals"].malformed == 20
    ledger.close()


def test_a_step_that_fails_leaves_nothing(stage: Stage) -> None:
    before = journalled(stage)

    def attempt() -> None:
        with stage.ledger.write() as connection:
            take(connection, stage.setup, ApprovalsRead("post", (), ("line 1",), None, None), stage.now)
            raise RuntimeError("the power went out")

    with pytest.raises(RuntimeError):
        attempt()
    assert journalled(stage) == before
