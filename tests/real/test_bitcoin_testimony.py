"""The testimony of a real Bitcoin block: made on three endpoints, written, read and re-checked without any."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from chains import bitcoin
from chains.bitcoin import Settings, opening
from chains.bitcoin.reader import BitcoinChain
from chains.core import testimony as form
from chains.core.auditor import look
from chains.core.errors import AllEndpointsFailed, Reorganised, WrongChain
from chains.core.rpc import Rpc
from chains.core.settings import Endpoint
from chains.core.testimony import BadTestimony, Rechecked, from_text, seal, to_text
from chains.core.values import Account, BlockRef
from chains.lab.bitcoind import Bitcoind
from tests.real.faulty_node import FaultyNode, closed
from tests.real.test_bitcoin_quorum import COIN_LIES
from tests.unit.core.altering import forged, outcome

pytestmark = pytest.mark.component("bitcoind")

COIN = 100_000_000
wallet_numbers = count()


class Scene:
    """A chain on three proxies of one node; ``accounts``: two that hold something, and one that never did."""

    def __init__(self, node: Bitcoind, proxies: list[FaultyNode], folder: Path) -> None:
        self.node, self.proxies, self.folder = node, proxies, folder
        (folder / "password").write_text(node.password)
        wallet = f"testimony-{next(wallet_numbers)}"
        node.create_wallet(wallet)
        rich, other, empty = (node.new_address(wallet) for _ in range(3))
        for address, coins in ((rich, 2), (rich, 1), (other, 5)):
            node.fund(address, coins * COIN)
            node.mine()
        self.wallet, self.rich = wallet, rich
        self.units = {self.account(rich): 3 * COIN, self.account(other): 5 * COIN, self.account(empty): 0}
        self.opened: list[BitcoinChain] = []

    def account(self, address: str) -> Account:
        return Account("bitcoin", address, "BTC")

    @property
    def endpoint(self) -> dict[str, Any]:
        return {"url": self.node.url, "username": self.node.username, "password_file": "password"}

    def settings(self, own: int | None = None, **keys: Any) -> Settings:
        endpoints = [
            self.endpoint | {"name": f"node-{n}", "url": proxy.url, "own": n == own}
            for n, proxy in enumerate(self.proxies)
        ]
        base = {"kind": "bitcoin", "network": "regtest", "native": "BTC", "endpoints": endpoints, "finality": 1}
        return Settings.model_validate(base | keys)

    def chain(self, own: int | None = None, **keys: Any) -> BitcoinChain:
        settings = self.settings(own, **keys)
        self.opened.append(BitcoinChain("bitcoin", settings, Rpc(settings.endpoints, self.folder)))
        return self.opened[-1]


@pytest.fixture(autouse=True)
def short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three proxies to one node want the same scanner."""
    monkeypatch.setattr(opening, "SCAN_PAUSE_SECONDS", 0.05)


@pytest.fixture
def proxies(bitcoind: Bitcoind) -> Iterator[list[FaultyNode]]:
    with ExitStack() as stack:
        yield [stack.enter_context(FaultyNode(upstream=bitcoind.url)) for _ in range(3)]


