"""From judgements to cases: what a person must resolve. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

from chains.core.amounts import format_coins
from chains.core.values import BlockRef, Fault, Witness
from monitor.model import (
    Approval,
    Case,
    CaseState,
    CoinChange,
    Destination,
    Event,
    Judgement,
    Part,
    Price,
    Reason,
    Residual,
    Severity,
    Tier,
    Wallet,
    case_id,
    deep_reorg_id,
    rfc3339,
)

SYSTEM = "porwatch"
_CLAIMED = "claimed by one endpoint"


@dataclass(frozen=True, slots=True)
class Grace:
    """How long an outflow below ``up_to_percent`` of its wallet may wait for its approval."""

    cold: timedelta
    hot: timedelta
    up_to_percent: Fraction


@dataclass(frozen=True, slots=True)
class Scene:
    """What the cases of one block are judged against.

    ``wallets`` by name; ``balances`` and ``waiting`` (already pending) in units by (wallet, asset)
    before the block; ``known``: destinations that policy.allow lists, by tier; ``prices`` by asset;
    ``blind``: the approval feed is stale, so hot outflows wait for it instead of paging one by one.
    """

    block: BlockRef
    native: str
    now: datetime
    noticed: datetime
    wallets: Mapping[str, Wallet]
    balances: Mapping[tuple[str, str], int]
    waiting: Mapping[tuple[str, str], int]
    existing: Mapping[str, Case]
    known: Mapping[Tier, frozenset[str]]
    grace: Grace
    decimals: Mapping[str, int]
    prices: Mapping[str, Price]
    blind: bool
    unseen: tuple[str, ...] = ()


def cases_of_block(judgements: Iterable[Judgement], scene: Scene) -> tuple[Case, ...]:
    """Cases opened or seen again by a block, one per transaction, wallet and asset."""
    found: list[Case] = []
    waiting = dict(scene.waiting)
    for judgement in judgements:
        chain, txid = scene.block.chain, judgement.transaction.txid
        subjects = {case_id(chain, txid, *pair): pair for pair in _subjects(judgement, scene)}
        for key in subject_ids([judgement], chain, scene.native):
            known = scene.existing.get(key)
            if known is not None:
                found.append(_seen_again(known, scene, explained=key not in subjects))
            elif key in subjects:
                wallet, asset = subjects[key]
                found.append(_case(judgement, scene.wallets[wallet], asset, scene, waiting))
    return tuple(found)


def subject_ids(judgements: Iterable[Judgement], chain: str, native: str) -> tuple[str, ...]:
    """Ids of all cases that these judgements could open, to be looked up beforehand."""
    ids: list[str] = []
    for judgement in judgements:
        pairs = {(a.flow.wallet, a.flow.asset) for a in judgement.attributions}
        pairs |= {(name, native) for name in judgement.cold_unapproved}
        ids.extend(case_id(chain, judgement.transaction.txid, wallet, asset) for wallet, asset in sorted(pairs))
    return tuple(ids)


def _subjects(judgement: Judgement, scene: Scene) -> list[tuple[str, str]]:
    """The (wallet, asset) pairs of a transaction that need a case, the fee aside."""
    pairs = dict.fromkeys(
        (a.flow.wallet, a.flow.asset)
        for a in judgement.attributions
        if a.reason is Reason.UNEXPLAINED and a.flow.part is not Part.FEE
    )
    if judgement.transaction.foreign_inputs:
        payers = {a.flow.wallet for a in judgement.attributions if a.flow.part is not Part.RECEIPT}
        pairs.update(dict.fromkeys((name, scene.native) for name in sorted(payers)))
    moved = {wallet for wallet, _ in pairs}
    pairs.update(dict.fromkeys((name, scene.native) for name in judgement.cold_unapproved if name not in moved))
    return list(pairs)


def _case(judgement: Judgement, wallet: Wallet, asset: str, scene: Scene, waiting: dict[tuple[str, str], int]) -> Case:
    transaction = judgement.transaction
    lost = [
        a
        for a in judgement.attributions
        if a.flow.wallet == wallet.name
        and a.flow.asset == asset
        and a.reason is Reason.UNEXPLAINED
        and a.flow.part is not Part.FEE
    ]
    units = sum(a.flow.units for a in lost)
    outside = any(a.flow.part is Part.DESTINATION for a in lost) or transaction.foreign_inputs > 0
    rules = []
    if outside:
        rules.append("unexplained_outflow")
    if wallet.name in judgement.cold_unapproved or (wallet.tier is Tier.COLD and not outside):
        rules.append("cold_without_approval")
    due = _due(wallet, asset, units, transaction.foreign_inputs, scene, waiting)
    return Case(
        id=case_id(scene.block.chain, transaction.txid, wallet.name, asset),
        rule=rules[0],
        rules=tuple(rules),
        severity=Severity.CRITICAL,
        state=CaseState.OPEN if due is None else CaseState.PENDING,
        opened_at=scene.now,
        chain=scene.block.chain,
        wallet=wallet.name,
        tier=wallet.tier,
        asset=asset,
        units=units,
        fee_asset=scene.native,
        fee_units=_fee(judgement, wallet.name, asset, scene.native),
        destinations=_destinations(judgement, wallet.name, asset, scene.known[wallet.tier]),
        txid=transaction.txid or None,
        block=scene.block,
        seen_at="seen",
        due_at=due,
        detected_after_ms=max(0, round((scene.now - scene.noticed) / timedelta(milliseconds=1))),
        value=value_of(asset, units, scene.prices, scene.decimals),
        evidence=_evidence(judgement, scene),
        history=(Event(scene.now, "pending" if due is not None else "opened", SYSTEM, ""),),
    )


def _fee(judgement: Judgement, wallet: str, asset: str, native: str) -> int | None:
    """The fee stands in the native asset's case, or in the first one where the native asset has none."""
    paid = sum(a.flow.units for a in judgement.attributions if a.flow.wallet == wallet and a.flow.part is Part.FEE)
    assets = [
        a.flow.asset
        for a in judgement.attributions
        if a.flow.wallet == wallet and a.reason is Reason.UNEXPLAINED and a.flow.part is not Part.FEE
    ]
    carrier = native if native in assets or not assets else assets[0]
    return paid if asset == carrier else 0


