"""Books in YAML: a file is used whole or not at all, and every mistake names its line."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Generic, TypeVar

from chains.core.settings import Strict
from monitor.books.errors import BooksError
from monitor.books.tables import read_text
from monitor.books.text import BUSINESS_DAY, parse_past
from monitor.config.mistakes import Mistake, dotted, in_order
from monitor.config.mistakes import Path as KeyPath
from monitor.config.translate import validated
from monitor.config.yaml_tree import read_yaml

_M = TypeVar("_M", bound=Strict)


class YamlBook(Generic[_M]):
    """One file read as a model: ``model`` is None where its keys are wrong. Raises BooksError where it is no YAML."""

    def __init__(self, path: Path, kind: type[_M]) -> None:
        self._file = str(path)
        tree, self._mistakes = read_yaml(self._file, read_text(path).encode())
        if tree is None:
            raise BooksError(self._mistakes)
        self._tree = tree
        self.model: _M | None = validated(kind, tree.data, (), self.report)[0]

    def report(self, key: KeyPath, message: str) -> None:
        """Adds a mistake at ``key``."""
        self._mistakes.append(Mistake(self._file, self._tree.line(key), dotted(key), message))

    def as_of(self, text: str, now: datetime, key: KeyPath = ("as_of",)) -> datetime:
        """The time at ``key``, by default of the whole book; ``now`` where it is a mistake, which refuses the book."""
        try:
            return parse_past(text, now)
        except ValueError as error:
            self.report(key, str(error))
            return now

    def past_day(self, key: KeyPath, day: date | None, now: datetime) -> None:
        """Reports a day that is still to come in every time zone."""
        if day is not None and day > (now + BUSINESS_DAY).date():
            self.report(key, f"{day} lies in the future: write the day on which it was done")

    def done(self, model: _M | None) -> _M:
        """The model of a book without mistakes. Raises BooksError with all of them."""
        if self._mistakes:
            raise BooksError(in_order(self._mistakes, self._file))
        assert model is not None, "a book without mistakes has a model"
        return model
