"""What every wallet did in the period, from the journal's records in the evidence. Pure.

As ``monitor.ledger.history`` reads it from the state tables, which the journal makes: what the wallets held at the
anchor is known, and every movement since the period's begin is taken back from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from monitor.assess import Reading
from monitor.canonical import Json
from monitor.ledger.history import of_transaction
from monitor.model import Part, utc
from monitor.publish.bundle.context import Context, verdict_seq
from monitor.series import OPENED, RESIDUAL, Change, Past, Payment, Regrouped, Step, moments

_Sums = dict[tuple[str, str], int]
_REGROUPING = ("assigned", "retired", "asset_retired")


@dataclass(frozen=True, slots=True)
class _Flow:
    """One line of a block's flows, in the form of the state table."""

    height: int
    txid: str
    ordinal: int
    wallet: str
    asset: str
    part: str
    direction: str
    destination: str
    receiver: str
    sink: int
    units: int
    reason: str


@dataclass(slots=True)
class _Chain:
    """What the records say of one chain, reorganisations and late approvals taken into account."""

    times: dict[int, datetime] = field(default_factory=dict)
    #: height, txid, wallet, asset, units, kind
    changes: list[tuple[int, str, str, str, int, str]] = field(default_factory=list)
    flows: list[_Flow] = field(default_factory=list)
    regrouped: list[Regrouped] = field(default_factory=list)
    known_from: dict[str, tuple[int, datetime]] = field(default_factory=dict)


def pasts(context: Context) -> tuple[Past, ...]:
    """One for each chain that could be read at the anchor, from the period's begin to the anchor's time."""
    chains = _chains(context)
    readings = [each for each in context.inputs.readings if each.as_of is None and each.lines is not None]
    return tuple(_past(context, reading, chains.get(reading.chain, _Chain())) for reading in readings)


def liabilities(context: Context) -> dict[str, tuple[Step, ...]]:
    """By asset, every line that was declared, in order; what a newer table leaves out is unknown from then on."""
    found: dict[str, list[Step]] = {}
    for line in _lines(context, "declared"):
        if line.body["source"] != "liabilities":
            continue
        rows = {row["asset"]: row for row in line.body["lines"]}
        for asset in found.keys() - rows.keys():
            found[asset].append(Step(line.at, None, "no line in the liabilities"))
        for asset, row in rows.items():
            moment = datetime.fromisoformat(row["as_of"])
            found.setdefault(asset, []).append(Step(moment, int(row["units"]), "liabilities"))
    return {asset: tuple(step for step in steps if step.at < context.inputs.at) for asset, steps in found.items()}


def _lines(context: Context, *kinds: str) -> Iterator[Any]:
    """The whole records of these kinds up to the verdict, in order."""
    until = verdict_seq(context.evidence)
    lines = (line for kind in kinds for line in context.evidence.records(kind))
    return iter(sorted((line for line in lines if line.seq <= until and line.body), key=lambda line: line.seq))


def _chains(context: Context) -> dict[str, _Chain]:
    found: dict[str, _Chain] = {}
    takers = {
        "block": _take_block,
        "rewound": _take_rewind,
        "matched": _take_match,
        "residual": _take_residual,
        "opened": _take_opening,
        "asset_opened": _take_opening,
    }
    for line in _lines(context, *takers, *_REGROUPING):
        body = line.body
        place = body.get("block") or body.get("to") or body.get("at") or body
        chain = found.setdefault(place["chain"], _Chain())
        if line.kind in takers:
            takers[line.kind](chain, body)
        elif line.at > context.begin:
            wallets = tuple(sorted(set(body.get("wallets", {}).values())))
            count = len(body.get("wallets") or body.get("locators") or body["assets"])
            chain.regrouped.append(Regrouped(place["chain"], line.at, line.kind, count, wallets))
    return found


def _take_block(chain: _Chain, body: Json) -> None:
    height = body["block"]["height"]
    chain.times[height] = utc(body["block"]["time"])
    for transaction in body["transactions"]:
        for _, _, asset, wallet, delta, _ in transaction["movements"]:
            chain.changes.append((height, transaction["txid"], wallet, asset, int(delta), transaction["kind"]))
        for line in transaction["flows"]:
            same = {name: line[name] for name in _Flow.__slots__ if name in line and name != "units"}
            place = {"height": height, "txid": transaction["txid"], "ordinal": transaction["ordinal"]}
            chain.flows.append(_Flow(**place, **same, units=int(line["units"])))


