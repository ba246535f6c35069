"""What one part of the configuration says against what another says, and against the files it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path as FilePath
from typing import Any
from urllib.parse import urlsplit

from chains.core.errors import AddressError
from chains.core.registry import open_kind
from chains.core.settings import ChainSettings
from monitor.config.document import Parts
from monitor.config.mistakes import Path
from monitor.config.models import Books, Policy, Signing, Store, WalletSettings, is_profile_file
from monitor.config.secret import SHORTEST_SIGNING_SECRET, SecretError, read_secret
from monitor.config.translate import Report
from monitor.config.yaml_tree import Tree

_SOURCES = ("addresses", "addresses_file", "addresses_sql", "descriptors")
#: bitcoind writes its cookie when it starts: it may well be missing while the node is down
_COMES_AND_GOES = "cookie_file"
#: files that may be empty; all others hold a secret or a setting
_MAY_BE_EMPTY = "addresses_file"
#: more decimals than any chain counts in
_FINEST = 77


def check_chains(parts: Parts, report: Report) -> None:
    """Assets that chains name must be defined, with as many decimals as the chain counts in."""
    for name, settings in parts.chains.items():
        path: Path = ("chains", name)
        # "" stands for a native asset that is broken or missing, which is reported already.
        if settings.native and settings.native not in parts.asset_names:
            report((*path, "native"), _not_defined(settings.native, "assets", parts.asset_names))
        tokens = settings.tokens_by_asset()
        for asset in tokens:
            if asset not in parts.asset_names:
                report((*path, "tokens", asset), _not_defined(asset, "assets", parts.asset_names))
        if all(asset in parts.assets for asset in (settings.native, *tokens)):
            _check_decimals(path, settings, parts, report)


def _check_decimals(path: Path, settings: ChainSettings, parts: Parts, report: Report) -> None:
    """Asks the chain about one asset at a time, the others being fine enough, so that each has its own mistake."""
    for asset in (settings.native, *settings.tokens_by_asset()):
        trial = dict.fromkeys((settings.native, *settings.tokens_by_asset()), _FINEST)
        trial[asset] = parts.assets[asset].decimals
        try:
            settings.scales(trial)
        except ValueError as error:
            report((*path, "native") if asset == settings.native else (*path, "tokens", asset), str(error))


def check_wallets(parts: Parts, report: Report) -> None:
    """Names are unique, chains are defined, and there is something to watch."""
    names: dict[str, int] = {}
    for index, wallet in parts.wallets.items():
        path: Path = ("wallets", index)
        if wallet.ceremonies == "required" and wallet.tier != "cold":
            report((*path, "ceremonies"), f"is for cold wallets, this one is {wallet.tier}: remove it")
        first = names.setdefault(wallet.name, index)
        if first != index:
            report((*path, "name"), f"{wallet.name} is also the name of wallets[{first}]: choose another name")
        if wallet.chain and wallet.chain not in parts.chain_names:
            report((*path, "chain"), _not_defined(wallet.chain, "chains", parts.chain_names))
        _check_sources(path, wallet, report)


def _check_sources(path: Path, wallet: WalletSettings, report: Report) -> None:
    written = wallet.model_fields_set
    if not any(getattr(wallet, source) for source in _SOURCES):
        report(path, f"{wallet.name} has no address: write at least one of {', '.join(_SOURCES)}")
    if wallet.gap_limit is not None and wallet.range is not None:
        report((*path, "range"), "gap_limit and range exclude each other: write one of them")
    for key in ("gap_limit", "range"):
        if key in written and not wallet.descriptors:
            report((*path, key), f"{key} belongs to descriptors: write descriptors, or remove it")


def check_signing(parts: Parts, report: Report) -> None:
    """A ledger that several porwatch may write to, one after the other, has one report key: in a file, or in a
    folder that goes with whichever runs.
    """
    store, signing = parts.sections.get("store"), parts.sections.get("signing")
    shared = isinstance(store, Store) and not store.url.startswith("sqlite:") and store.folder is None
    if shared and isinstance(signing, Signing) and signing.key_file is None:
        message = (
            "is PostgreSQL, which a second porwatch can take over, and each would make a report key of its own: "
            "write signing: {key_file: …}, the same key for all (openssl genpkey -algorithm ed25519), "
            "or store.folder, where that is on a disk that goes with whichever runs"
        )
        report(("store",), message)


def check_alertmanagers(parts: Parts, report: Report) -> None:
    """Each Alertmanager once."""
    seen: set[str] = set()
    for index, alertmanager in enumerate(parts.sections.get("alertmanagers") or ()):
        if alertmanager.url in seen:
            report(("alertmanagers", index, "url"), f"{alertmanager.url} is listed twice: remove one")
        seen.add(alertmanager.url)


def allowed(parts: Parts, report: Report) -> dict[str, dict[str, frozenset[str]]]:
    """policy.allow as locators, by tier and chain; an address that no chain can read is a mistake."""
    policy = parts.sections.get("policy") or Policy()
    out: dict[str, dict[str, frozenset[str]]] = {}
    for tier, texts in (("cold", policy.allow.cold), ("hot", policy.allow.hot)):
        found: dict[str, set[str]] = {name: set() for name in parts.chains}
        for index, text in enumerate(texts):
            reasons = []
            for name, settings in parts.chains.items():
                try:
                    found[name].add(open_kind(settings.kind).parse_address(text, settings))
                except AddressError as error:
                    reasons.append(f"{name}: {error}")
            if parts.chains and len(reasons) == len(parts.chains):
                report(("policy", "allow", tier, index), f"is an address of none of the chains ({'; '.join(reasons)})")
        out[tier] = {name: frozenset(locators) for name, locators in found.items()}
    return out


def check_files(parts: Parts, tree: Tree, base: FilePath, report: Report) -> None:
    """Every file that the configuration names is there."""
    for path, value in _scalars(tree.data, ()):
        key = str(path[-1]) if path else ""
        if not key.endswith("_file") or key == _COMES_AND_GOES or not isinstance(value, str) or not value:
            continue
        wrong = _file_wrong(base / value)
        if not wrong and key != _MAY_BE_EMPTY and (base / value).stat().st_size == 0 and (base / value).is_file():
            wrong = "is empty: write its content into it"
        if wrong:
            report(path, f"{value} {wrong}")
    store = parts.sections.get("store")
    if store is not None and store.folder is not None:
        wrong = _file_wrong(base / store.folder, folder=True)
        if wrong:
            report(("store", "folder"), f"{store.folder} {wrong}")
    for index, profile in enumerate(parts.sections.get("profiles") or ()):
        wrong = _file_wrong(base / profile) if is_profile_file(profile) else ""
        if wrong:
            report(("profiles", index), f"{profile} {wrong}")
    books = parts.sections.get("books") or Books()
    for name in Books.model_fields:
        book = getattr(books, name)
        if book is None or book.file is None:
            continue
        place = base / book.file
        wrong = _file_wrong(place, folder=name == "proposals")
        if wrong:
            report(("books", name, "file"), f"{book.file} {wrong}{' (it may be empty)' if name == 'approvals' else ''}")


def check_halt(parts: Parts, base: FilePath, report: Report) -> None:
    """The secret of requests to halt cannot be guessed. A file that cannot be read is reported with all files."""
    halt = parts.sections.get("halt")
    if halt is None:
        return
    try:
        length = len(read_secret(base / halt.secret_file))
    except SecretError:
        return
    if length < SHORTEST_SIGNING_SECRET:
        report(
            ("halt", "secret_file"),
            f"{halt.secret_file} has {length} characters, fewer than {SHORTEST_SIGNING_SECRET}: "
            "write a random secret, e.g. openssl rand -hex 32",
        )


def _file_wrong(place: FilePath, *, folder: bool = False) -> str:
    try:
        if folder:
            return "" if place.is_dir() else "is not there, or no folder: create the folder"
        if place.is_dir():
            return "is a folder: write the path of a file"
        return "" if place.exists() else "does not exist: create it, or correct the path"
    except (OSError, ValueError) as error:
        return f"is no path ({error}): correct it"


def check_secrets(tree: Tree, report: Report, covered: Callable[[Path], bool]) -> None:
    """No URL in the file holds a password: secrets come from files, never inline. Skips what is reported already."""
    for path, value in _scalars(tree.data, ()):
        if not isinstance(value, str) or "://" not in value:
            continue
        try:
            parts = urlsplit(value)
            secret = parts.password is not None
        except ValueError:
            continue
        if secret and not covered(path):
            report(path, "holds a password: secrets come from files: take it out, or use the key that ends in _file")


def _scalars(value: Any, path: Path) -> Iterator[tuple[Path, object]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _scalars(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _scalars(item, (*path, index))
    else:
        yield path, value


def _not_defined(name: str, where: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(name, known, n=1)
    remedy = f"did you mean {close[0]}? Otherwise add it" if close else "add it"
    others = f", or write one of {_few(known)}" if known and not close else ""
    return f"{name} is not defined under {where}: {remedy}{others}"


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
