"""`porwatch ceremonies`: two people at a terminal, without a running monitor."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor import ceremony_commands as commands

CONFIG = """\
entity: {name: Example Exchange KK}
store: sqlite:///porwatch.db
assets: {BTC: {decimals: 8}}
chains:
  bitcoin:
    kind: bitcoin
    network: regtest
    native: BTC
    endpoints: [{url: "http://127.0.0.1:9"}]
wallets:
  - {name: btc-cold, chain: bitcoin, tier: cold, addresses: ["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"], ceremonies: required}
"""
SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
BODY = {
    "purpose": "key check",
    "wallets": ["btc-cold"],
    "from": SOON.isoformat(),
    "to": (SOON + timedelta(hours=2)).isoformat(),
    "name": "Sato",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "porwatch.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def test_a_ceremony_is_announced_confirmed_listed_and_cancelled(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.announce(config, BODY) == 0
    key, phase = capsys.readouterr().out.split()
    assert phase == "announced"
    assert commands.confirm(config, key, "ＳＡＴＯ") == 2
    assert "Sato announced it: a second person confirms it" in capsys.readouterr().err
    assert commands.confirm(config, key, "Tanaka") == 0
    assert capsys.readouterr().out == f"{key} confirmed\n"
    assert commands.listed(config, "json") == 0
    (found,) = json.loads(capsys.readouterr().out)["ceremonies"]
    assert (found["id"], found["confirmed"]["name"], found["wallets"]) == (key, "Tanaka", ["btc-cold"])
    assert commands.listed(config, "csv") == 0
    assert capsys.readouterr().out.splitlines()[1].startswith(f"{key},confirmed,")
    assert commands.listed(config, "table") == 0
    assert "btc-cold" in capsys.readouterr().out
    assert commands.cancel(config, key, "Suzuki", "rain") == 0
    assert capsys.readouterr().out == f"{key} cancelled\n"


@pytest.mark.parametrize("change", [{"wallets": ["gone"]}, {"from": "tomorrow"}, {"name": " "}, {"to": BODY["from"]}])
def test_what_cannot_be_announced_is_said(
    change: dict[str, object], config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.announce(config, {**BODY, **change}) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.strip().splitlines()) == 1


def test_a_ceremony_that_is_not_there_is_said(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.listed(config, "table") == 2, "there is no ledger yet"
    assert commands.confirm(config, "0" * 16, "Tanaka") == 2
    assert "there is no such ceremony: see `porwatch ceremonies" in capsys.readouterr().err
