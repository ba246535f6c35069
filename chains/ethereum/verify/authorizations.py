"""Who let another's code run as their account: the authorizations of a type 4 transaction (EIP-7702)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chains.core.hex import quantity
from chains.ethereum.verify import rlp, signatures
from chains.ethereum.verify.fields import Json, address_item, array, mapping, padded, text
from chains.ethereum.verify.hashing import keccak
from chains.ethereum.verify.transactions import transaction_type

_SET_CODE = 4
_MAGIC = b"\x05"


@dataclass(frozen=True, slots=True)
class Authorization:
    """One entry of the list; addresses in lower case.

    ``authority``: whose account it is about, None where no key can have made the signature. It takes effect,
    and counts the authority's nonce up by one even where the transaction fails, only if ``chain_id`` is 0 or
    the chain's, and ``nonce`` is the authority's at that moment and below 2**64 - 1.
    """

    chain_id: int
    delegate: str
    nonce: int
    authority: str | None


def authorizations(raw: Json) -> tuple[Authorization, ...]:
    """The authorizations of a transaction in their order; none for other types. Raises BadAnswer."""
    if transaction_type(raw) != _SET_CODE:
        return ()
    return tuple(map(_authorization, array(raw, "authorizationList", "transaction.authorizationList")))


def _authorization(raw: Any) -> Authorization:
    item = mapping(raw, "an authorization")
    chain_id = quantity(item.get("chainId"), "authorization.chainId")
    nonce = quantity(item.get("nonce"), "authorization.nonce")
    delegate = text(item.get("address"), "authorization.address", 20)
    signed = (rlp.encode_int(chain_id), address_item(delegate, "authorization.address"), rlp.encode_int(nonce))
    digest = keccak(_MAGIC + rlp.encode_list(signed))
    parity, r, s = (padded(item.get(name), f"authorization.{name}") for name in ("yParity", "r", "s"))
    return Authorization(chain_id, delegate, nonce, signatures.recover(digest, parity, r, s))
