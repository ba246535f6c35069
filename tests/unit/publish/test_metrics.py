from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from chains.core.values import BlockRef
from monitor.health import Health
from monitor.ledger.journal import Record
from monitor.ledger.store import Advance, Commit, FeedState, Message
from monitor.model import CaseState, Direction, Owner, Reason, Tier, Wallet, rfc3339
from monitor.publish.metrics import Metrics, families
from monitor.publish.scope import Scope
from monitor.publish.snapshot import Snapshots, take_snapshot
from monitor.publish.status import render_status
from tests.unit.publish.registry import registry
from tests.unit.publish.samples import BLOCK, NOW, SCOPE, THEFT, THIEF, TXID, Store, numbered

FORBIDDEN = {"namespace", "pod", "service", "container", "endpoint", "job", "instance"}

VERDICT = {
    "cycle": 1,
    "kind": "provisional",
    "at": rfc3339(NOW),
    "hash": "aa",
    "previous_hash": "",
    "anchors": {},
    "residuals": [],
    "open_cases": 0,
    "positions": [
        {"asset": "BTC", "held": "9.00000000", "owed": "10.00000000", "in_transit": "0.00000000", "coverage": "0.9", "verified_ratio": "0"},
        {"asset": "USDT", "held": "1.000000", "owed": None, "in_transit": "0.000000", "coverage": None, "verified_ratio": None},
    ],
    "checks": [
        {"profile": "baseline", "id": "coverage", "asset": "BTC", "verdict": "BREACH", "value": "0.9", "threshold": "1", "margin": "-0.1", "operands": {}, "basis": ""},
        {"profile": "baseline", "id": "coverage", "asset": "USDT", "verdict": "UNVERIFIED", "value": None, "threshold": "1", "margin": None, "operands": {}, "basis": ""},
        {"profile": "baseline", "id": "residual", "asset": None, "verdict": "PASS", "value": "0", "threshold": "0", "margin": "0", "operands": {}, "basis": ""},
    ],
}  # fmt: skip


def opened(wallet: str, locator: str, asset: str, units: int, at: BlockRef) -> Record:
    body = {
        "at": {"chain": at.chain, "height": at.height, "hash": at.hash, "parent": at.parent, "time": at.time},
        "assets": ["BTC"] if at.chain == "bitcoin" else ["ETH", "USDT"],
        "wallets": {locator: wallet},
        "holdings": [[locator, asset, str(units)]],
        "coins": [],
        "sequences": {},
    }
    return Record("opened", body)


def outflow(at: BlockRef, wallet: str, locator: str, asset: str, units: int) -> Record:
    transaction = {
        "txid": TXID,
        "ordinal": 0,
        "kind": "transaction",
        "movements": [[0, locator, asset, wallet, str(-units), ""]],
        "flows": [],
        "steps": {},
    }
    block = {"chain": at.chain, "height": at.height, "hash": at.hash, "time": at.time}
    return Record("block", {"block": block, "transactions": [transaction]})


@pytest.fixture
def filled(store: Store, health: Health) -> Store:
    """ethereum: 1000 USDT at block 119 (final), a theft in block 120; bitcoin not opened yet."""
    first = BlockRef("ethereum", 119, BLOCK.parent, "0x" + "00" * 32, BLOCK.time - 12)
    store.commit(Commit((opened("eth-hot", "0xhot", "USDT", 1_000_000_000, first),), Advance(first, None, 119)))
    theft = outflow(BLOCK, "eth-hot", "0xhot", "USDT", 250_000_001)
    store.commit(Commit((theft,), Advance(BLOCK, first.hash, 119)))
    store.put(
        THEFT,
        numbered(1, rule="cold_without_approval", rules=("cold_without_approval", "unexplained_outflow"), units=1),
        numbered(2, state=CaseState.ACKNOWLEDGED, units=10),
        numbered(3, state=CaseState.CLOSED, units=100),
        numbered(4, state=CaseState.PENDING, units=1000),
        numbered(5, rule="residual", rules=("residual",), units=7),
    )
    store.commit(
        Commit(
            (Record("verdict", VERDICT),),
            feed=FeedState("approvals", "{}", None, 7, 2, NOW),
            messages=(Message("alertmanager-1", "x", "{}"), Message("removed", "x", "{}")),
        )
    )
    health.heads["ethereum"] = 121
    health.success("follow", "ethereum", NOW)
    health.success("deadman", "", NOW)
    health.movements["ethereum", "USDT", "out", "unexplained"] = 3
    health.observe_rpc("ethereum", "own-1", "ok", 0.01)
    health.observe_detection("ethereum", 0.2)
    health.observe_reorg("ethereum", 3)
    return store


