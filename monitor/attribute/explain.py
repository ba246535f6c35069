"""Give every flow part its reason, using each approval at most once (monitor.attribute.matching)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from chains.core.values import Transaction, TransactionKind
from monitor.attribute.matching import Claim, Names, Sink, assign, claims_of, mismatch, names_of
from monitor.model import Approval, Attribution, Direction, Flow, Judgement, Part, Reason, Sighting, Tier, Wallet

_NO_BATCHES: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Rules:
    """What of the policy decides a reason."""

    approvals_configured: bool
    cold_needs_approval: bool


@dataclass(slots=True)
class _Case:
    """One transaction while it is judged: its sinks by number, and what was found for each."""

    transaction: Transaction
    flows: tuple[Flow, ...]
    sighting: Sighting
    names: Names
    fee: int
    sinks: list[list[Flow]]
    found: list[tuple[Claim | None, str]] = field(default_factory=list)


def explain(
    transactions: Sequence[tuple[Transaction, tuple[Flow, ...], Sighting]],
    owners: Mapping[str, Wallet],
    approvals: Iterable[Approval],
    rules: Rules,
    batch_sizes: Mapping[str, int] = _NO_BATCHES,
) -> tuple[Judgement, ...]:
    """Judge the transactions of one chain in order.

    ``owners``: the wallet of each watched locator; ``approvals``: the unused ones that may fit;
    ``batch_sizes``: how many approvals of each batch were read and not cancelled.
    """
    cases = [
        _Case(
            item,
            flows,
            sighting,
            names_of(item, owners),
            sum(flow.units for flow in flows if flow.part is Part.FEE),
            _sinks(flows),
        )
        for item, flows, sighting in transactions
    ]
    unused = _attach(cases, list(approvals), batch_sizes)
    return tuple(_judge(case, owners, unused, rules) for case in cases)


def _attach(cases: list[_Case], approvals: list[Approval], batch_sizes: Mapping[str, int]) -> list[Approval]:
    """Find the claim of every sink; returns the approvals that are left."""
    places = [(case, flows) for case in cases for flows in case.sinks]
    sinks = [
        Sink(
            flows[0].asset,
            flows[0].destination,
            sum(flow.units for flow in flows),
            frozenset(flow.wallet for flow in flows),
            case.names,
            case.sighting,
            case.fee,
        )
        for case, flows in places
    ]
    found, notes = assign(claims_of(approvals, batch_sizes), sinks)
    for (case, _), claim, note in zip(places, found, notes, strict=True):
        case.found.append((claim, note))
    used = {id_ for claim in found if claim is not None for id_ in claim.ids}
    return [approval for approval in approvals if approval.id not in used]


def _take_signature(case: _Case, signers: set[str], unused: list[Approval]) -> Approval | None:
    """An approval that names this transaction by its id and allows signer, time and fee, where nothing else moves.

    One of a batch allows no signature: a batch pays or does nothing.
    """
    for approval in unused:
        named = approval.txid is not None and approval.batch is None
        if named and not mismatch(approval, signers, case.names, case.sighting, case.fee):
            unused.remove(approval)
            return approval
    return None


def _judge(case: _Case, owners: Mapping[str, Wallet], unused: list[Approval], rules: Rules) -> Judgement:
    transaction, flows, sighting = case.transaction, case.flows, case.sighting
    touched = {m.account.locator: owners[m.account.locator] for m in transaction.movements}
    tiers = {wallet.name: wallet.tier for wallet in touched.values()}
    wraps = {leg.index for leg in transaction.legs if leg.wrap}
    reasons: dict[int, Attribution] = {}
    for sink, (claim, note) in zip(case.sinks, case.found, strict=True):
        for flow in sink:
            reason = _reason(claim, tiers[flow.wallet], rules, _kept_as(flow, wraps))
            reasons[flow.index] = _attribution(flow, reason, claim, note)
    signers = {owners[locator].name for locator in transaction.signers if owners[locator].tier is Tier.COLD}
    signature = None
    if signers and not _signing_explained(reasons, rules):
        signature = _take_signature(case, signers, unused) if not reasons else None
        cold = () if signature is not None else tuple(sorted(signers))
    else:
        cold = ()
    bad = {a.flow.wallet for a in reasons.values() if a.reason is Reason.UNEXPLAINED} | set(cold)
    for flow in flows:
        if flow.part is Part.FEE:
            reason = Reason.UNEXPLAINED if flow.wallet in bad else Reason.FEE
            reasons[flow.index] = Attribution(flow, reason, "" if signature is None else signature.id)
        elif flow.direction is Direction.IN:
            reasons[flow.index] = Attribution(flow, _income(flow, transaction, flows, wraps))
    names = {locator: wallet.name for locator, wallet in touched.items()}
    return Judgement(transaction, sighting, tuple(reasons[flow.index] for flow in flows), names, cold)


def _sinks(flows: tuple[Flow, ...]) -> list[list[Flow]]:
    """The outgoing parts, fees aside, grouped by the output they pay."""
    groups: dict[int, list[Flow]] = {}
    for flow in flows:
        if flow.direction is Direction.OUT and flow.part is not Part.FEE:
            groups.setdefault(flow.sink, []).append(flow)
    return [groups[sink] for sink in sorted(groups)]


def _kept_as(flow: Flow, wraps: Collection[int]) -> Reason | None:
    """How what left is still ours: in another own wallet, or in another form. None: it is not."""
    if flow.part is Part.OWN:
        return Reason.INTERNAL
    return Reason.WRAP if flow.sink in wraps else None


def _attribution(flow: Flow, reason: Reason, claim: Claim | None, note: str) -> Attribution:
    if claim is None:
        return Attribution(flow, reason, note=note if reason is Reason.UNEXPLAINED else "")
    return Attribution(flow, reason, claim.ids[0], batch=claim.ids if len(claim.ids) > 1 else ())


def _reason(claim: Claim | None, tier: Tier, rules: Rules, kept: Reason | None) -> Reason:
    cold = tier is Tier.COLD
    if kept is not None:
        allowed = claim is not None or not (cold and rules.cold_needs_approval)
        return kept if allowed else Reason.UNEXPLAINED
    if claim is not None:
        return Reason.APPROVED
    if not cold and not rules.approvals_configured:
        return Reason.NOT_ATTRIBUTED
    return Reason.UNEXPLAINED


def _signing_explained(reasons: Mapping[int, Attribution], rules: Rules) -> bool:
    """Whether what a cold wallet signed is explained: by an approval, or by own wallets where the policy lets it."""
    judged = reasons.values()
    if any(a.reason is Reason.UNEXPLAINED for a in judged):
        return False
    if any(a.approval for a in judged):
        return True
    return not rules.cold_needs_approval and any(a.reason in (Reason.INTERNAL, Reason.WRAP) for a in judged)


def _income(flow: Flow, transaction: Transaction, flows: tuple[Flow, ...], wraps: Collection[int]) -> Reason:
    if flow.sink in wraps:
        return Reason.WRAP
    if flow.part is Part.CHANGE:
        return Reason.CHANGE
    if transaction.kind is TransactionKind.REWARD:
        return Reason.REWARD
    if transaction.kind is TransactionKind.WITHDRAWAL:
        return Reason.WITHDRAWAL
    paid = any(f.part is Part.OWN and f.sink == flow.sink and f.receiver == flow.wallet for f in flows)
    return Reason.INTERNAL if paid else Reason.DEPOSIT
