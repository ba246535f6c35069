"""Two monitors on one PostgreSQL database: one is frozen, another takes over, the first wakes."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from chains.lab.anvil import Anvil
from chains.lab.process import free_port
from tests.real.exchange import Exchange, exchange
from tests.real.matrix.acts import POLICY, timed
from tests.real.matrix.record import Row
from tests.real.postgres import Databases, Server
from tests.real.sides import EvmSide


def stolen_from(ex: Exchange) -> list[str]:
    return sorted(case["txid"] for case in ex.cases("all"))


def test_a_frozen_monitor_that_wakes_after_a_take_over(
    row: Row, anvil: Anvil, start_postgres: Callable[..., Server], tmp_path: Path
) -> None:
    """Split brain, lease expiry. On one PostgreSQL database the first monitor is frozen (SIGSTOP) and its session ends;
    a second one takes over; a theft; the first wakes; another theft."""
    side, server = EvmSide(anvil), start_postgres()
    name = Databases(server).empty()
    with exchange(tmp_path / "exchange", [side], store={"url": server.url(name)}, policy=POLICY) as ex:
        assert ex.command("db", "upgrade", str(ex.config), "--apply").returncode == 0
        ex.start()
        refused = ex.command("run", str(ex.config))
        assert refused.returncode == 2
        assert "is in use by another porwatch: stop that one first" in refused.stderr
        row.saw("while the first lives a second refuses (exit 2)")
        assert ex.process is not None
        frozen = ex.process
        frozen.send_signal(signal.SIGSTOP)
        try:
            assert server.terminate(name) == 1
            stolen = [side.pay(side.cold, side.outside(), side.unit // 10)]
            ex.port, ex.process = free_port(), None
            ex.write_config()
            log = ex.log.read_text()
            with timed(row, 1):
                ex.start()
                ex.wait(lambda: stolen_from(ex) == stolen, "the successor did not find the theft", 60)
        finally:
            frozen.send_signal(signal.SIGCONT)
        row.saw("the second takes over and finds the theft")
        assert frozen.wait(timeout=30) == 2
        assert "was taken over by another porwatch: this one ends" in ex.log.read_text()[len(log) :]
        row.saw("the first writes nothing any more (its epoch is old) and ends with exit 2")
        stolen.append(side.pay(side.cold, side.outside(), side.unit // 10))
        ex.wait(lambda: stolen_from(ex) == sorted(stolen), "the second theft", 60)
        ((units,),) = server.run(name, "SELECT units FROM total WHERE wallet = %s AND asset = 'ETH'", side.cold)
        assert int(units) == side.held(side.cold)
        assert ex.stop() == 0
        assert ex.command("journal", "verify", str(ex.config)).returncode == 0
        row.saw(f"nothing lost ({len(stolen)} outflows: {len(stolen)} cases)")
        # `run` says why it ended in a plain line beside the log
        ex.log.unlink()
