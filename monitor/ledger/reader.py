"""Questions to the ledger. Each takes a connection (``Ledger.read``) and answers with values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from chains.core.values import BlockRef, Coin
from monitor.ledger import schema
from monitor.ledger.encode import Json, case_from_json, parse
from monitor.ledger.state import chunks
from monitor.ledger.store import FeedState
from monitor.model import Approval, Case, CaseState

UNRESOLVED = (CaseState.OPEN, CaseState.ACKNOWLEDGED)
_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a chain has been followed to, and the newest final height known then."""

    at: BlockRef
    final_height: int


@dataclass(frozen=True, slots=True)
class Watched:
    """A followed locator: its wallet, and the height at which it was opened."""

    wallet: str
    opened_height: int


@dataclass(frozen=True, slots=True)
class Pending:
    """Unsent messages of one receiver."""

    count: int
    oldest: datetime | None


def cursors(connection: Connection) -> dict[str, Cursor]:
    """How far each chain has been followed; a chain that was never opened is absent."""
    rows = connection.execute(select(schema.cursor)).all()
    return {r.chain: Cursor(BlockRef(r.chain, r.height, r.hash, r.parent, r.time), r.final_height) for r in rows}


def headers(connection: Connection, chain: str) -> tuple[BlockRef, ...]:
    """The stored headers of a chain, newest first."""
    columns = schema.header.c
    rows = connection.execute(select(schema.header).where(columns.chain == chain).order_by(columns.height.desc())).all()
    return tuple(BlockRef(r.chain, r.height, r.hash, r.parent, r.time) for r in rows)


def newest_seen(connection: Connection, chain: str, by: datetime, up_to: int) -> BlockRef | None:
    """The highest stored header, not above height ``up_to``, that porwatch had taken over at time ``by``."""
    columns = schema.header.c
    row = connection.execute(
        select(schema.header)
        .where(columns.chain == chain, columns.seen_at <= by, columns.height <= up_to)
        .order_by(columns.height.desc())
        .limit(1)
    ).first()
    return None if row is None else BlockRef(row.chain, row.height, row.hash, row.parent, row.time)


def last_look(connection: Connection, block: BlockRef, by: datetime | None = None) -> datetime | None:
    """When the newest block below ``block`` (by ``by``) was taken over; None where the stored headers do not say."""
    columns = schema.header.c
    query = select(columns.seen_at).where(columns.chain == block.chain, columns.height < block.height)
    query = query if by is None else query.where(columns.seen_at <= by)
    seen_at: datetime | None = connection.execute(query.order_by(columns.height.desc()).limit(1)).scalar_one_or_none()
    return seen_at


def is_followed(connection: Connection, at: BlockRef) -> bool:
    """Whether this very block is among the stored headers, or is final and lies below them."""
    columns = schema.header.c
    row = connection.execute(select(columns.hash).where(columns.chain == at.chain, columns.height == at.height)).first()
    if row is not None:
        return bool(row.hash == at.hash)
    cursor = cursors(connection).get(at.chain)
    return cursor is not None and at.height <= min(cursor.final_height, cursor.at.height)


def residuals_booked(connection: Connection, chain: str, height: int) -> int:
    """How many times residuals have been booked at one block."""
    columns = schema.movement.c
    rows = connection.execute(
        select(columns.txid)
        .where(columns.chain == chain, columns.height == height, columns.kind == "residual")
        .distinct()
    )
    return len(rows.all())


def watched(connection: Connection, chain: str) -> dict[str, Watched]:
    """The followed locators of a chain with their wallet and the height of their opening."""
    columns = schema.watched.c
    rows = connection.execute(
        select(columns.locator, columns.wallet, columns.opened_height)
        .where(columns.chain == chain)
        .order_by(columns.locator)
    )
    return {r.locator: Watched(r.wallet, r.opened_height) for r in rows}


def watched_counts(connection: Connection) -> dict[tuple[str, str], int]:
    """How many locators are followed, by (chain, wallet)."""
    columns = schema.watched.c
    rows = connection.execute(
        select(columns.chain, columns.wallet, func.count().label("n")).group_by(columns.chain, columns.wallet)
    )
    return {(row.chain, row.wallet): row.n for row in rows}


