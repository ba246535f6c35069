"""A period read back from the ledger: what every wallet held at its begin and end, and all that happened in between.

Balances stand at the cursor only, so a period is reached by taking back every movement above its begin: the cost grows
with the movements since then, not with the length of the chain or of the journal. What was reorganised away is not in
the tables. What blocks without movements say of time is not kept: their own times count for nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, select

from chains.core.values import BlockRef
from monitor.ledger import reader, schema
from monitor.ledger.encode import Json, moment, parse
from monitor.ledger.errors import LedgerError
from monitor.model import Direction, Part, Reason, utc
from monitor.series import OPENED, Change, Past, Payment, Regrouped, Step, moments

#: movements, or flow parts, of one chain that one period may have: somewhat less than a gigabyte
MOST_ROWS = 500_000
#: tables of liabilities, and records about what is followed, that one period may have
MOST_RECORDS = 100_000
_PAGE = 5_000
#: how far a block's own time may run ahead of the clock by which it was journalled
_AHEAD = timedelta(days=1)
_REGROUPING = ("assigned", "retired", "asset_retired")

_DIRECTIONS = {item.value: item for item in Direction}
_PARTS = {item.value: item for item in Part}
_REASONS = {item.value: item for item in Reason}

_Sums = dict[tuple[str, str], int]


def past(connection: Connection, begin: datetime, end: datetime) -> tuple[Past, ...]:
    """One Past for each followed chain, of the movements after ``begin`` and not after ``end``.

    The whole answer is of one moment where ``connection`` is a transaction. Raises LedgerError for more than
    MOST_ROWS or MOST_RECORDS: ask for a shorter period.
    """
    followed = _followed(connection, begin)
    cursors = reader.cursors(connection)
    return tuple(_past(connection, cursors[chain], followed, begin, end) for chain in sorted(cursors))


def liabilities(connection: Connection, begin: datetime, end: datetime) -> dict[str, tuple[Step, ...]]:
    """By asset, the declared lines that may be in force from ``begin`` to ``end``, in the order of declaration.

    For ``monitor.series.declared``. An asset that a newer table no longer names is unknown from when that table
    was read; one that no table names is absent, and unknown.
    """
    columns = schema.journal.c
    tables = select(columns.seq, columns.at, columns.body).where(
        columns.kind == "declared", columns.body.endswith('"source":"liabilities"}')
    )
    last = connection.execute(
        tables.where(columns.at <= begin).order_by(columns.at.desc(), columns.seq.desc()).limit(1)
    )
    since = connection.execute(
        tables.where(columns.at > begin).order_by(columns.at, columns.seq).limit(MOST_RECORDS + 1)
    )
    rows = [*last, *since]
    _bounded(len(rows), MOST_RECORDS, "tables of liabilities")
    found: dict[str, list[Step]] = {}
    for row in sorted(rows, key=lambda row: int(row.seq)):
        lines = {line["asset"]: line for line in parse(row.body)["lines"]}
        for asset in found.keys() - lines.keys():
            found[asset].append(Step(row.at, None, "no line in the liabilities"))
        for asset, line in lines.items():
            found.setdefault(asset, []).append(Step(moment(line["as_of"]), int(line["units"]), "liabilities"))
    return {asset: tuple(step for step in steps if step.at < end) for asset, steps in found.items()}


def _bounded(count: int, most: int, what: str) -> None:
    if count > most:
        raise LedgerError(f"the period has more than {most} {what}: ask for a shorter one")


@dataclass(frozen=True, slots=True)
class _Opening:
    """Locators or assets of a chain that began to be followed: units by (wallet, asset) at that block."""

    height: int
    at: datetime
    units: Mapping[tuple[str, str], int]
    assets: tuple[str, ...]


@dataclass(slots=True)
class _Followed:
    """By chain, what the journal says of what is followed, since somewhat before a period's begin."""

    regrouped: dict[str, list[Regrouped]] = field(default_factory=dict)
    openings: dict[str, list[_Opening]] = field(default_factory=dict)


def _followed(connection: Connection, begin: datetime) -> _Followed:
    """A regrouping forgets the openings before it: the balances behind it contain them."""
    columns = schema.journal.c
    query = (
        select(columns.kind, columns.at, columns.body)
        .where(columns.kind.in_(("opened", "asset_opened", *_REGROUPING)), columns.at > begin - _AHEAD)
        .order_by(columns.seq)
        .execution_options(yield_per=100)
    )
    found = _Followed()
    with connection.execute(query) as rows:
        for number, row in enumerate(rows, 1):
            _bounded(number, MOST_RECORDS, "records about what is followed")
            body = parse(row.body)
            if row.kind in _REGROUPING:
                _take_regrouping(found, row.kind, row.at, body, begin)
            else:
                _take_opening(found, row.kind, body)
    return found


