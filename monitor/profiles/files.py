"""Where profiles and calendars lie, and reading one YAML file of them with its digest and every mistake."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path as FilePath
from typing import Any

from monitor.config.mistakes import ConfigError, Mistake, Path, dotted
from monitor.config.yaml_tree import LARGEST_BYTES, read_yaml
from monitor.shipped import shipped


class Sheet:
    """A YAML file that has been read: its values, its digest, and the mistakes found in it so far."""

    def __init__(self, file: FilePath) -> None:
        self.file = file
        raw = _read(file)
        self.sha256 = sha256(raw).hexdigest()
        tree, self.mistakes = read_yaml(str(file), raw)
        if tree is None:
            raise ConfigError(self.mistakes)
        self._tree = tree
        if not isinstance(tree.data, dict):
            self.report((), "the file is not a mapping: write keys and values, beginning with id: … or extends: …")
            self.finish()
        self.data: dict[str, Any] = tree.data

    def report(self, path: Path, message: str) -> None:
        """Takes a mistake of this file."""
        self.mistakes.append(self.mistake(path, message))

    def mistake(self, path: Path, message: str) -> Mistake:
        """A mistake at a key of this file."""
        return Mistake(str(self.file), self._tree.line(path), dotted(path), message)

    def finish(self) -> None:
        """Raises ConfigError where there was any mistake."""
        if self.mistakes:
            raise ConfigError(self.mistakes)


def _read(file: FilePath) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        message = f"the file cannot be read ({reason}): write the path of a YAML file"
        raise ConfigError([Mistake(str(file), 1, dotted(()), message)]) from error


def shipped_names(folder: str) -> tuple[str, ...]:
    """The names of the shipped files in ``config/FOLDER``, sorted."""
    return tuple(sorted(path.stem for path in shipped("config", folder).glob("*.yaml")))


def shipped_file(folder: str, name: str) -> FilePath | None:
    """The shipped file of a name, or None where there is none."""
    return shipped("config", folder, f"{name}.yaml") if name in shipped_names(folder) else None


def is_file(path: FilePath) -> bool:
    """Whether there is such a file; a path that cannot be one (too long, a NUL in it) is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
