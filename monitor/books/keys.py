"""Signatures of approvals: ed25519 (RFC 8032) over the canonical JSON of the record.

Canonical: the record without its key ``signature``, keys sorted, no spaces, UTF-8.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from monitor.books.errors import BooksError
from monitor.config.mistakes import Mistake

Keys = Mapping[str, Ed25519PublicKey]

SIGNATURE = "signature"
_LARGEST_BYTES = 64 * 1024
_NAME = re.compile(r"[!-~]{1,100}")
_HEX = re.compile(r"[0-9a-fA-F]{64}")


class Unsigned(ValueError):
    """A record without a valid signature; ``key``: the name of the key that it gives, or ""."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def read_keys(path: Path) -> Keys:
    """Public keys by name: one a line, the name and 32 bytes in hex or base64. Raises BooksError.

    Empty lines and lines that begin with # say nothing.
    """
    mistakes: list[Mistake] = []
    keys: dict[str, Ed25519PublicKey] = {}
    for number, line in enumerate(_text(path).splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            name, key = _key(words)
            if name in keys:
                raise ValueError(f"{name} is there twice: keep one")
            keys[name] = key
        except ValueError as error:
            mistakes.append(Mistake(str(path), number, "key", str(error)))
    if not keys and not mistakes:
        mistakes.append(Mistake(str(path), 1, "file", "holds no key: write NAME KEY, one a line"))
    if mistakes:
        raise BooksError(mistakes)
    return keys


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_BYTES + 1)
        if len(raw) > _LARGEST_BYTES:
            raise BooksError([Mistake(str(path), 1, "file", f"larger than {_LARGEST_BYTES} bytes: no file of keys")])
        return raw.decode()
    except OSError as error:
        raise BooksError([Mistake(str(path), 1, "file", f"cannot be read ({error.strerror}): create it")]) from error
    except UnicodeDecodeError as error:
        raise BooksError([Mistake(str(path), 1, "file", "is not UTF-8: save it as UTF-8")]) from error


def _key(words: list[str]) -> tuple[str, Ed25519PublicKey]:
    if len(words) != 2 or _NAME.fullmatch(words[0]) is None:
        raise ValueError("is no key: write a name without spaces, then 32 bytes in hex or base64")
    name, text = words
    raw = bytes.fromhex(text) if _HEX.fullmatch(text) else _base64(text)
    if raw is None or len(raw) != 32:
        raise ValueError(f"{name}: is no ed25519 public key: write its 32 bytes in hex or base64")
    return name, Ed25519PublicKey.from_public_bytes(raw)


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def signed_bytes(record: Mapping[str, Any]) -> bytes:
    """What a signature of the record is made over. Raises ValueError for text that is not Unicode."""
    rest = {key: value for key, value in record.items() if key != SIGNATURE}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def check_signature(record: Mapping[str, Any], keys: Keys) -> None:
    """Raises Unsigned where the record is not signed by one of the keys."""
    given = record.get(SIGNATURE)
    if given is None:
        raise Unsigned("", 'has no signature: write "signature": {"key": NAME, "sig": BASE64}')
    if not isinstance(given, dict) or set(given) != {"key", "sig"}:
        raise Unsigned("", 'signature: write {"key": NAME, "sig": BASE64}')
    name, sig = given["key"], given["sig"]
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise Unsigned("", "signature: key is no name of a key")
    if name not in keys:
        raise Unsigned(name, f"signature: {name} is not in the keys file")
    raw = _base64(sig) if isinstance(sig, str) else None
    if raw is None or len(raw) != 64:
        raise Unsigned(name, "signature: sig is no ed25519 signature: write its 64 bytes in base64")
    try:
        keys[name].verify(raw, signed_bytes(record))
    except (InvalidSignature, ValueError) as error:
        raise Unsigned(name, f"signature: {name} did not sign this content") from error
