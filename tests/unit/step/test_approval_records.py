"""What the journal says of every approval that was refused, and what a late one must agree with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from monitor.ledger import reader, schema
from monitor.ledger.encode import parse
from monitor.model import Approval, BadSignature, Cancellation, CaseState
from monitor.step.observations import ApprovalsRead
from tests.scenarios.stage import Stage, moment

SCRIPT: dict[str, Any] = {
    "wallets": {"eth-hot": {"chain": "ethereum", "tier": "hot", "addresses": ["0xhot"]}},
    "holds": {"0xhot": ["100 ETH"]},
}
ETHER = 10**18
UNTIL = moment("23:00")
#: of the payment that waits for an approval
FEE = 10**16
APPROVAL = Approval("w-1", "ethereum", "ETH", 5 * ETHER, "0xa", None, None, None, UNTIL, None, None, None, "digest")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """The hot wallet has paid 5 ETH that nobody approved, and it is a case."""
    opened = Stage(tmp_path, SCRIPT)
    payment = {"id": "t1", "from": "0xhot", "fee": "0.01 ETH", "moves": ["0xhot -> 0xa 5 ETH"]}
    opened.play({"at": "10:00", "block": "ethereum 101", "transactions": [payment]})
    yield opened
    opened.close()


def read(stage: Stage, *records: Approval | Cancellation, **more: Any) -> None:
    stage._take(ApprovalsRead("post", records, more.pop("malformed", ()), None, None, **more))


def written(stage: Stage, kind: str) -> list[dict[str, Any]]:
    columns = schema.journal.c
    with stage.ledger.read() as connection:
        rows = connection.execute(select(columns.body).where(columns.kind == kind).order_by(columns.seq))
        return [parse(body) for body in rows.scalars()]


def states(stage: Stage) -> list[CaseState]:
    with stage.ledger.read() as connection:
        return [case.state for case in reader.cases(connection)]


def test_every_refusal_says_of_which_source_which_approval_and_why(stage: Stage) -> None:
    read(stage, APPROVAL)
    bad = BadSignature("w-4", "key-1", "the signature is of other content")
    read(
        stage,
        Cancellation("w-0", "digest-0"),
        Cancellation("w-1", "digest-1"),
        replace(APPROVAL, digest="other"),
        malformed=("line 7: amount: is missing",),
        bad_signatures=(bad,),
    )
    assert written(stage, "refused") == [
        {"source": "post", "id": "w-0", "why": "cancels an approval that was never read"},
        {"source": "post", "id": "w-1", "why": "cancels an approval that is already used"},
        {
            "source": "post",
            "id": "w-1",
            "why": "approval w-1 was read before with other content: the first content stands",
        },
        {"source": "post", "id": "w-4", "why": "the signature is of other content"},
        {"source": "post", "id": "", "why": "line 7: amount: is missing"},
    ]


def test_a_cancellation_is_journalled_once_with_its_source(stage: Stage) -> None:
    other = replace(APPROVAL, units=7)
    read(stage, other, Cancellation("w-1", "a"), Cancellation("w-1", "b"))
    assert written(stage, "cancelled") == [{"id": "w-1", "source": "post"}]
    assert stage.outcome.answers == ("created", "cancelled", "repeated")


def test_an_approval_that_a_late_match_uses_up_in_the_same_reading_cannot_be_cancelled_after_it(stage: Stage) -> None:
    read(stage, APPROVAL)
    read(stage, Cancellation("w-1", "a"))
    assert stage.outcome.answers == ("used",)
    assert stage.approvals() == {"w-1": "used"}


@pytest.mark.parametrize(
    "misfit",
    [
        {"wallet": "cold"},
        {"max_fee": FEE - 1},
        {"txid": "t2"},
        {"safe_tx_hash": "0x01"},
        {"outputs_hash": "00" * 32},
        {"not_before": moment("10:00") + timedelta(seconds=61)},
        {"not_after": moment("10:00") - timedelta(seconds=61)},
        {"units": 5 * ETHER - 1},
        {"destination": "0xb"},
    ],
)  # fmt: skip
def test_a_late_approval_that_differs_in_one_thing_explains_nothing(stage: Stage, misfit: dict[str, Any]) -> None:
    read(stage, replace(APPROVAL, **misfit))
    assert stage.approvals() == {"w-1": "open"}
    assert written(stage, "matched") == []


@pytest.mark.parametrize("fit", [{"wallet": "eth-hot"}, {"max_fee": FEE}, {"txid": "t1"}])
def test_a_late_approval_that_names_what_is_so_is_noted_and_the_case_stays_open(
    stage: Stage, fit: dict[str, Any]
) -> None:
    read(stage, replace(APPROVAL, **fit))
    assert stage.approvals() == {"w-1": "used"}
    assert states(stage) == [CaseState.OPEN], "a person closes it"
    (matched,) = written(stage, "matched")
    assert matched == {
        "chain": "ethereum",
        "height": 101,
        "txid": "t1",
        "sink": matched["sink"],
        "reason": "approved",
        "approval": "w-1",
        "note": "approved after it was seen",
        "fees_of": ["eth-hot"],
    }
