"""The periods of scenarios, read back from the ledger: what the whole day says beside the moment of the snapshot."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from monitor import detect
from monitor.ledger import history
from monitor.model import Owner, RoundTrip
from monitor.series import Coverage, Past, Roll, coverage, declared, down, held, roll_forward, round_trips, up
from tests.scenarios.stage import Stage, moment
from tests.scenarios.world import DECIMALS, coins_of, units_of

FILES = [path for path in sorted(Path(__file__).parent.glob("*.toml")) if "\n[period]" in path.read_text()]


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@dataclass(frozen=True)
class Period:
    """What a ledger says of a period."""

    pasts: tuple[Past, ...]
    series: tuple[Coverage, ...]
    customers: Mapping[str, str]

    def rolls(self) -> Iterator[Roll]:
        return (roll for past in self.pasts for roll in roll_forward(past, self.customers) if roll.closing)

    def trips(self, as_of: datetime, least: Mapping[str, str]) -> dict[str, tuple[RoundTrip, ...]]:
        payments = [payment for past in self.pasts for payment in past.payments]
        return {
            asset: round_trips(payments, self.customers.keys(), as_of, asset, units_of(text)[0])
            for asset, text in least.items()
        }


def read_back(stage: Stage, begin: datetime, end: datetime, assets: tuple[str, ...]) -> Period:
    with stage.ledger.read() as connection:
        pasts = history.past(connection, begin, end)
        owed = history.liabilities(connection, begin, end)
    customers = {w.name: "customers" for w in stage.setup.wallets.values() if w.owner is Owner.CUSTOMER}
    series = []
    for asset in assets:
        carrying = [held(past, customers.keys(), asset, begin, end) for past in pasts if asset in past.assets]
        series.append(coverage(asset, carrying, declared(owed.get(asset, ())), begin, end))
    return Period(pasts, tuple(series), customers)


def _span_lines(series: Coverage) -> list[str]:
    def coins(units: int | None) -> str:
        return "unknown" if units is None else coins_of(units, series.asset).split()[0]

    return [
        f"{series.asset} {s.begin:%H:%M} {coins(s.held)} / {coins(s.owed)} because of {s.cause}" for s in series.spans
    ]


def _roll_line(roll: Roll) -> str:
    def coins(units: int) -> str:
        return coins_of(units, roll.asset).split()[0]

    words = [f"{roll.asset}: {coins(roll.opening)}"]
    words += [f"+ {coins(roll.begun)} begun"] if roll.begun else []
    words += [f"+ {coins(units)} {reason}" for reason, units in roll.inflow.items()]
    words += [f"- {coins(units)} {reason}" for reason, units in roll.outflow.items()]
    words += [f"- {coins(roll.fees)} fees"] if roll.fees else []
    words += [f"+ {coins(roll.residual)} residual"] if roll.residual else []
    return f"{' '.join(words)} = {coins(roll.closing)}"


def _trip_line(trip: RoundTrip) -> str:
    given = f"{trip.txid_in} {trip.giver or '?'} -> {trip.wallet_in}"
    taken = f"{trip.txid_out} {trip.wallet_out} -> {trip.taker or '?'}"
    return f"{coins_of(trip.units, trip.asset)} {trip.evidence}: {given}, {taken}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_period_of_a_scenario(file: Path, store_url: str) -> None:
    script = tomllib.loads(file.read_text(encoding="utf-8"))
    stage = Stage(store_url, script)
    try:
        for step in script["step"]:
            stage.play(step)
        expected = script["period"]
        period = read_back(stage, moment(expected["from"]), moment(expected["to"]), tuple(expected["mean"]))
    finally:
        stage.close()
    _assert_series(period, expected)
    assert sorted(_roll_line(roll) for roll in period.rolls()) == expected["rolls"]
    _assert_trips(period, expected["around"])


def _assert_series(period: Period, expected: Mapping[str, Any]) -> None:
    assert [line for series in period.series for line in _span_lines(series)] == expected["coverage"]
    lowest = {s.asset: s.minimum for s in period.series if s.minimum is not None}
    assert {
        asset: f"{down(low.ratio)} at {low.begin:%H:%M}" for asset, low in lowest.items() if low.ratio is not None
    } == expected["minimum"]
    assert {s.asset: down(s.mean) for s in period.series if s.mean is not None} == expected["mean"]
    assert {s.asset: up(s.unknown_share) for s in period.series} == expected["unknown"]


def _assert_trips(period: Period, around: Mapping[str, Any]) -> None:
    as_of = moment(around["as_of"])
    trips = period.trips(as_of, around["least"])
    assert [_trip_line(trip) for found in trips.values() for trip in found] == around["trips"]
    cases = []
    for series in period.series:
        owed = next(s.owed for s in series.spans if s.begin <= as_of < s.end)
        assert owed is not None
        decimals = DECIMALS[series.asset]
        case = detect.window_dressing(
            trips[series.asset], as_of, series.asset, owed, Decimal(5), decimals, as_of + timedelta(days=1)
        )
        if case is not None and case.units is not None:
            moved = coins_of(case.units, series.asset)
            cases.append(f"{case.rule} {series.asset} {moved} of {coins_of(owed, series.asset).split()[0]}")
    assert sorted(cases) == around["cases"]


def test_there_are_periods() -> None:
    assert FILES
