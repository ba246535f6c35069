"""An exchange as its security desk sees it: ten wallets, a calm day, then a theft; with any number of old cases.

Everything goes through the ledger's own commits and the real verdict, so that the pages read what they would read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import uvicorn
from sqlalchemy import insert

from chains.core.amounts import parse_units
from chains.core.values import BlockRef
from chains.lab.process import LOOPBACK, free_port, wait_until
from monitor.assess.inputs import Books, Custody, Facts, Inputs, Limits, Line, Owed, Quote, Reading
from monitor.assess.verdict import verdict
from monitor.detect import Announcement, Ceremony
from monitor.health import Health
from monitor.ledger import reader, schema
from monitor.ledger.encode import approval_to_json, canonical, case_to_json
from monitor.ledger.journal import Record
from monitor.ledger.store import Advance, Commit, FeedState, Ledger, Message, commit
from monitor.model import (
    Approval,
    Case,
    CaseState,
    Destination,
    Event,
    Notice,
    Owner,
    Severity,
    Tier,
    Wallet,
    case_id,
    rfc3339,
    utc,
)
from monitor.profiles import read_profile
from monitor.publish.console.site import Entity
from monitor.publish.guard import Access
from monitor.publish.scope import Scope
from monitor.publish.snapshot import Snapshots, take_snapshot
from monitor.publish.web import Served, make_app
from monitor.rules.codec import to_json
from tests.real.servers import get

NOW = utc(1_790_000_000)
DECIMALS = {"BTC": 8, "ETH": 18, "USDT": 6}
CARRIED = {"bitcoin": ("BTC",), "ethereum": ("ETH", "USDT")}
#: wallet -> chain, tier, owner, custodian, what it holds in coins
WALLETS: dict[str, tuple[str, Tier, Owner, str, dict[str, str]]] = {
    "btc-cold-1": ("bitcoin", Tier.COLD, Owner.CUSTOMER, "self", {"BTC": "1204.50318822"}),
    "btc-hot": ("bitcoin", Tier.HOT, Owner.CUSTOMER, "self", {"BTC": "38.00412001"}),
    "eth-cold-1": ("ethereum", Tier.COLD, Owner.CUSTOMER, "self", {"ETH": "18940.25", "USDT": "8000000.000001"}),
    "eth-hot": ("ethereum", Tier.HOT, Owner.CUSTOMER, "self", {"ETH": "611.000000000000000007", "USDT": "500000"}),
    "eth-warm": ("ethereum", Tier.WARM, Owner.CUSTOMER, "self", {"ETH": "120.5", "USDT": "74210.55"}),
    "house-btc": ("bitcoin", Tier.HOT, Owner.HOUSE, "self", {"BTC": "12.5"}),
    "house-eth": ("ethereum", Tier.WARM, Owner.HOUSE, "self", {"ETH": "40", "USDT": "20000"}),
    "guarantee-btc": ("bitcoin", Tier.COLD, Owner.GUARANTEE, "self", {"BTC": "40"}),
    "guarantee-eth": ("ethereum", Tier.COLD, Owner.GUARANTEE, "self", {"ETH": "740", "USDT": "580000"}),
}
OWED = {"BTC": "1241.9", "ETH": "19600", "USDT": "8574210.55"}
PRICES = {"BTC": "15200000", "ETH": "512000", "USDT": "151.20"}
ENTITY = Entity("Example Exchange KK", "Asia/Tokyo")
THIEF = "0x" + "9f" * 20
PAYEE = "0x" + "3c" * 20
SCOPE = Scope(
    version="0.1.0",
    wallets=tuple(
        Wallet(name, chain, tier, owner, custodian, order)
        for order, (name, (chain, tier, owner, custodian, _)) in enumerate(WALLETS.items())
    ),
    assets=CARRIED,
    decimals=DECIMALS,
    receivers=("alertmanager-1", "alertmanager-2"),
    sources=("liabilities", "approvals", "prices"),
    endpoints={"bitcoin": ("own-1", "own-2"), "ethereum": ("own-1", "provider-a", "provider-b")},
)


def digest(*parts: object) -> str:
    return sha256("/".join(map(str, parts)).encode()).hexdigest()


def block(chain: str, height: int, at: datetime = NOW) -> BlockRef:
    mark = "0x" if chain == "ethereum" else ""
    return BlockRef(chain, height, mark + digest(chain, height), mark + digest(chain, height - 1), int(at.timestamp()))


FIRST = {
    "bitcoin": block("bitcoin", 905_120, NOW - timedelta(hours=2)),
    "ethereum": block("ethereum", 23_412_000, NOW - timedelta(hours=2)),
}


def locator(wallet: str, number: int = 0) -> str:
    ours = digest(wallet, number)
    return f"0x{ours[:40]}" if WALLETS[wallet][0] == "ethereum" else f"bc1q{ours[:38]}"


class Desk:
    """The ledger, the health beside it, and who acts on cases."""

    def __init__(self, ledger: Ledger, now: datetime = NOW) -> None:
        self.ledger = ledger
        self.now = now
        self.health = Health(started_at=now - timedelta(days=9), chains=tuple(CARRIED))
        self.acted: list[tuple[str, str, str, str]] = []

    def commit(self, change: Commit, at: datetime | None = None) -> None:
        with self.ledger.write() as connection:
            commit(connection, change, at or self.now)

    def open(self, accounts: int = 0) -> None:
        """Open both chains; ``accounts``: further addresses of the hot wallets, all empty."""
        for chain, first in FIRST.items():
            wallets, holdings = {}, []
            for name, (where, _, _, _, held) in WALLETS.items():
                if where == chain:
                    wallets[locator(name)] = name
                    holdings += [
                        [locator(name), asset, str(parse_units(coins, DECIMALS[asset]))]
                        for asset, coins in held.items()
                    ]
            hot = {"bitcoin": "btc-hot", "ethereum": "eth-hot"}[chain]
            wallets |= {locator(hot, number): hot for number in range(1, accounts // 2 + 1)}
            body = {
                "at": {
                    "chain": chain,
                    "height": first.height,
                    "hash": first.hash,
                    "parent": first.parent,
                    "time": first.time,
                },
                "assets": list(CARRIED[chain]),
                "wallets": wallets,
                "holdings": holdings,
                "coins": [],
                "sequences": {},
            }
            self.commit(
                Commit((Record("opened", body),), Advance(first, None, first.height - 6)), NOW - timedelta(hours=2)
            )

    def transaction(
        self, chain: str, number: int, *flows: dict[str, Any], at: datetime, final_behind: int = 6
    ) -> BlockRef:
        """A block behind the last one with one transaction; a flow names wallet, asset, coins, reason and the rest."""
        with self.ledger.read() as connection:
            last = reader.cursors(connection)[chain].at
        ref = replace(block(chain, last.height + 1, at), parent=last.hash)
        txid = ("0x" if chain == "ethereum" else "") + digest("tx", chain, number)
        lines, movements = [], []
        for index, flow in enumerate(flows):
            if flow.get("approval"):
                self.approve_movement(flow["approval"], chain, flow["asset"], flow["coins"], flow["destination"], at)
            units = parse_units(flow["coins"], DECIMALS[flow["asset"]])
            out = flow.get("direction", "out") == "out"
            movements.append(
                [index, locator(flow["wallet"]), flow["asset"], flow["wallet"], str(-units if out else units), ""]
            )
            lines.append(
                {
                    "idx": index,
                    "wallet": flow["wallet"],
                    "asset": flow["asset"],
                    "part": flow.get("part", "destination"),
                    "direction": flow.get("direction", "out"),
                    "destination": flow.get("destination", ""),
                    "receiver": flow.get("receiver", ""),
                    "sink": index,
                    "units": str(units),
                    "reason": flow["reason"],
                    "approval": flow.get("approval", ""),
                    "note": flow.get("note", ""),
                }
            )
        body = {
            "txid": txid,
            "ordinal": 0,
            "kind": "transaction",
            "movements": movements,
            "flows": lines,
            "steps": {},
            "earliest": rfc3339(at),
            "latest": rfc3339(at),
            "fee": None,
        }
        record = Record(
            "block",
            {
                "block": {"chain": chain, "height": ref.height, "hash": ref.hash, "time": ref.time},
                "transactions": [body],
            },
        )
        self.commit(Commit((record,), Advance(ref, last.hash, ref.height - final_behind)), at)
        return ref

    def approve_movement(self, name: str, chain: str, asset: str, coins: str, destination: str, at: datetime) -> None:
        units, until = parse_units(coins, DECIMALS[asset]), at + timedelta(days=1)
        item = Approval(name, chain, asset, units, destination, None, None, None, until, None, None, None, digest(name))
        body = {"approval": approval_to_json(item), "first_read": rfc3339(at)}
        self.commit(Commit((Record("approval", body),)), at)

    def judge(
        self, number: int, at: datetime, previous: str, kind: str = "provisional", held: dict[str, str] | None = None
    ) -> str:
        """Journal a verdict; ``held``: coins of eth-hot's USDT and the like that differ from WALLETS. Returns its hash."""
        body = verdict(_inputs(number, at, previous, kind, held or {}))
        self.commit(Commit((Record("verdict", body),)), at)
        return str(body["hash"])

    def put(self, *cases: Case) -> None:
        self.commit(Commit(tuple(Record("case", case_to_json(case)) for case in cases)))

    # What the HTTP interface asks of the program.

    async def approve(self, body: object) -> Any:
        raise AssertionError

    async def notified(self, case_id: str, notice: Notice, name: str, reason: str, how: str = "none") -> Case:
        raise AssertionError

    async def add_addresses(self, wallet: str, addresses: Sequence[str], by: str) -> list[str]:
        raise AssertionError

    async def announce(self, wanted: Announcement, name: str, user: str) -> Ceremony:
        raise AssertionError

    async def confirm(self, ceremony_id: str, name: str, user: str) -> Ceremony:
        raise AssertionError

    async def cancel(self, ceremony_id: str, name: str, reason: str, user: str) -> Ceremony:
        raise AssertionError

    async def ask_control(self, body: object) -> list[dict[str, Any]]:
        raise AssertionError

    async def show_control(self, body: object) -> list[dict[str, Any]]:
        raise AssertionError

    async def act(
        self, case_id: str, action: Literal["ack", "close"], name: str, reason: str, how: str = "none"
    ) -> Case:
        with self.ledger.read() as connection:
            found = reader.case(connection, case_id)
        if found is None:
            raise KeyError(case_id)
        wanted = CaseState.ACKNOWLEDGED if action == "ack" else CaseState.CLOSED
        if found.state is CaseState.CLOSED or found.state is wanted:
            raise ValueError("its state does not allow that")
        event = Event(self.now, wanted.value, name, reason)
        changed = replace(found, state=wanted, history=(*found.history, event))
        self.put(changed)
        self.acted.append((case_id, action, name, reason))
        return changed


