"""The roll-forward: opening + movements = closing, for each chain, asset and group of wallets. Pure.

What moves between two wallets of one group is no movement of that group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from monitor.model import Direction, Part, Reason
from monitor.series.values import OPENED, RESIDUAL, Past, Payment


@dataclass(frozen=True, slots=True)
class Roll:
    """From ``opening`` at ``begin`` to ``closing`` at ``until`` of one group of wallets, in units.

    ``begun``: what addresses held when they began to be followed in the period. ``inflow`` and ``outflow`` by
    reason, without fees; ``fees``: paid, whatever their reason; ``unexplained``: of outflow and fees together.
    ``residual``: signed, what the node and the ledger differed by. ``moved``: signed, what transactions changed.
    """

    chain: str
    asset: str
    group: str
    begin: datetime
    until: datetime
    opening: int
    begun: int
    inflow: Mapping[Reason, int]
    outflow: Mapping[Reason, int]
    fees: int
    unexplained: int
    residual: int
    moved: int
    closing: int

    @property
    def unmoved(self) -> int:
        """Closing less opening and everything that changed it: what no movement accounts for."""
        return self.closing - self.opening - self.begun - self.moved - self.residual

    @property
    def unpaid(self) -> int:
        """What transactions changed, less what they were for: movements that no flow part accounts for."""
        return self.moved - sum(self.inflow.values()) + sum(self.outflow.values()) + self.fees


@dataclass(frozen=True, slots=True)
class Unequal:
    """A roll-forward that does not add up: ``units`` is by how much, never zero.

    ``what``: "movements" (opening + movements is not closing) or "flow parts" (parts are not the movements).
    """

    chain: str
    asset: str
    group: str
    what: str
    units: int


@dataclass(slots=True)
class _Sums:
    opening: int = 0
    closing: int = 0
    begun: int = 0
    residual: int = 0
    moved: int = 0
    fees: int = 0
    unexplained: int = 0
    inflow: dict[Reason, int] = field(default_factory=dict)
    outflow: dict[Reason, int] = field(default_factory=dict)


def roll_forward(past: Past, groups: Mapping[str, str]) -> tuple[Roll, ...]:
    """One for each asset and group of a chain. ``groups``: by wallet; other wallets are left out.

    Nothing where the past is unknown to its end: see ``Past.regrouped``.
    """
    if past.begin > past.until:
        return ()
    sums: dict[tuple[str, str], _Sums] = {}
    for wallet, asset in {*past.opening, *past.closing}:
        if wallet in groups:
            mine = sums.setdefault((asset, groups[wallet]), _Sums())
            mine.opening += past.opening.get((wallet, asset), 0)
            mine.closing += past.closing.get((wallet, asset), 0)
    for change in past.changes:
        if change.wallet in groups:
            mine = sums.setdefault((change.asset, groups[change.wallet]), _Sums())
            if change.kind == OPENED:
                mine.begun += change.units
            elif change.kind == RESIDUAL:
                mine.residual += change.units
            else:
                mine.moved += change.units
    for payment in past.payments:
        if payment.wallet in groups and not _inside(payment, groups):
            _pay(sums.setdefault((payment.asset, groups[payment.wallet]), _Sums()), payment)
    return tuple(_roll(past, *key, sums[key]) for key in sorted(sums))


def _inside(payment: Payment, groups: Mapping[str, str]) -> bool:
    return payment.own and groups.get(payment.party) == groups[payment.wallet]


def _pay(sums: _Sums, payment: Payment) -> None:
    out = payment.direction is Direction.OUT
    if payment.reason is Reason.UNEXPLAINED:
        sums.unexplained += payment.units
    if payment.part is Part.FEE:
        sums.fees += payment.units
    else:
        side = sums.outflow if out else sums.inflow
        side[payment.reason] = side.get(payment.reason, 0) + payment.units


def _roll(past: Past, asset: str, group: str, sums: _Sums) -> Roll:
    return Roll(
        chain=past.chain,
        asset=asset,
        group=group,
        begin=past.begin,
        until=past.until,
        opening=sums.opening,
        begun=sums.begun,
        inflow=sums.inflow,
        outflow=sums.outflow,
        fees=sums.fees,
        unexplained=sums.unexplained,
        residual=sums.residual,
        moved=sums.moved,
        closing=sums.closing,
    )


def unequal(rolls: Iterable[Roll]) -> tuple[Unequal, ...]:
    """Every roll-forward that does not add up to the unit; the two ways never cancel each other out."""
    return tuple(
        Unequal(roll.chain, roll.asset, roll.group, what, units)
        for roll in rolls
        for what, units in (("movements", roll.unmoved), ("flow parts", roll.unpaid))
        if units
    )
