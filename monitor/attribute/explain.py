"""Give every flow part its reason, using each approval at most once.

An approval explains the parts of one sink (one output or one transfer) when chain, asset, exact
units, destination, tag, wallet, window, fee limit and, where given, txid all agree. Among several
that fit, the one that names this txid wins, then the one that ends first: earliest deadline first
is optimal for intervals. Of those that end together, the one that fits fewest others is used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chains.core.values import Transaction, TransactionKind
from monitor.model import Approval, Attribution, Direction, Flow, Judgement, Part, Reason, Sighting, Tier, Wallet


@dataclass(frozen=True, slots=True)
class Rules:
    """What of the policy decides a reason."""

    approvals_configured: bool
    cold_needs_approval: bool


@dataclass(slots=True)
class _Book:
    """The unused approvals of a chain; ``take`` removes the one it returns."""

    by_key: dict[tuple[str, str, int], list[Approval]] = field(default_factory=dict)
    by_txid: dict[str, list[Approval]] = field(default_factory=dict)

    @classmethod
    def of(cls, approvals: Iterable[Approval]) -> _Book:
        book = cls()
        for approval in approvals:
            book.by_key.setdefault((approval.asset, approval.destination, approval.units), []).append(approval)
            if approval.txid is not None:
                book.by_txid.setdefault(approval.txid, []).append(approval)
        for group in book.by_key.values():
            group.sort(key=lambda a: (a.not_after, a.wallet is None, a.max_fee is None, a.max_fee or 0, a.id))
        return book

    def take(self, sink: list[Flow], txid: str, sighting: Sighting, fee: int) -> tuple[Approval | None, str]:
        first = sink[0]
        group = self.by_key.get((first.asset, first.destination, sum(flow.units for flow in sink)), [])
        misfits = []
        for approval in sorted(group, key=lambda a: a.txid is None):
            misfit = mismatch(approval, {flow.wallet for flow in sink}, txid, sighting, fee)
            if not misfit:
                self._remove(approval)
                return approval, ""
            misfits.append(f"{approval.id}: {misfit}")
        return None, "; ".join(misfits[:3])

    def take_signature(self, signers: set[str], txid: str, sighting: Sighting, fee: int) -> Approval | None:
        """An approval that names this transaction and allows signer, time and fee, for one that moves nothing else."""
        for approval in self.by_txid.get(txid, []):
            if not mismatch(approval, signers, txid, sighting, fee):
                self._remove(approval)
                return approval
        return None

    def _remove(self, approval: Approval) -> None:
        self.by_key[approval.asset, approval.destination, approval.units].remove(approval)
        if approval.txid is not None:
            self.by_txid[approval.txid].remove(approval)


def mismatch(approval: Approval, payers: set[str], txid: str, sighting: Sighting, fee: int) -> str:
    """Why an approval of the right asset, units and destination does not explain this sink; "" if it does."""
    if approval.txid is not None and approval.txid != txid:
        return f"is for transaction {approval.txid}"
    if approval.wallet is not None and payers != {approval.wallet}:
        return f"is for wallet {approval.wallet}, paid by {', '.join(sorted(payers))}"
    if approval.tag is not None:
        return f"asks for tag {approval.tag!r}, this payment has none"
    if approval.not_before is not None and sighting.latest < approval.not_before:
        return f"is not valid before {approval.not_before.isoformat()}"
    if sighting.earliest > approval.not_after:
        return f"was valid until {approval.not_after.isoformat()}"
    if approval.max_fee is not None and fee > approval.max_fee:
        return f"allows a fee of {approval.max_fee} base units, {fee} were paid"
    return ""


def explain(
    transactions: Sequence[tuple[Transaction, tuple[Flow, ...], Sighting]],
    owners: Mapping[str, Wallet],
    approvals: Iterable[Approval],
    rules: Rules,
) -> tuple[Judgement, ...]:
    """Judge the transactions of one chain in order.

    ``owners``: the wallet of each watched locator; ``approvals``: the unused ones that may fit.
    """
    book = _Book.of(approvals)
    return tuple(_judge(item, flows, sighting, owners, book, rules) for item, flows, sighting in transactions)


def _judge(
    transaction: Transaction,
    flows: tuple[Flow, ...],
    sighting: Sighting,
    owners: Mapping[str, Wallet],
    book: _Book,
    rules: Rules,
) -> Judgement:
    touched = {m.account.locator: owners[m.account.locator] for m in transaction.movements}
    tiers = {wallet.name: wallet.tier for wallet in touched.values()}
    fee = sum(flow.units for flow in flows if flow.part is Part.FEE)
    wraps = {leg.index for leg in transaction.legs if leg.wrap}
    reasons: dict[int, Attribution] = {}
    for sink in _sinks(flows):
        approval, note = book.take(sink, transaction.txid, sighting, fee)
        for flow in sink:
            reason = _reason(approval, tiers[flow.wallet], rules, _kept_as(flow, wraps))
            explained = reason is not Reason.UNEXPLAINED
            reasons[flow.index] = Attribution(
                flow, reason, "" if approval is None else approval.id, "" if explained else note
            )
    signers = {owners[locator].name for locator in transaction.signers if owners[locator].tier is Tier.COLD}
    signature = None
    if signers and not _signing_explained(reasons, rules):
        signature = book.take_signature(signers, transaction.txid, sighting, fee) if not reasons else None
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


def _reason(approval: Approval | None, tier: Tier, rules: Rules, kept: Reason | None) -> Reason:
    cold = tier is Tier.COLD
    if kept is not None:
        allowed = approval is not None or not (cold and rules.cold_needs_approval)
        return kept if allowed else Reason.UNEXPLAINED
    if approval is not None:
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
