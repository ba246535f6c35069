"""Blocks with payments, as the journal records them, for tests of what is listed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chains.core.values import BlockRef
from monitor.ledger.encode import block_to_json
from monitor.ledger.journal import Record
from monitor.ledger.store import Advance, Commit, Ledger, commit
from monitor.model import rfc3339

T0 = 1_790_000_000
NOW = datetime.fromtimestamp(T0, UTC)
DECIMALS = {"BTC": 8, "USDT": 6}


@dataclass(frozen=True, slots=True)
class Paid:
    """One outgoing part; ``txid`` makes it part of a transaction of its own."""

    txid: str
    wallet: str = "hot"
    asset: str = "BTC"
    units: int = 1
    destination: str = "customer"
    reason: str = "approved"
    approval: str = ""
    part: str = "destination"
    direction: str = "out"


class Chain:
    """One chain of a ledger, told block by block."""

    def __init__(self, ledger: Ledger, name: str = "c") -> None:
        self.ledger = ledger
        self.at = BlockRef(name, 100, f"{name}-100", f"{name}-99", T0)
        wallets = {f"{name}-{wallet}": wallet for wallet in ("hot", "cold", "house")}
        opened: dict[str, Any] = {
            "at": block_to_json(self.at),
            "wallets": wallets,
            "assets": ["BTC", "USDT"],
            "holdings": [],
            "coins": [],
            "sequences": {},
        }
        self.put(Commit((Record("opened", opened),), Advance(self.at, None, 100)))

    def put(self, change: Commit) -> None:
        with self.ledger.write() as connection:
            commit(connection, change, NOW)

    def block(self, time: int, *paid: Paid, branch: str = "") -> BlockRef:
        """The next block, with its own time in seconds behind T0."""
        before = self.at
        height = before.height + 1
        self.at = BlockRef(before.chain, height, f"{before.chain}-{height}{branch}", before.hash, T0 + time)
        body = {
            "block": block_to_json(self.at),
            "transactions": [self._transaction(n, each) for n, each in enumerate(paid)],
            "unseen": [],
        }
        self.put(Commit((Record("block", body),) if paid else (), Advance(self.at, before.hash, 100)))
        return self.at

    def rewind(self, to: BlockRef) -> None:
        body = {"to": block_to_json(to), "reversals": [], "approvals": [], "steps": []}
        self.put(Commit((Record("rewound", body),), Advance(to, self.at.hash, 100, rewind=True)))
        self.at = to

    def residual(self, at: BlockRef, units: int, number: int = 1) -> None:
        line = [f"{at.chain}-cold", "BTC", "cold", str(units)]
        self.put(
            Commit((Record("residual", {"at": block_to_json(at), "txid": f"residual-{number}", "accounts": [line]}),))
        )

    def _transaction(self, ordinal: int, paid: Paid) -> dict[str, Any]:
        flow = {
            "idx": 0,
            "wallet": paid.wallet,
            "asset": paid.asset,
            "part": paid.part,
            "direction": paid.direction,
            "destination": paid.destination,
            "receiver": "",
            "sink": 0,
            "units": str(paid.units),
            "reason": paid.reason,
            "approval": paid.approval,
            "note": "",
        }
        locator = f"{self.at.chain}-{paid.wallet}"
        return {
            "txid": paid.txid,
            "ordinal": ordinal,
            "kind": "transaction",
            "earliest": rfc3339(NOW),
            "latest": rfc3339(NOW),
            "fee": "0",
            "steps": {},
            "movements": [[0, locator, paid.asset, paid.wallet, str(-paid.units), ""]],
            "flows": [flow],
        }
