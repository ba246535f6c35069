"""What a new configuration changes beside the one in force, and what of it a running monitor cannot take over.

Two kinds are refused. What a monitor stands on (its ledger, the identity of a chain) changes with a
restart. And nothing that is watched or told goes away silently: a half-written file has the form of
one that somebody shortened, so what is to go is written out, or goes with a restart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from chains.core.settings import ChainSettings
from monitor.config.mistakes import Mistake, Path, dotted
from monitor.config.resolved import Config

#: sections and keys on which the running parts stand
_FIXED = (
    ("store",),
    ("entity",),
    ("web", "listen"),
    ("web", "config_file"),
    ("web", "trusted_proxy"),
    ("web", "public_metrics"),
    ("web", "roles"),
    ("signing", "key_file"),
    ("shadow_until",),
)
#: what may change of a chain: who is asked, how many must agree, when a block is final; tokens may be added
_CHAIN_CHANGES = frozenset({"endpoints", "quorum", "finality", "zmq", "tokens"})
#: not sections of the file
_DERIVED = frozenset({"file", "raw", "written", "wallets", "locators", "allow"})
_MOST_NAMED = 5


def changed(old: Config, new: Config) -> tuple[str, ...]:
    """Names of the sections that differ. None may differ where only a file changed that the configuration names."""
    named = {"wallet_settings": "wallets"}
    return tuple(
        named.get(each.name, each.name)
        for each in fields(Config)
        if each.name not in _DERIVED and getattr(old, each.name) != getattr(new, each.name)
    )


def refusals(old: Config, new: Config) -> tuple[Mistake, ...]:
    """Everything for which ``new`` cannot take the place of ``old`` while porwatch runs; empty: it can."""
    if _is_cut(old.raw, new.raw):
        message = "ends in the middle, as a file that is half written: write it to its end, with a newline"
        return (mistake_at(new, (), message),)
    found = [*_fixed(old, new), *_chains(old, new), *_assets(old, new), *_wallets(old, new), *_gone(old, new)]
    return tuple(sorted(found, key=lambda each: each.line))


def _is_cut(old: bytes, new: bytes) -> bool:
    """Whether the new file is a beginning of the old one, or of another one: a last line without a newline."""
    return not new.endswith(b"\n") or (new != old and old.startswith(new))


def mistake_at(new: Config, path: Path, message: str) -> Mistake:
    """A mistake at a key of the file, or at the nearest one around it that stands there."""
    names = tuple(str(step) for step in path)
    while names and names not in new.written:
        names = names[:-1]
    return Mistake(str(new.file), new.written.get(names, 1), dotted(path), message)


def _fixed(old: Config, new: Config) -> Iterator[Mistake]:
    for path in _FIXED:
        before, after = (_value(config, path) for config in (old, new))
        if before != after:
            yield mistake_at(new, path, "cannot change while porwatch runs: write what stood here before, or restart")


def _value(config: Config, path: tuple[str, ...]) -> object:
    value: object = config
    for name in path:
        value = getattr(value, name)
    return value


def _chains(old: Config, new: Config) -> Iterator[Mistake]:
    for name, before in old.chains.items():
        after = new.chains.get(name)
        if after is None:
            yield mistake_at(
                new, ("chains", name), "is gone: a running porwatch stops watching nothing: put it back, or restart"
            )
            continue
        for key in _differing(before, after):
            if key not in _CHAIN_CHANGES:
                message = "cannot change while porwatch runs: write what stood here before, or restart"
                yield mistake_at(new, ("chains", name, key), message)
        tokens = after.tokens_by_asset()
        for asset, contract in before.tokens_by_asset().items():
            if tokens.get(asset) != contract:
                message = "a running porwatch stops watching no token: write what stood here before, or restart"
                yield mistake_at(new, ("chains", name, "tokens", asset), message)


def _differing(before: ChainSettings, after: ChainSettings) -> list[str]:
    if type(before) is not type(after):
        return ["kind"]
    return [key for key in type(before).model_fields if getattr(before, key) != getattr(after, key)]


def _assets(old: Config, new: Config) -> Iterator[Mistake]:
    for name, asset in old.assets.items():
        if new.assets.get(name) != asset:
            message = "the ledger counts in these decimals: write what stood here before, or restart"
            yield mistake_at(new, ("assets", name), message)


def _wallets(old: Config, new: Config) -> Iterator[Mistake]:
    for name in old.wallet_settings:
        if name not in new.wallet_settings:
            message = f"{name} is gone: a running porwatch stops watching nothing: put it back, or restart"
            yield mistake_at(new, ("wallets",), message)
    for chain, locators in old.locators.items():
        still = new.locators.get(chain, {})
        lost: dict[str, list[str]] = {}
        for locator, wallet in locators.items():
            settings = new.wallet_settings.get(wallet)
            # What a file drops is followed on until the next start, reload or not.
            if locator not in still and settings is not None and settings.addresses_file is None:
                lost.setdefault(wallet, []).append(locator)
        for wallet, gone in lost.items():
            shown = ", ".join(gone[:_MOST_NAMED]) + (
                f" and {len(gone) - _MOST_NAMED} more" if gone[_MOST_NAMED:] else ""
            )
            message = f"{wallet} has lost {shown}: a running porwatch stops watching nothing: put it back, or restart"
            yield mistake_at(new, ("wallets",), message)


def _gone(old: Config, new: Config) -> Iterator[Mistake]:
    """Keys that were written and are not any more, the outermost of each; chains and assets have had their say."""
    for path in sorted(old.written.keys() - new.written.keys()):
        if path[:-1] and path[:-1] not in new.written:
            continue
        if len(path) == 2 and path[0] in {"chains", "assets"}:
            continue
        message = (
            "stood in the file and is gone, as in a file that is half written: "
            "write null or its default to do without it, or restart"
        )
        yield mistake_at(new, path, message)
