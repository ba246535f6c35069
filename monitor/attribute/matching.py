"""Which approval explains which payment: each at most once, and as many as there can be.

A payment is one sink: an output or a transfer. An approval explains it when chain, asset, exact units,
destination, tag, wallet, window, fee limit and, where it names one, the transaction all agree.
Approvals of one batch explain a payment only together: all of the batch to its destination, their
sum to the last unit.

The payments that are known at one time are matched as a whole: no other choice explains more of them.
Where there is a choice, an approval that names the transaction is used before one that does not,
then the one that ends first: earliest deadline first is optimal for the payments still to come.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from chains.core.values import Transaction
from monitor.model import Approval, Sighting

#: near misses that a payment's note names
_MOST_NOTES = 3


@dataclass(frozen=True, slots=True)
class Names:
    """What an approval can call a transaction by: its id, the Safe transactions it executes, what it pays."""

    txid: str
    safe_tx_hashes: frozenset[str] = frozenset()
    outputs_hash: str = ""


@dataclass(frozen=True, slots=True)
class Sink:
    """One payment, with what an approval of it must agree with; ``fee``: of own wallets, of the whole transaction."""

    asset: str
    destination: str
    units: int
    payers: frozenset[str]
    names: Names
    sighting: Sighting
    fee: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Approvals that explain one payment together: one approval, or a batch's to one destination.

    ``broken``: why the batch cannot be used as it is, or "".
    """

    approvals: tuple[Approval, ...]
    broken: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        first = self.approvals[0]
        return first.asset, first.destination, sum(approval.units for approval in self.approvals)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(approval.id for approval in self.approvals)


def names_of(transaction: Transaction, owners: Collection[str]) -> Names:
    """``owners``: the watched locators that the transaction touches, at least."""
    safe = frozenset(transaction.parties.get("safe_tx_hash", "").split())
    return Names(transaction.txid, safe, outputs_hash(transaction, owners))


def outputs_hash(transaction: Transaction, owners: Collection[str]) -> str:
    """SHA-256 (hex) over what our wallets pay to others: one line ``destination asset units`` for each payment.

    Units are whole base units of the asset; every line ends with a newline, and lines are sorted by their
    bytes. Inputs, change, payments to own wallets and the fee are not in it: a fee bump keeps it.
    """
    lines = sorted(
        f"{leg.destination} {leg.asset} {leg.units}\n".encode()
        for leg in transaction.legs
        if not leg.fee
        and leg.destination is not None
        and leg.destination not in owners
        and (leg.source is None or leg.source in owners)
    )
    return sha256(b"".join(lines)).hexdigest()


def claims_of(approvals: Iterable[Approval], sizes: Mapping[str, int]) -> list[Claim]:
    """Unused approvals as they can be used. ``sizes``: how many of each batch were read and not cancelled."""
    alone: list[Claim] = []
    groups: dict[tuple[str, str, str, str], list[Approval]] = {}
    for approval in approvals:
        if approval.batch is None:
            alone.append(Claim((approval,)))
        else:
            key = (approval.batch, approval.chain, approval.asset, approval.destination)
            groups.setdefault(key, []).append(approval)
    return [*alone, *(_batch(key[0], group, sizes) for key, group in groups.items())]


def _batch(name: str, group: list[Approval], sizes: Mapping[str, int]) -> Claim:
    members = tuple(sorted(group, key=lambda approval: approval.id))
    read = sizes.get(name, len(members))
    stated = {approval.batch_size for approval in members} - {None}
    if stated <= {read}:
        return Claim(members)
    told = " or ".join(str(size) for size in sorted(size for size in stated if size is not None))
    return Claim(members, f"batch {name} has {told} approvals, {read} were read")


def mismatch(approval: Approval, payers: Collection[str], names: Names, sighting: Sighting, fee: int) -> str:
    """Why an approval of the right asset, units and destination does not explain this payment; "" if it does."""
    other = _other_transaction(approval, names)
    if other:
        return other
    if approval.wallet is not None and set(payers) != {approval.wallet}:
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


