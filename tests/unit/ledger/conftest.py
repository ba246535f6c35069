"""A ledger in a temporary folder, and blocks to fill it with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from chains.core.values import BlockRef
from monitor.ledger.store import Advance, Ledger


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def empty_url(tmp_path: Path) -> str:
    """A database without any table."""
    return f"sqlite:///{tmp_path / 'empty.db'}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = Ledger(url)
    yield opened
    opened.close()


def disarm(connection: Connection) -> None:
    """Take the guards off the journal and its tree heads, as somebody with every right over the database would."""
    for table in ("journal", "tree_head"):
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        else:
            connection.exec_driver_sql(f"DROP TRIGGER {table}_no_update")
            connection.exec_driver_sql(f"DROP TRIGGER {table}_no_delete")


def block(height: int, branch: str = "", parent: str = "") -> BlockRef:
    return BlockRef("c", height, f"h{height}{branch}", f"h{height - 1}{parent}", 1_700_000_000 + height)


def onto(height: int, branch: str = "", parent: str = "") -> Advance:
    """The cursor moves over the block at ``height``."""
    ref = block(height, branch, parent)
    return Advance(ref, ref.parent, 0)


FIRST = Advance(block(100), None, 0)
