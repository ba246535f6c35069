"""Real nodes behind proxies that lie, and two real nodes on two branches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from chains.bitcoin import Settings, connect, opening
from chains.core.chain import Chain
from chains.core.errors import AllEndpointsFailed, Disagreement, QuorumLost, Reorganised
from chains.core.values import Account, BlockRef, Evidence
from chains.lab.bitcoind import Bitcoind
from tests.real.faulty_node import Fault, FaultyNode, changed, closed, null

COIN = 100_000_000
PLACES = [0, 1, 2]
wallet_numbers = count()

Open = Callable[..., Chain]


@pytest.fixture(autouse=True)
def short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three proxies to one node want the same scanner."""
    monkeypatch.setattr(opening, "SCAN_PAUSE_SECONDS", 0.05)


@pytest.fixture
async def open_chain(tmp_path: Path) -> AsyncIterator[Open]:
    opened: list[Chain] = []

    def open_on(*nodes: tuple[str, Bitcoind], own: int | None = None, **keys: Any) -> Chain:
        endpoints = []
        for number, (url, node) in enumerate(nodes):
            secret = tmp_path / f"password-{number}"
            secret.write_text(node.password)
            endpoints.append(
                {"name": f"node-{number}", "url": url, "username": node.username, "password_file": secret.name}
                | {"own": number == own}
            )
        settings = Settings.model_validate(
            {"kind": "bitcoin", "network": "regtest", "native": "BTC", "endpoints": endpoints, "finality": 1} | keys
        )
        opened.append(connect("bitcoin", settings, {"BTC": 8}, tmp_path))
        return opened[-1]

    yield open_on
    for each in opened:
        await each.close()


@pytest.fixture
def proxies(bitcoind: Bitcoind) -> Iterator[list[FaultyNode]]:
    with ExitStack() as stack:
        yield [stack.enter_context(FaultyNode(upstream=bitcoind.url)) for _ in PLACES]


@pytest.fixture
def wallet(bitcoind: Bitcoind) -> str:
    name = f"quorum-{next(wallet_numbers)}"
    bitcoind.create_wallet(name)
    return name


@pytest.fixture
def own(bitcoind: Bitcoind, wallet: str) -> str:
    """An address that holds three coins, one from each of the last blocks."""
    address = bitcoind.new_address(wallet)
    for _ in range(3):
        bitcoind.fund(address, COIN)
        bitcoind.mine()
    return address


async def units(chain: Chain, address: str, at: BlockRef) -> int:
    account = Account("bitcoin", address, "BTC")
    holdings = await chain.holdings([account], at)
    assert holdings.evidence is Evidence.AGREED
    return holdings.units[account]


def _scan(change: Callable[[list[Any]], list[Any]]) -> Fault:
    def lie(result: Any) -> Any:
        if not isinstance(result, dict) or "unspents" not in result:
            return result
        listed = change(result["unspents"])
        total = sum(Decimal(str(each["amount"])) for each in listed)
        return result | {"unspents": listed, "total_amount": float(total)}

    return changed(lie)


