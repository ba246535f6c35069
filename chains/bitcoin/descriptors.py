"""Output descriptors (BIP-380 to BIP-387, BIP-389) to locators, offline.

The text is checked strictly here, because the library that compiles the scripts reads on where it
should not: checksum, private keys, networks, hardened steps, place of the wildcard. The scripts
themselves come from embit, which is imported when a descriptor is first derived.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chains.bitcoin.addresses import locator_of, refuse_private_keys
from chains.bitcoin.codec import decode_base58check, descriptor_checksum, encode_base58check
from chains.bitcoin.networks import Network
from chains.core.errors import AddressError

if TYPE_CHECKING:
    from embit.descriptor import Descriptor

_LONGEST = 10_000
#: Locators derived by one call, all branches together.
MANY = 2_000_000
_HARDENED = 1 << 31
_BRANCHES_MOST = 16
#: A P2SH redeem script above 520 bytes can never be spent (MAX_SCRIPT_ELEMENT_SIZE).
_REDEEM_LONGEST = 520

#: Extended public keys of SLIP-132 and what they mean as a descriptor; {} is the same key as xpub or tpub.
_SLIP132 = {
    "ypub": "sh(wpkh({}/0/*))",
    "zpub": "wpkh({}/0/*)",
    "Ypub": "sh(wsh(sortedmulti(…,{}/0/*,…)))",
    "Zpub": "wsh(sortedmulti(…,{}/0/*,…))",
    "upub": "sh(wpkh({}/0/*))",
    "vpub": "wpkh({}/0/*)",
    "Upub": "sh(wsh(sortedmulti(…,{}/0/*,…)))",
    "Vpub": "wsh(sortedmulti(…,{}/0/*,…))",
}
_SLIP132_KEY = re.compile(r"(?<![0-9A-Za-z])([yzuvYZUV]pub)[1-9A-HJ-NP-Za-km-z]{80,}")
_STARTS = ("pkh(", "wpkh(", "sh(", "wsh(", "tr(", "pk(", "multi(", "sortedmulti(")
#: embit has no bare scripts; they are compiled as what sh() would hold.
_BARE = ("pk(", "multi(", "sortedmulti(")
_MULTI = re.compile(r"(?<![a-z_])(?:sorted)?multi(?:_a)?\(([^()]*)\)")
_PUNCTUATION = re.compile(r"([(){},])")
_ORIGIN = re.compile(r"\[[0-9a-fA-F]{8}(?:/[0-9]{1,10}['h]?)*\]")
_STEP = re.compile(r"[0-9]{1,10}")
_MULTIPATH = re.compile(r"<[0-9]{1,10}(?:;[0-9]{1,10})+>")
_PLAIN = re.compile(r"[0-9]{1,10}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}|0[23][0-9a-fA-F]{64}|04[0-9a-fA-F]{128}")


def derive(text: str, first: int, last: int, network: Network) -> tuple[str, ...]:
    """Locators ``first`` to ``last`` (inclusive) of a descriptor.

    With a multipath step such as ``<0;1>`` each index gives one locator for each branch, in the
    order written: index 0 of branch 0, index 0 of branch 1, index 1 of branch 0 … A descriptor
    without ``/*`` has one locator a branch whatever the range. Raises AddressError.
    """
    body = _without_checksum(text)
    _check_text(body, network)
    branches = [_ready(branch) for branch in _branches(body)]
    indexes = range(first, last + 1) if branches[0].is_wildcard else range(1)
    if first < 0 or last < first or last >= _HARDENED or len(indexes) * len(branches) > MANY:
        raise AddressError(f"range {first} to {last}: write 0 <= first <= last, with at most {MANY:,} addresses in all")
    try:
        return tuple(
            locator_of(bytes(branch.derive(index).script_pubkey().data), network)
            for index in indexes
            for branch in branches
        )
    except Exception as error:
        # As in _branches: embit has no error type of its own, and a descriptor is hostile input.
        raise AddressError(f"the descriptor {_shown(body)} cannot be derived: {error}") from error


def _shown(body: str) -> str:
    return body if len(body) <= 60 else f"{body[:40]}…{body[-15:]}"


def _without_checksum(text: str) -> str:
    """The descriptor without ``#checksum``, which is checked where it is written (BIP-380)."""
    refuse_private_keys(text)
    if len(text) > _LONGEST:
        raise AddressError(f"a descriptor of {len(text)} characters is too long: at most {_LONGEST}")
    body, found, checksum = text.partition("#")
    try:
        right = descriptor_checksum(body)
    except ValueError as error:
        raise AddressError(f"descriptor {_shown(body)}: {error}") from error
    if found and checksum != right:
        raise AddressError(
            f"descriptor {_shown(body)} has the checksum #{checksum[:16]}, but its text gives #{right}:"
            " one of the two is mistyped; compare the text with its source, then write the right one"
        )
    return body


def _check_text(body: str, network: Network) -> None:
    """Everything that can be said about a descriptor without compiling it."""
    old = _SLIP132_KEY.search(body)
    if old is not None:
        raise AddressError(_explain_slip132(old, network))
    if body.startswith(("xpub", "tpub", "[")):
        raise AddressError(f"a bare extended key says not which addresses it has: write e.g. wpkh({body[:8]}…/0/*)")
    if body.startswith(("addr(", "raw(")):
        raise AddressError(f"{_shown(body)} is a single address: write it under addresses (raw(…) as script:…)")
    if not body.startswith(_STARTS) or not body.endswith(")"):
        raise AddressError(
            f"{_shown(body)} is no descriptor that porwatch knows: it begins with one of {' '.join(_STARTS)}"
        )
    parts = [part for part in _PUNCTUATION.split(body) if part]
    compressed_only = not body.startswith(("pkh(", "pk(", "multi(", "sortedmulti(")) and not re.match(
        r"sh\((?!w)", body
    )
    _check_thresholds(body)
    lengths: set[int] = set()
    for part, after in zip(parts, [*parts[1:], ""], strict=True):
        if part in "(){}," or after == "(":
            continue
        lengths.add(_check_argument(part, network, compressed_only=compressed_only))
    if len(lengths - {1}) > 1:
        raise AddressError(f"descriptor {_shown(body)}: every <…> must list equally many branches (BIP-389)")


def _check_thresholds(body: str) -> None:
    for found in _MULTI.finditer(body):
        threshold, *keys = found.group(1).split(",")
        if not threshold.isdecimal() or not 1 <= int(threshold) <= len(keys):
            raise AddressError(
                f"{_shown(found.group())}: the first number says how many of the {len(keys)} keys must sign:"
                f" write 1 to {len(keys)}"
            )


def _explain_slip132(found: re.Match[str], network: Network) -> str:
    kind, key = found.group(1), found.group(0)
    try:
        plain = encode_base58check(network.xpub + decode_base58check(key)[4:])
    except ValueError as error:
        return f"the {kind} {key[:12]}… is not valid: {error}"
    return f"{kind} keys are no part of descriptors: the same key is written {_SLIP132[kind].format(plain)}"


def _check_argument(part: str, network: Network, *, compressed_only: bool) -> int:
    """Checks one key, number or hash and gives its count of branches."""
    origin = _ORIGIN.match(part)
    if part.startswith("[") and origin is None:
        raise AddressError(f"key origin of {_shown(part)}: write [8 hex digits/44h/0h/0h] before the key")
    key, *path = part[origin.end() if origin else 0 :].split("/")
    if not path and _PLAIN.fullmatch(key):
        if compressed_only and key.startswith("04") and len(key) == 130:
            raise AddressError(
                "an uncompressed key cannot stand in a segwit or taproot script: write the compressed one"
            )
        return 1
    if not key.startswith(("xpub", "tpub")):
        raise AddressError(f"{_shown(part)} is neither a public key, an xpub nor a number")
    try:
        payload = decode_base58check(key)
    except ValueError as error:
        raise AddressError(f"the extended key {key[:12]}… is not valid: {error}") from error
    if len(payload) != 78:
        raise AddressError(f"the extended key {key[:12]}… has {len(payload)} bytes instead of 78")
    if payload[:4] != network.xpub:
        wanted = "xpub" if network.name == "mainnet" else "tpub"
        raise AddressError(f"{key[:12]}… is a key of another network: {network.name} keys begin with {wanted}")
    return _check_path(part, path)


def _check_path(part: str, path: list[str]) -> int:
    branches = 1
    for place, step in enumerate(path):
        if "'" in step or "h" in step or "H" in step:
            raise AddressError(
                f"{_shown(part)}: hardened steps need the private key, which porwatch never holds:"
                " export the xpub of that level from the wallet and write the steps before it as [fingerprint/…] origin"
            )
        if step == "*" and place == len(path) - 1:
            continue
        if _MULTIPATH.fullmatch(step) and branches == 1:
            choices = [int(number) for number in step[1:-1].split(";")]
            branches = len(choices)
            if len(set(choices)) != branches or max(choices) >= _HARDENED or branches > _BRANCHES_MOST:
                raise AddressError(f"{_shown(part)}: <…> lists 2 to {_BRANCHES_MOST} different numbers below 2^31")
            continue
        if _STEP.fullmatch(step) is None or int(step) >= _HARDENED:
            raise AddressError(
                f"{_shown(part)}: {step!r} is no step:"
                " write numbers below 2^31, at most one <0;1>, and /* only at the end"
            )
    return branches


def _branches(body: str) -> list[Descriptor]:
    """One compiled descriptor for each branch of a multipath step."""
    from embit.descriptor import Descriptor  # noqa: PLC0415

    bare = body.startswith(_BARE)
    try:
        parsed = Descriptor.from_string(f"sh({body})" if bare else body)
        again = parsed.to_string()
        branches = [parsed.branch(number) for number in range(parsed.num_branches)]
    except Exception as error:
        # embit raises whatever its parser trips over, assertions and index errors included.
        raise AddressError(f"descriptor {_shown(body)} is not valid: {str(error) or type(error).__name__}") from error
    if _comparable(again) != _comparable(f"sh({body})" if bare else body):
        raise AddressError(f"descriptor {_shown(body)} is not valid: it was understood as {_shown(again)}")
    for branch in branches:
        branch.sh = branch.sh and not bare
        redeem = branch.redeem_script() if not branch.is_wildcard else branch.derive(0).redeem_script()
        if redeem is not None and len(redeem.data) > _REDEEM_LONGEST:
            raise AddressError(
                f"descriptor {_shown(body)}: its redeem script is above {_REDEEM_LONGEST} bytes and unspendable"
            )
    return branches


def _comparable(text: str) -> str:
    """Descriptor text with one spelling of hardened steps, since the origin may use either."""
    return re.sub(r"\[[^\]]*\]", lambda origin: origin.group().replace("'", "h").lower(), text)


def _ready(branch: Descriptor) -> Descriptor:
    """The branch with every key derived down to its wildcard once instead of once per index."""
    from embit.descriptor.arguments import AllowedDerivation, KeyOrigin  # noqa: PLC0415

    for key in branch.keys:
        if not key.is_extended or key.allowed_derivation is None:
            continue
        steps = key.allowed_derivation.indexes
        fixed = steps[:-1] if key.is_wildcard else steps
        if fixed:
            key.key = key.key.derive(fixed)
        key.allowed_derivation = AllowedDerivation([None]) if key.is_wildcard else None
        # Without an origin embit derives one more child per index, only to print its fingerprint.
        key.origin = KeyOrigin(bytes(4), [])
    return branch