def _inputs(number: int, at: datetime, previous: str, kind: str, held: dict[str, str]) -> Inputs:
    lines: dict[str, list[Line]] = {chain: [] for chain in CARRIED}
    for name, (chain, _, _, _, amounts) in WALLETS.items():
        for asset, coins in amounts.items():
            units = parse_units(held.get(f"{name}/{asset}", coins), DECIMALS[asset])
            lines[chain].append(Line(name, asset, units, units))
    facts = Facts(
        entity=ENTITY.name,
        currency="JPY",
        timezone=ENTITY.timezone,
        assets=DECIMALS,
        wallets=tuple(
            Custody(wallet=w.name, chain=w.chain, tier=w.tier, owner=w.owner, custodian=w.custodian)
            for w in SCOPE.wallets
        ),
        custodians={},
        limits=Limits(26 * 3600, 26 * 3600, statements=40 * 86_400, funds=40 * 86_400, declared=400 * 86_400),
        configured=("jp-psa-2020",),
        profiles=(to_json(read_profile("jp-psa-2020")),),
    )
    books = Books(
        liabilities=tuple(Owed(asset, parse_units(coins, DECIMALS[asset]), at) for asset, coins in OWED.items()),
        liabilities_reason="",
        prices=tuple(Quote(asset, "JPY", price, at) for asset, price in PRICES.items()),
    )
    return Inputs(
        number=number,
        kind=kind,
        at=at,
        previous_hash=previous,
        since={},
        facts=facts,
        books=books,
        readings=tuple(Reading(chain, assets, FIRST[chain], tuple(lines[chain])) for chain, assets in CARRIED.items()),
        transit=(),
        residuals=(),
        open_residual_cases=0,
        uncompared=(),
        begun=(),
        open_cases=0,
    )


