"""Following on PostgreSQL: as on SQLite, and through sessions that break where it hurts most."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from monitor.ledger import journal, reader
from tests.real.postgres import CuttingProxy, Databases
from tests.unit import test_follow
from tests.unit.test_follow import THEFT, pay, rig, rig_on, tokens

__all__ = ["rig", "tokens"]
globals().update({name: value for name, value in vars(test_follow).items() if name.startswith("test_")})


@pytest.fixture
def store_url(databases: Databases) -> Iterator[str]:
    with databases.one() as name:
        yield databases.server.url(name)


@pytest.fixture
def proxy(databases: Databases) -> Iterator[CuttingProxy]:
    between = CuttingProxy(databases.server.port)
    yield between
    between.close()


@pytest.mark.parametrize(
    "rhythm", [("before", ""), ("after", ""), ("before", "after", ""), ("after", "after", "before", "")]
)
async def test_sessions_that_break_at_a_commit_lose_nothing_and_double_nothing(
    databases: Databases, proxy: CuttingProxy, rhythm: tuple[str, ...]
) -> None:
    commits = 0

    def cut() -> str:
        nonlocal commits
        commits += 1
        return rhythm[commits % len(rhythm)]

    with databases.one() as name:
        url = databases.server.url(name).replace(f":{databases.server.port}/", f":{proxy.port}/")
        async with rig_on(url) as rig:
            follower = rig.follower(start=15)
            for number in range(1, 8):
                rig.chain.mine(pay(number))
            rig.chain.mine(THEFT)
            rig.chain.mine(pay(8))
            proxy.cut = cut
            tries = 0
            while rig.health.last_success.get(("follow", "bitcoin")) is None:
                await follower._try()
                tries += 1
                assert tries < 100
            proxy.cut = lambda: ""
            assert tries > 5, "sessions were cut"
            assert rig.cursor() == rig.chain.head
            assert rig.held() == rig.chain.truth()
            assert rig.kinds() == ["opened", *["block"] * 8, "case", "block"]
            assert rig.cases() == ["open unexplained_outflow cold 49.9 BTC fee 0.1 BTC + cold_without_approval"]
            with rig.ledger.read() as connection:
                list(journal.verified(connection))
                headers = reader.headers(connection, "bitcoin")
                assert len(reader.next_messages(connection, "pager", 100)) == 1
            assert [h.height for h in headers] == list(range(rig.chain.head.height, 13, -1))
