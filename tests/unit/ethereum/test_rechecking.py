"""Lines of a testimony of an EVM chain: what they show, and that no change of them goes unseen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains import ethereum
from chains.core.errors import BadAnswer
from chains.core.testimony import BadTestimony, Rechecked, seal
from chains.ethereum.settings import Settings
from chains.ethereum.verify.trail import Trail
from tests.unit.core.altering import confused, forged, outcome
from tests.unit.ethereum.made_testimony import DECIMALS, NAMES, SETTINGS, Made

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
amounts = st.one_of(st.just(0), st.integers(min_value=1, max_value=300), st.integers(min_value=1, max_value=2**200))
holdings = st.dictionaries(addresses, amounts, max_size=12)


def read(lines: Any, keys: Settings = SETTINGS) -> Rechecked:
    return ethereum.recheck("ethereum", lines, keys, DECIMALS)


def some() -> Made:
    ether = {f"0x{n:02x}" + "ab" * 19: 10**18 + n for n in range(6)} | {"0x" + "ee" * 20: 0}
    tokens = {address: 250 + n for n, address in enumerate(ether)} | {"0x" + "dd" * 20: 0}
    return Made(ether, tokens, {f"0x{n:040x}": n for n in range(1, 60)})


@settings(max_examples=40, deadline=None)
@given(holdings, holdings, st.dictionaries(addresses, amounts, max_size=40))
def test_whatever_is_held_is_shown_exactly_and_absence_is_a_proved_zero(
    ether: dict[str, int], tokens: dict[str, int], others: dict[str, int]
) -> None:
    made = Made(ether, tokens, {a: u for a, u in others.items() if a not in ether})
    found = read(made.lines())
    assert found.units == made.units
    assert found.proved == frozenset(made.units)
    assert {account.asset for account in found.agreed} <= {"USDT"}
    assert found.sequences == {address: units % 7 for address, units in made.ether.items()}


def test_every_node_of_a_trie_is_written_once() -> None:
    lines = some().body()
    for kind in ("account", "slot"):
        nodes = [node for line in lines if line["kind"] == kind for node in line["nodes"]]
        assert len(nodes) == len(set(nodes)) > 5


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=4, max_size=4), unique=True, max_size=20), st.data())
def test_a_trail_gives_back_the_proofs_that_were_written(keys: list[bytes], data: st.DataObject) -> None:
    depths = {key: data.draw(st.integers(0, 4)) for key in keys}
    proofs = {key: [f"0x{key[:n].hex()}" for n in range(depths[key])] for key in keys}
    writer, reader = Trail(), Trail()
    for key in sorted(keys):
        assert reader.read(key, *writer.write(proofs[key])) == proofs[key]


@pytest.mark.parametrize(
    ("keys", "shared", "own", "why"),
    [
        ((b"b", b"a"), 0, [], "order"),
        ((b"a", b"a"), 0, [], "twice"),
        ((b"a", b"b"), 3, [], "shares 3 nodes"),
        ((b"a", b"b"), 1, ["y"], "repeats"),
    ],
)
def test_a_trail_refuses_keys_out_of_order_and_nodes_that_are_not_there(
    keys: tuple[bytes, bytes], shared: int, own: list[str], why: str
) -> None:
    trail = Trail()
    trail.read(keys[0], 0, ["x", "y"])
    with pytest.raises(BadAnswer, match=why):
        trail.read(keys[1], shared, own)


def test_a_forger_who_seals_anew_is_found_or_changes_a_figure() -> None:
    lines = some().lines()
    true, tried = read(lines), 0
    for number, path, changed in forged(lines):
        tried += 1
        found = outcome(lambda changed=changed: read(changed))  # type: ignore[misc]
        # That one endpoint more or less said the same of a token is the word of who wrote it down.
        assert found != true or ("endpoints" in path and lines[number - 1]["kind"] == "answers"), (number, path)
    assert tried > 1_000


def test_a_changed_proof_names_its_line_and_account() -> None:
    body = some().body()
    place = next(n for n, line in enumerate(body) if line["kind"] == "account" and line["nodes"])
    node = body[place]["nodes"][-1]
    body[place]["nodes"][-1] = node[:-1] + ("0" if node[-1] != "0" else "1")
    with pytest.raises(BadTestimony, match=rf"^line {place + 1}: ETH of {body[place]['account']}: .* hashes to"):
        read(seal(body))


def test_a_stated_balance_beside_its_proof_must_be_the_same() -> None:
    body = some().body()
    place = next(n for n, line in enumerate(body) if line["kind"] == "slot")
    body[place]["units"] = "1" + body[place]["units"]
    with pytest.raises(BadTestimony, match=rf"^line {place + 1}: USDT of {body[place]['holder']}: units is 1"):
        read(seal(body))


def test_storage_that_shows_another_balance_than_endpoints_say_is_refused() -> None:
    body = some().body()
    answers = next(line for line in body if line["kind"] == "answers")
    answers["said"][0]["numbers"] = [str(int(n) + 1) for n in answers["said"][0]["numbers"]]
    with pytest.raises(BadTestimony, match=r"the proof shows .*, endpoints say otherwise"):
        read(seal(body))


def test_a_header_that_one_endpoint_shows_proves_nothing() -> None:
    alone = SETTINGS.model_copy(update={"quorum": 1})
    body = some().body()
    body[1]["endpoints"] = NAMES[:1]
    assert read(seal(body), alone).proved == frozenset()
    with pytest.raises(BadTestimony, match="line 2: 1 endpoints show this block, 2 are needed"):
        read(seal(body))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([(NAMES[:1], ["5"])], "2 endpoints must say the same"),
        ([(NAMES[:2], ["5"]), (NAMES[2:], ["5"])], "two groups say the same"),
        ([(NAMES[:2], ["5"]), (NAMES[1:], ["6"])], "speaks twice"),
        ([(NAMES[:2], ["5", "6"])], "a number for each account"),
        ([(NAMES[:2], ["05"])], "not a whole number"),
        ([(["nobody", *NAMES[:2]], ["5"])], "not configured endpoints"),
        ([(NAMES[1::-1], ["5"])], "not configured endpoints in their order"),
        ([], "2 endpoints must say the same"),
    ],
)
def test_answers_without_a_clear_quorum_are_refused(said: list[tuple[list[str], list[str]]], why: str) -> None:
    body = Made({}, {"0x" + "dd" * 20: 5}, {}).body()[:3]
    body[2]["said"] = [{"endpoints": names, "numbers": numbers} for names, numbers in said]
    with pytest.raises(BadTestimony, match=rf"^line 3: .*{why}"):
        read(seal(body))


def test_a_dissenting_minority_stands_beside_the_figure() -> None:
    body = Made({}, {"0x" + "dd" * 20: 5}, {}).body()[:3]
    body[2]["said"] = [{"endpoints": NAMES[:1], "numbers": ["6"]}, {"endpoints": NAMES[1:], "numbers": ["5"]}]
    found = read(seal(body))
    assert list(found.units.values()) == [5]
    assert (found.proved, found.agreed) == (frozenset(), frozenset(found.units))


def test_settings_of_another_kind_are_a_mistake_of_the_caller() -> None:
    from chains.bitcoin import Settings as Other

    keys = {"kind": "bitcoin", "network": "regtest", "native": "BTC", "endpoints": [{"url": "http://127.0.0.1:1"}]}
    with pytest.raises(TypeError, match="must be those of an EVM chain"):
        ethereum.recheck("ethereum", [], Other.model_validate(keys))


def test_values_of_another_form_raise_nothing_but_bad_testimony() -> None:
    body = Made({"0x" + "ab" * 20: 5, "0x" + "cd" * 20: 6}, {"0x" + "ab" * 20: 7}, {}).body()
    for place, line in enumerate(body):
        for other in confused(line):
            if isinstance(other, dict):
                changed = list(seal([*body[:place], other, *body[place + 1 :]]))
                outcome(lambda changed=changed: read(changed))  # type: ignore[misc]


def test_an_address_has_one_spelling_and_addresses_one_order() -> None:
    body = Made({}, {"0x" + "dd" * 20: 5, "0x" + "ab" * 20: 5}, {}).body()[:3]
    named = body[2]["accounts"]
    assert len(read(seal(body)).units) == 2
    for wrong, why in (([named[1], named[0]], "not in order"), ([named[0].lower(), named[1]], "not spelled")):
        with pytest.raises(BadTestimony, match=rf"^line 3: .*{why}"):
            read(seal([*body[:2], body[2] | {"accounts": wrong}]))


def test_a_tie_is_no_figure_where_the_quorum_is_no_majority() -> None:
    body = Made({}, {"0x" + "dd" * 20: 5}, {}).body()[:3]
    body[2]["said"] = [{"endpoints": [name], "numbers": [number]} for name, number in zip(NAMES, "567", strict=True)]
    with pytest.raises(BadTestimony, match=r"^line 3: .*more than say anything else"):
        read(seal(body), SETTINGS.model_copy(update={"quorum": 1}))
