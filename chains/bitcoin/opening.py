"""The coins of given scripts after one block: a scan of the node's UTXO set, then blocks undone.

``scantxoutset`` answers for the tip only. Where the block asked for lies below, the blocks above it
are undone one by one: what they created is taken out, what they spent is put back from the
prevouts of ``getblock`` with verbosity 3 (Bitcoin Core 23 and later).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chains.bitcoin.blocks import Header, merkle_root
from chains.bitcoin.node import RPC_INVALID_PARAMETER, check_canonical, hash_at, raw_header
from chains.bitcoin.transactions import SATOSHIS_MOST
from chains.core.errors import BadAnswer, ChainError, HistoryUnavailable, NodeError, Reorganised, Unreachable
from chains.core.quorum import Lie
from chains.core.rpc import Calls
from chains.core.values import BlockRef, Coin

#: One scan serves many scripts; 50,000 of them are a request of some 3 MB, of 32 MB that a node accepts.
SCRIPTS_PER_SCAN = 50_000
#: A scan of mainnet takes minutes.
SCAN_SECONDS = 1_800.0
#: A node runs one scan at a time; how long another one's is waited for.
SCAN_WAIT_SECONDS = 600.0
SCAN_PAUSE_SECONDS = 2.0
ABORT_SECONDS = 5.0
#: Each block undone is a whole block as JSON: ten thousand are hours on mainnet.
UNDO_MOST = 10_000
#: How often scans may be begun anew because the chain was reorganised under them.
SCANS_MOST = 3

NO_PREVOUTS = (
    "this node gives no prevouts (getblock verbosity 3, Bitcoin Core 23 or later with undo data):"
    " with it only start = the head or start = 0 is possible"
)


@dataclass(frozen=True, slots=True)
class Found:
    """A coin, and the height of the block that created it, as the node says (-1 where it does not)."""

    coin: Coin
    height: int


@dataclass(frozen=True, slots=True)
class _Scan:
    """Unspent coins by id of the scripts of one scan (hex -> locator) after the block ``tip``."""

    height: int
    tip: str
    scripts: Mapping[str, str]
    coins: Mapping[str, Found]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one transaction did to given scripts: ids of the coins it created, and the coins it spent."""

    txid: str
    created: tuple[str, ...]
    spent: tuple[Found, ...]


class _Moved(Exception):
    """A scan was taken on a branch that is no longer the chain."""


async def coins_after(
    calls: Calls, scripts: Mapping[str, str], at: BlockRef, asset: str, *, undo_most: int = UNDO_MOST
) -> tuple[Found, ...]:
    """The unspent coins of ``scripts`` (hex -> locator) after block ``at``, ordered by id, from one node.

    Raises Reorganised where ``at`` is not on the node's chain, HistoryUnavailable where the node
    has not come as far or cannot go back that far, Lie where its scan contradicts its own blocks.
    """
    if not scripts or at.height == 0:
        # The genesis block's only output can never be spent and is in no UTXO set.
        return ()
    await check_canonical(calls, at)
    if await hash_at(calls, at.height + undo_most + 1) is not None:
        raise HistoryUnavailable(
            f"block {at.height} lies more than {undo_most:,} blocks below the head, further than blocks are undone:"
            " set start nearer to the head, or to 0"
        )
    wanted = list(scripts.items())
    chunks = [dict(wanted[begin : begin + SCRIPTS_PER_SCAN]) for begin in range(0, len(wanted), SCRIPTS_PER_SCAN)]
    for _ in range(SCANS_MOST):
        scans = [await _scan(calls, chunk, asset) for chunk in chunks]
        try:
            coins = await _undone(calls, scans, at, asset)
        except _Moved:
            await check_canonical(calls, at)
            continue
        return tuple(coins[each] for each in sorted(coins))
    raise Reorganised(f"the chain was reorganised under {SCANS_MOST} scans of the UTXO set in a row")


async def _scan(calls: Calls, scripts: Mapping[str, str], asset: str) -> _Scan:
    """One scan. Waits a while where the node is busy with another; ends its own where it is given up."""
    waited = 0.0
    while True:
        try:
            return await calls.call(
                "scantxoutset",
                ["start", [f"raw({script})" for script in scripts]],
                check=lambda value: _scanned(value, scripts, asset),
                timeout=SCAN_SECONDS,
            )
        except NodeError as error:
            if error.code != RPC_INVALID_PARAMETER or "in progress" not in error.text:
                raise
            if waited >= SCAN_WAIT_SECONDS:
                raise Unreachable(
                    f"another scan of the UTXO set has been running for {waited:.0f} s:"
                    " wait for it, or end it with: bitcoin-cli scantxoutset abort"
                ) from error
        except (Unreachable, asyncio.CancelledError):
            with suppress(ChainError, TimeoutError):
                async with asyncio.timeout(ABORT_SECONDS):
                    await calls.call("scantxoutset", ["abort"])
            raise
        await asyncio.sleep(SCAN_PAUSE_SECONDS)
        waited += SCAN_PAUSE_SECONDS


