"""HTTP of a running monitor: one server and one door for its whole life, in front of the application of each
configuration.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

from chains.core.errors import AddressError
from chains.core.settings import ChainSettings
from monitor.build import Desk, Monitor
from monitor.config.resolved import Config
from monitor.health import Health
from monitor.model import Tier
from monitor.publish.api.particulars import Particulars
from monitor.publish.deliver import receivers
from monitor.publish.front import Application, Front
from monitor.publish.guard import Access
from monitor.publish.runbooks import runbook
from monitor.publish.scope import Channel, Scope
from monitor.publish.snapshot import Snapshots
from monitor.step.halting import RECEIVER as HALT
from monitor.step.writer import utc_now

if TYPE_CHECKING:
    from monitor.publish.door.door import Door, WebConfiguration
    from monitor.publish.door.reads import Reads

log = logging.getLogger(__name__)

Reload = Callable[[], Awaitable[tuple[str, ...]]]


class CannotListen(Exception):
    """The listening address cannot be had."""


def scope_of(config: Config) -> Scope:
    """What is configured, as names."""
    books, told = config.books, receivers(config.alertmanagers)
    return Scope(
        version=version("porwatch"),
        wallets=config.wallets,
        assets={name: (chain.native, *chain.tokens_by_asset()) for name, chain in config.chains.items()},
        decimals=config.decimals,
        receivers=(*(receiver.name for receiver in told), *(() if config.halt is None else (HALT,))),
        channels=tuple(Channel(receiver.name, receiver.redact, receiver.recipients) for receiver in told),
        endpoints={name: _endpoint_names(chain) for name, chain in config.chains.items()},
        sources=tuple(name for name in ("liabilities", "approvals", "prices") if getattr(books, name) is not None),
    )


def _endpoint_names(settings: ChainSettings) -> tuple[str, ...]:
    named = enumerate(settings.endpoints, start=1)
    return tuple(endpoint.name or f"endpoint-{i}" for i, endpoint in named if not endpoint.hint_only)


def particulars_of(config: Config) -> Particulars:
    """What is configured, for the API."""
    books = config.books

    def spellings(address: str) -> tuple[str, ...]:
        found = {address}
        for chain in config.chains:
            with suppress(AddressError):
                found.add(config.locator(chain, address))
        return tuple(sorted(found))

    return Particulars(
        known={
            (chain, tier): config.allow["cold" if tier is Tier.COLD else "hot"].get(chain, frozenset())
            for chain in config.chains
            for tier in Tier
        },
        spellings=spellings,
        liabilities_age=None if books.liabilities is None else books.liabilities.max_age,
        statements=books.statements is not None,
        reports=config.reports_path,
        ceremonies_required=frozenset(
            name for name, each in config.wallet_settings.items() if each.ceremonies == "required"
        ),
    )


def open_web(config: Config, health: Health) -> tuple[WebConfiguration, Reads]:
    """The web configuration file, read, and the notes of who reads what. Raises ConfigError."""
    from monitor.publish.door.door import WebConfiguration  # noqa: PLC0415  `once` serves nothing
    from monitor.publish.door.reads import Reads  # noqa: PLC0415

    file = config.web.config_file
    return WebConfiguration(config.web, None if file is None else config.path(file), health, utc_now), Reads()


def application(monitor: Monitor, snapshots: Snapshots, door: Door, reads: Reads, reload: Reload) -> Application:
    """Everything that is answered by one configuration."""
    from monitor.publish.console.site import Entity  # noqa: PLC0415  `check` and `status` need no web server
    from monitor.publish.web import Served, make_app  # noqa: PLC0415

    config = monitor.config
    served = Served(
        ledger=monitor.ledger,
        health=monitor.health,
        snapshots=snapshots,
        scope=scope_of(config),
        actions=Desk(monitor.inbox, monitor.watchlist, monitor.proving),
        access=_access(config),
        runbook=runbook,
        reload=reload if config.web.enable_lifecycle else None,
        entity=Entity(config.entity.name, config.entity.timezone),
        particulars=particulars_of(config),
        door=door,
        reads=reads,
    )
    return make_app(served)


def _access(config: Config) -> Access:
    host = config.web.listen.rpartition(":")[0]
    return Access(listen_host=host.strip("[]"), external_url=config.web.external_url or "")


class Http:
    """Listens on the configured address and answers from ``front``, until it is stopped."""

    def __init__(self, front: Front, config: Config, door: Door) -> None:
        """Raises CannotListen."""
        from monitor.publish.door.server import Server  # noqa: PLC0415  `check` and `status` need no web server

        listener = _listener(config.web.listen)
        _warn_of_exposure(_access(config), door)
        host, port = config.web.listen.rpartition(":")[0], listener.getsockname()[1]
        self.address = f"{'http' if door.tls is None else 'https'}://{host}:{port}"
        self._server = Server(front, listener, door)
        self._task = asyncio.create_task(self._server.serve())

    def renew(self) -> None:
        """Serve new connections with the door's newest certificates."""
        self._server.renew()

    async def stop(self, seconds: float) -> None:
        """Let running requests end, so long and no longer."""
        self._server.end()
        await asyncio.wait([self._task], timeout=seconds)


def _listener(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=128)
    except OSError as error:
        # create_server says more than the reason; a name that does not resolve has a number of its own.
        why = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else error.strerror
        raise CannotListen(f"web.listen: {listen}: {why}: free it, or write another address") from error


def _warn_of_exposure(access: Access, door: Door) -> None:
    if access.loopback:
        return
    if not door.settings.authentication:
        log.warning("others reach web.listen and nobody logs in: only health, runbooks and metrics are answered")
    elif door.tls is None and door.settings.users:
        log.warning("others reach web.listen and passwords travel in the clear: write tls_server_config")
