"""The report key: ed25519 (RFC 8032). It signs manifests and tree heads, and can move nothing.

A signature is made over ``porwatch PURPOSE v1``, a line feed, and the message: one made for one
purpose says nothing under another. The fingerprint of a key is SHA-256 over its 32 public bytes.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from monitor.config.secret import SecretError, read_secret

Purpose = Literal["manifest", "tree head"]

#: of the key that porwatch makes itself, beside the store
KEY_NAME = "report.key"
_PUBLIC_SUFFIX = ".pub"
_FORMER_SUFFIX = ".former.pub"
#: a public key in PEM form has 113 bytes
_LARGEST_PUBLIC = 64 * 1024
_PEM_BLOCK = re.compile(rb"-----BEGIN [^-]*-----.*?-----END [^-]*-----", re.DOTALL)
_MAKE = "make one with: openssl genpkey -algorithm ed25519 -out FILE; chmod 600 FILE"


@dataclass(frozen=True, slots=True)
class ReportKey:
    """The private key, which never leaves this value, and its 32 public bytes."""

    public: bytes
    _private: Ed25519PrivateKey = field(repr=False)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public)

    def sign(self, purpose: Purpose, message: bytes) -> bytes:
        """The 64 bytes of a signature."""
        return self._private.sign(_framed(purpose, message))


def signed_by(public: bytes, purpose: Purpose, message: bytes, signature: bytes) -> bool:
    """Whether the holder of ``public`` signed ``message`` for this purpose."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, _framed(purpose, message))
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(public: bytes) -> str:
    """How people compare keys: 64 hex digits."""
    return sha256(public).hexdigest()


def public_key(pem: bytes) -> bytes:
    """The 32 bytes of an ed25519 public key in PEM form. Raises ValueError."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("is no public key in PEM form: give the file that ends in .pub") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("is no ed25519 key: give the file that ends in .pub")  # noqa: TRY004  the file is wrong
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def load_or_make(path: Path) -> ReportKey:
    """The key at ``path``, made there with mode 0600 where there is none. Raises SecretError.

    Two that make it at the same time end with the same key; a crash leaves a whole key or none.
    """
    if not path.exists():
        _make(path)
    return load(path)


def load(path: Path) -> ReportKey:
    """The key at ``path``, PKCS #8 in PEM form, readable for nobody else. Raises SecretError."""
    refuse_shared(path)
    try:
        private = load_pem_private_key(read_secret(path).encode(), password=None)
    except TypeError:
        raise SecretError(f"{path}: is encrypted, and nobody is there to type a password: {_MAKE}") from None
    except (ValueError, UnsupportedAlgorithm):
        # Without the cause: it might quote what it read.
        raise SecretError(f"{path}: is no private key in PEM form: {_MAKE}") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise SecretError(f"{path}: is no ed25519 key: {_MAKE}")
    key = ReportKey(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), private)
    _publish(_public_path(path), key.public)
    return key


def known_publics(path: Path) -> tuple[bytes, ...]:
    """The public bytes of the key at ``path``, then of those it took the place of; empty: there is no key yet.

    For whoever may not read the key itself. A key that was replaced stays known by its public key in
    PATH.former.pub, in PEM form, one after the other. Raises SecretError.
    """
    beside, former = _public_path(path), path.with_name(path.name + _FORMER_SUFFIX)
    known = _read_former(former) if former.exists() else []
    if beside.exists():
        return (_read_public(beside), *known)
    return (load(path).public, *known) if path.exists() else tuple(known)


def _public_path(path: Path) -> Path:
    return path.with_name(path.name + _PUBLIC_SUFFIX)


def _framed(purpose: Purpose, message: bytes) -> bytes:
    return f"porwatch {purpose} v1\n".encode() + message


def refuse_shared(path: Path) -> None:
    """Raise SecretError where ``path`` is no file that its owner alone may read and change."""
    try:
        status = path.stat()
    except OSError as error:
        raise SecretError(f"{path}: cannot be read ({error.strerror}): {_MAKE}") from error
    if not stat.S_ISREG(status.st_mode):
        raise SecretError(f"{path}: is no file: {_MAKE}")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise SecretError(f"{path}: others may read or change it (mode {mode:04o}): run chmod 600 {path}")


def _make(path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    try:
        _create(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    except OSError as error:
        raise SecretError(
            f"{path}: no report key can be made there ({error.strerror}): write signing.key_file"
        ) from error


def _publish(path: Path, public: bytes) -> None:
    """Write the public key beside the private one; a folder of secrets that cannot be written may do without."""
    if not path.exists():
        key = Ed25519PublicKey.from_public_bytes(public)
        try:
            _create(path, key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
        except OSError:
            # Every signature carries the public key: this file is for people's convenience.
            return
    if _read_public(path) != public:
        raise SecretError(f"{path}: belongs to another key: remove it, or put the right key back")


def _create(path: Path, content: bytes, mode: int) -> None:
    """A file that is whole, and on the disk, when it first has its name; one that is there already stays."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_public(path: Path) -> bytes:
    try:
        return public_key(_read(path))
    except ValueError as error:
        raise SecretError(f"{path}: {error}, or remove it") from error


def _read_former(path: Path) -> list[bytes]:
    blocks = _PEM_BLOCK.findall(_read(path))
    try:
        return [public_key(block) for block in blocks]
    except ValueError as error:
        raise SecretError(f"{path}: a key in it {error}") from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_PUBLIC + 1)
    except OSError as error:
        raise SecretError(f"{path}: cannot be read ({error.strerror}): make it readable") from error
    if len(content) > _LARGEST_PUBLIC:
        raise SecretError(f"{path}: larger than {_LARGEST_PUBLIC} bytes: these are no public keys")
    return content