COIN_LIES = {
    "coin_omitted": _scan(lambda listed: listed[1:]),
    "coin_altered": _scan(lambda listed: [listed[0] | {"amount": 7.5}, *listed[1:]]),
    "coin_invented": _scan(lambda listed: [*listed, listed[0] | {"vout": 99}]),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", COIN_LIES)
async def test_a_liar_about_coins_is_found_in_any_position(
    place: int, kind: str, bitcoind: Bitcoind, proxies: list[FaultyNode], own: str, open_chain: Open
) -> None:
    chain = open_chain(*((proxy.url, bitcoind) for proxy in proxies))
    proxies[place].fault = COIN_LIES[kind]
    for _ in PLACES:
        bitcoind.mine()
        assert await units(chain, own, (await chain.heads()).final) == 3 * COIN
    (fault,) = chain.faults()
    assert (fault.endpoint, fault.kind) == (f"node-{place}", kind)
    assert set(chain.quarantined()) == {f"node-{place}"}


@pytest.mark.parametrize("place", PLACES)
async def test_a_liar_about_blocks_is_outvoted_in_any_position(
    place: int, bitcoind: Bitcoind, proxies: list[FaultyNode], own: str, open_chain: Open
) -> None:
    chain = open_chain(*((proxy.url, bitcoind) for proxy in proxies))
    fork = (await chain.heads()).seen
    genesis = bitcoind.rpc("getblock", bitcoind.rpc("getblockhash", 0), 0)
    proxies[place].only = frozenset({"getblock"})
    proxies[place].fault = changed(lambda _: genesis)
    bitcoind.fund(own, COIN)
    hashes = bitcoind.mine(5)
    watch, after, received = chain.watch([own], ()), fork, 0
    for expected in hashes:
        block = await chain.read_next(after, watch)
        assert block is not None
        assert block.ref.hash == expected
        received += sum(each.movements[0].delta for each in block.transactions)
        after = block.ref
    assert received == COIN
    assert await chain.read_next(after, watch) is None
    assert {(each.endpoint, each.kind) for each in chain.faults()} <= {(f"node-{place}", "header_hash")}


async def test_false_hashes_null_and_silence_of_one_change_nothing_of_two_all(
    bitcoind: Bitcoind, proxies: list[FaultyNode], own: str, open_chain: Open
) -> None:
    chain = open_chain(*((proxy.url, bitcoind) for proxy in proxies))
    watch = chain.watch([own], ())
    head = bitcoind.head()
    below = await chain.header(head - 1)
    for fault in (null, closed, changed(lambda result: "ab" * 32 if isinstance(result, str) else result)):
        proxies[1].fault = fault
        assert (await chain.heads()).seen.height == head
        block = await chain.read_next(below, watch)
        assert block is not None
        assert block.ref.hash == bitcoind.head_hash()
        assert await units(chain, own, block.ref) == 3 * COIN
    proxies[0].fault = closed
    with pytest.raises((QuorumLost, Disagreement)):
        await chain.read_next(below, watch)
    with pytest.raises((QuorumLost, Disagreement)):
        await chain.holdings([Account("bitcoin", own, "BTC")], below)
    proxies[2].fault = closed
    proxies[1].fault = closed
    with pytest.raises(AllEndpointsFailed):
        await chain.read_next(below, watch)


async def test_our_own_node_proves_what_it_holds(
    bitcoind: Bitcoind, proxies: list[FaultyNode], wallet: str, own: str, open_chain: Open
) -> None:
    chain = open_chain(*((proxy.url, bitcoind) for proxy in proxies), own=2)
    account = Account("bitcoin", own, "BTC")
    bitcoind.mine(2)
    at = (await chain.heads()).final
    assert await chain.prove([account], at) == {account: 3 * COIN}
    below = await chain.header(at.height - 3)
    assert await chain.prove([account], below) == {account: 2 * COIN}
    (txid,) = await chain.locate(account, await chain.header(at.height - 2))
    assert txid in {coin["txid"] for coin in bitcoind.coins(wallet)}
    assert chain.quarantined() == {}


async def test_two_nodes_that_lag_and_part_and_meet_again(
    require_component: Callable[[str], Path], tmp_path: Path, open_chain: Open
) -> None:
    require_component("bitcoind")
    with Bitcoind(tmp_path / "one") as one, Bitcoind(tmp_path / "two") as two:

        def copy(source: Bitcoind, target: Bitcoind) -> None:
            for height in range(1, source.head() + 1):
                target.rpc("submitblock", source.rpc("getblock", source.rpc("getblockhash", height), 0))

        one.create_wallet("own")
        address = one.new_address("own")
        one.mine(102)
        copy(one, two)
        chain = open_chain((one.url, one), (two.url, two))
        start = (await chain.heads()).seen
        watch = chain.watch([address], ())
        one.fund(address, COIN)
        one.mine()
        # One node has a block that the other has not seen yet: a witness, once.
        assert await chain.read_next(start, watch) is None
        (witness,) = await chain.witnesses(start, watch)
        assert (witness.endpoints, witness.needed) == (("node-0",), 2)
        assert [each.movements[0].delta for each in witness.block.transactions] == [COIN]
        assert (await chain.heads()).seen == start
        copy(one, two)
        block = await chain.read_next(start, watch)
        assert block == witness.block
        # Now each goes its own way.
        one.mine()
        two.create_wallet("other")
        two.mine(1, to=two.new_address("other"))
        with pytest.raises(Disagreement):
            await chain.read_next(block.ref, watch)
        assert len(await chain.witnesses(block.ref, watch)) == 2
        assert (await chain.heads()).seen == block.ref
        assert await units(chain, address, block.ref) == COIN
        # The longer branch wins on both.
        lost = two.head_hash()
        one.mine()
        copy(one, two)
        new = await chain.read_next(block.ref, watch)
        assert new is not None
        assert new.ref.hash == one.rpc("getblockhash", new.ref.height) != lost
        with pytest.raises(Reorganised):
            await chain.read_next(BlockRef("bitcoin", new.ref.height, lost, block.ref.hash, 0), watch)
        assert chain.faults() == ()