def _destinations(judgement: Judgement, wallet: str, asset: str, known: frozenset[str]) -> tuple[Destination, ...]:
    sums: dict[str, int] = {}
    for a in judgement.attributions:
        flow = a.flow
        paid = flow.wallet == wallet and flow.asset == asset and flow.part in (Part.DESTINATION, Part.OWN)
        if paid and (a.reason is Reason.UNEXPLAINED or judgement.transaction.foreign_inputs):
            sums[flow.destination] = sums.get(flow.destination, 0) + flow.units
    return tuple(Destination(address, units, address in known) for address, units in sums.items())


def _due(
    wallet: Wallet,
    asset: str,
    units: int,
    foreign_inputs: int,
    scene: Scene,
    waiting: dict[tuple[str, str], int],
) -> datetime | None:
    """When a case that may wait comes due; None where it may not wait.

    What already waits counts too: many small outflows are no smaller than one large one.
    """
    if foreign_inputs:
        return None
    key = (wallet.name, asset)
    grace = scene.grace.cold if wallet.tier is Tier.COLD else scene.grace.hot
    if scene.blind and wallet.tier is not Tier.COLD:
        return scene.now + grace
    together = waiting.get(key, 0) + units
    small = together * 100 < scene.grace.up_to_percent * scene.balances.get(key, 0)
    if grace <= timedelta(0) or not small:
        return None
    waiting[key] = together
    return scene.now + grace


def _evidence(judgement: Judgement, scene: Scene) -> dict[str, object]:
    transaction = judgement.transaction
    notes = sorted({a.note for a in judgement.attributions if a.note})
    evidence: dict[str, object] = {
        "source": _CLAIMED,
        "seen_between": [rfc3339(judgement.sighting.earliest), rfc3339(judgement.sighting.latest)],
    }
    if notes:
        evidence["near_approvals"] = notes
    if transaction.foreign_inputs:
        evidence["foreign_inputs"] = transaction.foreign_inputs
    if not transaction.succeeded:
        evidence["reverted"] = True
    if transaction.parties:
        evidence["transaction"] = dict(transaction.parties)
    if scene.unseen:
        evidence["not_enumerated"] = list(scene.unseen)
    return evidence


