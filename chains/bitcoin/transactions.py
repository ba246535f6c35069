"""Hits of a block walk to transactions with movements and legs.

How a transaction is told (values.Transaction):
- Legs are numbered by place: inputs from 0, then outputs, then the fee. Legs of 0 satoshi do not exist.
- Spends one of our coins: a source leg for each own input, a destination leg for each output, and
  the fee where all inputs are ours; with foreign inputs the fee cannot be known and has no leg.
- Only pays us: a destination leg for each watched output.
- A coinbase that pays us is of kind REWARD and keeps its txid, since its coins need it.
- One movement for each own coin spent (negative) or created (positive), inputs first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from chains.bitcoin.addresses import locator_of
from chains.bitcoin.networks import Network
from chains.bitcoin.walker import Hit, Span, Walk
from chains.bitcoin.watch import CoinWatch, coin_id_of
from chains.core.errors import BadAnswer
from chains.core.values import Account, Coin, Leg, Movement, Transaction, TransactionKind

if TYPE_CHECKING:
    from bitcoin.core import CTransaction

#: 21 million coins: no output holds more (MAX_MONEY).
SATOSHIS_MOST = 2_100_000_000_000_000
_CENT = Decimal("0.01")


def transactions_of(
    raw: bytes, walked: Walk, watch: CoinWatch, chain: str, asset: str, network: Network
) -> tuple[Transaction, ...]:
    """The transactions of a walked block that touch ``watch``, in block order. ``watch`` is only read."""
    teller = _Teller(raw, watch, chain, asset, network)
    told = [teller.tell(hit, walked.spans[hit.position]) for hit in walked.hits]
    return tuple(transaction for transaction in told if transaction.movements)


@dataclass(slots=True)
class _Teller:
    """Tells the hits of one block in order; ``fresh`` are coins the block created, ``gone`` those it spent."""

    raw: bytes
    watch: CoinWatch
    chain: str
    asset: str
    network: Network
    fresh: dict[bytes, Coin] = field(default_factory=dict)
    gone: set[bytes] = field(default_factory=set)

    def tell(self, hit: Hit, span: Span) -> Transaction:
        parsed = _parse(self.raw, hit, span)
        spent = {number: coin for number in hit.spends if (coin := self._spend(parsed, number)) is not None}
        amounts = [_checked(out.nValue) for out in parsed.vout]
        created = {number: self._create(hit, parsed, number) for number in hit.pays if amounts[number] > 0}
        foreign = len(parsed.vin) - len(spent) if spent else 0
        legs = [Leg(number, coin.asset, coin.units, coin.locator, None) for number, coin in spent.items()]
        for number, units in enumerate(amounts):
            if units > 0 and (spent or number in created):
                locator = locator_of(bytes(parsed.vout[number].scriptPubKey), self.network)
                legs.append(Leg(len(parsed.vin) + number, self.asset, units, None, locator))
        parties: dict[str, str] = {}
        if spent and not foreign:
            fee = sum(coin.units for coin in spent.values()) - sum(amounts)
            if fee < 0:
                raise BadAnswer(f"{hit.txid[::-1].hex()} pays out {-fee} satoshis more than it spends")
            if fee > 0:
                legs.append(Leg(len(parsed.vin) + len(amounts), self.asset, fee, None, None, fee=True))
            parties["feerate"] = f"{(Decimal(fee) / _virtual_size(span)).quantize(_CENT)} sat/vB"
        changes = [(coin, -coin.units) for coin in spent.values()] + [(coin, coin.units) for coin in created.values()]
        txid = hit.txid[::-1].hex()
        return Transaction(
            txid=txid,
            position=hit.position,
            kind=TransactionKind.REWARD if hit.position == 0 else TransactionKind.TRANSACTION,
            movements=tuple(
                Movement(txid, index, Account(self.chain, coin.locator, coin.asset), delta, coin.id)
                for index, (coin, delta) in enumerate(changes)
            ),
            legs=tuple(legs),
            signers=frozenset(coin.locator for coin in spent.values()),
            foreign_inputs=foreign,
            parties=parties,
        )

    def _spend(self, parsed: CTransaction, number: int) -> Coin | None:
        """The coin that an input spends; None for one of value 0, which the walk found but nobody keeps."""
        prevout = parsed.vin[number].prevout
        outpoint = prevout.hash + prevout.n.to_bytes(4, "little")
        if outpoint in self.gone:
            raise BadAnswer(f"the block spends {coin_id_of(prevout.hash, prevout.n)} twice")
        self.gone.add(outpoint)
        return self.watch.coins.get(outpoint) or self.fresh.get(outpoint)

    def _create(self, hit: Hit, parsed: CTransaction, number: int) -> Coin:
        output = parsed.vout[number]
        locator = locator_of(bytes(output.scriptPubKey), self.network)
        coin = Coin(coin_id_of(hit.txid, number), locator, self.asset, output.nValue)
        self.fresh[hit.txid + number.to_bytes(4, "little")] = coin
        return coin


def _parse(raw: bytes, hit: Hit, span: Span) -> CTransaction:
    """The transaction at ``span`` by python-bitcoinlib, which must understand it as the walker did."""
    from bitcoin.core import CTransaction  # noqa: PLC0415
    from bitcoin.core.serialize import SerializationError  # noqa: PLC0415

    try:
        parsed = CTransaction.deserialize(raw[span[0] : span[1]])
    except (SerializationError, ValueError) as error:
        raise BadAnswer(f"{hit.txid[::-1].hex()} is no transaction: {error}") from error
    if parsed.GetTxid() != hit.txid:
        raise BadAnswer(f"{hit.txid[::-1].hex()} is not written in the one allowed form")
    return parsed


def _checked(units: int) -> int:
    if not 0 <= units <= SATOSHIS_MOST:
        raise BadAnswer(f"an output of {units} satoshis cannot be")
    return units


def _virtual_size(span: Span) -> int:
    """Virtual bytes of a transaction (BIP-141): a quarter of its weight, rounded up."""
    start, end, outputs_end, witnesses = span
    total = end - start
    base = outputs_end - start - 2 + 4 if witnesses else total
    return (3 * base + total + 3) // 4
