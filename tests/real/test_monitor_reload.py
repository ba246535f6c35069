"""A configuration is changed under a running monitor: taken over whole, or refused whole, and nothing is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from chains.lab.anvil import Anvil
from tests.real.exchange import Exchange, exchange
from tests.real.sides import EvmSide, address_of_nobody


@pytest.fixture
def side(anvil: Anvil) -> EvmSide:
    return EvmSide(anvil)


def loaded(ex: Exchange) -> dict[str, Any]:
    found: dict[str, Any] = ex.get("status")["configuration"]
    return found


def hup(ex: Exchange) -> None:
    assert ex.process is not None
    os.kill(ex.process.pid, signal.SIGHUP)


def post_reload(ex: Exchange) -> int:
    """POST as programs send it that know Prometheus: without a body and its type."""
    request = urllib.request.Request(f"http://127.0.0.1:{ex.port}/-/reload", method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def reload(ex: Exchange) -> dict[str, Any]:
    """SIGHUP, and what became of it."""
    before = loaded(ex)
    hup(ex)
    ex.wait(lambda: loaded(ex) != before, "the reload has no outcome")
    return loaded(ex)


def test_a_theft_in_the_middle_of_reloads_is_seen_once_and_every_block_is_followed(
    side: EvmSide, tmp_path: Path
) -> None:
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.start()
        stop = threading.Event()
        sent: list[str] = []

        def steal() -> None:
            while not stop.is_set():
                sent.append(side.pay(side.hot, side.outside(), side.unit // 100))
                time.sleep(0.1)

        thief = threading.Thread(target=steal)
        thief.start()
        try:
            for minutes in (2, 3, 4):
                ex.extra["schedule"] = {"cycle": "1s", "prove": f"{minutes}m"}
                ex.write_config()
                assert reload(ex)["refused"] == []
        finally:
            stop.set()
            thief.join()
        ex.wait_for_block("ethereum", side.head())
        ex.wait(lambda: len(ex.cases("all")) >= len(sent), "thefts are missing")
        cases = ex.cases("all")
        assert sorted(case["txid"] for case in cases) == sorted(sent)
        heights = [record["block"]["height"] for record in ex.records("block")]
        assert heights == sorted(set(heights))
        assert len(ex.records("reloaded")) == 3
        ex.settle()
        assert ex.get("verdict")["residuals"] == []


def test_what_a_reload_adds_is_watched_and_judged_from_then_on(side: EvmSide, tmp_path: Path) -> None:
    with exchange(tmp_path / "exchange", [side], web={}) as ex:
        ex.extra["web"] = {"listen": f"127.0.0.1:{ex.port}", "enable_lifecycle": True}
        ex.write_config()
        ex.start()
        late = address_of_nobody()
        side.node.receipt(side.node.send(side.node.accounts[3], late, 5 * side.unit))
        ex.wallets.append({"name": "late", "chain": "ethereum", "tier": "cold", "owner": "house", "addresses": [late]})
        ex.extra["policy"] = {"approval_grace": {"hot": "30s"}}
        ex.write_config()
        assert post_reload(ex) == 200
        assert [wallet["name"] for wallet in ex.get("wallets")["wallets"]] == [side.cold, side.hot, "late"]
        ex.wait_for_block("ethereum", side.head())
        txid = side.node.send(late, side.outside(), side.unit)
        side.node.receipt(txid)
        ex.only_case(wallet="late", tier="cold", txid=txid)
        # Labels follow as well: the wallet was not cold after all.
        ex.wallets[-1]["tier"] = "warm"
        ex.write_config()
        assert reload(ex)["refused"] == []
        assert {each["name"]: each["tier"] for each in ex.get("wallets")["wallets"]}["late"] == "warm"
        reloaded = ex.records("reloaded")
        assert [record["changed"] for record in reloaded] == [["wallets", "policy"], ["wallets"]]
        assert reloaded[1]["previous"] == reloaded[0]["config"]


def test_a_configuration_that_cannot_be_used_is_refused_whole_and_said_everywhere(
    side: EvmSide, tmp_path: Path
) -> None:
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.start()
        good = ex.config.read_text()
        in_force = loaded(ex)["sha256"]
        refusals = {
            good[: len(good) // 2]: "porwatch.yaml:",
            good.replace("tier: cold", "tier: freezing"): "tier",
            good.replace("sqlite:///porwatch.db", "sqlite:///other.db"): "store: cannot change while porwatch runs",
            good[: good.index("schedule:")]: "ends in the middle, as a file that is half written",
            good.replace("schedule:\n  cycle: 1s\n", ""): "stood in the file and is gone",
            good.replace(side.address(side.cold), address_of_nobody()): f"{side.cold} has lost",
            good.replace(side.url, "http://127.0.0.1:9"): "chains.ethereum.endpoints: 0 of 1",
        }
        for text, why in refusals.items():
            ex.config.write_text(text)
            refused = reload(ex)
            assert refused["sha256"] == in_force
            assert why in refused["refused"][0]
            assert why in next(p["problem"] for p in ex.get("status")["problems"] if p["stage"] == "config")
        ex.wait(lambda: ex.metric("porwatch_config_last_reload_successful") == 0, "the metric says nothing")
        assert "configuration refused: the one before stays" in ex.log.read_text()
        txid = side.pay(side.cold, side.outside(), side.unit)
        ex.only_case(wallet=side.cold, txid=txid)
        ex.config.write_text(good)
        assert reload(ex)["refused"] == []
        ex.wait(lambda: ex.metric("porwatch_config_last_reload_successful") == 1, "the metric stays")
        assert ex.records("reloaded") == [{"changed": [], "config": in_force, "previous": in_force}]


def test_a_file_that_is_written_in_pieces_is_read_once_it_rests(side: EvmSide, tmp_path: Path) -> None:
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.start()
        ex.extra["policy"] = {"approval_grace": {"hot": "30s"}}
        ex.write_config()
        whole = ex.config.read_text()
        before = loaded(ex)
        ex.config.write_text("")
        hup(ex)
        for end in range(0, len(whole), len(whole) // 8):
            ex.config.write_text(whole[:end])
            time.sleep(0.2)
        ex.config.write_text(whole)
        ex.wait(lambda: loaded(ex) != before, "the reload has no outcome")
        assert loaded(ex)["refused"] == []
        assert ex.records("reloaded")[0]["changed"] == ["policy"]
        assert post_reload(ex) == 403
