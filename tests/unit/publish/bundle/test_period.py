"""A period from the journal's records in a bundle: the same as from the state tables, and every figure exact."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from chains.core.values import BlockRef
from monitor.ledger import history, schema
from monitor.ledger.encode import approval_to_json, block_to_json
from monitor.ledger.journal import Record
from monitor.ledger.store import Ledger
from monitor.model import Approval, rfc3339, utc
from monitor.publish.bundle import command, places
from monitor.publish.bundle.context import context_of
from monitor.publish.bundle.evidence import read_evidence
from monitor.publish.bundle.past import pasts
from monitor.publish.bundle.verify import verify
from tests.unit.assess.sample import NOW
from tests.unit.publish.bundle import made
from tests.unit.publish.bundle.made import Exchange

BEGIN = NOW - timedelta(hours=20)
BTC = 10**8
#: what was held when it was first followed, before the period
OPENING = {"cold": 9650 * BTC, "hot": 340 * BTC, "guarantee": 350 * BTC, "house": 100_000_001}


def block(height: int, hours: float) -> BlockRef:
    return BlockRef(
        "c", height, f"{height:064x}", f"{height - 1:064x}", int((NOW - timedelta(hours=hours)).timestamp())
    )


def opened() -> Record:
    wallets = {f"address-{name}-0": name for name in OPENING}
    holdings = [[f"address-{name}-0", "BTC", str(units)] for name, units in OPENING.items()]
    body = {
        "at": block_to_json(block(1, 30)),
        "wallets": wallets,
        "assets": ["BTC", "ETH", "XRP"],
        "holdings": holdings,
    }
    return Record("opened", {**body, "coins": [], "sequences": {}})


def flow(idx: int, wallet: str, direction: str, part: str, units: int, reason: str, party: str = "outside") -> Any:
    receiver = party if part == "own" else ""
    return {
        "idx": idx, "wallet": wallet, "asset": "BTC", "part": part, "direction": direction,
        "destination": party, "receiver": receiver, "sink": idx, "units": str(units), "reason": reason,
        "approval": "", "note": "",
    }  # fmt: skip


def moved(ref: BlockRef, changes: dict[str, int], flows: list[Any]) -> Record:
    transaction = {
        "txid": f"{ref.height:064x}", "ordinal": 0, "kind": "transaction",
        "earliest": rfc3339(utc(ref.time)), "latest": rfc3339(utc(ref.time)), "fee": "0", "steps": {},
        "movements": [
            [index, f"address-{wallet}-0", "BTC", wallet, str(units), ""]
            for index, (wallet, units) in enumerate(changes.items())
        ],
        "flows": flows,
    }  # fmt: skip
    return Record("block", {"block": block_to_json(ref), "transactions": [transaction], "unseen": []})


def declared(hours: float, units: int) -> Record:
    line = {"asset": "BTC", "units": str(units), "as_of": rfc3339(NOW - timedelta(hours=hours))}
    return Record("declared", {"source": "liabilities", "lines": [line]})


APPROVAL = Approval(
    id="w-1",
    chain="c",
    asset="BTC",
    units=11 * BTC - 1_000,
    destination="outside",
    wallet="hot",
    tag=None,
    not_before=None,
    not_after=NOW,
    max_fee=None,
    txid=None,
    batch=None,
    digest="",
)
#: a deposit, a payment with its fee, a deposit that was reorganised away, a move between own wallets, a late approval
HISTORY = (
    opened(),
    declared(25, 9_990 * BTC),
    moved(block(2, 18), {"hot": 20 * BTC}, [flow(0, "hot", "in", "receipt", 20 * BTC, "deposit")]),
    moved(
        block(3, 15),
        {"hot": -11 * BTC},
        [
            flow(0, "hot", "out", "destination", 11 * BTC - 1_000, "unexplained"),
            flow(1, "hot", "out", "fee", 1_000, "unexplained", ""),
        ],
    ),
    moved(block(4, 12), {"hot": 500 * BTC}, [flow(0, "hot", "in", "receipt", 500 * BTC, "deposit")]),
    Record(
        "rewound",
        {
            "to": block_to_json(block(3, 15)),
            "from": block_to_json(block(4, 12)),
            "reversals": [[f"{4:064x}", "address-hot-0", "BTC", "hot", str(-500 * BTC), ""]],
            "approvals": [],
            "steps": [],
        },
    ),
    Record("approval", {"approval": approval_to_json(APPROVAL), "first_read": rfc3339(NOW)}),
    Record(
        "matched",
        {
            "chain": "c", "height": 3, "txid": f"{3:064x}", "sink": 0, "reason": "approved", "approval": "w-1",
            "note": "approved after it was seen", "fees_of": ["hot"],
        },
    ),
    moved(
        block(5, 6),
        {"hot": -BTC, "cold": BTC},
        [flow(0, "hot", "out", "own", BTC, "internal", "cold"), {**flow(1, "cold", "in", "receipt", BTC, "internal", "cold"), "sink": 0}],
    ),
    declared(4, 9_999 * BTC),
    moved(block(6, 3), {"hot": 2 * BTC}, [flow(0, "hot", "in", "receipt", 2 * BTC, "deposit")]),
)  # fmt: skip


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    """The close after all that: hot 350, cold 9651."""
    found = made.closing()
    (reading,) = found.readings
    held = {"cold": 9651 * BTC, "hot": 350 * BTC, "guarantee": 350 * BTC, "house": 100_000_001}
    lines = tuple(
        replace(line, units=held[line.wallet], verified=held[line.wallet])
        for line in reading.lines or ()
        if line.asset == "BTC"
    )
    return made.exchange(
        tmp_path_factory.mktemp("busy"), replace(found, readings=(replace(reading, lines=lines),)), HISTORY
    )


@pytest.fixture(scope="module")
def out(busy: Exchange) -> Path:
    folder = busy.base / "report"
    options = command.Options(at="2026-11-20", out=folder, begin=rfc3339(BEGIN), languages=())
    assert command.report(busy.config, options) == 0
    return folder


def test_the_period_verifies(out: Path) -> None:
    assert verify(out, None).problems == ()


def test_the_roll_forward_adds_up_and_flows_are_by_reason(out: Path) -> None:
    tables = json.loads((out / places.REPORT).read_text())["blocks"]["reconciliation"]["tables"]
    (bitcoin, *others) = tables["roll_forward"]
    assert others == []
    assert {name: int(value) for name, value in bitcoin.items() if name != "asset"} == {
        "opening": 9_990 * BTC,
        "inflow": 22 * BTC,
        "outflow": 11 * BTC - 1_000,
        "fees": 1_000,
        "residual": 0,
        "closing": 10_001 * BTC,
        "difference": 0,
    }
    flows = {(row["direction"], row["reason"]): (row["parts"], int(row["quantity"])) for row in tables["flows"]}
    assert flows == {
        ("in", "deposit"): (2, 22 * BTC),
        ("out", "approved"): (1, 11 * BTC - 1_000),
        ("out", "fee"): (1, 1_000),
    }


def test_coverage_over_the_period_has_its_minimum_where_it_was(out: Path) -> None:
    tables = json.loads((out / places.REPORT).read_text())["blocks"]["coverage_series"]["tables"]
    (bitcoin,) = tables["summary"]
    assert bitcoin["minimum"] == "1.000000000000"
    assert [row["verdict"] for row in tables["points"] if row["asset"] == "BTC"] == ["PASS"] * len(tables["points"])
    assert bitcoin["minimum_at"] == rfc3339(NOW - timedelta(hours=4)) or bitcoin["minimum_at"] == rfc3339(BEGIN)
    assert bitcoin["points"] == 5


def test_a_round_trip_around_the_time_of_the_liabilities_needs_a_way_out_again(out: Path) -> None:
    assert json.loads((out / places.REPORT).read_text())["blocks"]["reconciliation"]["tables"]["round_trips"] == []


def test_the_records_tell_the_same_period_as_the_state_tables(busy: Exchange, out: Path) -> None:
    (mine,) = pasts(context_of(read_evidence(out)))
    ledger = Ledger(f"sqlite:///{busy.base / 'porwatch.db'}")
    with ledger.write() as connection:
        row = {"chain": "c", "height": 7, "hash": made.AT.hash, "parent": made.AT.parent, "time": made.AT.time}
        connection.execute(insert(schema.cursor).values(**row, final_height=7))
        connection.execute(insert(schema.header).values(**row, seen_at=NOW))
        (theirs,) = history.past(connection, BEGIN, NOW)
        connection.rollback()
    ledger.close()
    assert (mine.begin, mine.until, mine.changes, mine.payments) == (
        theirs.begin,
        theirs.until,
        theirs.changes,
        theirs.payments,
    )
    assert {key: units for key, units in mine.opening.items() if units} == dict(theirs.opening)
    assert {key: units for key, units in mine.closing.items() if units} == dict(theirs.closing)
