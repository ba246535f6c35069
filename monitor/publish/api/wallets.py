"""One wallet: its addresses page by page, how well its holdings are known, who has shown control, its ceremonies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fastapi import FastAPI
from fastapi.responses import Response
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from monitor.ledger import ceremonies, control, reader
from monitor.ledger.control import ControlStatus
from monitor.ledger.encode import Json
from monitor.model import Wallet, rfc3339
from monitor.publish.api.answers import Answer, Shape, answer
from monitor.publish.api.ceremonies import CeremonyBody, render_ceremony
from monitor.publish.api.fields import NameInPath, Size, Text
from monitor.publish.render import coins
from monitor.publish.snapshot import take_snapshot
from monitor.publish.status import render_wallets

if TYPE_CHECKING:
    from monitor.publish.served import Served

#: ceremonies shown with a wallet, the newest; the list of them has all
_CEREMONIES = 20


class WalletHolding(Shape):
    """After the newest block, and after the final one. ``evidence``: how well the last cycle knew it.

    agreed: a quorum of endpoints, or a proof; claimed: at most one endpoint for a part of it; null: nothing was
    held, or no cycle of this process has read the chain.
    """

    asset: str
    seen: str | None
    final: str | None
    evidence: Literal["agreed", "claimed"] | None


class ControlShown(Shape):
    """The newest accepted answer to a challenge."""

    kind: str
    proved_at: str
    height: int
    txid: str | None


class AddressBody(Shape):
    """``opened_height``: from which block on it is followed. ``control``: null where nobody has shown any."""

    address: str
    opened_height: int
    holdings: dict[str, str | None]
    control: ControlShown | None


class WalletBody(Shape):
    """``next``: what to pass as ``after`` for more addresses. ``proved_at``: of all that its chain holds, by proof."""

    name: str
    chain: str
    tier: str
    owner: str
    custodian: str
    ceremonies_required: bool
    addresses_total: int
    control_shown: int
    proved_at: str | None
    holdings: list[WalletHolding]
    addresses: list[AddressBody]
    next: str | None
    ceremonies: list[CeremonyBody]


def add_wallets(app: FastAPI, served: Served) -> None:
    """Add the route of one wallet; the list stands in publish.web."""

    @app.get("/api/v1/wallets/{name}", response_model=Answer[WalletBody])
    def wallet(name: NameInPath, limit: Size = 100, after: Text = None) -> Response:
        """One wallet with its addresses in order; ``next`` is what to pass as ``after``."""
        found = next((each for each in served.scope.wallets if each.name == name), None)
        if found is None:
            raise HTTPException(404, "there is no such wallet")
        return answer(_wallet(served, found, limit, after))


def _wallet(served: Served, wallet: Wallet, limit: int, after: str | None) -> Json:
    snapshot = take_snapshot(served.ledger, served.health, served.scope, served.clock())
    with served.ledger.read() as connection:
        counts = reader.watched_counts(connection)
        locators = reader.locators_of(connection, wallet.name, limit=limit + 1, after=after)
        page = locators[:limit]
        addresses = address_rows(connection, served, wallet, page)
        shown = control.shown_of(connection, wallet.chain, wallet.name)
        planned = ceremonies.of_wallet(connection, wallet.name, _CEREMONIES)
    base = next(each for each in render_wallets(snapshot, counts) if each["name"] == wallet.name)
    proved = served.health.proved.get(wallet.chain)
    return {
        "name": wallet.name,
        "chain": wallet.chain,
        "tier": wallet.tier.value,
        "owner": wallet.owner.value,
        "custodian": wallet.custodian,
        "ceremonies_required": wallet.name in served.particulars.ceremonies_required,
        "addresses_total": base["addresses"],
        "control_shown": shown,
        "proved_at": None if proved is None else rfc3339(proved),
        "holdings": [
            {**line, "evidence": served.health.evidence.get((wallet.chain, wallet.name, line["asset"]))}
            for line in base["holdings"]
        ],
        "addresses": addresses,
        "next": page[-1][0] if len(locators) > limit else None,
        "ceremonies": [render_ceremony(each, served.clock()) for each in planned],
    }


def address_rows(connection: Connection, served: Served, wallet: Wallet, page: list[tuple[str, int]]) -> list[Json]:
    """Addresses of a wallet with what they hold and the newest proof of control of each."""
    names = [locator for locator, _ in page]
    held = reader.units_of(connection, wallet.chain, names)
    proofs = control.proofs_of(connection, wallet.chain, names)
    assets = served.scope.assets.get(wallet.chain, ())
    return [
        {
            "address": locator,
            "opened_height": height,
            "holdings": {
                asset: coins(asset, held[locator, asset], served.scope.decimals)
                for asset in assets
                if held.get((locator, asset))
            },
            "control": _control(proofs.get(locator)),
        }
        for locator, height in page
    ]


def _control(status: ControlStatus | None) -> Json | None:
    if status is None:
        return None
    return {
        "kind": status.proof.kind,
        "proved_at": rfc3339(status.proved_at),
        "height": status.proof.block.height,
        "txid": status.proof.txid or None,
    }
