"""The verdict: a function of its inputs, to JSON and back, with an unknown never shown as fine."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.core.amounts import parse_units
from monitor.assess import BadInputs, Inputs, ResidualLine, canonical_bytes, digest, from_json, outcomes, verdict
from monitor.assess.inputs import Stated, Transit
from monitor.ledger.encode import canonical
from monitor.model import Direction, Outcome, Owner, Tier
from tests.unit.assess.sample import DECIMALS, NOW, inputs

HELD = {"cold": {"BTC": "1.5"}, "house": {"BTC": "9"}}


def checks_of(made: Inputs, profile: str = "baseline") -> dict[tuple[str, str | None], str]:
    return {(c["id"], c["asset"]): c["verdict"] for c in verdict(made)["checks"] if c["profile"] == profile}


def test_a_verdict_is_the_same_from_its_inputs_and_from_their_json() -> None:
    made = inputs(HELD, {"BTC": "1"}, {"BTC": "15000000"}, ("jp-psa-2020", "kr-vaupa"))
    again = from_json(canonical_bytes(made).decode())
    assert again == made
    assert canonical(verdict(again)) == canonical(verdict(made))


def test_the_hash_of_a_verdict_is_over_everything_else_in_it() -> None:
    body = verdict(inputs(HELD, {"BTC": "1"}))
    assert body["hash"] == digest(body)
    assert digest({**body, "open_cases": 1}) != body["hash"]


def test_only_customer_wallets_count_as_held() -> None:
    (position,) = (p for p in verdict(inputs(HELD, {"BTC": "1"}))["positions"] if p["asset"] == "BTC")
    assert (position["held"], position["owed"], position["coverage"]) == ("1.50000000", "1.00000000", "1.500000000000")


def test_a_chain_that_was_not_read_makes_its_assets_unknown_and_says_why() -> None:
    made = inputs(HELD, {"BTC": "1"})
    unread = replace(made, readings=(replace(made.readings[0], lines=None, reason="refused"),))
    body = verdict(unread)
    assert {p["held"] for p in body["positions"]} == {None}
    assert checks_of(unread)["coverage", "BTC"] == "UNVERIFIED"
    assert any("c: refused" in c["basis"] for c in body["checks"])


def test_a_statement_counts_as_held_and_never_as_verified() -> None:
    made = inputs({}, {"XRP": "5"})
    stated = Stated("Trustee", "XRP", parse_units("7", 6), NOW - timedelta(days=1), Owner.CUSTOMER, Tier.COLD)
    with_it = replace(made, books=replace(made.books, statements=(stated,)))
    assert checks_of(made)["coverage", "XRP"] == "BREACH"
    assert checks_of(with_it)["coverage", "XRP"] == "UNVERIFIED"
    (position,) = (p for p in verdict(with_it)["positions"] if p["asset"] == "XRP")
    assert (position["held"], position["stated"], position["verified_ratio"]) == (
        "7.000000",
        "7.000000",
        "0.000000000000",
    )


@pytest.mark.parametrize("days", [-1, 41])
def test_a_statement_that_is_too_old_or_of_a_later_day_makes_the_asset_unknown(days: int) -> None:
    made = inputs({"cold": {"XRP": "9"}}, {"XRP": "5"})
    stated = Stated("Trustee", "XRP", 1, NOW - timedelta(days=days), Owner.CUSTOMER, Tier.COLD)
    odd = replace(made, books=replace(made.books, statements=(stated,)))
    assert checks_of(odd)["coverage", "XRP"] == "UNVERIFIED"
    assert {p["held"] for p in verdict(odd)["positions"] if p["asset"] == "XRP"} == {None}


def test_statements_that_cannot_be_used_leave_no_asset_known() -> None:
    made = inputs({"cold": {"BTC": "9"}}, {"BTC": "5"})
    broken = replace(made, books=replace(made.books, statements=None, statements_reason="line 3 is bad"))
    assert checks_of(broken)["coverage", "BTC"] == "UNVERIFIED"
    assert any("line 3 is bad" in c["basis"] for c in verdict(broken)["checks"])


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_what_left_above_the_block_is_taken_off_and_what_was_credited_is_added(out: int, into: int) -> None:
    moved = tuple(
        Transit("c", f"tx{way}", "hot", "BTC", units, way, "approved", NOW)
        for way, units in ((Direction.OUT, out), (Direction.IN, into))
    )
    body = verdict(inputs(HELD, {"BTC": "1"}, transit=moved))
    (position,) = (p for p in body["positions"] if p["asset"] == "BTC")
    assert parse_units(position["in_transit"], DECIMALS["BTC"]) == into - out
    covered = 150_000_000 + into - out >= 100_000_000
    assert checks_of(inputs(HELD, {"BTC": "1"}, transit=moved))["coverage", "BTC"] == ("PASS" if covered else "BREACH")
    assert [item["txid"] for item in body["in_transit"]] == ["txout", "txin"]


def test_residuals_stand_in_the_verdict_and_breach_the_built_in_profile() -> None:
    made = inputs(
        HELD, {"BTC": "1"}, residuals=(ResidualLine("c", "hot", "addr", "BTC", -1, 7),), open_residual_cases=1
    )
    body = verdict(made)
    assert body["residuals"] == [
        {"chain": "c", "wallet": "hot", "account": "addr", "asset": "BTC", "amount": "-0.00000001", "height": 7}
    ]
    assert checks_of(made)["residual", None] == "BREACH"
    assert Outcome.BREACH in outcomes(body)


def test_since_when_a_check_is_breached_is_kept_until_it_passes() -> None:
    first = verdict(inputs({}, {"BTC": "1"}))
    since = {f"{c['profile']} {c['id']} {c['asset']}": c["breached_since"] for c in first["checks"] if c["asset"]}
    assert since["baseline coverage BTC"] == "2026-11-20T06:00:00Z"
    later = inputs({}, {"BTC": "1"}, since=since, at=NOW + timedelta(hours=2))
    assert _since(verdict(later)) == "2026-11-20T06:00:00Z"
    cured = inputs(HELD, {"BTC": "1"}, since=since, at=NOW + timedelta(hours=2))
    assert _since(verdict(cured)) is None


def _since(body: dict[str, object]) -> object:
    checks: list[dict[str, object]] = body["checks"]  # type: ignore[assignment]
    return next(c["breached_since"] for c in checks if (c["id"], c["asset"]) == ("coverage", "BTC"))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_hostile_inputs_are_refused_and_never_a_verdict(raw: bytes) -> None:
    with pytest.raises(BadInputs):
        from_json(raw.decode("utf-8", "replace"))


@pytest.mark.parametrize(
    ("was", "instead"),
    [
        ('"units":"150000000"', '"units":"0x10"'),
        ('"units":"150000000"', '"units":1.5'),
        ('"kind":', '"more":1,"kind":'),
    ],
)
def test_one_value_of_another_form_is_named(was: str, instead: str) -> None:
    text = canonical_bytes(inputs(HELD, {"BTC": "1"})).decode()
    assert was in text
    with pytest.raises(BadInputs, match=r"units|more"):
        from_json(text.replace(was, instead, 1))
