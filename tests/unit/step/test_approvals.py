"""Approvals against the ledger: used once whatever happens, batches whole, bad signatures refused."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import select

from monitor.ledger import reader, schema
from monitor.ledger.encode import parse
from monitor.ledger.migrate import revisions
from monitor.model import BadSignature
from monitor.step.observations import ApprovalsRead
from tests.scenarios.stage import Stage

SCRIPT: dict[str, Any] = {
    "wallets": {"eth-hot": {"chain": "ethereum", "tier": "hot", "addresses": ["0xhot"]}},
    "holds": {"0xhot": ["100000 ETH"]},
}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    opened = Stage(tmp_path, SCRIPT)
    yield opened
    opened.close()


def payment(name: str, to: str = "0xa", amount: int = 5) -> dict[str, Any]:
    return {"id": name, "from": "0xhot", "fee": "0 ETH", "moves": [f"0xhot -> {to} {amount} ETH"]}


def block(stage: Stage, *payments: dict[str, Any]) -> None:
    stage.play({"block": f"ethereum {stage.cursor('ethereum').height + 1}", "transactions": list(payments)})


def member(name: str, amount: int, size: int | None = None, to: str = "0xa") -> dict[str, Any]:
    return {"id": name, "amount": f"{amount} ETH", "to": to, "batch": "b", "batch_size": size}


def approve(stage: Stage, *lines: dict[str, Any]) -> None:
    stage.play({"approve": list(lines)})


def used_by(stage: Stage) -> dict[str, str]:
    with stage.ledger.read() as connection:
        return {row.id: row.used_by for row in connection.execute(select(schema.approval))}


def test_a_batch_explains_one_payment_and_is_used_up_as_a_whole(stage: Stage) -> None:
    approve(stage, member("m-1", 2, 2), member("m-2", 3, 2))
    block(stage, payment("t1"))
    assert stage.cases() == []
    assert stage.parts()["t1"] == ["eth-hot approved 5 ETH by m-1"]
    assert set(used_by(stage).values()) == {"ethereum/t1/1"}
    block(stage, payment("t2"))
    assert len(stage.cases()) == 1


def test_an_incomplete_batch_explains_nothing_until_its_last_approval_is_read(stage: Stage) -> None:
    approve(stage, member("m-1", 2, 2))
    block(stage, payment("t1", amount=2))
    block(stage, payment("t2"))
    assert stage.approvals() == {"m-1": "open"}
    approve(stage, member("m-2", 3, 2))
    assert stage.approvals() == {"m-1": "used", "m-2": "used"}
    assert stage.parts()["t2"] == ["eth-hot approved 5 ETH by m-1"]
    assert stage.parts()["t1"] == ["eth-hot unexplained 2 ETH"]


def test_of_a_batch_with_a_cancelled_member_nothing_is_used(stage: Stage) -> None:
    approve(stage, member("m-1", 2, 2), member("m-2", 3, 2), {"cancel": "m-2"})
    block(stage, payment("t1"), payment("t2", amount=2))
    assert stage.approvals() == {"m-1": "open", "m-2": "cancelled"}


def test_a_reorganisation_gives_a_whole_batch_back(stage: Stage) -> None:
    approve(stage, member("m-1", 2, 2), member("m-2", 3, 2))
    block(stage, payment("t1"))
    stage.play({"rewind": "ethereum 100"})
    assert stage.approvals() == {"m-1": "open", "m-2": "open"}
    stage.play({"restart": True})
    block(stage, payment("t2"))
    assert stage.approvals() == {"m-1": "used", "m-2": "used"}


def test_approvals_that_come_late_together_are_matched_together(stage: Stage) -> None:
    stage.play({"at": "10:02", "block": "ethereum 101", "transactions": [payment("t1")]})
    stage.play({"at": "10:05", "block": "ethereum 102", "transactions": [payment("t2")]})
    approve(
        stage,
        {"id": "long", "amount": "5 ETH", "to": "0xa", "from": "10:00", "until": "10:10"},
        {"id": "short", "amount": "5 ETH", "to": "0xa", "from": "10:01", "until": "10:03"},
    )
    assert stage.parts() == {
        "t1": ["eth-hot approved 5 ETH by short"],
        "t2": ["eth-hot approved 5 ETH by long"],
    }


def test_a_cancellation_in_the_same_reading_is_in_time(stage: Stage) -> None:
    block(stage, payment("t1"))
    approve(stage, {"id": "w-1", "amount": "5 ETH", "to": "0xa"}, {"cancel": "w-1"})
    assert stage.outcome.answers == ("created", "cancelled")
    assert stage.approvals() == {"w-1": "cancelled"}


def test_what_names_a_transaction_is_kept_for_approvals_that_come_late(stage: Stage) -> None:
    block(stage, payment("t1"), payment("t2", to="0xb"))
    with stage.ledger.read() as connection:
        rows = {row.txid: row for row in connection.execute(select(schema.flow))}
    assert rows["t1"].safe_tx_hash is None
    one, two = rows["t1"].outputs_hash, rows["t2"].outputs_hash
    assert len(one) == 64
    assert one != two
    approve(stage, {"id": "w-1", "amount": "5 ETH", "to": "0xa", "outputs_hash": two})
    assert stage.approvals() == {"w-1": "open"}
    approve(stage, {"id": "w-2", "amount": "5 ETH", "to": "0xa", "outputs_hash": one})
    assert stage.approvals() == {"w-1": "open", "w-2": "used"}


def test_a_bad_signature_is_a_critical_case_once_for_each_id_and_key(stage: Stage) -> None:
    for bad in (BadSignature("w-1", "ops", "why"), BadSignature("w-1", "ops", "why"), BadSignature("w-1", "", "why")):
        stage._take(ApprovalsRead("post", (), (), None, None, (bad,)))
    assert stage.cases() == [
        "open bad_approval_signature w-1 (key ops)",
        "open bad_approval_signature w-1 (no key)",
    ]
    with stage.ledger.read() as connection:
        assert reader.feeds(connection)["approvals"].malformed == 3
        refused = connection.execute(select(schema.journal.c.body).where(schema.journal.c.kind == "refused")).scalars()
        assert [parse(body)["id"] for body in refused] == ["w-1"] * 3


def test_the_newest_migration_is_the_one_that_this_code_needs() -> None:
    assert revisions()[-1] >= "0004"


class Consumption(RuleBasedStateMachine):
    """Approvals of one amount to one destination, against a model that only counts."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.stage = Stage(Path(self.folder.name), SCRIPT)
        self.open: set[str] = set()
        self.used: dict[str, int] = {}  # approval -> height of the payment that it explains
        self.gone: set[str] = set()
        self.payments: dict[int, str] = {}
        self.waiting: list[int] = []
        self.number = 0

    def teardown(self) -> None:
        self.stage.close()
        self.folder.cleanup()

    def fresh(self) -> str:
        self.number += 1
        return f"x-{self.number:03}"

    @rule()
    def register(self) -> None:
        name = self.fresh()
        approve(self.stage, {"id": name, "amount": "5 ETH", "to": "0xa", "until": "23:59"})
        if self.waiting:
            self.used[name] = self.waiting.pop(0)
        else:
            self.open.add(name)

    @rule()
    def pay(self) -> None:
        name = self.fresh()
        block(self.stage, payment(name))
        height = self.stage.cursor("ethereum").height
        self.payments[height] = name
        if self.open:
            approval = min(self.open)
            self.open.remove(approval)
            self.used[approval] = height
        else:
            self.waiting.append(height)

    @precondition(lambda self: self.payments)
    @rule(depth=st.integers(1, 3))
    def rewind(self, depth: int) -> None:
        height = max(100, self.stage.cursor("ethereum").height - depth)
        self.stage.play({"rewind": f"ethereum {height}"})
        self.payments = {at: name for at, name in self.payments.items() if at <= height}
        self.waiting = [at for at in self.waiting if at <= height]
        back = {name for name, at in self.used.items() if at > height}
        self.used = {name: at for name, at in self.used.items() if name not in back}
        self.open |= back

    @precondition(lambda self: self.open or self.used)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted({*self.open, *self.used})))
        approve(self.stage, {"cancel": name})
        assert self.stage.outcome.answers == (("cancelled",) if name in self.open else ("used",))
        if name in self.open:
            self.open.remove(name)
            self.gone.add(name)

    @rule()
    def restart(self) -> None:
        self.stage.play({"restart": True})

    @invariant()
    def the_ledger_says_the_same(self) -> None:
        expected = {
            **dict.fromkeys(self.open, "open"),
            **dict.fromkeys(self.used, "used"),
            **dict.fromkeys(self.gone, "cancelled"),
        }
        assert self.stage.approvals() == expected
        explained = {self.payments[height]: name for name, height in self.used.items()}
        assert self.stage.parts() == {
            name: [f"eth-hot approved 5 ETH by {explained[name]}" if name in explained else "eth-hot unexplained 5 ETH"]
            for name in self.payments.values()
        }


TestConsumption = Consumption.TestCase
TestConsumption.settings = settings(
    max_examples=8, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
