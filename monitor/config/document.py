"""One YAML file into its parts, each checked against its model by itself, so that every mistake is found at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel

from chains.core.registry import kinds, open_kind
from chains.core.settings import ChainSettings
from monitor.config.fields import Name, Symbol
from monitor.config.mistakes import Path
from monitor.config.models import Asset, Document, WalletSettings
from monitor.config.translate import Report, instead_of, validated
from monitor.config.yaml_tree import Tree

#: sections that are read entry by entry, and how many entries they may have
_MOST = {"assets": 1_000, "chains": 64, "wallets": 10_000}
#: stand in for broken keys, so that what else an entry says can still be checked
_ANY_CHAIN = {"endpoints": [{"url": "http://127.0.0.1"}], "native": "", "chain_id": 1}
_ANY_WALLET = {"tier": "cold", "chain": ""}


@dataclass(slots=True)
class Parts:
    """What could be read of a configuration. ``…_names`` also list broken entries, which are reported already."""

    sections: dict[str, Any] = field(default_factory=dict)
    assets: dict[str, Asset] = field(default_factory=dict)
    asset_names: tuple[str, ...] = ()
    chains: dict[str, ChainSettings] = field(default_factory=dict)
    chain_names: tuple[str, ...] = ()
    wallets: dict[int, WalletSettings] = field(default_factory=dict)


def read_parts(tree: Tree, report: Report) -> Parts:
    """Every section of the file against its model; mistakes go to ``report``."""
    parts = Parts()
    if not isinstance(tree.data, dict):
        report((), "the file is not a mapping: write keys and values, beginning with entity: {name: …}")
        return parts
    fields = Document.model_fields
    for name in tree.data:
        if name not in fields:
            report((name,), f"unknown key{instead_of(name, list(fields))}")
    for name, info in fields.items():
        value = tree.data.get(name)
        if value is None:
            if info.is_required():
                report((name,), f"is missing: write {name}: …")
            else:
                parts.sections[name] = info.default
        elif name not in _MOST:
            section, _ = validated(Annotated[info.annotation, info], value, (name,), report)
            parts.sections[name] = section
    _read_assets(_entries(tree, "assets", dict, report), parts, report)
    _read_chains(_entries(tree, "chains", dict, report), parts, report)
    _read_wallets(_entries(tree, "wallets", list, report), parts, report)
    return parts


def _entries(tree: Tree, name: str, kind: type, report: Report) -> Any:
    value = tree.data.get(name)
    if value is None:
        return kind()
    if not isinstance(value, dict | list) or not isinstance(value, kind):
        form = "a mapping: write NAME: {…}" if kind is dict else "a list: write one '- {name: …}' a line"
        report((name,), f"is not {form}")
        return kind()
    if not value:
        report((name,), f"is empty: write at least one of the {name}")
    if len(value) > _MOST[name]:
        report((name,), f"has {len(value)} entries, more than {_MOST[name]}: one porwatch does not serve so many")
        return kind()
    return value


def _read_assets(entries: Mapping[str, Any], parts: Parts, report: Report) -> None:
    parts.asset_names = tuple(entries)
    for name, value in entries.items():
        validated(Symbol, name, ("assets", name), report)
        asset, _ = validated(Asset, value, ("assets", name), report)
        if asset is not None:
            parts.assets[name] = asset


def _read_chains(entries: Mapping[str, Any], parts: Parts, report: Report) -> None:
    parts.chain_names = tuple(entries)
    for name, value in entries.items():
        path = ("chains", name)
        validated(Name, name, path, report)
        if not isinstance(value, dict):
            report(path, "is not a mapping: write kind, native, endpoints and the keys of that kind below it")
            continue
        kind = value.get("kind")
        if kind not in kinds():
            what = f"{kind!r} is no kind of chain" if "kind" in value else "kind is missing"
            report((*path, "kind") if "kind" in value else path, f"{what}: write kind: {' or '.join(kinds())}")
            continue
        settings, wrong = validated(open_kind(kind).Settings, value, path, report)
        if settings is None:
            settings = _readable_rest(open_kind(kind).Settings, value, {*wrong, "quorum"}, _ANY_CHAIN)
        if settings is not None:
            parts.chains[name] = settings


def _read_wallets(entries: list[Any], parts: Parts, report: Report) -> None:
    for index, value in enumerate(entries):
        path = ("wallets", index)
        wallet, wrong = validated(WalletSettings, value, path, report)
        if wallet is None and isinstance(value, dict):
            wallet = _readable_rest(WalletSettings, value, wrong, {"name": f"wallet-{index}", **_ANY_WALLET})
        if wallet is not None:
            parts.wallets[index] = wallet


def _readable_rest(kind: type[BaseModel], value: Mapping[str, Any], wrong: set[str], instead: Mapping[str, Any]) -> Any:
    """The entry without its broken keys, or None: its other keys are still compared with the rest of the file."""
    kept = {key: item for key, item in value.items() if key not in wrong}
    missing = {key: item for key, item in instead.items() if key not in kept and key in kind.model_fields}
    return validated(kind, {**kept, **missing}, (), _silent)[0]


def _silent(path: Path, message: str) -> None:
    """Takes reports of mistakes that are reported already."""
