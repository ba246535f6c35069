"""The text that Prometheus scrapes: text format 0.0.4 and OpenMetrics 1.0.0, byte for byte as prometheus_client has it.

Why not prometheus_client itself: at 100,000 series it takes a second of the interpreter for every scrape, during which
nothing else is published (bench/metrics.py). What makes this fast: the name and labels of a series are rendered once,
and a line is written anew only when its value has changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, compress, count
from operator import ne

from monitor.publish.snapshot import Counts

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

#: of an Accept header; Prometheus names five
_MOST_KINDS = 32
#: from here on Go's shortest form, which both formats use, has an exponent
_LONGEST_WHOLE = 6


class Kind(StrEnum):
    """The types of families that porwatch has."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: ``keys`` are the values of ``labels``, in their order, one for each of ``values`` (a histogram's are
    ``Counts``). ``name`` has no suffix: counters get ``_total``, infos ``_info``. Names must be valid in Prometheus.
    """

    name: str
    text: str
    kind: Kind
    labels: tuple[str, ...]
    keys: Sequence[tuple[str, ...]]
    values: Sequence[float | Counts]

    def samples(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """(name, labels, value) of each series, in the order in which they are written."""
        suffix = {Kind.COUNTER: "_total", Kind.INFO: "_info"}.get(self.kind, "")
        for key, value in zip(self.keys, self.values, strict=True):
            labels = dict(zip(self.labels, key, strict=True))
            if isinstance(value, Counts):
                total = 0
                bounds = (*(str(bound) for bound in value.bounds), "+Inf")
                for bound, total in zip(bounds, accumulate(value.counts), strict=True):
                    yield f"{self.name}_bucket", {**labels, "le": bound}, total
                yield f"{self.name}_count", labels, total
                yield f"{self.name}_sum", labels, value.sum
            else:
                yield f"{self.name}{suffix}", labels, value


@dataclass(slots=True)
class _Written:
    """What was written of a family last: line i is ``prefixes[i]`` with ``values[i]``."""

    shape: tuple[Kind, tuple[str, ...]]
    keys: list[tuple[str, ...]]
    prefixes: list[str]
    values: list[float]
    lines: list[str]


class Renderer:
    """Renders families, and remembers the lines of the last time. Not for two threads at once.

    A value that only changes its sign at zero keeps its line: both zeros are one number.
    """

    def __init__(self) -> None:
        self._written: dict[str, _Written] = {}

    def render(self, families: Iterable[Family], *, openmetrics: bool) -> bytes:
        """The whole answer of a scrape. Raises ValueError where two families have one name."""
        parts: list[str] = []
        seen: set[str] = set()
        for family in families:
            if family.name in seen:
                raise ValueError(f"two metrics are named {family.name}")
            seen.add(family.name)
            parts.append(_head(family, openmetrics=openmetrics))
            parts.extend(self._lines(family))
        if openmetrics:
            parts.append("# EOF\n")
        return "".join(parts).encode()

    def _lines(self, family: Family) -> list[str]:
        if family.kind is Kind.HISTOGRAM:
            return [f"{_prefix(name, labels)}{number(value)}\n" for name, labels, value in family.samples()]
        keys: list[tuple[str, ...]] = list(family.keys)
        values: list[float] = list(family.values)  # type: ignore[arg-type]  # only histograms have Counts
        shape = (family.kind, family.labels)
        written = self._written.get(family.name)
        if written is None or written.shape != shape or written.keys != keys:
            prefixes = [_prefix(name, labels) for name, labels, _ in family.samples()]
            lines = [f"{prefix}{number(value)}\n" for prefix, value in zip(prefixes, values, strict=True)]
            self._written[family.name] = _Written(shape, keys, prefixes, values, lines)
            return lines
        lines, prefixes = written.lines, written.prefixes
        for index in compress(count(), map(ne, written.values, values)):
            lines[index] = f"{prefixes[index]}{number(values[index])}\n"
        written.values = values
        return lines


def _head(family: Family, *, openmetrics: bool) -> str:
    name, kind, text = family.name, family.kind.value, family.text.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        text = text.replace('"', r"\"")
    elif family.kind is Kind.COUNTER:
        name += "_total"
    elif family.kind is Kind.INFO:
        name, kind = f"{name}_info", "gauge"
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def _prefix(name: str, labels: dict[str, str]) -> str:
    """All of a line but its value; labels in the order of their names."""
    if not labels:
        return f"{name} "
    pairs = ",".join(f'{label}="{_escaped(labels[label])}"' for label in sorted(labels))
    return f"{name}{{{pairs}}} "


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def number(value: float) -> str:
    """The shortest decimal that reads back as the same float, in the form that Go prints."""
    exact = float(value)
    if not math.isfinite(exact):
        return "NaN" if math.isnan(exact) else "+Inf" if exact > 0 else "-Inf"
    text = repr(exact)
    point = text.find(".")
    if exact > 0 and point > _LONGEST_WHOLE:
        mantissa = f"{text[0]}.{text[1:point]}{text[point + 1 :]}".rstrip("0.")
        return f"{mantissa}e+{point - 1:02d}"
    return text


def wants_openmetrics(accept: str) -> bool:
    """Whether a client prefers OpenMetrics 1.0.0 to the text format (RFC 9110, 12.5.1). What is unclear is the text."""
    preferred = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for kind in accept.split(",", _MOST_KINDS)[:_MOST_KINDS]:
        name, *parameters = (part.strip().lower() for part in kind.split(";"))
        given = dict(part.partition("=")[::2] for part in parameters)
        if name not in preferred or (name.startswith("app") and given.get("version", "1.0.0") != "1.0.0"):
            continue
        try:
            quality = float(given.get("q", "1"))
        except ValueError:
            continue
        if 0 < quality <= 1:
            preferred[name] = max(preferred[name], quality)
    return preferred["application/openmetrics-text"] > 0 and (
        preferred["application/openmetrics-text"] >= preferred["text/plain"]
    )
