"""A month with 100,000 movements read back from a ledger on SQLite: coverage, roll-forward and round trips.

The ledger is filled through the tables, then read as a report reads it. What comes out is compared with the sums that
the bench kept itself. Goal: at most 5 seconds, and at most 1.5 times that with as many movements before the
month. Run alone: python -m bench.period
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import insert

from chains.core.values import BlockRef
from monitor.ledger import history, schema
from monitor.ledger.store import Advance, Commit, Ledger, commit
from monitor.series import Step, coverage, declared, down, held, roll_forward, round_trips, unequal

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
END = datetime(2026, 11, 1, tzinfo=UTC)
COUNT = 100_000
GOAL, GROWTH_GOAL = 5.0, 1.5
_CHUNK = 5_000


def run() -> list[str]:
    """The lines of the result. Raises AssertionError where a figure is not the bench's own."""
    alone, mean = _measured(before=0)
    grown, same = _measured(before=COUNT)
    assert mean == same
    ratio = grown / alone
    return [
        f"period: a month with {COUNT:,} movements: coverage (mean {mean}), roll-forward and round trips of 31 closes",
        f"  {alone:.2f} s; goal at most {GOAL:.0f} s: {_reached(alone <= GOAL)}",
        f"  with as many before it {ratio:.2f}x; goal at most {GROWTH_GOAL}x: {_reached(ratio <= GROWTH_GOAL)}",
    ]


def _measured(before: int) -> tuple[float, str]:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"sqlite:///{folder}/ledger.db")
        try:
            opening, closing = _fill(ledger, before)
            began = time.process_time()
            mean = _read(ledger, opening, closing)
            return time.process_time() - began, mean
        finally:
            ledger.close()


def _fill(ledger: Ledger, before: int) -> tuple[int, int]:
    """One movement a block: deposits, and withdrawals of what is there. Returns what was held at the month's ends."""
    chance = random.Random(1)
    step = (END - BEGIN) / (COUNT + 1)
    units, opening = 10**12, 10**12
    first = BlockRef("c", 1, "h1", "h0", int((BEGIN - step * (before + 2)).timestamp()))
    moved, paid = [], []
    for number in range(before + COUNT):
        at = BEGIN + step * (number - before + (1 if number >= before else 0))
        delta = 0
        if number >= before:
            delta = chance.randrange(1, 10**8) * (1 if chance.random() < 0.5 else -1)
        place = {"chain": "c", "height": number + 2, "txid": f"{number:064x}", "ordinal": 0, "idx": 0}
        units += delta
        moved.append(_movement(place, int(at.timestamp()), delta))
        if delta:
            paid.append(_flow(place, delta))
    cursor = BlockRef("c", before + COUNT + 2, "end", "h", int(END.timestamp()))
    with ledger.write() as connection:
        commit(connection, Commit(advance=Advance(first, None, 0)), BEGIN)
        commit(connection, Commit(advance=Advance(cursor, "h1", cursor.height, rewind=True)), BEGIN)
        connection.execute(
            insert(schema.watched).values(chain="c", locator="a", wallet="hot", opened_height=1, opened_hash="h1")
        )
        connection.execute(insert(schema.carried).values(chain="c", asset="BTC", opened_height=1))
        connection.execute(insert(schema.total).values(chain="c", wallet="hot", asset="BTC", units=units))
        for table, rows in ((schema.movement, moved), (schema.flow, paid)):
            for start in range(0, len(rows), _CHUNK):
                connection.execute(insert(table), rows[start : start + _CHUNK])
    return opening, units


def _movement(place: dict[str, object], seconds: int, delta: int) -> dict[str, object]:
    rest = {"kind": "transaction", "locator": "a", "asset": "BTC", "wallet": "hot", "coin": ""}
    return {**place, **rest, "block_hash": f"h{place['height']}", "block_time": seconds, "delta": delta}


def _flow(place: dict[str, object], delta: int) -> dict[str, object]:
    came = delta > 0
    return {
        **place,
        "wallet": "hot",
        "asset": "BTC",
        "part": "receipt" if came else "destination",
        "direction": "in" if came else "out",
        "destination": "a" if came else f"customer-{place['height']}",
        "receiver": "hot" if came else "",
        "sink": 0,
        "units": abs(delta),
        "reason": "deposit" if came else "not_attributed",
        "approval": "",
        "note": "",
        "earliest": BEGIN,
        "latest": BEGIN,
        "fee": None,
        "safe_tx_hash": None,
        "outputs_hash": None,
    }


def _read(ledger: Ledger, opening: int, closing: int) -> str:
    with ledger.read() as connection:
        (past,) = history.past(connection, BEGIN, END)
    (roll,) = roll_forward(past, {"hot": "customers"})
    assert (roll.opening, roll.closing) == (opening, closing)
    assert unequal([roll]) == ()
    owed = [Step(BEGIN + timedelta(hours=hour), 10**12 + hour, "liabilities") for hour in range(31 * 24)]
    series = coverage("BTC", [held(past, {"hot"}, "BTC", BEGIN, END)], declared(owed), BEGIN, END)
    assert series.mean is not None
    for day in range(31):
        round_trips(past.payments, {"hot"}, BEGIN + timedelta(days=day), "BTC", 5 * 10**10)
    return down(series.mean)


def _reached(reached: bool) -> str:
    return "reached" if reached else "NOT reached"


if __name__ == "__main__":
    print("\n".join(run()))
