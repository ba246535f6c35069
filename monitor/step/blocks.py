"""Steps about blocks: an opening, the next block, a reorganisation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from chains.core.values import Block, BlockRef
from monitor import attribute, detect
from monitor.ledger import ceremonies, reader
from monitor.ledger.encode import Json, block_to_json
from monitor.ledger.journal import Record
from monitor.ledger.state import chunks
from monitor.ledger.store import Advance, Commit
from monitor.model import Attribution, Case, CaseState, Direction, Judgement, Sighting, rfc3339, utc
from monitor.step.messages import written
from monitor.step.observations import Added, AssetsOpened, BlockSeen, Configured, Opened, Rewound, Witnessed
from monitor.step.setup import HEARTBEAT_LATE, Setup

#: locators in one opening record, so that no journal line grows without limit
_OPENING_CHUNK = 5_000


def opened(observation: Opened) -> Commit:
    """Book what locators hold at the block where they begin to be followed."""
    opening = observation.opening
    previous = None if observation.first else opening.at.hash
    advance = Advance(opening.at, previous, observation.final_height)
    return Commit(records=tuple(_opening_records(observation)), advance=advance)


def _opening_records(observation: Opened) -> Iterable[Record]:
    opening = observation.opening
    holdings: dict[str, list[list[str]]] = {}
    for account, units in opening.holdings.items():
        if units:
            holdings.setdefault(account.locator, []).append([account.locator, account.asset, str(units)])
    coins: dict[str, list[list[str]]] = {}
    for coin in opening.coins:
        coins.setdefault(coin.locator, []).append([coin.id, coin.locator, coin.asset, str(coin.units)])
    for batch in chunks(observation.wallets.items(), _OPENING_CHUNK):
        body: Json = {
            "at": block_to_json(opening.at),
            "wallets": dict(batch),
            "assets": list(observation.assets),
            "holdings": [line for locator, _ in batch for line in holdings.get(locator, [])],
            "coins": [line for locator, _ in batch for line in coins.get(locator, [])],
            "sequences": {locator: opening.sequences[locator] for locator, _ in batch if locator in opening.sequences},
        }
        yield Record("opened", body)


def configured(observation: Configured) -> Commit:
    """Follow the configuration: stop following what it dropped, move what it assigned to another wallet."""
    records = []
    if observation.retired:
        records.append(Record("retired", {"chain": observation.chain, "locators": list(observation.retired)}))
    if observation.assigned:
        records.append(Record("assigned", {"chain": observation.chain, "wallets": dict(observation.assigned)}))
    if observation.assets_retired:
        body: Json = {"chain": observation.chain, "assets": list(observation.assets_retired)}
        records.append(Record("asset_retired", body))
    return Commit(records=tuple(records))


def assets_opened(observation: AssetsOpened) -> Commit:
    """Book what the followed locators hold of assets that the configuration has added."""
    opening = observation.opening
    body: Json = {
        "at": block_to_json(opening.at),
        "assets": list(observation.assets),
        "holdings": [
            [account.locator, account.asset, observation.wallets[account.locator], str(units)]
            for account, units in opening.holdings.items()
            if units and account.asset in observation.assets
        ],
    }
    advance = Advance(opening.at, opening.at.hash, observation.final_height)
    return Commit(records=(Record("asset_opened", body),), advance=advance)


def added(connection: Connection, observation: Added) -> Commit:
    """Remember locators that somebody added; those that are remembered already change nothing."""
    known = reader.added(connection, observation.chain)
    new = {locator: wallet for locator, wallet in observation.wallets.items() if known.get(locator) != wallet}
    if not new:
        return Commit()
    return Commit(records=(Record("added", {"chain": observation.chain, "wallets": new, "by": observation.by}),))


def seen(
    connection: Connection, setup: Setup, observation: BlockSeen, now: datetime
) -> tuple[Commit, tuple[Case, ...], tuple[Attribution, ...]]:
    """Judge the next block and move the cursor over it."""
    block = observation.block
    advance = Advance(block.ref, block.ref.parent, observation.final_height)
    if not block.transactions:
        return Commit(advance=advance), (), ()
    sighting = _sighting(setup, observation)
    # Live, the block before is where we last looked; on catch-up we were blind since before this one was made.
    since = reader.last_look(connection, block.ref, None if observation.live else utc(block.ref.time))
    judgements, changed = _judged(connection, setup, block, sighting, since, observation.noticed, now)
    done = written(connection, changed, setup.receivers)
    change = Commit(
        records=(_block_record(block.ref, judgements, block.unseen), *done.records),
        advance=advance,
        messages=done.messages,
    )
    return change, done.cases, tuple(a for judgement in judgements for a in judgement.attributions)


def witnessed(
    connection: Connection, setup: Setup, observation: Witnessed, now: datetime
) -> tuple[Commit, tuple[Case, ...]]:
    """Raise the cases of a block that has no quorum yet, marked unconfirmed; nothing else changes.

    What may wait for its approval waits for the quorum too.
    """
    witness, noticed = observation.witness, observation.noticed
    since = reader.last_look(connection, witness.block.ref)
    _, found = _judged(connection, setup, witness.block, Sighting(noticed, noticed), since, noticed, now)
    opened = [case for case in found if case.state is CaseState.OPEN and len(case.history) == 1]
    changed = tuple(detect.unconfirmed(case, witness) for case in opened)
    done = written(connection, changed, setup.receivers)
    return Commit(records=done.records, messages=done.messages), done.cases


def _judged(
    connection: Connection,
    setup: Setup,
    block: Block,
    sighting: Sighting,
    since: datetime | None,
    noticed: datetime,
    now: datetime,
) -> tuple[tuple[Judgement, ...], tuple[Case, ...]]:
    """The stages in their order: parts, reasons, cases; returns the judgements and the cases that changed."""
    chain = block.ref.chain
    owners = setup.owners[chain]
    split = [(item, attribute.split(item, owners), sighting) for item in block.transactions]
    approvals = reader.approvals_matching(
        connection,
        chain,
        {flow.destination for _, flows, _ in split for flow in flows if flow.direction == "out" and flow.destination},
        {item.txid for item in block.transactions if item.signers},
    )
    sizes = reader.batch_sizes(connection, {item.batch for item in approvals if item.batch is not None})
    judgements = attribute.explain(split, owners, approvals, setup.rules, sizes)
    existing = reader.cases_by_id(connection, detect.subject_ids(judgements, chain, setup.natives[chain]))
    losing = any(flow.direction == "out" for _, flows, _ in split for flow in flows)
    scene = replace(
        _scene(connection, setup, block, existing, (since, noticed), now, losing=losing),
        ceremonies=ceremonies.around(connection, sighting.earliest, sighting.latest),
        ceremonies_required=setup.ceremonies_required,
    )
    found = detect.cases_of_block(judgements, scene)
    return judgements, tuple(case for case in found if existing.get(case.id) != case)


def _sighting(setup: Setup, observation: BlockSeen) -> Sighting:
    """Live: the moment we saw it. On catch-up: the block's own time ± what the chain lets it be wrong by."""
    if observation.live:
        return Sighting(observation.noticed, observation.noticed)
    moment = utc(observation.block.ref.time)
    skew = setup.skews[observation.block.ref.chain]
    return Sighting(moment - skew, moment + skew)


