"""Testimony in a bundle: proofs are worked out again, and holdings that they do not show are named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chains.core.testimony import seal, to_text
from chains.core.values import BlockRef
from chains.ethereum.verify.header import header_hash
from monitor.assess import Custody, Inputs, Line, Reading
from monitor.canonical import canonical
from monitor.model import Owner, Tier
from monitor.publish.bundle import checks, places
from monitor.publish.bundle.evidence import Account, read_accounts
from monitor.publish.bundle.files import BadEvidence
from monitor.publish.bundle.testimony import rechecked
from tests.unit.ethereum.made_testimony import CONTRACT, DECIMALS, HEADER, NAMES, Made
from tests.unit.publish.bundle import made

COLD, HOT = "0x" + "0a" * 20, "0x" + "0b" * 20
SETTINGS = {
    "kind": "evm",
    "chain_id": 1,
    "native": "ETH",
    "tokens": {"USDT": {"contract": CONTRACT}},
    "quorum": 2,
    "endpoints": [{"name": name, "own": False} for name in NAMES],
}


@pytest.fixture(scope="module")
def told() -> Made:
    return Made({COLD: 700, HOT: 40}, {COLD: 5_000, HOT: 0}, {"0x" + "ee" * 20: 9})


@pytest.fixture
def folder(told: Made, tmp_path: Path) -> Path:
    for name in (places.CHAINS, places.ACCOUNTS):
        (tmp_path / name).mkdir(parents=True)
    write(tmp_path, told.lines())
    held = [
        {"locator": a.locator, "wallet": wallet_of(a.locator), "asset": a.asset, "units": str(units)}
        for a, units in sorted(told.units.items(), key=lambda item: (item[0].locator, item[0].asset))
        if units
    ]
    (tmp_path / places.ACCOUNTS / "ethereum.jsonl").write_text("".join(canonical(line) + "\n" for line in held))
    return tmp_path


def wallet_of(locator: str) -> str:
    return "cold" if locator.lower() == COLD else "hot"


def write(folder: Path, lines: list[Any]) -> None:
    text = "".join(to_text(line) + "\n" for line in lines)
    (folder / places.CHAINS / "ethereum.jsonl").write_text(text, encoding="utf-8")


def inputs_of(told: Made, at: BlockRef, verified: int = 700) -> Inputs:
    found = made.closing(profiles=())
    wallets = tuple(
        Custody(name, "ethereum", tier, Owner.CUSTOMER, "self")
        for name, tier in (("cold", Tier.COLD), ("hot", Tier.HOT))
    )
    lines = (
        Line("cold", "ETH", 700, verified),
        Line("cold", "USDT", 5_000, 5_000),
        Line("hot", "ETH", 40, 40),
    )
    facts = replace(found.facts, assets=DECIMALS, wallets=wallets)
    return replace(found, facts=facts, readings=(Reading("ethereum", ("ETH", "USDT"), at, lines),))


def problems(folder: Path, told: Made, **more: Any) -> list[str]:
    shown = rechecked(folder, "ethereum", SETTINGS, DECIMALS)
    assert shown is not None
    inputs = inputs_of(told, shown.at, **more)
    accounts = {"ethereum": read_accounts(folder, "ethereum.jsonl")}
    found = [
        *checks.account_problems(inputs, accounts),
        *checks.testimony_problems(inputs, accounts, {"ethereum": shown}),
    ]
    return [str(each) for each in found]


def test_accounts_that_the_proofs_show_are_fine(folder: Path, told: Made) -> None:
    assert problems(folder, told) == []


def test_more_than_the_proofs_show_is_not_verified(folder: Path, told: Made) -> None:
    (found,) = problems(folder, told, verified=701)
    assert "readings[0], cold, ETH: verified: 701, the testimony of ethereum shows 700" in found


def test_an_account_that_the_proofs_contradict_is_named(folder: Path, told: Made) -> None:
    path = folder / places.ACCOUNTS / "ethereum.jsonl"
    path.write_text(path.read_text().replace('"units":"700"', '"units":"701"'))
    found = problems(folder, told)
    assert any("ETH: shows 700, evidence/close/accounts/ethereum.jsonl says 701" in each for each in found)
    assert any("cold: its ETH adds up to 701" in each for each in found)


def test_a_testimony_of_another_block_is_named(folder: Path, told: Made) -> None:
    shown = rechecked(folder, "ethereum", SETTINGS, DECIMALS)
    assert shown is not None
    other = inputs_of(told, replace(shown.at, height=shown.at.height + 1))
    accounts: dict[str, tuple[Account, ...]] = {"ethereum": read_accounts(folder, "ethereum.jsonl")}
    (found,) = checks.testimony_problems(other, accounts, {"ethereum": shown})
    assert "is of another block than" in found.what


def _units(lines: list[Any]) -> None:
    line = next(line for line in lines if line["kind"] == "account")
    line["units"] = str(int(line["units"]) + 1)


def _root(lines: list[Any]) -> None:
    fields = HEADER | {"stateRoot": "0x" + "77" * 32}
    lines[1] |= {"fields": fields, "hash": header_hash(fields)}


@pytest.mark.parametrize("forge", [_units, _root])
def test_a_forged_and_newly_sealed_testimony_is_refused_by_its_proofs(
    folder: Path, told: Made, forge: Callable[[list[Any]], None]
) -> None:
    lines = told.body()
    forge(lines)
    write(folder, list(seal(lines)))
    with pytest.raises(BadEvidence, match=r"evidence/close/chains/ethereum\.jsonl: line"):
        rechecked(folder, "ethereum", SETTINGS, DECIMALS)


@pytest.mark.parametrize(
    "settings",
    [None, {}, {"kind": "x"}, {**SETTINGS, "endpoints": None}, {**SETTINGS, "endpoints": []}, {**SETTINGS, "more": 1}],
)
def test_settings_that_are_none_are_named(folder: Path, settings: Any) -> None:
    with pytest.raises(BadEvidence, match=r"settings\.json"):
        rechecked(folder, "ethereum", settings, DECIMALS)


def test_without_testimony_nothing_is_shown(folder: Path) -> None:
    write(folder, [])
    assert rechecked(folder, "ethereum", SETTINGS, DECIMALS) is None
