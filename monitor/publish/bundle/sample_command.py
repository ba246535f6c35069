"""`porwatch sample`: the auditor's draw from a past business day; returns the exit code."""

from __future__ import annotations

import csv
import json
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, select

from chains.core.amounts import format_coins
from monitor.assess import BadInputs, Inputs, from_json
from monitor.canonical import Json
from monitor.config import ConfigError, SecretError, load
from monitor.ledger import schema
from monitor.ledger.errors import LedgerError
from monitor.ledger.store import Ledger
from monitor.publish.bundle import gather
from monitor.publish.bundle.command import FINE, UNDETERMINED, WRONG, say
from monitor.publish.bundle.evidence import Account, parse_account
from monitor.publish.bundle.files import BadEvidence
from monitor.publish.bundle.gather import Close, NoEvidence, Wanted
from monitor.publish.bundle.sample import Sizes, account_items, draw, list_hash

_COLUMNS = ("what", "chain", "wallet", "address", "asset", "amount", "txid", "height")
#: movements of one day
_MOST = 2_000_000


def sample(path: Path, seed: str, day: str, sizes: Sizes, output: str) -> int:
    """Draw by ``seed`` from the business day ``day``; the draw rests on the evidence kept at its close."""
    try:
        config = load(path)
        wanted = Wanted(None, date.fromisoformat(day))
        ledger = Ledger(config.store_url(), writable=False)
    except ConfigError as error:
        for mistake in error.mistakes:
            say(str(mistake))
        return WRONG
    except ValueError:
        say(f"--at {day}: is no day: write e.g. 2026-11-24")
        return WRONG
    except (LedgerError, SecretError) as error:
        say(str(error))
        return WRONG
    try:
        with ledger.read() as connection:
            close = gather.find(connection, config.closes_path, config.entity.timezone, wanted)
            gather.check_kept(close)
            body = _drawn(connection, close, seed, wanted.day or close.at.date(), sizes)
    except (NoEvidence, BadEvidence, BadInputs, OSError) as error:
        say(str(error))
        return UNDETERMINED
    finally:
        ledger.close()
    _print(body, output)
    return FINE


def _drawn(connection: Connection, close: Close, seed: str, day: date, sizes: Sizes) -> Json:
    inputs = from_json((close.folder / "inputs.json").read_text(encoding="utf-8"))
    accounts = _accounts(close)
    lists = {
        "wallets": [{"chain": each.chain, "wallet": each.wallet} for each in inputs.facts.wallets],
        "accounts": [item for chain, held in accounts.items() for item in account_items(chain, held)],
        "movements": _movements(connection, inputs, day),
    }
    wanted = {"wallets": sizes.wallets, "accounts": sizes.accounts, "movements": sizes.movements}
    drawn = {name: draw(items, f"{seed}\n{name}", wanted[name]) for name, items in lists.items()}
    held = {(chain, each.locator, each.asset): each.units for chain, all_ in accounts.items() for each in all_}
    for item in drawn["accounts"]:
        units = held[item["chain"], item["address"], item["asset"]]
        item["amount"] = format_coins(units, inputs.facts.assets[item["asset"]])
    return {
        "seed": seed,
        "day": day.isoformat(),
        "cycle": close.cycle,
        "anchors": {name: {"height": at.height, "hash": at.hash} for name, at in sorted(inputs.anchors.items())},
        "of": {name: {"count": len(items), "sha256": list_hash(items)} for name, items in lists.items()},
        **drawn,
    }


def _accounts(close: Close) -> dict[str, tuple[Account, ...]]:
    found = {}
    for path in sorted((close.folder / "accounts").iterdir()):
        lines = path.read_bytes().splitlines()
        found[path.stem] = tuple(parse_account(str(path), number, line) for number, line in enumerate(lines, 1))
    return found


def _movements(connection: Connection, inputs: Inputs, day: date) -> list[Json]:
    """What moved in the blocks of one local day, by the blocks' own times."""
    zone, columns = ZoneInfo(inputs.facts.timezone), schema.movement.c
    begin, end = (datetime.combine(each, time(0), zone).astimezone(UTC) for each in (day, day + timedelta(days=1)))
    inside = (columns.block_time >= int(begin.timestamp()), columns.block_time < int(end.timestamp()))
    order = (columns.chain, columns.height, columns.txid, columns.ordinal, columns.idx)
    rows = connection.execute(select(schema.movement).where(*inside).order_by(*order).limit(_MOST + 1)).all()
    if len(rows) > _MOST:
        raise NoEvidence(f"{day} has more than {_MOST} movements: too many to draw from")
    return [
        {
            "chain": row.chain,
            "height": row.height,
            "txid": row.txid,
            "wallet": row.wallet,
            "address": row.locator,
            "asset": row.asset,
            "index": row.idx,
            "amount": format_coins(row.delta, inputs.facts.assets[row.asset])
            if row.asset in inputs.facts.assets
            else "",
        }
        for row in rows
    ]


def _print(body: Json, output: str) -> None:
    if output == "json":
        sys.stdout.write(json.dumps(body, indent=2, ensure_ascii=False) + "\n")
        return
    rows = [
        {"what": name.removesuffix("s"), **item} for name in ("wallets", "accounts", "movements") for item in body[name]
    ]
    if output == "csv":
        writer = csv.DictWriter(sys.stdout, _COLUMNS, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        return
    table = Table(*_COLUMNS, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(row.get(name, "")) for name in _COLUMNS))
    Console(width=None if sys.stdout.isatty() else 1000, soft_wrap=True, highlight=False).print(table)
    for name, of in body["of"].items():
        sys.stdout.write(f"{name}: drawn from {of['count']}, sha256 of the list {of['sha256']}\n")
