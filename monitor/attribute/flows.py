"""Split what a transaction did into flow parts: who paid what to whom, exactly.

Account chains know both ends of every leg, so each leg is a part. On a UTXO chain inputs and
outputs are not paired: the sinks (the fee, then the outputs by index) are filled from the wallets
that lost, cold before warm before hot, then in configuration order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chains.core.values import Leg, Transaction
from monitor.model import TIER_ORDER, Direction, Flow, Part, Wallet

#: sink of parts that pay no leg of their own
NO_SINK = -1


class AttributionError(Exception):
    """The parts of a transaction do not add up to its movements: nothing of the block is committed."""


@dataclass(slots=True)
class _Parts:
    """Collects the parts of one transaction and numbers them."""

    txid: str
    flows: list[Flow] = field(default_factory=list)

    def add(self, wallet: Wallet, leg: Leg | None, asset: str, part: Part, units: int, receiver: str = "") -> None:
        if units == 0:
            return
        direction = Direction.IN if part in (Part.RECEIPT, Part.CHANGE) else Direction.OUT
        destination = "" if leg is None or part is Part.FEE else (leg.destination or "")
        sink = NO_SINK if leg is None else leg.index
        self.flows.append(
            Flow(self.txid, len(self.flows), wallet.name, asset, part, direction, destination, receiver, sink, units)
        )


def split(transaction: Transaction, wallets: Mapping[str, Wallet]) -> tuple[Flow, ...]:
    """The flow parts of ``transaction``; ``wallets``: the wallet of each watched locator.

    Raises AttributionError where Σ parts ≠ −Σ deltas for a wallet and asset.
    """
    parts = _Parts(transaction.txid)
    for asset in dict.fromkeys(leg.asset for leg in transaction.legs):
        legs = [leg for leg in transaction.legs if leg.asset == asset]
        if any(leg.source is not None and (leg.destination is not None or leg.fee) for leg in legs):
            _paired(parts, legs, wallets)
        else:
            _unpaired(parts, legs, wallets)
    _assert_exact(transaction, parts.flows, wallets)
    return tuple(parts.flows)


def _paired(parts: _Parts, legs: list[Leg], wallets: Mapping[str, Wallet]) -> None:
    for leg in legs:
        payer = wallets.get(leg.source or "")
        payee = wallets.get(leg.destination or "")
        if leg.fee:
            if payer is not None:
                parts.add(payer, leg, leg.asset, Part.FEE, leg.units)
        elif payer is not None and payee is not None:
            if payer.name == payee.name:
                parts.add(payer, leg, leg.asset, Part.CHANGE, leg.units, payee.name)
            else:
                parts.add(payer, leg, leg.asset, Part.OWN, leg.units, payee.name)
                parts.add(payee, leg, leg.asset, Part.RECEIPT, leg.units, payee.name)
        elif payer is not None:
            parts.add(payer, leg, leg.asset, Part.DESTINATION, leg.units)
        elif payee is not None:
            parts.add(payee, leg, leg.asset, Part.RECEIPT, leg.units, payee.name)


def _unpaired(parts: _Parts, legs: list[Leg], wallets: Mapping[str, Wallet]) -> None:
    spent: dict[str, int] = {}
    received: dict[str, int] = {}
    by_name: dict[str, Wallet] = {}
    for leg in legs:
        for locator, sums in ((leg.source, spent), (leg.destination, received)):
            wallet = wallets.get(locator or "")
            if wallet is not None:
                by_name[wallet.name] = wallet
                sums[wallet.name] = sums.get(wallet.name, 0) + leg.units
    losers = [by_name[name] for name, units in spent.items() if units > received.get(name, 0)]
    losers.sort(key=lambda wallet: (TIER_ORDER[wallet.tier], wallet.order))
    purse = _Purse(parts, [(wallet, spent[wallet.name] - received.get(wallet.name, 0)) for wallet in losers])
    for leg in (leg for leg in legs if leg.fee):
        purse.pay(leg, Part.FEE, leg.units)
    own_change = dict(spent)
    for leg in (leg for leg in legs if not leg.fee and leg.source is None):
        payee = wallets.get(leg.destination or "")
        if payee is None:
            purse.pay(leg, Part.DESTINATION, leg.units)
            continue
        change = min(own_change.get(payee.name, 0), leg.units)
        own_change[payee.name] = own_change.get(payee.name, 0) - change
        parts.add(payee, leg, leg.asset, Part.CHANGE, change, payee.name)
        gain = leg.units - change
        parts.add(payee, leg, leg.asset, Part.RECEIPT, gain, payee.name)
        purse.pay(leg, Part.OWN, gain, payee.name)
    purse.rest(legs[0].asset)


class _Purse:
    """What the losing wallets have to pay with, in the order in which they are asked."""

    def __init__(self, parts: _Parts, funds: list[tuple[Wallet, int]]) -> None:
        self._parts = parts
        self._funds = funds

    def pay(self, leg: Leg, part: Part, units: int, receiver: str = "") -> None:
        """Fill one sink; what own wallets cannot fill was paid by inputs that are not ours."""
        while units > 0 and self._funds:
            wallet, left = self._funds[0]
            share = min(left, units)
            self._parts.add(wallet, leg, leg.asset, part, share, receiver)
            units -= share
            if share == left:
                self._funds.pop(0)
            else:
                self._funds[0] = (wallet, left - share)

    def rest(self, asset: str) -> None:
        """What no output took is fee; it is left over only where foreign inputs hide the fee's size."""
        for wallet, left in self._funds:
            self._parts.add(wallet, None, asset, Part.FEE, left)
        self._funds = []


def _assert_exact(transaction: Transaction, flows: list[Flow], wallets: Mapping[str, Wallet]) -> None:
    sums: dict[tuple[str, str], int] = {}
    for movement in transaction.movements:
        key = (wallets[movement.account.locator].name, movement.account.asset)
        sums[key] = sums.get(key, 0) + movement.delta
    for flow in flows:
        if flow.part is Part.CHANGE:
            continue
        sign = 1 if flow.direction is Direction.OUT else -1
        sums[flow.wallet, flow.asset] = sums.get((flow.wallet, flow.asset), 0) + sign * flow.units
    wrong = {key: units for key, units in sums.items() if units}
    if wrong:
        raise AttributionError(f"transaction {transaction.txid}: flow parts and movements differ by {wrong}")
