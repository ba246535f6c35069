"""What the running process knows about itself: ages, counts and timings since it started.

Nothing here decides anything about money; it is published as metrics and as readiness. One
instance, changed on the event loop and by the writer thread; reading a copy needs no lock because
every value is replaced whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

#: upper bounds in seconds; the goal is a median of 0.25 and a 99th percentile of 1
DETECTION_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 600.0, 3600.0)
RPC_BUCKETS = (0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0)
REORG_BUCKETS = (1.0, 2.0, 3.0, 6.0, 12.0, 32.0, 64.0, 256.0)


class Histogram:
    """Cumulative-ready counts an upper bound, and the sum; the last bucket is +Inf."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


@dataclass(frozen=True, slots=True)
class Loaded:
    """Which configuration is in force: SHA-256 of its file in hex, and since when.

    ``refused``: why the last attempt to take another one failed, a line each; empty: it did not.
    """

    sha256: str
    at: datetime
    refused: tuple[str, ...] = ()


@dataclass(slots=True)
class Health:
    """Changed in place while porwatch runs.

    ``last_success``: by (stage, chain), chain "" where a stage has none; stages are follow, cycle,
    prove, books and deliver. ``heads``: newest height a node has shown, by chain;
    ``opened``: chains whose watch list is the configuration's. ``movements``:
    by (chain, asset, direction, reason). ``rpc``: requests by (chain, endpoint, outcome);
    ``disagreements``: proven lies by (chain, endpoint); ``quarantined``: endpoints not asked any more;
    ``limits``: what the nodes of a chain cannot do, as sentences. ``evidence``: how well the last cycle knew what is
    held, by (chain, wallet, asset); ``proved``: when all that a chain holds was last proved by state proofs.
    ``web_read``: whether the web configuration
    that is served is the one that was read last; ``certificate_expires``: of the HTTP interface, None without TLS.
    ``loaded``: None without a configuration file.
    """

    started_at: datetime
    chains: tuple[str, ...]
    last_success: dict[tuple[str, str], datetime] = field(default_factory=dict)
    heads: dict[str, int] = field(default_factory=dict)
    identified: dict[str, bool] = field(default_factory=dict)
    following: dict[str, bool] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)
    movements: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    rpc: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    rpc_seconds: dict[tuple[str, str, str], Histogram] = field(default_factory=dict)
    disagreements: Counter[tuple[str, str]] = field(default_factory=Counter)
    quarantined: dict[str, tuple[str, ...]] = field(default_factory=dict)
    limits: dict[str, tuple[str, ...]] = field(default_factory=dict)
    evidence: dict[tuple[str, str, str], str] = field(default_factory=dict)
    proved: dict[str, datetime] = field(default_factory=dict)
    detection: dict[str, Histogram] = field(default_factory=dict)
    reorg_depth: dict[str, Histogram] = field(default_factory=dict)
    web_read: bool = True
    certificate_expires: datetime | None = None
    loaded: Loaded | None = None

    def success(self, stage: str, chain: str, at: datetime) -> None:
        """A stage did its whole work once more."""
        self.last_success[stage, chain] = at
        self.problems.pop(f"{stage}/{chain}", None)

    def solved(self, stage: str, subject: str) -> None:
        """A problem of a part of a stage is over."""
        self.problems.pop(f"{stage}/{subject}", None)

    def problem(self, stage: str, chain: str, sentence: str) -> None:
        """A stage could not do its work; shown until it succeeds again."""
        self.problems[f"{stage}/{chain}"] = sentence

    def observe_rpc(self, chain: str, endpoint: str, outcome: str, seconds: float) -> None:
        key = (chain, endpoint, outcome)
        self.rpc[key] += 1
        self.rpc_seconds.setdefault(key, Histogram(RPC_BUCKETS)).observe(seconds)

    def observe_detection(self, chain: str, seconds: float) -> None:
        self.detection.setdefault(chain, Histogram(DETECTION_BUCKETS)).observe(seconds)

    def observe_reorg(self, chain: str, depth: int) -> None:
        self.reorg_depth.setdefault(chain, Histogram(REORG_BUCKETS)).observe(depth)

    @property
    def ready(self) -> bool:
        """Each chain has its quorum of right identity and its catch-up has begun."""
        return all(self.identified.get(chain) and self.following.get(chain) for chain in self.chains)
