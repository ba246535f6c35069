"""What the exchange declares: approvals, liabilities, prices, funds and statements, from files and POST."""

from __future__ import annotations

from monitor.books.approvals import ApprovalError, Heartbeat, decode, parse_approval
from monitor.books.check import check, check_books, summary
from monitor.books.errors import BooksError
from monitor.books.feed import ApprovalsRead, Bookmark, Malformed, read_new
from monitor.books.funds import Fund, read_funds
from monitor.books.tables import Statement, read_liabilities, read_prices, read_statements

__all__ = [
    "ApprovalError",
    "ApprovalsRead",
    "Bookmark",
    "BooksError",
    "Fund",
    "Heartbeat",
    "Malformed",
    "Statement",
    "check",
    "check_books",
    "decode",
    "parse_approval",
    "read_funds",
    "read_liabilities",
    "read_new",
    "read_prices",
    "read_statements",
    "summary",
]
