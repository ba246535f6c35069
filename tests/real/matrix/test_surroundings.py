"""What surrounds porwatch: receivers of alerts that are down or refuse, clocks that are wrong or jump."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.real.exchange import Exchange
from tests.real.matrix.acts import Plants, behind, caught_up, nothing_lost, timed
from tests.real.matrix.record import Row
from tests.real.servers import WebhookReceiver
from tests.real.sides import BitcoinSide, EvmSide, Side

HOUR = 3600
#: the monitor with a clock that is wrong by the seconds in a file, which may change while it runs
WRONG_CLOCK = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from monitor.step import writer

offset = Path(sys.argv.pop(1))


def wrong():
    return datetime.now(UTC) + timedelta(seconds=int(offset.read_text()))


writer.utc_now = wrong
writer.Writer.__init__.__defaults__ = (wrong,)

from monitor.__main__ import main

main()
"""


def told(receiver: WebhookReceiver) -> set[str]:
    """The ids of the cases that a receiver has taken."""
    alerts = [alert for post in list(receiver.posts) for alert in post.body]
    return {alert["labels"]["case_id"] for alert in alerts if "case_id" in alert["labels"]}


def test_a_receiver_that_is_down_or_refuses(
    row: Row, sides: list[Side], webhook: WebhookReceiver, tmp_path: Path
) -> None:
    """Alertmanager down, 429, 500. One of two receivers takes nothing, three times; a theft on each chain each time."""
    second = WebhookReceiver()
    second.up()
    receivers = [{"url": webhook.url.rstrip("/")}, {"url": second.url.rstrip("/")}]
    try:
        with behind({}, tmp_path, sides, alertmanagers=receivers) as ex:
            ex.start()
            plants = Plants(ex)
            for fault in ("down", 429, 500):
                before = {case["id"] for case in ex.cases("all")}
                if fault == "down":
                    webhook.down()
                else:
                    webhook.status = int(fault)
                for side in sides:
                    plants.steal(side)
                caught_up(ex, sides)
                new = {case["id"] for case in ex.cases("all")} - before
                assert len(new) == len(sides)
                ex.wait(lambda new=new: new <= told(second), "the second path is mute too")
                ex.wait(
                    lambda: ex.metric("porwatch_outbox_pending", receiver="alertmanager-1") == len(sides), "not waiting"
                )
                assert not new & told(webhook)
                with timed(row):
                    if fault == "down":
                        webhook.up()
                    webhook.status = 200
                    ex.wait(lambda new=new: new <= told(webhook), "not delivered once the receiver is back", 90)
                ex.wait(lambda: ex.metric("porwatch_outbox_pending", receiver="alertmanager-1") == 0, "still waiting")
            row.saw(
                "the other receiver has every page meanwhile",
                "the outbox grows (porwatch_outbox_pending) and is delivered once the receiver is back",
            )
            nothing_lost(row, ex, sides, plants)
    finally:
        second.down()


def window(minutes: int = 10) -> dict[str, Any]:
    """An approval for now: ten minutes before to ten minutes after."""
    now = datetime.now(UTC)
    around = {"not_before": now - timedelta(minutes=minutes), "not_after": now + timedelta(minutes=minutes)}
    return {key: at.isoformat() for key, at in around.items()}


def test_our_clock_is_wrong_and_jumps(row: Row, sides: list[Side], tmp_path: Path) -> None:
    """Our clock ±1 h, NTP jumps. The clock of the running monitor jumps to +1 h, to −1 h and back; each time a theft,
    an approved withdrawal, and one whose approval is for twenty minutes around now."""
    program, offset = tmp_path / "clock.py", tmp_path / "offset"
    program.write_text(WRONG_CLOCK)
    offset.write_text("0")
    with behind({}, tmp_path, sides) as ex:
        ex.program = (str(program), str(offset))
        ex.start()
        plants = Plants(ex)
        for seconds in (HOUR, -HOUR, 0):
            new = offset.with_suffix(".new")
            new.write_text(str(seconds))
            new.replace(offset)  # in one move: the monitor reads it at any time
            time.sleep(3)  # until it has looked at the heads by its new clock
            with timed(row, 3 * len(sides)):
                for side in sides:
                    plants.steal(side)
                    plants.pay(side)
                    paid = plants.pay(side, share=40, **window())
                    if seconds:
                        # Seen an hour off: outside of what was allowed, so a person is asked.
                        name = next(name for name, txid in plants.approvals.items() if txid == paid)
                        plants.stolen[side.name].append(plants.approvals.pop(name))
                        plants.approvals[f"{name}-void"] = ""
                caught_up(ex, sides)
            for name in [name for name in plants.approvals if name.endswith("-void")]:
                used = ex.rows("SELECT used_by FROM approval WHERE id = ?", name.removesuffix("-void"))
                assert used == [("",)]
        plants.approvals = {name: txid for name, txid in plants.approvals.items() if txid}
        row.saw(
            "following and timers go on",
            "an approval whose window our clock misses explains nothing: a case, never silence",
        )
        nothing_lost(row, ex, sides, plants)


def skew_shown(ex: Exchange, side: Side, seconds: int) -> bool:
    return abs(ex.metric("porwatch_block_timestamp_seconds", chain=side.name) - time.time() - seconds) < 120


def test_the_clock_of_a_chain_is_wrong(row: Row, own_sides: list[Side], tmp_path: Path) -> None:
    """Block times ±1 h. Blocks an hour ahead of us on both chains, and an hour behind on Bitcoin; each time a theft and
    a withdrawal whose approval is for twenty minutes around now."""
    with behind({}, tmp_path, own_sides) as ex:
        ex.start()
        plants = Plants(ex)
        ex.settle()
        for side in own_sides:
            for seconds in (-HOUR, HOUR) if isinstance(side, BitcoinSide) else (HOUR,):
                if isinstance(side, BitcoinSide):
                    side.node.rpc("setmocktime", int(time.time()) + seconds)
                elif isinstance(side, EvmSide):
                    side.node.rpc("evm_increaseTime", seconds)
                with timed(row, 2):
                    plants.pay(side, **window())
                    stolen = plants.steal(side)
                    caught_up(ex, [side])
                (case,) = (case for case in ex.cases("all") if case["txid"] == stolen)
                ahead = datetime.fromisoformat(case["block"]["time"]).timestamp() - time.time()
                assert abs(ahead - seconds) < 120
                ex.wait(lambda side=side, seconds=seconds: skew_shown(ex, side, seconds), "no skew in the metrics")
        row.saw(
            "a block that is seen live is judged by when it was seen",
            "the skew is in the metrics (porwatch_block_timestamp_seconds)",
        )
        nothing_lost(row, ex, own_sides, plants)
