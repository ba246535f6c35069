"""A small exchange, a theft from it, and a ledger to put cases into."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from chains.core.values import BlockRef
from monitor.ledger.encode import canonical, case_to_json
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, Ledger, Message, commit
from monitor.model import Case, CaseState, Destination, Event, Owner, Severity, Tier, Wallet, utc
from monitor.publish.scope import Scope

NOW = utc(1_790_000_000)
BLOCK = BlockRef("ethereum", 120, "0x" + "ab" * 32, "0x" + "cd" * 32, 1_789_999_990)
TXID = "0x" + "11" * 32
THIEF = "0x" + "99" * 20
DECIMALS = {"BTC": 8, "ETH": 18, "USDT": 6}
WALLETS = (
    Wallet("btc-cold", "bitcoin", Tier.COLD, Owner.CUSTOMER, "self", 0),
    Wallet("eth-hot", "ethereum", Tier.HOT, Owner.CUSTOMER, "self", 1),
    Wallet("eth-house", "ethereum", Tier.WARM, Owner.HOUSE, "self", 2),
)
SCOPE = Scope(
    version="0.1.0",
    wallets=WALLETS,
    assets={"bitcoin": ("BTC",), "ethereum": ("ETH", "USDT")},
    decimals=DECIMALS,
    receivers=("alertmanager-1",),
    sources=("approvals", "liabilities"),
    endpoints={"bitcoin": ("own",), "ethereum": ("endpoint-1", "endpoint-2")},
)
THEFT = Case(
    id="c0ffee0000000001",
    rule="unexplained_outflow",
    rules=("unexplained_outflow",),
    severity=Severity.CRITICAL,
    state=CaseState.OPEN,
    opened_at=NOW,
    chain="ethereum",
    wallet="eth-hot",
    tier=Tier.HOT,
    asset="USDT",
    units=250_000_001,
    fee_asset="ETH",
    fee_units=21_000_000_000_000,
    destinations=(Destination(THIEF, 250_000_001, known=False),),
    txid=TXID,
    block=BLOCK,
    seen_at="seen",
    detected_after_ms=420,
    value={"amount": "37500.00", "currency": "JPY", "price_as_of": "2026-09-21T00:00:00Z"},
    evidence={"source": "claimed by one endpoint"},
    history=(Event(NOW, "opened", "porwatch", ""),),
)


def numbered(number: int, **changes: object) -> Case:
    """The theft again as another case, opened a second later each."""
    return replace(THEFT, id=f"{number:016x}", opened_at=NOW + timedelta(seconds=number), **changes)  # type: ignore[arg-type]


class Store:
    """A ledger and the commits that tests make to it."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def put(self, *cases: Case, receivers: tuple[str, ...] = ()) -> None:
        messages = tuple(
            Message(receiver, case.id, canonical(case_to_json(case))) for case in cases for receiver in receivers
        )
        self.commit(Commit(tuple(Record("case", case_to_json(case)) for case in cases), messages=messages))

    def commit(self, change: Commit) -> None:
        with self.ledger.write() as connection:
            commit(connection, change, NOW)
