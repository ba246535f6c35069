"""What a running monitor takes over of a changed configuration, and what it refuses."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import ConfigError, load
from monitor.config.changes import changed, refusals
from monitor.config.resolved import Config
from tests.unit.config.test_loader import BASE

ADDRESSES = ["0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359", "0xdbf03b407c01e7cd3cbea99509d93f8dddc8c6fb"]
FULL: dict[str, Any] = {
    **copy.deepcopy(BASE),
    "web": {
        "listen": "127.0.0.1:9899",
        "trusted_proxy": {"addresses": ["10.0.0.1"], "header": "X-User"},
        "roles": {"users": {"alice": "viewer"}},
    },
    "alertmanagers": [{"url": "http://127.0.0.1:9093"}],
    "policy": {"cold_needs_approval": True, "approval_grace": {"cold": "0s", "hot": "60s"}},
    "schedule": {"cycle": "30s"},
}
FULL["chains"]["ethereum"]["tokens"] = {"USDT": {"contract": "0xdAC17F958D2ee523a2206206994597C13D831ec7"}}
FULL["assets"]["USDT"] = {"decimals": 6}
Edit = Callable[[dict[str, Any]], object]


def configured(folder: Path, document: dict[str, Any]) -> Config:
    file = folder / "porwatch.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return load(file)


def edited(folder: Path, edit: Edit) -> tuple[Config, Config]:
    document = copy.deepcopy(FULL)
    (folder / "report.key").write_text("a key")
    (folder / "halt.secret").write_text("0123456789" * 4)
    old = configured(folder, document)
    edit(document)
    return old, configured(folder, document)


TAKEN: dict[str, Edit] = {
    "wallets: another one": lambda d: d["wallets"].append(
        {"name": "more", "chain": "ethereum", "tier": "warm", "addresses": [ADDRESSES[1]]}
    ),
    "wallets: tier": lambda d: d["wallets"][0].update(tier="warm"),
    "wallets: one more address": lambda d: d["wallets"][0].update(addresses=ADDRESSES),
    "wallets: an address goes to another wallet": lambda d: (
        d["wallets"].append({**d["wallets"][0], "name": "other", "addresses": [d["wallets"][0]["addresses"].pop()]})
        or d["wallets"][0].update(addresses=[ADDRESSES[1]])
    ),
    "alertmanagers": lambda d: d.update(alertmanagers=[{"url": "http://127.0.0.1:9094"}]),
    "alertmanagers: none": lambda d: d.update(alertmanagers=None),
    "policy": lambda d: d["policy"].update(cold_needs_approval=False),
    "schedule": lambda d: d["schedule"].update(cycle="10s"),
    "halt": lambda d: d.update(
        halt={"url": "http://127.0.0.1:1/halt", "secret_file": "halt.secret", "rules": ["residual"]}
    ),
    "reports": lambda d: d.update(reports={"folder": "daily"}),
    "profiles": lambda d: d.update(profiles=["jp-psa-2020"]),
    "chains: endpoints": lambda d: d["chains"]["ethereum"].update(endpoints=[{"url": "http://127.0.0.1:2"}]),
    "chains: finality": lambda d: d["chains"]["ethereum"].update(finality=64),
    "assets: another one": lambda d: d["assets"].update(XRP={"decimals": 6}),
}
REFUSED: dict[str, Edit] = {
    "store": lambda d: d.update(store="sqlite:///other.db"),
    "entity": lambda d: d["entity"].update(name="Other"),
    "web.listen": lambda d: d["web"].update(listen="127.0.0.1:1"),
    "web.public_metrics": lambda d: d["web"].update(public_metrics=True),
    "web.roles": lambda d: d["web"].update(roles={"users": {"alice": "administrator"}}),
    "web.trusted_proxy": lambda d: d["web"]["trusted_proxy"].update(addresses=["0.0.0.0/0"]),
    "shadow_until": lambda d: d.update(shadow_until="2026-12-01"),
    "signing.key_file": lambda d: d.update(signing={"key_file": "report.key"}),
    "chains.ethereum.chain_id": lambda d: d["chains"]["ethereum"].update(chain_id=10),
    "chains.ethereum.start": lambda d: d["chains"]["ethereum"].update(start=5),
    "chains.bitcoin": lambda d: (d["chains"].pop("bitcoin"), d["wallets"].pop()),
    "chains.bitcoin.network": lambda d: (
        d["chains"]["bitcoin"].update(network="mainnet")
        or d["wallets"][1].update(addresses=["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"])
    ),
    "chains.ethereum.tokens.USDT": lambda d: d["chains"]["ethereum"].update(tokens={}),
    "assets.USDT": lambda d: d["assets"]["USDT"].update(decimals=7),
    "wallets": lambda d: d["wallets"].pop(),
    "alertmanagers": lambda d: d.pop("alertmanagers"),
    "policy.approval_grace.hot": lambda d: d["policy"]["approval_grace"].pop("hot"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_may_change_while_porwatch_runs_is_taken_over(name: str, tmp_path: Path) -> None:
    old, new = edited(tmp_path, TAKEN[name])
    assert refusals(old, new) == ()
    assert changed(old, new) == (name.partition(":")[0],)


@pytest.mark.parametrize("key", REFUSED)
def test_what_a_running_porwatch_stands_on_or_watches_is_refused_by_its_key(key: str, tmp_path: Path) -> None:
    old, new = edited(tmp_path, REFUSED[key])
    found = refusals(old, new)
    assert key in {mistake.key for mistake in found}
    assert all("restart" in mistake.message for mistake in found)
    assert all(str(mistake).startswith(f"{new.file}:") for mistake in found)


def test_an_address_file_that_dropped_a_line_is_no_reason_to_refuse(tmp_path: Path) -> None:
    document = copy.deepcopy(FULL)
    document["wallets"][0] |= {"addresses": [], "addresses_file": "list.csv"}
    (tmp_path / "list.csv").write_text("\n".join(ADDRESSES) + "\n")
    old = configured(tmp_path, document)
    (tmp_path / "list.csv").write_text(ADDRESSES[0] + "\n")
    new = configured(tmp_path, document)
    assert len(old.locators["ethereum"]) == len(new.locators["ethereum"]) + 1
    assert refusals(old, new) == ()


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    old, new = edited(tmp_path, lambda _: None)
    assert (refusals(old, new), changed(old, new)) == ((), ())
    assert old.sha256 == new.sha256


@pytest.mark.parametrize("last", ["schedule", "alertmanagers", "policy", "wallets"])
def test_no_beginning_of_a_file_is_ever_taken_for_the_whole(last: str, tmp_path: Path) -> None:
    document = copy.deepcopy(FULL)
    document[last] = document.pop(last)
    old = configured(tmp_path, document)
    text = old.file.read_text("utf-8")
    begin = text.index(f"\n{last}:")
    taken = []
    for end in range(begin, len(text)):
        old.file.write_text(text[:end], encoding="utf-8")
        try:
            new = load(old.file)
        except ConfigError:
            continue
        if not refusals(old, new):
            taken.append(text[:end])
    assert taken == []


def test_the_beginning_of_another_file_is_not_taken_either(tmp_path: Path) -> None:
    document = copy.deepcopy(FULL)
    old = configured(tmp_path, document)
    document["alertmanagers"].append({"url": "http://127.0.0.1:9094"})
    text = configured(tmp_path, document).file.read_text("utf-8")
    for end in range(text.index("alertmanagers"), len(text)):
        old.file.write_text(text[:end], encoding="utf-8")
        try:
            new = load(old.file)
        except ConfigError:
            continue
        assert refusals(old, new)