def added(connection: Connection, chain: str) -> dict[str, str]:
    """Wallet by locator of those that were added through the API."""
    columns = schema.added.c
    rows = connection.execute(select(columns.locator, columns.wallet).where(columns.chain == chain))
    return {row.locator: row.wallet for row in rows}


def carried(connection: Connection, chain: str) -> dict[str, int]:
    """The assets for which a chain's locators have been opened, with the height from which on."""
    columns = schema.carried.c
    rows = connection.execute(select(columns.asset, columns.opened_height).where(columns.chain == chain))
    return {row.asset: row.opened_height for row in rows}


def coins(connection: Connection, chain: str) -> Iterator[Coin]:
    """Every unspent coin of ours on a chain."""
    rows = connection.execute(select(schema.coin).where(schema.coin.c.chain == chain)).yield_per(_PAGE)
    for row in rows:
        yield Coin(row.coin, row.locator, row.asset, row.units)


def coins_at(connection: Connection, chain: str, height: int) -> dict[str, Coin]:
    """The unspent coins of a chain after block ``height``, by id."""
    held = {coin.id: coin for coin in coins(connection, chain)}
    for row in reversed(movements_above(connection, chain, height)):
        if row.coin and row.delta > 0:
            held.pop(row.coin, None)
        elif row.coin:
            held[row.coin] = Coin(row.coin, row.locator, row.asset, -row.delta)
    return held


def totals(connection: Connection) -> dict[tuple[str, str, str], int]:
    """Units by (chain, wallet, asset) after each chain's cursor."""
    rows = connection.execute(select(schema.total)).all()
    return {(r.chain, r.wallet, r.asset): r.units for r in rows}


def totals_at(connection: Connection, chain: str, height: int) -> dict[tuple[str, str], int]:
    """Units by (wallet, asset) after block ``height``: the totals less every movement above it."""
    columns = schema.total.c
    rows = connection.execute(select(schema.total).where(columns.chain == chain)).all()
    held = {(r.wallet, r.asset): r.units for r in rows}
    for row in movements_above(connection, chain, height):
        held[row.wallet, row.asset] = held.get((row.wallet, row.asset), 0) - row.delta
    return held


def accounts_at(connection: Connection, chain: str, height: int) -> dict[tuple[str, str], int]:
    """Units by (locator, asset) after block ``height``; accounts that never held anything are left out."""
    columns = schema.account.c
    rows = connection.execute(select(columns.locator, columns.asset, columns.units).where(columns.chain == chain))
    held = {(r.locator, r.asset): r.units for r in rows}
    for row in movements_above(connection, chain, height):
        held[row.locator, row.asset] = held.get((row.locator, row.asset), 0) - row.delta
    return held


def units_at(
    connection: Connection, chain: str, accounts: Collection[tuple[str, str]], height: int
) -> dict[tuple[str, str], int]:
    """Units of these (locator, asset) accounts after block ``height``; zero for one that never held anything."""
    wanted = set(accounts)
    held = dict.fromkeys(wanted, 0)
    columns = schema.account.c
    for batch in chunks({locator for locator, _ in wanted}):
        rows = connection.execute(select(schema.account).where(columns.chain == chain, columns.locator.in_(batch)))
        held.update({(r.locator, r.asset): r.units for r in rows if (r.locator, r.asset) in wanted})
    for row in movements_above(connection, chain, height):
        if (row.locator, row.asset) in wanted:
            held[row.locator, row.asset] -= row.delta
    return held


def opened_by(connection: Connection, chain: str, locators: Collection[str], height: int) -> set[str]:
    """Those of these locators that were followed already at block ``height``: before, there is nothing to compare."""
    columns = schema.watched.c
    found: set[str] = set()
    for batch in chunks(locators):
        rows = connection.execute(
            select(columns.locator).where(
                columns.chain == chain, columns.locator.in_(batch), columns.opened_height <= height
            )
        )
        found.update(rows.scalars())
    return found