#: the case of the theft: from its transaction, wallet and asset, as porwatch names it
THEFT = case_id("ethereum", "0x" + digest("tx", "ethereum", 99), "eth-hot", "USDT")


def theft(at: BlockRef, txid: str, **changes: Any) -> Case:
    """What the desk is woken for: USDT out of the hot wallet to a new address."""
    case = Case(
        id=THEFT,
        rule="unexplained_outflow",
        rules=("unexplained_outflow", "unknown_destination"),
        severity=Severity.CRITICAL,
        state=CaseState.OPEN,
        opened_at=NOW - timedelta(seconds=72),
        chain="ethereum",
        wallet="eth-hot",
        tier=Tier.HOT,
        asset="USDT",
        units=parse_units("412650.000001", 6),
        fee_asset="ETH",
        fee_units=parse_units("0.000412", 18),
        destinations=(Destination(THIEF, parse_units("412650.000001", 6), known=False),),
        txid=txid,
        block=at,
        seen_at="seen",
        detected_after_ms=640,
        value={"amount": "62392680.00", "currency": "JPY", "price_as_of": rfc3339(NOW - timedelta(hours=3))},
        evidence={"endpoints": ["own-1", "provider-a", "provider-b"], "witness": "agreed", "near": []},
        history=(Event(NOW - timedelta(seconds=72), "opened", "porwatch", "no approval names the destination"),),
    )
    return replace(case, **changes)