def samples(store: Store, health: Health, scope: Scope = SCOPE) -> dict[tuple[str, tuple[str, ...]], float]:
    """(name, label values in the order of CONTRACT.md's table where there is one) → value."""
    snapshot = take_snapshot(store.ledger, health, scope, NOW)
    return {
        (name, tuple(labels.values())): value
        for family in families(snapshot)
        for name, labels, value in family.samples()
    }


def test_every_metric_of_this_version_is_there(filled: Store, health: Health) -> None:
    snapshot = take_snapshot(filled.ledger, health, SCOPE, NOW)
    found = {name: set(labels) for family in families(snapshot) for name, labels, _ in family.samples()}
    assert found == {
        "porwatch_build_info": {"version", "python"},
        "porwatch_head_height": {"chain"},
        "porwatch_cursor_height": {"chain"},
        "porwatch_final_height": {"chain"},
        "porwatch_block_timestamp_seconds": {"chain"},
        "porwatch_last_success_timestamp_seconds": {"stage", "chain"},
        "porwatch_wallet_balance": {"chain", "wallet", "tier", "owner", "asset"},
        "porwatch_holdings": {"asset"},
        "porwatch_liabilities": {"asset"},
        "porwatch_coverage_ratio": {"asset"},
        "porwatch_holdings_verified_ratio": {"asset"},
        "porwatch_open_cases": {"rule", "severity", "chain", "tier"},
        "porwatch_unexplained_outflow": {"chain", "wallet", "tier", "asset"},
        "porwatch_residual_open": {"chain", "wallet"},
        "porwatch_sequence_gap_open": {"chain", "wallet"},
        "porwatch_endpoint_disagreements_total": {"chain", "rpc_endpoint"},
        "porwatch_endpoint_quarantined": {"chain", "rpc_endpoint"},
        "porwatch_movements_total": {"chain", "asset", "direction", "reason"},
        "porwatch_check_value": {"profile", "check", "asset"},
        "porwatch_check_threshold": {"profile", "check", "asset"},
        "porwatch_check_breached": {"profile", "check", "asset"},
        "porwatch_check_unverified": {"profile", "check", "asset"},
        **{f"porwatch_detection_seconds_{part}": {"chain"} for part in ("count", "sum")},
        "porwatch_detection_seconds_bucket": {"chain", "le"},
        **{f"porwatch_reorg_depth_blocks_{part}": {"chain"} for part in ("count", "sum")},
        "porwatch_reorg_depth_blocks_bucket": {"chain", "le"},
        "porwatch_rpc_requests_total": {"chain", "rpc_endpoint", "outcome"},
        **{f"porwatch_rpc_seconds_{part}": {"chain", "rpc_endpoint", "outcome"} for part in ("count", "sum")},
        "porwatch_rpc_seconds_bucket": {"chain", "rpc_endpoint", "outcome", "le"},
        "porwatch_outbox_pending": {"receiver"},
        "porwatch_outbox_oldest_timestamp_seconds": {"receiver"},
        "porwatch_books_records_total": {"source"},
        "porwatch_books_malformed_total": {"source"},
        "porwatch_books_timestamp_seconds": {"source"},
        "porwatch_config_last_reload_successful": set(),
        "porwatch_journal_tampered": set(),
        "porwatch_shadow": set(),
        "porwatch_web_config_last_reload_successful": set(),
    }