def sequences_at(connection: Connection, chain: str, locators: Collection[str], height: int) -> dict[str, int]:
    """The counters of those of these locators that have one, after block ``height``."""
    found: dict[str, int] = {}
    counters, steps = schema.sequence.c, schema.step.c
    for batch in chunks(locators):
        rows = connection.execute(
            select(counters.locator, counters.value).where(counters.chain == chain, counters.locator.in_(batch))
        )
        found.update({row.locator: row.value for row in rows})
    above = connection.execute(select(steps.locator, steps.steps).where(steps.chain == chain, steps.height > height))
    for row in above:
        if row.locator in found:
            found[row.locator] -= row.steps
    return found


def steps_above(connection: Connection, chain: str, height: int) -> list[tuple[str, int]]:
    """Steps of counters in the blocks above a height."""
    steps = schema.step.c
    rows = connection.execute(
        select(steps.locator, steps.steps)
        .where(steps.chain == chain, steps.height > height)
        .order_by(steps.height, steps.locator)
    )
    return [(row.locator, row.steps) for row in rows]


def movements_above(connection: Connection, chain: str, height: int) -> list[Any]:
    """Movements above a height that the balances contain, newest last, each with the wallet of its locator now.

    What a locator did before its opening, or that of the asset, stands in the opening, and what is no
    longer followed has no balance: taking such movements back would take what was never given.
    """
    columns, followed, carried_ = schema.movement.c, schema.watched.c, schema.carried.c
    mine = and_(followed.chain == columns.chain, followed.locator == columns.locator)
    counted = and_(carried_.chain == columns.chain, carried_.asset == columns.asset)
    return list(
        connection.execute(
            select(columns.txid, columns.locator, columns.asset, followed.wallet, columns.delta, columns.coin)
            .join(schema.watched, mine)
            .join(schema.carried, counted)
            .where(columns.chain == chain, columns.height > height)
            .where(columns.height > followed.opened_height, columns.height > carried_.opened_height)
            .order_by(columns.height, columns.ordinal, columns.txid, columns.idx)
        )
    )


def flows_above(connection: Connection, chain: str, height: int) -> list[Any]:
    """Rows of table flow above a height."""
    columns = schema.flow.c
    query = select(schema.flow).where(columns.chain == chain, columns.height > height)
    return list(connection.execute(query.order_by(columns.height, columns.ordinal, columns.idx)))


def flows_seen(connection: Connection, chain: str, height: int, by: datetime) -> list[Any]:
    """Rows of table flow above a height that had been seen at time ``by``."""
    columns = schema.flow.c
    query = select(schema.flow).where(columns.chain == chain, columns.height > height, columns.earliest <= by)
    return list(connection.execute(query.order_by(columns.height, columns.ordinal, columns.idx)))


def flows_of(connection: Connection, chain: str, txid: str) -> list[Any]:
    """Rows of table flow of one transaction."""
    columns = schema.flow.c
    query = select(schema.flow).where(columns.chain == chain, columns.txid == txid)
    return list(connection.execute(query.order_by(columns.height, columns.ordinal, columns.idx)))


def unexplained_to(connection: Connection, chain: str, destination: str, asset: str) -> list[Any]:
    """Rows of table flow that left to ``destination`` and have no explanation yet, oldest first."""
    columns = schema.flow.c
    return list(
        connection.execute(
            select(schema.flow)
            .where(
                columns.chain == chain,
                columns.destination == destination,
                columns.asset == asset,
                columns.reason == "unexplained",
            )
            .order_by(columns.earliest, columns.height, columns.ordinal, columns.idx)
        )
    )


def case(connection: Connection, case_id: str) -> Case | None:
    """The case with this id, or None where there is none."""
    row = connection.execute(select(schema.cases.c.body).where(schema.cases.c.id == case_id)).first()
    return None if row is None else case_from_json(parse(row.body))


def cases_by_id(connection: Connection, ids: Collection[str]) -> dict[str, Case]:
    """The cases with these ids that exist."""
    found: dict[str, Case] = {}
    for batch in chunks(ids):
        rows = connection.execute(select(schema.cases.c.id, schema.cases.c.body).where(schema.cases.c.id.in_(batch)))
        found.update({row.id: case_from_json(parse(row.body)) for row in rows})
    return found


