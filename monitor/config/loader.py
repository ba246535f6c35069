"""A configuration file into a Config, or every mistake at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from monitor.config.addresses import Claims, claim_all
from monitor.config.cross import (
    allowed,
    check_alertmanagers,
    check_chains,
    check_files,
    check_halt,
    check_secrets,
    check_signing,
    check_wallets,
)
from monitor.config.document import Parts, read_parts
from monitor.config.mistakes import ConfigError, Mistake, Path, dotted, in_order
from monitor.config.models import Web
from monitor.config.resolved import Config
from monitor.config.web_file import check_web
from monitor.config.yaml_tree import LARGEST_BYTES, Tree, read_yaml
from monitor.model import Owner, Tier, Wallet


def load(path: str | FilePath) -> Config:
    """The configuration in a file, without network. Raises ConfigError with every mistake in it.

    Mistakes name the file as it was given here.
    """
    file = str(path)
    raw = _read(file)
    tree, mistakes = read_yaml(file, raw)
    if tree is None:
        raise ConfigError(in_order(mistakes, file))
    found = _Found(file, tree, mistakes)
    base = FilePath(file).absolute().parent
    parts = read_parts(tree, found)
    check_chains(parts, found)
    check_wallets(parts, found)
    check_alertmanagers(parts, found)
    check_signing(parts, found)
    check_files(parts, tree, base, found)
    check_halt(parts, base, found)
    mistakes.extend(check_web(parts.sections.get("web") or Web(), base, found))
    claims = claim_all(parts, base, found, mistakes)
    allow = allowed(parts, found)
    check_secrets(tree, found, found.covers)
    if mistakes:
        raise ConfigError(in_order(mistakes, file))
    written = {path: tree.line(path) for path in _keys(tree.data, ())}
    return _config(FilePath(file).absolute(), raw, written, parts, claims, allow)


def _keys(data: Any, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The path of every key of the mappings in each other; the reader of YAML has limited their depth."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield (*above, str(key))
            yield from _keys(value, (*above, str(key)))


def _read(file: str) -> bytes:
    try:
        with FilePath(file).open("rb") as stream:
            return stream.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        message = f"the file cannot be read ({reason}): write the path of a YAML file"
        raise ConfigError([Mistake(file, 1, dotted(()), message)]) from error


class _Found:
    """Takes every report and knows which values have one."""

    def __init__(self, file: str, tree: Tree, mistakes: list[Mistake]) -> None:
        self._file, self._tree, self._mistakes = file, tree, mistakes
        self._paths: set[Path] = set()

    def __call__(self, path: Path, message: str) -> None:
        self._paths.add(path)
        self._mistakes.append(Mistake(self._file, self._tree.line(path), dotted(path), message))

    def covers(self, path: Path) -> bool:
        """Whether the value at ``path``, or one around it, has a mistake already."""
        return any(path[:length] in self._paths for length in range(1, len(path) + 1))


def _config(
    file: FilePath,
    raw: bytes,
    written: dict[tuple[str, ...], int],
    parts: Parts,
    claims: Claims,
    allow: dict[str, dict[str, frozenset[str]]],
) -> Config:
    settings = {wallet.name: wallet for wallet in parts.wallets.values()}
    wallets = tuple(
        Wallet(wallet.name, wallet.chain, Tier(wallet.tier), Owner(wallet.owner), wallet.custodian, order)
        for order, wallet in enumerate(settings.values())
    )
    sections = {name: value for name, value in parts.sections.items() if name not in {"assets", "chains", "wallets"}}
    return Config(
        file=file,
        raw=raw,
        written=written,
        assets=parts.assets,
        chains=parts.chains,
        wallets=wallets,
        wallet_settings=settings,
        locators=claims.locators,
        allow=allow,
        **sections,
    )
