"""Inputs of a verdict, made of a few words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from chains.core.amounts import parse_units
from chains.core.values import BlockRef
from monitor.assess import Books, Custody, Facts, Inputs, Limits, Line, Owed, Quote, Reading
from monitor.model import Owner, Tier
from monitor.profiles import read_profile
from monitor.rules.codec import to_json

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
AT = BlockRef("c", 7, "h7", "h6", 1_700_000_000)
DAY = 86_400
#: class -> (tier, owner, custodian)
WALLETS = {
    "cold": (Tier.COLD, Owner.CUSTOMER, "self"),
    "hot": (Tier.HOT, Owner.CUSTOMER, "self"),
    "third": (Tier.COLD, Owner.CUSTOMER, "Trustee"),
    "guarantee": (Tier.COLD, Owner.GUARANTEE, "self"),
    "house": (Tier.HOT, Owner.HOUSE, "self"),
}
DECIMALS = {"BTC": 8, "ETH": 18, "XRP": 6}


@cache
def profile_json(name: str) -> dict[str, Any]:
    return to_json(read_profile(name))


def custody(name: str, **more: Any) -> Custody:
    tier, owner, custodian = WALLETS[name]
    return Custody(wallet=name, chain="c", tier=tier, owner=owner, custodian=custodian, **more)


def lines(held: Mapping[str, Mapping[str, str]], *, verified: bool = True) -> tuple[Line, ...]:
    """wallet -> asset -> coins as text."""
    found = []
    for wallet, amounts in held.items():
        for asset, coins in amounts.items():
            units = parse_units(coins, DECIMALS[asset])
            found.append(Line(wallet, asset, units, units if verified else 0))
    return tuple(found)


def inputs(
    held: Mapping[str, Mapping[str, str]],
    owed: Mapping[str, str] | None = None,
    prices: Mapping[str, str] | None = None,
    profiles: tuple[str, ...] = (),
    currency: str = "JPY",
    **more: Any,
) -> Inputs:
    facts = Facts(
        entity="Example",
        currency=currency,
        timezone="Asia/Tokyo",
        assets=DECIMALS,
        wallets=tuple(custody(name) for name in WALLETS),
        custodians={},
        limits=Limits(*(26 * 3600, 26 * 3600), statements=40 * DAY, funds=40 * DAY, declared=400 * DAY),
        configured=profiles,
        profiles=tuple(profile_json(name) for name in profiles),
    )
    declared = None if owed is None else tuple(Owed(a, parse_units(x, DECIMALS[a]), NOW) for a, x in owed.items())
    books = Books(
        liabilities=declared,
        liabilities_reason="" if declared is not None else "no liabilities are configured",
        prices=tuple(Quote(asset, currency, price, NOW) for asset, price in (prices or {}).items()),
    )
    made = Inputs(
        number=3,
        kind="close",
        at=NOW,
        previous_hash="p",
        since={},
        facts=facts,
        books=books,
        readings=(Reading("c", tuple(DECIMALS), AT, lines(held)),),
        transit=(),
        residuals=(),
        open_residual_cases=0,
        uncompared=(),
        begun=(),
        open_cases=0,
    )
    return replace(made, **more)