def test_values_are_those_of_the_ledger(filled: Store, health: Health) -> None:
    value = samples(filled, health)
    place = ("ethereum", "eth-hot", "hot")
    assert value["porwatch_wallet_balance", (*place, "customer", "USDT")] == 1000.0
    assert value["porwatch_wallet_balance", (*place, "customer", "ETH")] == 0.0
    assert value["porwatch_unexplained_outflow", (*place, "USDT")] == 250.000012
    assert value["porwatch_open_cases", ("unexplained_outflow", "critical", "ethereum", "hot")] == 2
    assert value["porwatch_open_cases", ("cold_without_approval", "critical", "ethereum", "hot")] == 1
    assert value["porwatch_residual_open", ("ethereum", "eth-hot")] == 1
    assert value["porwatch_movements_total", ("ethereum", "USDT", "out", "unexplained")] == 3
    assert value["porwatch_head_height", ("ethereum",)] == 121
    assert value["porwatch_cursor_height", ("ethereum",)] == 120
    assert value["porwatch_final_height", ("ethereum",)] == 119
    assert value["porwatch_block_timestamp_seconds", ("ethereum",)] == BLOCK.time
    assert value["porwatch_last_success_timestamp_seconds", ("follow", "ethereum")] == NOW.timestamp()
    assert value["porwatch_outbox_pending", ("alertmanager-1",)] == 1
    assert value["porwatch_outbox_oldest_timestamp_seconds", ("alertmanager-1",)] == NOW.timestamp()
    assert value["porwatch_books_records_total", ("approvals",)] == 7
    assert value["porwatch_books_malformed_total", ("approvals",)] == 2
    assert value["porwatch_check_breached", ("baseline", "coverage", "BTC")] == 1
    assert value["porwatch_check_unverified", ("baseline", "coverage", "USDT")] == 1
    assert value["porwatch_check_breached", ("baseline", "residual", "")] == 0
    assert value["porwatch_coverage_ratio", ("BTC",)] == 0.9
    assert value["porwatch_liabilities", ("BTC",)] == 10.0
    assert value["porwatch_detection_seconds_bucket", ("ethereum", "0.1")] == 0
    assert value["porwatch_detection_seconds_bucket", ("ethereum", "0.25")] == 1
    assert value["porwatch_detection_seconds_bucket", ("ethereum", "+Inf")] == 1
    assert value["porwatch_detection_seconds_sum", ("ethereum",)] == 0.2


def test_what_is_unknown_has_no_series_instead_of_a_zero(filled: Store, health: Health) -> None:
    value = samples(filled, health)
    assert ("porwatch_liabilities", ("USDT",)) not in value
    assert ("porwatch_coverage_ratio", ("USDT",)) not in value
    assert ("porwatch_check_value", ("baseline", "coverage", "USDT")) not in value
    assert ("porwatch_cursor_height", ("bitcoin",)) not in value
    assert ("porwatch_wallet_balance", ("bitcoin", "btc-cold", "cold", "customer", "BTC")) not in value


def test_only_configured_receivers_and_documented_stages_are_labels(filled: Store, health: Health) -> None:
    value = samples(filled, health)
    assert ("porwatch_outbox_pending", ("removed",)) not in value
    assert not [key for key in value if "deadman" in key[1]]


def test_label_sets_exist_at_zero_from_the_start(store: Store, health: Health) -> None:
    value = samples(store, health)
    for labels in (
        ("unexplained_outflow", "critical", "bitcoin", "cold"),
        ("unexplained_outflow", "critical", "ethereum", "warm"),
        ("cold_without_approval", "critical", "ethereum", "cold"),
        ("residual", "warning", "bitcoin", "hot"),
        ("altered_approval", "critical", "", ""),
        ("approvals_blind", "critical", "", ""),
        ("deep_reorg", "critical", "bitcoin", ""),
        ("check_breach", "critical", "", ""),
    ):
        assert value["porwatch_open_cases", labels] == 0
    assert value["porwatch_unexplained_outflow", ("bitcoin", "btc-cold", "cold", "BTC")] == 0
    assert ("porwatch_unexplained_outflow", ("bitcoin", "btc-cold", "cold", "USDT")) not in value
    assert value["porwatch_residual_open", ("ethereum", "eth-house")] == 0
    assert value["porwatch_movements_total", ("ethereum", "ETH", "out", "fee")] == 0
    assert ("porwatch_movements_total", ("ethereum", "USDT", "out", "fee")) not in value
    assert value["porwatch_outbox_pending", ("alertmanager-1",)] == 0
    assert value["porwatch_outbox_oldest_timestamp_seconds", ("alertmanager-1",)] == 0
    assert value["porwatch_books_timestamp_seconds", ("liabilities",)] == 0


