from __future__ import annotations

from typing import Any

import pytest

from monitor.health import Health
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit
from monitor.publish.metrics import families
from monitor.publish.shadow import LANGUAGES, page
from monitor.publish.snapshot import take_snapshot
from monitor.publish.status import render_status
from tests.conftest import CHECKOUT
from tests.unit.publish.samples import NOW, SCOPE, Store

FIGURES: dict[str, Any] = {
    "payments": {"explained": 413, "not_attributed": 0, "unexplained": 2, "share": "0.9951"},
    "value": {
        "currency": "JPY", "explained": "9120000.00", "not_attributed": "0.00", "unexplained": "180000.00",
        "total": "9300000.00", "share": "0.9806", "without_price": [],
    },
    "assets": [
        {
            "asset": "ETH", "payments": 415, "explained": "30.400000000000000000", "not_attributed": "0.000000000000000000",
            "unexplained": "0.600000000000000000", "share": "0.9806",
        }
    ],
    "would_have_paged": 2,
    "rules": [{"rule": "unexplained_outflow", "severity": "critical", "cases": 2}],
    "still_open": 1,
    "critical_open": 1,
    "latency": {"measured": 2, "median_ms": "412.5", "slowest_ms": "498"},
}  # fmt: skip
RECORD: dict[str, Any] = {
    "entity": "Example Exchange KK",
    "timezone": "Asia/Tokyo",
    "state": "ended",
    "since": "2026-12-01T00:00:00Z",
    "until": "2026-12-14T15:00:00Z",
    "ended": "2026-12-14T15:00:00.5Z",
    "figures": FIGURES,
}


def test_the_page_of_the_how_to_is_what_is_printed() -> None:
    text = (CHECKOUT / "docs/how-to/getting-in-gradually.md").read_text(encoding="utf-8")
    assert page(RECORD, "en") == text.partition("```text\n")[2].partition("```")[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_figure_stands_on_the_page_in_either_language(language: str) -> None:
    text = page(RECORD, language)
    for figure in ("413", "415", "99.51 %", "9120000.00", "98.06 %", "412.5", "498", "2026-12-15 00:00+09:00"):
        assert figure in text
    assert "{" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_unknown_is_said_to_be(language: str) -> None:
    figures = {
        **FIGURES,
        "payments": {"explained": 0, "not_attributed": 7, "unexplained": 0, "share": "0.0000"},
        "value": {**dict.fromkeys(FIGURES["value"]), "currency": "JPY", "without_price": ["ETH", "BTC"]},
        "latency": {"measured": 0, "median_ms": None, "slowest_ms": None},
    }
    text = page({**RECORD, "state": "begun", "figures": figures}, language)
    assert "ETH, BTC" in text
    assert "None" not in text
    assert "7" in text
    empty = {**figures, "payments": {"explained": 0, "not_attributed": 0, "unexplained": 0, "share": None}}
    assert "None" not in page({**RECORD, "figures": empty}, language)


def test_a_share_is_shown_without_rounding_it_again() -> None:
    paid = {"explained": 1, "not_attributed": 0, "unexplained": 0}
    for share, shown in (("0.9999", "99.99 %"), ("1.0000", "100.00 %"), ("0.0001", "0.01 %"), ("0.0000", "0.00 %")):
        text = page({**RECORD, "figures": {**FIGURES, "payments": {**paid, "share": share}}}, "en")
        assert f"({shown})" in text


def test_while_it_lasts_metrics_and_status_say_so(store: Store, health: Health) -> None:
    def seen() -> tuple[float, Any]:
        snapshot = take_snapshot(store.ledger, health, SCOPE, NOW)
        ((_, _, value),) = [s for f in families(snapshot) if f.name == "porwatch_shadow" for s in f.samples()]
        return value, render_status(snapshot)["shadow"]

    assert seen() == (0, None)
    times = {"since": "2026-09-01T00:00:00Z", "until": "2026-09-30T00:00:00Z"}
    store.commit(Commit((Record("shadow", {"state": "begun", **times}),)))
    assert seen() == (1, times)
    store.commit(Commit((Record("shadow", {"state": "ended", **times, "figures": {}}),)))
    assert seen() == (0, None)
