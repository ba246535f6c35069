from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.books import BooksError, Places, read_funds
from monitor.model import Tier
from monitor.reserve import Basis, Cause, Exchange, Exclusion, FundAsset, FundKind, Payee, Policy, Scope, Use
from monitor.reserve.insurance import eligible
from tests.unit.reserve.regimes import INSURANCE

AS_OF = datetime(2026, 11, 21, 15, tzinfo=UTC)
HEAD = "as_of: 2026-11-21T15:00:00Z\nfunds:\n"
EVERY_TERM: dict[str, Any] = {
    "insurer": "Example Marine",
    "rating": "AA",
    "affiliate": False,
    "aggregate_limit": "20",
    "aggregate_left": "15",
    "deductible": "0.5",
    "starts": "2026-04-01",
    "basis": "claims_made",
    "retroactive_date": "2020-04-01",
    "loss_payee": "trust",
    "scope": {"tiers": ["cold", "hot"], "wallets": ["btc-cold"], "custodians": ["self"]},
    "exclusions": ["insider", "third_party_custodian"],
    "document_sha256": "ab" * 32,
    "confirmed_on": "2026-11-20",
}


def book(folder: Path, *funds: dict[str, Any], **rest: Any) -> Path:
    path = folder / "funds.yaml"
    document = {"as_of": "2026-11-21T15:00:00Z", "funds": list(funds), **rest}
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def insurance(**terms: Any) -> dict[str, Any]:
    fund = {"name": "crime", "kind": "insurance", "currency": "JPY", "amount": "10", "expires": "2027-03-31"}
    return {**fund, "policy": {**EVERY_TERM, **terms}}


def test_a_book_of_the_first_version_reads_as_before_and_declares_nothing_more(tmp_path: Path, now: datetime) -> None:
    file = tmp_path / "funds.yaml"
    file.write_text(
        HEAD
        + "  - {name: a, kind: cash, currency: JPY, amount: '3000000000'}\n"
        + "  - {name: b, kind: insurance, currency: JPY, amount: '1.5', expires: 2027-03-31}\n"
    )
    found = read_funds(file, now)
    assert found.as_of == AS_OF
    assert found.assets == (FundAsset("a", FundKind.CASH, "JPY", Decimal(3_000_000_000)),)
    assert found.policies == (Policy("b", "JPY", Decimal("1.5"), expires=date(2027, 3, 31)),)
    assert found.uses == ()


def test_every_term_of_a_policy_is_read(tmp_path: Path, now: datetime) -> None:
    (found,) = read_funds(book(tmp_path, insurance()), now).policies
    assert found == Policy(
        name="crime",
        currency="JPY",
        limit=Decimal(10),
        insurer="Example Marine",
        rating="AA",
        affiliate=False,
        aggregate_limit=Decimal(20),
        aggregate_left=Decimal(15),
        deductible=Decimal("0.5"),
        starts=date(2026, 4, 1),
        expires=date(2027, 3, 31),
        basis=Basis.CLAIMS_MADE,
        retroactive_date=date(2020, 4, 1),
        loss_payee=Payee.TRUST,
        scope=Scope(frozenset({Tier.COLD, Tier.HOT}), frozenset({"btc-cold"}), frozenset({"self"})),
        exclusions=frozenset({Exclusion.INSIDER, Exclusion.THIRD_PARTY_CUSTODIAN}),
        document_sha256="ab" * 32,
        confirmed_on=date(2026, 11, 20),
    )


def test_no_exclusions_and_exclusions_not_declared_are_two_things(tmp_path: Path, now: datetime) -> None:
    (none,) = read_funds(book(tmp_path, insurance(exclusions=[])), now).policies
    (undeclared,) = read_funds(book(tmp_path, insurance(exclusions=None)), now).policies
    assert (none.exclusions, undeclared.exclusions) == (frozenset(), None)


def test_a_scope_of_all_restricts_nothing(tmp_path: Path, now: datetime) -> None:
    (found,) = read_funds(book(tmp_path, insurance(scope="all")), now).policies
    assert found.scope == Scope()


def test_an_expired_policy_is_a_true_statement(tmp_path: Path, now: datetime) -> None:
    fund = {**insurance(), "expires": "2026-11-01"}
    assert read_funds(book(tmp_path, fund), now).policies[0].expires == date(2026, 11, 1)


