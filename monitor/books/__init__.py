"""What the exchange declares: approvals, liabilities, prices, funds and statements, from files and POST."""

from __future__ import annotations

from monitor.books.approvals import ApprovalError, Heartbeat, SignatureError, decode, parse_approval
from monitor.books.check import check, check_books, summary
from monitor.books.declared import Declared, read_declared
from monitor.books.errors import BooksError
from monitor.books.feed import ApprovalsRead, Bookmark, Malformed, read_new
from monitor.books.funds import DeclaredFunds, Places, read_funds
from monitor.books.keys import Keys, read_keys
from monitor.books.shelf import shelf
from monitor.books.sql import Database
from monitor.books.sql_feed import Cursor, SqlApprovals, SqlRead
from monitor.books.tables import Queried, Statement, read_liabilities, read_prices, read_statements

__all__ = [
    "ApprovalError",
    "ApprovalsRead",
    "Bookmark",
    "BooksError",
    "Cursor",
    "Database",
    "Declared",
    "DeclaredFunds",
    "Heartbeat",
    "Keys",
    "Malformed",
    "Places",
    "Queried",
    "SignatureError",
    "SqlApprovals",
    "SqlRead",
    "Statement",
    "check",
    "check_books",
    "decode",
    "parse_approval",
    "read_declared",
    "read_funds",
    "read_keys",
    "read_liabilities",
    "read_new",
    "read_prices",
    "read_statements",
    "shelf",
    "summary",
]
