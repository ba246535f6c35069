"""From a checked block to the transactions of watched accounts. Pure.

Every leg keeps both its ends; a movement is made for each watched end. Amounts leave this module in
units of the asset as the books count it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from chains.core.hex import data
from chains.core.values import Account, Leg, Movement, Transaction, TransactionKind
from chains.ethereum import blocks
from chains.ethereum.address import spell_cached
from chains.ethereum.blocks import Json, RawBlock, Sent
from chains.ethereum.profiles import Profile, transferred
from chains.ethereum.transfers import Trace
from chains.ethereum.verify.authorizations import Authorization
from chains.ethereum.verify.safe import safe_executions
from chains.ethereum.watch import AddressWatch

UNSEEN_INTERNAL = "internal transfers are not traced by this node: the residual catches them"

Traced = Mapping[int, Trace]
#: EIP-7702 authorizations of watched accounts that took effect, by position of their transaction.
Authorised = Mapping[int, Sequence[Authorization]]
NOBODY: Authorised = MappingProxyType({})
_NOTHING = Trace()


@dataclass(frozen=True, slots=True)
class Assets:
    """What a chain counts: the native asset and the tokens, by lower-case contract.

    ``scale`` is the factor from units on this chain to units of the asset; ``profiles``: of the tokens
    that are not plain, by asset.
    """

    native: str
    tokens: Mapping[str, str]
    scale: Mapping[str, int]
    profiles: Mapping[str, Profile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Part:
    """One leg before it is known whether it is kept; addresses in lower case."""

    asset: str
    units: int
    source: str | None
    destination: str | None
    fee: bool = False
    wrap: bool = False


class Extractor:
    """Finds what touched the watched accounts of one chain."""

    def __init__(self, chain: str, assets: Assets) -> None:
        self._chain = chain
        self._assets = assets

    def transactions(
        self,
        block: RawBlock,
        receipts: Mapping[int, Json],
        traced: Traced | None,
        watch: AddressWatch,
        authorised: Authorised = NOBODY,
    ) -> tuple[Transaction, ...]:
        """Everything in the block that touches a watched account, in block order; then what the block itself paid.

        ``receipts``: of every transaction that ``may_touch`` named, at least. ``traced``: what code did,
        by position, None where the node traces nothing. Raises BadAnswer.
        """
        found = []
        for sent in block.transactions:
            receipt = receipts.get(sent.position)
            if receipt is not None:
                transaction = self._transaction(sent, receipt, traced, watch, authorised.get(sent.position, ()))
                if transaction is not None:
                    found.append(transaction)
        return (*found, *self._by_the_block(block, receipts, watch))

    def may_touch(
        self,
        block: RawBlock,
        logs: Iterable[Json],
        traced: Traced | None,
        watch: AddressWatch,
        authorised: Authorised = NOBODY,
    ) -> tuple[Sent, ...]:
        """The transactions whose receipts are needed, where a node does not give all of them at once.

        A watched fee recipient needs them all: its reward is a sum over every transaction.
        """
        if block.miner in watch:
            return block.transactions
        logged = {
            data(log.get("transactionHash"), "log.transactionHash", 32) for log in logs if self._token(log, watch)
        }
        return tuple(
            sent
            for sent in block.transactions
            if sent.hash in logged
            or sent.sender in watch
            or sent.to in watch
            or sent.position in authorised
            or (traced is not None and _touches(traced.get(sent.position, _NOTHING), watch))
        )

    def _transaction(
        self,
        sent: Sent,
        receipt: Json,
        traced: Traced | None,
        watch: AddressWatch,
        authorised: Sequence[Authorization],
    ) -> Transaction | None:
        ours = sent.sender in watch
        parts = [
            part for part in self._moved(sent, receipt, traced) if part.source in watch or part.destination in watch
        ]
        parts += [token for log in receipt["logs"] if (token := self._token(log, watch)) is not None]
        steps = self._steps(sent, receipt, traced, watch, authorised)
        if not parts and not steps:
            return None
        succeeded = blocks.succeeded(receipt)
        kept = self._both_sides(parts) if succeeded else []
        if sent.minted and ours:
            kept = [self._native(None, sent.sender, sent.minted), *kept]
        if ours:
            kept = [_Part(self._assets.native, self._scaled(blocks.fee(receipt)), sent.sender, None, fee=True), *kept]
        kept = [part for part in kept if part.units > 0]
        if not kept and not steps:
            return None
        return Transaction(
            txid=sent.hash,
            position=sent.position,
            kind=TransactionKind.TRANSACTION,
            movements=self._movements(sent.hash, kept, watch),
            legs=_legs(kept),
            signers=frozenset({spell_cached(sent.sender)}) if ours else frozenset(),
            succeeded=succeeded,
            steps={spell_cached(address): count for address, count in steps.items()},
            parties=_parties(sent, receipt, authorised, watch),
        )

    def _steps(
        self,
        sent: Sent,
        receipt: Json,
        traced: Traced | None,
        watch: AddressWatch,
        authorised: Sequence[Authorization],
    ) -> Counter[str]:
        """By how much the nonces of watched accounts advance, each of them at least by one.

        The sender's, also where the transaction fails; an authority's (EIP-7702), likewise; that of whoever
        created a contract by code; and that of a new contract, which begins at 1 (EIP-161).
        """
        steps = Counter([sent.sender]) if sent.sender in watch else Counter[str]()
        steps.update(each.authority for each in authorised if each.authority is not None)
        made = receipt.get("contractAddress")
        if sent.to is None and made is not None and blocks.succeeded(receipt):
            steps.update(a for a in (blocks.address(made, "receipt.contractAddress"),) if a in watch)
        if traced is not None:
            inside = traced.get(sent.position, _NOTHING).steps
            steps.update({address: count for address, count in inside.items() if address in watch})
        return steps

    def _both_sides(self, parts: list[_Part]) -> list[_Part]:
        """Only what has its other side in this transaction is a wrap: as much of the native asset, the other way."""
        sides = [(part.asset, part.units, part.source, part.destination) for part in parts]
        wraps: set[int] = set()
        for n, part in enumerate(parts):
            if part.wrap:
                back = (self._assets.native, part.units, part.destination, part.source)
                other = next((m for m, side in enumerate(sides) if side == back and m not in wraps), n)
                wraps |= {n, other} if other != n else set()
        return [part if part.wrap == (n in wraps) else replace(part, wrap=n in wraps) for n, part in enumerate(parts)]

    def _moved(self, sent: Sent, receipt: Json, traced: Traced | None) -> Iterator[_Part]:
        if traced is not None:
            for transfer in traced.get(sent.position, _NOTHING).transfers:
                yield self._native(transfer.source, transfer.destination, transfer.wei)
        elif sent.value:
            to = sent.to
            if to is None and receipt.get("contractAddress") is not None:
                to = blocks.address(receipt["contractAddress"], "receipt.contractAddress")
            yield self._native(sent.sender, to, sent.value)

    def _token(self, log: Json, watch: AddressWatch) -> _Part | None:
        """A transfer of an allow-listed token from or to a watched account, or None.

        Both the contract and the event must be right: anyone can log a Transfer that names our wallet.
        """
        contract = log.get("address")
        asset = self._assets.tokens.get(contract.lower()) if isinstance(contract, str) else None
        if asset is None or not isinstance(contract, str):
            return None
        # Most logs of a busy token name nobody of ours; the strict reading is for those that do.
        ends = log["topics"][1:]
        readable = contract.lower() not in watch and all(isinstance(each, str) for each in ends)
        if readable and not any("0x" + each[-40:].lower() in watch for each in ends):
            return None
        told = transferred(self._assets.profiles.get(asset, "plain"), contract.lower(), log)
        if told is None or (told.source not in watch and told.destination not in watch):
            return None
        return _Part(asset, told.units * self._assets.scale[asset], told.source, told.destination, wrap=told.wraps)

    def _by_the_block(self, block: RawBlock, receipts: Mapping[int, Json], watch: AddressWatch) -> list[Transaction]:
        """Rewards and withdrawals: one transaction of each kind, without an id; movements are numbered through both."""
        found: list[Transaction] = []
        reward = []
        if block.miner in watch:
            reward = [self._native(None, block.miner, blocks.tips(block, receipts))]
        paid = [self._native(None, w.address, w.wei) for w in block.withdrawals if w.address in watch]
        first = 0
        for kind, parts in ((TransactionKind.REWARD, reward), (TransactionKind.WITHDRAWAL, paid)):
            kept = [part for part in parts if part.units > 0]
            if kept:
                movements = self._movements("", kept, watch, first)
                position = len(block.transactions) + len(found)
                found.append(Transaction("", position, kind, movements, _legs(kept)))
                first += len(movements)
        return found

    def _movements(
        self, txid: str, parts: Iterable[_Part], watch: AddressWatch, first: int = 0
    ) -> tuple[Movement, ...]:
        ends = [
            (Account(self._chain, spell_cached(end), part.asset), sign * part.units)
            for part in parts
            for end, sign in ((part.source, -1), (part.destination, 1))
            if end is not None and end in watch
        ]
        return tuple(Movement(txid, n, account, delta) for n, (account, delta) in enumerate(ends, first))

    def _native(self, source: str | None, destination: str | None, wei: int) -> _Part:
        return _Part(self._assets.native, self._scaled(wei), source, destination)

    def _scaled(self, wei: int) -> int:
        return wei * self._assets.scale[self._assets.native]


def _legs(parts: Iterable[_Part]) -> tuple[Leg, ...]:
    return tuple(
        Leg(n, part.asset, part.units, _spelled(part.source), _spelled(part.destination), part.fee, part.wrap)
        for n, part in enumerate(parts)
    )


def _spelled(lower: str | None) -> str | None:
    return None if lower is None else spell_cached(lower)


def _touches(trace: Trace, watch: AddressWatch) -> bool:
    return any(t.source in watch or t.destination in watch for t in trace.transfers) or any(
        address in watch for address in trace.steps
    )


def _parties(sent: Sent, receipt: Json, authorised: Sequence[Authorization], watch: AddressWatch) -> dict[str, str]:
    parties = {"nonce": str(sent.nonce)}
    if sent.to is not None:
        parties["to"] = sent.to
    elif receipt.get("contractAddress") is not None:
        parties["created"] = blocks.address(receipt["contractAddress"], "receipt.contractAddress")
    if sent.selector:
        parties["selector"] = sent.selector
    if authorised:
        # Not a signature of this transaction, whoever sent it; but from now on that code acts as the account.
        parties["authorised"] = ",".join(dict.fromkeys(each.authority or "" for each in authorised))
        parties["delegate"] = ",".join(dict.fromkeys(each.delegate for each in authorised))
    # Any contract can log an execution: only a watched Safe's own word names the transaction.
    executed = [each.hash for each in safe_executions(receipt["logs"]) if each.safe in watch]
    if executed:
        parties["safe_tx_hash"] = " ".join(dict.fromkeys(executed))
    return parties
