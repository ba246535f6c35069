"""Signed tree heads: what the report key says of the journal, kept outside of what it speaks about.

The tree is RFC 6962's (monitor.ledger.tree). Leaf n − 1 is record n of the journal; its data are the
32 bytes of the record's hash, which covers all of the record and everything before it. A head says
that the first ``size`` records have the tree hash ``root``; it is signed for the purpose ``tree
head`` over the canonical JSON of {"at", "root", "size"}.

Complete subtrees of 2^8 records and more are stored as heads are made, so that a head costs the new
records only, and a proof a few hundred. They are no more trusted than the journal: every tree that
is made of them must have the root of the last signed head.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice, zip_longest
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select
from sqlalchemy.exc import DBAPIError

from monitor.canonical import Json, canonical
from monitor.ledger import journal, schema, tree
from monitor.ledger.journal import GENESIS, JournalError
from monitor.ledger.tree import Node, Tree
from monitor.model import rfc3339
from monitor.signing.keys import ReportKey, fingerprint, signed_by

#: records that one transaction takes into the tree: other steps wait for it
BATCH = 10_000
_STORED_LEVEL = 8
_HASH = re.compile(r"[0-9a-f]{64}")
_SIGNATURE = re.compile(r"[0-9a-f]{128}")


@dataclass(frozen=True, slots=True)
class Head:
    """One signed tree head. ``root``, ``key`` (public) and ``signature`` are lower-case hex."""

    size: int
    at: datetime
    root: str
    key: str
    signature: str

    def to_json(self) -> Json:
        return {
            "size": self.size,
            "at": rfc3339(self.at),
            "root": self.root,
            "key": self.key,
            "signature": self.signature,
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """A journal that verifies with all its heads: its last record, and how many heads, the last of them included."""

    seq: int
    hash: str
    heads: int
    last: Head | None


def head_from_json(body: Any) -> Head:
    """The inverse of ``Head.to_json``. Raises ValueError."""
    if not isinstance(body, dict) or set(body) != {"size", "at", "root", "key", "signature"}:
        raise ValueError("a tree head has size, at, root, key and signature")
    size, at = body["size"], body["at"]
    if type(size) is not int or not isinstance(at, str):
        raise ValueError("size of a tree head is a number, at a time")
    head = Head(size, datetime.fromisoformat(at), body["root"], body["key"], body["signature"])
    if head.at.tzinfo is None or rfc3339(head.at) != at:
        raise ValueError("at of a tree head is not RFC 3339 in UTC, as porwatch writes it")
    return head


def head_problem(head: Head, publics: Collection[bytes]) -> str:
    """What is wrong with a head's own words, or "". ``publics``: who may have signed; empty: whoever it names."""
    # A database may hold anything where text belongs.
    texts: tuple[tuple[re.Pattern[str], object], ...] = (
        (_HASH, head.root),
        (_HASH, head.key),
        (_SIGNATURE, head.signature),
    )
    if head.size <= 0 or any(not isinstance(text, str) or form.fullmatch(text) is None for form, text in texts):
        return "is no tree head"
    key = bytes.fromhex(head.key)
    if publics and key not in publics:
        return f"is signed by another key: {fingerprint(key)}, not {' or '.join(map(fingerprint, publics))}"
    message = _message(head.size, head.at, head.root)
    return "" if signed_by(key, "tree head", message, bytes.fromhex(head.signature)) else "has a wrong signature"


def seal(connection: Connection, key: ReportKey, at: datetime, made: Head | None = None) -> Head | None:
    """Sign a head over the records that came since the last one, at most BATCH of them; None where none came.

    ``made``: the last head that the caller knows of. Raises JournalError where that is no longer the
    last one, or the journal no longer the one that it was made of: nothing is signed over it.
    """
    last = newest(connection)
    if made is not None and last != made:
        raise JournalError(f"tree head over {made.size} records is no longer the last one: heads were taken away")
    grown = _resumed(connection, last)
    start = grown.size
    nodes = []
    for entry in islice(journal.verified(connection, _record(connection, start)), BATCH):
        nodes += [node for node in grown.append(leaf(entry.hash)) if node.level >= _STORED_LEVEL]
    if grown.size == start:
        return None
    if nodes:
        rows = [{"level": node.level, "idx": node.index, "hash": node.hash.hex()} for node in nodes]
        connection.execute(insert(schema.tree_node), rows)
    root = grown.root().hex()
    signature = key.sign("tree head", _message(grown.size, at, root)).hex()
    head = Head(grown.size, at, root, key.public.hex(), signature)
    connection.execute(insert(schema.tree_head).values(asdict(head)))
    return head


def leaf(record_hash: str) -> bytes:
    """The leaf of a record of the journal, by the record's own hash in hex."""
    return tree.leaf_hash(bytes.fromhex(record_hash))


def newest(connection: Connection) -> Head | None:
    """The last head, or None where none was made yet."""
    return next(_heads(connection, select(schema.tree_head).order_by(schema.tree_head.c.size.desc()).limit(1)), None)


def heads(connection: Connection) -> Iterator[Head]:
    """All heads, oldest first."""
    return _heads(connection, select(schema.tree_head).order_by(schema.tree_head.c.size))


def inclusion(connection: Connection, seq: int, head: Head) -> tuple[str, ...]:
    """The proof that record ``seq`` is under ``head``, in hex. Raises ValueError where it is not, JournalError."""
    path = tree.inclusion(_lookup(connection), seq - 1, head.size)
    return tuple(item.hex() for item in path)


