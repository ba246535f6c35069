"""Funds: money and insurance set aside against loss, declared in YAML. A file is used whole or not at all."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from chains.core.settings import Strict
from monitor.books.errors import BooksError
from monitor.books.tables import read_text
from monitor.books.text import parse_past, parse_price
from monitor.config.fields import Currency, Day, Text
from monitor.config.mistakes import Mistake, dotted, in_order
from monitor.config.mistakes import Path as KeyPath
from monitor.config.translate import validated
from monitor.config.yaml_tree import read_yaml


class Fund(Strict):
    """``amount``: a decimal string in ``currency``, above zero. ``expires``: last day of an insurance policy."""

    name: Text
    kind: Literal["cash", "bond", "insurance"]
    currency: Currency
    amount: Annotated[str, AfterValidator(parse_price)]
    expires: Day | None = None


class Funds(Strict):
    """Every fund, at one time; ``as_of`` is RFC 3339 text."""

    as_of: Text
    funds: Annotated[tuple[Fund, ...], Field(strict=False, max_length=1_000)]


def read_funds(path: Path, now: datetime) -> tuple[datetime, tuple[Fund, ...]]:
    """(as-of, funds). Raises BooksError."""
    raw = read_text(path).encode()
    tree, mistakes = read_yaml(str(path), raw)
    if tree is None:
        raise BooksError(mistakes)

    def report(key: KeyPath, message: str) -> None:
        mistakes.append(Mistake(str(path), tree.line(key), dotted(key), message))

    funds, _ = validated(Funds, tree.data, (), report)
    as_of = now
    if funds is not None:
        names: dict[str, int] = {}
        for index, fund in enumerate(funds.funds):
            first = names.setdefault(fund.name, index)
            if first != index:
                report(("funds", index, "name"), f"{fund.name} is also funds[{first}]: choose another name")
        try:
            as_of = parse_past(funds.as_of, now)
        except ValueError as error:
            report(("as_of",), str(error))
    if mistakes:
        raise BooksError(in_order(mistakes, str(path)))
    return as_of, funds.funds
