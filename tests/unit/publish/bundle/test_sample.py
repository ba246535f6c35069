"""The auditor's draw: the same for whoever has the list and the seed, and steered by nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.publish.bundle.sample import Sizes, draw, list_hash
from monitor.publish.bundle.sample_command import sample
from tests.unit.publish.bundle.made import Exchange

ITEMS = [{"chain": "c", "wallet": f"w{number}"} for number in range(200)]


@given(st.permutations(ITEMS[:20]), st.text(max_size=20), st.integers(0, 25))
def test_the_draw_does_not_depend_on_the_order_of_the_list(items: list[Any], seed: str, size: int) -> None:
    drawn = draw(items, seed, size)
    assert drawn == draw(ITEMS[:20], seed, size)
    assert len(drawn) == min(size, 20)
    assert len({item["wallet"] for item in drawn}) == len(drawn)
    assert list_hash(items) == list_hash(ITEMS[:20])


def test_a_larger_draw_begins_with_the_smaller_one_and_another_seed_draws_others() -> None:
    assert draw(ITEMS, "7", 50)[:10] == draw(ITEMS, "7", 10)
    assert draw(ITEMS, "8", 10) != draw(ITEMS, "7", 10)


def test_every_item_is_drawn_about_as_often() -> None:
    counts = dict.fromkeys((item["wallet"] for item in ITEMS), 0)
    for seed in range(400):
        for item in draw(ITEMS, str(seed), 20):
            counts[item["wallet"]] += 1
    assert min(counts.values()) > 15, "40 are expected of each"
    assert max(counts.values()) < 75


@pytest.mark.parametrize("output", ["json", "csv", "table"])
def test_wallets_and_accounts_of_a_past_day_are_drawn(kept: Exchange, output: str, capsys: Any) -> None:
    assert sample(kept.config, "7", "2026-11-20", Sizes(2, 3, 4), output) == 0
    told = capsys.readouterr().out
    if output == "json":
        body = json.loads(told)
        assert [len(body[name]) for name in ("wallets", "accounts", "movements")] == [2, 3, 0]
        assert body["of"]["wallets"]["count"] == 5
        assert body["anchors"]["c"]["height"] == 7
        assert all(item["amount"] for item in body["accounts"])
    else:
        assert told.count("address-") == 3


def test_a_day_without_kept_evidence_is_said(kept: Exchange, capsys: Any) -> None:
    assert sample(kept.config, "7", "2026-11-19", Sizes(), "json") == 3
    assert "no verdict with kept evidence at 2026-11-19" in capsys.readouterr().err
    assert sample(kept.config, "7", "last week", Sizes(), "json") == 2