def consistency(connection: Connection, old: Head, new: Head) -> tuple[str, ...]:
    """The proof that ``new`` continues ``old``, in hex. Raises ValueError where it is older, JournalError."""
    return tuple(item.hex() for item in tree.consistency(_lookup(connection), old.size, new.size))


def peaks(connection: Connection, size: int) -> list[str]:
    """The complete subtrees that the first ``size`` records form, the largest first, in hex. Raises JournalError."""
    return [item.hex() for item in tree.resume(_lookup(connection), size).peaks]


def record_hash(connection: Connection, seq: int) -> str:
    """The hash of one record. Raises JournalError where it is missing."""
    return _hashes(connection, seq - 1, 1)[0]


def root_over(connection: Connection, size: int) -> str:
    """The root of the tree over the first ``size`` records of a journal that was checked, in hex."""
    return tree.resume(_lookup(connection), size).root().hex()


def check(connection: Connection, publics: Collection[bytes]) -> Checked:
    """Verify the whole journal, the root and the signature of every head, and every stored subtree.

    Each head's root is made anew from the same records, so each continues the one before. ``publics``:
    who may have signed; empty: nobody in particular. Raises JournalError at the first that differs.
    """
    waiting = list(heads(connection))
    covered = waiting[-1].size if waiting else 0
    grown, lookup, stored, seen = Tree(), _lookup(connection), 0, 0
    record = (0, GENESIS)
    for entry in journal.verified(connection):
        record = (entry.seq, entry.hash)
        for node in grown.append(leaf(entry.hash))[_STORED_LEVEL:]:
            if entry.seq <= covered:
                stored += 1
                _check_node(lookup, node)
        if seen < len(waiting) and waiting[seen].size <= entry.seq:
            _check_head(waiting[seen], grown, publics)
            seen += 1
    if seen < len(waiting):
        raise JournalError(f"tree head over {waiting[seen].size} records: the journal has {record[0]}: some are gone")
    if stored != connection.execute(select(func.count()).select_from(schema.tree_node)).scalar_one():
        raise JournalError("the tree has stored subtrees that no head needed: somebody put them there")
    return Checked(*record, heads=seen, last=waiting[-1] if waiting else None)


def _check_node(lookup: tree.Lookup, node: Node) -> None:
    if lookup(node.level, node.index) != node.hash:
        raise JournalError(f"subtree {node.level}/{node.index} of the tree was changed: its hash differs")


def _check_head(head: Head, grown: Tree, publics: Collection[bytes]) -> None:
    wrong = head_problem(head, publics)
    if not wrong and (head.size, head.root) != (grown.size, grown.root().hex()):
        wrong = "is signed over other records: the journal was made anew"
    if wrong:
        raise JournalError(f"tree head over {head.size} records {wrong}")


def _message(size: int, at: datetime, root: str) -> bytes:
    return canonical({"size": size, "at": rfc3339(at), "root": root}).encode()


def _heads(connection: Connection, query: Select[Any]) -> Iterator[Head]:
    """One an hour: all of many years fit into memory."""
    try:
        rows = connection.execute(query).all()
    except (DBAPIError, OverflowError) as error:
        raise JournalError(f"a tree head cannot be read: {error}") from error
    return (Head(row.size, row.at, row.root, row.key, row.signature) for row in rows)


def _resumed(connection: Connection, last: Head | None) -> Tree:
    if last is None:
        return Tree()
    wrong = head_problem(last, ())
    if wrong:
        raise JournalError(f"tree head over {last.size} records {wrong}")
    grown = tree.resume(_lookup(connection), last.size)
    if grown.root().hex() != last.root:
        raise JournalError(f"tree head over {last.size} records: the journal is no longer the one it was made of")
    return grown


def _record(connection: Connection, seq: int) -> tuple[int, str] | None:
    """Seq and hash of the record to go on from; None at the beginning."""
    return None if seq == 0 else (seq, _hashes(connection, seq - 1, 1)[0])


def _lookup(connection: Connection) -> tree.Lookup:
    """Complete subtrees: large ones as they are stored, small ones from the records."""
    columns = schema.tree_node.c

    def look(level: int, index: int) -> bytes:
        if level < _STORED_LEVEL:
            grown = Tree()
            for text in _hashes(connection, index << level, 1 << level):
                grown.append(leaf(text))
            return grown.root()
        query = select(columns.hash).where(columns.level == level, columns.idx == index)
        found = connection.execute(query).scalar_one_or_none()
        if not isinstance(found, str) or not _HASH.fullmatch(found):
            raise JournalError(f"subtree {level}/{index} of the tree is missing, or no hash")
        return bytes.fromhex(found)

    return look


def _hashes(connection: Connection, start: int, count: int) -> list[str]:
    """The hashes of ``count`` records after the first ``start`` ones. Raises JournalError where one is missing."""
    columns = schema.journal.c
    query = select(columns.seq, columns.hash).where(columns.seq > start, columns.seq <= start + count)
    rows = connection.execute(query.order_by(columns.seq)).all()
    for seq, row in zip_longest(range(start + 1, start + count + 1), rows):
        if row is None or row.seq != seq or not isinstance(row.hash, str) or not _HASH.fullmatch(row.hash):
            raise JournalError(f"record {seq} is missing, or its hash is none")
    return [row.hash for row in rows]
