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


def batch(stage: Stage, *records: Approval | Cancellation) -> list[list[str]]:
    """The batches that have explained something, after one more reading."""
    read(stage, *records)
    return [record["batch"] for record in written(stage, "matched")]


def of_batch(number: int, ether: int, **more: Any) -> Approval:
    return replace(APPROVAL, id=f"b-{number}", units=ether * ETHER, batch="b", digest=f"digest-{number}", **more)


def test_a_batch_that_is_read_at_once_or_in_pieces_explains_the_payment_once_it_is_whole(stage: Stage) -> None:
    assert batch(stage, of_batch(1, 2, batch_size=3), of_batch(2, 1)) == []
    assert batch(stage, of_batch(3, 2)) == [["b-1", "b-2", "b-3"]]


def test_of_a_batch_only_what_is_not_cancelled_counts_whether_it_was_read_before_or_now(stage: Stage) -> None:
    assert batch(stage, of_batch(1, 2, batch_size=2), of_batch(2, 7), of_batch(3, 8)) == []
    gone = [Cancellation("b-2", "x"), Cancellation("b-3", "x"), Cancellation("b-5", "x")]
    assert batch(stage, of_batch(4, 3), of_batch(5, 9), *gone) == [["b-1", "b-4"]]


def test_a_new_batch_is_counted_from_nothing(stage: Stage) -> None:
    assert batch(stage, of_batch(1, 2, batch_size=2), of_batch(2, 3, batch_size=2)) == [["b-1", "b-2"]]


def test_a_waiting_case_of_which_a_part_is_explained_is_worth_the_rest(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SCRIPT | {"holds": {"0xhot": ["1000 ETH"]}, "prices": {"ETH": "300000"}})
    moves = ["0xhot -> 0xa 5 ETH", "0xhot -> 0xb 3 ETH"]
    stage.play(
        {"block": "ethereum 101", "transactions": [{"id": "t1", "from": "0xhot", "fee": "0.01 ETH", "moves": moves}]}
    )
    worth = []
    for one in (None, APPROVAL, replace(APPROVAL, id="w-2", destination="0xb", units=3 * ETHER)):
        read(stage, *([] if one is None else [one]))
        with stage.ledger.read() as connection:
            (case,) = reader.cases(connection)
        worth.append((case.units, case.value and case.value["amount"]))
    stage.close()
    assert worth[:2] == [(8 * ETHER, "2400000.00"), (3 * ETHER, "900000.00")]


def test_a_late_approval_of_a_payment_between_own_wallets_leaves_it_internal(tmp_path: Path) -> None:
    cold = {"chain": "ethereum", "tier": "cold", "addresses": ["0xcold"]}
    script = {"wallets": SCRIPT["wallets"] | {"eth-cold": cold}, "holds": {"0xcold": ["100 ETH"]}}
    stage = Stage(tmp_path, script)
    moves = ["0xcold -> 0xhot 5 ETH"]
    stage.play(
        {"block": "ethereum 101", "transactions": [{"id": "t1", "from": "0xcold", "fee": "0.01 ETH", "moves": moves}]}
    )
    read(stage, replace(APPROVAL, destination="0xhot"))
    (matched,) = written(stage, "matched")
    stage.close()
    assert (matched["reason"], matched["approval"], "batch" in matched) == ("internal", "w-1", False)


def all_cases(stage: Stage, rule: str) -> list[tuple[CaseState, int, Any]]:
    with stage.ledger.read() as connection:
        return [
            (case.state, len(case.history), case.evidence) for case in reader.cases(connection) if case.rule == rule
        ]


BAD = BadSignature("w-4", "key-1", "the signature is of other content")


@pytest.mark.parametrize(
    ("rule", "again"),
    [
        ("altered_approval", {"records": (replace(APPROVAL, digest="other"),)}),
        ("bad_approval_signature", {"bad_signatures": (BAD,)}),
    ],
)
def test_a_refused_line_that_comes_again_neither_opens_a_second_case_nor_the_closed_one(
    stage: Stage, rule: str, again: dict[str, Any]
) -> None:
    read(stage, APPROVAL)
    fields: dict[str, Any] = {"records": (), "malformed": (), "heartbeat": None, "position": None} | again
    stage._take(ApprovalsRead("post", **fields))
    ((state, events, evidence),) = all_cases(stage, rule)
    assert state is CaseState.OPEN
    assert evidence["source"] == "post"
    told = stage.told()
    stage._take(ApprovalsRead("post", **fields))
    assert [(state, events) for state, events, _ in all_cases(stage, rule)] == [(CaseState.OPEN, events)]
    assert stage.told() == told
    stage.play({"act": "close", "case": rule, "by": "tanaka", "why": "looked into"})
    stage._take(ApprovalsRead("post", **fields))
    assert [state for state, _, _ in all_cases(stage, rule)] == [CaseState.CLOSED]


def test_the_feed_adds_up_over_readings_and_begins_at_nothing(stage: Stage) -> None:
    read(stage, APPROVAL)
    read(stage, replace(APPROVAL, id="w-2"), replace(APPROVAL, id="w-3"), bad_signatures=(BAD,))
    with stage.ledger.read() as connection:
        feed = reader.feeds(connection)["approvals"]
    assert (feed.records, feed.malformed, feed.position) == (3, 1, "")
    assert [record["source"] for record in written(stage, "approval")] == ["post"] * 3
