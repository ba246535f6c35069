"""Which locators each wallet has: from addresses, address files and descriptors, each claimed by one wallet only."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from chains.core.chain import ChainKind
from chains.core.errors import AddressError
from chains.core.registry import open_kind
from chains.core.settings import ChainSettings
from monitor.config.document import Parts
from monitor.config.mistakes import Mistake, Path, dotted
from monitor.config.models import WalletSettings
from monitor.config.translate import Report

#: addresses of each ranged descriptor where neither gap_limit nor range is written
DEFAULT_GAP = 1_000
#: what one chain is built for
MOST_LOCATORS = 1_000_000
LARGEST_FILE = 256 * 1024 * 1024
#: A file with everything wrong needs no line for each address.
_MOST_SHOWN = 100
_HARDENED = 1 << 31


@dataclass(slots=True)
class Claims:
    """Locators by chain, each with the wallet that claimed it first."""

    locators: dict[str, dict[str, str]] = field(default_factory=dict)

    def claim(self, chain: str, locator: str, wallet: str) -> str:
        """What is wrong with this claim, or ""."""
        owner = self.locators.setdefault(chain, {}).setdefault(locator, wallet)
        if owner != wallet:
            return f"{locator} belongs to wallet {owner} already: an address has one wallet, remove it from one of them"
        return ""


class Unreadable(Exception):
    """An address file that cannot be read on from ``line``."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def read_addresses(path: FilePath, skip: Callable[[Unreadable], None] | None = None) -> Iterator[tuple[int, str]]:
    """(line number, address) of an address file: one a line, an optional label after a comma, # comments.

    A first line that says "address" is a header; a byte order mark and CRLF are accepted.
    Raises OSError, and Unreadable with the line; with ``skip``, that is told of the line and the next one is read.
    """
    header_allowed = True
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > LARGEST_FILE:
            raise Unreadable(1, f"larger than {LARGEST_FILE} bytes: split it over several wallets")
        for number, raw in enumerate(file, 1):
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if not text or text.startswith("#"):
                    continue
                address = next(csv.reader([text]))[0].strip() if '"' in text else text.partition(",")[0].strip()
            except (UnicodeDecodeError, csv.Error) as error:
                unreadable = Unreadable(number, _what_is_wrong(error))
                if skip is None:
                    raise unreadable from error
                skip(unreadable)
                continue
            if not (header_allowed and address.lower() == "address"):
                yield number, address
            header_allowed = False


def _what_is_wrong(error: UnicodeDecodeError | csv.Error) -> str:
    if isinstance(error, csv.Error):
        return f"not CSV ({error}): write one address a line"
    return "not UTF-8: save the file as UTF-8"


def claim_all(parts: Parts, base: FilePath, report: Report, mistakes: list[Mistake]) -> Claims:
    """Every wallet's locators; mistakes of address files go to ``mistakes`` by file and line."""
    claims = Claims({name: {} for name in parts.chain_names})
    for index, wallet in parts.wallets.items():
        settings = parts.chains.get(wallet.chain)
        if settings is None:
            continue
        claimant = _Claimant(claims, wallet, index, settings, open_kind(settings.kind), report)
        claimant.claim_written()
        claimant.claim_descriptors()
        if wallet.addresses_file is not None:
            mistakes.extend(claimant.claim_file(base / wallet.addresses_file))
    for chain, locators in claims.locators.items():
        if len(locators) > MOST_LOCATORS:
            report(
                ("chains", chain),
                f"has {len(locators)} addresses, more than {MOST_LOCATORS}: watch fewer on this chain",
            )
    return claims


@dataclass(slots=True)
class _Claimant:
    claims: Claims
    wallet: WalletSettings
    index: int
    settings: ChainSettings
    kind: ChainKind
    report: Report

    def claim_written(self) -> None:
        report = self._bounded(self.report)
        for place, text in enumerate(self.wallet.addresses):
            wrong = self._claim(text)
            if wrong:
                report(("wallets", self.index, "addresses", place), wrong)

    def claim_descriptors(self) -> None:
        wallet, bounds = self.wallet, self._bounds()
        if bounds is None:
            return
        for place, descriptor in enumerate(wallet.descriptors):
            path: Path = ("wallets", self.index, "descriptors", place)
            try:
                locators = self.kind.derive(descriptor, *bounds, self.settings)
            except AddressError as error:
                self.report(path, str(error))
                continue
            report = self._bounded(self.report)
            for locator in locators:
                wrong = self.claims.claim(wallet.chain, locator, wallet.name)
                if wrong:
                    report(path, wrong)

    def claim_file(self, path: FilePath) -> list[Mistake]:
        found: list[Mistake] = []
        key = dotted(("wallets", self.index, "addresses_file"))

        def note(line: int, message: str) -> None:
            if len(found) < _MOST_SHOWN:
                found.append(Mistake(str(path), line, key, message))

        count = 0
        try:
            for number, text in read_addresses(path):
                count += 1
                wrong = self._claim(text)
                if wrong:
                    note(number, wrong)
        except Unreadable as error:
            note(error.line, str(error))
        except OSError as error:
            # A missing file is reported with all missing files.
            if path.is_file():
                self.report(("wallets", self.index, "addresses_file"), f"{path} cannot be read ({error.strerror})")
            return found
        if count == 0 and not found:
            note(1, "has no address: write one a line")
        return found

    def _claim(self, text: str) -> str:
        try:
            locator = self.kind.parse_address(text, self.settings)
        except AddressError as error:
            return str(error)
        return self.claims.claim(self.wallet.chain, locator, self.wallet.name)

    def _bounds(self) -> tuple[int, int] | None:
        """First and last index of ranged descriptors; None where they are wrong, which is reported."""
        if self.wallet.range is None:
            return 0, (self.wallet.gap_limit or DEFAULT_GAP) - 1
        first, last = self.wallet.range
        if 0 <= first <= last < _HARDENED and last - first < MOST_LOCATORS:
            return first, last
        self.report(
            ("wallets", self.index, "range"),
            f"[{first}, {last}] is no range: write [first, last] with 0 <= first <= last, {MOST_LOCATORS} at most",
        )
        return None

    def _bounded(self, report: Report) -> Callable[[Path, str], None]:
        """The same report, for the first mistakes only: a list may be wrong throughout."""
        left = _MOST_SHOWN

        def bounded(path: Path, message: str) -> None:
            nonlocal left
            left -= 1
            if left >= 0:
                report(path, message)

        return bounded
