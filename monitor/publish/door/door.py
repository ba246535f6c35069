"""The door: what decides who comes in, kept up to date while porwatch runs."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from monitor.config.mistakes import ConfigError, Mistake
from monitor.config.models import Web
from monitor.config.web_file import read_web_file
from monitor.config.web_tls import Tls
from monitor.health import Health
from monitor.publish.door.limits import Buckets
from monitor.publish.door.passwords import Passwords
from monitor.publish.door.settings import Settings, settings_of

log = logging.getLogger(__name__)

#: a certificate that ends within so many days stands in the status
_SOON = timedelta(days=14)
_Stamps = tuple[tuple[int, int, int], ...]


class Door:
    """``settings`` are replaced whole; ``secret`` is of this process alone."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.tls: Tls | None = None
        self.passwords = Passwords()
        self.calls = Buckets()
        self.secret = secrets.token_bytes(32)


class WebConfiguration:
    """The configured web file: read at start, and again when it or a certificate changes."""

    def __init__(self, web: Web, path: Path | None, health: Health, clock: Callable[[], datetime]) -> None:
        """Raises ConfigError where the file cannot be used. ``path`` is that of web.config_file."""
        self._web, self._path, self._health, self._clock = web, path, health, clock
        self.door = Door(settings_of(web, None))
        self._files: tuple[Path, ...] = ()
        self._stamps: _Stamps = ()
        self._said = ""
        if path is not None:
            self._use(path)

    def look(self) -> bool:
        """Read again what has changed; whether the certificates are others now. A bad file keeps the last good one."""
        if self._path is None:
            return False
        stamps = _stamps(self._files)
        before = self.door.tls
        if stamps != self._stamps:
            try:
                self._use(self._path)
            except ConfigError as error:
                self._stamps = stamps
                self._refuse(error)
        self._warn()
        return self.door.tls is not before

    async def run(self, changed: Callable[[], None], every: float = 1.0) -> None:
        """Look until cancelled; ``changed`` is called on the loop when there are other certificates."""
        while True:
            await asyncio.sleep(every)
            if await asyncio.to_thread(self.look):
                changed()

    def _use(self, path: Path) -> None:
        # Read twice: at first to learn which files to watch, so that no change between reading and watching is missed.
        named = read_web_file(path, self._web, self._clock()).files
        stamps = _stamps(named)
        file = read_web_file(path, self._web, self._clock())
        settings = settings_of(self._web, file)
        if self._files:
            self._same_kind(path, settings, file.tls)
        self._files, self._stamps = named, stamps
        self.door.settings, self.door.tls = settings, file.tls
        self._health.web_read = True
        self._health.solved("web", "config_file")
        if self._said:
            log.info("the web configuration is good again", extra={"file": str(path)})
        self._said = ""
        self._warn()

    def _same_kind(self, path: Path, settings: Settings, tls: Tls | None) -> None:
        """A file that was saved half-way must not open the door. Raises ConfigError."""
        message = ""
        if (tls is None) != (self.door.tls is None):
            message = "TLS is switched on or off at a start only: restart porwatch, or write tls_server_config again"
        elif self.door.settings.authentication and not settings.authentication:
            message = "nobody would have to log in any more: restart porwatch, or write basic_auth_users again"
        if message:
            raise ConfigError([Mistake(str(path), 1, "configuration", message)])

    def _refuse(self, error: ConfigError) -> None:
        said = str(error)
        self._health.web_read = False
        self._health.problem("web", "config_file", f"refused, the last good one is served: {said}")
        if said != self._said:
            log.error("web configuration refused: the last good one is served", extra={"mistakes": said})
        self._said = said

    def _warn(self) -> None:
        tls = self.door.tls
        self._health.certificate_expires = None if tls is None else tls.expires
        if tls is None or tls.expires - self._clock() > _SOON:
            self._health.solved("web", "certificate")
            return
        ended = "expired" if tls.expires <= self._clock() else "expires"
        self._health.problem("web", "certificate", f"the certificate {ended} at {tls.expires.isoformat()}: renew it")


def _stamps(files: tuple[Path, ...]) -> _Stamps:
    """Which state of each file is there; a secret that Kubernetes exchanges is another file by its number."""
    found = []
    for path in files:
        try:
            status = path.stat()
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            found.append((-1, -1, -1))
    return tuple(found)
