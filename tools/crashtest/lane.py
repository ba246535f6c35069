"""One lane: nodes, books, a pager and a monitor of its own, killed again and again and left to finish at the end."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from chains.lab.errors import LabError
from tools.crashtest.lives import EndedEarly, Kind, Life, Lives, Plan, plan
from tools.crashtest.person import Person
from tools.crashtest.receiver import Pager, Receiver
from tools.crashtest.stages import Stage
from tools.crashtest.traffic import Exchange, Traffic, TrafficEnded
from tools.crashtest.verify import Verdict, verify

#: what a life does after it has been idle for the first time: blocks, a second tick
_AFTER_IDLE_SECONDS = 0.4
#: how often a whole life is measured anew: the machine has other work too
_MEASURE_EVERY = 100
_IDLE_SECONDS = 300.0
_FINISH_SECONDS = 600.0
_POLL_SECONDS = 0.05
_TRIES = 400


@dataclass(slots=True)
class Result:
    """What one lane did and found. ``lives`` by kind; ``stages`` by stage and kind; ``spans``: lengths of lives."""

    lives: Counter[Kind] = field(default_factory=Counter)
    stages: Counter[tuple[Stage, Kind]] = field(default_factory=Counter)
    spans: list[tuple[Kind, float]] = field(default_factory=list)
    planted: Counter[str] = field(default_factory=Counter)
    reorganised: int = 0
    stalled: int = 0
    acted: int = 0
    alerts: int = 0
    pages: int = 0
    blocks: int = 0
    journal: int = 0
    seconds: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)

    def hits(self) -> Counter[Stage]:
        """How many kills found each stage active."""
        found: Counter[Stage] = Counter()
        for (stage, _), count in self.stages.items():
            found[stage] += count
        return found


def run_lane(kills: int, seed: str, folder: Path) -> Result:
    """Kill a monitor ``kills`` times and judge what is left. Raises where the test itself cannot go on."""
    begun = time.monotonic()
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        anvil = stack.enter_context(Anvil(folder / "anvil", kept=False))
        bitcoind = stack.enter_context(Bitcoind(folder / "bitcoind"))
        receiver = stack.enter_context(Receiver())
        exchange = Exchange(folder, anvil, bitcoind, receiver.url)
        lives = stack.enter_context(Lives(exchange.config))
        lane = _Lane(exchange, lives, receiver.pager, seed)
        result = lane.run(plan(kills, seed))
    result.seconds = time.monotonic() - begun
    return result


class _Lane:
    def __init__(self, exchange: Exchange, lives: Lives, pager: Pager, seed: str) -> None:
        self._exchange = exchange
        self._lives = lives
        self._pager = pager
        self._traffic = Traffic(exchange, f"{seed} traffic")
        self._person = Person(pager, exchange.port, f"{seed} person")
        self._seed = seed
        self._result = Result()
        self._spans: dict[Kind, float] = {}
        self._measured: dict[Kind, list[float]] = {kind: [] for kind in Kind}

    def run(self, plans: Sequence[Plan]) -> Result:
        # The first life sets where following begins: what is planted after it is what must be found.
        first = self._lives.start(Kind.EXEC)
        try:
            self._wait(first, self._caught_up, "the first monitor has not opened its chains", _IDLE_SECONDS)
        finally:
            first.kill()
        self._traffic.start()
        self._person.start()
        try:
            self._measure()
            for number, item in enumerate(plans):
                if number % _MEASURE_EVERY == 0:
                    self._measure()
                    self._say(f"{number} of {len(plans)} kills, lives of {_spans(self._spans)}")
                self._live(item)
                self._traffic.check()
        except (EndedEarly, TrafficEnded, TimeoutError) as error:
            self._say(f"ends early: {error}")
            self._result.verdict.problems.append(f"after {self._result.lives.total()} kills: {error}")
        finally:
            self._traffic.stop()
            self._person.stop()
        return self._finish()

    def _say(self, text: str) -> None:
        planted = len(self._traffic.planted)
        print(f"{time.strftime('%H:%M:%S')} lane {self._seed}: {text}, {planted} transactions planted", flush=True)

    def _live(self, item: Plan) -> None:
        life = self._lives.start(item.kind)
        time.sleep(item.fraction * self._spans[item.kind])
        for stage in life.kill():
            self._result.stages[stage, item.kind] += 1
        self._result.lives[item.kind] += 1

    def _measure(self) -> None:
        """How long a life of each kind takes to be idle: at the head, everything delivered, a cycle ended."""
        # What many short lives have left undone would lengthen the first one, so one life does it beforehand.
        self._until_idle(Kind.FORK)
        for kind in Kind:
            self._measured[kind].append(self._until_idle(kind) + _AFTER_IDLE_SECONDS)
            # The shorter of two: a moment in which the machine did something else is not typical.
            self._spans[kind] = min(self._measured[kind][-2:])
            self._result.spans.append((kind, self._spans[kind]))

    def _until_idle(self, kind: Kind) -> float:
        """Seconds of one life until it is idle; it is killed then."""
        before = self._one("SELECT coalesce(max(cycle), 0) FROM verdict")
        begun = time.monotonic()
        life = self._lives.start(kind)
        try:
            self._wait(life, partial(self._idle, before), "a monitor is not idle", _IDLE_SECONDS)
            return time.monotonic() - begun
        finally:
            life.kill()

    def _finish(self) -> Result:
        """Leave the last monitor alone until nothing is left to do; stop it; judge."""
        exchange, result = self._exchange, self._result
        exchange.anvil.mine()
        exchange.bitcoind.mine()
        life = self._lives.start(Kind.EXEC)
        try:
            self._wait(life, self._finished, "the last monitor does not finish", _FINISH_SECONDS)
            cycle = self._one("SELECT max(cycle) FROM verdict")
            self._wait(life, lambda: self._idle(cycle + 1), "no two cycles have ended", _IDLE_SECONDS)
        except (EndedEarly, TimeoutError) as error:
            result.verdict.problems.append(str(error))
        code = life.stop()
        if code:
            result.verdict.problems.append(f"the last monitor ended with exit code {code} on SIGTERM")
        self._count()
        verify(result.verdict, exchange, self._traffic.planted, self._pager, self._person.actions, self._lives.log)
        return result

    def _count(self) -> None:
        result = self._result
        result.planted = Counter(item.kind for item in self._traffic.planted)
        result.reorganised = self._traffic.reorganised
        result.stalled = self._traffic.stalled
        result.acted = len(self._person.actions)
        result.alerts, result.pages = self._pager.alerts.total(), self._pager.pages.total()
        result.blocks = sum(self._exchange.heads().values())
        result.journal = self._one("SELECT max(seq) FROM journal")

    def _caught_up(self) -> bool:
        heads = dict(self._rows("SELECT chain, height FROM cursor"))
        there = self._heads()
        return there is not None and all(heads.get(chain, -1) >= height for chain, height in there.items())

    def _heads(self) -> dict[str, int] | None:
        """The heads of both chains; None while a node is stalled."""
        try:
            return self._exchange.heads()
        except LabError:
            return None

    def _idle(self, cycle: int) -> bool:
        """At the head of every chain or a block below, nothing to deliver, and a cycle after ``cycle`` has ended."""
        heads = dict(self._rows("SELECT chain, height FROM cursor"))
        there = self._heads()
        near = there is not None and all(heads.get(chain, -1) >= height - 1 for chain, height in there.items())
        waiting = self._one("SELECT count(*) FROM outbox WHERE sent_at IS NULL")
        return near and not waiting and self._one("SELECT coalesce(max(cycle), 0) FROM verdict") > cycle

    def _finished(self) -> bool:
        pending = self._one("SELECT count(*) FROM cases WHERE state = 'pending'")
        waiting = self._one("SELECT count(*) FROM outbox WHERE sent_at IS NULL")
        return self._caught_up() and not pending and not waiting

    def _wait(self, life: Life, ready: Callable[[], bool], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            if not life.alive:
                raise EndedEarly(f"a monitor ended by itself: see {self._lives.log}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} after {seconds:g} s: see {self._lives.log}")
            time.sleep(_POLL_SECONDS)

    def _one(self, query: str) -> int:
        rows = self._rows(query)
        return int(rows[0][0])

    def _rows(self, query: str) -> list[tuple[str, int]]:
        """The ledger's file, read beside the monitor: not there yet, or just being recovered, it is asked again."""
        file = self._exchange.folder / "porwatch.db"
        for _ in range(_TRIES):
            try:
                with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
                    return connection.execute(query).fetchall()
            except sqlite3.OperationalError:
                time.sleep(_POLL_SECONDS)
        raise TimeoutError(f"{file} cannot be read")


def _spans(spans: Mapping[Kind, float]) -> str:
    return " and ".join(f"{seconds:.1f} s by {kind.value}" for kind, seconds in spans.items())
