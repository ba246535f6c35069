"""What one scrape of 100,000 series costs, beside prometheus_client's generate_latest over the same snapshot.

1,000 wallets of 50 assets: a balance and an unexplained outflow each, and everything else there is. Both texts are
parsed by prometheus_client's own parsers first and must be equal, as must the bytes. Measured: a scrape after one
balance in a hundred has changed (a second of a busy exchange), after every balance has changed, and the first one.
Goal: at most a tenth of generate_latest's time, for the first two. Run alone: python -m bench.metrics
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from monitor.health import Health
from monitor.ledger.reader import Cursor
from monitor.ledger.store import Ledger
from monitor.model import Owner, Tier, Wallet
from monitor.publish.metrics import Metrics
from monitor.publish.scope import Scope
from monitor.publish.snapshot import Snapshot, Snapshots
from tests.unit.publish.registry import registry
from tests.unit.publish.samples import BLOCK

WALLETS, ASSETS, ROUNDS = 1_000, 50, 5
CHAINS = ("bitcoin", "ethereum")
ACCEPT = "application/openmetrics-text; version=1.0.0"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
GOAL = 10.0


def run() -> list[str]:
    """The lines of the result. Raises AssertionError where the texts differ."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"sqlite:///{folder}/ledger.db")
        snapshots = Snapshots(ledger, Health(started_at=NOW, chains=CHAINS), _scope(), lambda: NOW)
        ledger.close()
    snapshots.latest = _filled(snapshots.latest)
    metrics, reference = Metrics(snapshots), registry(snapshots)
    began = time.perf_counter()
    text = metrics.answer("")[0]
    first = time.perf_counter() - began
    series = sum(1 for line in text.splitlines() if not line.startswith(b"#"))
    _assert_equal(metrics, snapshots)
    theirs = _median(lambda: generate_latest(reference))
    lines = [f"{series:,} series; generate_latest {theirs * 1000:.0f} ms; texts parsed and byte for byte equal"]
    for share, name in ((100, "one balance in a hundred changed"), (1, "every balance changed")):
        mine = _median(lambda: metrics.answer(""), lambda share=share: _change(snapshots, share))  # type: ignore[misc]
        ratio = theirs / mine
        verdict = "reached" if ratio >= GOAL else "NOT reached"
        lines.append(f"  {name:34} {mine * 1000:6.1f} ms, {ratio:5.1f} times as fast (goal {GOAL:.0f}: {verdict})")
    return [*lines, f"  {'the first scrape':34} {first * 1000:6.1f} ms, {theirs / first:5.1f} times as fast"]


def _scope() -> Scope:
    symbols = tuple(f"A{number}" for number in range(ASSETS))
    tiers = tuple(Tier)
    return Scope(
        version="0.1.0",
        wallets=tuple(
            Wallet(f"wallet-{n}", CHAINS[n % 2], tiers[n % 3], Owner.CUSTOMER, "self", n) for n in range(WALLETS)
        ),
        assets=dict.fromkeys(CHAINS, symbols),
        decimals=dict.fromkeys(symbols, 18),
        receivers=("alertmanager-1",),
        sources=("liabilities", "approvals"),
        endpoints=dict.fromkeys(CHAINS, ("endpoint-1", "endpoint-2")),
    )


def _filled(snapshot: Snapshot) -> Snapshot:
    """Both chains opened, every balance above zero and with digits behind the point."""
    keys = [(w.chain, w.name, asset) for w in snapshot.scope.wallets for asset in snapshot.scope.assets[w.chain]]
    final = {key: 123_456_789_012_345_678 * (number + 1) for number, key in enumerate(keys)}
    cursors = {chain: Cursor(replace(BLOCK, chain=chain), 1) for chain in CHAINS}
    return replace(snapshot, cursors=cursors, final=final)


def _change(snapshots: Snapshots, share: int) -> None:
    """A new snapshot, in which one balance in ``share`` is another."""
    final = dict(snapshots.latest.final)
    for number, key in enumerate(final):
        if number % share == 0:
            final[key] += 1_000_000_000_000_001
    snapshots.latest = replace(snapshots.latest, final=final)


def _median(act: Callable[[], object], before: Callable[[], None] = lambda: None) -> float:
    seconds = []
    for _ in range(ROUNDS):
        before()
        gc.collect()
        began = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def _assert_equal(metrics: Metrics, snapshots: Snapshots) -> None:
    reference = registry(snapshots)
    for _ in range(2):
        mine, theirs = metrics.answer("")[0], generate_latest(reference)
        assert list(parse_text(mine.decode())) == list(parse_text(theirs.decode()))
        assert mine == theirs
        _change(snapshots, 7)
    # The library's OpenMetrics half has no types.
    mine, theirs = metrics.answer(ACCEPT)[0], openmetrics.generate_latest(reference)  # type: ignore[no-untyped-call]
    parse: Callable[[str], Iterable[object]] = parse_openmetrics
    assert list(parse(mine.decode())) == list(parse(theirs.decode()))
    assert mine == theirs


if __name__ == "__main__":
    print("\n".join(run()))
