from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chains.core.errors import AllEndpointsFailed, BadAnswer

# Imported here, not inside a test: urllib3, which web3 brings, tries out a socket when it is imported.
from chains.ethereum.provider import ReadOnlyProvider, reading_web3
from tests.unit.ethereum.shapes import TOKEN, FakeNode, Refusal, make_block, make_chain, word

DECIMALS, SYMBOL = "0x313ce567", "0x95d89b41"


def text(value: str) -> str:
    raw = value.encode()
    return word(32) + word(len(raw))[2:] + raw.hex().ljust(-(-len(raw) // 32) * 64, "0")


SIX, USDT = word(6), text("USDT")


def node(decimals: Any = SIX, symbol: Any = USDT, code: str = "0x60") -> FakeNode:
    wire = FakeNode(make_block(0))

    def call(params: list[Any], answer: Any) -> Any:
        given = decimals if params[0]["data"] == DECIMALS else symbol
        if isinstance(given, Exception):
            raise given
        return given

    wire._answer = _answers(wire._answer, code)  # type: ignore[assignment, method-assign]
    wire.change["eth_call"] = call
    return wire


def _answers(ordinary: Callable[[str, list[Any]], Any], code: str) -> Callable[[str, list[Any]], Any]:
    def answer(method: str, params: list[Any]) -> Any:
        if method == "eth_getCode":
            return code
        return None if method == "eth_call" else ordinary(method, params)

    return answer


async def identity(wire: FakeNode, **more: Any) -> tuple[str, str]:
    (found,) = await make_chain(wire, **more).identify()
    return found.state, found.detail


async def test_a_token_as_configured_is_right() -> None:
    assert await identity(node()) == ("right", "chain id 1")


async def test_decimals_that_differ_from_the_chain_are_a_configuration_error() -> None:
    state, detail = await identity(node(word(18)))
    assert state == "wrong"
    assert detail == "USDT has 18 decimals on chain and 6 in the configuration: write decimals: 18 under tokens.USDT"


async def test_an_address_without_a_contract_is_a_configuration_error() -> None:
    state, detail = await identity(node(code="0x"))
    assert state == "wrong"
    assert "there is no contract at" in detail


@pytest.mark.parametrize("answer", [Refusal(3, "execution reverted"), "0x"])
async def test_a_token_may_keep_its_decimals_to_itself(answer: Any) -> None:
    state, detail = await identity(node(answer))
    assert state == "right"
    assert "does not say its decimals" in detail


async def test_another_symbol_is_only_a_remark_and_made_printable() -> None:
    state, detail = await identity(node(symbol=text("US\nD" + "x" * 99)))
    assert state == "right"
    assert "calls itself 'US D" in detail
    assert len(detail) < 120


@pytest.mark.parametrize("answer", [Refusal(3, "execution reverted"), "0x" + "ff" * 32, "0x" + "ff" * 96])
async def test_a_symbol_that_is_no_text_is_passed_over(answer: Any) -> None:
    assert await identity(node(symbol=answer)) == ("right", "chain id 1")


async def test_what_fails_on_the_way_is_no_statement_about_the_token() -> None:
    wire = node()
    ordinary = wire.change["eth_call"]

    def fail(params: list[Any], answer: Any) -> Any:
        raise BadAnswer("nonsense")

    wire.change["eth_call"] = fail
    assert (await identity(wire))[0] == "unreachable"
    wire.change["eth_call"] = ordinary


@pytest.mark.parametrize(
    "method",
    [
        "eth_sendRawTransaction",
        "eth_sendTransaction",
        "eth_sign",
        "personal_unlockAccount",
        "anvil_setBalance",
        "eth_x",
    ],
)
async def test_web3_can_only_read(method: Any) -> None:
    wire = node()
    provider = ReadOnlyProvider(make_chain(wire)._rpc)
    with pytest.raises(PermissionError, match=method):
        await provider.make_request(method, [])
    assert not wire.asked


async def test_web3_rides_on_our_client_and_its_errors() -> None:
    wire = node()
    web3 = reading_web3(make_chain(wire)._rpc)
    assert await web3.eth.chain_id == 1
    assert await web3.is_connected()
    wire.down = BadAnswer("nonsense")
    with pytest.raises(AllEndpointsFailed):
        await web3.eth.get_code(web3.to_checksum_address(TOKEN))


def test_a_contract_cannot_send_web3_to_fetch_a_url() -> None:
    # EIP-3668: web3 would follow the URL that an eth_call names.
    assert ReadOnlyProvider.global_ccip_read_enabled is False
