"""Round trips around a snapshot: what came in shortly before it and left again shortly after it. Pure.

Three strengths of evidence, strongest first; each unit of a payment is matched once, at its strongest:

- own: wallets of the exchange that are not its customers' gave and took (which of them does not matter);
- address: the same outside address gave and took;
- size: whoever gave and took, both sides are single payments of which at least ``least`` units each are left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.model import Direction, Part, Reason, RoundTrip, TripEvidence
from monitor.series.values import Payment

WINDOW = timedelta(hours=24)
#: what comes in for another reason is nobody's to take back: rewards, own stake returned, the other form of a coin
_GIVEN = (Reason.DEPOSIT, Reason.INTERNAL)
_TAKEN = (Reason.APPROVED, Reason.NOT_ATTRIBUTED, Reason.UNEXPLAINED, Reason.INTERNAL)


@dataclass(slots=True)
class _Left:
    payment: Payment
    units: int


def round_trips(
    payments: Iterable[Payment], customers: Collection[str], as_of: datetime, asset: str, least: int
) -> tuple[RoundTrip, ...]:
    """Trips of one asset around ``as_of``: in (as_of − 24 h, as_of] and out (as_of, as_of + 24 h], over all chains.

    ``customers``: the wallets of customers; what moves between them is no trip. ``least``: units, positive; smaller
    payments of different parties are ordinary traffic.
    """
    if least < 1:
        raise ValueError(f"least must be positive units, not {least}")
    first, last = as_of - WINDOW, as_of + WINDOW
    window = (p for p in payments if first < p.at <= last and p.asset == asset)
    near = [p for p in window if p.wallet in customers and _crosses(p, customers)]
    given = _largest_first(p for p in near if _before(p, as_of))
    taken = _largest_first(p for p in near if _after(p, as_of))
    trips: list[RoundTrip] = []
    takers = _by_party(taken)
    for party, givers in _by_party(given).items():
        evidence = TripEvidence.OWN if party is None else TripEvidence.ADDRESS
        trips += _matched(givers, takers.get(party, []), evidence)
    return tuple(trips + _matched(given, taken, TripEvidence.SIZE, least))


def _by_party(side: Iterable[_Left]) -> dict[str | None, list[_Left]]:
    """By outside address; None: all own wallets together. Who is unknown is the same as nobody."""
    found: dict[str | None, list[_Left]] = {None: []}
    for each in side:
        if each.payment.own or each.payment.party:
            found.setdefault(None if each.payment.own else each.payment.party, []).append(each)
    return found


def _crosses(payment: Payment, customers: Collection[str]) -> bool:
    return payment.part is not Part.FEE and not (payment.own and payment.party in customers)


def _before(payment: Payment, as_of: datetime) -> bool:
    return payment.at <= as_of and payment.direction is Direction.IN and payment.reason in _GIVEN


def _after(payment: Payment, as_of: datetime) -> bool:
    return payment.at > as_of and payment.direction is Direction.OUT and payment.reason in _TAKEN


def _largest_first(payments: Iterable[Payment]) -> list[_Left]:
    ordered = sorted(payments, key=lambda p: (-p.units, p.at, p.chain, p.height, p.txid, p.wallet, p.party))
    return [_Left(payment, payment.units) for payment in ordered]


def _matched(given: list[_Left], taken: list[_Left], evidence: TripEvidence, least: int = 1) -> list[RoundTrip]:
    """Largest with largest, until one side is used up or what is left of a payment is below ``least``."""
    trips = []
    givers = (each for each in given if each.units >= least)
    takers = (each for each in taken if each.units >= least)
    one, other = next(givers, None), next(takers, None)
    while one is not None and other is not None:
        units = min(one.units, other.units)
        one.units -= units
        other.units -= units
        trips.append(_trip(one.payment, other.payment, units, evidence))
        one = one if one.units >= least else next(givers, None)
        other = other if other.units >= least else next(takers, None)
    return trips


def _trip(given: Payment, taken: Payment, units: int, evidence: TripEvidence) -> RoundTrip:
    return RoundTrip(
        asset=given.asset,
        units=units,
        evidence=evidence,
        wallet_in=given.wallet,
        in_at=given.at,
        units_in=given.units,
        txid_in=given.txid,
        giver=given.party,
        wallet_out=taken.wallet,
        out_at=taken.at,
        units_out=taken.units,
        txid_out=taken.txid,
        taker=taken.party,
    )