def _seen_again(case: Case, scene: Scene, *, explained: bool) -> Case:
    """The same transaction in another block: the case stays what it is, and says where it is now.

    Unless approvals changed meanwhile: a pending case that is explained now is closed, and one that
    an approval (no person) had closed is opened where it is explained no more.
    """
    if case.evidence.get("unconfirmed"):
        evidence = {key: value for key, value in case.evidence.items() if key != "unconfirmed"} | {"source": _CLAIMED}
        event = Event(scene.now, "confirmed", SYSTEM, f"block {scene.block.height} {scene.block.hash}")
        return replace(case, block=scene.block, evidence=evidence, history=(*case.history, event))
    state = case.state
    events = [Event(scene.now, "mined again", SYSTEM, f"block {scene.block.height} {scene.block.hash}")]
    settled = any(event.action == "closed" for event in case.history)
    if explained and state is CaseState.PENDING:
        state = CaseState.CLOSED
        events.append(Event(scene.now, "approved", SYSTEM, "approved before it was mined again"))
    elif not explained and state is CaseState.CLOSED and not settled:
        state = CaseState.OPEN
        events.append(Event(scene.now, "opened", SYSTEM, "its approval does not explain it any more"))
    return replace(case, state=state, block=scene.block, reorged_out=False, history=(*case.history, *events))


def value_of(asset: str, units: int, prices: Mapping[str, Price], decimals: Mapping[str, int]) -> dict[str, str] | None:
    """Amount in the entity's currency to two decimals, half to even; None without a price."""
    price = prices.get(asset)
    if price is None:
        return None
    with localcontext() as context:
        context.prec = 250  # digits of the largest amount times the longest price: nothing is rounded but here
        amount = Decimal(format_coins(units, decimals[asset])) * Decimal(price.price)
        cents = amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)
    return {
        "amount": str(cents),
        "currency": price.currency,
        "price_as_of": rfc3339(price.as_of),
    }


def reorged_out(cases: Iterable[Case], now: datetime, fork: BlockRef) -> tuple[Case, ...]:
    """Cases whose transaction left the chain with its block: they stay as they are, and say so."""
    note = f"its block left the chain above {fork.height} {fork.hash}"
    return tuple(
        replace(case, reorged_out=True, history=(*case.history, Event(now, "reorged out", SYSTEM, note)))
        for case in cases
        if not case.reorged_out
    )


def due(cases: Iterable[Case], now: datetime) -> tuple[Case, ...]:
    """Pending cases whose grace period has ended, opened."""
    return tuple(
        replace(
            case,
            state=CaseState.OPEN,
            history=(*case.history, Event(now, "opened", SYSTEM, "no approval came within the grace period")),
        )
        for case in cases
    )


def approved(case: Case, approval: Approval, paid: int, *, wholly: bool, now: datetime) -> Case:
    """A case after an approval was found for one of its sinks, of which its wallet paid ``paid`` units.

    A pending case whose last sink is explained is closed, and goes on about the rest before that; an
    open one stays open, with the late approval noted: a person closes it.
    """
    if case.state is CaseState.PENDING:
        history = (*case.history, Event(now, "approved", SYSTEM, f"approval {approval.id}"))
        if wholly:
            return replace(case, state=CaseState.CLOSED, history=history)
        less = {approval.destination: paid}
        left = tuple(replace(d, units=u) for d in case.destinations if (u := d.units - less.get(d.address, 0)))
        return replace(case, units=(case.units or 0) - paid, destinations=left, history=history)
    event = Event(now, "late approval", SYSTEM, f"approval {approval.id} came after the case was opened")
    rules = case.rules if "late_approval" in case.rules else (*case.rules, "late_approval")
    return replace(case, rules=rules, history=(*case.history, event))


def altered_approval(approval_id: str, source: str, why: str, now: datetime) -> Case:
    """The same approval id with other content: someone changed what the books allow."""
    return Case(
        id=case_id("altered_approval", approval_id),
        rule="altered_approval",
        rules=("altered_approval",),
        severity=Severity.CRITICAL,
        state=CaseState.OPEN,
        opened_at=now,
        subject=approval_id,
        evidence={"source": source, "why": why},
        history=(Event(now, "opened", SYSTEM, why),),
    )


