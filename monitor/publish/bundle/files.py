"""Reading single files of a bundle. A stranger's folder is hostile: each file is bounded, and named if it is bad."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from monitor.canonical import Json, parse_exactly
from monitor.signing.folder import name_problem

#: of one file that is read whole; testimony is read line by line and may be larger
LARGEST = 512 * 2**20
_LONGEST_LINE = 16 * 2**20
_CHUNK = 2**20


class BadEvidence(Exception):
    """A file of the evidence is missing or not as it must be; ``file`` is its path in the bundle."""

    def __init__(self, file: str, what: str) -> None:
        super().__init__(f"{file}: {what}")
        self.file = file
        self.what = what


def _inside(path: str) -> None:
    """Parts of a path come from the evidence itself: none of them may lead out of the folder."""
    wrong = name_problem(path)
    if wrong:
        raise BadEvidence(path, wrong)


def read_bytes(folder: Path, path: str) -> bytes:
    """A whole file of the bundle. Raises BadEvidence."""
    _inside(path)
    try:
        with (folder / path).open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise BadEvidence(path, "is missing" if missing else f"cannot be read: {error.strerror}") from error
    if len(content) > LARGEST:
        raise BadEvidence(path, f"is larger than {LARGEST} bytes")
    return content


def read_lines(folder: Path, path: str) -> Iterator[bytes]:
    """The lines of a file without their ends, one at a time. Raises BadEvidence."""
    _inside(path)
    try:
        with (folder / path).open("rb") as file:
            number = 0
            while line := file.readline(_LONGEST_LINE + 1):
                number += 1
                if len(line) > _LONGEST_LINE or not line.endswith(b"\n"):
                    raise BadEvidence(path, f"line {number}: is longer than {_LONGEST_LINE} bytes, or has no end")
                yield line[:-1]
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise BadEvidence(path, "is missing" if missing else f"cannot be read: {error.strerror}") from error


def read_json(folder: Path, path: str) -> Any:
    """Canonical JSON of a file. Raises BadEvidence."""
    try:
        return parse_exactly(read_bytes(folder, path))
    except ValueError as error:
        raise BadEvidence(path, said(error)) from error


def read_object(folder: Path, path: str) -> Json:
    """A canonical JSON object. Raises BadEvidence."""
    found = read_json(folder, path)
    if not isinstance(found, dict):
        raise BadEvidence(path, "is no object")
    return found


def listed(folder: Path, under: str) -> list[Path]:
    """The files of one folder of the bundle, by name; none where it is not there."""
    top = folder / under
    return sorted(path for path in top.iterdir() if path.is_file()) if top.is_dir() else []


def digest_of(path: Path) -> str:
    """SHA-256 of a file of any size."""
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def said(error: ValueError) -> str:
    """What is wrong with bytes that could not be read, in few words."""
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8"
    return str(error)[:300]
