"""What the terminal shows: only rows that were read back from the monitor's API."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.text import Text

from monitor.demo.exchange import Exchange

_FULL = Decimal(1)


class Screen:
    """Prints each thing once, when the API first shows it."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._console = Console(highlight=False, soft_wrap=True)
        self._used: set[str] = set()
        self._cases: dict[str, str] = {}
        self._covered: dict[str, bool] = {}
        self._verdicts = 0
        self._alarmed = False

    def welcome(self) -> None:
        exchange = self._exchange
        self._say("porwatch demo: a small exchange on local nodes", "bold")
        if exchange.bitcoin is None:
            self._say(f"EVM only: {exchange.no_bitcoin}", "yellow")
        self._say(f"  console     {exchange.url}/")
        self._say(f"  metrics     {exchange.url}/metrics")
        self._say(f"  cases       {exchange.url}/api/v1/cases?state=all")
        self._say(f"  verdict     {exchange.url}/api/v1/verdict")
        self._say(f"  files       {exchange.folder}")
        self._say("  Ctrl-C ends everything.")

    def announce_theft(self) -> None:
        self._say("— now a cold wallet is drained; nobody approved it, and porwatch is told nothing —", "bold red")

    def look(self, stolen_at: float | None = None) -> None:
        """Read the API once and print what is new."""
        for line in self._exchange.get("approvals?limit=500")["approvals"]:
            if line["state"] == "used" and line["id"] not in self._used:
                self._used.add(line["id"])
                self._say(
                    f"explained  {line['amount']} {line['asset']} to {line['destination']} by approval {line['id']}"
                )
        for case in self._exchange.get("cases?state=all&limit=500")["cases"]:
            self._case(case, stolen_at)
        verdict = self._exchange.get("verdict")
        if verdict is not None:
            self._verdict(verdict)

    def _case(self, case: dict[str, Any], stolen_at: float | None) -> None:
        if self._cases.get(case["id"]) == case["state"]:
            return
        first = case["id"] not in self._cases
        self._cases[case["id"]] = case["state"]
        what = f"{case['amount']} {case['asset']} left {case['wallet']}" if case["amount"] else case["rule"]
        where = ", ".join(d["address"] for d in case["destinations"])
        self._say(f"CASE       {case['severity']} {case['rule']}: {what} to {where} [{case['state']}]", "bold red")
        if case["value"] is not None:
            self._say(f"           worth {case['value']['amount']} {case['value']['currency']}", "red")
        if first and stolen_at is not None:
            opened = datetime.fromisoformat(case["opened_at"]).timestamp()
            heard = case["detected_after_seconds"]
            self._say(f"           {opened - stolen_at:.2f} s after the thief sent it,", "red")
            self._say(f"           {heard} s after porwatch first heard of its block", "red")
        if first and not self._alarmed:
            self._alarmed = True
            self._say(json.dumps(case, indent=2, ensure_ascii=False), "dim")

    def _verdict(self, verdict: dict[str, Any]) -> None:
        if verdict["cycle"] == self._verdicts:
            return
        self._verdicts = verdict["cycle"]
        now_covered = {
            p["asset"]: Decimal(p["coverage"]) >= _FULL for p in verdict["positions"] if p["coverage"] is not None
        }
        if now_covered == self._covered:
            return
        self._covered = now_covered
        parts = [
            f"{p['asset']} {Decimal(p['coverage']) * 100:.2f} %"
            for p in verdict["positions"]
            if p["coverage"] is not None
        ]
        short = not all(now_covered.values())
        self._say(f"coverage   {', '.join(parts)} (cycle {verdict['cycle']})", "bold red" if short else "green")

    def judge(self, *, theft: bool) -> bool:
        """Whether porwatch saw just what there was to see."""
        open_cases = [state for state in self._cases.values() if state in ("open", "acknowledged")]
        short = not all(self._covered.values())
        self._say(f"{len(self._used)} outflows explained, {len(open_cases)} cases open")
        return bool(self._used) and bool(open_cases) == theft and short == theft

    def _say(self, text: str, style: str = "") -> None:
        stamp = datetime.now(UTC).strftime("%H:%M:%S")
        self._console.print(Text(f"{stamp}  {text}", style=style))
