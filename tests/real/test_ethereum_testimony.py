"""The testimony of a real node's block: made on three endpoints, written, read and re-checked without any."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chains import ethereum
from chains.core import testimony as form
from chains.core.auditor import look
from chains.core.errors import Disagreement, HistoryUnavailable, QuorumLost, Reorganised, WrongChain
from chains.core.settings import Endpoint
from chains.core.testimony import BadTestimony, Rechecked, from_text, seal, to_text
from chains.core.values import Account
from chains.ethereum import Settings
from chains.ethereum.address import canonical_address
from chains.lab.anvil import Anvil
from tests.real.test_ethereum_quorum import DECIMALS, LIES, Ground, Refusal, Three, Twisted, both, more, on, pruned
from tests.unit.core.altering import forged, outcome

pytestmark = pytest.mark.component("anvil")

no_proofs = on("eth_getProof", lambda _: Refusal(-32601, "Method not found"))


class Spelled(Ground):
    """Accounts are asked for as the configuration spells them."""

    @property
    def accounts(self) -> list[Account]:
        return [replace(a, locator=canonical_address(a.locator)) for a in super().accounts]


@pytest.fixture(scope="module")
def ground(require_component: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    require_component("anvil")
    with Anvil(tmp_path_factory.mktemp("anvil")) as node:
        yield Spelled(node)


@pytest.fixture
async def three(ground: Ground) -> AsyncIterator[Three]:
    with ExitStack() as stack:
        made = Three(ground, [stack.enter_context(Twisted(ground.node.url)) for _ in range(3)])
        yield made
        await made.chain.close()


def settings_of(three: Three) -> Settings:
    return three.chain._settings


def read(three: Three, testimony: form.Testimony) -> Rechecked:
    """Written as text, read, and re-checked."""
    text = [to_text(line) for line in testimony.lines]
    return ethereum.recheck("ethereum", from_text(text), settings_of(three), DECIMALS)


def assets(accounts: Sequence[Account] | frozenset[Account]) -> set[str]:
    return {account.asset for account in accounts}


async def test_everything_is_proved_and_tokens_are_agreed_too(ground: Ground, three: Three) -> None:
    testimony = await three.chain.testify(ground.accounts, ground.full)
    found = read(three, testimony)
    assert found.at == testimony.at == ground.full
    assert found.units == ground.units()
    assert found.proved == frozenset(ground.accounts)
    assert assets(found.agreed) == {"USDT"}
    sent = int(ground.node.rpc("eth_getTransactionCount", ground.hot, hex(ground.full.height)), 16)
    assert found.sequences == {ground.accounts[0].locator: sent, ground.accounts[2].locator: 0}
    assert found.header["hash"] == ground.full.hash
    assert found.header["endpoints"] == "endpoint-1, endpoint-2, endpoint-3"


async def test_without_proofs_every_endpoints_answer_stands_there(ground: Ground, three: Three) -> None:
    for proxy in three.proxies:
        proxy.twist = no_proofs
    found = read(three, await three.chain.testify(ground.accounts, ground.full))
    assert found.units == ground.units()
    assert (found.proved, found.agreed) == (frozenset(), frozenset(ground.accounts))
    assert found.sequences.keys() == {account.locator for account in ground.accounts}


async def test_a_token_whose_storage_is_laid_out_in_an_unknown_way_is_agreed_only(
    ground: Ground, three: Three, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chains.ethereum.proofs.LAYOUTS", ())
    found = read(three, await three.chain.testify(ground.accounts, ground.full))
    assert found.units == ground.units()
    assert (assets(found.proved), assets(found.agreed)) == ({"ETH"}, {"USDT"})


async def test_a_layout_that_shows_what_nobody_says_is_forgotten_and_proves_nothing(
    ground: Ground, three: Three
) -> None:
    await three.chain.testify(ground.accounts, ground.full)
    layout = three.chain._prover.layout("USDT")
    assert layout is not None
    three.chain._prover._layouts["USDT"] = replace(layout, place=layout.place + 1)
    found = read(three, await three.chain.testify(ground.accounts, ground.full))
    assert (found.units, assets(found.proved)) == (ground.units(), {"ETH"})
    assert read(three, await three.chain.testify(ground.accounts, ground.full)).proved == frozenset(ground.accounts)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("lie", ["token balance false", "another header", "header changed"])
async def test_one_liar_of_three_changes_no_figure(ground: Ground, three: Three, lie: str, place: int) -> None:
    three.proxies[place].twist, _ = LIES[lie]
    assert read(three, await three.chain.testify(ground.accounts, ground.full)).units == ground.units()
    assert {fault.endpoint for fault in three.chain.faults()} == {f"endpoint-{place + 1}"}


async def test_a_liar_where_nothing_is_proved_stands_in_the_lines_with_what_he_said(
    ground: Ground, three: Three
) -> None:
    for proxy in three.proxies:
        proxy.twist = no_proofs
    three.proxies[1].twist = both(LIES["balance false"][0], no_proofs)
    testimony = await three.chain.testify(ground.accounts, ground.full)
    found = read(three, testimony)
    assert found.units == ground.units()
    (answers,) = (line for line in testimony.lines if line["kind"] == "answers" and line["asset"] == "ETH")
    assert [group["endpoints"] for group in answers["said"]] == [["endpoint-1", "endpoint-3"], ["endpoint-2"]]
    assert {fault.endpoint for fault in three.chain.faults()} == {"endpoint-2"}


async def test_without_a_quorum_there_is_no_testimony(ground: Ground, three: Three) -> None:
    for proxy in three.proxies[1:]:
        proxy.fault = lambda handler, reply: handler.hang_up()
    with pytest.raises(QuorumLost):
        await three.chain.testify(ground.accounts, ground.full)
    for proxy in three.proxies[1:]:
        proxy.fault = None
    for by, proxy in enumerate(three.proxies):
        proxy.twist = both(on("eth_call", lambda r, by=by: f"0x{int(r, 16) + by:064x}"), no_proofs)  # type: ignore[misc]
    with pytest.raises((Disagreement, QuorumLost)):
        await three.chain.testify(ground.accounts, ground.full)


async def test_one_endpoint_alone_shows_proofs_that_prove_nothing_by_themselves(ground: Ground, three: Three) -> None:
    alone = Three(ground, three.proxies[:1])
    try:
        found = read(alone, await alone.chain.testify(ground.accounts, ground.full))
    finally:
        await alone.chain.close()
    assert found.units == ground.units()
    assert (found.proved, found.agreed) == (frozenset(), frozenset())


async def test_where_headers_are_not_hashed_again_nothing_counts_as_proved(ground: Ground, three: Three) -> None:
    relaxed = Three(ground, three.proxies, verify="hashes")
    try:
        testimony = await relaxed.chain.testify(ground.accounts, ground.full)
    finally:
        await relaxed.chain.close()
    found = read(relaxed, testimony)
    assert (found.at, found.units) == (ground.full, ground.units())
    assert (found.proved, found.agreed) == (frozenset(), frozenset(ground.accounts))
    with pytest.raises(BadTestimony, match="line 2: recomputed is False, not True"):
        read(three, testimony)


async def test_units_are_those_of_the_asset_where_it_counts_finer_than_the_token(ground: Ground, three: Three) -> None:
    finer = {"ETH": 18, "USDT": 18}
    keys = {"USDT": {"contract": ground.token, "decimals": 6}}
    scaled = Three(ground, three.proxies, tokens=keys)
    scaled.chain._scale["USDT"] = 10**12
    try:
        testimony = await scaled.chain.testify(ground.accounts, ground.full)
    finally:
        await scaled.chain.close()
    found = ethereum.recheck("ethereum", testimony.lines, settings_of(scaled), finer)
    assert found.units == {a: u * 10**12 if a.asset == "USDT" else u for a, u in ground.units().items()}
    with pytest.raises(BadTestimony, match="line 1: zeros"):
        ethereum.recheck("ethereum", testimony.lines, settings_of(scaled), finer | {"USDT": 8})


async def test_a_forger_who_seals_anew_is_found_or_changes_a_figure(ground: Ground, three: Three) -> None:
    testimony = await three.chain.testify(ground.accounts, ground.full)
    true, tried = read(three, testimony), 0

    def recheck(lines: list[Any]) -> Rechecked:
        return ethereum.recheck("ethereum", lines, settings_of(three), DECIMALS)

    for number, path, lines in forged(testimony.lines):
        tried += 1
        found = outcome(lambda lines=lines: recheck(lines))  # type: ignore[misc]
        # That one endpoint more or less said the same of a token is the word of who wrote it down.
        assert found != true or ("endpoints" in path and lines[number - 1]["kind"] == "answers"), (number, path)
    assert tried > 600


async def test_many_accounts_are_read_and_proved_in_runs(
    ground: Ground, three: Three, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in (("PROVED_AT_MOST", 3), ("_READ_AT_ONCE", 4), ("LINE_ACCOUNTS", 3)):
        monkeypatch.setattr(f"chains.ethereum.testimony.{name}", size)
    locators = [canonical_address(f"0x{n:040x}") for n in range(10, 20)]
    accounts = [*ground.accounts, *(Account("ethereum", a, asset) for asset in ("USDT", "ETH") for a in locators)]
    found = read(three, await three.chain.testify([*accounts, *accounts], ground.full))
    assert found.units == dict.fromkeys(accounts, 0) | ground.units()
    assert found.proved == frozenset(accounts)
    for proxy in three.proxies:
        proxy.twist = no_proofs
    found = read(three, await three.chain.testify(accounts, ground.full))
    assert found.units == dict.fromkeys(accounts, 0) | ground.units()
    assert (found.proved, found.agreed) == (frozenset(), frozenset(accounts))


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_who_gives_false_proofs_is_not_believed(ground: Ground, three: Three, place: int) -> None:
    three.proxies[place].twist = on("eth_getProof", lambda r: r | {"balance": more(r["balance"])})
    found = read(three, await three.chain.testify(ground.accounts, ground.full))
    assert (found.units, found.proved) == (ground.units(), frozenset(ground.accounts))
    assert {(fault.endpoint, fault.kind) for fault in three.chain.faults()} <= {(f"endpoint-{place + 1}", "proof")}


async def test_a_pruned_endpoint_is_left_out_and_two_of_three_leave_no_testimony(ground: Ground, three: Three) -> None:
    three.proxies[0].twist = pruned
    found = read(three, await three.chain.testify(ground.accounts, ground.full))
    assert (found.units, found.proved) == (ground.units(), frozenset(ground.accounts))
    three.proxies[1].twist = pruned
    with pytest.raises(HistoryUnavailable):
        await three.chain.testify(ground.accounts, ground.full)


async def test_the_auditors_own_node_ties_the_block_to_its_chain(ground: Ground, three: Three) -> None:
    at, accounts, own = ground.full, ground.accounts, Endpoint(url=ground.node.url)
    kind: Any = ethereum
    seen = await look(kind, "ethereum", settings_of(three), own, DECIMALS, Path(), at, accounts)
    assert (seen.canonical, seen.units) == (True, ground.units())
    invented = replace(at, hash="0x" + "ab" * 32)
    seen = await look(kind, "ethereum", settings_of(three), own, DECIMALS, Path(), invented, accounts)
    assert (seen.canonical, seen.units) == (False, {})
    other = settings_of(three).model_copy(update={"chain_id": 5})
    with pytest.raises(WrongChain):
        await look(kind, "ethereum", other, own, DECIMALS, Path(), at, accounts)


async def test_a_block_that_left_the_chain_has_no_testimony(ground: Ground, three: Three) -> None:
    with pytest.raises((Reorganised, Disagreement, QuorumLost)):
        await three.chain.testify(ground.accounts, replace(ground.full, hash="0x" + "ab" * 32))


async def test_lines_of_another_chain_or_configuration_are_refused(ground: Ground, three: Three) -> None:
    lines = (await three.chain.testify(ground.accounts, ground.full)).lines
    changes: list[dict[str, Any]] = [{"chain_id": 5}, {"native": "XTH"}, {"tokens": {}}]
    for change in changes:
        with pytest.raises(BadTestimony, match=r"^line 1: "):
            ethereum.recheck("ethereum", lines, settings_of(three).model_copy(update=change))
    with pytest.raises(BadTestimony, match="line 1: chain is 'ethereum', not 'other'"):
        ethereum.recheck("other", lines, settings_of(three))
    with pytest.raises(BadTestimony, match="breaks off"):
        ethereum.recheck("ethereum", lines[:-1], settings_of(three))
    fewer = [line for line in lines[:-1] if line["kind"] != "account"]
    with pytest.raises(BadTestimony, match="announces 4"):
        ethereum.recheck("ethereum", seal(fewer), settings_of(three))
