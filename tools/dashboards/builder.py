"""Panels as values, and the Grafana JSON (schema 39, Grafana 11 and later) that is made of them.

Expressions are written without the two matchers that every one of them needs; ``scoped`` adds them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SCHEMA_VERSION = 39
_COLUMNS = 24
_NAME_WIDTH = 250
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_SERIES = re.compile(r"\b(porwatch_\w+|up|scrape_\w+)\b(?:\{([^}]*)\})?")
_MATCHERS = 'job=~"$job",instance=~"$instance"'

Json = dict[str, Any]


class Theft(StrEnum):
    """What a theft does to a panel's values, their largest or smallest sum over time; a test asks a real Prometheus."""

    RISES = "rises"
    FALLS = "falls"
    STEADY = "steady"


class Colours(StrEnum):
    """How a value is coloured. What is red was decided by porwatch: a finding, a verdict, an age that has an alert."""

    PALETTE = "palette"
    FINDINGS = "findings"
    VERDICT = "verdict"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression without the matchers of job and instance, and its legend."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. ``theft`` is what a theft does to those series of the first query that have the labels ``about``,
    and ``why``. ``red_above``: the age from which an alert rule fires, where the panel shows ages. ``painted``: the
    colours of series whose names mean one.
    """

    kind: str
    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    theft: Theft
    why: str
    about: dict[str, str] = field(default_factory=dict)
    width: int = 6
    height: int = 6
    colours: Colours = Colours.PALETTE
    red_above: float | None = None
    stepped: bool = False
    stacked: bool = False
    decimals: int | None = None
    minimum: float | None = None
    large: bool = False
    columns: tuple[str, ...] = ()
    painted: dict[str, str] = field(default_factory=dict)

    def expressions(self) -> Iterator[str]:
        """As Grafana sends them, variables not yet replaced."""
        return (scoped(query.expr) for query in self.queries)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard; ``rows`` of panels whose widths fill the grid of 24 columns."""

    uid: str
    title: str
    description: str
    rows: tuple[tuple[Panel, ...], ...]
    since: str = "now-6h"
    refresh: str = "10s"

    def panels(self) -> Iterator[Panel]:
        """Left to right, top to bottom."""
        return (panel for row in self.rows for panel in row)


def scoped(expr: str) -> str:
    """``expr`` with the matchers of job and instance in each selector."""
    return _SERIES.sub(lambda m: f"{m[1]}{{{_MATCHERS}{',' + m[2] if m[2] else ''}}}", expr)


def to_json(dashboard: Dashboard, all_of_them: Iterable[Dashboard]) -> Json:
    """The dashboard as Grafana imports it. Raises ValueError where a row does not fill the grid."""
    panels: list[Json] = []
    top = 0
    for row in dashboard.rows:
        if sum(panel.width for panel in row) != _COLUMNS:
            raise ValueError(f"{dashboard.uid}: the row of {row[0].title!r} is not {_COLUMNS} columns wide")
        left = 0
        for panel in row:
            place = {"h": panel.height, "w": panel.width, "x": left, "y": top}
            panels.append({"id": len(panels) + 1, "gridPos": place, **_panel(panel)})
            left += panel.width
        top += max(panel.height for panel in row)
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["porwatch"],
        "editable": False,
        "graphTooltip": 1,
        "refresh": dashboard.refresh,
        "schemaVersion": SCHEMA_VERSION,
        "time": {"from": dashboard.since, "to": "now"},
        "timezone": "browser",
        "links": [_link(other) for other in all_of_them if other.uid != dashboard.uid],
        "annotations": {"list": [_outflow_marks()]},
        "templating": {"list": _variables()},
        "panels": panels,
    }


def _variables() -> list[Json]:
    datasource = {"type": "datasource", "name": "datasource", "label": "Data Source", "query": "prometheus"}
    return [
        {**datasource, "hide": 0, "refresh": 1, "current": {}},
        _names("job", ""),
        _names("instance", 'job=~"$job"'),
    ]


def _names(name: str, matcher: str) -> Json:
    """A choice among the values of a label of porwatch's own series; all of them to begin with."""
    return {
        "type": "query",
        "name": name,
        "label": name.capitalize(),
        "datasource": _DATASOURCE,
        "query": f"label_values(porwatch_build_info{{{matcher}}}, {name})",
        "definition": f"label_values(porwatch_build_info{{{matcher}}}, {name})",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "includeAll": True,
        "allValue": ".+",
        "multi": True,
        "refresh": 2,
        "sort": 1,
        "hide": 0,
    }


def _link(other: Dashboard) -> Json:
    link = {"type": "link", "title": other.title.removeprefix("porwatch / "), "url": f"/d/{other.uid}"}
    return {
        **link,
        "keepTime": True,
        "includeVars": True,
        "targetBlank": False,
        "asDropdown": False,
        "icon": "dashboard",
    }


