from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from monitor.config.models import SHIPPED_PROFILES
from monitor.profiles import read_profile
from monitor.rules import Confirmation, GrammarError, Profile, digest, from_json, to_json


def confirmed() -> Profile:
    profile = read_profile("jp-fiea-2026")
    assert profile.reserve is not None
    made = Confirmation("3000000000", "Sato", date(2026, 11, 1), "ordinance", "0" * 64)
    return replace(profile, reserve=replace(profile.reserve, floor=replace(profile.reserve.floor, confirmed=made)))


@pytest.mark.parametrize("name", [*SHIPPED_PROFILES, "confirmed"])
def test_a_profile_survives_json(name: str) -> None:
    profile = confirmed() if name == "confirmed" else read_profile(name)
    body = json.loads(json.dumps(to_json(profile)))
    assert from_json(body) == profile
    assert digest(from_json(body)) == digest(profile)


def test_json_holds_no_float_and_numbers_are_strings() -> None:
    def values(item: Any) -> list[Any]:
        if isinstance(item, dict):
            return [found for each in item.values() for found in values(each)]
        return [found for each in item for found in values(each)] if isinstance(item, list) else [item]

    body = to_json(read_profile("jp-fiea-2026"))
    assert not [each for each in values(body) if isinstance(each, float)]
    assert body["reserve"]["rates"]["spot"]["value"] == "0.00008"
    assert body["rules"][1]["condition"] == {"expr": "sum(E.cust_hot) <= param.hot_limit * sum(E.cust_*)"}


def test_every_change_of_a_number_changes_the_digest() -> None:
    profile = read_profile("kr-vaupa")
    share = profile.parameters["cold_share"]
    changed = replace(profile, parameters={**profile.parameters, "cold_share": replace(share, value=Decimal("0.79"))})
    assert digest(changed) != digest(profile)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda body: body.pop("rules"), "missing or unknown: rules"),
        (lambda body: body.update(extra=1), "missing or unknown: extra"),
        (lambda body: body.update(version=1), "profile.version: is int, not str"),
        (lambda body: body.update(status="maybe"), "'maybe' is no Status"),
        (lambda body: body.update(source_date="yesterday"), "is no date"),
        (lambda body: body["parameters"]["hot_limit"].update(value="NaN"), "is no Decimal"),
        (lambda body: body["parameters"]["hot_limit"].update(value="5e-2"), "is no Decimal"),
        (lambda body: body["parameters"]["hot_limit"].update(value=0.05), "is float, not str"),
        (lambda body: body["declared"].update(net_assets="gold"), "is no Kind"),
        (lambda body: body["rules"][0].update(condition={"eval": "1"}), "neither expr nor predicate"),
        (lambda body: body.update(rules={}), "is dict, not list"),
    ],
)
def test_json_that_no_profile_wrote_is_refused_with_its_place(change: Any, words: str) -> None:
    body = deepcopy(to_json(read_profile("jp-psa-2020")))
    change(body)
    with pytest.raises(ValueError, match=r"^profile") as caught:
        from_json(body)
    assert words in str(caught.value)


def test_a_condition_in_json_goes_through_the_grammar() -> None:
    body = to_json(read_profile("jp-psa-2020"))
    body["rules"][0]["condition"] = {"expr": "__import__('os') >= 1"}
    with pytest.raises(GrammarError):
        from_json(body)
