"""From judgements to cases: which, how many, how urgent, and what happens to them later."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from chains.core.values import BlockRef, Transaction, TransactionKind
from monitor import detect
from monitor.detect import Grace, Scene, cases_of_block
from monitor.ledger.encode import case_from_json, case_to_json
from monitor.model import (
    Approval,
    Attribution,
    Case,
    CaseState,
    Destination,
    Direction,
    Flow,
    Judgement,
    Notice,
    Owner,
    Part,
    Price,
    Reason,
    Sighting,
    Tier,
    Wallet,
    case_id,
)

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
BLOCK = BlockRef("eth", 101, "h101", "h100", 1_700_000_000)
HOT = Wallet("hot", "eth", Tier.HOT, Owner.CUSTOMER, "self", 0)
COLD = Wallet("cold", "eth", Tier.COLD, Owner.CUSTOMER, "self", 1)
APPROVAL = Approval("w-1", "eth", "ETH", 5, "0xa", None, None, None, NOW, None, None, None, "")
SCENE = Scene(
    block=BLOCK,
    native="ETH",
    now=NOW,
    looked_before=None,
    noticed=NOW - timedelta(milliseconds=250),
    wallets={"hot": HOT, "cold": COLD},
    balances={("hot", "ETH"): 1000, ("cold", "ETH"): 1000, ("hot", "USDT"): 1000},
    waiting={},
    existing={},
    known=dict.fromkeys(Tier, frozenset()),
    grace=Grace(timedelta(0), timedelta(seconds=120), Fraction(1)),
    decimals={"ETH": 18, "USDT": 6, "JPX": 0},
    prices={},
    blind=False,
    source="claimed by one endpoint",
)


def part(
    units: int,
    *,
    wallet: str = "hot",
    asset: str = "ETH",
    kind: Part = Part.DESTINATION,
    to: str = "0xa",
    reason: Reason = Reason.UNEXPLAINED,
    note: str = "",
) -> Attribution:
    direction = Direction.IN if kind in (Part.RECEIPT, Part.CHANGE) else Direction.OUT
    return Attribution(Flow("t", 0, wallet, asset, kind, direction, to, "", 0, units), reason, "", note)


def judged(*parts: Attribution, cold: tuple[str, ...] = (), foreign: int = 0, txid: str = "t") -> Judgement:
    item = Transaction(txid, 0, TransactionKind.TRANSACTION, (), (), foreign_inputs=foreign)
    return Judgement(item, Sighting(NOW, NOW), parts, {}, cold)


def found(judgement: Judgement, scene: Scene = SCENE) -> list[Case]:
    return list(cases_of_block([judgement], scene))


def one(judgement: Judgement, scene: Scene = SCENE) -> Case:
    (case,) = found(judgement, scene)
    return case


def waited(**changes: object) -> Case:
    return replace(
        one(judged(part(9, to="0xa"), part(4, to="0xb")), replace(SCENE, balances={("hot", "ETH"): 10**9})), **changes
    )


@pytest.mark.parametrize("reason", [r for r in Reason if r is not Reason.UNEXPLAINED])
def test_what_is_explained_opens_no_case(reason: Reason) -> None:
    assert found(judged(part(500, reason=reason))) == []


def test_a_fee_alone_opens_no_case() -> None:
    assert found(judged(part(500, kind=Part.FEE, reason=Reason.FEE))) == []
    assert found(judged(part(500, kind=Part.FEE))) == []


def test_one_case_a_transaction_wallet_and_asset() -> None:
    cases = found(
        judged(
            part(1, kind=Part.FEE),
            part(600),
            part(70, to="0xb"),
            part(9, asset="USDT"),
            part(700, wallet="cold"),
        )
    )
    assert sorted((c.wallet, c.asset, c.units, c.fee_units) for c in cases) == [
        ("cold", "ETH", 700, 0),
        ("hot", "ETH", 670, 1),
        ("hot", "USDT", 9, 0),
    ]
    assert {c.id for c in cases} == {
        case_id("eth", "t", w, a) for w, a in (("cold", "ETH"), ("hot", "ETH"), ("hot", "USDT"))
    }


def test_the_fee_stands_in_the_first_case_where_the_native_asset_has_none() -> None:
    (case,) = found(judged(part(3, kind=Part.FEE), part(900, asset="USDT"), part(5, reason=Reason.APPROVED)))
    assert (case.asset, case.units, case.fee_asset, case.fee_units) == ("USDT", 900, "ETH", 3)


def test_the_fee_stands_in_the_case_of_the_native_asset_wherever_it_comes() -> None:
    cases = found(judged(part(3, kind=Part.FEE), part(900, asset="USDT"), part(500)))
    assert {case.asset: case.fee_units for case in cases} == {"ETH": 3, "USDT": 0}


def test_a_case_names_the_destinations_of_its_own_wallet_and_asset_only() -> None:
    parts = (part(3, kind=Part.FEE), part(900, asset="USDT", to="0xt"), part(500), part(7, wallet="cold", to="0xc"))
    named = {(c.wallet, c.asset): [(d.address, d.units) for d in c.destinations] for c in found(judged(*parts))}
    assert named == {("hot", "ETH"): [("0xa", 500)], ("hot", "USDT"): [("0xt", 900)], ("cold", "ETH"): [("0xc", 7)]}


def test_the_fee_of_two_tokens_stands_in_one_case() -> None:
    scene = replace(SCENE, decimals={**SCENE.decimals, "DAI": 18})
    cases = found(judged(part(3, kind=Part.FEE), part(900, asset="USDT"), part(900, asset="DAI")), scene)
    assert sum(case.fee_units or 0 for case in cases) == 3


def test_a_cold_signature_over_nothing_is_a_case_of_amount_zero_in_the_native_asset() -> None:
    case = one(judged(part(3, wallet="cold", kind=Part.FEE), cold=("cold",)))
    assert (case.rule, case.rules, case.asset, case.units, case.fee_units) == (
        "cold_without_approval",
        ("cold_without_approval",),
        "ETH",
        0,
        3,
    )


def test_a_cold_signature_opens_no_second_case_beside_what_it_moved() -> None:
    case = one(judged(part(30, wallet="cold", asset="USDT"), cold=("cold",)), replace(SCENE, balances={}))
    assert (case.asset, case.rule, case.rules) == (
        "USDT",
        "unexplained_outflow",
        ("unexplained_outflow", "cold_without_approval"),
    )


def test_cold_to_own_is_about_the_missing_approval_only() -> None:
    case = one(judged(part(30, wallet="cold", kind=Part.OWN), cold=("cold",)))
    assert case.rules == ("cold_without_approval",)
    unsigned = one(judged(part(30, wallet="cold", kind=Part.OWN)))
    assert unsigned.rules == ("cold_without_approval",)


def test_cold_without_a_signature_of_ours_is_an_unexplained_outflow_alone() -> None:
    assert one(judged(part(30, wallet="cold"))).rules == ("unexplained_outflow",)


def test_foreign_inputs_open_a_case_at_once_whatever_is_explained() -> None:
    case = one(judged(part(1, reason=Reason.APPROVED), foreign=2))
    assert (case.units, case.state, case.rule, case.evidence["foreign_inputs"]) == (
        0,
        CaseState.OPEN,
        "unexplained_outflow",
        2,
    )
    assert [d.address for d in case.destinations] == ["0xa"]
    assert found(judged(part(1, kind=Part.RECEIPT, reason=Reason.DEPOSIT), foreign=2)) == []
    assert one(judged(part(1, kind=Part.CHANGE, reason=Reason.CHANGE), foreign=2)).units == 0


@pytest.mark.parametrize(("units", "state"), [(9, CaseState.PENDING), (10, CaseState.OPEN), (1000, CaseState.OPEN)])
def test_only_less_than_one_percent_of_the_wallet_may_wait(units: int, state: CaseState) -> None:
    case = one(judged(part(units)))
    assert case.state is state
    assert case.due_at == (NOW + timedelta(seconds=120) if state is CaseState.PENDING else None)
    assert case.history[0].action == ("pending" if state is CaseState.PENDING else "opened")


def test_a_fraction_of_a_percent_is_exact() -> None:
    scene = replace(SCENE, grace=replace(SCENE.grace, up_to_percent=Fraction(1, 3)))
    assert one(judged(part(3)), scene).state is CaseState.PENDING
    assert one(judged(part(4)), scene).state is CaseState.OPEN


def test_what_already_waits_counts_too_and_so_does_the_same_block() -> None:
    assert one(judged(part(5)), replace(SCENE, waiting={("hot", "ETH"): 5})).state is CaseState.OPEN
    assert one(judged(part(5)), replace(SCENE, waiting={("hot", "USDT"): 5})).state is CaseState.PENDING
    cases = cases_of_block([judged(part(5), txid="t1"), judged(part(5), txid="t2")], SCENE)
    assert [case.state for case in cases] == [CaseState.PENDING, CaseState.OPEN]


def test_nothing_waits_without_a_grace_period() -> None:
    assert (
        one(judged(part(1)), replace(SCENE, grace=Grace(timedelta(0), timedelta(0), Fraction(100)))).state
        is CaseState.OPEN
    )


def test_cold_waits_only_for_its_own_grace_period() -> None:
    assert one(judged(part(1, wallet="cold"))).state is CaseState.OPEN
    patient = replace(SCENE, grace=Grace(timedelta(seconds=60), timedelta(0), Fraction(1)))
    assert one(judged(part(1, wallet="cold")), patient).due_at == NOW + timedelta(seconds=60)


def test_an_empty_or_unknown_wallet_lets_nothing_wait() -> None:
    assert one(judged(part(1)), replace(SCENE, balances={})).state is CaseState.OPEN


def test_while_the_feed_is_blind_hot_waits_whatever_the_amount_and_cold_does_not() -> None:
    blind = replace(SCENE, blind=True)
    assert one(judged(part(1000)), blind).state is CaseState.PENDING
    assert one(judged(part(1, wallet="cold")), blind).state is CaseState.OPEN
    assert one(judged(part(1), foreign=1), blind).state is CaseState.OPEN


def test_a_case_says_what_a_person_needs() -> None:
    scene = replace(
        SCENE,
        known={**SCENE.known, Tier.HOT: frozenset({"0xb"})},
        prices={"ETH": Price("ETH", "JPY", "400000.5", NOW)},
        unseen=("internal transfers are not traced",),
        looked_before=None,
        noticed=NOW + timedelta(seconds=5),
    )
    judgement = judged(part(10**18, note="w-9: was valid until"), part(5, to="0xb"), part(2, to="0xb"))
    failed = replace(judgement.transaction, succeeded=False, parties={"to": "0xc"})
    case = one(replace(judgement, transaction=failed), scene)
    assert case.destinations == (Destination("0xa", 10**18, known=False), Destination("0xb", 7, known=True))
    assert case.value == {"amount": "400000.50", "currency": "JPY", "price_as_of": "2026-11-24T10:00:00Z"}
    assert case.detected_after_ms == 0
    assert (case.txid, case.block, case.seen_at, case.tier) == ("t", BLOCK, "seen", Tier.HOT)
    assert case.evidence == {
        "source": "claimed by one endpoint",
        "seen_between": ["2026-11-24T10:00:00Z", "2026-11-24T10:00:00Z"],
        "near_approvals": ["w-9: was valid until"],
        "blind_before_seconds": None,
        "reverted": True,
        "transaction": {"to": "0xc"},
        "not_enumerated": ["internal transfers are not traced"],
    }
    assert one(judged(part(10))).detected_after_ms == 250


@pytest.mark.parametrize(
    ("units", "price", "amount"),
    [
        (5, "0.001", "0.00"),
        (15, "0.001", "0.02"),
        (25, "0.001", "0.02"),
        (10**77, "123456789.123456789", f"{123456789123456789 * 10**68}.00"),
    ],
)
def test_the_value_is_exact_and_rounded_half_to_even_at_the_cent(units: int, price: str, amount: str) -> None:
    found_value = detect.value_of("JPX", units, {"JPX": Price("JPX", "JPY", price, NOW)}, SCENE.decimals)
    assert found_value is not None
    assert found_value["amount"] == amount


def test_without_a_price_there_is_no_value() -> None:
    assert detect.value_of("ETH", 1, {}, SCENE.decimals) is None


def test_all_ids_that_a_block_could_open_are_looked_up_beforehand() -> None:
    for judgement in (
        judged(part(1), part(2, asset="USDT"), part(3, wallet="cold")),
        judged(part(1, wallet="cold", kind=Part.FEE), cold=("cold",)),
        judged(part(1, kind=Part.CHANGE, reason=Reason.CHANGE), foreign=1),
    ):
        ids = detect.subject_ids([judgement], "eth", "ETH")
        assert {case.id for case in found(judgement)} <= set(ids)


AGAIN = replace(SCENE, block=replace(BLOCK, height=102, hash="h102b"), now=NOW + timedelta(seconds=30))


def again(case: Case, *, explained: bool) -> Case:
    gone = detect.reorged_out([case], NOW, replace(BLOCK, height=100))[0]
    judgement = judged(part(9, reason=Reason.APPROVED)) if explained else judged(part(9))
    return one(judgement, replace(AGAIN, existing={case.id: gone}))


@pytest.mark.parametrize("state", list(CaseState))
@pytest.mark.parametrize("explained", [True, False])
def test_a_transaction_that_is_mined_again_has_the_same_case(state: CaseState, explained: bool) -> None:
    case = waited(state=state)
    if state is CaseState.CLOSED:
        case = detect.acted(replace(case, state=CaseState.OPEN), "close", "tanaka", "settled", NOW)
    seen = again(case, explained=explained)
    assert (seen.id, seen.block, seen.reorged_out) == (case.id, AGAIN.block, False)
    assert "mined again" in [event.action for event in seen.history]
    closes = explained and state is CaseState.PENDING
    assert seen.state is (CaseState.CLOSED if closes else state)
    assert (seen.history[-1].action == "approved") is closes


def test_a_case_that_an_approval_closed_opens_where_nothing_approves_it_when_it_is_mined_again() -> None:
    case = detect.approved(waited(), APPROVAL, 13, wholly=True, now=NOW)
    assert again(case, explained=True).state is CaseState.CLOSED
    opened = again(case, explained=False)
    assert (opened.state, opened.history[-1].action) == (CaseState.OPEN, "opened")


def test_reorganised_away_is_said_once() -> None:
    case = waited()
    (gone,) = detect.reorged_out([case], NOW, BLOCK)
    assert (gone.reorged_out, gone.state, gone.history[-1].action) == (True, case.state, "reorged out")
    assert detect.reorged_out([gone], NOW, BLOCK) == ()


def test_a_pending_case_that_is_due_opens() -> None:
    (opened,) = detect.due([waited()], NOW)
    assert (opened.state, opened.history[-1].action) == (CaseState.OPEN, "opened")


def test_an_approval_in_time_closes_a_pending_case_or_leaves_it_about_the_rest() -> None:
    case = waited()
    assert [d.units for d in case.destinations] == [9, 4]
    closed = detect.approved(case, APPROVAL, 13, wholly=True, now=NOW)
    assert (closed.state, closed.units, closed.rules) == (CaseState.CLOSED, 13, case.rules)
    rest = detect.approved(case, APPROVAL, 9, wholly=False, now=NOW)
    assert (rest.state, rest.units, rest.destinations) == (
        CaseState.PENDING,
        4,
        (Destination("0xb", 4, known=False),),
    )
    fewer = detect.approved(case, APPROVAL, 5, wholly=False, now=NOW)
    assert [d.units for d in fewer.destinations] == [4, 4]


@pytest.mark.parametrize("state", [CaseState.OPEN, CaseState.ACKNOWLEDGED])
def test_an_approval_after_a_case_was_opened_is_noted_and_closes_nothing(state: CaseState) -> None:
    case = waited(state=state)
    late = detect.approved(case, APPROVAL, 13, wholly=True, now=NOW)
    twice = detect.approved(late, APPROVAL, 13, wholly=True, now=NOW)
    assert (late.state, late.units, late.rules) == (state, 13, ("unexplained_outflow", "late_approval"))
    assert twice.rules == late.rules
    assert twice.rule == "unexplained_outflow"


@pytest.mark.parametrize(
    ("state", "action", "after"),
    [
        (CaseState.OPEN, "ack", CaseState.ACKNOWLEDGED),
        (CaseState.OPEN, "close", CaseState.CLOSED),
        (CaseState.ACKNOWLEDGED, "close", CaseState.CLOSED),
        (CaseState.PENDING, "close", CaseState.CLOSED),
    ],
)
def test_a_person_acts_with_name_and_reason(state: CaseState, action: str, after: CaseState) -> None:
    case = detect.acted(waited(state=state), action, "tanaka", "known", NOW)
    event = case.history[-1]
    assert (case.state, event.by, event.note) == (after, "tanaka", "known")


@pytest.mark.parametrize("state", [CaseState.OPEN, CaseState.ACKNOWLEDGED, CaseState.CLOSED])
def test_who_was_told_stands_in_the_history_and_changes_no_state(state: CaseState) -> None:
    notice = Notice("outflow", "FSA", "e-mail", "ab" * 32)
    case = detect.notified(waited(state=state), notice, "tanaka", "no. 17", NOW)
    event = case.history[-1]
    assert (case.state, event.action, event.by, event.notice) == (state, "notified", "tanaka", notice)
    assert case_from_json(case_to_json(case)) == case


def test_nobody_outside_is_told_of_what_may_still_be_explained() -> None:
    with pytest.raises(ValueError, match="pending"):
        detect.notified(waited(state=CaseState.PENDING), Notice("outflow", "FSA", "e-mail"), "tanaka", "", NOW)


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (CaseState.PENDING, "ack"),
        (CaseState.ACKNOWLEDGED, "ack"),
        (CaseState.CLOSED, "ack"),
        (CaseState.CLOSED, "close"),
    ],
)
def test_what_a_case_is_too_late_or_too_early_for_is_refused(state: CaseState, action: str) -> None:
    with pytest.raises(ValueError, match=f"is {state.value}: it cannot be {action}ed|is {state.value}"):
        detect.acted(waited(state=state), action, "tanaka", "", NOW)


def test_a_blind_feed_is_one_case_for_the_whole_time_with_what_is_unmatched() -> None:
    waiting = [waited(), waited(asset="USDT", units=2_500_000)]
    first = detect.blind(NOW, waiting, SCENE.decimals, NOW + timedelta(minutes=6))
    later = detect.blind(NOW, waiting[:1], SCENE.decimals, NOW + timedelta(minutes=9))
    other = detect.blind(NOW + timedelta(hours=1), [], SCENE.decimals, NOW + timedelta(hours=2))
    assert first.id == later.id != other.id
    assert first.evidence == {
        "outflows_waiting": 2,
        "unmatched": {"ETH": "0.000000000000000013", "USDT": "2.500000"},
    }
    assert (first.wallet, first.units, first.severity.value, first.state) == (None, None, "critical", CaseState.OPEN)


def test_a_case_says_for_how_long_its_chain_was_not_seen_before_rounded_up() -> None:
    for seconds, said in ((12.3, 13), (12, 12), (0, 0), (-5, 0)):
        looked = replace(SCENE, looked_before=SCENE.noticed - timedelta(seconds=seconds))
        assert one(judged(part(10)), looked).evidence["blind_before_seconds"] == said