def _take_regrouping(found: _Followed, kind: str, at: datetime, body: Json, begin: datetime) -> None:
    chain = body["chain"]
    found.openings.pop(chain, None)
    if at > begin:
        wallets = tuple(sorted(set(body.get("wallets", {}).values())))
        count = len(body.get("wallets") or body.get("locators") or body["assets"])
        found.regrouped.setdefault(chain, []).append(Regrouped(chain, at, kind, count, wallets))


def _take_opening(found: _Followed, kind: str, body: Json) -> None:
    """Lines are [locator, asset, units], and of an asset's opening [locator, asset, wallet, units]."""
    chain, height, at = body["at"]["chain"], body["at"]["height"], utc(body["at"]["time"])
    units: _Sums = {}
    for line in body["holdings"]:
        wallet = body["wallets"][line[0]] if kind == "opened" else line[2]
        units[wallet, line[1]] = units.get((wallet, line[1]), 0) + int(line[-1])
    found.openings.setdefault(chain, []).append(_Opening(height, at, units, tuple(body["assets"])))


@dataclass(slots=True)
class _Reading:
    """Sums of what was taken back, while a chain's movements are read."""

    closing: _Sums
    opening: _Sums
    rows: list[Any] = field(default_factory=list)


def _past(connection: Connection, cursor: reader.Cursor, followed: _Followed, begin: datetime, end: datetime) -> Past:
    chain = cursor.at.chain
    regrouped = tuple(followed.regrouped.get(chain, ()))
    begin = max([begin, *(each.at for each in regrouped)])
    until = min(end, utc(cursor.at.time))
    carried = reader.carried(connection, chain)
    first, last = (_height_at(connection, cursor.at, at) for at in (begin, until))
    openings = [o for o in followed.openings.get(chain, ()) if o.at > begin and o.height > first]
    within = [o for o in openings if o.height <= last or o.at <= until]
    held = {(wallet, asset): units for (on, wallet, asset), units in reader.totals(connection).items() if on == chain}
    reading = _take_back(connection, chain, held, first, last)
    for opening in openings:
        _subtract(reading.opening, opening.units)
        if opening not in within:
            _subtract(reading.closing, opening.units)
    times = {row.height: utc(row.block_time) for row in reading.rows}
    times.update({o.height: o.at for o in within})
    if cursor.at.height == last:
        times[last] = utc(cursor.at.time)
    at = moments(times)
    begun = [
        Change(chain, o.height, at[o.height], "", wallet, asset, units, OPENED)
        for o in within
        for (wallet, asset), units in o.units.items()
    ]
    changes = [Change(chain, r.height, at[r.height], r.txid, r.wallet, r.asset, r.delta, r.kind) for r in reading.rows]
    return Past(
        chain=chain,
        assets=tuple(sorted(carried)),
        begin=begin,
        until=until,
        opening=reading.opening,
        closing=reading.closing,
        changes=tuple(sorted([*begun, *changes], key=lambda change: change.height)),
        payments=tuple(_payments(connection, chain, first, last, at)),
        known_from=_known_from(carried, openings, at),
        regrouped=regrouped,
        final=last <= cursor.final_height,
    )


def _height_at(connection: Connection, cursor: BlockRef, at: datetime) -> int:
    """The highest block with movements, or the cursor, whose own time is not after ``at``; -1 where there is none."""
    if utc(cursor.time) <= at:
        return cursor.height
    columns = schema.movement.c
    seconds = (at - utc(0)) // timedelta(seconds=1)
    query = select(columns.height).where(columns.chain == cursor.chain, columns.block_time <= seconds)
    row = connection.execute(query.order_by(columns.height.desc()).limit(1)).first()
    return -1 if row is None else int(row.height)