def residual_cases(
    residuals: Sequence[Residual],
    wallets: Mapping[str, Wallet],
    now: datetime,
    unseen: Mapping[str, tuple[str, ...]],
    seen_at: str = "final",
) -> tuple[Case, ...]:
    """One case for each wallet, asset and anchor block where holdings and ledger differ.

    ``units``: what is missing, accounts with a surplus left out (no netting); where there is only
    a surplus it is negative, and the case a warning.
    """
    groups: dict[tuple[str, str], list[Residual]] = {}
    for residual in residuals:
        groups.setdefault((residual.wallet, residual.asset), []).append(residual)
    cases = []
    for (name, asset), group in groups.items():
        missing = -sum(r.units for r in group if r.units < 0)
        surplus = sum(r.units for r in group if r.units > 0)
        at, chain = group[0].at, group[0].chain
        evidence: dict[str, object] = {"accounts": [[r.locator, str(r.units)] for r in group]}
        if unseen.get(chain):
            evidence["not_enumerated"] = list(unseen[chain])
        cases.append(
            Case(
                id=case_id(chain, name, asset, "residual", at.hash),
                rule="residual",
                rules=("residual",),
                severity=Severity.CRITICAL if missing else Severity.WARNING,
                state=CaseState.OPEN,
                opened_at=now,
                chain=chain,
                wallet=name,
                tier=wallets[name].tier,
                asset=asset,
                units=missing or -surplus,
                block=at,
                seen_at=seen_at,
                evidence=evidence,
                history=(Event(now, "opened", SYSTEM, ""),),
            )
        )
    return tuple(cases)


def gap_cases(
    gaps: Mapping[str, int], owners: Mapping[str, Wallet], at: BlockRef, native: str, now: datetime
) -> tuple[Case, ...]:
    """One case for each wallet whose counter moved without a transaction that porwatch has seen."""
    groups: dict[str, list[tuple[str, int]]] = {}
    for locator, count in gaps.items():
        groups.setdefault(owners[locator].name, []).append((locator, count))
    wallets = {owners[locator].name: owners[locator] for locator in gaps}
    return tuple(
        Case(
            id=case_id(at.chain, name, native, "sequence_gap", at.hash),
            rule="sequence_gap",
            rules=("sequence_gap",),
            severity=Severity.CRITICAL,
            state=CaseState.OPEN,
            opened_at=now,
            chain=at.chain,
            wallet=name,
            tier=wallets[name].tier,
            asset=native,
            block=at,
            seen_at="seen",
            evidence={"counters": [[locator, count] for locator, count in lines]},
            history=(Event(now, "opened", SYSTEM, "the chain's own counter moved by more than what was seen"),),
        )
        for name, lines in groups.items()
    )


def coin_cases(
    change: CoinChange, owners: Mapping[str, Mapping[str, Wallet]], residuals: Sequence[Residual], now: datetime
) -> tuple[Case, ...]:
    """One case for each wallet whose coins were exchanged for others of the same sum: a residual shows the rest."""
    at = change.at
    wallets = {
        owners[at.chain][coin.locator].name: owners[at.chain][coin.locator]
        for coin in (*change.appeared, *change.vanished)
    }
    shown = {residual.wallet for residual in residuals if residual.at == at}
    asset = (*change.appeared, *change.vanished)[0].asset
    return tuple(
        Case(
            id=case_id(at.chain, name, asset, "sequence_gap", at.hash),
            rule="sequence_gap",
            rules=("sequence_gap",),
            severity=Severity.CRITICAL,
            state=CaseState.OPEN,
            opened_at=now,
            chain=at.chain,
            wallet=name,
            tier=wallet.tier,
            asset=asset,
            block=at,
            seen_at="final",
            evidence={
                "appeared": [c.id for c in change.appeared if owners[at.chain][c.locator] == wallet],
                "vanished": [c.id for c in change.vanished if owners[at.chain][c.locator] == wallet],
            },
            history=(Event(now, "opened", SYSTEM, "the node's unspent coins are not the ones that were seen"),),
        )
        for name, wallet in wallets.items()
        if name not in shown
    )


def with_transactions(case: Case, located: Mapping[tuple[str, str], Sequence[str]]) -> Case:
    """A residual's case with the transactions that a node's traces name for its accounts."""
    accounts = case.evidence.get("accounts")
    if not isinstance(accounts, list) or case.asset is None:
        return case
    txids = sorted({txid for locator, _ in accounts for txid in located.get((locator, case.asset), ())})
    return replace(case, evidence={**case.evidence, "transactions": txids}) if txids else case


