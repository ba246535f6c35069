"""Another configuration for a running monitor: taken over whole, or refused whole.

The file is read once it rests. Everything that may fail happens beside the running monitor: reading and
comparing, connecting to endpoints and asking which chain they serve. Then what is going on comes to its
end, a block, a cycle, a request; one turn of the writer journals the change and changes what it judges
by; and the parts of the new configuration go on from the ledger. A block is judged by one of the two,
never by both, and never by none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from chains.core.chain import Chain
from chains.core.errors import ChainError
from monitor.build import Monitor, rewired
from monitor.config import Config, ConfigError, SecretError, load
from monitor.config.changes import changed, refusals
from monitor.config.yaml_tree import LARGEST_BYTES
from monitor.health import Loaded
from monitor.profiles import check_profiles
from monitor.publish.front import Application, Front
from monitor.publish.snapshot import Snapshots
from monitor.running import Running
from monitor.serving import scope_of
from monitor.step.observations import Reloaded
from monitor.step.writer import utc_now
from monitor.systemd import Notifier

log = logging.getLogger(__name__)

#: a file that has not changed for so long is written to its end
_STILL_SECONDS = 0.5
_LOOKS = 20
#: how long a cycle or a close may go on before the reload is put off
_JOBS_SECONDS = 60.0
#: how long a request or a block may
_REST_SECONDS = 10.0


class Refused(Exception):
    """The configuration cannot be taken over; ``lines`` says why, and nothing has changed."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        super().__init__("\n".join(lines))


@dataclass(slots=True)
class Reloader:
    """Takes over the configuration file of ``running``. ``served`` makes the application of a monitor."""

    running: Running
    front: Front
    snapshots: Snapshots
    served: Callable[[Monitor], Application]
    notifier: Notifier
    still_seconds: float = _STILL_SECONDS
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def on_signal(self, asked: asyncio.Event) -> None:
        """Reload each time ``asked`` is set, for ever."""
        while True:
            await asked.wait()
            asked.clear()
            await self.reload()

    async def reload(self) -> tuple[str, ...]:
        """Take over the file as it is now; returns why it was refused, a line each."""
        async with self._one:
            self.notifier.reloading()
            try:
                await self._reload(self.running.monitor)
            except Refused as error:
                return self._stays(error.lines)
            except Exception as error:
                log.exception("reload failed")
                return self._stays((f"{type(error).__name__}: {error}",))
            finally:
                self.notifier.ready()
            return ()

    def _stays(self, lines: tuple[str, ...]) -> tuple[str, ...]:
        health = self.running.monitor.health
        for line in lines:
            log.warning("configuration refused: the one before stays", extra={"mistake": line})
        assert health.loaded is not None
        health.loaded = replace(health.loaded, refused=lines)
        health.problem("config", "", f"the last reload was refused: {lines[0]}")
        return lines

    async def _reload(self, monitor: Monitor) -> None:
        config = await self._read(monitor.config)
        chains = await self._connect(monitor, config)
        reloaded = Reloaded(config.sha256, monitor.config.sha256, changed(monitor.config, config))
        try:
            await self._swap(config, chains, reloaded)
        except BaseException:
            await _close(monitor, chains, monitor.chains)
            raise
        await _close(monitor, monitor.chains, chains)
        log.info("configuration taken over", extra={"config": config.sha256, "changed": list(reloaded.changed)})

    async def _read(self, before: Config) -> Config:
        """The configuration of the file, once nobody writes to it. Raises Refused."""
        raw = await self._rested(before.file)
        try:
            config = await asyncio.to_thread(load, before.file)
        except ConfigError as error:
            raise Refused(*map(str, error.mistakes)) from error
        if config.raw != raw:
            raise Refused(f"{before.file}: is still being written: reload once that has ended")
        mistakes = [*refusals(before, config), *await asyncio.to_thread(check_profiles, config)]
        if mistakes:
            raise Refused(*map(str, mistakes))
        return config

    async def _rested(self, file: Path) -> bytes:
        last: bytes | None = None
        for _ in range(_LOOKS):
            try:
                raw = await asyncio.to_thread(_bytes, file)
            except OSError as error:
                raise Refused(f"{file}: cannot be read: {error.strerror}: write the file, then reload") from error
            if raw == last:
                return raw
            last = raw
            await asyncio.sleep(self.still_seconds)
        raise Refused(f"{file}: is still being written: reload once that has ended")

    async def _connect(self, monitor: Monitor, config: Config) -> Mapping[str, Chain]:
        """The chain of each name: the one that is open where nothing about it changed. Raises Refused."""
        chains: dict[str, Chain] = {}
        try:
            for name in config.chains:
                known = monitor.chains.get(name)
                if known is not None and await asyncio.to_thread(monitor.connections.serves, known, config, name):
                    chains[name] = known
                    continue
                chains[name] = monitor.connections.open(config, name)
                await _identify(config, name, chains[name])
        except BaseException as error:
            await _close(monitor, chains, monitor.chains)
            if isinstance(error, SecretError):
                raise Refused(str(error)) from error
            raise
        return chains

    async def _swap(self, config: Config, chains: Mapping[str, Chain], reloaded: Reloaded) -> None:
        jobs = self.running.jobs
        assert jobs is not None
        if not await jobs.rest(_JOBS_SECONDS):
            raise Refused("timed work does not come to its end: reload again later")
        try:
            if not await self.front.hold(_REST_SECONDS):
                raise Refused("a request that changes something does not come to its end: reload again later")
            try:
                await self._swap_at_rest(config, chains, reloaded)
            finally:
                self.front.release()
        except BaseException:
            if self.running.jobs is jobs:
                jobs.scheduler.resume()
            raise

    async def _swap_at_rest(self, config: Config, chains: Mapping[str, Chain], reloaded: Reloaded) -> None:
        running = self.running
        after = await asyncio.to_thread(rewired, running.monitor, config, chains)
        served = self.served(after)
        if not await running.hold(_REST_SECONDS):
            raise Refused("a block does not come to its end: reload again later")
        before = running.monitor
        try:
            await running.replace(after, reloaded)
        except BaseException:
            if running.monitor is before:
                running.release()
            raise
        after.health.loaded = Loaded(config.sha256, utc_now())
        after.health.chains = tuple(config.chains)
        after.health.solved("config", "")
        self.front.application = served
        self.snapshots.rescope(scope_of(config))


async def _close(monitor: Monitor, chains: Mapping[str, Chain], still: Mapping[str, Chain]) -> None:
    """Close the chains that are not ``still`` in use."""
    used = {id(chain) for chain in still.values()}
    for chain in chains.values():
        if id(chain) not in used:
            await monitor.connections.close(chain)


def _bytes(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(LARGEST_BYTES + 1)


async def _identify(config: Config, name: str, chain: Chain) -> None:
    """Raise Refused where endpoints serve another chain, or too few answer: that would blind the chain."""
    try:
        answers = await chain.identify()
    except ChainError as error:
        raise Refused(f"chains.{name}.endpoints: {error}") from error
    wrong = [answer.detail for answer in answers if answer.state == "wrong"]
    if wrong:
        raise Refused(f"chains.{name}.endpoints: {'; '.join(wrong)}: write endpoints of this chain")
    right, needed = sum(answer.state == "right" for answer in answers), config.chains[name].needed_quorum()
    if right < needed:
        missing = "; ".join(answer.detail for answer in answers if answer.state != "right")
        raise Refused(
            f"chains.{name}.endpoints: {right} of {needed} that must agree answer ({missing}): bring them back"
        )