def calm(desk: Desk, accounts: int = 0) -> None:
    """A day on which everything is explained."""
    desk.open(accounts)
    for number, minutes in enumerate(range(110, 10, -10)):
        at = NOW - timedelta(minutes=minutes)
        if number % 3 == 0:
            desk.transaction(
                "bitcoin",
                number,
                {
                    "wallet": "btc-hot",
                    "asset": "BTC",
                    "coins": f"0.{number + 11}2",
                    "reason": "approved",
                    "destination": "bc1q" + digest("payee", number)[:38],
                    "approval": f"w-{1000 + number}",
                },
                {"wallet": "btc-hot", "asset": "BTC", "coins": "0.0000141", "reason": "fee", "part": "fee"},
                at=at,
            )
        elif number % 3 == 1:
            desk.transaction(
                "ethereum",
                number,
                {
                    "wallet": "eth-hot",
                    "asset": "USDT",
                    "coins": f"{number}250.5",
                    "reason": "approved",
                    "destination": PAYEE,
                    "approval": f"w-{1000 + number}",
                },
                {"wallet": "eth-hot", "asset": "ETH", "coins": "0.000412", "reason": "fee", "part": "fee"},
                at=at,
            )
        else:
            desk.transaction(
                "ethereum",
                number,
                {
                    "wallet": "eth-hot",
                    "asset": "ETH",
                    "coins": f"{number}.25",
                    "reason": "deposit",
                    "direction": "in",
                    "part": "receipt",
                },
                at=at,
            )
    previous = ""
    for number in range(1, 5):
        kind = "close" if number == 2 else "provisional"
        previous = desk.judge(number, NOW - timedelta(minutes=5 - number), previous, kind)
    for source, heartbeat in (("liabilities", None), ("approvals", NOW - timedelta(seconds=9)), ("prices", None)):
        desk.commit(Commit(feed=FeedState(source, "{}", heartbeat, 1204, 0, NOW - timedelta(seconds=4))))
    health = desk.health
    for chain in CARRIED:
        health.success("follow", chain, NOW - timedelta(seconds=2))
        health.success("cycle", chain, NOW - timedelta(seconds=31))
        health.success("prove", chain, NOW - timedelta(minutes=4))
        health.identified[chain] = health.following[chain] = True
        with desk.ledger.read() as connection:
            health.heads[chain] = reader.cursors(connection)[chain].at.height
        for name in SCOPE.endpoints[chain]:
            health.rpc[chain, name, "ok"] = 18_204
    health.success("books", "", NOW - timedelta(seconds=4))
    health.success("deliver", "", NOW - timedelta(seconds=3))


