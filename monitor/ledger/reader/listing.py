"""What moved, page by page, newest first: flow parts, and residuals as they were booked.

One condition of a search is answered by an index, the others are looked at row by row. How many rows one page may
cost is bounded: a page may be short, or empty, and still not be the last.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from heapq import merge
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, literal, or_, select, tuple_

from monitor.ledger import schema
from monitor.ledger.state import chunks
from monitor.ledger.types import microseconds
from monitor.model import Reason, utc

#: rows that are looked at for one page; behind them a new page begins
MOST_SCANNED = 5_000
RESIDUAL = "residual"
_FETCHED = 500
_SECOND = 1_000_000
#: reasons that few flow parts have: their index finds more than that of a wallet
_RARE = frozenset({Reason.UNEXPLAINED, Reason.REWARD, Reason.WITHDRAWAL, Reason.WRAP})
#: residuals come after the flow parts of their block
_NO_ORDINAL = -1
_PLACE = re.compile(
    r"([0-9]{1,12}):([A-Za-z0-9][A-Za-z0-9._-]{0,62}):([0-9]{1,12}):([0-9]{1,9}|residual):([A-Za-z0-9-]{0,64}):([0-9]{1,9})"
)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a line stands in the order of all lines, and its name: the same after `journal rebuild`."""

    block_time: int
    chain: str
    height: int
    ordinal: int
    txid: str
    index: int

    def __str__(self) -> str:
        ordinal = RESIDUAL if self.ordinal == _NO_ORDINAL else self.ordinal
        return f"{self.block_time}:{self.chain}:{self.height}:{ordinal}:{self.txid}:{self.index}"


def place(text: str) -> Place:
    """The inverse of ``str(place)``. Raises ValueError."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise ValueError("is no place in the list of movements: write what next or id gave")
    time, chain, height, ordinal, txid, index = match.groups()
    number = _NO_ORDINAL if ordinal == RESIDUAL else int(ordinal)
    return Place(int(time), chain, int(height), number, txid, int(index))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a line must be; None: anything. ``destinations``: spellings of one address.

    ``least``: coins, compared with ``decimals`` of the line's asset; an asset without known decimals has no
    coins, so it is not left out. ``begin`` and ``end``: of the block's own time, both included.
    """

    chain: str | None = None
    wallet: str | None = None
    asset: str | None = None
    direction: str | None = None
    reason: str | None = None
    txid: str | None = None
    destinations: tuple[str, ...] | None = None
    begin: datetime | None = None
    end: datetime | None = None
    least: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One flow part, or (``part`` residual) what one account differed from the node, with what explains it.

    ``units`` > 0. ``approval``: id, or "". ``note``: near misses. ``seen``: between which times it was first seen;
    None of a residual, which was found and not seen. ``locator``: of a residual, the account.
    """

    place: Place
    block_hash: str
    txid: str
    wallet: str
    asset: str
    direction: str
    part: str
    reason: str
    units: int
    destination: str
    receiver: str
    approval: str
    note: str
    seen: tuple[datetime, datetime] | None
    locator: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Lines, newest first; ``next``: the place after which to go on, None behind the last line."""

    lines: tuple[Line, ...]
    next: Place | None


def lines(connection: Connection, wanted: Wanted, decimals: Mapping[str, int], limit: int, after: Place | None) -> Page:
    """At most ``limit`` lines behind ``after``, from at most MOST_SCANNED rows."""
    found: list[Line] = []
    last = after
    sources = (_flows(connection, wanted, after), _residuals(connection, wanted, after))
    for scanned, line in enumerate(merge(*sources, key=lambda each: each.place, reverse=True)):
        if len(found) == limit or scanned == MOST_SCANNED:
            return Page(tuple(found), last)
        last = line.place
        if _fits(line, wanted, decimals):
            found.append(line)
    return Page(tuple(found), None)


def _fits(line: Line, wanted: Wanted, decimals: Mapping[str, int]) -> bool:
    asked = (wanted.chain, wanted.wallet, wanted.asset, wanted.direction, wanted.reason, wanted.txid)
    known = (line.place.chain, line.wallet, line.asset, line.direction, line.reason, line.txid)
    if any(value is not None and value != have for value, have in zip(asked, known, strict=True)):
        return False
    if wanted.destinations is not None and line.destination not in wanted.destinations:
        return False
    if wanted.least is None or line.asset not in decimals:
        return True
    least: Fraction = wanted.least * 10 ** decimals[line.asset]
    return line.units >= least


def flow_query(wanted: Wanted, after: Place | None) -> Select[Any]:
    """The flow parts that an index finds, newest first; they need not fit yet."""
    columns = schema.flow.c
    order = (columns.block_time, columns.chain, columns.height, columns.ordinal, columns.idx)
    query = select(schema.flow).where(*_driving(wanted), *_within(columns.block_time, wanted))
    if after is not None:
        least = (after.chain, after.height, after.ordinal, after.index)
        query = query.where(_behind(columns.block_time, order[1:], after.block_time, least))
    return query.order_by(*(column.desc() for column in order))


