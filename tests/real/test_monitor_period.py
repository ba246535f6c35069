"""The house lends to its customers' wallet over a snapshot on a real chain, and the period shows it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from chains.lab.anvil import Anvil
from monitor import detect
from monitor.ledger import history
from monitor.ledger.store import Ledger
from monitor.model import Reason, TripEvidence, rfc3339
from monitor.series import coverage, declared, held, roll_forward, round_trips, unequal
from tests.real.exchange import exchange
from tests.real.sides import EvmSide


@pytest.mark.component("anvil")
def test_a_loan_over_the_snapshot_is_found_on_a_real_chain(fresh_anvil: Anvil, tmp_path: Path) -> None:
    side = EvmSide(fresh_anvil)
    house = {"tier": "hot", "owner": "house"}
    wallets = [each | house if each["name"] == side.cold else each for each in side.wallets()]
    books = {"liabilities": {"file": "liabilities.csv"}}
    with exchange(tmp_path / "exchange", [side], wallets, books=books) as ex:
        begin = datetime.now(UTC)
        ex.declare({"ETH": "100"}, rfc3339(begin - timedelta(hours=1)))
        ex.start()
        side.deposit(side.hot, side.unit // 10)
        lent = side.pay(side.cold, side.address(side.hot), 60 * side.unit)
        side.mine()
        time.sleep(2)
        as_of = datetime.now(UTC)
        ex.declare({"ETH": "110"}, rfc3339(as_of))
        time.sleep(2)
        back = side.pay(side.hot, side.address(side.cold), 55 * side.unit)
        side.mine(2)
        ex.wait_for_block(side.name, side.head())
        ex.wait(lambda: len(ex.records("declared")) == 2, "both liabilities were not read")
        assert ex.stop() == 0
        fee = side.fee(back)
        ledger = Ledger(f"sqlite:///{ex.folder / 'porwatch.db'}", writable=False)
    try:
        with ledger.read() as connection:
            (past,) = history.past(connection, begin - timedelta(minutes=1), datetime.now(UTC))
            owed = history.liabilities(connection, begin, past.until)
    finally:
        ledger.close()
    (roll,) = (roll for roll in roll_forward(past, {side.hot: "customers"}) if roll.asset == "ETH")
    assert unequal([roll]) == ()
    assert roll.opening + roll.begun == 50 * side.unit
    assert roll.inflow == {Reason.DEPOSIT: side.unit // 10, Reason.INTERNAL: 60 * side.unit}
    assert roll.outflow == {Reason.INTERNAL: 55 * side.unit}
    assert (roll.fees, roll.residual, roll.closing) == (fee, 0, side.held(side.hot))
    since = past.known_from["ETH"]
    series = coverage(
        "ETH", [held(past, {side.hot}, "ETH", since, past.until)], declared(owed["ETH"]), since, past.until
    )
    assert series.unknown == timedelta(0)
    assert series.minimum is not None
    assert series.minimum.ratio == Fraction(1, 2)
    (trip,) = round_trips(past.payments, {side.hot}, as_of, "ETH", least=side.unit)
    assert (trip.units, trip.evidence, trip.txid_in, trip.txid_out) == (55 * side.unit, TripEvidence.OWN, lent, back)
    assert detect.window_dressing([trip], as_of, "ETH", 110 * side.unit, Decimal(5), 18, past.until) is not None
