"""What must be true after all kills, asked of the ledger's file, the nodes, the pager and the command line."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chains.lab.bitcoind import sats
from monitor.ledger import schema
from tools.crashtest.lives import CHECKOUT
from tools.crashtest.receiver import Pager
from tools.crashtest.traffic import Exchange, Planted

_COMMAND_SECONDS = 900
#: of each kind of problem that many are named
_SHOWN = 5


@dataclass(slots=True)
class Verdict:
    """Counts of what must be 0, and every other problem as a sentence."""

    lost: int = 0
    duplicate_cases: int = 0
    duplicate_pages: int = 0
    missing_pages: int = 0
    unplanted_cases: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        counts = (self.lost, self.duplicate_cases, self.duplicate_pages, self.missing_pages, self.unplanted_cases)
        return not any(counts) and not self.problems

    def note(self, what: str, found: Iterable[object]) -> int:
        """How many were found; the first few are named as a problem."""
        items = list(found)
        if items:
            self.problems.append(f"{len(items)} {what}, first: {'; '.join(str(item) for item in items[:_SHOWN])}")
        return len(items)


def verify(
    verdict: Verdict,
    exchange: Exchange,
    planted: Sequence[Planted],
    pager: Pager,
    actions: Mapping[str, str],
    log: Path,
) -> None:
    """Fill in ``verdict``. Read-only but for the rebuild of the state tables at its end."""
    file = exchange.folder / "porwatch.db"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        ledger = _Ledger(connection)
        _cases(verdict, ledger, planted, pager)
        _actions(verdict, ledger, actions)
        _transactions(verdict, ledger, planted)
        _approvals(verdict, ledger, planted)
        _positions(verdict, ledger, exchange)
    _journal(verdict, exchange.config, file)
    verdict.note("errors in the monitor's log", _errors(log))


@dataclass(frozen=True, slots=True)
class _Ledger:
    connection: sqlite3.Connection

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()


def _cases(verdict: Verdict, ledger: _Ledger, planted: Sequence[Planted], pager: Pager) -> None:
    """One case and one page for each theft; no other case, no other page."""
    cases: dict[str, list[str]] = {}
    for case_id, txid in ledger.rows("SELECT id, txid FROM cases"):
        cases.setdefault(txid or f"without transaction: {case_id}", []).append(case_id)
    thefts = {item.txid for item in planted if item.kind == "theft"}
    verdict.lost = verdict.note("thefts without a case", sorted(thefts - cases.keys()))
    verdict.unplanted_cases = verdict.note("cases of no theft", sorted(cases.keys() - thefts))
    verdict.duplicate_cases = verdict.note("thefts with several cases", [c for c in cases.values() if len(c) > 1])
    ids = {case_id for found in cases.values() for case_id in found}
    verdict.missing_pages = verdict.note("cases without a page", sorted(ids - pager.pages.keys()))
    again = [f"{case_id}: {count}" for case_id, count in pager.pages.items() if count > 1 or case_id not in ids]
    again += [f"growth by {case_id}: {count}" for case_id, count in pager.grown.items() if count > 1]
    verdict.duplicate_pages = verdict.note("cases paged more than once", again)


def _actions(verdict: Verdict, ledger: _Ledger, actions: Mapping[str, str]) -> None:
    """Each person's action that was answered or not stands in the history at most once, and nothing else does."""
    words = {"ack": "acknowledged", "close": "closed"}
    wrong = []
    for case_id, body in ledger.rows("SELECT id, body FROM cases"):
        done = [action for _, action, by, _ in json.loads(body)["history"] if by != "porwatch"]
        if done not in ([], [words.get(actions.get(case_id, ""))]):
            wrong.append(f"{case_id}: {done}")
    verdict.note("cases with a history that nobody made", wrong)


