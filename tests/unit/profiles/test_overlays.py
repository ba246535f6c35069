from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.config import ConfigError
from monitor.model import Outcome
from monitor.profiles import read_profile
from monitor.rules import Figures, Profile, due, evaluate, from_json, show, to_json
from monitor.rules.profile import Staked
from monitor.shipped import shipped
from tests.conftest import CHECKOUT

ON = date(2026, 11, 20)
SIGNED = f'by: Hanako Sato, on: 2026-11-01, basis: "letter of the authority", document_sha256: "{"ab" * 32}"'


def overlay(folder: Path, text: str, name: str = "overlay.yaml") -> Profile:
    (folder / name).write_text(text, encoding="utf-8")
    return read_profile(name, folder)


def test_a_confirmed_number_passes_and_the_line_says_by_whom_it_is_not(tmp_path: Path) -> None:
    profile = overlay(tmp_path, f"extends: eu-emt\nconfirmed:\n  deposit_share: {{value: 0.30, {SIGNED}}}\n")
    figures = {"declared.tokens_outstanding": 200_000_000, "declared.bank_deposits": 60_000_000}
    found = evaluate(profile.rule("deposits"), profile, Figures(on=ON, figures=figures))
    assert found.outcome is Outcome.PASS
    assert found.basis.startswith("PASS, parameter confirmed by the entity, not by statute")
    (parameter,) = found.parameters
    assert parameter.confirmed is not None
    assert (parameter.confirmed.by, parameter.confirmed.on) == ("Hanako Sato", date(2026, 11, 1))
    assert parameter.confirmed.document_sha256 == "ab" * 32
    plain = read_profile("eu-emt")
    assert evaluate(plain.rule("deposits"), plain, Figures(on=ON, figures=figures)).outcome is Outcome.UNVERIFIED


def test_the_value_that_was_confirmed_is_used_and_the_profiles_own_stays_readable(tmp_path: Path) -> None:
    profile = overlay(tmp_path, f'extends: eu-emt\nconfirmed:\n  deposit_share: {{value: "0.35", {SIGNED}}}\n')
    parameter = profile.parameters["deposit_share"]
    assert (parameter.value, parameter.used) == (Decimal("0.30"), Decimal("0.35"))


def test_a_number_of_the_reserve_is_confirmed_by_its_full_name(tmp_path: Path) -> None:
    profile = overlay(tmp_path, f"extends: jp-fiea-2026\nconfirmed:\n  reserve.floor: {{value: 1000, {SIGNED}}}\n")
    assert profile.reserve is not None
    assert (profile.reserve.floor.used, profile.reserve.floor.status) == (1000, "confirmed")
    assert profile.reserve.cap is not None
    assert profile.reserve.cap.status == "placeholder"


def test_one_confirmed_number_among_placeholders_is_not_enough(tmp_path: Path) -> None:
    profile = overlay(tmp_path, f"extends: jp-fiea-2026\nconfirmed:\n  reserve.floor: {{value: 1000, {SIGNED}}}\n")
    figures = Figures(on=ON, figures={"reserve.eligible": 1, "reserve.net": 1})
    assert evaluate(profile.rule("liability_reserve"), profile, figures).outcome is Outcome.UNVERIFIED


def test_a_reserve_whose_numbers_are_all_confirmed_passes(tmp_path: Path) -> None:
    reserve = read_profile("jp-fiea-2026").reserve
    assert reserve is not None
    lines = "".join(f"  {name}: {{value: {each.value}, {SIGNED}}}\n" for name, each in reserve.parameters().items())
    profile = overlay(tmp_path, f"extends: jp-fiea-2026\nconfirmed:\n{lines}")
    figures = Figures(on=ON, figures={"reserve.eligible": 1, "reserve.net": 1})
    assert evaluate(profile.rule("liability_reserve"), profile, figures).outcome is Outcome.PASS


def test_a_predicate_is_confirmed_with_its_own_words(tmp_path: Path) -> None:
    text = f'extends: jp-psa-2020\nconfirmed:\n  check.guarantee_cold: {{value: "storage_is(guarantee, cold)", {SIGNED}}}\n'
    profile = overlay(tmp_path, text)
    figures = Figures(on=ON, facts={"storage.guarantee": {"vault": "cold"}})
    found = evaluate(profile.rule("guarantee_cold"), profile, figures)
    assert found.outcome is Outcome.PASS
    assert "confirmed by the entity, not by statute" in found.basis


def test_a_cure_clock_is_confirmed_by_the_id_of_its_check(tmp_path: Path) -> None:
    profile = overlay(tmp_path, f"extends: jp-psa-2020\nconfirmed:\n  cure.coverage: {{value: 3, {SIGNED}}}\n")
    cure = profile.rule("coverage").cure
    assert cure is not None
    assert due(datetime(2026, 11, 20, tzinfo=UTC), ZoneInfo("Asia/Tokyo"), cure, profile.calendar) == date(2026, 11, 26)
    assert "cure 3 business_day confirmed" in evaluate(profile.rule("coverage"), profile, Figures(on=ON), "BTC").basis
    assert from_json(to_json(profile)) == profile


