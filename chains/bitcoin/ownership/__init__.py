"""Proof of control of a Bitcoin address, offline: BIP-322 and legacy messages.

A valid proof shows that whoever made it could sign for the address over this message; that the
message is a fresh challenge, bound to an entity and to a network, is for the caller to see to.
"""

from __future__ import annotations

from chains.bitcoin.addresses import script_of
from chains.bitcoin.networks import Network
from chains.bitcoin.ownership import bip322
from chains.bitcoin.ownership.bip322 import Prevout, coins_named
from chains.bitcoin.ownership.message import verify_message
from chains.bitcoin.settings import Settings
from chains.core.errors import AddressError
from chains.core.ownership import BadProof, ProofKind, Shown

__all__ = ["MESSAGE_LONGEST", "Prevout", "coins_named", "verify_funds", "verify_offline"]

#: Bytes of a message; a challenge has a few hundred.
MESSAGE_LONGEST = 10_000


def verify_offline(kind: ProofKind, locator: str, message: bytes, proof: str, settings: Settings) -> Shown:
    """What ``proof`` over ``message`` shows about ``locator`` (an address of the chain's network, or script:<hex>).

    Raises BadProof, and nothing else, for a proof that does not show control, or is of a kind that needs a node.
    """
    network = settings.parameters()
    script = _script(locator, message, network)
    if kind is ProofKind.BIP322_SIMPLE:
        return bip322.verify_simple(script, message, proof, network)
    if kind is ProofKind.BIP322_FULL:
        return bip322.verify_full(script, message, proof, network)
    if kind is ProofKind.BITCOIN_MESSAGE:
        return verify_message(script, message, proof, network)
    if kind is ProofKind.BIP322_FUNDS:
        raise BadProof("a proof of funds needs the coins it names: it is verified beside a node")
    raise BadProof(f"a proof of the kind {kind} cannot be given for a Bitcoin address without a node")


def verify_funds(locator: str, message: bytes, proof: str, settings: Settings, prevout: Prevout) -> Shown:
    """As ``verify_offline``, for a proof of funds. ``prevout(txid, number)`` gives script and satoshis of an unspent
    coin as the chain has it at the block that counts, and raises BadProof where it is not unspent there.
    """
    network = settings.parameters()
    return bip322.verify_funds(_script(locator, message, network), message, proof, network, prevout)


def _script(locator: str, message: bytes, network: Network) -> bytes:
    if len(message) > MESSAGE_LONGEST:
        raise BadProof(f"the message has {len(message)} bytes; {MESSAGE_LONGEST} is the most that is read")
    try:
        return script_of(locator, network)
    except AddressError as error:
        raise BadProof(str(error)) from error
