"""What one cycle costs over 100,000 accounts of 50 assets in 200 wallets, under five profiles.

The accounts are opened in a ledger on disk, then a cycle's readings are taken as the monitor takes them: compared
with the ledger, summed, judged, journalled. The verdict is computed again from the JSON of its inputs first, and
must be equal. Goal: at most 2 s. Run alone: python -m bench.cycle
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chains.core.values import Account, BlockRef, Holdings, Opening
from monitor import assess
from monitor.assess import Books, Custody, Owed, Quote
from monitor.ledger.store import Ledger
from monitor.model import Owner, Tier, Wallet
from monitor.profiles import read_profile
from monitor.rules.codec import to_json
from monitor.step import Outcome, take
from monitor.step.observations import Measured, Opened
from monitor.step.setup import Setup
from tests.scenarios.stage import setup_of

LOCATORS, ASSETS, WALLETS, CYCLES = 2_000, 50, 200, 5
PROFILES = ("jp-psa-2020", "jp-fiea-2026", "hk-vatp", "sg-psr", "eu-mica-casp")
GOAL_SECONDS = 2.0
CHAIN = "ethereum"
NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
AT = BlockRef(CHAIN, 100, "h100", "h99", int(NOW.timestamp()) - 60)


def run() -> list[str]:
    """The lines of the result. Raises AssertionError where the verdict cannot be computed again."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"sqlite:///{folder}/ledger.db")
        setup, opening, holdings = _exchange()
        with ledger.write() as connection:
            take(connection, setup, opening, NOW)
        first = _cycle(ledger, setup, holdings)
        assert first.inputs is not None
        again = assess.verdict(assess.from_json(assess.canonical_bytes(first.inputs).decode()))
        assert again == first.verdict
        seconds = []
        for _ in range(CYCLES):
            began = time.perf_counter()
            _cycle(ledger, setup, holdings)
            seconds.append(time.perf_counter() - began)
        ledger.close()
    median = statistics.median(seconds)
    checks = len(again["checks"])
    reached = "reached" if median <= GOAL_SECONDS else "NOT reached"
    size = (
        f"{LOCATORS * ASSETS:,} accounts, {ASSETS} assets, {WALLETS} wallets, {len(PROFILES)} profiles, {checks} checks"
    )
    return [
        f"cycle: {size}; the verdict from the JSON of its inputs is equal",
        f"  {median:.2f} s from readings to commit, median of {CYCLES}; goal at most {GOAL_SECONDS:g} s: {reached}",
    ]


def _cycle(ledger: Ledger, setup: Setup, holdings: Holdings) -> Outcome:
    names = setup.facts.assets
    books = Books(
        liabilities=tuple(Owed(asset, LOCATORS * 10**6, NOW) for asset in names),
        prices=tuple(Quote(asset, c, "12.5", NOW) for asset in names for c in ("JPY", "HKD", "SGD", "EUR")),
    )
    observation = Measured(
        kind="provisional",
        anchors={CHAIN: AT},
        holdings={CHAIN: holdings},
        proved={},
        failures={},
        as_of=(),
        books=books,
        unseen={},
    )
    with ledger.write() as connection:
        return take(connection, setup, observation, NOW)


def _exchange() -> tuple[Setup, Opened, Holdings]:
    """The set-up, the opening of every address, and what each held: two thirds of the wallets cold."""
    assets = tuple(f"A{number:02}" for number in range(ASSETS))
    tiers = (Tier.COLD, Tier.COLD, Tier.HOT)
    wallets = {f"w{n}": Wallet(f"w{n}", CHAIN, tiers[n % 3], Owner.CUSTOMER, "self", n) for n in range(WALLETS)}
    owners = {f"0x{n:040x}": wallets[f"w{n % WALLETS}"] for n in range(LOCATORS)}
    base, _ = setup_of({"wallets": {"w0": {"chain": CHAIN, "tier": "cold"}}})
    facts = replace(
        base.facts,
        assets=dict.fromkeys(assets, 6),
        wallets=tuple(Custody(w.name, CHAIN, w.tier, w.owner, w.custodian) for w in wallets.values()),
        configured=PROFILES,
        profiles=tuple(to_json(read_profile(name)) for name in PROFILES),
    )
    setup = replace(
        base,
        wallets=wallets,
        owners={CHAIN: owners},
        natives={CHAIN: assets[0]},
        carried={CHAIN: assets},
        decimals=dict.fromkeys(assets, 6),
        facts=facts,
    )
    units = {Account(CHAIN, locator, asset): 10**6 + n for n, locator in enumerate(owners) for asset in assets}
    opened = Opened(
        opening=Opening(replace(AT, height=90, hash="h90", parent="h89"), units),
        wallets={locator: wallet.name for locator, wallet in owners.items()},
        assets=assets,
        final_height=90,
        first=True,
    )
    return setup, opened, Holdings(AT, units, ("endpoint-1", "endpoint-2"))


if __name__ == "__main__":
    print("\n".join(run()))