def test_bonds_bank_guarantees_and_uses_are_read(tmp_path: Path, now: datetime) -> None:
    common = {"currency": "JPY", "amount": "5", "segregated": True, "own_issued": False}
    bond = {"name": "JGB", "kind": "bond", **common, "government": True, "haircut": "0.02"}
    promise = {"name": "bank", "kind": "bank_guarantee", **common, "expires": "2027-03-31"}
    use = {"date": "2026-11-20", "amount": "1.5", "currency": "USD", "cause": "other", "approval_ref": "2026-17"}
    found = read_funds(
        book(tmp_path, bond, promise, uses=[use, {**use, "cause": "accident", "approval_ref": None}]), now
    )
    assert found.assets == (
        FundAsset("JGB", FundKind.BOND, "JPY", Decimal(5), True, False, True, Decimal("0.02")),
        FundAsset("bank", FundKind.BANK_GUARANTEE, "JPY", Decimal(5), True, False, expires=date(2027, 3, 31)),
    )
    day, amount = date(2026, 11, 20), Decimal("1.5")
    assert found.uses == (Use(day, amount, "USD", Cause.OTHER, "2026-17"), Use(day, amount, "USD", Cause.ACCIDENT, ""))


CASH: dict[str, Any] = {"name": "a", "kind": "cash", "currency": "JPY", "amount": "1"}
USE: dict[str, Any] = {"date": "2026-11-20", "amount": "1", "currency": "JPY", "cause": "accident"}


@pytest.mark.parametrize(
    ("funds", "key", "fragment"),
    [
        ([{**CASH, "amount": "0"}], "funds[0].amount", "more than zero"),
        ([{**CASH, "amount": 1}], "funds[0].amount", "put it in quotes"),
        ([{**CASH, "amount": "1e9"}], "funds[0].amount", "plain decimal"),
        ([{**CASH, "currency": "yen"}], "funds[0].currency", "three capital letters"),
        ([{**CASH, "kind": "gold"}], "funds[0].kind", "'insurance'"),
        ([{**CASH, "policy": {}}], "funds[0].policy", "belongs to insurance"),
        ([{**CASH, "government": True}], "funds[0].government", "belongs to bond"),
        ([{**CASH, "haircut": "0.1"}], "funds[0].haircut", "belongs to bond"),
        ([{**CASH, "kind": "bond", "haircut": "1.1"}], "funds[0].haircut", "share from 0 to 1"),
        ([{**CASH, "kind": "bond", "haircut": "-0.1"}], "funds[0].haircut", "share from 0 to 1"),
        ([{**CASH, "segregated": "yes"}], "funds[0].segregated", "write true or false"),
        ([CASH, CASH], "funds[1].name", "a is also funds[0]"),
        ([{**insurance(), "segregated": True}], "funds[0].segregated", "remove it, or correct kind"),
        ([insurance(deductible="-1")], "funds[0].policy.deductible", "zero or more"),
        ([insurance(aggregate_left="20.01")], "funds[0].policy.aggregate_left", "more than the aggregate limit"),
        ([insurance(starts="2027-04-01")], "funds[0].policy.starts", "after the last day"),
        ([insurance(basis="occurrence")], "funds[0].policy.retroactive_date", "basis: claims_made"),
        ([insurance(exclusions=["war"])], "funds[0].policy.exclusions[0]", "'state_actor'"),
        ([insurance(document_sha256="AB" * 32)], "funds[0].policy.document_sha256", "lower case"),
        ([insurance(confirmed_on="2026-11-24")], "funds[0].policy.confirmed_on", "in the future"),
        ([insurance(confirmed_on="2026-11-31")], "funds[0].policy.confirmed_on", "no date"),
        ([insurance(loss_payee="lender")], "funds[0].policy.loss_payee", "'customers'"),
        ([insurance(scope={})], "funds[0].policy.scope", "is no scope"),
        ([insurance(scope="everything")], "funds[0].policy.scope", "write all"),
        ([insurance(scope={"tiers": None})], "funds[0].policy.scope", "write all"),
        ([insurance(scope={"regions": ["JP"]})], "funds[0].policy.scope.regions", "unknown key"),
        ([insurance(scope={"tiers": ["frozen"]})], "funds[0].policy.scope.tiers[0]", "'cold'"),
        ([insurance(scope={"wallets": ["btc-cold", "btc-old"]})], "funds[0].policy.scope.wallets[1]", "no wallet"),
        ([insurance(scope={"custodians": ["Trust"]})], "funds[0].policy.scope.custodians[0]", "no custodian"),
        ([insurance(insuror="x")], "funds[0].policy.insuror", "did you mean insurer?"),
    ],
)
def test_a_fund_that_cannot_be_meant_is_a_mistake_at_its_key(
    tmp_path: Path, now: datetime, funds: list[dict[str, Any]], key: str, fragment: str
) -> None:
    with pytest.raises(BooksError) as caught:
        read_funds(book(tmp_path, *funds), now, Places({"btc-cold"}, {"self"}))
    found = {mistake.key: mistake.message for mistake in caught.value.mistakes}
    assert fragment in found[key]
    assert len(found) == 1, found