def _scene(
    connection: Connection,
    setup: Setup,
    block: Block,
    existing: dict[str, Case],
    looks: tuple[datetime | None, datetime],
    now: datetime,
    *,
    losing: bool,
) -> detect.Scene:
    ref, (since, noticed) = block.ref, looks
    balances: dict[tuple[str, str], int] = {}
    waiting: dict[tuple[str, str], int] = {}
    if losing:
        totals = reader.totals(connection)
        balances = {(w, asset): units for (chain, w, asset), units in totals.items() if chain == ref.chain}
        for case in reader.cases(connection, states=(CaseState.PENDING,), chain=ref.chain):
            key = (case.wallet or "", case.asset or "")
            waiting[key] = waiting.get(key, 0) + (case.units or 0)
    return detect.Scene(
        block=ref,
        native=setup.natives[ref.chain],
        now=now,
        noticed=noticed,
        looked_before=since,
        wallets=setup.wallets,
        balances=balances,
        waiting=waiting,
        existing=existing,
        known=setup.known_by_tier(ref.chain),
        grace=setup.grace,
        decimals=setup.decimals,
        prices=setup.fresh_prices(now),
        blind=feed_blind(connection, now),
        source=detect.source_of(setup.quorums[ref.chain]),
        unseen=block.unseen,
    )