def residual_query(wanted: Wanted, after: Place | None) -> Select[Any]:
    """The movements that are residuals, newest first, by their own index."""
    columns = schema.movement.c
    # An index on a condition is used only where the condition is written out.
    kind = columns.kind == bindparam("kind", RESIDUAL, literal_execute=True)
    query = select(schema.movement).where(kind, *_within(columns.block_time, wanted))
    order = (columns.block_time, columns.chain, columns.height, columns.txid, columns.idx)
    if after is not None:
        keys = (columns.chain, columns.height, literal(_NO_ORDINAL), columns.txid, columns.idx)
        least = (after.chain, after.height, after.ordinal, after.txid, after.index)
        query = query.where(_behind(columns.block_time, keys, after.block_time, least))
    return query.order_by(*(column.desc() for column in order))


def _driving(wanted: Wanted) -> tuple[ColumnElement[bool], ...]:
    """The one condition that the search goes by, the one that leaves least first."""
    columns = schema.flow.c
    if wanted.txid is not None:
        return (columns.txid == wanted.txid,)
    if wanted.destinations is not None:
        return (or_(*(columns.destination == spelling for spelling in wanted.destinations)),)
    rare = wanted.reason if wanted.reason in _RARE else None
    for column, value in (
        (columns.reason, rare),
        (columns.wallet, wanted.wallet),
        (columns.asset, wanted.asset),
        (columns.reason, wanted.reason),
        (columns.chain, wanted.chain),
    ):
        if value is not None:
            return (column == value,)
    return ()


def _within(block_time: ColumnElement[int], wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    """Blocks tell whole seconds: the first one not before the begin, the last one not after the end."""
    if wanted.begin is not None:
        yield block_time >= -(-microseconds(wanted.begin) // _SECOND)
    if wanted.end is not None:
        yield block_time <= microseconds(wanted.end) // _SECOND


def _behind(
    block_time: ColumnElement[int], keys: tuple[Any, ...], time: int, least: tuple[Any, ...]
) -> ColumnElement[bool]:
    """Strictly behind a place; the bound on time alone stands first, for the index."""
    return and_(block_time <= time, or_(block_time < time, tuple_(*keys) < tuple_(*map(literal, least))))


def _flows(connection: Connection, wanted: Wanted, after: Place | None) -> Iterator[Line]:
    query = flow_query(wanted, after).limit(MOST_SCANNED + 1).execution_options(yield_per=_FETCHED)
    with connection.execute(query) as rows:
        for row in rows:
            yield Line(
                place=Place(row.block_time, row.chain, row.height, row.ordinal, "", row.idx),
                block_hash=row.block_hash,
                txid=row.txid,
                wallet=row.wallet,
                asset=row.asset,
                direction=row.direction,
                part=row.part,
                reason=row.reason,
                units=row.units,
                destination=row.destination,
                receiver=row.receiver,
                approval=row.approval,
                note=row.note,
                seen=(row.earliest, row.latest),
            )


def _residuals(connection: Connection, wanted: Wanted, after: Place | None) -> Iterator[Line]:
    if wanted.destinations is not None or wanted.reason not in (None, Reason.UNEXPLAINED):
        return
    query = residual_query(wanted, after).limit(MOST_SCANNED + 1).execution_options(yield_per=_FETCHED)
    with connection.execute(query) as rows:
        for row in rows:
            yield Line(
                place=Place(row.block_time, row.chain, row.height, _NO_ORDINAL, row.txid, row.idx),
                block_hash=row.block_hash,
                txid=row.txid,
                wallet=row.wallet,
                asset=row.asset,
                direction="in" if row.delta > 0 else "out",
                part=RESIDUAL,
                reason=Reason.UNEXPLAINED.value,
                units=abs(row.delta),
                destination="",
                receiver="",
                approval="",
                note="",
                seen=None,
                locator=row.locator,
            )


def exact_approvals(connection: Connection, ids: Collection[str]) -> dict[str, bool]:
    """By approval, whether it names one transaction (T0) or what may leave when (T1); unknown ids are absent."""
    columns = schema.approval.c
    found: dict[str, bool] = {}
    for batch in chunks(sorted(ids)):
        rows = connection.execute(
            select(columns.id, columns.txid, columns.safe_tx_hash, columns.outputs_hash).where(columns.id.in_(batch))
        )
        found.update({r.id: (r.txid, r.safe_tx_hash, r.outputs_hash) != (None, None, None) for r in rows})
    return found


def cases_about(connection: Connection, lines: Collection[Line], ids: Collection[str]) -> list[Any]:
    """Id, state, chain, txid, wallet and asset of the cases of these lines' transactions, and of those named."""
    columns = schema.cases.c
    query = select(columns.id, columns.state, columns.chain, columns.txid, columns.wallet, columns.asset)
    found: list[Any] = []
    places: dict[str, set[str]] = {}
    for line in lines:
        if line.part != RESIDUAL:
            places.setdefault(line.place.chain, set()).add(line.txid)
    for chain, txids in sorted(places.items()):
        for batch in chunks(sorted(txids)):
            found += connection.execute(query.where(columns.chain == chain, columns.txid.in_(batch))).all()
    for batch in chunks(sorted(ids)):
        found += connection.execute(query.where(columns.id.in_(batch))).all()
    return found


def block_moment(line: Line) -> datetime:
    """The time of the line's block, by the chain's own clock."""
    return utc(line.place.block_time)