def _transactions(verdict: Verdict, ledger: _Ledger, planted: Sequence[Planted]) -> None:
    """Every planted amount was booked once, with the reason it was planted for."""
    wanted = {"theft": ("out", "unexplained"), "approved": ("out", "approved"), "deposit": ("in", "deposit")}
    flows: dict[tuple[str, str, str], list[tuple[Any, ...]]] = {}
    query = (
        "SELECT txid, wallet, asset, direction, reason, units, approval FROM flow WHERE part NOT IN ('fee', 'change')"
    )
    for txid, wallet, asset, *rest in ledger.rows(query):
        flows.setdefault((txid, wallet, asset), []).append(tuple(rest))
    wrong = []
    for item in planted:
        direction, reason = wanted[item.kind]
        found = [(d, r, int(u), a) for d, r, u, a in flows.get((item.txid, item.wallet, item.asset), [])]
        if found != [(direction, reason, item.units, item.approval)]:
            wrong.append(f"{item}: {found}")
    verdict.note("planted transactions not booked exactly once as what they are", wrong)


def _approvals(verdict: Verdict, ledger: _Ledger, planted: Sequence[Planted]) -> None:
    """Each approval explains one transaction, the one it was made for."""
    uses = Counter(row[0] for row in ledger.rows("SELECT approval FROM flow WHERE approval <> '' AND part <> 'fee'"))
    verdict.note("approvals used more than once", [name for name, count in uses.items() if count > 1])
    states = dict(ledger.rows("SELECT id, state FROM approval"))
    names = {item.approval for item in planted if item.approval}
    verdict.note("approvals not used", sorted(name for name in names if states.get(name) != "used"))


def _positions(verdict: Verdict, ledger: _Ledger, exchange: Exchange) -> None:
    """Cursors at the heads, no header missing below them, and every account to the base unit what the node says."""
    cursors = dict(ledger.rows("SELECT chain, height FROM cursor"))
    if cursors != exchange.heads():
        verdict.problems.append(f"cursors at {cursors}, heads at {exchange.heads()}")
    for chain in cursors:
        heights = [h for (h,) in ledger.rows(f"SELECT height FROM header WHERE chain = '{chain}' ORDER BY height")]  # noqa: S608
        if heights != list(range(heights[0], heights[-1] + 1)):
            verdict.problems.append(f"{chain}: stored headers leave out a block")
    query = "SELECT wallet, asset, units FROM account"
    ours = {(wallet, asset): int(units) for wallet, asset, units in ledger.rows(query)}
    theirs = _balances(exchange)
    verdict.note(
        "accounts that differ from the node",
        [(key, ours.get(key), theirs[key]) for key in theirs if ours.get(key) != theirs[key]],
    )


def _balances(exchange: Exchange) -> dict[tuple[str, str], int]:
    found = {}
    for wallet, address in exchange.addresses.items():
        if wallet.startswith("btc"):
            scanned = exchange.bitcoind.rpc("scantxoutset", "start", [f"addr({address})"])
            found[wallet, "BTC"] = sats(scanned["total_amount"])
        else:
            found[wallet, "ETH"] = exchange.anvil.balance(address)
    return found


def _journal(verdict: Verdict, config: Path, file: Path) -> None:
    """The journal verifies, and the state built anew from it is the state that stood there, row for row."""
    before = _state(file)
    for word in ("verify", "rebuild"):
        command = [sys.executable, "-m", "monitor", "journal", word, str(config)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False, cwd=CHECKOUT
        )
        if done.returncode:
            verdict.problems.append(f"journal {word}: {done.stdout}{done.stderr}")
    after = _state(file)
    verdict.note("tables that a rebuild changes", [name for name in before if before[name] != after[name]])


def _state(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        ledger = _Ledger(connection)
        return {table.name: sorted(ledger.rows(f"SELECT * FROM {table.name}"), key=repr) for table in schema.STATE}  # noqa: S608


def _errors(log: Path) -> list[str]:
    """Lines of level error, and tracebacks: a killed writer may leave half a line."""
    found = []
    for line in log.read_text(errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            if line.startswith("Traceback"):
                found.append(line)
            continue
        if entry.get("level") in {"error", "critical"}:
            found.append(line[:500])
    return found
