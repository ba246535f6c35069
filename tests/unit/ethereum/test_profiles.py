"""What the logs of tokens mean: the contract's profile, the event, and nothing that looks like it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from chains.core.errors import BadAnswer
from chains.core.values import Account, Leg, Transaction
from chains.ethereum.address import ZERO, canonical_address, keccak
from chains.ethereum.balances import BatchReader
from chains.ethereum.blocks import check_receipts, full_block
from chains.ethereum.extract import Assets, Extractor
from chains.ethereum.profiles import (
    BALANCE_OF,
    DEPOSIT,
    EVENTS,
    SHARES_BURNT,
    SHARES_OF,
    TOPICS,
    TRANSFER,
    TRANSFER_SHARES,
    WITHDRAWAL,
    Profile,
    Question,
    Transferred,
    transferred,
)
from chains.ethereum.transfers import from_call_trees
from chains.ethereum.watch import AddressWatch
from tests.unit.ethereum.shapes import TOKEN, Tx, addr, call, make_block, ref_of, settings, word

OURS, THEIRS = 0x407, 0x57


def log(*topics: str, words: tuple[int, ...] = (7,), contract: str = TOKEN) -> dict[str, Any]:
    return {"address": contract, "topics": list(topics), "data": "0x" + "".join(word(n)[2:] for n in words)}


@pytest.mark.parametrize(
    ("topic", "signature"),
    [
        (TRANSFER, "Transfer(address,address,uint256)"),
        (TRANSFER_SHARES, "TransferShares(address,address,uint256)"),
        (SHARES_BURNT, "SharesBurnt(address,uint256,uint256,uint256)"),
        (DEPOSIT, "Deposit(address,uint256)"),
        (WITHDRAWAL, "Withdrawal(address,uint256)"),
    ],
)
def test_a_topic_is_the_hash_of_its_event(topic: str, signature: str) -> None:
    assert topic == "0x" + keccak(signature.encode()).hex()
    assert topic in TOPICS


@pytest.mark.parametrize(
    ("question", "signature"), [(BALANCE_OF, "balanceOf(address)"), (SHARES_OF, "sharesOf(address)")]
)
def test_a_question_is_the_selector_of_its_function(question: Any, signature: str) -> None:
    assert question.call == "0x" + keccak(signature.encode()).hex()[:8] + "0" * 24
    assert signature.startswith(question.name)


@pytest.mark.parametrize(
    ("profile", "told", "said"),
    [
        ("plain", log(TRANSFER, word(OURS), word(THEIRS)), Transferred(addr(OURS), addr(THEIRS), 7)),
        ("wrapped", log(TRANSFER, word(OURS), word(THEIRS)), Transferred(addr(OURS), addr(THEIRS), 7)),
        ("wrapped", log(DEPOSIT, word(OURS)), Transferred(TOKEN, addr(OURS), 7, wraps=True)),
        ("wrapped", log(WITHDRAWAL, word(OURS)), Transferred(addr(OURS), TOKEN, 7, wraps=True)),
        ("shares", log(TRANSFER_SHARES, word(OURS), word(THEIRS)), Transferred(addr(OURS), addr(THEIRS), 7)),
        ("shares", log(SHARES_BURNT, word(OURS), words=(1, 2, 7)), Transferred(addr(OURS), ZERO, 7)),
    ],
)
def test_an_event_of_the_profile_is_a_transfer(profile: Profile, told: dict[str, Any], said: Transferred) -> None:
    assert transferred(profile, TOKEN, told) == said


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        ("plain", log(DEPOSIT, word(OURS))),
        ("plain", log(TRANSFER_SHARES, word(OURS), word(THEIRS))),
        ("shares", log(TRANSFER, word(OURS), word(THEIRS))),
        ("shares", log(SHARES_BURNT, word(OURS), words=(7,))),
        ("wrapped", log(TRANSFER_SHARES, word(OURS), word(THEIRS))),
        ("wrapped", log(DEPOSIT, word(OURS), word(THEIRS))),
        ("wrapped", log(WITHDRAWAL, word(OURS), words=(7, 7))),
        ("plain", log(TRANSFER, word(OURS), word(THEIRS), word(7))),
        ("plain", log()),
        ("plain", log(TRANSFER, word(OURS), word(THEIRS), words=())),
        ("plain", log(TRANSFER, word(OURS), word(THEIRS)) | {"data": None}),
    ],
)
def test_any_other_event_is_none(profile: Profile, told: dict[str, Any]) -> None:
    assert transferred(profile, TOKEN, told) is None


def test_a_topic_that_is_no_word_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer):
        transferred("plain", TOKEN, log(TRANSFER, addr(OURS), word(THEIRS)))


def test_every_profile_of_the_configuration_has_events() -> None:
    for profile in EVENTS:
        assert settings(tokens={"USDT": {"contract": TOKEN, "profile": profile}}).profiles() == {"USDT": profile}
    assert settings().profiles() == {"USDT": "plain"}
    with pytest.raises(ValidationError):
        settings(tokens={"USDT": {"contract": TOKEN, "profile": "rebasing"}})


def read(tx: Tx, *, traced: bool = True) -> Transaction:
    made = make_block(9, [tx])
    block = full_block("ethereum", made["block"])
    assets = Assets("ETH", {TOKEN: "WETH"}, {"ETH": 1, "WETH": 1}, {"WETH": "wrapped"})
    transfers = from_call_trees(block, made["traces"]) if traced else None
    watch = AddressWatch([canonical_address(addr(OURS))])
    (found,) = Extractor("ethereum", assets).transactions(
        block, check_receipts(block, made["receipts"]), transfers, watch
    )
    return found


def sides(found: Transaction) -> list[tuple[str, int, bool]]:
    return [(leg.asset, leg.units, leg.wrap) for leg in found.legs if not leg.fee]


def test_a_deposit_with_its_ether_is_a_wrap() -> None:
    tx = Tx(OURS, int(TOKEN, 16), 7, logs=[log(DEPOSIT, word(OURS))])
    contract, ours = canonical_address(TOKEN), canonical_address(addr(OURS))
    for traced in (True, False):
        found = read(tx, traced=traced)
        assert sides(found) == [("ETH", 7, True), ("WETH", 7, True)]
        assert found.legs[-1] == Leg(2, "WETH", 7, contract, ours, wrap=True)
        assert found.movements[-1].account == Account("ethereum", ours, "WETH")


def test_a_withdrawal_with_its_ether_is_a_wrap_where_the_trace_shows_the_ether() -> None:
    contract = int(TOKEN, 16)
    tx = Tx(OURS, contract, logs=[log(WITHDRAWAL, word(OURS))], trace=call(OURS, contract, 0, call(contract, OURS, 7)))
    assert sides(read(tx)) == [("ETH", 7, True), ("WETH", 7, True)]
    assert sides(read(tx, traced=False)) == [("WETH", 7, False)]


def test_each_side_of_a_wrap_counts_once() -> None:
    """Two deposits are logged and one was paid: the other is no wrap."""
    tx = Tx(OURS, int(TOKEN, 16), 7, logs=[log(DEPOSIT, word(OURS)), log(DEPOSIT, word(OURS))])
    assert sides(read(tx)) == [("ETH", 7, True), ("WETH", 7, True), ("WETH", 7, False)]


@pytest.mark.parametrize("wei", [6, 8])
def test_ether_of_another_amount_is_no_side_of_a_wrap(wei: int) -> None:
    tx = Tx(OURS, int(TOKEN, 16), wei, logs=[log(DEPOSIT, word(OURS))])
    assert sides(read(tx)) == [("ETH", wei, False), ("WETH", 7, False)]


def test_ether_to_another_address_is_no_side_of_a_wrap() -> None:
    assert sides(read(Tx(OURS, THEIRS, 7, logs=[log(DEPOSIT, word(OURS))]))) == [("ETH", 7, False), ("WETH", 7, False)]


class Endpoint:
    """Answers every call with five units, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def batch(self, calls: list[Any], *, check: Any, **_: Any) -> Any:
        self.asked += calls
        return check([word(5)] * len(calls))


@pytest.mark.parametrize(
    ("profile", "question"), [("plain", BALANCE_OF), ("shares", SHARES_OF), ("wrapped", BALANCE_OF)]
)
async def test_holdings_are_asked_for_as_the_profile_has_it(profile: Profile, question: Question) -> None:
    ours = canonical_address(addr(OURS))
    account, endpoint = Account("ethereum", ours, "USDT"), Endpoint()
    reader = BatchReader("ETH", {"USDT": TOKEN}, {"USDT": profile})
    assert await reader.read(endpoint, [account], ref_of(make_block(1))) == {account: 5}  # type: ignore[arg-type]
    ((method, (request, _)),) = endpoint.asked
    assert (method, request["to"], request["data"]) == ("eth_call", TOKEN, question.call + ours[2:])
