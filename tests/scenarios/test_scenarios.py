"""Every scenario in this folder, played on a real ledger, and the laws that hold after each of them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from chains.core.values import Account
from monitor.ledger import history, journal, reader, schema
from monitor.ledger.encode import parse
from monitor.ledger.store import rebuild
from monitor.model import CaseState, case_id, utc
from monitor.series import roll_forward, unequal
from tests.scenarios.stage import Stage, moment
from tests.scenarios.world import coins_of, units_of

FILES = sorted(Path(__file__).parent.glob("*.toml"))
_EXPECTATIONS = (
    "cases",
    "told",
    "parts",
    "approvals",
    "balances",
    "answers",
    "checks",
    "refused",
    "near",
    "destinations",
    "incidents",
)


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_scenario(file: Path, store_url: str) -> None:
    script = tomllib.loads(file.read_text(encoding="utf-8"))
    stage = Stage(store_url, script)
    try:
        for number, step in enumerate(script["step"], 1):
            stage.play(step)
            _expect(stage, step, f"step {number}: {step}")
        _expect(stage, script["expect"], "at the end")
        _outflow(stage, script["expect"].get("outflow", {}))
        with stage.ledger.read() as connection:
            _assert_laws(connection, stage)
        _assert_rebuilds(stage)
    finally:
        stage.close()


def test_there_are_scenarios() -> None:
    assert len(FILES) >= 30


def _expect(stage: Stage, expected: Mapping[str, Any], where: str) -> None:
    """Whatever of the expectations is named here; a list or table of them is complete, or it fails."""
    observed: dict[str, Any] = {}
    for name in _EXPECTATIONS:
        if name in expected:
            observed[name] = _observe(stage, name)
    wanted = {name: expected[name] for name in observed}
    for lines in (observed, wanted):
        if "cases" in lines:
            lines["cases"] = sorted(lines["cases"])
    assert observed == wanted, where


def _observe(stage: Stage, name: str) -> Any:
    match name:
        case "answers":
            return list(stage.outcome.answers)
        case "refused":
            return stage.refused
        case "near":
            return [note for case in stage.outcome.cases for note in case.evidence.get("near_approvals", [])]
        case "destinations":
            return [
                f"{d.address} {coins_of(d.units, case.asset or '')}{' known' if d.known else ''}"
                for case in stage.outcome.cases
                for d in case.destinations
            ]
        case _:
            return getattr(stage, name)()


def _outflow(stage: Stage, expected: Mapping[str, Mapping[str, str]]) -> None:
    """Σ explained and Σ unexplained of what left, as the scenario says them, by asset."""
    with stage.ledger.read() as connection:
        rows = connection.execute(select(schema.flow).where(schema.flow.c.direction == "out")).all()
    for asset, sums in expected.items():
        mine = [row for row in rows if row.asset == asset]
        unexplained = sum(row.units for row in mine if row.reason == "unexplained")
        explained = sum(row.units for row in mine if row.reason != "unexplained")
        assert {"explained": coins_of(explained, asset), "unexplained": coins_of(unexplained, asset)} == sums
        assert units_of(f"{sums['explained'].split()[0]} {asset}")[0] == explained


def _assert_laws(connection: Connection, stage: Stage) -> None:
    list(journal.verified(connection))
    accounts = {
        Account(row.chain, row.locator, row.asset): row for row in connection.execute(select(schema.account)).all()
    }
    assert {a: row.units for a, row in accounts.items() if row.units} == _opened_and_moved(connection)
    assert {a: row.units for a, row in accounts.items() if row.units} == {a: u for a, u in stage.truth().items() if u}
    totals: dict[tuple[str, str, str], int] = {}
    for account, row in accounts.items():
        key = (account.chain, row.wallet, account.asset)
        totals[key] = totals.get(key, 0) + row.units
    assert {k: u for k, u in totals.items() if u} == {k: u for k, u in reader.totals(connection).items() if u}
    for chain, world in stage.worlds.items():
        ours = {coin for coin in world.coins.values() if coin.locator in stage.watched[chain]}
        assert set(reader.coins(connection, chain)) == ours
    _assert_flows_equal_movements(connection)
    _assert_rolls_forward(connection, stage)
    _assert_approvals_used_once(connection)
    _assert_only_open_cases_are_told(connection)


def _opened_and_moved(connection: Connection) -> dict[Account, int]:
    """Opening + Σ movements since, of every account that is followed, read from the journal's own words."""
    openings: dict[tuple[str, str], tuple[int, dict[Account, int]]] = {}
    for entry in journal.entries(connection):
        body = parse(entry.body)
        if entry.kind == "opened":
            chain, height = body["at"]["chain"], body["at"]["height"]
            for locator in body["wallets"]:
                held = {Account(chain, x, asset): int(u) for x, asset, u in body["holdings"] if x == locator}
                openings[chain, locator] = (height, held)
        if entry.kind == "retired":
            for locator in body["locators"]:
                openings.pop((body["chain"], locator), None)
    sums: dict[Account, int] = {}
    for _, held in openings.values():
        sums.update(held)
    for row in connection.execute(select(schema.movement)).all():
        since = openings.get((row.chain, row.locator))
        if since is not None and row.height > since[0]:
            account = Account(row.chain, row.locator, row.asset)
            sums[account] = sums.get(account, 0) + row.delta
    return {account: units for account, units in sums.items() if units}


