"""Lines of a testimony of Bitcoin: what they show, and that no change of them goes unseen."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from chains import bitcoin
from chains.bitcoin.addresses import locator_of
from chains.bitcoin.networks import NETWORKS
from chains.bitcoin.settings import Settings
from chains.core.errors import Disagreement
from chains.core.testimony import BadTestimony, Rechecked, seal
from chains.core.values import Account
from tests.unit.bitcoin.fake_node import FakeNode, chain_on, settings_of
from tests.unit.bitcoin.synthetic import mined
from tests.unit.bitcoin.test_liars import ACCOUNT, HEAD, STRANGER, ref_of, trio
from tests.unit.bitcoin.test_work import GENESIS
from tests.unit.core.altering import confused, forged, outcome

OTHER = Account("bitcoin", locator_of(STRANGER, NETWORKS["regtest"]), "BTC")
#: An output that nobody can ever spend: it is no coin.
BURNT = Account("bitcoin", "script:6a0401020304", "BTC")
ACCOUNTS = [ACCOUNT, OTHER, BURNT]
AT = 8


def settings_for(own: int | None = None, **keys: Any) -> Settings:
    endpoints = [{"name": f"node-{n}", "url": "http://127.0.0.1:1", "own": n == own} for n in range(3)]
    return settings_of(endpoints=endpoints, **keys)


async def lines_of(nodes: list[FakeNode], own: int | None = None, height: int = AT) -> list[Any]:
    chain = chain_on(*nodes, own=() if own is None else (own,))
    return list((await chain.testify(ACCOUNTS, ref_of(nodes[0], height))).lines)


def read(lines: Any, own: int | None = None) -> Rechecked:
    return bitcoin.recheck("bitcoin", lines, settings_for(own))


@pytest.mark.parametrize("own", [None, 0, 1, 2])
async def test_coins_are_summed_for_every_account_and_proved_by_our_own_node_only(own: int | None) -> None:
    found = read(await lines_of(trio(), own), own)
    assert found.units == {ACCOUNT: 370, OTHER: 190, BURNT: 0}
    assert found.agreed == frozenset(ACCOUNTS)
    assert found.proved == (frozenset() if own is None else frozenset(ACCOUNTS))
    assert (found.header["confirmations"], found.header["work"]) == (str(HEAD - AT + 1), str(2 * (HEAD - AT + 1)))


async def test_long_lists_stand_in_several_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chains.bitcoin.testimony._COINS", 1)
    monkeypatch.setattr("chains.bitcoin.testimony._ACCOUNTS", 2)
    lines = await lines_of(trio())
    assert [line["kind"] for line in lines].count("coins") == 3
    assert [line["kind"] for line in lines].count("holdings") == 2
    assert read(lines).units == {ACCOUNT: 370, OTHER: 190, BURNT: 0}


async def test_nobody_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = await lines_of(trio())

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket", refuse)
    assert read(lines).agreed == frozenset(ACCOUNTS)


async def test_what_was_paid_and_spent_above_the_block_does_not_count() -> None:
    assert read(await lines_of(trio(), height=4)).units == {ACCOUNT: 570, OTHER: 0, BURNT: 0}


async def test_a_set_that_only_one_endpoint_has_stands_beside_that_of_the_quorum() -> None:
    nodes = trio()
    # Older than what blocks are read for, so that nothing but the others' word is against it.
    true = nodes[1].rpc_scantxoutset
    nodes[1].lies["scantxoutset"] = lambda *asked: true(*asked) | {"unspents": [], "total_amount": 0}
    nodes[1].lies["getblock"] = lambda *_: None
    for node in (nodes[0], nodes[2]):
        node.lies["getblock"] = lambda *_: None
    lines = await lines_of(nodes, height=HEAD)
    sets = [line for line in lines if line["kind"] == "set"]
    assert [line["endpoints"] for line in sets] == [["node-0", "node-2"], ["node-1"]]
    assert read(lines).units == {ACCOUNT: 370, OTHER: 190, BURNT: 0}
    swapped = [line for line in lines[:-1] if line["kind"] not in ("set", "coins")]
    with pytest.raises(BadTestimony, match="is said to hold"):
        read(seal([*swapped, sets[1], sets[0], *(line for line in lines if line["kind"] == "coins")]))


async def test_three_sets_are_no_testimony() -> None:
    nodes = trio()
    for by, node in enumerate(nodes):
        node.lies["getblock"] = lambda *_: None
        true = node.rpc_scantxoutset

        def scan(*asked: Any, by: int = by, true: Any = true) -> Any:
            given = true(*asked)
            return given | {"unspents": given["unspents"][:by], "total_amount": _total(given["unspents"][:by])}

        node.lies["scantxoutset"] = scan
    with pytest.raises(Disagreement):
        await lines_of(nodes, height=HEAD)


def _total(listed: list[Any]) -> float:
    total: float = sum(each["amount"] for each in listed)
    return round(total, 8)


async def test_a_forger_who_seals_anew_is_found_or_changes_a_figure() -> None:
    lines = await lines_of(trio(), own=1)
    true, tried = read(lines, 1), 0
    for number, path, changed in forged(lines):
        tried += 1
        found = outcome(lambda changed=changed: read(changed, 1))  # type: ignore[misc]
        # Who has a set, and from which block a coin is, is the word of who wrote it down.
        assert found != true or "endpoints" in path or path[::2] == ("coins", 3), (number, path)
    assert tried > 300


async def test_values_of_another_form_raise_nothing_but_bad_testimony() -> None:
    body = (await lines_of(trio(), own=1))[:-1]
    for place, line in enumerate(body):
        for other in confused(line):
            if isinstance(other, dict):
                changed = list(seal([*body[:place], other, *body[place + 1 :]]))
                outcome(lambda changed=changed: read(changed, 1))  # type: ignore[misc]


async def test_a_header_that_was_never_mined_is_refused() -> None:
    nodes = trio()
    body = (await lines_of(nodes))[:-1]
    bad = mined(nodes[0].blocks[AT], well=False)[:80].hex()
    with pytest.raises(BadTestimony, match=r"line 2: the block .* was never mined"):
        read(seal([body[0], body[1] | {"headers": [bad]}, *body[2:]]))


async def test_headers_that_do_not_stand_on_each_other_are_refused() -> None:
    body = (await lines_of(trio()))[:-1]
    headers = body[1]["headers"]
    with pytest.raises(BadTestimony, match=f"line 2: block {AT + 1} does not stand on the block"):
        read(seal([body[0], body[1] | {"headers": [headers[0], *headers[2:]]}, *body[2:]]))


@pytest.mark.parametrize(("network", "why"), [("mainnet", ""), ("signet", "not that of signet")])
def test_a_real_header_has_the_work_of_its_own_network(network: str, why: str) -> None:
    settings = settings_for(network=network)
    empty = {"kind": "set", "endpoints": ["node-0", "node-1"], "own": [], "coins": 0}
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    first = {"kind": "testimony", "form": 1, "chain": "bitcoin", "chain_kind": "bitcoin", "assets": ["BTC"]}
    lines = seal(
        [
            first | {"accounts": 0, "network": network},
            {"kind": "headers", "height": 0, "headers": [GENESIS.hex()]},
            empty | {"sha256": digest},
        ]
    )
    if why:
        with pytest.raises(BadTestimony, match=f"line 2: .*{why}"):
            bitcoin.recheck("bitcoin", lines, settings)
    else:
        found = bitcoin.recheck("bitcoin", lines, settings)
        assert found.at.hash == NETWORKS["mainnet"].genesis
        assert found.header["work"] == str((1 << 256) // ((0xFFFF << 208) + 1))


ID, LATER = "aa" * 32 + ":0", "bb" * 32 + ":1"
PAIR, SINGLE = ["node-0", "node-1"], ["node-2"]
SCRIPT = "0014" + "01" * 20


def coin_set(names: list[str], *rows: list[Any]) -> list[dict[str, Any]]:
    """A set and its coins, with the digest that a forger would put there."""
    text = "".join(f"{row[0]} {ACCOUNT.locator} {row[2]}\n" for row in rows)
    digest = sha256(text.encode()).hexdigest()
    head = {"kind": "set", "endpoints": names, "own": [], "coins": len(rows), "sha256": digest}
    return [head, {"kind": "coins", "coins": list(rows)}]


GOOD = [ID, SCRIPT, "5", 0]


@pytest.mark.parametrize(
    ("held", "sets", "why"),
    [
        ("10", coin_set(PAIR, GOOD, GOOD), "stands twice, or not in order"),
        ("10", coin_set(PAIR, [LATER, *GOOD[1:]], GOOD), "stands twice, or not in order"),
        ("5", coin_set(SINGLE, GOOD), "2 endpoints must have this set"),
        ("5", [*coin_set(PAIR, GOOD), *coin_set(["node-1", "node-2"])], "names an endpoint that has another set"),
        ("5", [*coin_set(PAIR, GOOD), *coin_set(SINGLE, GOOD)], "is the same set as one before"),
        ("5", coin_set(PAIR, [ID, "0014" + "02" * 20, "5", 0]), "of no account here"),
        ("0", coin_set(PAIR, [ID, SCRIPT, "0", 0]), "is no amount of satoshis"),
        (str(22 * 10**14), coin_set(PAIR, [ID, SCRIPT, str(22 * 10**14), 0]), "is no amount of satoshis"),
        ("5", coin_set(PAIR, [ID, SCRIPT, "5", 1]), "after the block asked about"),
        ("5", coin_set(PAIR, ["aa" * 32 + ":4294967296", SCRIPT, "5", 0]), "is no outpoint"),
    ],
)
def test_a_set_that_cannot_be_is_refused_whatever_its_digest(held: str, sets: list[Any], why: str) -> None:
    with pytest.raises(BadTestimony, match=rf"^line [45678]: .*{why}"):
        read(forged_lines(ACCOUNT.locator, held, sets))


def forged_lines(locator: str, held: str, sets: list[Any]) -> Any:
    first = {"kind": "testimony", "form": 1, "chain": "bitcoin", "chain_kind": "bitcoin", "assets": ["BTC"]}
    headers = {"kind": "headers", "height": 0, "headers": [FakeNode().blocks[0][:80].hex()]}
    holdings = {"kind": "holdings", "accounts": [[locator, held]]}
    return seal([first | {"accounts": 1, "network": "regtest"}, headers, holdings, *sets])


def test_such_lines_are_good_where_nothing_is_wrong_with_them() -> None:
    assert read(forged_lines(ACCOUNT.locator, "5", coin_set(PAIR, GOOD))).units == {ACCOUNT: 5}
    with pytest.raises(BadTestimony, match=r"line 3: .* is not spelled as the locator of its script"):
        read(forged_lines(f"script:{SCRIPT}", "5", coin_set(PAIR, GOOD)))
