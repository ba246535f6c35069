"""The charts as shapes in whole ten-thousandths of their frame; the template only draws them.

Charts carry no figure that the tables do not have, except shares, which are rounded and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from monitor.publish.report import codes
from monitor.publish.report.cells import Cells, grouped, visible
from monitor.publish.report.fields import View
from monitor.publish.report.glyphs import printable
from monitor.publish.report.schema import BY_ID

Json = dict[str, Any]
_FRAME = 10_000
#: more panels than this are no overview; every point is in the tables
_MOST_PANELS = 12
_MOST_BARS = 16


def charts_of(block: str, report: Json, cells: Cells) -> list[Json]:
    """The charts of a block: coverage over time, composition, flows; none where there is nothing to draw."""
    drawn = [chart(report, cells) for chart in _CHARTS.get(block, ())]
    return [chart for chart in drawn if chart["panels"] or chart["bars"]]


def _rows(report: Json, block: str, table: str) -> list[Json]:
    known = {item.id for item in BY_ID[block].tables_seen_by(View(report["header"]["view"]))}
    rows: list[Json] = report["blocks"][block]["tables"][table] if table in known else []
    return rows


def _coverage(report: Json, cells: Cells) -> Json:
    by_asset = _grouped(_rows(report, "coverage_series", "points"), "asset")
    drawn = [_panel(asset, points, cells) for (asset,), points in by_asset.items()]
    panels = [panel for panel in drawn if panel is not None]
    return _chart(cells, "coverage", panels=panels[:_MOST_PANELS], note="chart_unknown")


def _panel(asset: str, points: list[Json], cells: Cells) -> Json | None:
    """One asset's line, broken where coverage is unknown; the frame holds every value and the required level 1."""
    known = [Decimal(point["coverage"]) for point in points if point["coverage"] is not None]
    if not known:
        return None
    times = [datetime.fromisoformat(point["at"]) for point in points]
    order = sorted(range(len(points)), key=lambda index: times[index])
    low, high = min([*known, Decimal(1)]), max([*known, Decimal(1)])
    first, last = min(times), max(times)
    segments: list[list[list[int]]] = [[]]
    for index in order:
        value = points[index]["coverage"]
        if value is None:
            segments.append([])
        else:
            x = _within(Decimal((times[index] - first).total_seconds()), Decimal((last - first).total_seconds()))
            segments[-1].append([x, _within(Decimal(value) - low, high - low)])
    ends = [cells.exact_time(points[index]["at"])[:10] for index in (order[0], order[-1])]
    return {
        "title": printable(visible(asset)),
        "segments": [segment for segment in segments if segment],
        "floor": _within(1 - low, high - low),
        "low": grouped(str(low)),
        "high": grouped(str(high)),
        "from": ends[0],
        "to": ends[1],
    }


def _within(part: Decimal, whole: Decimal) -> int:
    return int((part * _FRAME / whole).to_integral_value(ROUND_HALF_EVEN)) if whole else _FRAME // 2


def _composition(report: Json, cells: Cells) -> Json:
    bars = []
    for row in _rows(report, "reconciliation", "by_class"):
        units = [(name, row[name]) for name in codes.CLASSES]
        if all(value is not None for _, value in units):
            bars.append(_bar(row["asset"], [(name, int(value)) for name, value in units], codes.CLASSES))
    words = [cells.words.columns[name] for name in codes.CLASSES]
    return _chart(cells, "composition", bars=_drawable(bars), legend=words, note="chart_composition_note")


def _flows(report: Json, cells: Cells) -> Json:
    bars = [
        _bar(
            f"{asset} {cells.words.codes[direction]}", [(r["reason"], int(r["quantity"])) for r in part], codes.REASONS
        )
        for (asset, direction), part in _grouped(_rows(report, "reconciliation", "flows"), "asset", "direction").items()
    ]
    words = [cells.words.codes[name] for name in codes.REASONS]
    return _chart(cells, "flows", bars=_drawable(bars), legend=words, note="chart_flows_note")


def _grouped(rows: list[Json], *keys: str) -> dict[tuple[str, ...], list[Json]]:
    """Rows by the values of ``keys``, in the order of their first rows."""
    groups: dict[tuple[str, ...], list[Json]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def _bar(label: str, parts: Iterable[tuple[str, int]], order: tuple[str, ...]) -> Json:
    """Shares of a whole. A negative part cannot be drawn: such a bar is left out, the table has it."""
    amounts = list(parts)
    total = sum(value for _, value in amounts)
    if total <= 0 or any(value < 0 for _, value in amounts):
        return {"label": printable(visible(label)), "parts": []}
    shares = [
        {"colour": order.index(name), "share": _within(Decimal(value), Decimal(total)), "text": _percent(value, total)}
        for name, value in amounts
        if value
    ]
    return {"label": printable(visible(label)), "parts": shares}


def _percent(part: int, whole: int) -> str:
    """A share for reading: per cent to one digit, half to even; nothing is shown as 0.0% or 100.0% that is not."""
    share = (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.1"), ROUND_HALF_EVEN)
    if part < whole and share == 100:
        return "> 99.9%"
    return "< 0.1%" if part and not share else f"{share}%"


def _drawable(bars: list[Json]) -> list[Json]:
    return [bar for bar in bars if bar["parts"]][:_MOST_BARS]


def _chart(cells: Cells, name: str, **shapes: Any) -> Json:
    """A chart with its legend shortened to the colours that are used."""
    used = {part["colour"] for bar in shapes.get("bars", ()) for part in bar["parts"]}
    legend = [{"colour": index, "label": word} for index, word in enumerate(shapes.get("legend", ())) if index in used]
    return {
        "title": cells.words.phrases[f"chart_{name}"],
        "note": cells.words.phrases[shapes["note"]],
        "panels": shapes.get("panels", []),
        "bars": shapes.get("bars", []),
        "legend": legend,
        "floor_label": cells.words.phrases["chart_floor"],
    }


_CHARTS: dict[str, tuple[Callable[[Json, Cells], Json], ...]] = {
    "coverage_series": (_coverage,),
    "reconciliation": (_composition, _flows),
}
