"""What is read: status, wallets, verdict and approvals. Reads run in threads: the ledger waits for the disk."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from monitor.ledger import reader
from monitor.publish.api.fields import Size, Text
from monitor.publish.render import render_approval
from monitor.publish.routes.answers import ApprovalPage, StatusBody, VerdictBody, WalletList, gives
from monitor.publish.served import Served, success
from monitor.publish.snapshot import take_snapshot
from monitor.publish.status import render_status, render_wallets


def add_reads(app: FastAPI, served: Served) -> None:
    """Add the routes."""

    @app.get("/api/v1/status", responses=gives(StatusBody))
    def status() -> Response:
        """Chains, stages, problems, books, cases by state, holdings and outbox."""
        return success(render_status(take_snapshot(served.ledger, served.health, served.scope, served.clock())))

    @app.get("/api/v1/wallets", responses=gives(WalletList))
    def wallets() -> Response:
        """The configured wallets, with what each holds and how many addresses are followed."""
        snapshot = take_snapshot(served.ledger, served.health, served.scope, served.clock())
        with served.ledger.read() as connection:
            counts = reader.watched_counts(connection)
        return success({"wallets": render_wallets(snapshot, counts)})

    @app.get("/api/v1/verdict", responses=gives(VerdictBody))
    def verdict() -> Response:
        """The newest verdict."""
        with served.ledger.read() as connection:
            newest = reader.latest_verdict(connection)
        if newest is None:
            raise HTTPException(404, "no cycle has ended yet")
        return success(newest)

    @app.get("/api/v1/approvals", responses=gives(ApprovalPage))
    def approvals(limit: Size = 100, after: Text = None) -> Response:
        """Approvals by id, with their state; ``next`` is what to pass as ``after``."""
        with served.ledger.read() as connection:
            found = reader.approvals(connection, limit=limit + 1, after=after)
        page = found[:limit]
        rendered = [render_approval(item, state, first_read, served.scope) for item, state, first_read in page]
        return success({"approvals": rendered, "next": page[-1][0].id if len(found) > limit else None})
