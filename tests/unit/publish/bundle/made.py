"""A small exchange whose close was captured: a configuration, a ledger, and the folder of the close, as a monitor makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing as closed
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from chains.core.amounts import format_coins
from chains.core.values import BlockRef
from monitor.assess import Inputs, canonical_bytes, verdict
from monitor.canonical import canonical, parse
from monitor.ledger import heads, state
from monitor.ledger.encode import case_to_json
from monitor.ledger.journal import Record, append
from monitor.ledger.store import Ledger
from monitor.model import Case, CaseState, Destination, Event, Severity, Tier, rfc3339
from monitor.signing.keys import ReportKey, load_or_make
from monitor.signing.manifest import MANIFEST, OWN, write_manifest
from tests.unit.assess.sample import DECIMALS, NOW, inputs

AT = BlockRef("c", 7, "ab" * 32, "cd" * 32, int(NOW.timestamp()) - 60)
HELD = {
    "cold": {"BTC": "9650.5", "ETH": "97500", "XRP": "181000000"},
    "hot": {"BTC": "350", "ETH": "2600", "XRP": "19000000"},
    "guarantee": {"BTC": "350", "ETH": "2600", "XRP": "18500000"},
    "house": {"BTC": "1.00000001"},
}
OWED = {"BTC": "10000", "ETH": "100000", "XRP": "200000000"}
PRICES = {"BTC": "15000000", "ETH": "500000.5", "XRP": "400"}
CONFIG = """\
entity: {name: Example, currency: JPY, timezone: Asia/Tokyo, lei: 353800EXAMPLE0000042}
store: sqlite:///porwatch.db
assets: {BTC: {decimals: 8}}
chains:
  c:
    kind: bitcoin
    network: regtest
    native: BTC
    endpoints: [{url: "http://127.0.0.1:9"}]
wallets:
  - {name: cold, chain: c, tier: cold, addresses: ["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"]}
"""


#: what happened before the close: a theft that is open, and a case that a person closed
THEFT = Case(
    id="c0ffee0000000001",
    rule="unexplained_outflow",
    rules=("unexplained_outflow",),
    severity=Severity.CRITICAL,
    state=CaseState.OPEN,
    opened_at=NOW - timedelta(hours=2),
    chain="c",
    wallet="hot",
    tier=Tier.HOT,
    asset="BTC",
    units=125_000_000,
    destinations=(Destination("thief", 125_000_000, known=False),),
    txid="11" * 32,
    block=AT,
    seen_at="seen",
    detected_after_ms=420,
    history=(Event(NOW - timedelta(hours=2), "opened", "porwatch", ""),),
)
HISTORY = (Record("case", case_to_json(THEFT)),)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Where it lies, and what its last close rests on."""

    base: Path
    inputs: Inputs

    @property
    def config(self) -> Path:
        return self.base / "porwatch.yaml"

    @property
    def close(self) -> Path:
        (folder,) = (self.base / "evidence" / "closes").iterdir()
        return folder


def closing(profiles: tuple[str, ...] = ("jp-psa-2020",), **more: Any) -> Inputs:
    """The inputs of a close with an anchor that looks like a block's."""
    found = inputs(HELD, OWED, PRICES, profiles=profiles, **more)
    (reading,) = found.readings
    return replace(found, readings=(replace(reading, at=AT),), previous_hash="0" * 64)


def accounts(found: Inputs) -> list[dict[str, str]]:
    """Two addresses of each wallet, which together hold what the inputs say."""
    lines = []
    for line in found.readings[0].lines or ():
        part = line.units // 3
        for number, units in enumerate((part, line.units - part)):
            address = f"address-{line.wallet}-{number}"
            lines.append({"locator": address, "wallet": line.wallet, "asset": line.asset, "units": str(units)})
    return sorted(lines, key=lambda each: (each["locator"], each["asset"]))


def books(found: Inputs) -> dict[str, str]:
    """The files that say what the inputs say."""
    owed = [
        f"{x.asset},{format_coins(x.units, DECIMALS[x.asset])},{rfc3339(x.as_of)}"
        for x in found.books.liabilities or ()
    ]
    prices = [f"{x.asset},{x.currency},{x.price},{rfc3339(x.as_of)}" for x in found.books.prices]
    return {
        "liabilities.csv": "\n".join(["asset,amount,as_of", *owed, ""]),
        "prices.csv": "\n".join(["asset,currency,price,as_of", *prices, ""]),
    }


