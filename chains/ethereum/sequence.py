"""Which EIP-7702 authorizations of watched accounts took effect in a block. Pure.

Each one that does counts its authority's nonce up by one, whoever sends the transaction and whether it
succeeds or not. It does so only with the nonce that the authority has at that very moment, so the block
is gone through in its order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chains.ethereum.blocks import Json, RawBlock
from chains.ethereum.transfers import Trace
from chains.ethereum.verify.authorizations import Authorization, authorizations
from chains.ethereum.verify.transactions import transaction_type
from chains.ethereum.watch import AddressWatch

UNSURE = "whether EIP-7702 authorizations took effect is not known here: the state before this block is gone"
_SET_CODE = 4
_NONCES = 2**64 - 1

Named = Mapping[int, tuple[Authorization, ...]]


def named(raw: Json, chain_id: int, watch: AddressWatch) -> dict[int, tuple[Authorization, ...]]:
    """The authorizations of watched accounts for this chain, by position of their transaction. Raises BadAnswer."""
    found = {}
    for position, sent in enumerate(raw["transactions"]):
        if transaction_type(sent) == _SET_CODE:
            ours = tuple(
                each
                for each in authorizations(sent)
                if each.authority in watch and each.chain_id in (0, chain_id) and each.nonce < _NONCES
            )
            if ours:
                found[position] = ours
    return found


def effective(
    block: RawBlock, given: Named, nonces: Mapping[str, int], traced: Mapping[int, Trace] | None
) -> dict[int, tuple[Authorization, ...]]:
    """Those of ``given`` that took effect; ``nonces``: of every authority before the block, in lower case."""
    now = dict(nonces)
    found = {}
    for sent in block.transactions:
        if sent.sender in now:
            now[sent.sender] = sent.nonce + 1
        taken = []
        for each in given.get(sent.position, ()):
            if each.authority is not None and now.get(each.authority) == each.nonce:
                now[each.authority] += 1
                taken.append(each)
        if taken:
            found[sent.position] = tuple(taken)
        if traced is not None and sent.position in traced:
            for address, steps in traced[sent.position].steps.items():
                if address in now:
                    now[address] += steps
    return found


def first_nonces(given: Named) -> dict[str, int]:
    """The nonces that the first authorization of each account was made for: the best guess where state is gone."""
    found: dict[str, int] = {}
    for position in sorted(given):
        for authorization in given[position]:
            if authorization.authority is not None:
                found.setdefault(authorization.authority, authorization.nonce)
    return found


def authorities(given: Named) -> Sequence[str]:
    """Whose accounts these are, each once."""
    return tuple(first_nonces(given))
