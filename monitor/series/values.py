"""What the past of the chains and the books is told in. Times are UTC; units are whole base units of the asset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.model import Direction, Part, Reason

#: kinds of changes that are no transaction: a residual booked, and addresses that begin to be followed
RESIDUAL, OPENED = "residual", "opened"


@dataclass(frozen=True, slots=True)
class Step:
    """From ``at`` on it is ``units`` (None: unknown, and never zero), because of ``cause``."""

    at: datetime
    units: int | None
    cause: str


@dataclass(frozen=True, slots=True)
class Change:
    """One wallet's units of an asset changed by ``units`` (signed) in one transaction.

    ``at``: the moment of its block (see ``moments``). ``kind``: that of the transaction, RESIDUAL or OPENED.
    """

    chain: str
    height: int
    at: datetime
    txid: str
    wallet: str
    asset: str
    units: int
    kind: str


@dataclass(frozen=True, slots=True)
class Payment:
    """One flow part of a wallet, with who stood at the other end as ``party``.

    ``party``: an own wallet (``own``), an outside address, or "" where the ledger does not know: a fee, a
    reward, and the sender of a deposit. Change is no payment.
    """

    chain: str
    height: int
    at: datetime
    txid: str
    wallet: str
    asset: str
    direction: Direction
    part: Part
    reason: Reason
    party: str
    own: bool
    units: int


@dataclass(frozen=True, slots=True)
class Regrouped:
    """Addresses changed their wallet or were dropped, or assets were: the units before cannot be told from those after.

    ``at``: when the ledger did so. ``kind``: assigned, retired, asset_retired. ``wallets``: where they went.
    """

    chain: str
    at: datetime
    kind: str
    count: int
    wallets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """What a chain's wallets did in a period.

    ``begin``: from when on this is exact: the period's begin, or the last regrouping after it. ``until``: how far the
    chain was followed, at most the period's end. Before or behind them all is unknown; where ``begin`` is
    behind ``until`` that is all of it. ``opening`` and ``closing``: units by (wallet, asset) at ``begin`` and
    at ``until``. ``known_from``: by asset, from when on it was followed, where that began in the period.
    ``final``: no block of the period can be reorganised away any more.
    """

    chain: str
    assets: tuple[str, ...]
    begin: datetime
    until: datetime
    opening: Mapping[tuple[str, str], int]
    closing: Mapping[tuple[str, str], int]
    changes: tuple[Change, ...]
    payments: tuple[Payment, ...]
    known_from: Mapping[str, datetime]
    regrouped: tuple[Regrouped, ...] = ()
    final: bool = True
