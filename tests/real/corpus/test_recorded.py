"""What a local node cannot make: validator withdrawals, replayed from recorded blocks whose hashes are re-computed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.corpus.evidence import Row
from tests.real.corpus.recorded import RecordedGround, RecordedNode, load
from tests.real.corpus.stage import Stage
from tests.real.exchange import Exchange

#: the blocks below are where porwatch begins; up to the last one no transaction names these accounts
BEFORE, LAST = 42, 51
#: wallet -> (block of its withdrawal, address)
PAID = {
    "validator-43": "0x84e75c28348fb86acea1a93a39426d7d60f4cc46",
    "validator-48": "0x83c7e323d189f18725ac510004fdc2941f8c4a78",
    "validator-50": "0x0c2c51a0990aee1d73c1228de158688341557508",
}
GWEI = 10**9


@pytest.fixture
def recorded(shared_data: Path) -> Iterator[RecordedGround]:
    blocks, genesis = load(shared_data / "ethereum" / "execution_apis")
    with RecordedNode(blocks, genesis, BEFORE) as node:
        yield RecordedGround(node, PAID)


def test_withdrawals(recorded: RecordedGround, row: Row, tmp_path: Path) -> None:
    """EIP-4895 withdrawals. Recorded blocks 43 to 51: three of them pay 100 Gwei each to validators of ours, \
without any transaction."""
    ex = Exchange(
        folder=tmp_path / "exchange",
        chains={recorded.name: recorded.config()},
        assets={"ETH": {"decimals": 18}},
        wallets=recorded.wallets(),
        extra={"schedule": {"cycle": "1s"}},
    )
    try:
        ex.start()
        stage = Stage(ex, row=row)
        for blocks in (1, 5, 2, 1):
            recorded.mine(blocks)
            stage.followed(recorded)
            paid = [wallet for wallet in PAID if int(wallet.partition("-")[2]) <= recorded.head()]
            assert stage.parts("") == [(w, "ETH", "receipt", "validator_withdrawal", 100 * GWEI) for w in paid]
        assert recorded.head() == LAST
        ex.settle()
        stage.judged(recorded, [""], [(w, "ETH", "receipt", "validator_withdrawal", 100 * GWEI) for w in PAID])
    finally:
        ex.kill()
    ex.close()
