"""Approvals that are read after the outflows that they explain: batches over two chains, fees of nothing, altered ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.ledger import reader
from monitor.model import Approval, Cancellation
from monitor.step.observations import ApprovalsRead
from tests.scenarios.stage import Stage, moment

SCRIPT: dict[str, Any] = {
    "wallets": {
        "eth-hot": {"chain": "ethereum", "tier": "hot", "addresses": ["0xhot"]},
        "btc-hot": {"chain": "bitcoin", "tier": "hot", "addresses": ["bc1hot"]},
    },
    "holds": {"0xhot": ["100 ETH"]},
    "coins": {"coin": "bc1hot 9 BTC"},
}
ETHER = 10**18
BITCOIN = 10**8
ETH = Approval(
    "w-1", "ethereum", "ETH", 5 * ETHER, "0xa", None, None, None, moment("23:00"), None, None, None, "digest-1"
)
BTC = replace(ETH, id="w-2", chain="bitcoin", asset="BTC", units=2 * BITCOIN, destination="bc1a", digest="digest-2")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Each hot wallet has paid somebody, without any fee, and each payment waits for an approval."""
    opened = Stage(tmp_path, SCRIPT)
    ether = {"id": "t-eth", "from": "0xhot", "fee": "0 ETH", "moves": ["0xhot -> 0xa 5 ETH"]}
    bitcoin = {"id": "t-btc", "spends": ["coin"], "pays": ["bc1a 2 BTC", "bc1hot 7 BTC"]}
    opened.play({"at": "10:00", "block": "ethereum 101", "transactions": [ether]})
    opened.play({"at": "10:00:01", "block": "bitcoin 101", "transactions": [bitcoin]})
    yield opened
    opened.close()


def read(stage: Stage, *records: Approval | Cancellation) -> dict[str, str]:
    """The state of every approval after one more reading."""
    stage._take(ApprovalsRead("post", records, (), None, None))
    return stage.approvals()


def of_batch(approval: Approval, size: int | None) -> Approval:
    return replace(approval, batch="b", batch_size=size)


@pytest.mark.parametrize("size", [2, None])
def test_a_batch_over_two_chains_that_is_read_at_once_explains_its_payment_on_each(
    stage: Stage, size: int | None
) -> None:
    states = read(stage, of_batch(ETH, size), of_batch(BTC, size))
    assert states == {"w-1": "used", "w-2": "used"}


@pytest.mark.parametrize("first", [ETH, BTC])
def test_the_last_member_of_a_batch_lets_the_members_on_other_chains_explain_as_well(
    stage: Stage, first: Approval
) -> None:
    assert read(stage, of_batch(first, 2)) == {first.id: "open"}
    (last,) = (approval for approval in (ETH, BTC) if approval is not first)
    assert read(stage, of_batch(last, 2)) == {"w-1": "used", "w-2": "used"}


def test_a_cancelled_member_on_one_chain_leaves_the_batch_unused_on_the_other(stage: Stage) -> None:
    states = read(stage, of_batch(ETH, 2), of_batch(BTC, 2), Cancellation("w-2", "digest-4"))
    assert states == {"w-1": "open", "w-2": "cancelled"}


def test_an_approval_for_the_same_address_on_another_chain_explains_nothing(stage: Stage) -> None:
    elsewhere = replace(ETH, chain="bitcoin")
    other_amount = replace(ETH, id="w-2", units=ETH.units + 1, digest="digest-2")
    assert read(stage, elsewhere, other_amount) == {"w-1": "open", "w-2": "open"}


def test_a_late_approval_that_allows_no_fee_explains_a_payment_without_one(stage: Stage) -> None:
    assert read(stage, replace(ETH, max_fee=0)) == {"w-1": "used"}


def test_the_case_of_an_altered_approval_says_what_was_altered_and_what_stands(stage: Stage) -> None:
    read(stage, ETH, replace(ETH, units=6 * ETHER, digest="other"))
    with stage.ledger.read() as connection:
        (case,) = (case for case in reader.cases(connection) if case.rule == "altered_approval")
    why = "approval w-1 was read before with other content: the first content stands"
    assert case.evidence["why"] == why
    assert [event.note for event in case.history] == [why]