def cases(
    connection: Connection,
    *,
    states: Collection[CaseState] | None = None,
    rule: str | None = None,
    chain: str | None = None,
    wallet: str | None = None,
    incident: str | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> list[Case]:
    """Cases in the order they were opened; ``after`` is the id of the last one already seen.

    Raises KeyError where ``after`` names no case.
    """
    columns = schema.cases.c
    query = select(columns.body).order_by(columns.opened_at, columns.id)
    if states is not None:
        query = query.where(columns.state.in_([state.value for state in states]))
    filters = ((columns.rule, rule), (columns.chain, chain), (columns.wallet, wallet), (columns.incident, incident))
    for column, wanted in filters:
        if wanted is not None:
            query = query.where(column == wanted)
    if after is not None:
        last = connection.execute(select(columns.opened_at).where(columns.id == after)).first()
        if last is None:
            raise KeyError(after)
        query = query.where(
            or_(columns.opened_at > last.opened_at, and_(columns.opened_at == last.opened_at, columns.id > after))
        )
    if limit is not None:
        query = query.limit(limit)
    return [case_from_json(parse(row.body)) for row in connection.execute(query)]


def cases_of_transactions(connection: Connection, chain: str, txids: Collection[str]) -> list[Case]:
    """Every case about one of these transactions, whatever its state."""
    columns = schema.cases.c
    found: list[Case] = []
    for batch in chunks(sorted(txids)):
        query = select(columns.body).where(columns.chain == chain, columns.txid.in_(batch))
        rows = connection.execute(query.order_by(columns.opened_at, columns.id))
        found.extend(case_from_json(parse(row.body)) for row in rows)
    return found


def due_cases(connection: Connection, now: datetime) -> list[Case]:
    """Pending cases whose grace period has ended."""
    columns = schema.cases.c
    rows = connection.execute(
        select(columns.body)
        .where(columns.state == CaseState.PENDING.value, columns.due_at <= now)
        .order_by(columns.opened_at, columns.id)
    )
    return [case_from_json(parse(row.body)) for row in rows]


def open_counts(connection: Connection) -> dict[tuple[str, str, str, str], int]:
    """Open and acknowledged cases by (rule, severity, chain, tier); "" where a case has none."""
    columns = schema.cases.c
    rows = connection.execute(
        select(columns.rule, columns.severity, columns.chain, columns.tier, func.count().label("n"))
        .where(columns.state.in_([state.value for state in UNRESOLVED]))
        .group_by(columns.rule, columns.severity, columns.chain, columns.tier)
    )
    return {(r.rule, r.severity, r.chain or "", r.tier or ""): r.n for r in rows}


def state_counts(connection: Connection) -> dict[CaseState, int]:
    """Cases by state; every state is there."""
    columns = schema.cases.c
    rows = connection.execute(select(columns.state, func.count().label("n")).group_by(columns.state))
    return {**dict.fromkeys(CaseState, 0), **{CaseState(r.state): r.n for r in rows}}


def approvals_matching(
    connection: Connection, chain: str, destinations: Collection[str], txids: Collection[str]
) -> list[Approval]:
    """Unused approvals on a chain that name one of these destinations or transactions."""
    columns = schema.approval.c
    found: dict[str, Approval] = {}
    for column, wanted in ((columns.destination, destinations), (columns.txid, txids)):
        for batch in chunks(sorted(wanted)):
            rows = connection.execute(
                select(schema.approval)
                .where(columns.chain == chain, columns.state == "open", column.in_(batch))
                .order_by(columns.id)
            )
            found.update({row.id: _approval(row) for row in rows})
    return list(found.values())


def batch_sizes(connection: Connection, batches: Collection[str]) -> dict[str, int]:
    """How many approvals of each of these batches were read and not cancelled."""
    columns = schema.approval.c
    found: dict[str, int] = {}
    for some in chunks(sorted(batches)):
        rows = connection.execute(
            select(columns.batch, func.count().label("n"))
            .where(columns.batch.in_(some), columns.state != "cancelled")
            .group_by(columns.batch)
        )
        found.update({row.batch: row.n for row in rows})
    return found


def batch_members(connection: Connection, batches: Collection[str]) -> list[Approval]:
    """Unused approvals of these batches."""
    columns = schema.approval.c
    found: list[Approval] = []
    for some in chunks(sorted(batches)):
        query = select(schema.approval).where(columns.batch.in_(some), columns.state == "open").order_by(columns.id)
        found.extend(_approval(row) for row in connection.execute(query))
    return found


def approvals_used_by(connection: Connection, places: Collection[str]) -> list[str]:
    """Ids of the approvals that these places (``chain/txid/sink``) have used up."""
    columns = schema.approval.c
    found: list[str] = []
    for some in chunks(sorted(places)):
        query = select(columns.id).where(columns.used_by.in_(some), columns.state == "used").order_by(columns.id)
        found.extend(connection.execute(query).scalars())
    return found


def approval(connection: Connection, approval_id: str) -> tuple[Approval, str, datetime] | None:
    """An approval with its state (open, used, cancelled) and when it was first read."""
    row = connection.execute(select(schema.approval).where(schema.approval.c.id == approval_id)).first()
    return None if row is None else (_approval(row), row.state, row.first_read)


def approvals(connection: Connection, *, limit: int, after: str | None = None) -> list[tuple[Approval, str, datetime]]:
    """Approvals by id with their state and first reading."""
    query = select(schema.approval).order_by(schema.approval.c.id).limit(limit)
    if after is not None:
        query = query.where(schema.approval.c.id > after)
    return [(_approval(row), row.state, row.first_read) for row in connection.execute(query)]


def _approval(row: Any) -> Approval:
    return Approval(**{name: getattr(row, name) for name in Approval.__slots__})


def feeds(connection: Connection) -> dict[str, FeedState]:
    """How far each declared source has been read; one never read is absent."""
    rows = connection.execute(select(schema.feed)).all()
    return {r.source: FeedState(r.source, r.position, r.heartbeat, r.records, r.malformed, r.read_at) for r in rows}


def latest_verdict(connection: Connection) -> Json | None:
    """The newest verdict as it was journalled, in CONTRACT.md's form."""
    row = connection.execute(select(schema.verdict.c.body).order_by(schema.verdict.c.cycle.desc()).limit(1)).first()
    return None if row is None else parse(row.body)


def closes(connection: Connection) -> list[datetime]:
    """When the closing verdicts were given, oldest first."""
    columns = schema.verdict.c
    return list(connection.execute(select(columns.at).where(columns.kind == "close").order_by(columns.cycle)).scalars())


def verdict_at(connection: Connection, at: datetime) -> Json:
    """The verdict that was given at this very moment. Raises NoResultFound."""
    columns = schema.verdict.c
    body: Json = parse(connection.execute(select(columns.body).where(columns.at == at)).scalars().one())
    return body


def pending_messages(connection: Connection) -> Mapping[str, Pending]:
    """Unsent outbox rows by receiver."""
    columns = schema.outbox.c
    rows = connection.execute(
        select(columns.receiver, func.count().label("n"), func.min(columns.created_at).label("oldest"))
        .where(columns.sent_at.is_(None))
        .group_by(columns.receiver)
    )
    return {r.receiver: Pending(r.n, r.oldest) for r in rows}


def next_messages(connection: Connection, receiver: str, limit: int, after: int = 0) -> list[tuple[int, str, str]]:
    """The oldest unsent messages of a receiver behind row ``after``: (outbox id, case id, payload)."""
    columns = schema.outbox.c
    rows = connection.execute(
        select(columns.id, columns.case_id, columns.payload)
        .where(columns.receiver == receiver, columns.sent_at.is_(None), columns.id > after)
        .order_by(columns.id)
        .limit(limit)
    )
    return [(r.id, r.case_id, r.payload) for r in rows]


def contract_states(connection: Connection, chain: str) -> dict[str, dict[str, str]]:
    """What stood behind the contract of each asset of a chain when it was last new, by asset."""
    columns = schema.journal.c
    bodies = connection.execute(select(columns.body).where(columns.kind == "contract").order_by(columns.seq)).scalars()
    found = [parse(body) for body in bodies]
    return {body["asset"]: body["state"] for body in found if body["chain"] == chain}
