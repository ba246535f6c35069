"""The same families by prometheus_client: what our own rendering is held against, and what one would use instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.publish.exposition import Family, Kind
from monitor.publish.metrics import Places, families
from monitor.publish.snapshot import Counts, Snapshots


def metric(family: Family) -> Metric:
    """A family as a collector for prometheus_client makes it."""
    if family.kind in (Kind.GAUGE, Kind.COUNTER):
        makes = GaugeMetricFamily if family.kind is Kind.GAUGE else CounterMetricFamily
        simple = makes(family.name, family.text, labels=family.labels)
        for key, value in zip(family.keys, family.values, strict=True):
            assert not isinstance(value, Counts)
            simple.add_metric(key, value)
        return simple
    found = Metric(family.name, family.text, family.kind.value)
    for name, labels, value in family.samples():
        found.add_sample(name, labels, value)
    return found


class Given(Collector):
    """Collects these families."""

    def __init__(self, given: Iterable[Family]) -> None:
        self._given = tuple(given)

    def collect(self) -> Iterator[Metric]:
        yield from map(metric, self._given)


class FromSnapshots(Collector):
    """Collects those of the newest snapshot."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._places = Places.of(snapshots.latest)

    def collect(self) -> Iterator[Metric]:
        if not self._places.fit(self._snapshots.latest):
            self._places = Places.of(self._snapshots.latest)
        yield from map(metric, families(self._snapshots.latest, self._places))


def registry(source: Snapshots | Iterable[Family]) -> CollectorRegistry:
    """A registry of prometheus_client; it refuses two metrics of one name."""
    found = CollectorRegistry(auto_describe=True)
    found.register(FromSnapshots(source) if isinstance(source, Snapshots) else Given(source))
    return found
