"""Column types that keep integers exact and times comparable on SQLite and PostgreSQL alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, Numeric, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LIMIT = 10**78

#: whole numbers of 64 bits; INTEGER is what SQLite calls them, and what makes them its row ids
Whole = BigInteger().with_variant(Integer(), "sqlite")
#: text of a column, ordered by its bytes as SQLite does, whatever the language of the database
Plain = Text().with_variant(Text(collation="C"), "postgresql")


class Units(TypeDecorator[int]):
    """Signed base units below 10^78 (2^256 fits): decimal text on SQLite, NUMERIC(78,0) elsewhere.

    SQLite has no number that holds 256 bits and its NUMERIC would round without a word, so there
    is no arithmetic on these columns in SQL.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Numeric(78, 0))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if type(value) is not int or abs(value) >= _LIMIT:
            raise ValueError(f"not base units that the ledger can hold: {value!r}")
        return str(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        return None if value is None else int(value)


class Moment(TypeDecorator[datetime]):
    """A UTC time as whole microseconds since 1970: sorts the same everywhere, loses nothing."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else microseconds(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=int(value))


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970 of an aware datetime."""
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone cannot be stored")
    return (moment - _EPOCH) // timedelta(microseconds=1)
