"""The state tables as a function of the journal: one small function for each kind of record.

The live path and ``journal rebuild`` both come through ``apply``, so they cannot differ.
Bodies carry all that is needed; nothing here looks at configuration or clocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from monitor.ledger import ceremonies, control, incidents, schema
from monitor.ledger.encode import Json, approval_from_json, canonical, case_from_json, moment
from monitor.ledger.journal import Record

#: rows in one INSERT or values in one IN: far below the parameter limit of either engine
CHUNK = 500


class StateError(Exception):
    """A record that contradicts the state it is applied to; nothing of it is kept."""


def apply(connection: Connection, record: Record, at: datetime) -> None:
    """Change the state tables as ``record`` says, in the caller's transaction."""
    _APPLY[record.kind](connection, record.body, at)


def clear(connection: Connection) -> None:
    """Empty the state tables before a rebuild."""
    for table in schema.STATE:
        connection.execute(delete(table))


def chunks(items: Iterable[Any], size: int = CHUNK) -> Iterable[list[Any]]:
    """The items in lists of at most ``size``, in order."""
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _opened(connection: Connection, body: Json, _at: datetime) -> None:
    """Locators begin to be followed at a block, with what they hold there: never a deposit."""
    chain, block = body["at"]["chain"], body["at"]
    for batch in chunks(body["wallets"].items()):
        rows = [
            {
                "chain": chain,
                "locator": locator,
                "wallet": wallet,
                "opened_height": block["height"],
                "opened_hash": block["hash"],
            }
            for locator, wallet in batch
        ]
        connection.execute(insert(schema.watched), rows)
    _insert_accounts(connection, chain, body)
    _insert_coins(connection, chain, body["coins"])
    known = set(connection.execute(select(schema.carried.c.asset).where(schema.carried.c.chain == chain)).scalars())
    for asset in body["assets"]:
        if asset not in known:
            connection.execute(insert(schema.carried).values(**_carried(body["at"], asset)))
    for batch in chunks(body["sequences"].items()):
        rows = [{"chain": chain, "locator": locator, "value": value} for locator, value in batch]
        connection.execute(insert(schema.sequence), rows)


def _added(connection: Connection, body: Json, _at: datetime) -> None:
    """Locators that somebody asked to have followed from now on."""
    table = schema.added
    for batch in chunks(body["wallets"].items()):
        # One that was added before to a wallet that is gone.
        locators = [locator for locator, _ in batch]
        connection.execute(delete(table).where(table.c.chain == body["chain"], table.c.locator.in_(locators)))
        rows = [{"chain": body["chain"], "locator": locator, "wallet": wallet} for locator, wallet in batch]
        connection.execute(insert(table), rows)


def _carried(block: Json, asset: str) -> Json:
    return {"chain": block["chain"], "asset": asset, "opened_height": block["height"]}


def _asset_opened(connection: Connection, body: Json, _at: datetime) -> None:
    """The chain's locators begin to be followed for more assets, with what they hold: never a deposit."""
    chain = body["at"]["chain"]
    connection.execute(insert(schema.carried), [_carried(body["at"], asset) for asset in body["assets"]])
    for locator, asset, wallet, units in body["holdings"]:
        _add(connection, chain, wallet, locator, asset, int(units))


def _asset_retired(connection: Connection, body: Json, _at: datetime) -> None:
    """Assets are no longer followed on a chain: the configuration dropped them."""
    for table in (schema.account, schema.total, schema.carried):
        connection.execute(delete(table).where(table.c.chain == body["chain"], table.c.asset.in_(body["assets"])))


def _insert_accounts(connection: Connection, chain: str, body: Json) -> None:
    """Rows for the accounts that hold something; in bulk, as an opening may have a hundred thousand."""
    totals: dict[tuple[str, str], int] = {}
    for batch in chunks(body["holdings"]):
        rows = []
        for locator, asset, units in batch:
            wallet = body["wallets"][locator]
            rows.append({"chain": chain, "locator": locator, "asset": asset, "wallet": wallet, "units": int(units)})
            totals[wallet, asset] = totals.get((wallet, asset), 0) + int(units)
        connection.execute(insert(schema.account), rows)
    for (wallet, asset), units in totals.items():
        _add_total(connection, chain, wallet, asset, units)


