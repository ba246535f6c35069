"""Cases of a block: what left, or was signed, and is not explained. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

from chains.core.amounts import format_coins
from chains.core.values import BlockRef
from monitor.detect.ceremonies import RULE as OUTSIDE_WINDOW
from monitor.detect.ceremonies import Ceremony, outside, told
from monitor.detect.words import SYSTEM
from monitor.model import (
    Attribution,
    Case,
    CaseState,
    Destination,
    Event,
    Judgement,
    Part,
    Price,
    Reason,
    Severity,
    Tier,
    Wallet,
    case_id,
    rfc3339,
)

#: parts by which something reaches somebody
_PAYING = (Part.DESTINATION, Part.OWN)


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
    ``looked_before``: when porwatch last saw a block of the chain before, None where nothing says it;
    ``source``: how well the block is known; ``blind``: the approval feed is stale, so hot outflows
    wait for it instead of paging one by one. ``ceremonies``: whose announced windows touch the block's time;
    ``ceremonies_required``: wallets that may move inside a confirmed one only.
    """

    block: BlockRef
    native: str
    now: datetime
    noticed: datetime
    looked_before: datetime | None
    wallets: Mapping[str, Wallet]
    balances: Mapping[tuple[str, str], int]
    waiting: Mapping[tuple[str, str], int]
    existing: Mapping[str, Case]
    known: Mapping[Tier, frozenset[str]]
    grace: Grace
    decimals: Mapping[str, int]
    prices: Mapping[str, Price]
    blind: bool
    source: str
    unseen: tuple[str, ...] = ()
    ceremonies: tuple[Ceremony, ...] = ()
    ceremonies_required: frozenset[str] = frozenset()


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
    pairs.update(dict.fromkeys(_outside_windows(judgement, scene)))
    moved = {wallet for wallet, _ in pairs}
    pairs.update(dict.fromkeys((name, scene.native) for name in judgement.cold_unapproved if name not in moved))
    return list(pairs)


def _outside_windows(judgement: Judgement, scene: Scene) -> list[tuple[str, str]]:
    """What wallets that need a confirmed window paid outside of one, approved or not; what only signed, as native."""
    paid = [a.flow for a in judgement.attributions if a.flow.part in (*_PAYING, Part.FEE)]
    seen = judgement.sighting
    names = [
        name
        for name in dict.fromkeys(flow.wallet for flow in paid)
        if name in scene.ceremonies_required and outside(scene.ceremonies, name, seen.earliest, seen.latest)
    ]
    pairs = [(flow.wallet, flow.asset) for flow in paid if flow.wallet in names and flow.part in _PAYING]
    signed_only = [(name, scene.native) for name in names if name not in {wallet for wallet, _ in pairs}]
    return [*pairs, *signed_only]


def _case(judgement: Judgement, wallet: Wallet, asset: str, scene: Scene, waiting: dict[tuple[str, str], int]) -> Case:
    transaction = judgement.transaction
    mine = [a for a in judgement.attributions if a.flow.wallet == wallet.name and a.flow.asset == asset]
    lost = [a for a in mine if a.reason is Reason.UNEXPLAINED and a.flow.part is not Part.FEE]
    to_others = any(a.flow.part is Part.DESTINATION for a in lost) or transaction.foreign_inputs > 0
    beyond = wallet.name in {name for name, _ in _outside_windows(judgement, scene)}
    rules = []
    if to_others:
        rules.append("unexplained_outflow")
    if wallet.name in judgement.cold_unapproved or (wallet.tier is Tier.COLD and lost and not to_others):
        rules.append("cold_without_approval")
    if beyond:
        rules.append(OUTSIDE_WINDOW)
    if rules == [OUTSIDE_WINDOW]:
        # All of it is explained: what the case is about is when it moved.
        lost = [a for a in mine if a.flow.part in _PAYING]
    units = sum(a.flow.units for a in lost)
    due = None if beyond else _due(wallet, asset, units, transaction.foreign_inputs, scene, waiting)
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
        destinations=_destinations(mine if transaction.foreign_inputs else lost, scene.known[wallet.tier]),
        txid=transaction.txid or None,
        block=scene.block,
        seen_at="seen",
        due_at=due,
        detected_after_ms=max(0, round((scene.now - scene.noticed) / timedelta(milliseconds=1))),
        value=value_of(asset, units, scene.prices, scene.decimals),
        evidence=_evidence(judgement, wallet, scene),
        history=(Event(scene.now, "pending" if due is not None else "opened", SYSTEM, ""),),
    )


def _fee(judgement: Judgement, wallet: str, asset: str, native: str) -> int | None:
    """The fee stands in the native asset's case, or in the first one where the native asset has none."""
    paid = sum(a.flow.units for a in judgement.attributions if a.flow.wallet == wallet and a.flow.part is Part.FEE)
    mine = [a for a in judgement.attributions if a.flow.wallet == wallet and a.flow.part is not Part.FEE]
    unexplained = [a.flow.asset for a in mine if a.reason is Reason.UNEXPLAINED]
    assets = unexplained or [a.flow.asset for a in mine if a.flow.part in _PAYING]
    carrier = native if native in assets or not assets else assets[0]
    return paid if asset == carrier else 0


def _destinations(parts: Iterable[Attribution], known: frozenset[str]) -> tuple[Destination, ...]:
    sums: dict[str, int] = {}
    for a in parts:
        if a.flow.part in _PAYING:
            sums[a.flow.destination] = sums.get(a.flow.destination, 0) + a.flow.units
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


def _evidence(judgement: Judgement, wallet: Wallet, scene: Scene) -> dict[str, object]:
    transaction = judgement.transaction
    notes = sorted({a.note for a in judgement.attributions if a.note})
    evidence: dict[str, object] = {
        "source": scene.source,
        "seen_between": [rfc3339(judgement.sighting.earliest), rfc3339(judgement.sighting.latest)],
        "blind_before_seconds": _blind_before(scene),
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
    if wallet.tier is Tier.COLD:
        seen = judgement.sighting
        evidence["ceremony"] = told(scene.ceremonies, wallet.name, seen.earliest, seen.latest)
    return evidence


def _blind_before(scene: Scene) -> int | None:
    """Whole seconds, rounded up, for which no block of the chain was seen before this one."""
    if scene.looked_before is None:
        return None
    return max(0, -((scene.looked_before - scene.noticed) // timedelta(seconds=1)))


def _seen_again(case: Case, scene: Scene, *, explained: bool) -> Case:
    """The same transaction in another block: the case stays what it is, and says where it is now.

    Unless approvals changed meanwhile: a pending case that is explained now is closed, and one that
    an approval (no person) had closed is opened where it is explained no more.
    """
    if case.evidence.get("unconfirmed"):
        evidence = {key: value for key, value in case.evidence.items() if key != "unconfirmed"} | {
            "source": scene.source
        }
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