@pytest.fixture
async def scene(bitcoind: Bitcoind, proxies: list[FaultyNode], tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(bitcoind, proxies, tmp_path)
    yield made
    for each in made.opened:
        await each.close()


def read(made: form.Testimony, settings: Settings) -> Rechecked:
    """Written as text, read, and re-checked."""
    return bitcoin.recheck("bitcoin", from_text(to_text(line) for line in made.lines), settings, {"BTC": 8})


async def below_head(chain: BitcoinChain, by: int) -> BlockRef:
    return await chain.header((await chain.heads()).seen.height - by)


@pytest.mark.parametrize("own", [None, 0, 2])
async def test_coins_are_proved_by_our_own_endpoint_and_agreed_without_one(scene: Scene, own: int | None) -> None:
    chain = scene.chain(own)
    at = await below_head(chain, 0)
    scene.node.mine(4)
    found = read(await chain.testify(list(scene.units), at), scene.settings(own))
    assert (found.at, found.units) == (at, scene.units)
    assert found.proved == (frozenset() if own is None else frozenset(scene.units))
    assert found.agreed == frozenset(scene.units)
    assert (found.header["height"], found.header["confirmations"]) == (str(at.height), "5")
    assert int(found.header["work"]) == 5 * 2
    assert found.sequences == {}


async def test_a_block_below_the_last_payment_has_the_coins_of_its_time(scene: Scene) -> None:
    chain = scene.chain()
    at = await below_head(chain, 1)
    found = read(await chain.testify(list(scene.units), at), scene.settings())
    assert sum(found.units.values()) == 3 * COIN


async def test_the_genesis_block_has_no_coins(scene: Scene) -> None:
    chain = scene.chain(1)
    found = read(await chain.testify(list(scene.units), await chain.header(0)), scene.settings(1))
    assert set(found.units.values()) == {0}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("lie", COIN_LIES)
async def test_a_liar_about_coins_changes_no_figure_in_any_position(scene: Scene, lie: str, place: int) -> None:
    chain = scene.chain()
    at = await below_head(chain, 0)
    scene.proxies[place].fault = COIN_LIES[lie]
    made = await chain.testify(list(scene.units), at)
    assert read(made, scene.settings()).units == scene.units
    assert {fault.endpoint for fault in chain.faults()} == {f"node-{place}"}


async def test_an_own_endpoint_that_is_down_leaves_coins_agreed(scene: Scene) -> None:
    chain = scene.chain(0)
    at = await below_head(chain, 0)
    scene.proxies[0].fault = closed
    found = read(await chain.testify(list(scene.units), at), scene.settings(0))
    assert (found.units, found.proved, found.agreed) == (scene.units, frozenset(), frozenset(scene.units))


async def test_one_endpoint_is_a_claim_and_none_is_an_error(scene: Scene) -> None:
    chain = scene.chain(quorum=1)
    at = await below_head(chain, 0)
    for proxy in scene.proxies[1:]:
        proxy.fault = closed
    found = read(await chain.testify(list(scene.units), at), scene.settings(quorum=1))
    assert (found.units, found.proved, found.agreed) == (scene.units, frozenset(), frozenset())
    scene.proxies[0].fault = closed
    with pytest.raises(AllEndpointsFailed):
        await chain.testify(list(scene.units), at)


async def test_a_block_that_left_the_chain_has_no_testimony(scene: Scene) -> None:
    chain = scene.chain()
    at = await below_head(chain, 0)
    with pytest.raises((Reorganised, AllEndpointsFailed)):
        await chain.testify(list(scene.units), replace(at, hash="ab" * 32))


async def test_a_forger_who_seals_anew_is_found_or_changes_a_figure(scene: Scene) -> None:
    chain, settings = scene.chain(1), scene.settings(1)
    at = await below_head(chain, 0)
    scene.node.mine(2)
    made = await chain.testify(list(scene.units), at)
    true, tried = read(made, settings), 0
    for number, path, lines in forged(made.lines):
        tried += 1
        found = outcome(lambda lines=lines: bitcoin.recheck("bitcoin", lines, settings))  # type: ignore[misc]
        # Who has a set, and from which block a coin is, is the word of who wrote it down.
        assert found != true or "endpoints" in path or path[::2] == ("coins", 3), (number, path)
    assert tried > 300


async def test_lines_of_another_network_or_without_their_end_are_refused(scene: Scene) -> None:
    chain, settings = scene.chain(), scene.settings()
    lines = (await chain.testify(list(scene.units), await below_head(chain, 0))).lines
    with pytest.raises(BadTestimony, match="line 1: network is 'regtest', not 'signet'"):
        bitcoin.recheck("bitcoin", lines, settings.model_copy(update={"network": "signet"}))
    with pytest.raises(BadTestimony, match="breaks off"):
        bitcoin.recheck("bitcoin", lines[:-1], settings)
    with pytest.raises(BadTestimony, match="before a set of coins"):
        bitcoin.recheck("bitcoin", seal(line for line in lines[:-1] if line["kind"] not in ("set", "coins")), settings)


async def test_the_auditors_own_node_ties_the_block_to_its_chain(scene: Scene) -> None:
    chain, settings = scene.chain(), scene.settings()
    at, accounts = await below_head(chain, 0), list(scene.units)
    kind: Any = bitcoin
    own = Endpoint.model_validate(scene.endpoint)
    seen = await look(kind, "bitcoin", settings, own, {"BTC": 8}, scene.folder, at, accounts)
    assert (seen.canonical, seen.units) == (True, scene.units)
    invented = replace(at, hash="ab" * 32)
    seen = await look(kind, "bitcoin", settings, own, {"BTC": 8}, scene.folder, invented, accounts)
    assert (seen.canonical, seen.units) == (False, {})
    other = settings.model_copy(update={"network": "signet"})
    with pytest.raises(WrongChain):
        await look(kind, "bitcoin", other, own, {"BTC": 8}, scene.folder, at, [])