def _other_transaction(approval: Approval, names: Names) -> str:
    if approval.txid is not None and approval.txid != names.txid:
        return f"is for transaction {approval.txid}"
    if approval.safe_tx_hash is not None and approval.safe_tx_hash not in names.safe_tx_hashes:
        return f"is for Safe transaction {approval.safe_tx_hash}"
    if approval.outputs_hash is not None and approval.outputs_hash != names.outputs_hash:
        return f"is for a transaction whose outputs have the hash {approval.outputs_hash}"
    return ""


def names_a_transaction(approval: Approval) -> bool:
    """Whether it is for one exact transaction only."""
    return (approval.txid, approval.safe_tx_hash, approval.outputs_hash) != (None, None, None)


def assign(claims: Iterable[Claim], sinks: Sequence[Sink]) -> tuple[list[Claim | None], list[str]]:
    """The claim of each payment, None where it has none, and then why the nearest ones did not fit.

    ``sinks`` in the order of the chain: of equal payments the first ones are explained.
    """
    wanted: dict[tuple[str, str, int], list[int]] = {}
    for n, sink in enumerate(sinks):
        wanted.setdefault((sink.asset, sink.destination, sink.units), []).append(n)
    offered: dict[tuple[str, str, int], list[Claim]] = {}
    for claim in claims:
        if claim.key in wanted:
            offered.setdefault(claim.key, []).append(claim)
    found: list[Claim | None] = [None] * len(sinks)
    notes = [""] * len(sinks)
    for key, group in offered.items():
        board = _Board(sorted(group, key=_priority), [(n, sinks[n]) for n in wanted[key]])
        for n, claim in board.fill().items():
            found[n] = claim
        for n in wanted[key]:
            if found[n] is None:
                notes[n] = board.note(sinks[n])
    return found, notes


def _priority(claim: Claim) -> tuple[object, ...]:
    """Named transactions first, then deadlines; of those that end together, the one that fits fewest others."""
    first = claim.approvals[0]
    return (
        not any(names_a_transaction(approval) for approval in claim.approvals),
        min(approval.not_after for approval in claim.approvals),
        first.wallet is None,
        first.max_fee is None,
        first.max_fee or 0,
        first.id,
    )


def _misfit(claim: Claim, sink: Sink) -> str:
    """Why the claim does not explain the payment, beginning with the approval that is in the way; "" if it does."""
    if claim.broken:
        return f"{claim.ids[0]}: {claim.broken}"
    for approval in claim.approvals:
        why = mismatch(approval, sink.payers, sink.names, sink.sighting, sink.fee)
        if why:
            return f"{approval.id}: {why}"
    return ""


@dataclass(slots=True)
class _Board:
    """Claims, best first, and the payments of one asset, destination and amount: a matching by augmenting paths.

    A claim once placed stays placed, so the best claims are used; a payment once explained stays explained.
    """

    claims: list[Claim]
    sinks: list[tuple[int, Sink]]
    _owner: dict[int, int] = field(default_factory=dict)

    def fill(self) -> dict[int, Claim]:
        for c in range(len(self.claims)):
            if len(self._owner) == len(self.sinks):
                break
            self._place(c)
        return {self.sinks[s][0]: self.claims[c] for s, c in self._owner.items()}

    def note(self, sink: Sink) -> str:
        used = set(self._owner.values())
        misfits = (_misfit(claim, sink) for c, claim in enumerate(self.claims) if c not in used)
        return "; ".join([misfit for misfit in misfits if misfit][:_MOST_NOTES])

    def _place(self, claim: int) -> None:
        """Give the claim a free payment, moving others to where they fit as well if need be (breadth first)."""
        reached: dict[int, int] = {}
        queue = [claim]
        for c in queue:
            for s, (_, sink) in enumerate(self.sinks):
                if s in reached or _misfit(self.claims[c], sink):
                    continue
                reached[s] = c
                if s not in self._owner:
                    self._move(s, reached, claim)
                    return
                queue.append(self._owner[s])

    def _move(self, free: int, reached: Mapping[int, int], claim: int) -> None:
        place = {c: s for s, c in self._owner.items()}
        s = free
        while True:
            c = reached[s]
            self._owner[s] = c
            if c == claim:
                return
            s = place[c]