def stolen(desk: Desk) -> Case:
    """The theft, an endpoint that lied about it, and a withdrawal that waits for its approval."""
    at = desk.transaction(
        "ethereum",
        99,
        {
            "wallet": "eth-hot",
            "asset": "USDT",
            "coins": "412650.000001",
            "reason": "unexplained",
            "destination": THIEF,
            "note": "no approval names this destination",
        },
        {"wallet": "eth-hot", "asset": "ETH", "coins": "0.000412", "reason": "fee", "part": "fee"},
        at=NOW - timedelta(seconds=73),
    )
    case = theft(at, "0x" + digest("tx", "ethereum", 99), incident=THEFT)
    lie = replace(
        case,
        incident=None,
        id=digest("lie")[:16],
        rule="endpoint_lies",
        rules=("endpoint_lies",),
        severity=Severity.WARNING,
        wallet=None,
        tier=None,
        asset=None,
        units=None,
        fee_asset=None,
        fee_units=None,
        destinations=(),
        txid=None,
        value=None,
        subject="provider-b",
        opened_at=NOW - timedelta(minutes=38),
        state=CaseState.ACKNOWLEDGED,
        evidence={"endpoint": "provider-b", "asked": "eth_getBalance"},
    )
    cold = replace(
        case,
        id=digest("cold")[:16],
        rule="cold_without_approval",
        rules=("cold_without_approval",),
        wallet="btc-cold-1",
        chain="bitcoin",
        tier=Tier.COLD,
        asset="BTC",
        units=0,
        fee_asset="BTC",
        fee_units=1410,
        destinations=(),
        value=None,
        opened_at=NOW - timedelta(minutes=4),
        txid=digest("cold"),
        block=block("bitcoin", 905_121),
    )
    waiting = replace(
        case,
        incident=None,
        id=digest("wait")[:16],
        state=CaseState.PENDING,
        units=25_000_000,
        value=None,
        due_at=NOW + timedelta(seconds=55),
        opened_at=NOW - timedelta(seconds=65),
        wallet="eth-warm",
        tier=Tier.WARM,
        destinations=(Destination(PAYEE, 25_000_000, known=True),),
        txid="0x" + digest("wait"),
    )
    desk.put(case, lie, cold, waiting)
    desk.health.quarantined["ethereum"] = ("provider-b",)
    desk.health.disagreements["ethereum", "provider-b"] = 3
    desk.health.rpc["ethereum", "provider-b", "bad_answer"] = 3
    with desk.ledger.read() as connection:
        previous = reader.latest_verdict(connection)
        desk.health.heads["ethereum"] = reader.cursors(connection)["ethereum"].at.height + 1
    assert previous is not None
    desk.judge(5, NOW - timedelta(seconds=31), previous["hash"], held={"eth-hot/USDT": "87349.999999"})
    desk.commit(Commit(messages=(Message("alertmanager-2", case.id, "{}"),)), NOW - timedelta(seconds=20))
    return case


def crowd(desk: Desk, count: int) -> None:
    """Old cases, all closed but every fifth one: what ten thousand of them do to a page. Put into their table at once."""
    base = theft(block("ethereum", 23_000_000), "0x" + digest("old"), severity=Severity.WARNING)
    body, began = canonical(case_to_json(base)), rfc3339(base.opened_at)
    plain = ("rule", "chain", "wallet", "asset", "units", "due_at")
    same = {**{name: getattr(base, name) for name in plain}, "severity": "warning", "tier": "hot"}
    rows = []
    for number in range(count):
        opened = NOW - timedelta(days=2, seconds=number)
        own = {"id": digest("crowd", number)[:16], "txid": "0x" + digest("old", number)}
        state = "acknowledged" if number % 5 == 0 else "closed"
        text = body.replace(base.id, own["id"]).replace(str(base.txid), own["txid"]).replace(began, rfc3339(opened))
        text = text.replace('"state":"open"', f'"state":"{state}"')
        rows.append({**same, **own, "state": state, "opened_at": opened, "body": text})
    with desk.ledger.write() as connection:
        connection.execute(insert(schema.cases), rows)


@dataclass
class Site:
    """The HTTP interface of a desk on a port of its own."""

    url: str
    port: int
    desk: Desk
    snapshots: Snapshots
    stop: Callable[[], None]

    def refresh(self) -> None:
        """As if a second had passed: what is published is taken anew."""
        self.snapshots.latest = take_snapshot(self.desk.ledger, self.desk.health, SCOPE, self.desk.now)


@contextmanager
def serve(folder: Path, fill: Callable[[Desk], object], clock: Callable[[], datetime] = lambda: NOW) -> Iterator[Site]:
    """A desk, filled by ``fill``, served until the end of the block."""
    ledger = Ledger(f"sqlite:///{folder / 'porwatch.db'}")
    desk = Desk(ledger)
    fill(desk)
    snapshots = Snapshots(ledger, desk.health, SCOPE, clock)
    port = free_port()
    access = Access(LOOPBACK, f"http://{LOOPBACK}:{port}")
    served = Served(
        ledger, desk.health, snapshots, SCOPE, desk, access, runbook=lambda name, lang: None, clock=clock, entity=ENTITY
    )
    server = uvicorn.Server(
        uvicorn.Config(make_app(served), host=LOOPBACK, port=port, log_level="warning", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: get(port, "/-/healthy")[0] == 200, "porwatch to answer")

    def stop() -> None:
        server.should_exit = server.force_exit = True
        thread.join()

    yield Site(f"http://{LOOPBACK}:{port}", port, desk, snapshots, stop)
    stop()
    ledger.close()
