"""Reading a folder that somebody else may have made: nothing outside it is ever opened.

Links are refused, not followed; every file is opened from its own folder's handle, so that nothing
can be put in its place between looking and reading.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from errno import EFBIG, EINVAL, EIO
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

MOST_FILES = 100_000
LARGEST_FILE = 16 * 2**30
_MOST_LEVELS = 16
_LONGEST_NAME = 255
_LONGEST_PATH = 1024
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Problem:
    """One file of a bundle, named by its path in it, and what is wrong with it."""

    file: str
    what: str

    def __str__(self) -> str:
        # A name from a stranger's folder may hold anything, also what a terminal would obey.
        shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in self.file)
        return f"{shown}: {self.what}"


@dataclass(frozen=True, slots=True)
class Found:
    """A file in a folder. It can be read while the walk that found it stands at it, not later."""

    path: str
    bytes: int
    _folder: int

    def sha256(self) -> str:
        """The hash of exactly as many bytes as it had when it was found. Raises OSError."""
        digest, left = sha256(), self.bytes
        with open_regular(self.path.rpartition("/")[2], self._folder) as file:
            while left and (chunk := file.read(min(_CHUNK, left))):
                digest.update(chunk)
                left -= len(chunk)
            if left or file.read(1):
                raise OSError(EIO, "it changes while it is read")
        return digest.hexdigest()


def name_problem(path: str) -> str:
    """Why ``path`` is no name that a file of a bundle may have on every system, or "".

    Relative, with forward slashes, in Unicode's composed form (NFC), without anything that a shell,
    a person's eye or another operating system would read as something else.
    """
    parts = path.split("/")
    if not path or len(path.encode("utf-8", "surrogatepass")) > _LONGEST_PATH or len(parts) > _MOST_LEVELS:
        return f"is no name of a file: at most {_LONGEST_PATH} bytes and {_MOST_LEVELS} levels"
    if not path.isprintable() or unicodedata.normalize("NFC", path) != path:
        return "has a name that does not show what it is: printable characters in composed form (NFC) only"
    for part in parts:
        if part in {"", ".", ".."}:
            return "leads out of the folder: relative paths without . and .. only"
        if len(part.encode()) > _LONGEST_NAME:
            return f"has a name of more than {_LONGEST_NAME} bytes"
        if "\\" in part or ":" in part or part != part.strip() or part.endswith("."):
            return "has a name that other systems read otherwise: no backslash, colon, outer space or last dot"
    return ""


class Names:
    """The names seen so far, to find two that systems without upper and lower case take for one."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def problem(self, path: str) -> str:
        """Why ``path`` cannot stand beside those before it, or ""; its folders count too."""
        folded = unicodedata.normalize("NFC", path.casefold()).split("/")
        written = path.split("/")
        for level in range(1, len(written) + 1):
            here = "/".join(written[:level])
            other = self._seen.setdefault("/".join(folded[:level]), here)
            if other != here:
                return f"cannot be told from {other} where upper and lower case are the same"
        return ""


def walk(folder: Path) -> Iterator[Found | Problem]:
    """Every file under ``folder``, in a fixed order, and all that may not be there. Raises OSError."""
    top = folder.resolve()
    count = 0
    for root, folders, files, handle in os.fwalk(top, onerror=_raise):
        here = "" if root == str(top) else Path(root).relative_to(top).as_posix() + "/"
        if here and not folders and not files:
            yield Problem(here, "is an empty folder: the manifest knows of none")
        entries = sorted([*folders, *files])
        folders.sort()
        for name in entries:
            count += 1
            if count > MOST_FILES:
                yield Problem(here + name, f"is one of more than {MOST_FILES} files: the rest was not looked at")
                return
            found = _found(here + name, name, handle)
            if isinstance(found, Problem):
                yield found
                if name in folders:
                    folders.remove(name)
            elif found is not None:
                yield found


def _found(path: str, name: str, handle: int) -> Found | Problem | None:
    """A file or what is wrong with it; None for a folder that may be entered."""
    wrong = name_problem(path)
    if wrong:
        return Problem(path, wrong)
    status = os.stat(name, dir_fd=handle, follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        return Problem(path, "is a link or a device, no file: it was not opened")
    if status.st_size > LARGEST_FILE:
        return Problem(path, f"is larger than {LARGEST_FILE} bytes: it was not read")
    return Found(path, status.st_size, handle)


def read_small(folder: Path, name: str, most: int) -> bytes:
    """A whole file at the top of ``folder``. Raises OSError, also where it is larger than ``most`` bytes, or a link."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with open_regular(name, handle) as file:
            content = file.read(most + 1)
    finally:
        os.close(handle)
    if len(content) > most:
        raise OSError(EFBIG, f"it is larger than {most} bytes")
    return content


def open_regular(name: str, folder: int) -> BinaryIO:
    """A regular file in the folder with this handle, open for reading. Raises OSError for anything else."""
    # O_NONBLOCK: a pipe would wait for its writer for ever
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(EINVAL, "it is no file")
    return os.fdopen(handle, "rb")


def _raise(error: OSError) -> None:
    raise error
