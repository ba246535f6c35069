"""What every step is judged by: the configuration in the form that the stages want."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.assess import Facts
from monitor.attribute import Rules
from monitor.detect import Grace, Halting
from monitor.model import Owner, Price, Tier, Wallet

#: how far a block's own time may be from when it was really seen, used on catch-up only
SKEW = {"bitcoin": timedelta(hours=2), "evm": timedelta(seconds=60)}

#: an approvals feed that sends heartbeats is blind when it has sent none for this long: longer than the minute between
#: two of them, shorter than the default grace of hot wallets, so that no withdrawal comes due before the feed is blind
HEARTBEAT_LATE = timedelta(seconds=90)


@dataclass(slots=True)
class Setup:
    """Changed only by the writer thread's owner, between steps.

    ``owners``: wallet by chain and locator; ``carried``: the assets of each chain; ``known``:
    policy.allow by (chain, tier); ``quorums``: how many endpoints of a chain must agree; ``facts``: what a
    verdict depends on; ``breach_after``: how long a breach may last without a case; ``prices``: the last
    good ones, by asset; ``halting``: which cases ask for a halt of withdrawals; ``shadow``: until when cases are
    recorded and not told, None once that is over; ``ceremonies_required``: wallets that may move inside a confirmed
    window only.
    """

    wallets: Mapping[str, Wallet]
    owners: Mapping[str, dict[str, Wallet]]
    natives: Mapping[str, str]
    carried: Mapping[str, tuple[str, ...]]
    skews: Mapping[str, timedelta]
    decimals: Mapping[str, int]
    rules: Rules
    grace: Grace
    known: Mapping[tuple[str, Tier], frozenset[str]]
    quorums: Mapping[str, int]
    receivers: tuple[str, ...]
    facts: Facts
    breach_after: timedelta
    price_max_age: timedelta
    prices: Mapping[str, Price] = field(default_factory=dict)
    halting: Halting | None = None
    shadow: datetime | None = None
    ceremonies_required: frozenset[str] = frozenset()

    def is_silent(self, now: datetime) -> bool:
        """Whether the shadow lasts: cases are told to nobody."""
        return self.shadow is not None and now < self.shadow

    def fresh_prices(self, now: datetime) -> dict[str, Price]:
        """The prices that are young enough to be used."""
        return {asset: price for asset, price in self.prices.items() if now - price.as_of <= self.price_max_age}

    def known_by_tier(self, chain: str) -> dict[Tier, frozenset[str]]:
        return {tier: self.known.get((chain, tier), frozenset()) for tier in Tier}

    def customers(self, chain: str) -> frozenset[str]:
        """Names of the customer wallets of a chain."""
        return frozenset(w.name for w in self.wallets.values() if w.chain == chain and w.owner is Owner.CUSTOMER)