def test_every_reason_has_its_series_from_the_start(store: Store, health: Health) -> None:
    reasons = {(labels[2], labels[3]) for name, labels in samples(store, health) if name == "porwatch_movements_total"}
    assert {reason for _, reason in reasons} == {reason.value for reason in Reason}
    assert {direction for direction, _ in reasons} == {direction.value for direction in Direction}


def big(wallets: int, assets: int, chains: int) -> Scope:
    names = [f"chain-{n}" for n in range(chains)]
    symbols = tuple(f"A{n}" for n in range(assets))
    tiers = tuple(Tier)
    return Scope(
        version="0.1.0",
        wallets=tuple(
            Wallet(f"wallet-{n}", names[n % chains], tiers[n % 3], Owner.CUSTOMER, "self", n) for n in range(wallets)
        ),
        assets=dict.fromkeys(names, symbols),
        decimals=dict.fromkeys(symbols, 18),
        receivers=tuple(f"alertmanager-{n}" for n in range(3)),
        sources=("liabilities", "approvals", "funds", "prices", "statements", "proposals"),
        endpoints=dict.fromkeys(names, ("endpoint-1", "endpoint-2", "endpoint-3")),
    )


@pytest.mark.parametrize("chains", [1, 5])
def test_a_large_exchange_stays_below_ten_thousand_series(chains: int, store: Store, health: Health) -> None:
    scope = big(wallets=100, assets=20, chains=chains)
    parent = None
    for chain in scope.assets:
        store.commit(Commit(advance=Advance(BlockRef(chain, 1, "h", "p", 1), parent, 1)))
        health.observe_detection(chain, 1)
        health.observe_reorg(chain, 1)
        for endpoint in ("one", "two", "three"):
            for outcome in ("ok", "unreachable", "bad_answer", "rate_limited"):
                health.observe_rpc(chain, endpoint, outcome, 1)
    checks = [
        {**VERDICT["checks"][0], "id": f"check-{n}", "asset": asset} for n in range(5) for asset in scope.decimals
    ]  # type: ignore[index, dict-item]
    positions = [{**VERDICT["positions"][0], "asset": asset} for asset in scope.decimals]  # type: ignore[index, dict-item]
    store.commit(Commit((Record("verdict", {**VERDICT, "checks": checks, "positions": positions}),)))
    found = samples(store, health, scope)
    assert 100 * 20 * 2 < len(found) <= 10_000


def test_no_label_tells_an_address_a_transaction_or_a_place(filled: Store, health: Health) -> None:
    text = Metrics(Snapshots(filled.ledger, health, SCOPE, lambda: NOW)).answer("")[0].decode()
    names = set(re.findall(r'([a-z_]+)="', text))
    assert not names & FORBIDDEN
    for secret in (THIEF, TXID, BLOCK.hash, "0xhot", "://", "c0ffee"):
        assert secret not in text


OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def test_both_text_formats_are_byte_for_byte_those_of_the_client_library(filled: Store, health: Health) -> None:
    snapshots = Snapshots(filled.ledger, health, SCOPE, lambda: NOW)
    metrics, reference = Metrics(snapshots), registry(snapshots)
    for _ in ("first", "from what was written before"):
        text, text_type = metrics.answer("text/plain; version=0.0.4")
        assert text == generate_latest(reference)
        assert text_type == "text/plain; version=0.0.4; charset=utf-8"
        body, body_type = metrics.answer(OPENMETRICS)
        assert body == openmetrics.generate_latest(reference)
        assert body_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    parsed: list[Any] = list(text_string_to_metric_families(body.decode()))
    assert len({family.name for family in parsed}) == len(parsed) > 25
    assert all(family.documentation for family in parsed)