def test_a_choice_reaches_the_check_and_the_reserve(tmp_path: Path) -> None:
    profile = overlay(tmp_path, "extends: kr-vaupa\nchoose: {floor: other}\n")
    assert profile.reserve is not None
    assert profile.parameters["floor"].used == profile.reserve.floor.used == 500_000_000


def test_an_overlay_adds_checks_and_internal_limits_and_keeps_the_rest(tmp_path: Path) -> None:
    limit = "sum(E.cust_hot) <= 0.04 * sum(E.cust_*)"
    profile = overlay(tmp_path, f'extends: jp-psa-2020\nchecks:\n  hot_ratio: {{warn_at: "{limit}"}}\n')
    base = read_profile("jp-psa-2020")
    added = profile.rule("hot_ratio").warn_at
    assert added is not None
    assert show(added) == limit
    assert (profile.id, profile.version, profile.status) == (base.id, base.version, base.status)
    assert [rule.id for rule in profile.rules] == [rule.id for rule in base.rules]
    assert profile.rule("hot_ratio").condition == base.rule("hot_ratio").condition


def test_a_profile_with_its_own_id_inherits_neither_dates_nor_succession(tmp_path: Path) -> None:
    own = 'id: ours\nversion: "7"\ntitle: Ours\nstatus: in_force\nsource_url: https://law.example\nsource_date: 2026-01-01\n'
    profile = overlay(tmp_path, f"extends: jp-fiea-2026\n{own}verified: true\n")
    assert (profile.effective_latest, profile.supersedes) == (None, "")
    plain = overlay(tmp_path, "extends: jp-fiea-2026\neffective_from: 2027-04-01\n")
    assert (plain.effective_from, plain.supersedes) == (date(2027, 4, 1), "jp-psa-2020")


def test_staked_assets_are_placed_by_the_overlay_and_every_check_is_looked_at_again(tmp_path: Path) -> None:
    assert overlay(tmp_path, "extends: jp-psa-2020\nstaked_counts_as: cold\n").staked_counts_as is Staked.COLD
    adding = "sum(E.cust_cold) + sum(E.cust_staked) >= sum(E.cust_hot)"
    entry = "per: aggregate, severity: info, freq: {legal: daily, verified: true}, basis: policy, verified: true"
    first = f'extends: jp-psa-2020\nchecks:\n  mine: {{expr: "{adding}", {entry}}}\n'
    overlay(tmp_path, first, "first.yaml")
    with pytest.raises(ConfigError, match="staked_counts_as: cust_staked is already in cust_cold"):
        overlay(tmp_path, "extends: first.yaml\nstaked_counts_as: cold\n")


def test_what_was_read_is_named_with_its_digest(tmp_path: Path) -> None:
    profile = overlay(tmp_path, "extends: jp-fiea-2026\n")
    files = {
        ("profile", "jp-fiea-2026"): tmp_path / "overlay.yaml",
        ("base", "jp-fiea-2026"): shipped("config", "profiles", "jp-fiea-2026.yaml"),
        ("base", "jp-psa-2020"): shipped("config", "profiles", "jp-psa-2020.yaml"),
        ("calendar", "jp_business_days"): shipped("config", "calendars", "jp_business_days.yaml"),
    }
    assert [(each.kind, each.name) for each in profile.sources] == list(files)
    for source, file in zip(profile.sources, files.values(), strict=True):
        assert source.sha256 == sha256(file.read_bytes()).hexdigest()


def test_overlays_of_overlays_have_an_end(tmp_path: Path) -> None:
    for level in range(9):
        (tmp_path / f"{level}.yaml").write_text(f"extends: {level + 1}.yaml\n", encoding="utf-8")
    (tmp_path / "9.yaml").write_text("extends: jp-psa-2020\n", encoding="utf-8")
    assert read_profile("3.yaml", tmp_path).id == "jp-psa-2020"
    with pytest.raises(ConfigError, match="more than 8 profiles extend one another"):
        read_profile("0.yaml", tmp_path)


@pytest.mark.parametrize("name", ["jp-psa-2021", "../config/profiles/jp-psa-2020", "baseline"])
def test_a_name_that_is_not_shipped_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        read_profile(name)


def test_an_unreadable_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml:1: .*cannot be read"):
        read_profile("none.yaml", tmp_path)


def test_the_overlay_of_the_how_to_is_a_good_one(tmp_path: Path) -> None:
    page = (CHECKOUT / "docs" / "how-to" / "rule-profiles.md").read_text(encoding="utf-8")
    (written,) = re.findall(r"```yaml title=ours.yaml\n(.*?)```", page, re.DOTALL)
    profile = overlay(tmp_path, written)
    figures = {"declared.tokens_outstanding": 200, "declared.bank_deposits": 120}
    found = evaluate(profile.rule("deposits"), profile, Figures(on=ON, figures=figures))
    assert (found.outcome, found.threshold, found.warn) == (Outcome.PASS, 120, True)
    assert found.basis.startswith("PASS, parameter confirmed by the entity, not by statute")
