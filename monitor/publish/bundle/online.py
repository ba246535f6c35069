"""A bundle against the auditor's own node: its anchors must be on that chain, sampled balances the same there."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from pydantic import ValidationError

from chains.core.auditor import look
from chains.core.errors import ChainError, WrongChain
from chains.core.registry import open_kind
from chains.core.settings import Endpoint
from chains.core.values import Account
from monitor.publish.bundle import places
from monitor.publish.bundle.evidence import Evidence
from monitor.publish.bundle.sample import account_items, draw
from monitor.publish.bundle.testimony import settings_of
from monitor.signing.folder import Problem

#: accounts of a chain that are compared; the seed is the hash of the verdict, so nobody chose them
SAMPLED = 25


@dataclass(frozen=True, slots=True)
class Compared:
    """``fine``: what was found to be as the bundle says, in words. ``unknown``: what a node could not tell."""

    problems: tuple[Problem, ...]
    unknown: tuple[str, ...]
    fine: tuple[str, ...]


def compare(evidence: Evidence, urls: Sequence[str]) -> Compared:
    """Ask each endpoint about the chain that it serves. Every chain of the bundle needs one, else it is unknown.

    A URL may hold a user and a password (Bitcoin's nodes want them): they are shown nowhere. Raises ValueError for
    what is no URL.
    """
    with _endpoints(urls) as endpoints:
        return asyncio.run(_compare(evidence, endpoints))


@contextmanager
def _endpoints(urls: Sequence[str]) -> Iterator[list[Endpoint]]:
    """The auditor's nodes; what is secret in their URLs lies in files that only the owner can read, and briefly."""
    with tempfile.TemporaryDirectory(prefix="porwatch-verify-") as folder:
        yield [_endpoint(url, Path(folder) / str(number)) for number, url in enumerate(urls)]


def _endpoint(url: str, secret: Path) -> Endpoint:
    parts = urlsplit(url)
    shown = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    try:
        if parts.username is None:
            return Endpoint(name="auditor", url=shown)
        secret.touch(mode=0o600)
        secret.write_text(unquote(parts.password or ""), encoding="utf-8")
        return Endpoint(name="auditor", url=shown, username=unquote(parts.username), password_file=str(secret))
    except ValidationError as error:
        raise ValueError(f"--endpoint {shown}: write e.g. http://127.0.0.1:8545, without a query") from error


async def _compare(evidence: Evidence, endpoints: Sequence[Endpoint]) -> Compared:
    problems: list[Problem] = []
    unknown: list[str] = []
    fine: list[str] = []
    served: set[str] = set()
    for endpoint in endpoints:
        found = False
        failures: list[str] = []
        for chain in evidence.inputs.anchors:
            try:
                wrong, said = await _look(evidence, chain, endpoint)
            except WrongChain:
                continue
            except ChainError as error:
                failures.append(f"{endpoint.url}: cannot tell of {chain}: {error}")
                continue
            found = True
            served.add(chain)
            problems += wrong
            fine += said
        # A node serves one chain: where it told of one, what it could not say of the others means nothing.
        if not found:
            unknown += failures or [f"{endpoint.url}: serves none of the bundle's chains"]
    unknown += [f"{chain}: no endpoint given serves it" for chain in evidence.inputs.anchors if chain not in served]
    return Compared(tuple(problems), tuple(unknown), tuple(fine))


async def _look(evidence: Evidence, chain: str, endpoint: Endpoint) -> tuple[list[Problem], list[str]]:
    settings = settings_of(chain, evidence.settings.get(chain))
    at = evidence.inputs.anchors[chain]
    accounts = evidence.accounts.get(chain, ())
    items = draw(account_items(chain, accounts), evidence.verdict["hash"], SAMPLED)
    sampled = [Account(chain, item["address"], item["asset"]) for item in items]
    kind, decimals, url = open_kind(settings.kind), evidence.inputs.facts.assets, endpoint.url
    said = await look(kind, chain, settings, endpoint, decimals, Path.cwd(), at, sampled)
    if not said.canonical:
        return [Problem(places.INPUTS, f"block {at.height} {at.hash} of {chain} is not on the chain of {url}")], []
    held = {(each.locator, each.asset): each.units for each in accounts}
    problems = [
        Problem(
            f"{places.ACCOUNTS}/{chain}.jsonl",
            f"{account.locator}: {account.asset}: {held[account.locator, account.asset]}, {url} says {units}",
        )
        for account, units in said.units.items()
        if held[account.locator, account.asset] != units
    ]
    return problems, [f"{chain}: block {at.height} is on the chain of {url}; {len(said.units)} balances compared"]