def keep(
    folder: Path,
    found: Inputs,
    settings: Mapping[str, Any] | None = None,
    testimony: bytes = b"",
    files: Mapping[str, str] | None = None,
    rows: Sequence[Mapping[str, str]] | None = None,
) -> dict[str, str]:
    """Write the folder of a close; returns the hashes of its files. ``rows``: its accounts, by default ``accounts``."""
    for part in ("accounts", "books", "chains"):
        (folder / part).mkdir(parents=True)
    (folder / "inputs.json").write_bytes(canonical_bytes(found))
    (folder / "verdict.json").write_text(canonical(verdict(found)), encoding="utf-8")
    (folder / "settings.json").write_text(canonical(settings or {"c": {"kind": "bitcoin", "network": "regtest"}}))
    lines = "".join(canonical(line) + "\n" for line in (accounts(found) if rows is None else rows))
    (folder / "accounts" / "c.jsonl").write_text(lines)
    (folder / "chains" / "c.jsonl").write_bytes(testimony)
    for name, text in (books(found) if files is None else files).items():
        (folder / "books" / name).write_text(text, encoding="utf-8")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in paths}


def record(connection: Connection, entry: Record, at: datetime) -> None:
    """One record into the journal and the state."""
    append(connection, entry, at)
    state.apply(connection, entry, at)


def exchange(
    base: Path, found: Inputs, before: tuple[Record, ...] = (), books: Mapping[str, str] | None = None, **more: Any
) -> Exchange:
    """An exchange in ``base`` whose close ``found`` is journalled, kept and under a tree head."""
    base.mkdir(exist_ok=True)
    made = Exchange(base, found)
    made.config.write_text(CONFIG, encoding="utf-8")
    folder = "2026-11-20-3"
    files = keep(base / "evidence" / "closes" / folder, found, files=books, **more)
    key = load_or_make(base / "report.key")
    body = {"cycle": found.number, "folder": folder, "files": files}
    with closed(Ledger(f"sqlite:///{base / 'porwatch.db'}")) as ledger, ledger.write() as connection:
        record(connection, Record("declared", {"source": "liabilities", "lines": []}), NOW - timedelta(days=1))
        for entry in before:
            record(connection, entry, NOW - timedelta(hours=1))
        record(connection, Record("verdict", verdict(found)), NOW)
        record(connection, Record("evidence", body), NOW + timedelta(seconds=1))
        heads.seal(connection, key, NOW + timedelta(seconds=2))
    return made


def another(made: Exchange, found: Inputs, folder: str, *before: Record) -> None:
    """One more close of the same exchange, journalled, kept and under a new tree head."""
    files = keep(made.base / "evidence" / "closes" / folder, found)
    body = {"cycle": found.number, "folder": folder, "files": files}
    with closed(Ledger(f"sqlite:///{made.base / 'porwatch.db'}")) as ledger, ledger.write() as connection:
        for entry in before:
            record(connection, entry, found.at - timedelta(minutes=1))
        record(connection, Record("verdict", verdict(found)), found.at)
        record(connection, Record("evidence", body), found.at + timedelta(seconds=1))
        heads.seal(connection, load_or_make(made.base / "report.key"), found.at + timedelta(seconds=2))


def resigned(folder: Path, key: ReportKey) -> None:
    """Fix every hash of the manifest and sign it with ``key``, as a forger would."""
    former = parse((folder / MANIFEST).read_text(encoding="utf-8"))
    for name in OWN:
        (folder / name).unlink(missing_ok=True)
    write_manifest(folder, former["meta"], key, previous=former["previous"], parent=former["parent"])


def rewritten(path: Path, change: Callable[[Any], None]) -> None:
    """Change the JSON of a file and write it in its one form."""
    body = parse(path.read_text(encoding="utf-8"))
    change(body)
    path.write_text(canonical(body), encoding="utf-8")
