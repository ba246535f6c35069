"""The connections to the chains' endpoints, from the first to the last, whatever configuration asks for them."""

from __future__ import annotations

from hashlib import sha256
from types import TracebackType
from typing import Self

from chains.core.chain import Chain
from chains.core.registry import open_kind
from chains.core.settings import Endpoint
from monitor.config.resolved import Config
from monitor.health import Health

_SECRETS = ("url_file", "password_file", "bearer_token_file", "headers_file", "ca_file")
#: no secret is larger; a file that is compared, not used
_MOST_BYTES = 1_000_000


class Connections:
    """Opens chains, and at the end closes all that are open."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._open: dict[int, tuple[Chain, str]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for chain, _ in list(self._open.values()):
            await self.close(chain)

    def open(self, config: Config, name: str) -> Chain:
        """Connect one configured chain."""
        settings, health = config.chains[name], self._health

        def observe(endpoint: str, outcome: str, seconds: float) -> None:
            health.observe_rpc(name, endpoint, outcome, seconds)

        chain = open_kind(settings.kind).connect(name, settings, config.decimals, config.base, observe)
        self._open[id(chain)] = (chain, _mark(config, name))
        return chain

    def serves(self, chain: Chain, config: Config, name: str) -> bool:
        """Whether an open chain is what ``config`` asks for, the content of its secret files included."""
        return self._open[id(chain)][1] == _mark(config, name)

    async def close(self, chain: Chain) -> None:
        """Close one chain; one that is closed already stays so."""
        if self._open.pop(id(chain), None) is not None:
            await chain.close()


def _mark(config: Config, name: str) -> str:
    """A digest of everything that a connection is made from."""
    settings = config.chains[name]
    digest = sha256(f"{config.base}\n{settings.model_dump_json()}\n".encode())
    for endpoint in settings.endpoints:
        for key in _SECRETS:
            digest.update(_content(config, endpoint, key))
    return digest.hexdigest()


def _content(config: Config, endpoint: Endpoint, key: str) -> bytes:
    file = getattr(endpoint, key)
    if file is None:
        return b"\0"
    try:
        with config.path(file).open("rb") as stream:
            return sha256(stream.read(_MOST_BYTES)).digest()
    except OSError:
        # Whoever uses it says so; here it only differs from a file that could be read.
        return b"\1"