def feed_blind(connection: Connection, now: datetime) -> bool:
    """Whether the approvals feed has ever sent heartbeats and now is late with them."""
    feed = reader.feeds(connection).get("approvals")
    return feed is not None and feed.heartbeat is not None and now - feed.heartbeat > HEARTBEAT_LATE


def _block_record(ref: BlockRef, judgements: Sequence[Judgement], unseen: tuple[str, ...]) -> Record:
    body: Json = {
        "block": block_to_json(ref),
        "transactions": [_transaction(ordinal, judgement) for ordinal, judgement in enumerate(judgements)],
        "unseen": list(unseen),
    }
    return Record("block", body)


def _transaction(ordinal: int, judgement: Judgement) -> Json:
    transaction = judgement.transaction
    names = attribute.names_of(transaction, judgement.owners)
    body: Json = {
        "txid": transaction.txid,
        "ordinal": ordinal,
        "kind": transaction.kind.value,
        "earliest": rfc3339(judgement.sighting.earliest),
        "latest": rfc3339(judgement.sighting.latest),
        "fee": str(judgement.fee),
        "steps": dict(transaction.steps),
        "movements": [
            [m.index, m.account.locator, m.account.asset, judgement.owners[m.account.locator], str(m.delta), m.coin]
            for m in transaction.movements
        ],
        "flows": [_flow(a) for a in judgement.attributions],
    }
    if names.safe_tx_hashes:
        body["safe_tx_hash"] = " ".join(sorted(names.safe_tx_hashes))
    if any(a.flow.direction is Direction.OUT for a in judgement.attributions):
        body["outputs_hash"] = names.outputs_hash
    batches = {a.flow.sink: list(a.batch) for a in judgement.attributions if a.batch}
    if batches:
        body["batches"] = [[sink, ids] for sink, ids in batches.items()]
    return body


def _flow(a: Attribution) -> Json:
    flow = a.flow
    return {
        "idx": flow.index,
        "wallet": flow.wallet,
        "asset": flow.asset,
        "part": flow.part.value,
        "direction": flow.direction.value,
        "destination": flow.destination,
        "receiver": flow.receiver,
        "sink": flow.sink,
        "units": str(flow.units),
        "reason": a.reason.value,
        "approval": a.approval,
        "note": a.note,
    }


def rewound(
    connection: Connection, setup: Setup, observation: Rewound, now: datetime
) -> tuple[Commit, tuple[Case, ...], int]:
    """Append the reversal of every movement above the fork, and go on from there.

    Locators and assets that were opened above the fork are retired: they are opened anew on the branch
    that won. Cases stay: a signature that nobody approved exists whatever the chain does next.
    """
    to = observation.to
    chain, cursor = to.chain, reader.cursors(connection)[to.chain]
    movements = reader.movements_above(connection, chain, to.height)
    flows = reader.flows_above(connection, chain, to.height)
    retired = [name for name, w in reader.watched(connection, chain).items() if w.opened_height > to.height]
    affected = reader.cases_of_transactions(connection, chain, {row.txid for row in flows if row.txid})
    changed = detect.reorged_out(affected, now, to)
    places = {f"{chain}/{row.txid}/{row.sink}" for row in flows if row.approval}
    body: Json = {
        "to": block_to_json(to),
        "from": block_to_json(cursor.at),
        "reversals": [
            [row.txid, row.locator, row.asset, row.wallet, str(-row.delta), row.coin] for row in reversed(movements)
        ],
        "approvals": reader.approvals_used_by(connection, places),
        "steps": [[locator, -count] for locator, count in reader.steps_above(connection, chain, to.height)],
    }
    records = [Record("rewound", body)]
    if retired:
        records.append(Record("retired", {"chain": chain, "locators": retired}))
    assets = [asset for asset, height in reader.carried(connection, chain).items() if height > to.height]
    if assets:
        records.append(Record("asset_retired", {"chain": chain, "assets": assets}))
    done = written(connection, changed, setup.receivers)
    change = Commit(
        records=(*records, *done.records),
        advance=Advance(to, cursor.at.hash, observation.final_height, rewind=True),
        messages=done.messages,
    )
    return change, done.cases, cursor.at.height - to.height
