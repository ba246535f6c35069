"""Cycles: one final block a chain, every holding there, and a verdict that never guesses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chains.core.errors import AllEndpointsFailed, BadAnswer, HistoryUnavailable, Unreachable
from monitor.assess import Books, Owed
from monitor.completeness import Completeness
from monitor.cycle import Cycles
from monitor.follow import Follower
from monitor.health import Health
from monitor.ledger import reader
from monitor.ledger.encode import canonical
from monitor.ledger.store import Ledger
from monitor.model import utc
from monitor.step.writer import Writer
from tests.scenarios.stage import case_line, setup_of
from tests.scenarios.world import units_of
from tests.unit.fake_chain import BLOCK_SECONDS, GENESIS_TIME, FakeChain, failing

SCRIPT: dict[str, Any] = {
    "wallets": {
        "btc": {"chain": "bitcoin", "tier": "hot", "addresses": ["hot-1"]},
        "eth": {"chain": "ethereum", "tier": "hot", "addresses": ["0xhot"]},
    }
}
#: the time of block 19, the head of both chains at first; block 13 is final
HEAD = GENESIS_TIME + 19 * BLOCK_SECONDS


@dataclass(slots=True)
class Rig:
    chains: dict[str, FakeChain]
    followers: dict[str, Follower]
    cycles: Cycles
    ledger: Ledger
    health: Health
    clock: list[datetime]

    async def follow(self) -> None:
        for follower in self.followers.values():
            await follower.catch_up()

    async def run(self, *owed: str, as_of: datetime | None = None, kind: str = "provisional") -> Mapping[str, Any]:
        lines = tuple(Owed(units_of(text)[1], units_of(text)[0], as_of or self.clock[0]) for text in owed)
        verdict = (await self.cycles.run(kind, Books(lines))).verdict
        assert verdict is not None
        return verdict


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    setup, watched = setup_of(SCRIPT)
    chains = {name: FakeChain(name, wallets) for name, wallets in watched.items()}
    chains["bitcoin"].world.give("hot-1", ["10 BTC"], "c1")
    chains["ethereum"].world.give("0xhot", ["20 ETH"])
    for chain in chains.values():
        chain.grow(20)
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    clock = [utc(HEAD + 5)]
    health = Health(clock[0], tuple(chains))

    async def nothing() -> None:
        return None

    async with Writer(ledger, setup, health, clock=lambda: clock[0]) as writer:
        checks = {name: Completeness(chain, ledger, writer, health) for name, chain in chains.items()}
        followers = {
            name: Follower(
                chain=chain,
                wallets=watched[name],
                start=11,
                quorum=1,
                endpoints=1,
                ledger=ledger,
                writer=writer,
                health=health,
                before_outflow=nothing,
                checks=checks[name],
                write_evidence=lambda _: "",
                clock=lambda: clock[0],
            )
            for name, chain in chains.items()
        }
        cycles = Cycles(
            chains, ledger, writer, health, checks, lambda name: followers[name].reload(), timedelta(minutes=10)
        )
        yield Rig(chains, followers, cycles, ledger, health, clock)
    ledger.close()


def checks(verdict: Mapping[str, Any]) -> dict[str, str]:
    return {check["asset"] or check["id"]: check["verdict"] for check in verdict["checks"]}


def basis(verdict: Mapping[str, Any], name: str) -> str:
    return next(check["basis"] for check in verdict["checks"] if name in (check["asset"], check["id"]))


def held(verdict: Mapping[str, Any]) -> dict[str, str | None]:
    return {item["asset"]: item["held"] and item["held"].rstrip("0").rstrip(".") for item in verdict["positions"]}


async def test_a_cycle_reads_every_holding_at_the_newest_final_block(rig: Rig) -> None:
    await rig.follow()
    verdict = await rig.run("10 BTC", "20 ETH")
    assert {name: anchor["height"] for name, anchor in verdict["anchors"].items()} == {"bitcoin": 13, "ethereum": 13}
    assert held(verdict) == {"BTC": "10", "ETH": "20", "USDT": "0"}
    # one endpoint's word: enough is claimed, not verified
    assert checks(verdict) == {"BTC": "UNVERIFIED", "ETH": "UNVERIFIED", "residual": "PASS"}
    assert rig.health.problems == {}


async def test_verdicts_are_numbered_chained_and_kept_whatever_they_say(rig: Rig) -> None:
    await rig.follow()
    first = await rig.run("11 BTC")
    second = await rig.run(kind="close")
    assert (first["cycle"], second["cycle"], second["kind"]) == (1, 2, "close")
    assert (first["previous_hash"], second["previous_hash"]) == ("0" * 64, first["hash"])
    with rig.ledger.read() as connection:
        stored = reader.latest_verdict(connection)
    assert canonical(stored) == canonical(dict(second))


async def test_where_following_is_behind_the_final_block_the_cursor_is_the_anchor(rig: Rig) -> None:
    await rig.follow()
    for chain in rig.chains.values():
        chain.grow(30)
    verdict = await rig.run()
    assert {anchor["height"] for anchor in verdict["anchors"].values()} == {19}
    assert checks(verdict)["residual"] == "PASS"


async def test_a_chain_that_is_not_followed_yet_is_unverified(rig: Rig) -> None:
    await rig.followers["ethereum"].catch_up()
    verdict = await rig.run("10 BTC", "20 ETH")
    assert list(verdict["anchors"]) == ["ethereum"]
    assert (held(verdict)["BTC"], held(verdict)["ETH"]) == (None, "20")
    assert basis(verdict, "BTC") == "what is held is unknown: bitcoin: not followed yet"
    assert checks(verdict)["residual"] == "UNVERIFIED"


@pytest.mark.parametrize("what", ["heads", "holdings"])
async def test_a_chain_that_cannot_be_read_is_unverified_and_stops_nothing(rig: Rig, what: str) -> None:
    await rig.follow()
    rig.chains["bitcoin"].fault = failing(what, times=1, error=Unreachable)
    verdict = await rig.run("10 BTC", "30 ETH")
    assert checks(verdict) == {"BTC": "UNVERIFIED", "ETH": "BREACH", "residual": "UNVERIFIED"}
    assert f"bitcoin: {what}" in basis(verdict, "BTC")
    assert "cycle/bitcoin" in rig.health.problems
    assert ("cycle", "bitcoin") not in rig.health.last_success
    assert ("cycle", "ethereum") in rig.health.last_success
    again = await rig.run("10 BTC", "30 ETH")
    assert held(again)["BTC"] == "10"
    assert rig.health.problems == {}


async def test_every_cause_is_named_where_all_endpoints_failed(rig: Rig) -> None:
    await rig.follow()

    def fault(what: str) -> None:
        if what.startswith("holdings"):
            raise AllEndpointsFailed("no endpoint answered", [Unreachable("a: refused"), BadAnswer("b: HTML")])

    rig.chains["bitcoin"].fault = fault
    assert "a: refused; b: HTML" in basis(await rig.run("10 BTC"), "BTC")


async def test_a_residual_is_booked_at_the_anchor_and_is_one_case(rig: Rig) -> None:
    await rig.follow()
    rig.chains["ethereum"].world.vanish("0xhot", "-0.000000000000000001 ETH")
    first, second = await rig.run("20 ETH"), await rig.run("20 ETH")
    assert [line["amount"] for line in first["residuals"]] == ["-0.000000000000000001"]
    assert second["residuals"] == []
    assert checks(first)["residual"] == checks(second)["residual"] == "BREACH"
    assert checks(first)["ETH"] == "BREACH"
    with rig.ledger.read() as connection:
        assert [case_line(c) for c in reader.cases(connection)] == ["open residual eth 0.000000000000000001 ETH"]


async def test_addresses_opened_after_the_anchor_have_nothing_to_compare_yet_and_the_basis_says_so(rig: Rig) -> None:
    for chain in rig.chains.values():
        chain.finality = 15
    await rig.follow()
    verdict = await rig.run()
    assert checks(verdict)["residual"] == "PASS"
    assert "bitcoin: 1 addresses are compared from a later anchor on" in basis(verdict, "residual")


async def test_coverage_is_of_the_time_of_the_liabilities_not_of_now(rig: Rig) -> None:
    await rig.follow()
    as_of = rig.clock[0] = utc(HEAD + 60)
    for chain, spec in (
        ("bitcoin", {"id": "t1", "pays": ["hot-1 90 BTC"]}),
        ("ethereum", {"id": "t2", "moves": ["0xelse -> 0xhot 5 ETH"]}),
    ):
        rig.chains[chain].mine(spec)
        rig.chains[chain].grow(6)
    rig.clock[0] = as_of + timedelta(hours=2)
    await rig.follow()
    verdict = await rig.run("10 BTC", "25 ETH", as_of=as_of)
    assert held(verdict) == {"BTC": "10", "ETH": "20", "USDT": "0"}
    assert checks(verdict)["ETH"] == "BREACH"
    # the ledger covers that time: the nodes are asked about the anchor only
    assert [what for what in rig.chains["bitcoin"].asked if what.startswith("holdings")] == ["holdings 20"]
    later = await rig.run("100 BTC", "25 ETH")
    assert (held(later)["BTC"], checks(later)["ETH"]) == ("100", "UNVERIFIED")


async def test_before_the_ledger_began_the_nodes_are_asked_once_and_where_they_cannot_it_is_unverified(
    rig: Rig,
) -> None:
    await rig.follow()
    as_of = utc(GENESIS_TIME + 5 * BLOCK_SECONDS)
    assert held(await rig.run("10 BTC", as_of=as_of))["BTC"] == "10"
    await rig.run("10 BTC", as_of=as_of)
    assert rig.chains["bitcoin"].asked.count("holdings 5") == 1
    rig.chains["bitcoin"].fault = failing("holdings 4", times=9, error=HistoryUnavailable)
    pruned = await rig.run("10 BTC", as_of=as_of - timedelta(seconds=BLOCK_SECONDS))
    assert checks(pruned)["BTC"] == "UNVERIFIED"
    assert basis(pruned, "BTC") == "what is held is unknown: bitcoin: holdings 4 failed"


async def test_without_usable_liabilities_coverage_is_unverified_and_says_why(rig: Rig) -> None:
    await rig.follow()
    outcome = await rig.cycles.run("provisional", Books(None, "liabilities.csv: line 3: no amount"))
    assert outcome.verdict is not None
    assert checks(outcome.verdict) == {
        "BTC": "UNVERIFIED",
        "ETH": "UNVERIFIED",
        "USDT": "UNVERIFIED",
        "residual": "PASS",
    }
    assert basis(outcome.verdict, "USDT") == "what is owed is unknown: liabilities.csv: line 3: no amount"


async def test_two_cycles_at_once_are_two_one_after_the_other(rig: Rig) -> None:
    await rig.follow()
    first, second = await asyncio.gather(rig.run(), rig.run())
    assert {first["cycle"], second["cycle"]} == {1, 2}
    assert second["previous_hash"] == first["hash"]