def _retired(connection: Connection, body: Json, _at: datetime) -> None:
    """Locators are no longer followed: the configuration dropped them, or their opening was reorganised away."""
    chain = body["chain"]
    for batch in chunks(body["locators"]):
        accounts = schema.account.c
        rows = connection.execute(
            select(schema.account).where(accounts.chain == chain, accounts.locator.in_(batch))
        ).all()
        for row in rows:
            _add(connection, chain, row.wallet, row.locator, row.asset, -row.units)
        for table in (schema.account, schema.watched, schema.coin, schema.sequence, schema.step):
            connection.execute(delete(table).where(table.c.chain == chain, table.c.locator.in_(batch)))


def _assigned(connection: Connection, body: Json, _at: datetime) -> None:
    """Locators change their wallet, because the configuration says so; what they hold goes along."""
    chain = body["chain"]
    for locator, wallet in body["wallets"].items():
        accounts = schema.account.c
        where = (accounts.chain == chain, accounts.locator == locator)
        for row in connection.execute(select(schema.account).where(*where)).all():
            _add_total(connection, chain, row.wallet, row.asset, -row.units)
            _add_total(connection, chain, wallet, row.asset, row.units)
        connection.execute(update(schema.account).where(*where).values(wallet=wallet))
        watched = schema.watched.c
        connection.execute(
            update(schema.watched).where(watched.chain == chain, watched.locator == locator).values(wallet=wallet)
        )


def _block(connection: Connection, body: Json, _at: datetime) -> None:
    """One block with at least one transaction of ours."""
    block = body["block"]
    for transaction in body["transactions"]:
        _insert_movements(connection, block, transaction)
        _insert_flows(connection, block, transaction)
        for locator, count in transaction["steps"].items():
            _add_step(connection, block["chain"], block["height"], locator, count)


def _insert_movements(connection: Connection, block: Json, transaction: Json) -> None:
    chain = block["chain"]
    for idx, locator, asset, wallet, delta, coin in transaction["movements"]:
        connection.execute(
            insert(schema.movement).values(
                chain=chain,
                height=block["height"],
                block_hash=block["hash"],
                block_time=block["time"],
                txid=transaction["txid"],
                ordinal=transaction["ordinal"],
                idx=idx,
                kind=transaction["kind"],
                locator=locator,
                asset=asset,
                wallet=wallet,
                delta=int(delta),
                coin=coin,
            )
        )
        _add(connection, chain, wallet, locator, asset, int(delta))
        if coin and int(delta) > 0:
            _insert_coins(connection, chain, [[coin, locator, asset, delta]])
        elif coin:
            _delete_coin(connection, chain, coin)


def _insert_flows(connection: Connection, block: Json, transaction: Json) -> None:
    for line in transaction["flows"]:
        connection.execute(
            insert(schema.flow).values(
                chain=block["chain"],
                height=block["height"],
                txid=transaction["txid"],
                ordinal=transaction["ordinal"],
                earliest=moment(transaction["earliest"]),
                latest=moment(transaction["latest"]),
                fee=None if transaction["fee"] is None else int(transaction["fee"]),
                safe_tx_hash=transaction.get("safe_tx_hash"),
                outputs_hash=transaction.get("outputs_hash"),
                block_time=block["time"],
                block_hash=block["hash"],
                **{**line, "units": int(line["units"])},
            )
        )
        if line["approval"]:
            _use(connection, line["approval"], f"{block['chain']}/{transaction['txid']}/{line['sink']}")
    for sink, ids in transaction.get("batches", ()):
        for approval_id in ids:
            _use(connection, approval_id, f"{block['chain']}/{transaction['txid']}/{sink}")


def _rewound(connection: Connection, body: Json, _at: datetime) -> None:
    """Blocks above ``to`` have left the chain: every movement is reversed, every approval given back."""
    chain, height = body["to"]["chain"], body["to"]["height"]
    for _txid, locator, asset, wallet, delta, coin in body["reversals"]:
        _add(connection, chain, wallet, locator, asset, int(delta))
        if coin and int(delta) > 0:
            _insert_coins(connection, chain, [[coin, locator, asset, delta]])
        elif coin:
            _delete_coin(connection, chain, coin)
    for batch in chunks(body["approvals"]):
        rows = schema.approval.c
        connection.execute(
            update(schema.approval).where(rows.id.in_(batch), rows.state == "used").values(state="open", used_by="")
        )
    for locator, count in body["steps"]:
        _add_sequence(connection, chain, locator, count)
    for table in (schema.movement, schema.flow, schema.step):
        connection.execute(delete(table).where(table.c.chain == chain, table.c.height > height))


