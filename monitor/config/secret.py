"""Secrets come from files, and only at the moment they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel

#: A private key in PEM form has about 4 kB.
LARGEST_SECRET = 64 * 1024
#: as many as SHA-256 has bytes (RFC 2104, 3)
SHORTEST_SIGNING_SECRET = 32


class SecretError(Exception):
    """A secret's file cannot be used; the message names the file, never its content."""


def read_secret(path: Path) -> str:
    """The text of a secret's file without its last newline. Raises SecretError for a missing, empty or huge file."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_SECRET + 1)
    except OSError as error:
        raise SecretError(
            f"{path}: cannot be read ({error.strerror or error}): create it, readable for porwatch"
        ) from error
    if len(raw) > LARGEST_SECRET:
        raise SecretError(f"{path}: larger than {LARGEST_SECRET} bytes: this is no secret's file")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        # Without the cause: its message would quote a part of the secret.
        raise SecretError(f"{path}: not UTF-8: save the secret as text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text.strip():
        raise SecretError(f"{path}: is empty: write the secret into it")
    return text


def read_signing_secret(path: Path) -> bytes:
    """The secret of an HMAC. Raises SecretError as ``read_secret`` does, and for one that could be guessed."""
    secret = read_secret(path)
    if len(secret) < SHORTEST_SIGNING_SECRET:
        raise SecretError(
            f"{path}: has {len(secret)} characters, fewer than {SHORTEST_SIGNING_SECRET}: "
            "write a random one, e.g. openssl rand -hex 32"
        )
    return secret.encode()


class KeptSecret:
    """A secret that may be rotated: read anew at each use; while its file cannot be read, what it held last."""

    def __init__(self, path: Path) -> None:
        """Raises SecretError where there is none to begin with."""
        self._path = path
        self._last = read_secret(path)

    def __call__(self) -> str:
        with suppress(SecretError):
            self._last = read_secret(self._path)
        return self._last


#: a cookie comes and goes with its node; addresses are no secret
_SECRET_KEYS = frozenset(
    {
        "url_file",
        "password_file",
        "bearer_token_file",
        "headers_file",
        "cookie_file",
        "dsn_file",
        "api_key_file",
        "secret_file",
    }
)


def secrets_in(value: object, base: Path) -> Iterator[str]:
    """The content of every secret file that some settings name, however deep, as far as it can be read now."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            item = getattr(value, name)
            if name in _SECRET_KEYS and isinstance(item, str):
                with suppress(SecretError):
                    yield read_secret(base / item)
            else:
                yield from secrets_in(item, base)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from secrets_in(item, base)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secrets_in(item, base)
