"""Legacy signed messages of Bitcoin Core, and the header bytes that BIP-137 adds for one-key segwit addresses.

The header byte must name the address's own type, and the recovered key must give exactly its
script: a p2pkh header under a segwit address (as some wallets write) is refused, since one signature
would then be valid for several addresses; so is a header above 42, whose upper bits Bitcoin Core
ignores. A high S passes, as it does there: old wallets wrote it, and what a message proves does not
hang on the signature having one form only. Nobody may tell proofs apart by their bytes.
"""

from __future__ import annotations

from collections.abc import Callable

from chains.bitcoin.addresses import locator_of
from chains.bitcoin.codec import double_sha256
from chains.bitcoin.networks import Network
from chains.bitcoin.ownership.bip322 import described
from chains.bitcoin.ownership.digests import hash160
from chains.bitcoin.ownership.scripts import Satisfied
from chains.bitcoin.ownership.signatures import recover
from chains.bitcoin.ownership.text import counted, from_base64
from chains.core.ownership import BadProof, ProofKind, Shown

_MAGIC = b"Bitcoin Signed Message:\n"
#: 65 bytes.
_LONGEST = 88


def _p2pkh(key: bytes) -> bytes:
    return b"\x76\xa9\x14" + hash160(key) + b"\x88\xac"


def _p2wpkh(key: bytes) -> bytes:
    return b"\0\x14" + hash160(key)


def _wrapped(key: bytes) -> bytes:
    return b"\xa9\x14" + hash160(_p2wpkh(key)) + b"\x87"


#: First header byte of each group of four: the template, whether the key is compressed, and its output script.
_HEADERS: dict[int, tuple[str, bool, Callable[[bytes], bytes]]] = {
    27: ("p2pkh", False, _p2pkh),
    31: ("p2pkh", True, _p2pkh),
    35: ("p2sh-p2wpkh", True, _wrapped),
    39: ("p2wpkh", True, _p2wpkh),
}


def message_digest(message: bytes) -> bytes:
    """What a legacy message signature signs."""
    return double_sha256(counted(_MAGIC) + counted(message))


def verify_message(script: bytes, message: bytes, proof: str, network: Network) -> Shown:
    """What a legacy message signature shows about an output script. Raises BadProof."""
    signature = from_base64(proof, _LONGEST)
    if len(signature) != 65:
        raise BadProof(f"a Bitcoin message signature has 65 bytes, not {len(signature)}")
    header = signature[0]
    if not 27 <= header <= 42:
        raise BadProof(f"the signature begins with {header}; 27 to 42 are known (BIP-137)")
    recovery = (header - 27) % 4
    template, compressed, script_of_key = _HEADERS[header - recovery]
    key = recover(signature[1:], recovery, message_digest(message), compressed=compressed)
    if script_of_key(key) != script:
        raise BadProof(
            f"the signature is not one of this address over this message: as {template} it is of"
            f" {locator_of(script_of_key(key), network)}"
        )
    detail = described(Satisfied(template, 1, 1, (key.hex(),)))
    return Shown(ProofKind.BITCOIN_MESSAGE, locator_of(script, network), detail)