def test_a_scrape_shows_what_has_changed_since_the_last_one(filled: Store, health: Health) -> None:
    snapshots = Snapshots(filled.ledger, health, SCOPE, lambda: NOW)
    metrics = Metrics(snapshots)
    before, _ = metrics.answer("")
    filled.put(numbered(6), numbered(7, wallet="gone", tier=Tier.WARM))
    first = BlockRef("bitcoin", 1, "h", "p", BLOCK.time)
    filled.commit(Commit((opened("btc-cold", "bc1", "BTC", 5 * 10**8, first),), Advance(first, None, 1)))
    health.heads["ethereum"] = 999
    snapshots.latest = take_snapshot(filled.ledger, health, SCOPE, NOW)
    after, _ = metrics.answer("")
    assert after == generate_latest(registry(snapshots))
    new = set(after.decode().splitlines()) - set(before.decode().splitlines())
    assert 'porwatch_head_height{chain="ethereum"} 999.0' in new
    assert 'porwatch_unexplained_outflow{asset="USDT",chain="ethereum",tier="warm",wallet="gone"} 250.000001' in new
    assert (
        'porwatch_wallet_balance{asset="BTC",chain="bitcoin",owner="customer",tier="cold",wallet="btc-cold"} 5.0' in new
    )


def test_a_scrape_asks_neither_the_ledger_nor_anyone(filled: Store, health: Health) -> None:
    metrics = Metrics(Snapshots(filled.ledger, health, SCOPE, lambda: NOW))
    before = metrics.answer("")
    filled.put(numbered(6))
    health.heads["ethereum"] = 999
    filled.ledger.close()
    assert metrics.answer("") == before


async def test_snapshots_follow_the_ledger_and_outlive_its_faults(
    filled: Store, health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = Snapshots(filled.ledger, health, SCOPE, lambda: NOW)
    task = asyncio.create_task(snapshots.run(every=0.005))
    key = ("unexplained_outflow", "critical", "ethereum", "hot")
    try:
        filled.put(numbered(6))
        async with asyncio.timeout(10):
            while snapshots.latest.cases[key] != 3:
                await asyncio.sleep(0.005)
            monkeypatch.setattr(filled.ledger, "read", lambda: 1 / 0)
            while "publish/" not in health.problems:
                await asyncio.sleep(0.005)
            assert snapshots.latest.cases[key] == 3
            monkeypatch.undo()
            while "publish/" in health.problems:
                await asyncio.sleep(0.005)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_a_series_of_a_case_that_was_closed_falls_back_to_zero(filled: Store, health: Health) -> None:
    for case in (THEFT, numbered(1), numbered(2)):
        filled.put(replace(case, state=CaseState.CLOSED))
    value = samples(filled, health)
    assert value["porwatch_unexplained_outflow", ("ethereum", "eth-hot", "hot", "USDT")] == 0


def test_the_status_tells_all_in_strings_of_coins(filled: Store, health: Health) -> None:
    health.problem("follow", "bitcoin", "no endpoint answers")
    status = render_status(take_snapshot(filled.ledger, health, SCOPE, NOW + timedelta(seconds=10)))
    assert status["ready"] is False
    bitcoin, ethereum = status["chains"]
    assert (bitcoin["cursor"], bitcoin["head"], bitcoin["block_age_seconds"]) == (None, None, None)
    assert ethereum["cursor"] == {"height": 120, "hash": BLOCK.hash, "time": "2026-09-21T14:13:10Z"}
    assert (ethereum["head"], ethereum["final"], ethereum["block_age_seconds"]) == (121, 119, 20.0)
    assert ethereum["followed"] == {"last_success": "2026-09-21T14:13:20Z", "age_seconds": 10.0}
    assert status["problems"] == [{"stage": "follow", "chain": "bitcoin", "problem": "no endpoint answers"}]
    assert status["cases"] == {"pending": 1, "open": 3, "acknowledged": 1, "closed": 1}
    lines = {(line["wallet"], line["asset"]): (line["seen"], line["final"]) for line in status["holdings"]}
    assert lines["eth-hot", "USDT"] == ("749.999999", "1000.000000")
    assert lines["eth-hot", "ETH"] == ("0.000000000000000000", "0.000000000000000000")
    assert lines["btc-cold", "BTC"] == (None, None)
    assert status["outbox"][0] == {"receiver": "alertmanager-1", "pending": 1, "oldest": "2026-09-21T14:13:20Z"}
    assert [book["source"] for book in status["books"]] == ["approvals", "liabilities"]
    assert status["books"][1]["read_at"] is None