def _take_rewind(chain: _Chain, body: Json) -> None:
    height = body["to"]["height"]
    chain.changes = [each for each in chain.changes if each[0] <= height]
    chain.flows = [each for each in chain.flows if each.height <= height]
    chain.times = {at: time for at, time in chain.times.items() if at <= height}


def _take_match(chain: _Chain, body: Json) -> None:
    """An approval that came after its flow: as the state's table takes it over."""
    for index, flow in enumerate(chain.flows):
        if (flow.height, flow.txid) != (body["height"], body["txid"]):
            continue
        if flow.part == Part.FEE and flow.wallet in body["fees_of"]:
            chain.flows[index] = replace(flow, reason="fee")
        elif flow.sink == body["sink"] and flow.direction == "out":
            chain.flows[index] = replace(flow, reason=body["reason"])


def _take_residual(chain: _Chain, body: Json) -> None:
    height = body["at"]["height"]
    chain.times.setdefault(height, utc(body["at"]["time"]))
    for _, asset, wallet, units in body["accounts"]:
        chain.changes.append((height, body["txid"], wallet, asset, int(units), RESIDUAL))


def _take_opening(chain: _Chain, body: Json) -> None:
    """Lines are [locator, asset, units], and of an asset's opening [locator, asset, wallet, units]."""
    height, time = body["at"]["height"], utc(body["at"]["time"])
    chain.times.setdefault(height, time)
    for asset in body["assets"]:
        chain.known_from.setdefault(asset, (height, time))
    for line in body["holdings"]:
        wallet = body["wallets"][line[0]] if "wallets" in body else line[2]
        chain.changes.append((height, "", wallet, line[1], int(line[-1]), OPENED))


def _past(context: Context, reading: Reading, chain: _Chain) -> Past:
    assert reading.at is not None
    assert reading.lines is not None
    last, until = reading.at.height, min(context.inputs.at, utc(reading.at.time))
    begin = max([context.begin, *(each.at for each in chain.regrouped)])
    first = max((height for height, time in chain.times.items() if time <= begin and height <= last), default=-1)
    inside = [each for each in chain.changes if first < each[0] <= last]
    times = {height: chain.times[height] for height in {each[0] for each in inside}} | {last: utc(reading.at.time)}
    at = moments(times)
    closing: _Sums = {(line.wallet, line.asset): line.units for line in reading.lines}
    opening = dict(closing)
    for _, _, wallet, asset, units, _ in inside:
        opening[wallet, asset] = opening.get((wallet, asset), 0) - units
    return Past(
        chain=reading.chain,
        assets=tuple(sorted(reading.assets)),
        begin=begin,
        until=until,
        opening=opening,
        closing=closing,
        changes=tuple(
            Change(reading.chain, height, at[height], txid, wallet, asset, units, kind)
            for height, txid, wallet, asset, units, kind in sorted(inside, key=lambda each: each[0])
        ),
        payments=tuple(_payments(reading.chain, [each for each in chain.flows if first < each.height <= last], at)),
        known_from=_known_from(chain, begin, at, last, until),
        regrouped=tuple(chain.regrouped),
    )


def _known_from(
    chain: _Chain, begin: datetime, at: dict[int, datetime], last: int, until: datetime
) -> dict[str, datetime]:
    """Assets that began to be followed in the period; one that did so above the anchor is unknown up to it."""
    found = {}
    for asset, (height, time) in chain.known_from.items():
        if time > begin and height > last:
            found[asset] = max(time, until + (until.resolution))
        elif time > begin:
            found[asset] = at.get(height, time)
    return found


def _payments(chain: str, flows: list[_Flow], at: dict[int, datetime]) -> Iterator[Payment]:
    transactions: dict[tuple[int, str, int], list[_Flow]] = {}
    for flow in sorted(flows, key=lambda each: each.height):
        transactions.setdefault((flow.height, flow.txid, flow.ordinal), []).append(flow)
    for rows in transactions.values():
        yield from of_transaction(chain, rows, at)
