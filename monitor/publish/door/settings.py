"""What decides who comes in, as configured; replaced whole when the web configuration file changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from monitor.config.models import Web
from monitor.config.web_file import WebFile
from monitor.publish.roles import Role

#: for each caller where the file sets no other limit: a wall of consoles needs less, a guesser more
_INTERVAL_NS, _BURST = 20_000_000, 400


@dataclass(frozen=True, slots=True)
class Settings:
    """``users``: bcrypt hash by name. ``rate``: nanoseconds between requests of one caller, and how many at once.

    ``allowed_sans``: a client certificate must have one of these names; empty: any that verifies.
    """

    users: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    certificates: Mapping[str, Role] = field(default_factory=dict)
    client_certificates: bool = False
    allowed_sans: frozenset[str] = frozenset()
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    proxy_header: str = ""
    public_metrics: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    rate: tuple[int, int] = (_INTERVAL_NS, _BURST)

    @property
    def authentication(self) -> bool:
        """Whether callers must show who they are."""
        return bool(self.users or self.client_certificates or self.proxies)

    def trusts(self, peer: str) -> bool:
        """Whether a connection from this address may say who calls."""
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self.proxies if network.version == address.version)


def settings_of(web: Web, file: WebFile | None) -> Settings:
    """The settings of a configuration; ``file`` None where none is configured."""
    proxy, document = web.trusted_proxy, None if file is None else file.document
    server = None if document is None else document.tls_server_config
    limit = None if document is None else document.rate_limit
    return Settings(
        users={} if file is None else file.users,
        roles={name: Role(role) for name, role in web.roles.users.items()},
        certificates={name: Role(role) for name, role in web.roles.certificates.items()},
        client_certificates=file is not None and file.client_certificates,
        allowed_sans=frozenset(() if server is None else server.client_allowed_sans),
        proxies=() if proxy is None else tuple(ip_network(each) for each in proxy.addresses),
        proxy_header="" if proxy is None else proxy.header.lower(),
        public_metrics=web.public_metrics,
        headers={}
        if document is None
        else {str(name): value for name, value in document.http_server_config.headers.items()},
        rate=(_INTERVAL_NS, _BURST) if limit is None else (limit.interval, limit.burst),
    )
