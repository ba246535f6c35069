"""What can be wrong with a ledger as a whole."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError


class LedgerError(Exception):
    """The ledger cannot be opened or written; the message says why and what to do."""


class LedgerInUse(LedgerError):
    """Another porwatch has the ledger."""


class TakenOver(LedgerError):
    """Another porwatch has taken the ledger over: this one must end, and what it did since is not kept."""


def refused(name: str, error: DBAPIError, remedy: str = "") -> LedgerError:
    """What a database said when the ledger ``name`` was opened, in one line."""
    return LedgerError(f"store: {name}: {' '.join(str(error.orig).split())}{remedy}")
