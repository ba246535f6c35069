"""The journal record by record, each with what ties it to a signed tree head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Path
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from monitor.ledger import heads, reader
from monitor.ledger.heads import Head
from monitor.ledger.journal import JournalError
from monitor.model import rfc3339
from monitor.publish.api.answers import Answer, Shape, answer
from monitor.publish.api.fields import Number, Size, Text

if TYPE_CHECKING:
    from monitor.publish.served import Served

Seq = Annotated[int, Path(ge=1, le=2**63 - 1)]


class TreeHead(Shape):
    """A signed statement about the first ``size`` records (RFC 6962); see the reference of the journal."""

    size: int
    at: str
    root: str
    key: str
    signature: str


class Heading(Shape):
    """One record. ``sealed``: the newest tree head covers it. ``link``: its body, and the proof that it is in there."""

    seq: int
    at: str
    kind: str
    previous: str
    hash: str
    sealed: bool
    link: str


class Records(Shape):
    """``next``: what to pass as ``after``."""

    records: list[Heading]
    next: int | None
    head: TreeHead | None


class Record(Heading):
    """``body``: the canonical JSON that was hashed, as a text. ``inclusion``: hashes from its leaf up to the root."""

    body: str
    head: TreeHead | None
    inclusion: list[str] | None


def add_journal(app: FastAPI, served: Served) -> None:
    """Add the routes."""

    @app.get("/api/v1/journal", response_model=Answer[Records])
    def journal(kind: Text = None, limit: Size = 100, after: Number = None) -> Response:
        """Records of the journal, newest first, without their bodies; ``head`` is the newest signed tree head.

        Nothing is verified here: `porwatch journal verify` does that, or anybody with the records and a tree head.
        """
        with served.ledger.read() as connection:
            found = reader.records(connection, kind=kind, limit=limit + 1, after=after)
            head = heads.newest(connection)
        page = found[:limit]
        return answer(
            {
                "records": [_heading(each, head) for each in page],
                "next": page[-1].seq if len(found) > limit else None,
                "head": None if head is None else head.to_json(),
            }
        )

    @app.get("/api/v1/journal/{seq}", response_model=Answer[Record])
    def record(seq: Seq) -> Response:
        """One record with its body, and the proof that it is in the newest tree head."""
        with served.ledger.read() as connection:
            found = reader.record(connection, seq)
            if found is None:
                raise HTTPException(404, "there is no such record")
            head = heads.newest(connection)
            sealed = head is not None and seq <= head.size
            try:
                inclusion = list(heads.inclusion(connection, seq, head)) if head is not None and sealed else None
            except JournalError as error:
                raise HTTPException(409, f"{error}: run porwatch journal verify") from error
        body: dict[str, Any] = {"body": found.body, "head": head.to_json() if head and sealed else None}
        return answer({**_heading(found, head), **body, "inclusion": inclusion})


def _heading(entry: Any, head: Head | None) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "at": rfc3339(entry.at),
        "kind": entry.kind,
        "previous": entry.previous,
        "hash": entry.hash,
        "sealed": head is not None and entry.seq <= head.size,
        "link": f"/api/v1/journal/{entry.seq}",
    }
