"""Addresses and output scripts of one network, both ways, without a node.

A locator is the canonical text of an output script: the base58 address of P2PKH (BIP-13 for P2SH),
the lower-case bech32 or bech32m address of a witness program (BIP-173, BIP-350), and
``script:<hex>`` for every other script. Each script has exactly one locator.
"""

from __future__ import annotations

import re

from chains.bitcoin.codec import decode_base58check, decode_segwit, encode_base58check, encode_segwit
from chains.bitcoin.networks import NETWORKS, Network, speakers
from chains.core.errors import AddressError

#: Bitcoin's own limit on a script that can be spent (MAX_SCRIPT_SIZE).
SCRIPT_LONGEST = 10_000
_SCRIPT = "script:"
_EVM = re.compile(r"(?:0[xX])?[0-9a-fA-F]{40}")
_KEY = re.compile(r"[a-zA-Z]pub[1-9A-HJ-NP-Za-km-z]{100,}")
#: Extended private keys and WIF; recognised by form, so that one with a typing error is not printed either.
_PRIVATE = re.compile(
    r"(?<![0-9A-Za-z])(?:[a-zA-Z]prv[1-9A-HJ-NP-Za-km-z]{80,}|[5KLc9][1-9A-HJ-NP-Za-km-z]{50,51})(?![0-9A-Za-z])"
)
_SHOWN = 100


def parse(text: str, network: Network) -> str:
    """The canonical locator of an address or ``script:<hex>``. Raises AddressError."""
    if text != text.strip() or not text:
        raise AddressError(f"{text[:_SHOWN]!r} is empty or has spaces around it: write the bare address")
    return locator_of(script_of(text, network), network)


def refuse_private_keys(text: str) -> None:
    """Raises AddressError, without the key in it, where the text holds a private key."""
    if _PRIVATE.search(text):
        raise AddressError(
            "a private key stands here: porwatch holds no private keys; write the address or the xpub instead"
        )


def script_of(text: str, network: Network) -> bytes:
    """The output script that an address or ``script:<hex>`` stands for. Raises AddressError."""
    if text.startswith(_SCRIPT):
        return _raw_script(text)
    if _EVM.fullmatch(text):
        raise AddressError(f"{text} is the address of an EVM chain; this chain is Bitcoin {network.name}")
    refuse_private_keys(text)
    if _KEY.match(text):
        raise AddressError(
            f"{text[:4]}… is an extended key, not an address: write it under descriptors as wpkh({text[:4]}…/0/*)"
        )
    prefix = text.lower().rpartition("1")[0]
    if prefix in {each.hrp for each in NETWORKS.values()}:
        return _segwit_script(text, network)
    return _base58_script(text, network)


def _raw_script(text: str) -> bytes:
    try:
        script = bytes.fromhex(text.removeprefix(_SCRIPT))
    except ValueError:
        script = b""
    if not 0 < len(script) <= SCRIPT_LONGEST or script.hex() != text.removeprefix(_SCRIPT).lower():
        raise AddressError(
            f"{text[:_SHOWN]!r}: write script: and 1 to {SCRIPT_LONGEST} bytes in hex, nothing between them"
        )
    return script


def _segwit_script(text: str, network: Network) -> bytes:
    try:
        hrp, version, program = decode_segwit(text)
    except ValueError as error:
        raise AddressError(f"{text[:_SHOWN]!r} is no segwit address: {error}") from error
    if hrp != network.hrp:
        raise AddressError(
            f"{text} is a {speakers(hrp=hrp)} address; this chain is {network.name}:"
            f" write one that begins with {network.hrp}1"
        )
    return bytes([0x50 + version if version else 0, len(program)]) + program


def _base58_script(text: str, network: Network) -> bytes:
    try:
        payload = decode_base58check(text)
    except ValueError as error:
        raise AddressError(
            f"{text[:_SHOWN]!r} is no address of Bitcoin {network.name}: {error};"
            f" expected a base58 address or one that begins with {network.hrp}1"
        ) from error
    version, body = payload[0], payload[1:]
    known = speakers(version=version)
    if len(body) != 20 or not known:
        raise AddressError(f"{text[:_SHOWN]!r} is base58 with version byte {version}, which is no Bitcoin address")
    if version == network.p2pkh:
        return b"\x76\xa9\x14" + body + b"\x88\xac"
    if version == network.p2sh:
        return b"\xa9\x14" + body + b"\x87"
    raise AddressError(f"{text} is a {known} address; this chain is {network.name}: write an address of {network.name}")


def locator_of(script: bytes, network: Network) -> str:
    """The canonical locator of an output script."""
    size = len(script)
    if 4 <= size <= 42 and script[1] == size - 2:
        opcode = script[0]
        if opcode == 0 and size in {22, 34}:
            return encode_segwit(network.hrp, 0, script[2:])
        if 0x51 <= opcode <= 0x60:
            return encode_segwit(network.hrp, opcode - 0x50, script[2:])
    if size == 25 and script.startswith(b"\x76\xa9\x14") and script.endswith(b"\x88\xac"):
        return encode_base58check(bytes([network.p2pkh]) + script[3:23])
    if size == 23 and script.startswith(b"\xa9\x14") and script.endswith(b"\x87"):
        return encode_base58check(bytes([network.p2sh]) + script[2:22])
    return _SCRIPT + script.hex()