def range_nearly_used(chain: str, wallet: Wallet, name: str, now: datetime) -> Case:
    """80 % of a descriptor's range are used: behind its end nothing is watched."""
    return Case(
        id=case_id("inventory_gap", name),
        rule="inventory_gap",
        rules=("inventory_gap",),
        severity=Severity.WARNING,
        state=CaseState.OPEN,
        opened_at=now,
        chain=chain,
        wallet=wallet.name,
        tier=wallet.tier,
        subject=name,
        history=(Event(now, "opened", SYSTEM, "make gap_limit or range longer, and restart"),),
    )


def endpoint_lies(fault: Fault, file: str, *, quorum_holds: bool, now: datetime) -> Case:
    """An endpoint gave an answer that is provably false; a warning while enough others remain."""
    subject = f"{fault.chain}/{fault.endpoint}"
    return Case(
        id=case_id("endpoint_lies", subject),
        rule="endpoint_lies",
        rules=("endpoint_lies",),
        severity=Severity.WARNING if quorum_holds else Severity.CRITICAL,
        state=CaseState.OPEN,
        opened_at=now,
        chain=fault.chain,
        subject=subject,
        evidence={"kind": fault.kind, "detail": fault.detail, "file": file},
        history=(Event(now, "opened", SYSTEM, f"{fault.kind}: {fault.detail}"),),
    )


def another_fault(case: Case, fault: Fault, *, quorum_holds: bool, now: datetime) -> Case:
    """The same endpoint lied again: noted once for each kind, and more severe where the quorum is lost by it."""
    note = f"{fault.kind}: {fault.detail}"
    known = any(event.note.partition(":")[0] == fault.kind for event in case.history)
    history = case.history if known else (*case.history, Event(now, "lied again", SYSTEM, note))
    return replace(case, severity=case.severity if quorum_holds else Severity.CRITICAL, history=history)


def unconfirmed(case: Case, witness: Witness) -> Case:
    """A case of a block that too few endpoints show."""
    source = f"unconfirmed: shown by {', '.join(witness.endpoints)}, {witness.needed} endpoints must agree"
    return replace(case, evidence={**case.evidence, "source": source, "unconfirmed": True})


def deep_reorg(chain: str, cursor: BlockRef, final_height: int, now: datetime) -> Case:
    """A reorganisation deeper than the chain's finality: following stops until a person has looked."""
    subject = f"{chain} {cursor.hash}"
    return Case(
        id=deep_reorg_id(cursor),
        rule="deep_reorg",
        rules=("deep_reorg",),
        severity=Severity.CRITICAL,
        state=CaseState.OPEN,
        opened_at=now,
        chain=chain,
        subject=subject,
        block=cursor,
        evidence={"final_height": final_height},
        history=(Event(now, "opened", SYSTEM, f"block {cursor.height} was final or is beyond the stored headers"),),
    )


def blind(since: datetime, waiting: Sequence[Case], decimals: Mapping[str, int], now: datetime) -> Case:
    """The approval feed fell silent: one case for the whole time, with what is unmatched so far."""
    sums: dict[str, int] = {}
    for case in waiting:
        if case.asset is not None and case.units is not None:
            sums[case.asset] = sums.get(case.asset, 0) + case.units
    subject = f"approvals since {rfc3339(since)}"
    return Case(
        id=case_id("approvals_blind", subject),
        rule="approvals_blind",
        rules=("approvals_blind",),
        severity=Severity.CRITICAL,
        state=CaseState.OPEN,
        opened_at=now,
        subject=subject,
        evidence={
            "outflows_waiting": len(waiting),
            "unmatched": {asset: format_coins(units, decimals[asset]) for asset, units in sorted(sums.items())},
        },
        history=(Event(now, "opened", SYSTEM, f"no heartbeat since {rfc3339(since)}"),),
    )


def acted(case: Case, action: str, name: str, reason: str, now: datetime) -> Case:
    """A person acknowledges ("ack") or closes ("close") a case, with name and reason.

    Raises ValueError where the case's state does not allow it.
    """
    allowed = {"ack": (CaseState.OPEN,), "close": (CaseState.OPEN, CaseState.ACKNOWLEDGED, CaseState.PENDING)}
    if case.state not in allowed[action]:
        raise ValueError(f"case {case.id} is {case.state.value}: it cannot be {action}ed again")
    state = CaseState.ACKNOWLEDGED if action == "ack" else CaseState.CLOSED
    event = Event(now, "acknowledged" if action == "ack" else "closed", name, reason)
    return replace(case, state=state, history=(*case.history, event))