@pytest.mark.parametrize(
    ("use", "key", "fragment"),
    [
        ({**USE, "date": "2026-11-24"}, "uses[0].date", "in the future"),
        ({**USE, "amount": "0"}, "uses[0].amount", "more than zero"),
        ({**USE, "cause": "theft"}, "uses[0].cause", "'external_outflow'"),
        ({**USE, "currency": None}, "uses[0].currency", "an empty value"),
    ],
)
def test_a_use_that_cannot_be_meant_is_a_mistake_at_its_key(
    tmp_path: Path, now: datetime, use: dict[str, Any], key: str, fragment: str
) -> None:
    with pytest.raises(BooksError) as caught:
        read_funds(book(tmp_path, CASH, uses=[use]), now)
    (mistake,) = caught.value.mistakes
    assert mistake.key == key
    assert fragment in mistake.message


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "configuration"),
        ("as_of: 2026-11-21T15:00:00Z\n", "funds"),
        ("as_of: 2027-11-21T15:00:00Z\nfunds: []\n", "as_of"),
        ("as_of: yesterday\nfunds: []\n", "as_of"),
        (HEAD + "  - &a {name: a, kind: cash, currency: JPY, amount: '1', name: b}\n", "funds[0].name"),
    ],
)
def test_a_book_with_a_mistake_is_refused_whole(tmp_path: Path, now: datetime, text: str, key: str) -> None:
    file = tmp_path / "funds.yaml"
    file.write_text(text)
    with pytest.raises(BooksError) as caught:
        read_funds(file, now)
    assert [mistake.key for mistake in caught.value.mistakes] == [key]


def test_there_are_at_most_a_hundred_policies(tmp_path: Path, now: datetime) -> None:
    policies = [{**insurance(), "name": f"policy {index}"} for index in range(101)]
    assert len(read_funds(book(tmp_path, *policies[:100]), now).policies) == 100
    with pytest.raises(BooksError, match="more than 100 policies"):
        read_funds(book(tmp_path, *policies), now)


def test_a_mistake_names_its_line(tmp_path: Path, now: datetime) -> None:
    file = tmp_path / "funds.yaml"
    file.write_text(HEAD + "  - name: a\n    kind: cash\n    currency: JPY\n    amount: '-1'\n")
    with pytest.raises(BooksError, match=r"funds\.yaml:6: funds\[0\]\.amount: '-1' must be more than zero"):
        read_funds(file, now)


VALUES = st.sampled_from(["", "0", "1", "-1", "1.5", "all", "AA", "9999-12-31", "0001-01-01", "self", "９", "1" * 121])
ANYTHING = VALUES | st.integers() | st.booleans() | st.none() | st.lists(VALUES, max_size=2)
KEYS = st.sampled_from(["name", "kind", "currency", "amount", "expires", "segregated", "haircut", "policy", "uses"])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEYS, ANYTHING, max_size=3), st.dictionaries(st.sampled_from(sorted(EVERY_TERM)), ANYTHING))
def test_any_value_at_any_key_gives_a_book_that_can_be_judged_or_mistakes(
    tmp_path: Path, now: datetime, changes: dict[str, Any], terms: dict[str, Any]
) -> None:
    fund = {**insurance(**terms), **changes}
    try:
        found = read_funds(book(tmp_path, fund), now)
    except BooksError:
        return
    exchange = Exchange("JPY", {})
    counted = eligible(found.policies, (), INSURANCE, exchange, now.date())
    assert all(each.amount == 0 or each.reasons == () for each in counted)
    assert len(found.assets) + len(counted) == 1
