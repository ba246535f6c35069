"""The writer signs tree heads over all that is in the journal, in transactions of bounded size."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from monitor.health import Health
from monitor.ledger import heads, journal, schema
from monitor.ledger.journal import JournalError
from monitor.ledger.store import Ledger
from monitor.signing.keys import ReportKey, load_or_make
from monitor.step.observations import ApprovalsRead
from monitor.step.writer import Writer
from tests.scenarios.stage import moment, setup_of
from tests.unit.ledger.conftest import disarm

SCRIPT: dict[str, Any] = {
    "wallets": {"eth-hot": {"chain": "ethereum", "tier": "hot", "addresses": ["0xhot"]}},
    "holds": {"0xhot": ["1000 ETH"]},
}


@pytest.fixture
def key(tmp_path: Path) -> ReportKey:
    return load_or_make(tmp_path / "report.key")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


@pytest.fixture
async def writer(ledger: Ledger) -> AsyncIterator[Writer]:
    setup, _ = setup_of(SCRIPT)
    async with Writer(ledger, setup, Health(moment("10:00"), ("ethereum",)), clock=lambda: moment("10:00")) as writer:
        for number in range(7):
            await writer.take(ApprovalsRead("post", (), (f"line {number}",), None, None))
        yield writer
    ledger.close()


@pytest.mark.parametrize("batch", [1, 3, 10_000])
async def test_however_much_there_is_the_last_head_is_over_all_of_it(
    writer: Writer, ledger: Ledger, key: ReportKey, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(heads, "BATCH", batch)
    for _ in range(2):
        await writer.seal(key)
        with ledger.read() as connection:
            size, _ = journal.head(connection)
            checked = heads.check(connection, [key.public])
        assert checked.last is not None
        assert checked.last.size == size
        assert checked.last.at == moment("10:00")
        assert checked.heads == -(-size // batch)


async def test_a_journal_that_lost_what_was_signed_gets_no_new_head(
    writer: Writer, ledger: Ledger, key: ReportKey
) -> None:
    await writer.seal(key)
    with ledger.write() as connection:
        disarm(connection)
        connection.execute(delete(schema.journal).where(schema.journal.c.seq == 2))
    with pytest.raises(JournalError, match="record 2 is missing"):
        await writer.seal(key)
    with ledger.read() as connection:
        assert len(list(heads.heads(connection))) == 1


async def test_heads_that_were_taken_away_while_it_ran_are_missed(
    writer: Writer, ledger: Ledger, key: ReportKey
) -> None:
    await writer.seal(key)
    with ledger.write() as connection:
        disarm(connection)
        connection.execute(delete(schema.tree_head))
        connection.execute(delete(schema.tree_node))
    with pytest.raises(JournalError, match="is no longer the last one: heads were taken away"):
        await writer.seal(key)