def _residual(connection: Connection, body: Json, _at: datetime) -> None:
    """What a holding differs from the ledger, booked as movements, so that the ledger equals the node again."""
    block = body["at"]
    movements = [
        [index, locator, asset, wallet, units, ""]
        for index, (locator, asset, wallet, units) in enumerate(body["accounts"])
    ]
    transaction = {"txid": body["txid"], "ordinal": 0, "kind": "residual", "movements": movements}
    _insert_movements(connection, block, transaction)


def _coins(connection: Connection, body: Json, _at: datetime) -> None:
    """The set of unspent coins becomes the node's again; what that is worth is booked as a residual."""
    chain = body["at"]["chain"]
    rows = schema.coin.c
    for batch in chunks(body["vanished"]):
        connection.execute(delete(schema.coin).where(rows.chain == chain, rows.coin.in_(batch)))
    _insert_coins(connection, chain, body["appeared"])


def _gap(connection: Connection, body: Json, _at: datetime) -> None:
    """What a counter differs from its steps, booked as steps, so that the next gap is a new one."""
    for locator, count in body["locators"].items():
        _add_step(connection, body["at"]["chain"], body["at"]["height"], locator, count)


def _approval(connection: Connection, body: Json, _at: datetime) -> None:
    item = approval_from_json(body["approval"])
    fields = {name: getattr(item, name) for name in item.__slots__}
    connection.execute(
        insert(schema.approval).values(**fields, state="open", used_by="", first_read=moment(body["first_read"]))
    )


def _cancelled(connection: Connection, body: Json, _at: datetime) -> None:
    rows = schema.approval.c
    connection.execute(
        update(schema.approval).where(rows.id == body["id"], rows.state == "open").values(state="cancelled")
    )


def _no_effect(_connection: Connection, _body: Json, _at: datetime) -> None:
    """What is in the journal for people, for evidence and to be found there, and not in the state."""


def _matched(connection: Connection, body: Json, _at: datetime) -> None:
    """An approval that came after its flow: the flow now names it, and it is used up."""
    flows = schema.flow.c
    connection.execute(
        update(schema.flow)
        .where(
            flows.chain == body["chain"],
            flows.height == body["height"],
            flows.txid == body["txid"],
            flows.sink == body["sink"],
            flows.direction == "out",
        )
        .values(reason=body["reason"], approval=body["approval"], note=body["note"])
    )
    connection.execute(
        update(schema.flow)
        .where(
            flows.chain == body["chain"],
            flows.height == body["height"],
            flows.txid == body["txid"],
            flows.part == "fee",
            flows.wallet.in_(body["fees_of"]),
        )
        .values(reason="fee")
    )
    for approval_id in (body["approval"], *body.get("batch", ())):
        _use(connection, approval_id, f"{body['chain']}/{body['txid']}/{body['sink']}")


def _case(connection: Connection, body: Json, _at: datetime) -> None:
    case = case_from_json(body)
    incidents.apply_case(connection, case)
    values = {
        "rule": case.rule,
        "severity": case.severity.value,
        "state": case.state.value,
        "chain": case.chain,
        "wallet": case.wallet,
        "tier": None if case.tier is None else case.tier.value,
        "asset": case.asset,
        "units": case.units,
        "txid": case.txid,
        "opened_at": case.opened_at,
        "due_at": case.due_at,
        "body": canonical(body),
        "incident": case.incident,
        "pages": None if case.incident is None else int(case.pages),
    }
    changed = connection.execute(update(schema.cases).where(schema.cases.c.id == case.id).values(**values))
    if changed.rowcount == 0:
        connection.execute(insert(schema.cases).values(id=case.id, **values))


def _verdict(connection: Connection, body: Json, _at: datetime) -> None:
    connection.execute(
        insert(schema.verdict).values(
            cycle=body["cycle"], at=moment(body["at"]), kind=body["kind"], hash=body["hash"], body=canonical(body)
        )
    )