def _scanned(value: dict[str, Any], scripts: Mapping[str, str], asset: str) -> _Scan:
    if value["success"] is not True:
        raise BadAnswer("the scan of the UTXO set did not finish")
    height, tip = value["height"], value["bestblock"]
    if type(height) is not int or not isinstance(tip, str):
        raise BadAnswer(f"the scan is as of block {tip!r} at height {height!r}")
    coins: dict[str, Found] = {}
    for entry in value["unspents"]:
        coin = _coin(entry["txid"], entry["vout"], scripts[entry["scriptPubKey"]], entry["amount"], asset)
        coins[coin.id] = Found(coin, _height_of(entry))
    total = sum(each.coin.units for each in coins.values())
    if satoshis(value["total_amount"]) != total:
        raise BadAnswer(f"the scan lists {total} satoshis but gives {value['total_amount']} BTC as their sum")
    return _Scan(height, tip, scripts, {name: each for name, each in coins.items() if each.coin.units})


async def _undone(calls: Calls, scans: Sequence[_Scan], at: BlockRef, asset: str) -> dict[str, Found]:
    """The coins of all scans after block ``at``: from the highest tip down, each scan joins at its own."""
    lowest = min(scans, key=lambda scan: scan.height)
    if lowest.height < at.height:
        await check_canonical(calls, at)
        raise HistoryUnavailable(
            f"the scan is as of block {lowest.height}, below the block {at.height} asked for: the node lags behind"
        )
    top = max(scans, key=lambda scan: scan.height)
    height, block = top.height, await raw_header(calls, top.tip)
    waiting = dict(enumerate(scans))
    scripts: dict[str, str] = {}
    coins: dict[str, Found] = {}
    while height >= at.height:
        for number in [number for number, scan in waiting.items() if scan.tip == block.hash]:
            scan = waiting.pop(number)
            scripts |= scan.scripts
            coins |= scan.coins
        if height == at.height:
            break
        await _undo(calls, block, scripts, coins, asset)
        height, block = height - 1, await raw_header(calls, block.parent)
    if waiting or block.hash != at.hash:
        raise _Moved
    return coins


async def _undo(calls: Calls, block: Header, scripts: Mapping[str, str], coins: dict[str, Found], asset: str) -> None:
    """Takes one block out of ``coins``."""
    for effect in reversed(await effects(calls, block, scripts, asset)):
        for each in effect.created:
            if coins.pop(each, None) is None:
                raise _contradiction(block, each, "created in this block but neither in the scan nor spent later")
        for found in effect.spent:
            if found.coin.id in coins:
                raise _contradiction(block, found.coin.id, "spent in this block but unspent in the scan")
            coins[found.coin.id] = found


def _contradiction(block: Header, coin: str, why: str) -> Lie:
    return Lie(
        "coins",
        f"the node's scan contradicts its block {block.hash}: {coin} is {why}",
        {"asked": f"scantxoutset; getblock {block.hash} 3", "coin": coin, "refuted": why},
    )


async def effects(calls: Calls, block: Header, scripts: Mapping[str, str], asset: str) -> list[Effect]:
    """What each transaction of a block did to ``scripts``, in block order; its txids are those of the header."""
    return await calls.call("getblock", [block.hash, 3], check=lambda value: _effects(value, block, scripts, asset))


def _effects(value: dict[str, Any], block: Header, scripts: Mapping[str, str], asset: str) -> list[Effect]:
    if merkle_root([bytes.fromhex(each["txid"])[::-1] for each in value["tx"]]) != block.root:
        raise BadAnswer(f"the transactions listed are not those of block {block.hash}")
    found = []
    for transaction in value["tx"]:
        created = tuple(
            f"{transaction['txid']}:{output['n']}"
            for output in transaction["vout"]
            if output["scriptPubKey"]["hex"] in scripts and output["value"]
        )
        spent = []
        for entry in transaction["vin"]:
            if "coinbase" in entry:
                continue
            if "prevout" not in entry:
                raise HistoryUnavailable(NO_PREVOUTS)
            prevout = entry["prevout"]
            locator = scripts.get(prevout["scriptPubKey"]["hex"])
            if locator is not None and prevout["value"]:
                coin = _coin(entry["txid"], entry["vout"], locator, prevout["value"], asset)
                spent.append(Found(coin, _height_of(prevout)))
        found.append(Effect(transaction["txid"], created, tuple(spent)))
    return found


def _height_of(entry: dict[str, Any]) -> int:
    height = entry.get("height", -1)
    if type(height) is not int:
        raise BadAnswer(f"a coin was created at height {height!r}")
    return height


def _coin(txid: object, number: object, locator: str, amount: object, asset: str) -> Coin:
    if not isinstance(txid, str) or len(bytes.fromhex(txid)) != 32 or type(number) is not int or number < 0:
        raise BadAnswer(f"{txid!r}:{number!r} is no output of a transaction")
    return Coin(f"{txid.lower()}:{number}", locator, asset, satoshis(amount))


def satoshis(amount: object) -> int:
    """Whole satoshis of an amount that a node writes in coins. Raises BadAnswer for anything else."""
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        raise BadAnswer(f"an amount is a number of coins, not {amount!r}")
    units = Decimal(amount).scaleb(8)
    if units != units.to_integral_value() or not 0 <= units <= SATOSHIS_MOST:
        raise BadAnswer(f"{amount} coins are not a whole number of satoshis from 0 to {SATOSHIS_MOST}")
    return int(units)