def _take_back(connection: Connection, chain: str, held: _Sums, first: int, last: int) -> _Reading:
    """From the totals down to ``last`` and to ``first``; only movements that the totals contain are taken back."""
    reading = _Reading(dict(held), dict(held))
    with connection.execute(_movements(chain, first)) as rows:
        for row in rows:
            counted = row.now is not None and row.carried is not None and row.height > max(row.opened, row.carried)
            key = (row.now, row.asset)
            if row.height <= last:
                reading.rows.append(row)
                _bounded(len(reading.rows), MOST_ROWS, f"movements on {chain}")
            elif counted:
                reading.closing[key] = reading.closing.get(key, 0) - row.delta
            if counted:
                reading.opening[key] = reading.opening.get(key, 0) - row.delta
    return reading


def _movements(chain: str, above: int) -> Select[Any]:
    """Movements above a height, each with the wallet and the opening that its locator and asset have now, if any."""
    columns, locators, assets = schema.movement.c, schema.watched.c, schema.carried.c
    mine = and_(locators.chain == columns.chain, locators.locator == columns.locator)
    counted = and_(assets.chain == columns.chain, assets.asset == columns.asset)
    return (
        select(
            columns.height,
            columns.block_time,
            columns.txid,
            columns.kind,
            columns.wallet,
            columns.asset,
            columns.delta,
            locators.wallet.label("now"),
            locators.opened_height.label("opened"),
            assets.opened_height.label("carried"),
        )
        .outerjoin(schema.watched, mine)
        .outerjoin(schema.carried, counted)
        .where(columns.chain == chain, columns.height > above)
        .order_by(columns.height, columns.txid, columns.ordinal, columns.idx)
        .execution_options(yield_per=_PAGE)
    )


def _subtract(sums: _Sums, units: Mapping[tuple[str, str], int]) -> None:
    for key, part in units.items():
        sums[key] = sums.get(key, 0) - part


def _known_from(
    carried: Mapping[str, int], openings: Iterable[_Opening], at: Mapping[int, datetime]
) -> dict[str, datetime]:
    """When assets began to be followed: those that were opened at the height of an opening since the begin."""
    times = {o.height: at.get(o.height, o.at) for o in openings}
    return {asset: times[height] for asset, height in carried.items() if height in times}


def _payments(
    connection: Connection, chain: str, first: int, last: int, at: Mapping[int, datetime]
) -> Iterator[Payment]:
    """The flow parts of the blocks above ``first`` and up to ``last``, change aside, with both ends of own payments."""
    columns = schema.flow.c
    names = ("height", "txid", "ordinal", "wallet", "asset", "part", "direction", "destination", "receiver")
    query = (
        select(*(columns[name] for name in (*names, "sink", "units", "reason")))
        .where(columns.chain == chain, columns.height > first, columns.height <= last)
        .order_by(columns.height, columns.txid, columns.ordinal, columns.idx)
        .execution_options(yield_per=_PAGE)
    )
    transaction: list[Any] = []
    with connection.execute(query) as rows:
        for number, row in enumerate(rows, 1):
            _bounded(number, MOST_ROWS, f"flow parts on {chain}")
            if transaction and row[:3] != transaction[0][:3]:
                yield from of_transaction(chain, transaction, at)
                transaction = []
            transaction.append(row)
    yield from of_transaction(chain, transaction, at)


def of_transaction(chain: str, rows: list[Any], at: Mapping[int, datetime]) -> Iterator[Payment]:
    """A receipt from own wallets is told once for each of them; the rest of it has no known sender."""
    own: dict[tuple[str, str, int], list[Any]] = {}
    for row in rows:
        if row.part == Part.OWN:
            own.setdefault((row.receiver, row.asset, row.sink), []).append(row)
    for row in rows:
        if row.part == Part.RECEIPT:
            givers = own.pop((row.wallet, row.asset, row.sink), [])
            rest = row.units - sum(giver.units for giver in givers)
            yield from (_payment(chain, row, at, giver.wallet, giver.units, own=True) for giver in givers)
            if rest:
                yield _payment(chain, row, at, "", rest)
        elif row.part != Part.CHANGE:
            yield _payment(chain, row, at, row.receiver or row.destination, row.units, own=row.part == Part.OWN)


def _payment(chain: str, row: Any, at: Mapping[int, datetime], party: str, units: int, *, own: bool = False) -> Payment:
    return Payment(
        chain=chain,
        height=row.height,
        at=at[row.height],
        txid=row.txid,
        wallet=row.wallet,
        asset=row.asset,
        direction=_DIRECTIONS[row.direction],
        part=_PARTS[row.part],
        reason=_REASONS[row.reason],
        party=party,
        own=own,
        units=units,
    )
