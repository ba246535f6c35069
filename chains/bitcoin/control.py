"""Control of an address, and of coins that a proof of funds names, as a quorum of nodes has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chains.bitcoin import node
from chains.bitcoin.opening import satoshis
from chains.bitcoin.ownership import verify_funds, verify_offline
from chains.bitcoin.ownership.bip322 import coins_named
from chains.bitcoin.settings import Settings
from chains.core.errors import BadAnswer
from chains.core.ownership import BadProof, ProofKind, Shown
from chains.core.quorum import Panel
from chains.core.rpc import Calls
from chains.core.values import BlockRef

#: a coin of a block's reward can be spent 100 blocks later (Bitcoin's consensus)
_MATURE = 100


@dataclass(frozen=True, slots=True)
class _Unspent:
    script: bytes
    units: int
    height: int
    coinbase: bool


async def show_control(
    panel: Panel, settings: Settings, kind: ProofKind, locator: str, message: bytes, proof: str, at: BlockRef
) -> Shown:
    """As ``chains.core.chain.ShowsControl``. Coins count that were created by ``at`` and are unspent at the tip."""
    if kind is not ProofKind.BIP322_FUNDS:
        return verify_offline(kind, locator, message, proof, settings)
    named = coins_named(proof)
    vote = await panel.agree(lambda calls: _look(calls, named), lambda found: found, "coins of a proof of funds")
    coins = dict(zip(named, vote.value, strict=True))

    def prevout(txid: str, number: int) -> tuple[bytes, int]:
        coin = coins[txid, number]
        if coin is None:
            raise BadProof(f"{txid}:{number} is not an unspent coin")
        if coin.height > at.height:
            raise BadProof(f"{txid}:{number} was created in block {coin.height}, which is not final yet")
        if coin.coinbase and at.height - coin.height + 1 < _MATURE:
            raise BadProof(f"{txid}:{number} is a block's reward that cannot be spent yet")
        return coin.script, coin.units

    return verify_funds(locator, message, proof, settings, prevout)


async def _look(calls: Calls, named: Sequence[tuple[str, int]]) -> tuple[_Unspent | None, ...]:
    """Every coin at one and the same tip, whose hash is looked at before and after."""
    tip = await calls.call("getbestblockhash", check=node.block_hash_of)
    height = await calls.call("getblockheader", [tip], check=lambda value: _height(value["height"]))

    def check(found: list[Any]) -> tuple[_Unspent | None, ...]:
        return tuple(_unspent(value, tip, height) for value in found)

    return await calls.batch([("gettxout", [txid, number, False]) for txid, number in named], check=check)


def _unspent(value: Any, tip: str, height: int) -> _Unspent | None:
    if value is None:
        return None
    if value["bestblock"] != tip:
        raise BadAnswer("the node's tip moved between two questions: ask again")
    created = height - _height(value["confirmations"]) + 1
    return _Unspent(
        script=bytes.fromhex(value["scriptPubKey"]["hex"]),
        units=satoshis(value["value"]),
        height=_height(created),
        coinbase=value["coinbase"] is True,
    )


def _height(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise BadAnswer(f"{value!r} is no height")
    return value