def _assert_flows_equal_movements(connection: Connection) -> None:
    """Σ parts out − Σ parts in = −Σ deltas, per transaction, wallet and asset; so explained + unexplained = outflow."""
    sums: dict[tuple[Any, ...], int] = {}
    for row in connection.execute(select(schema.movement).where(schema.movement.c.kind != "residual")).all():
        key = (row.chain, row.height, row.ordinal, row.wallet, row.asset)
        sums[key] = sums.get(key, 0) + row.delta
    for row in connection.execute(select(schema.flow).where(schema.flow.c.part != "change")).all():
        key = (row.chain, row.height, row.ordinal, row.wallet, row.asset)
        sums[key] = sums.get(key, 0) + (row.units if row.direction == "out" else -row.units)
    assert not {key: units for key, units in sums.items() if units}


def _assert_rolls_forward(connection: Connection, stage: Stage) -> None:
    """Opening + movements = closing, of the whole story and of what came after each of its blocks; closing is the truth."""
    times = sorted({row.block_time for row in connection.execute(select(schema.movement.c.block_time))})
    end = stage.now + timedelta(days=2)
    for begin in [moment("00:00"), *(utc(time) for time in times)]:
        for past in history.past(connection, begin, end):
            rolls = roll_forward(past, {name: name for name in stage.setup.wallets})
            assert unequal(rolls) == ()
            assert all(payment.units > 0 for payment in past.payments)
            held = {(past.chain, *key): units for key, units in past.closing.items() if units}
            now = reader.totals(connection).items()
            assert held == {key: units for key, units in now if units and key[0] == past.chain}


def _assert_approvals_used_once(connection: Connection) -> None:
    flows = connection.execute(select(schema.flow).where(schema.flow.c.approval != "")).all()
    used: dict[str, set[tuple[str, str, int]]] = {}
    for row in flows:
        used.setdefault(row.approval, set()).add((row.chain, row.txid, row.sink))
    assert all(len(sinks) == 1 for sinks in used.values())
    states = {row.id: row.state for row in connection.execute(select(schema.approval)).all()}
    assert {name for name, state in states.items() if state == "used"} == set(used)


def _assert_only_open_cases_are_told(connection: Connection) -> None:
    rows = connection.execute(select(schema.outbox).order_by(schema.outbox.c.id)).all()
    assert all(parse(row.payload)["state"] != "pending" for row in rows)
    told = {row.case_id for row in rows}
    for case in reader.cases(connection):
        waited_only = case.state is CaseState.PENDING or not any(e.action == "opened" for e in case.history)
        assert (case.id in told) != waited_only, case
        if case.txid is not None:
            assert case.id == case_id(case.chain or "", case.txid, case.wallet or "", case.asset or "")


def _rows(connection: Connection) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for table in schema.STATE:
        keys = list(table.primary_key.columns)
        for row in connection.execute(select(table).order_by(*keys)):
            yield table.name, tuple(row)


def _assert_rebuilds(stage: Stage) -> None:
    with stage.ledger.write() as connection:
        before = list(_rows(connection))
        rebuild(connection)
        assert list(_rows(connection)) == before
