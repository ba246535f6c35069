"""The nights on which the clocks change: a close for every business day, and only one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.real.exchange import Exchange
from tests.real.matrix.acts import Plants, behind, caught_up, nothing_lost
from tests.real.matrix.record import Row
from tests.real.sides import Side

ZONE = ZoneInfo("Europe/Oslo")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: the clocks go forward on this day at 02:00, and back at 03:00; both after now, so that no clock runs backwards
FORWARD, BACK = date(2027, 3, 28), date(2027, 10, 31)
#: the monitor, and the scheduler inside it, by a clock that is ahead by the seconds in a file
SHIFTED_CLOCK = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apscheduler.executors.base
import apscheduler.schedulers.base

from monitor.step import writer

offset = Path(sys.argv.pop(1))


class Shifted(datetime):
    @classmethod
    def now(cls, tz=None):
        return (datetime.now(UTC) + timedelta(seconds=float(offset.read_text()))).astimezone(tz)


def shifted():
    return Shifted.now(UTC)


apscheduler.executors.base.datetime = apscheduler.schedulers.base.datetime = Shifted
writer.utc_now = shifted
writer.Writer.__init__.__defaults__ = (shifted,)

from monitor.__main__ import main

main()
"""


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZONE)


def closes(ex: Exchange) -> list[date]:
    """The dates whose beginning a close was made for."""
    found = ex.rows("SELECT at FROM verdict WHERE kind = 'close' ORDER BY at")
    return [(EPOCH + timedelta(microseconds=int(at))).astimezone(ZONE).date() for (at,) in found]


def test_the_clocks_change(row: Row, sides: list[Side], tmp_path: Path) -> None:
    """Daylight saving. Both nights of a year on which the clocks of Oslo change, and the night after each, with the
    close at 00:00; a theft in every one."""
    program, offset = tmp_path / "clock.py", tmp_path / "offset"
    program.write_text(SHIFTED_CLOCK)

    def set_clock(to: datetime) -> None:
        new = offset.with_suffix(".new")
        new.write_text(str((to - datetime.now(UTC)).total_seconds()))
        new.replace(offset)

    entity = {"name": "Example", "currency": "NOK", "timezone": "Europe/Oslo"}
    with behind({}, tmp_path, sides, entity=entity, schedule={"cycle": "1s", "close": "00:00"}) as ex:
        ex.program = (str(program), str(offset))
        plants, expected = Plants(ex), list[date]()
        for change in (FORWARD, BACK):
            set_clock(midnight(change) - timedelta(minutes=2))
            ex.start()
            for day in (change, change + timedelta(days=1)):
                for side in sides:
                    plants.steal(side)
                caught_up(ex, sides)
                set_clock(midnight(day).astimezone(UTC) - timedelta(seconds=2))
                expected.append(day)
                ex.wait(lambda: closes(ex) == expected, f"no close of {day}")
            ex.stop()
        assert closes(ex) == expected
        row.saw("a close for each of the four days, none lost and none doubled")
        ex.start()
        nothing_lost(row, ex, sides, plants)
