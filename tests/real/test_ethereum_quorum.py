"""Three endpoints before one real node, and what each kind of liar among them can do: nothing, in any position."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chains.core.errors import AllEndpointsFailed, Disagreement, HistoryUnavailable, QuorumLost
from chains.core.rpc import Limits, Rpc
from chains.core.values import Account, Block, BlockRef, Evidence
from chains.ethereum import Settings, parse_address
from chains.ethereum.chain import EvmChain
from chains.ethereum.contracts import SLOTS
from chains.ethereum.nodes import translate
from chains.ethereum.verify.header import header_hash
from chains.lab.anvil import WEI_PER_ETH, Anvil
from tests.real.faulty_node import FaultyNode

pytestmark = pytest.mark.component("anvil")

#: What an endpoint makes of a true answer: (method, params, result) -> result, or a Refusal.
Twist = Callable[[str, Any, Any], Any]
DECIMALS = {"ETH": 18, "USDT": 6}
BLOCKS = ("eth_getBlockByNumber", "eth_getBlockByHash")


@dataclass(frozen=True)
class Refusal:
    code: int
    message: str


class Twisted(FaultyNode):
    """A proxy of a real node that changes single results."""

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream=upstream)
        self.twist: Twist | None = None

    def reply(self, body: bytes, asked: Any, authorization: str | None) -> Any:
        given = super().reply(body, asked, authorization)
        if self.twist is None:
            return given
        calls = {call["id"]: call for call in (asked if isinstance(asked, list) else [asked])}
        changed = [self._one(calls[item["id"]], item) for item in (given if isinstance(given, list) else [given])]
        return changed if isinstance(given, list) else changed[0]

    def _one(self, call: Any, item: dict[str, Any]) -> dict[str, Any]:
        if "result" not in item or self.twist is None:
            return item
        result = self.twist(call["method"], call["params"], item["result"])
        head = {"jsonrpc": "2.0", "id": item["id"]}
        if isinstance(result, Refusal):
            return head | {"error": {"code": result.code, "message": result.message}}
        return head | {"result": result}


class Ground:
    """A node with signed transactions: block ``full`` has a payment to us, one by us and a token transfer to us."""

    def __init__(self, node: Anvil) -> None:
        self.node = node
        self.rich, self.hot, self.stranger, *_ = node.accounts
        # Without it the node signs for nobody, and nothing could be said about senders.
        node.rpc("anvil_autoImpersonateAccount", False)
        self.token = parse_address(node.deploy_token(self.rich, "USDT", 6, 10**12), Settings.model_construct())
        node.receipt(node.transfer_token(self.token, self.rich, self.hot, 10**6))
        self.before = self._ref("latest")
        node.rpc("evm_setAutomine", False)
        node.send(self.rich, self.hot, 5 * WEI_PER_ETH)
        node.send(self.hot, self.stranger, 7)
        node.transfer_token(self.token, self.rich, self.hot, 250)
        node.mine()
        node.rpc("evm_setAutomine", True)
        self.full = self._ref("latest")
        node.mine(4)

    def _ref(self, tag: str) -> BlockRef:
        raw = self.node.rpc("eth_getBlockByNumber", tag, False)
        return BlockRef("ethereum", int(raw["number"], 16), raw["hash"], raw["parentHash"], int(raw["timestamp"], 16))

    @property
    def accounts(self) -> list[Account]:
        never = parse_address("0x" + "12" * 20, Settings.model_construct())
        return [Account("ethereum", who, asset) for who in (self.hot, never) for asset in ("ETH", "USDT")]

    def units(self) -> dict[Account, int]:
        """What the node says after block ``full``."""
        at, node = self.full.height, self.node
        return {
            a: node.balance(a.locator, at) if a.asset == "ETH" else node.token_balance(self.token, a.locator, at)
            for a in self.accounts
        }


@pytest.fixture(scope="module")
def ground(require_component: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    require_component("anvil")
    with Anvil(tmp_path_factory.mktemp("anvil")) as node:
        yield Ground(node)


class Three:
    """A chain on three proxies of the node."""

    def __init__(self, ground: Ground, proxies: Sequence[Twisted], **more: Any) -> None:
        keys: dict[str, Any] = {"kind": "evm", "chain_id": ground.node.chain_id, "native": "ETH", "finality": 2}
        keys["endpoints"] = [{"url": proxy.url} for proxy in proxies]
        keys["tokens"] = {"USDT": {"contract": ground.token}}
        settings = Settings.model_validate(keys | more)
        rpc = Rpc(settings.endpoints, Path(), translate=translate, limits=Limits(tries=1, timeout=10))
        self.proxies = proxies
        self.chain = EvmChain("ethereum", settings, DECIMALS, rpc)
        self.watch = self.chain.watch([ground.hot], ())

    async def follow(self, ground: Ground) -> Block | None:
        return await self.chain.read_next(ground.before, self.watch)


async def truth_of(ground: Ground) -> Block | None:
    """Block ``full`` as the node itself gives it."""
    with Twisted(ground.node.url) as proxy:
        alone = Three(ground, [proxy])
        try:
            return await alone.follow(ground)
        finally:
            await alone.chain.close()


@pytest.fixture
async def three(ground: Ground) -> AsyncIterator[Three]:
    with ExitStack() as stack:
        made = Three(ground, [stack.enter_context(Twisted(ground.node.url)) for _ in range(3)])
        yield made
        await made.chain.close()


def on_blocks(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Twist:
    """Changes block ``full`` alone, with its transactions or without: no other has three."""

    def twist(method: str, params: Any, result: Any) -> Any:
        return change(result) if method in BLOCKS and result and len(result["transactions"]) == 3 else result

    return twist


def on(method: str, change: Callable[[Any], Any]) -> Twist:
    return lambda called, params, result: change(result) if called == method else result


def both(*twists: Twist) -> Twist:
    def twist(method: str, params: Any, result: Any) -> Any:
        for each in twists:
            result = each(method, params, result)
        return result

    return twist


def rehashed(block: dict[str, Any]) -> dict[str, Any]:
    """Another block, which contradicts itself nowhere in its header."""
    other = block | {"extraData": "0x" + secrets.token_hex(8)}
    return other | {"hash": header_hash(other)}


def whole(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Twist:
    """Changes the transactions of a block, where it has them as objects."""

    def apply(block: dict[str, Any]) -> dict[str, Any]:
        listed = block["transactions"]
        return block | {"transactions": change(listed)} if isinstance(listed[0], dict) else block

    return on_blocks(apply)


def with_logs(change: Callable[[list[Any]], list[Any]]) -> Twist:
    return on("eth_getBlockReceipts", lambda receipts: [r | {"logs": change(r["logs"])} for r in receipts or ()])


def more(text: str) -> str:
    return hex(int(text, 16) + 1)


def higher(text: str) -> str:
    return f"0x{int(text, 16) + 1:064x}"


LIES: Mapping[str, tuple[Twist, str]] = {
    "header changed": (on_blocks(lambda b: b | {"timestamp": more(b["timestamp"])}), "header_hash"),
    "another header": (on_blocks(rehashed), "final_block"),
    "log omitted": (with_logs(lambda logs: []), "receipts_root"),
    "log changed": (with_logs(lambda logs: [log | {"data": higher(log["data"])} for log in logs]), "receipts_root"),
    "receipt omitted": (on("eth_getBlockReceipts", lambda r: r[:-1] if r else r), "receipts_root"),
    "receipt failed": (on("eth_getBlockReceipts", lambda r: [x | {"status": "0x0"} for x in r]), "receipts_root"),
    "fee changed": (
        on("eth_getBlockReceipts", lambda r: [x | {"effectiveGasPrice": more(x["effectiveGasPrice"])} for x in r]),
        "receipt",
    ),
    "transaction omitted": (
        both(whole(lambda txs: txs[:-1]), on("eth_getBlockReceipts", lambda r: r[:-1] if r else r)),
        "transactions_root",
    ),
    "every transaction omitted": (whole(lambda txs: []), "transactions_root"),
    "value changed": (whole(lambda txs: [tx | {"value": more(tx["value"])} for tx in txs]), "transactions_root"),
    "sender changed": (whole(lambda txs: [tx | {"from": "0x" + "77" * 20} for tx in txs]), "sender"),
    "withdrawal invented": (
        on_blocks(
            lambda b: (
                b
                | {
                    "withdrawals": [
                        {"index": "0x0", "validatorIndex": "0x0", "address": "0x" + "99" * 20, "amount": "0x1"}
                    ]
                }
            )
        ),
        "withdrawals_root",
    ),
    "balance false": (on("eth_getBalance", more), "balance"),
    "token balance false": (on("eth_call", higher), "balance"),
    "nonce false": (on("eth_getTransactionCount", more), "nonce"),
}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("lie", LIES)
async def test_one_liar_of_three_is_found_and_quarantined_and_reading_goes_on(
    ground: Ground, three: Three, lie: str, place: int
) -> None:
    truth = await truth_of(ground)
    three.proxies[place].twist, kind = LIES[lie]
    assert await three.follow(ground) == truth
    held = await three.chain.holdings(ground.accounts, ground.full)
    assert held.units == ground.units()
    assert held.evidence is Evidence.AGREED
    sent = int(ground.node.rpc("eth_getTransactionCount", ground.hot, hex(ground.full.height)), 16)
    assert await three.chain.sequences([ground.hot], ground.full) == {ground.hot: sent}
    assert await three.chain.prove(ground.accounts, ground.full) == ground.units()

    liar = f"endpoint-{place + 1}"
    assert {(fault.endpoint, fault.kind) for fault in three.chain.faults()} == {(liar, kind)}
    assert set(three.chain.quarantined()) == {liar}
    assert three.chain.faults() == ()
    assert await three.follow(ground) == truth


async def test_a_fault_names_what_was_asked_answered_and_refutes_it(ground: Ground, three: Three) -> None:
    three.proxies[0].twist = LIES["balance false"][0]
    await three.chain.holdings(ground.accounts, ground.full)
    (fault,) = three.chain.faults()
    assert (fault.chain, fault.endpoint, fault.kind) == ("ethereum", "endpoint-1", "balance")
    right = ground.units()[ground.accounts[0]]
    assert (fault.evidence["answered"], fault.evidence["proved"]) == (str(right + 1), str(right))
    assert ground.hot in fault.evidence["asked"]
    assert ground.full.hash in fault.evidence["header"]
    assert fault.evidence["account_proof_0"].startswith("0xf9")


def lagging(height: int) -> Twist:
    """An endpoint that has come no further than block ``height``."""

    def twist(method: str, params: Any, result: Any) -> Any:
        if method == "eth_blockNumber":
            return hex(height)
        if method in BLOCKS and params[0] == "latest":
            return Refusal(-32000, "never asked for here")
        if method in BLOCKS and result and int(result["number"], 16) > height:
            return None
        if method in ("eth_getBalance", "eth_call", "eth_getTransactionCount", "eth_getBlockReceipts"):
            return Refusal(-32000, "header for hash not found")
        return result

    return twist


def pruned(method: str, params: Any, result: Any) -> Any:
    if method in ("eth_getBalance", "eth_call", "eth_getTransactionCount", "eth_getProof"):
        return Refusal(-32000, "missing trie node 1234 (path ) state 0xabcd is not available")
    return result


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("kind", ["null", "lagging", "pruned", "gone"])
async def test_one_of_three_that_knows_nothing_is_no_liar_and_never_a_zero(
    ground: Ground, three: Three, kind: str, place: int
) -> None:
    truth = await truth_of(ground)
    twists: dict[str, Twist] = {
        "null": lambda method, params, result: None,
        "lagging": lagging(ground.before.height),
        "pruned": pruned,
    }
    if kind == "gone":
        three.proxies[place].fault = lambda handler, reply: handler.hang_up()
    else:
        three.proxies[place].twist = twists[kind]
    assert await three.follow(ground) == truth
    assert (await three.chain.holdings(ground.accounts, ground.full)).units == ground.units()
    assert await three.chain.prove(ground.accounts, ground.full) == ground.units()
    assert (await three.chain.heads()).seen.height == ground.node.head()
    assert await three.chain.is_canonical(ground.full)
    assert three.chain.faults() == ()
    assert three.chain.quarantined() == {}


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_an_endpoint_that_turns_to_another_chain_is_quarantined(
    ground: Ground, three: Three, start_anvil: Callable[..., Anvil], place: int
) -> None:
    assert {i.state for i in await three.chain.identify()} == {"right"}
    other = start_anvil(chain_id=5)
    other.mine(ground.node.head() + 3)
    with Twisted(other.url) as foreign:
        three.proxies[place]._upstream = foreign._upstream
        assert await three.follow(ground) == await truth_of(ground)
        assert (await three.chain.heads()).seen.height == ground.node.head()
        states = [i.state for i in await three.chain.identify()]
    assert states[place] == "wrong"
    (fault,) = three.chain.faults()
    assert (fault.endpoint, fault.kind) == (f"endpoint-{place + 1}", "chain_id")
    assert set(three.chain.quarantined()) == {f"endpoint-{place + 1}"}


async def test_three_that_say_three_things_fail_closed(ground: Ground, three: Three) -> None:
    for n, proxy in enumerate(three.proxies[1:]):
        fork = rehashed(ground.node.rpc("eth_getBlockByNumber", hex(ground.full.height), True))
        assert fork["hash"] != ground.full.hash, n
        proxy.twist = on_blocks(lambda block, fork=fork: block | {k: fork[k] for k in ("extraData", "hash")})  # type: ignore[misc]
    with pytest.raises(Disagreement):
        await three.follow(ground)
    with pytest.raises(Disagreement):
        await three.chain.header(ground.full.height)
    assert len(await three.chain.witnesses(ground.before, three.watch)) >= 1


async def test_three_balances_without_a_proof_fail_closed_and_with_one_leave_too_few(
    ground: Ground, three: Three
) -> None:
    def lies(method: str, params: Any, result: Any, by: int) -> Any:
        return hex(int(result, 16) + by) if method == "eth_getBalance" else result

    def proves_nothing(method: str, params: Any, result: Any) -> Any:
        return Refusal(-32601, "Method not found") if method == "eth_getProof" else result

    for by, proxy in enumerate(three.proxies):
        proxy.twist = both(lambda m, p, r, by=by: lies(m, p, r, by), proves_nothing)  # type: ignore[misc]
    with pytest.raises(Disagreement, match="balances after block"):
        await three.chain.holdings(ground.accounts, ground.full)
    assert three.chain.quarantined() == {}
    three.proxies[0].twist = None
    with pytest.raises(QuorumLost):
        await three.chain.holdings(ground.accounts, ground.full)
    assert set(three.chain.quarantined()) == {"endpoint-2", "endpoint-3"}


async def test_where_nothing_can_be_proved_two_outvote_one(ground: Ground, three: Three) -> None:
    for proxy in three.proxies:
        proxy.twist = on("eth_getProof", lambda _: Refusal(-32601, "Method not found"))
    three.proxies[1].twist = both(LIES["token balance false"][0], three.proxies[1].twist)  # type: ignore[arg-type]
    assert (await three.chain.holdings(ground.accounts, ground.full)).units == ground.units()
    (fault,) = three.chain.faults()
    assert (fault.endpoint, fault.kind) == ("endpoint-2", "balance")
    assert await three.chain.prove(ground.accounts, ground.full) == {}


async def test_one_alive_of_three_is_no_quorum(ground: Ground, three: Three) -> None:
    for proxy in three.proxies[1:]:
        proxy.fault = lambda handler, reply: handler.hang_up()
    for read in (
        three.follow(ground),
        three.chain.heads(),
        three.chain.header(1),
        three.chain.is_canonical(ground.full),
        three.chain.holdings(ground.accounts, ground.full),
        three.chain.sequences([ground.hot], ground.full),
        three.chain.prove(ground.accounts, ground.full),
    ):
        with pytest.raises(QuorumLost):
            await read
    three.proxies[0].fault = three.proxies[1].fault
    with pytest.raises(AllEndpointsFailed):
        await three.follow(ground)
    assert three.chain.quarantined() == {}


async def test_state_that_too_few_still_have_is_history_and_no_lie(ground: Ground, three: Three) -> None:
    for proxy in three.proxies[1:]:
        proxy.twist = pruned
    with pytest.raises(HistoryUnavailable):
        await three.chain.holdings(ground.accounts, ground.full)
    assert three.chain.quarantined() == {}


async def test_a_block_that_one_of_three_shows_is_a_witness_once(ground: Ground, three: Three) -> None:
    for proxy in three.proxies[:2]:
        proxy.twist = lagging(ground.before.height)
    assert await three.follow(ground) is None
    (witness,) = await three.chain.witnesses(ground.before, three.watch)
    assert (witness.block.ref, witness.endpoints, witness.needed) == (ground.full, ("endpoint-3",), 2)
    assert any(m.delta < 0 for t in witness.block.transactions for m in t.movements)
    assert await three.follow(ground) is None
    assert await three.chain.witnesses(ground.before, three.watch) == ()


async def test_where_no_header_hashes_as_it_says_nobody_is_accused_and_the_remedy_is_named(
    ground: Ground, three: Three
) -> None:
    for proxy in three.proxies:
        proxy.twist = lambda m, p, r: r | {"timestamp": more(r["timestamp"])} if m in BLOCKS and r else r
    with pytest.raises(AllEndpointsFailed) as caught:
        await three.follow(ground)
    assert all("verify: hashes" in str(cause) for cause in caught.value.exceptions)
    assert three.chain.quarantined() == {}
    relaxed = Three(ground, three.proxies, verify="hashes")
    try:
        assert await relaxed.follow(ground) is not None
        assert any("verify: hashes" in limit for limit in (await relaxed.chain.capabilities()).limits)
    finally:
        await relaxed.chain.close()


async def test_one_endpoint_alone_proves_nothing_and_needs_two_exchanges_a_block(ground: Ground, three: Three) -> None:
    alone = Three(ground, three.proxies[:1])
    try:
        three.proxies[0].requests.clear()
        assert await alone.follow(ground) is not None
        assert len(three.proxies[0].requests) == 2
        assert await alone.chain.prove(ground.accounts, ground.full) == {}
        held = await alone.chain.holdings(ground.accounts, ground.full)
        assert (held.evidence, held.endpoints) == (Evidence.CLAIMED, ("endpoint-1",))
    finally:
        await alone.chain.close()


async def test_what_changed_an_account_is_located_in_its_transactions(ground: Ground, three: Three) -> None:
    await three.chain.prove(ground.accounts, ground.full)
    listed = ground.node.rpc("eth_getBlockByHash", ground.full.hash, False)["transactions"]
    ether, token, *_ = ground.accounts
    found = await asyncio.gather(*(three.chain.locate(account, ground.full) for account in ground.accounts))
    assert set(found[0]) == {t for t in listed if ether.locator.lower() in _touched(ground, t)}
    assert len(found[1]) == 1
    assert found[2:] == [(), ()]
    assert token.asset == "USDT"


def _touched(ground: Ground, txid: str) -> set[str]:
    sent = ground.node.rpc("eth_getTransactionByHash", txid)
    return {sent["from"], sent["to"]} if int(sent["value"], 16) else set()


async def test_where_no_body_fits_its_header_nobody_is_accused_and_the_remedy_is_named(
    ground: Ground, three: Three
) -> None:
    assert await three.follow(ground) is not None
    for proxy in three.proxies:
        proxy.twist = LIES["value changed"][0]
    with pytest.raises(AllEndpointsFailed) as caught:
        await three.follow(ground)
    assert all("verify: hashes" in str(cause) for cause in caught.value.exceptions)
    assert three.chain.quarantined() == {}


async def test_a_storage_slot_that_shows_what_nobody_says_proves_nothing(ground: Ground, three: Three) -> None:
    assert await three.chain.prove(ground.accounts, ground.full) == ground.units()
    layout = three.chain._prover.layout("USDT")
    assert layout is not None
    three.chain._prover._layouts["USDT"] = replace(layout, place=layout.place + 1)
    proved = await three.chain.prove(ground.accounts, ground.full)
    assert {account.asset for account in proved} == {"ETH"}
    assert three.chain.faults() == ()
    # It is looked for anew.
    assert await three.chain.prove(ground.accounts, ground.full) == ground.units()


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize("method", ["eth_getCode", "eth_getStorageAt"])
async def test_one_endpoint_cannot_make_up_an_upgrade_of_a_token(
    three: Three, ground: Ground, position: int, method: str
) -> None:
    (truth,) = (await three.chain.contract_states(ground.full)).values()
    assert truth["decimals"] == "6"
    assert set(truth) == {"code", *SLOTS, "decimals"}
    three.proxies[position].twist = on(method, lambda _: "0x" + "66" * 32)
    assert await three.chain.contract_states(ground.full) == {"USDT": truth}


async def test_two_that_differ_about_a_token_are_no_answer(three: Three, ground: Ground) -> None:
    for number, proxy in enumerate(three.proxies):
        proxy.twist = on("eth_getCode", lambda _, number=number: "0x" + f"{number:02x}" * 32)  # type: ignore[misc]
    with pytest.raises(Disagreement):
        await three.chain.contract_states(ground.full)
