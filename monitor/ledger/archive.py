"""The form of a backup: an uncompressed tar file. Its first member, backup.json, says what the others must be.

The others are ``ledger.db`` and the files below ``evidence/``: regular files with these names, sizes
and SHA-256, nothing else. An archive is input from outside: it is believed in nothing that was not
compared, and nothing is written outside the folder it is unpacked into.
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from monitor.canonical import canonical
from monitor.ledger.errors import LedgerError
from monitor.ledger.heads import Head, head_from_json
from monitor.model import rfc3339

FORMAT = "porwatch backup 1"
LEDGER = "ledger.db"
_MANIFEST = "backup.json"
_LARGEST_MANIFEST = 256 * 1024 * 1024
#: ten years of closes, some twenty files each, and the files about lying endpoints
_MOST_FILES = 1_000_000
_CHUNK = 1024 * 1024
_NAME = re.compile(r"evidence(/[A-Za-z0-9_][A-Za-z0-9._+@=-]{0,200}){1,6}")
_HASH = re.compile(r"[0-9a-f]{64}")
_KEYS = {"format", "porwatch", "entity", "schema", "made_at", "journal", "head", "files"}


class ArchiveError(LedgerError):
    """A file that is no backup, or a changed one; the message names what differs."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. ``seq`` and ``hash``: the last record of its journal; ``files``: name → (bytes, SHA-256)."""

    porwatch: str
    entity: str
    schema: str
    made_at: datetime
    seq: int
    hash: str
    head: Head | None
    files: Mapping[str, tuple[int, str]]

    def text(self) -> str:
        """Its canonical JSON."""
        return canonical(
            {
                "format": FORMAT,
                "porwatch": self.porwatch,
                "entity": self.entity,
                "schema": self.schema,
                "made_at": rfc3339(self.made_at),
                "journal": {"seq": self.seq, "hash": self.hash},
                "head": None if self.head is None else self.head.to_json(),
                "files": {name: {"bytes": size, "sha256": digest} for name, (size, digest) in self.files.items()},
            }
        )


def digest_of(path: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a file."""
    size, digest = 0, sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            digest.update(chunk)
    return size, digest.hexdigest()


def evidence_files(folder: Path) -> dict[str, Path]:
    """Name in an archive → path of everything below the folder ``evidence``; what is being written is left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_symlink() or not path.is_file() or any(part.startswith(".") for part in parts):
            continue
        name = "/".join(("evidence", *parts))
        if _NAME.fullmatch(name) is None:
            raise LedgerError(f"{path}: is no file of porwatch: take it out of the folder of evidence")
        found[name] = path
    return found


def write(file: IO[bytes], manifest: Manifest, sources: Mapping[str, Path]) -> None:
    """Write an archive. A source that has changed since the manifest was made ends it with LedgerError."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        text = manifest.text().encode()
        archive.addfile(_member(_MANIFEST, len(text), manifest.made_at), io.BytesIO(text))
        for name, (size, _) in manifest.files.items():
            with sources[name].open("rb") as source:
                archive.addfile(_member(name, size, manifest.made_at), source)


def _member(name: str, size: int, at: datetime) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(at.timestamp())
    return member


@contextmanager
def opened(path: Path) -> Iterator[tuple[Manifest, tarfile.TarFile]]:
    """The manifest of a backup, and the archive behind it. Raises ArchiveError."""
    try:
        with tarfile.open(path, "r:") as archive:
            first = archive.next()
            if first is None or first.name != _MANIFEST or not first.isreg() or first.size > _LARGEST_MANIFEST:
                raise ArchiveError(f"{path}: is no backup of porwatch: it does not begin with {_MANIFEST}")
            content = archive.extractfile(first)
            assert content is not None
            yield _parsed(path, content.read()), archive
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ArchiveError(f"{path}: cannot be read as a backup: {error}") from error


def _parsed(path: Path, text: bytes) -> Manifest:
    try:
        body: Any = json.loads(text)
        if body["format"] != FORMAT:
            raise ValueError(f"its format is {body['format']!r}, not {FORMAT!r}: restore it with the porwatch it is of")
        if set(body) != _KEYS:
            raise ValueError("it has other keys")
        files = {name: (entry["bytes"], entry["sha256"]) for name, entry in body["files"].items()}
        made_at = datetime.fromisoformat(body["made_at"])
        manifest = Manifest(
            porwatch=body["porwatch"],
            entity=body["entity"],
            schema=body["schema"],
            made_at=made_at,
            seq=body["journal"]["seq"],
            hash=body["journal"]["hash"],
            head=None if body["head"] is None else head_from_json(body["head"]),
            files=files,
        )
        _check(manifest)
        if manifest.text().encode() != text:
            raise ValueError("it is not written as porwatch writes it")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ArchiveError(f"{path}: {_MANIFEST} cannot be used: {error}") from error
    return manifest


def _check(manifest: Manifest) -> None:
    if type(manifest.seq) is not int or manifest.seq < 0 or _HASH.fullmatch(manifest.hash) is None:
        raise ValueError("journal is no seq and hash")
    if not all(isinstance(text, str) for text in (manifest.porwatch, manifest.entity, manifest.schema)):
        raise ValueError("porwatch, entity and schema are texts")
    if LEDGER not in manifest.files or len(manifest.files) > _MOST_FILES:
        raise ValueError(f"files name no {LEDGER}, or more than {_MOST_FILES} files")
    for name, (size, digest) in manifest.files.items():
        if name != LEDGER and _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no name that a backup has")
        if type(size) is not int or size < 0 or _HASH.fullmatch(digest) is None:
            raise ValueError(f"{name} has no size and SHA-256")


def unpack(path: Path, manifest: Manifest, archive: tarfile.TarFile, folder: Path) -> None:
    """Write every file of a backup into ``folder``, an empty one. Raises ArchiveError at the first that differs."""
    waiting = dict(manifest.files)
    while (member := archive.next()) is not None:
        expected = waiting.pop(member.name, None)
        # Not a sparse one either: it would write more than the archive holds.
        if expected is None or not member.isreg() or member.issparse():
            raise ArchiveError(f"{path}: {member.name} is no file of this backup, or there twice")
        content = archive.extractfile(member)
        assert content is not None
        if member.size != expected[0]:
            raise ArchiveError(f"{path}: {member.name} has {member.size} bytes, not {expected[0]}")
        target = folder / member.name
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = sha256()
        with target.open("xb") as file:
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != expected[1]:
            raise ArchiveError(f"{path}: {member.name} was changed: its SHA-256 differs")
    if waiting:
        raise ArchiveError(f"{path}: {min(waiting)} is missing: the file was cut off")
