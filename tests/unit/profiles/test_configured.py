from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from monitor.commands import FINE, WRONG, check
from monitor.config import ConfigError, load
from monitor.profiles import check_profiles, read_profiles
from monitor.rules import in_force

CONFIG = """entity: {{name: Example Exchange KK}}
store: sqlite:///porwatch.db
assets: {{ETH: {{decimals: 18}}}}
chains:
  ethereum: {{kind: evm, chain_id: 1, native: ETH, endpoints: [{{url: "http://127.0.0.1:8545"}}]}}
wallets:
  - {{name: eth-hot, chain: ethereum, tier: hot, addresses: ["0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"]}}
profiles: [{profiles}]
"""
OWN = """extends: jp-psa-2020
id: {id}
version: "1"
title: Ours
status: in_force
supersedes: {supersedes}
source_url: https://law.example
source_date: 2026-01-01
verified: true
"""


def configured(folder: Path, *profiles: str, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    file = folder / "porwatch.yml"
    file.write_text(CONFIG.format(profiles=", ".join(profiles)), encoding="utf-8")
    return file


def test_check_names_file_line_and_key_of_a_mistake_in_a_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = configured(tmp_path, "ours.yaml", ours="extends: jp-psa-2020\nchoose: {hot_limit: low}\n")
    assert check(file, online=False) == WRONG
    assert f"{tmp_path / 'ours.yaml'}:2: choose.hot_limit: has no choices: remove it" in capsys.readouterr().err


def test_check_is_content_with_every_shipped_profile(tmp_path: Path) -> None:
    file = configured(tmp_path, "jp-psa-2020", "jp-fiea-2026", "hk-vatp", "kr-vaupa", "sg-psr", "us-genius")
    assert check(file, online=False) == FINE


def test_a_profile_that_makes_alerts_inside_information_wants_everyone_who_gets_them_listed(tmp_path: Path) -> None:
    file = configured(tmp_path, "jp-fiea-2026")
    text = file.read_text(encoding="utf-8")
    receivers = 'alertmanagers: [{url: "http://a.example", recipients: [K. Sato]}, {url: "http://b.example"}]\n'
    file.write_text(text + receivers, encoding="utf-8")
    (mistake,) = check_profiles(load(file))
    assert str(mistake).startswith(f"{file}:9: alertmanagers[1].recipients: jp-fiea-2026 asks that whoever gets")
    with pytest.raises(ConfigError, match="recipients"):
        read_profiles(load(file))
    file.write_text(text.replace("jp-fiea-2026", "jp-psa-2020") + receivers, encoding="utf-8")
    assert check_profiles(load(file)) == []


def test_mistakes_of_books_and_of_profiles_are_told_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = configured(tmp_path, "ours.yaml", "theirs.yaml", ours="extends: none\n", theirs="extends: nothing\n")
    (tmp_path / "prices.csv").write_text("asset,price\n", encoding="utf-8")
    file.write_text(file.read_text(encoding="utf-8") + "books: {prices: {file: prices.csv}}\n", encoding="utf-8")
    assert check(file, online=False) == WRONG
    told = capsys.readouterr().err
    assert all(name in told for name in ("ours.yaml:1: extends", "theirs.yaml:1: extends", "prices.csv:1:"))


def test_profiles_that_supersede_each_other_are_refused_in_both_files(tmp_path: Path) -> None:
    files = {"one": OWN.format(id="one", supersedes="two"), "two": OWN.format(id="two", supersedes="one")}
    found = check_profiles(load(configured(tmp_path, "one.yaml", "two.yaml", **files)))
    assert [(Path(each.file).name, each.line, each.key) for each in found] == [
        ("one.yaml", 6, "supersedes"),
        ("two.yaml", 6, "supersedes"),
    ]
    assert "one supersedes two supersedes one: profiles cannot supersede each other in a circle" in found[0].message


def test_a_profile_that_supersedes_nothing_known_is_refused(tmp_path: Path) -> None:
    config = load(configured(tmp_path, "one.yaml", one=OWN.format(id="one", supersedes="nothing")))
    with pytest.raises(ConfigError, match="nothing is neither configured nor shipped"):
        read_profiles(config)


def test_two_profiles_of_one_id_are_refused(tmp_path: Path) -> None:
    found = check_profiles(load(configured(tmp_path, "jp-psa-2020", "ours.yaml", ours="extends: jp-psa-2020\n")))
    assert [each.key for each in found] == ["id"]
    assert "jp-psa-2020 is also the id of jp-psa-2020.yaml" in found[0].message


@pytest.mark.parametrize(("day", "expected"), [("2027-07-22", "jp-psa-2020"), ("2027-07-23", "jp-fiea-2026")])
def test_the_act_of_2026_takes_over_on_its_last_possible_day(tmp_path: Path, day: str, expected: str) -> None:
    profiles = read_profiles(load(configured(tmp_path, "jp-psa-2020")))
    assert list(profiles) == ["jp-psa-2020", "jp-fiea-2026"]
    assert in_force(profiles, "jp-psa-2020", date.fromisoformat(day)).id == expected


def test_the_act_of_2026_takes_over_on_the_day_that_the_entity_has_entered(tmp_path: Path) -> None:
    ours = "extends: jp-fiea-2026\neffective_from: 2027-04-01\n"
    profiles = read_profiles(load(configured(tmp_path, "jp-psa-2020", "ours.yaml", ours=ours)))
    assert in_force(profiles, "jp-psa-2020", date(2027, 4, 1)).id == "jp-fiea-2026"
    assert in_force(profiles, "jp-psa-2020", date(2027, 3, 31)).id == "jp-psa-2020"


def test_no_profile_is_read_where_none_is_configured(tmp_path: Path) -> None:
    assert read_profiles(load(configured(tmp_path))) == {}