def _outflow_marks() -> Json:
    """A red line where an alert about an outflow fires."""
    return {
        "name": "Outflow alerts",
        "datasource": _DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": "red",
        "expr": 'ALERTS{alertstate="firing",category="outflow"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{wallet}} {{asset}}",
        "useValueForTime": False,
    }


def _panel(panel: Panel) -> Json:
    table = panel.kind == "table"
    targets = [
        {
            "refId": chr(ord("A") + number),
            "datasource": _DATASOURCE,
            "expr": scoped(query.expr),
            "legendFormat": query.legend,
            "range": not table,
            "instant": table,
            **({"format": "table"} if table else {}),
        }
        for number, query in enumerate(panel.queries)
    ]
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _DATASOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": list(_overrides(panel))},
        "options": _options(panel),
        **({"transformations": [_columns(panel)]} if table else {}),
    }


def _defaults(panel: Panel) -> Json:
    given: Json = {"unit": panel.unit, "color": {"mode": "thresholds"}, "thresholds": _thresholds(panel)}
    if panel.colours is Colours.PALETTE and panel.kind != "stat":
        bars = panel.kind == "bargauge"
        given["color"] = {"mode": "fixed", "fixedColor": "blue"} if bars else {"mode": "palette-classic"}
    if panel.colours is Colours.VERDICT:
        given["mappings"] = [_words({"0": ("PASS", "green"), "1": ("UNVERIFIED", "yellow"), "2": ("BREACH", "red")})]
    if panel.colours is Colours.FLAG:
        given["mappings"] = [_words({"1": ("yes", "green"), "0": ("NO", "red")})]
    if panel.decimals is not None:
        given["decimals"] = panel.decimals
    if panel.minimum is not None:
        given["min"] = panel.minimum
    if panel.kind == "timeseries":
        given["custom"] = _lines(panel)
    if panel.kind == "table":
        given["custom"] = {"align": "auto", "cellOptions": {"type": "auto"}, "minWidth": 70}
    return given


def _overrides(panel: Panel) -> Iterator[Json]:
    """The value's column of a table in the colour of its threshold, room for names, and the painted series."""
    if panel.kind == "table":
        yield _override(panel.columns[-1], "custom.cellOptions", {"type": "color-text"})
        yield _override(panel.columns[0], "custom.width", _NAME_WIDTH)
    for name, colour in panel.painted.items():
        yield _override(name, "color", {"mode": "fixed", "fixedColor": colour})


def _override(name: str, property_id: str, value: object) -> Json:
    return {"matcher": {"id": "byName", "options": name}, "properties": [{"id": property_id, "value": value}]}


def _words(words: dict[str, tuple[str, str]]) -> Json:
    options = {
        value: {"text": text, "color": colour, "index": index}
        for index, (value, (text, colour)) in enumerate(words.items())
    }
    return {"type": "value", "options": options}


def _thresholds(panel: Panel) -> Json:
    steps: list[Json] = [{"color": "green" if panel.colours is not Colours.PALETTE else "text", "value": None}]
    if panel.colours is Colours.FINDINGS:
        # Anything above zero: an amount of coins may be a small fraction.
        steps.append({"color": "red", "value": 1e-18})
    if panel.red_above is not None:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": panel.red_above}]
    return {"mode": "absolute", "steps": steps}


def _lines(panel: Panel) -> Json:
    return {
        "drawStyle": "line",
        "lineInterpolation": "stepAfter" if panel.stepped else "linear",
        "lineWidth": 2,
        "fillOpacity": 18 if panel.stacked else 8,
        "gradientMode": "opacity",
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if panel.red_above is not None else "off"},
        "axisPlacement": "auto",
        **({"axisSoftMax": 1} if panel.minimum == 0 and panel.unit in {"none", "percentunit"} else {}),
    }


def _options(panel: Panel) -> Json:
    reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    if panel.kind == "stat":
        return {
            "reduceOptions": reduce,
            "colorMode": "background_solid" if panel.large else "value",
            "graphMode": "none",
            "justifyMode": "center" if panel.large else "auto",
            "textMode": "value_and_name" if any(query.legend for query in panel.queries) else "value",
            "orientation": "auto",
            "wideLayout": True,
        }
    if panel.kind == "bargauge":
        return {"reduceOptions": reduce, "displayMode": "basic", "orientation": "horizontal", "showUnfilled": True}
    if panel.kind == "table":
        return {"showHeader": True, "cellHeight": "sm", "sortBy": [{"displayName": panel.columns[-1], "desc": True}]}
    legend = {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def _columns(panel: Panel) -> Json:
    """The columns in their order, named as ``columns`` says: the labels, and the value last."""
    names = {column.lower(): column for column in panel.columns[:-1]} | {"Value": panel.columns[-1]}
    return {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True},
            "indexByName": {name: index for index, name in enumerate(names)},
            "renameByName": names,
        },
    }
