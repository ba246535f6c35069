"""What moved, with what explains it: GET /api/v1/movements, and the same as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query
from fastapi.responses import Response
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from chains.core.amounts import format_coins
from monitor.ledger import reader
from monitor.ledger.encode import Json
from monitor.ledger.reader import Line, Place, Wanted
from monitor.model import Reason, case_id, rfc3339
from monitor.publish.api.answers import Answer, Shape, answer
from monitor.publish.api.fields import Size, Text, coins, moment
from monitor.publish.report.csv_form import safe_cell

if TYPE_CHECKING:
    from monitor.publish.served import Served

#: lines of one CSV file: a spreadsheet opens it, and it is made in memory
MOST_IN_FILE = 5_000
Direction = Literal["in", "out"]


class Block(Shape):
    """The block that holds it; ``final``: it can no longer be reorganised away."""

    height: int
    hash: str
    time: str
    final: bool


class Movement(Shape):
    """A flow part, or a residual as it was booked.

    ``part``: destination, own (another own wallet), fee, receipt, change, residual. ``known``: whether policy.allow
    lists the destination, which explains nothing; null where nothing was paid to others. ``match``: T0 where the
    approval names the very transaction, T1 where it says what may leave, to whom and when. ``note``: approvals that
    nearly fit. ``case``: that of this transaction, wallet and asset.
    """

    id: str
    chain: str
    block: Block
    txid: str
    wallet: str
    tier: str | None
    owner: str | None
    asset: str
    direction: Direction
    part: Literal["destination", "own", "fee", "receipt", "change", "residual"]
    reason: str
    amount: str | None
    units: str
    destination: str | None
    receiver: str | None
    known: bool | None
    account: str | None
    approval: str | None
    match: Literal["T0", "T1"] | None
    note: str | None
    case: str | None
    case_state: str | None
    seen_between: list[str] | None


class Movements(Shape):
    """``next``: what to pass as ``after``. A page may be short, or empty, and still have a next one."""

    movements: list[Movement]
    next: str | None


def conditions(  # noqa: PLR0913, PLR0917  filters by name
    chain: Text = None,
    wallet: Text = None,
    asset: Text = None,
    direction: Direction | None = None,
    reason: Reason | None = None,
    txid: Text = None,
    destination: Annotated[Text, Query(description="The address that was paid or received.")] = None,
    begin: Annotated[Text, Query(alias="from", description="The block's own time, RFC 3339.")] = None,
    end: Annotated[Text, Query(alias="to", description="The block's own time, RFC 3339.")] = None,
    min_amount: Annotated[Text, Query(description="Coins.")] = None,
) -> Wanted:
    """The conditions of a search, from its query."""
    return Wanted(
        chain=chain,
        wallet=wallet,
        asset=asset,
        direction=direction,
        reason=None if reason is None else reason.value,
        txid=txid,
        destinations=None if destination is None else (destination,),
        begin=None if begin is None else moment("from", begin),
        end=None if end is None else moment("to", end),
        least=None if min_amount is None else coins("min_amount", min_amount),
    )


Search = Annotated[Wanted, Depends(conditions)]


def add_movements(app: FastAPI, served: Served) -> None:
    """Add the routes."""

    @app.get("/api/v1/movements", response_model=Answer[Movements])
    def movements(search: Search, limit: Size = 100, after: Text = None) -> Response:
        """Movements, newest first by the time of their block, each with what explains it.

        ``next`` is what to pass as ``after``; it is null behind the last one. A search looks at a bounded number of
        rows at a time, so a page may hold fewer than ``limit`` movements, or none, and still have a ``next``.
        """
        rows, following = page_of(served, search, limit, after)
        return answer({"movements": rows, "next": following})

    @app.get(
        "/api/v1/movements.csv",
        response_class=Response,
        responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "The file."}},
    )
    def movements_file(
        search: Search,
        limit: Annotated[int, Query(ge=1, le=MOST_IN_FILE)] = MOST_IN_FILE,
        after: Text = None,
    ) -> Response:
        """The same as a CSV file; the header X-Next says what to pass as ``after`` where more follows."""
        rows, following = page_of(served, search, limit, after)
        headers = {"Content-Disposition": 'attachment; filename="movements.csv"'}
        if following is not None:
            headers["X-Next"] = following
        return Response(to_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)


def page_of(served: Served, wanted: Wanted, limit: int, after: str | None) -> tuple[list[Json], str | None]:
    """A page as the API shows it, and the place of the next one. Raises HTTPException for a bad ``after``."""
    place: Place | None = None
    if after is not None:
        try:
            place = reader.place(after)
        except ValueError as error:
            raise HTTPException(400, f"after: {error}") from error
    if wanted.destinations is not None:
        spellings = {each for written in wanted.destinations for each in served.particulars.spellings(written)}
        wanted = replace(wanted, destinations=tuple(sorted(spellings)))
    with served.ledger.read() as connection:
        page = reader.lines(connection, wanted, served.scope.decimals, limit, place)
        rows = list(_explained(connection, served, page.lines))
    return rows, None if page.next is None else str(page.next)


def _explained(connection: Connection, served: Served, lines: tuple[Line, ...]) -> Iterator[Json]:
    exact = reader.exact_approvals(connection, {line.approval for line in lines if line.approval})
    booked = {line.place: _booked_as(line) for line in lines if line.part == reader.RESIDUAL}
    about = reader.cases_about(connection, lines, set(booked.values()))
    by_id = {row.id: row for row in about}
    by_wallet: dict[tuple[str, str, str], list[Any]] = {}
    for row in about:
        by_wallet.setdefault((row.chain, row.txid, row.wallet), []).append(row)
    final = {chain: cursor.final_height for chain, cursor in reader.cursors(connection).items()}
    for line in lines:
        case = by_id.get(booked.get(line.place, _case_of(line)))
        if case is None and line.part == "fee":
            # A fee stands in one case of its wallet's transaction, whatever the asset.
            case = next(iter(by_wallet.get((line.place.chain, line.txid, line.wallet), [])), None)
        yield _render(served, line, exact, case, final=line.place.height <= final.get(line.place.chain, -1))


def _case_of(line: Line) -> str:
    return case_id(line.place.chain, line.txid, line.wallet, line.asset)


def _booked_as(line: Line) -> str:
    return case_id(line.place.chain, line.wallet, line.asset, "residual", line.block_hash)


def _render(served: Served, line: Line, exact: Mapping[str, bool], case: Any, *, final: bool) -> Json:
    wallet = next((each for each in served.scope.wallets if each.name == line.wallet), None)
    paid = line.direction == "out" and line.part == "destination"
    known = None
    if paid and wallet is not None:
        known = line.destination in served.particulars.known.get((line.place.chain, wallet.tier), frozenset())
    match = None if line.approval not in exact else "T0" if exact[line.approval] else "T1"
    decimals = served.scope.decimals.get(line.asset)
    return {
        "id": str(line.place),
        "chain": line.place.chain,
        "block": {
            "height": line.place.height,
            "hash": line.block_hash,
            "time": rfc3339(reader.block_moment(line)),
            "final": final,
        },
        "txid": line.txid,
        "wallet": line.wallet,
        "tier": None if wallet is None else wallet.tier.value,
        "owner": None if wallet is None else wallet.owner.value,
        "asset": line.asset,
        "direction": line.direction,
        "part": line.part,
        "reason": line.reason,
        "amount": None if decimals is None else format_coins(line.units, decimals),
        "units": str(line.units),
        "destination": line.destination or None,
        "receiver": line.receiver or None,
        "known": known,
        "account": line.locator or None,
        "approval": line.approval or None,
        "match": match,
        "note": line.note or None,
        "case": None if case is None else case.id,
        "case_state": None if case is None else case.state,
        "seen_between": None if line.seen is None else [rfc3339(line.seen[0]), rfc3339(line.seen[1])],
    }


def to_csv(rows: list[Json]) -> bytes:
    """UTF-8 with byte-order mark and CRLF, as Japanese Excel reads it; no cell is a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    columns = [name for name in Movement.model_fields if name not in ("block", "seen_between")]
    blocks = list(Block.model_fields)
    writer.writerow([*columns, *(f"block_{name}" for name in blocks), "seen_from", "seen_to"])
    for row in rows:
        seen = row["seen_between"] or [None, None]
        cells = [*(row[name] for name in columns), *(row["block"][name] for name in blocks), *seen]
        writer.writerow([_cell(value) for value in cells])
    return text.getvalue().encode("utf-8-sig")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return safe_cell(str(value))
