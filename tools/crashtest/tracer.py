"""Shows a monitor's stages from outside: known functions are wrapped as their modules are imported.

Nothing in `monitor` or `chains` knows of it, and what the wrapped functions do stays as it is. A name
that is no longer there ends the monitor at its start, so that no stage falls silent unnoticed.
"""

from __future__ import annotations

import functools
import importlib.machinery
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

from tools.crashtest.stages import Page, Stage

_Change = Callable[[ModuleType], None]


def install() -> None:
    """Wrap what will be imported from now on, where the environment names a page."""
    page = Page.given()
    if page is not None:
        sys.meta_path.insert(0, _AfterImport(_Tracer(page).changes()))


class _AfterImport(MetaPathFinder):
    """Calls a change on each named module right after its own code has run, before anybody can import from it."""

    def __init__(self, changes: dict[str, _Change]) -> None:
        self._changes = changes

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        change = self._changes.get(fullname)
        if change is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        loader: Any = spec.loader
        execute = loader.exec_module

        def execute_and_change(module: ModuleType) -> None:
            execute(module)
            change(module)

        loader.exec_module = execute_and_change
        return spec


class _Tracer:
    """The wrappers. ``behind``: the followers that have not yet been at the head of their chain in this life."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._behind: set[int] = set()
        self._pages_written = False

    def changes(self) -> dict[str, _Change]:
        """What is done to each module."""
        return {
            "monitor.ledger.store": self._store,
            "monitor.step.writer": self._writer,
            "monitor.follow": self._follow,
            "monitor.inbox": self._inbox,
            "monitor.build": lambda module: self._during(module.Monitor, "cycle", Stage.CYCLE),
            "monitor.publish.http": self._http,
            "chains.ethereum.chain": lambda module: self._during(module.EvmChain, "read_next", Stage.READING),
            "chains.bitcoin.reader": lambda module: self._during(module.BitcoinChain, "read_next", Stage.READING),
        }

    def _during(self, owner: Any, name: str, stage: Stage) -> None:
        """``stage`` is active while the coroutine function ``name`` runs."""
        function: Callable[..., Awaitable[Any]] = getattr(owner, name)

        @functools.wraps(function)
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self._page.inside(stage):
                return await function(*args, **kwargs)

        setattr(owner, name, wrapped)

    def _store(self, module: ModuleType) -> None:
        ledger: Any = module.__dict__["Ledger"]
        begin, commit, write = ledger.__init__, module.__dict__["commit"], ledger.write

        @functools.wraps(begin)
        def opened(*args: Any, **kwargs: Any) -> None:
            self._page.set(Stage.STARTING, active=False)
            with self._page.inside(Stage.OPENING):
                begin(*args, **kwargs)
            self._page.set(Stage.RECOVERING, active=True)

        @functools.wraps(commit)
        def written(connection: Any, change: Any, at: Any) -> Any:
            self._page.set(Stage.JUDGING, active=False)
            self._pages_written = bool(change.messages)
            with self._page.inside(Stage.WRITING):
                return commit(connection, change, at)

        @contextmanager
        def transaction(own: Any) -> Iterator[Any]:
            self._pages_written = False
            try:
                with write(own) as connection:
                    self._page.set(Stage.JUDGING, active=True)
                    yield connection
                    self._page.set(Stage.JUDGING, active=False)
                    self._page.set(Stage.COMMITTING, active=True)
                if self._pages_written:
                    self._page.set(Stage.UNDELIVERED, active=True)
            finally:
                self._page.set(Stage.JUDGING, active=False)
                self._page.set(Stage.COMMITTING, active=False)

        ledger.__init__, ledger.write = opened, transaction
        module.__dict__["commit"] = written

    def _writer(self, module: ModuleType) -> None:
        self._during(module.__dict__["Writer"], "mark_sent", Stage.MARKING)

    def _follow(self, module: ModuleType) -> None:
        follower: Any = module.__dict__["Follower"]
        begin, catch_up = follower.__init__, follower.catch_up

        @functools.wraps(begin)
        def made(own: Any, *args: Any, **kwargs: Any) -> None:
            begin(own, *args, **kwargs)
            self._behind.add(id(own))

        @functools.wraps(catch_up)
        async def caught_up(own: Any) -> None:
            await catch_up(own)
            self._behind.discard(id(own))
            if not self._behind:
                self._page.set(Stage.RECOVERING, active=False)

        follower.__init__, follower.catch_up = made, caught_up
        self._during(follower, "_rewind", Stage.REWINDING)
        self._during(follower, "_rewind_from", Stage.REWINDING)

    def _inbox(self, module: ModuleType) -> None:
        inbox = module.__dict__["Inbox"]
        self._during(inbox, "read_all", Stage.BOOKS)
        self._during(inbox, "read_approvals", Stage.BOOKS)
        self._during(inbox, "act", Stage.ACTING)

    def _http(self, module: ModuleType) -> None:
        post = module.__dict__["post"]

        @functools.wraps(post)
        async def posted(*args: Any, **kwargs: Any) -> Any:
            self._page.set(Stage.UNDELIVERED, active=False)
            with self._page.inside(Stage.DELIVERING):
                return await post(*args, **kwargs)

        module.__dict__["post"] = posted
