"""A backup taken beside a running monitor comes back: what happened since is found again on the chain."""

from __future__ import annotations

from pathlib import Path

import pytest

from chains.lab.anvil import Anvil
from tests.real.exchange import exchange
from tests.real.sides import EvmSide


@pytest.mark.component("anvil")
def test_a_theft_after_the_backup_is_found_again_under_the_same_id_and_what_was_published_is_named(
    anvil: Anvil, tmp_path: Path
) -> None:
    side, file = EvmSide(anvil), tmp_path / "monday.tar"
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.start()
        made = ex.command("backup", str(ex.config), str(file))
        assert made.returncode == 0, made.stderr
        txid = side.pay(side.cold, side.outside(), side.unit)
        case = ex.only_case(txid=txid)
        assert ex.stop() == 0
        # Ends with a signed tree head over the theft: from here on somebody may hold it.
        assert ex.command("once", str(ex.config)).returncode == 1
        done = ex.command("restore", str(ex.config), str(file), "--replace", "--name", "K. Sato", "--reason", "drill")
        assert done.returncode == 0, done.stderr
        assert "are LOST; tell whoever holds it" in done.stderr
        (restored,) = ex.records("restored")
        assert restored["lost"] > 0
        assert restored["published"]["size"] == restored["seq"] + restored["lost"]
        ex.start()
        again = ex.only_case(txid=txid)
        assert (again["id"], again["units"], again["state"]) == (case["id"], case["units"], "open")
        assert ex.stop() == 0
