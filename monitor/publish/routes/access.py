"""Who read which case."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query
from fastapi.responses import Response

from monitor.ledger import access
from monitor.model import rfc3339
from monitor.publish.api.fields import Size, Text
from monitor.publish.routes.answers import ReadPage, gives
from monitor.publish.served import Served, success

Before = Annotated[int | None, Query(ge=1, le=2**63 - 1)]


def add_access(app: FastAPI, served: Served) -> None:
    """Add the route."""

    @app.get("/api/v1/access", responses=gives(ReadPage))
    def reads(case: Text = None, name: Text = None, limit: Size = 100, before: Before = None) -> Response:
        """Who was shown which case, newest first: one line a caller, case and hour, a second after the first read."""
        with served.ledger.read() as connection:
            found = access.reads(connection, case_id=case, name=name, limit=limit + 1, before=before)
        page = found[:limit]
        lines = [
            {
                "at": rfc3339(each.at),
                "name": each.name or None,
                "how": each.how,
                "role": each.role or None,
                "client": each.client,
                "case": each.case_id,
            }
            for _, each in page
        ]
        return success({"reads": lines, "next": page[-1][0] if len(found) > limit else None})
