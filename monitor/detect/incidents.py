"""Cases that belong together are one incident: one page, and another one when it has grown. Pure.

A case joins when it opens. It pages only as the first of its incident, or where the incident has grown since
it last paged: the value doubled, a chain or a tier is new, something more urgent came, or the value became unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Context, Decimal
from enum import StrEnum

from monitor.model import Case, CaseState, Severity, utc

#: how far apart two cases with something in common may be, by the time of their blocks (without one, of their opening)
WINDOW = timedelta(minutes=30)
#: an incident takes in nothing later than this after its first case: the sum of a noisy week must not hide a theft
LONGEST = timedelta(hours=24)
#: destinations of one case that others are compared with, the largest first
MOST_DESTINATIONS = 100

#: cases of quality and compliance are about one thing each, and stand alone
ALONE = frozenset({"approvals_blind", "check_breach", "deep_reorg", "shadow_ended", "window_dressing"})
#: about who can move assets; every other rule is about assets that moved
CONTROL = frozenset({"altered_approval", "bad_approval_signature", "control_drift", "endpoint_lies", "inventory_gap"})
#: two wallets whose ranges are nearly used have nothing in common but the rule
_NO_COMMON_CAUSE = frozenset({"inventory_gap"})

_URGENCY = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}
_EXACT = Context(prec=400)


class Growth(StrEnum):
    """Why an incident that has paged pages again."""

    DOUBLED = "doubled"
    CHAIN = "chain"
    TIER = "tier"
    URGENCY = "urgency"
    UNPRICED = "unpriced"
    REMAINS = "remains"
    #: none by itself: the wallet is new as well, so its page meets what the second path says of that wallet
    WALLET = "wallet"


@dataclass(frozen=True, slots=True)
class Incident:
    """What the cases of an incident add up to, as they opened.

    ``units``: base units that left, by asset. ``value``: of those that had a price, by currency, and ``priced_at``
    the oldest of their prices. ``unpriced``: by asset without one, the units of its first case and of all together.
    ``told_value`` and ``told_doublings``: what was known when it last paged; the doublings are of the asset without
    a price that grew most. ``new_destinations``: somebody was paid who was not known beforehand.
    """

    id: str
    first_at: datetime
    last_at: datetime
    last_opened_at: datetime
    cases: int
    severity: Severity
    outflow: bool
    chains: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    wallets: tuple[str, ...] = ()
    destinations: int = 0
    new_destinations: bool = False
    units: Mapping[str, int] = field(default_factory=dict)
    value: Mapping[str, Decimal] = field(default_factory=dict)
    priced_at: str | None = None
    unpriced: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    told_value: Mapping[str, Decimal] = field(default_factory=dict)
    told_doublings: int = 0

    @property
    def doublings(self) -> int:
        """How often the units of the asset without a price that grew most have doubled since its first case."""
        return max(((total // first).bit_length() - 1 for first, total in self.unpriced.values()), default=0)


@dataclass(frozen=True, slots=True)
class Span:
    """The first and the last time of something."""

    first: datetime
    last: datetime

    def near(self, at: datetime) -> bool:
        """Whether ``at`` is within it, or not further from it than WINDOW."""
        return self.first - WINDOW <= at <= self.last + WINDOW

    def with_(self, at: datetime) -> Span:
        return Span(min(self.first, at), max(self.last, at))


@dataclass(frozen=True, slots=True)
class Standing:
    """An incident that is not over, with when its cases had each of the keys that are asked about."""

    incident: Incident
    keys: Mapping[str, Span]

    def takes(self, case: Case) -> bool:
        """Whether ``case`` belongs to it."""
        at = time_of(case)
        if abs(at - self.incident.first_at) > LONGEST:
            return False
        return any(key in self.keys and self.keys[key].near(at) for key in keys_of(case))

    def with_(self, case: Case) -> Standing:
        """The same with one case more."""
        at, keys = time_of(case), dict(self.keys)
        for key in keys_of(case):
            keys[key] = keys[key].with_(at) if key in keys else Span(at, at)
        return Standing(grown(self.incident, case), keys)


def time_of(case: Case) -> datetime:
    """When it happened: the time of its block, or of its opening where there is none."""
    return case.opened_at if case.block is None else utc(case.block.time)


def keys_of(case: Case) -> tuple[str, ...]:
    """What another case of the same incident would share with it: a wallet, a destination or a rule.

    An address is one destination on every chain that can read it.
    """
    paid = sorted(case.destinations, key=lambda d: (-d.units, d.address))[:MOST_DESTINATIONS]
    keys = [f"rule {rule}" for rule in case.rules if rule not in _NO_COMMON_CAUSE]
    keys += [] if case.wallet is None else [f"wallet {case.wallet}"]
    return tuple(dict.fromkeys([*keys, *(f"destination {d.address}" for d in paid)]))


def opens(case: Case) -> bool:
    """Whether a changed case has just opened and is to join: a pending one may never do so."""
    just = case.state is CaseState.OPEN and case.history[-1].action == "opened"
    return just and case.incident is None and case.rule not in ALONE


def join(opening: Sequence[Case], standing: Iterable[Standing]) -> tuple[Case, ...]:
    """The cases that one commit opens, in their order, each with its incident; some of them page for its growth.

    The answer does not depend on their order. Where several incidents would take a case, the oldest does. However
    many cases of an incident open together, it pages at most once for them.
    """
    known = {each.incident.id: each for each in standing}
    desk, batches = dict(known), dict[str, list[Case]]()
    for case in sorted(opening, key=_order):
        home = min((s.incident for s in desk.values() if s.takes(case)), key=lambda i: (i.first_at, i.id), default=None)
        here = case.id if home is None else home.id
        desk[here] = Standing(_begun(case), _keys(case)) if home is None else desk[here].with_(case)
        batches.setdefault(here, []).append(replace(case, incident=here))
    joined = {}
    for here, batch in batches.items():
        before = known[here].incident if here in known else None
        joined.update({case.id: case for case in (batch if before is None else _paging(before, batch))})
    return tuple(joined[case.id] for case in opening)


def in_order(cases: Iterable[Case]) -> list[Case]:
    """The order in which the cases of one commit are counted, whatever order they were found in.

    One that pages comes behind the others of its incident: what they add counts as told with it.
    """
    return sorted(cases, key=lambda case: (case.pages, *_order(case)))


def _order(case: Case) -> tuple[bool, int, datetime, datetime, str]:
    """The most urgent first: it must not be hidden behind one that is less so."""
    return case.rule in CONTROL, _URGENCY[case.severity], time_of(case), case.opened_at, case.id


def _keys(case: Case) -> dict[str, Span]:
    return dict.fromkeys(keys_of(case), Span(time_of(case), time_of(case)))


def _paging(before: Incident, batch: list[Case]) -> list[Case]:
    """The cases that join an incident together; the first one that makes it grow pages for all of them."""
    after, carrier = before, None
    for case in batch:
        after = grown(after, case)
        if carrier is None and growth(before, after):
            carrier = case
    if carrier is None:
        return batch
    spread = (Growth.WALLET,) if carrier.wallet and carrier.wallet not in before.wallets else ()
    reasons = (*growth(before, after), *spread)
    return [replace(case, growth=reasons) if case is carrier else case for case in batch]


def growth(before: Incident, after: Incident) -> tuple[Growth, ...]:
    """Why ``after`` pages although ``before``, the same incident earlier, has paged; empty where it does not."""
    told_ = [(value, before.told_value.get(currency, Decimal(0))) for currency, value in after.value.items()]
    doubled = any(value > old and value >= _EXACT.add(old, old) for value, old in told_)
    reasons = {
        Growth.DOUBLED: doubled or after.doublings > before.told_doublings,
        Growth.CHAIN: bool(set(after.chains) - set(before.chains)),
        Growth.TIER: bool(set(after.tiers) - set(before.tiers)),
        Growth.URGENCY: _URGENCY[after.severity] < _URGENCY[before.severity] or (after.outflow and not before.outflow),
        Growth.UNPRICED: bool(after.unpriced) and not before.unpriced,
    }
    return tuple(reason for reason, given in reasons.items() if given)


def _begun(case: Case) -> Incident:
    at = time_of(case)
    empty = Incident(case.incident or case.id, at, at, case.opened_at, 0, case.severity, outflow=False)
    return grown(empty, case)


def grown(incident: Incident, case: Case) -> Incident:
    """``incident`` with one case more; what has been told of it stays."""
    at, units = time_of(case), max(case.units or 0, 0)
    sums, value, unpriced = dict(incident.units), dict(incident.value), dict(incident.unpriced)
    priced_at = incident.priced_at
    if case.asset is not None and case.units is not None:
        sums[case.asset] = sums.get(case.asset, 0) + units
        if case.value is not None:
            currency, amount = case.value["currency"], Decimal(case.value["amount"])
            value[currency] = _EXACT.add(value.get(currency, Decimal(0)), max(amount, Decimal(0)))
            priced_at = min(filter(None, (priced_at, case.value["price_as_of"])), key=datetime.fromisoformat)
        elif units:
            first, total = unpriced.get(case.asset, (units, 0))
            unpriced[case.asset] = (first, total + units)
    return replace(
        incident,
        first_at=min(incident.first_at, at),
        last_at=max(incident.last_at, at),
        last_opened_at=max(incident.last_opened_at, case.opened_at),
        cases=incident.cases + 1,
        severity=min(incident.severity, case.severity, key=_URGENCY.__getitem__),
        outflow=incident.outflow or case.rule not in CONTROL,
        chains=_with(incident.chains, case.chain),
        tiers=_with(incident.tiers, None if case.tier is None else case.tier.value),
        wallets=_with(incident.wallets, case.wallet),
        destinations=incident.destinations + len(case.destinations),
        new_destinations=incident.new_destinations or any(not d.known for d in case.destinations),
        units=sums,
        value=value,
        priced_at=priced_at,
        unpriced=unpriced,
    )


def recorded(incident: Incident | None, case: Case) -> Incident:
    """``incident`` once ``case`` is written: what a page says counts as told."""
    after = _begun(case) if incident is None else grown(incident, case)
    return told(after) if case.pages else after


def told(incident: Incident) -> Incident:
    """``incident`` after a page about it."""
    return replace(incident, told_value=dict(incident.value), told_doublings=incident.doublings)


def remains(case: Case) -> Case:
    """An open case whose incident's page was closed: it pages now, or nobody would hear of it."""
    return replace(case, growth=(*case.growth, Growth.REMAINS))


def _with(names: tuple[str, ...], name: str | None) -> tuple[str, ...]:
    return names if name is None else tuple(sorted({*names, name}))
