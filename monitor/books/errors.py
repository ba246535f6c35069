"""What is wrong with a book."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.config.mistakes import Mistake


class BooksError(Exception):
    """A book cannot be used; ``mistakes`` name every bad line. The last good one stays in use."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        assert self.mistakes, "a books error has at least one mistake"
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))