def _use(connection: Connection, approval_id: str, used_by: str) -> None:
    rows = schema.approval.c
    row = connection.execute(select(rows.state, rows.used_by).where(rows.id == approval_id)).first()
    if row is None or (row.state != "open" and row.used_by != used_by):
        raise StateError(f"approval {approval_id} is not open: it cannot explain {used_by}")
    connection.execute(update(schema.approval).where(rows.id == approval_id).values(state="used", used_by=used_by))


def _add(connection: Connection, chain: str, wallet: str, locator: str, asset: str, delta: int) -> None:
    """Add to an account and to its wallet's total; the sum is made here, exactly, never in SQL."""
    accounts = schema.account.c
    where = (accounts.chain == chain, accounts.locator == locator, accounts.asset == asset)
    row = connection.execute(select(accounts.units).where(*where)).first()
    if row is None:
        connection.execute(
            insert(schema.account).values(chain=chain, locator=locator, asset=asset, wallet=wallet, units=delta)
        )
    else:
        connection.execute(update(schema.account).where(*where).values(units=row.units + delta))
    _add_total(connection, chain, wallet, asset, delta)


def _add_total(connection: Connection, chain: str, wallet: str, asset: str, delta: int) -> None:
    totals = schema.total.c
    where = (totals.chain == chain, totals.wallet == wallet, totals.asset == asset)
    row = connection.execute(select(totals.units).where(*where)).first()
    if row is None:
        connection.execute(insert(schema.total).values(chain=chain, wallet=wallet, asset=asset, units=delta))
    else:
        connection.execute(update(schema.total).where(*where).values(units=row.units + delta))


def _add_step(connection: Connection, chain: str, height: int, locator: str, count: int) -> None:
    steps = schema.step.c
    where = (steps.chain == chain, steps.height == height, steps.locator == locator)
    row = connection.execute(select(schema.step).where(*where)).first()
    if row is None:
        connection.execute(insert(schema.step).values(chain=chain, height=height, locator=locator, steps=count))
    else:
        connection.execute(update(schema.step).where(*where).values(steps=row.steps + count))
    _add_sequence(connection, chain, locator, count)


def _add_sequence(connection: Connection, chain: str, locator: str, count: int) -> None:
    rows = schema.sequence.c
    connection.execute(
        update(schema.sequence).where(rows.chain == chain, rows.locator == locator).values(value=rows.value + count)
    )


def _insert_coins(connection: Connection, chain: str, coins: Iterable[list[str]]) -> None:
    for batch in chunks(coins):
        rows = [
            {"chain": chain, "coin": coin, "locator": locator, "asset": asset, "units": int(units)}
            for coin, locator, asset, units in batch
        ]
        connection.execute(insert(schema.coin), rows)


def _delete_coin(connection: Connection, chain: str, coin: str) -> None:
    coins = schema.coin.c
    gone = connection.execute(delete(schema.coin).where(coins.chain == chain, coins.coin == coin))
    if gone.rowcount != 1:
        raise StateError(f"coin {coin} on {chain} is spent but was not held")


_APPLY: dict[str, Callable[[Connection, Json, datetime], None]] = {
    "opened": _opened,
    "added": _added,
    "asset_opened": _asset_opened,
    "asset_retired": _asset_retired,
    "retired": _retired,
    "assigned": _assigned,
    "block": _block,
    "rewound": _rewound,
    "residual": _residual,
    "gap": _gap,
    "coins": _coins,
    "approval": _approval,
    "cancelled": _cancelled,
    "refused": _no_effect,
    "declared": _no_effect,
    "evidence": _no_effect,
    "contract": _no_effect,
    "halt": _no_effect,
    "delivered": _no_effect,
    "shadow": _no_effect,
    "restored": _no_effect,
    "reloaded": _no_effect,
    "pruned": _no_effect,
    "matched": _matched,
    "case": _case,
    "verdict": _verdict,
    "control_challenge": control.apply_challenge,
    "control_proof": control.apply_proof,
    "ceremony_announced": ceremonies.apply_announced,
    "ceremony_confirmed": ceremonies.apply_confirmed,
    "ceremony_cancelled": ceremonies.apply_cancelled,
}
