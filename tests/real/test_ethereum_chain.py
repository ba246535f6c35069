"""The EVM chain on a real node: what it reads is compared with the node's own balances, block by block."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account as KeyedAccount
from eth_account.signers.local import LocalAccount

from chains.core.errors import AllEndpointsFailed, ChainError, Reorganised
from chains.core.jsonrpc import Reply
from chains.core.rpc import Limits, Rpc
from chains.core.settings import Endpoint
from chains.core.transport import HttpTransport
from chains.core.values import Account, Block, BlockRef, TransactionKind
from chains.ethereum import Settings, connect, parse_address
from chains.ethereum.body import UNPROVED_LOGS
from chains.ethereum.chain import EvmChain
from chains.ethereum.details import UNSEEN_HERE
from chains.ethereum.nodes import translate
from chains.lab.anvil import WEI_PER_ETH, Anvil, token_call

pytestmark = pytest.mark.component("anvil")

#: Calls whoever stands in the first word of its input with the wei of the second.
FORWARDER = "0x6011600c60003960116000f3" + "60006000600060006020356000355af100"
#: Reverts whatever is sent to it.
REVERTER = "0x6005600c60003960056000f3" + "60006000fd"
#: Calls itself with all its gas, some 780 calls deep.
DIVER = "0x6009600c60003960096000f3" + "5f5f5f5f5f305af100"
#: Creates an empty contract; one whose code fails; and one with more wei than it has, which does not begin.
FACTORY = "0x6025600c60003960256000f3" + "5f5f5ff0" + "625f5ffd5f52" + "6003601d5ff0" + "5f5f6f" + "ff" * 16 + "f000"
TRACES = ("debug_traceBlockByHash", "trace_block")
DECIMALS = {"ETH": 18, "USDT": 8}


def new_address() -> str:
    return spelled("0x" + secrets.token_hex(20))


def spelled(address: str) -> str:
    return parse_address(address, Settings.model_construct())


def settings(node: Anvil, token: str | None = None, *, urls: tuple[str, ...] = (), **more: Any) -> Settings:
    keys: dict[str, Any] = {"kind": "evm", "chain_id": node.chain_id, "native": "ETH", "finality": 2}
    keys["endpoints"] = [{"url": url} for url in (node.url, *urls)]
    if token is not None:
        keys["tokens"] = {"USDT": {"contract": token, "decimals": 6}}
    return Settings.model_validate(keys | more)


class Refusing:
    """The wire to a real node that does not offer some methods."""

    def __init__(self, endpoint: Endpoint, methods: tuple[str, ...], limits: Limits) -> None:
        self._wire = HttpTransport(endpoint, Path(), concurrency=limits.concurrency, body_bytes=limits.body_bytes)
        self._methods = methods

    async def send(self, path: str, body: bytes | None, timeout: float) -> Reply:
        reply = await self._wire.send(path, body, timeout)
        asked, given = json.loads(body or b""), json.loads(reply.body)
        single = isinstance(asked, dict)
        asked, given = ([asked], [given]) if single else (asked, given)
        refused = {call["id"] for call in asked if call["method"] in self._methods}
        error = {"code": -32601, "message": "Method not found"}
        given = [{"jsonrpc": "2.0", "id": a["id"], "error": error} if a["id"] in refused else a for a in given]
        return Reply(reply.status, json.dumps(given[0] if single else given).encode(), "application/json")

    async def close(self) -> None:
        await self._wire.close()


Opener = Callable[..., EvmChain]


@pytest.fixture
async def open_chain() -> AsyncIterator[Opener]:
    """open_chain(settings, without=(methods…)) on a real node; closed after the test."""
    opened: list[EvmChain] = []

    def start(conf: Settings, without: tuple[str, ...] = ()) -> EvmChain:
        def wire(endpoint: Endpoint, _: str) -> Refusing:
            return Refusing(endpoint, without, Limits())

        rpc = Rpc(conf.endpoints, Path(), translate=translate, transport=wire if without else None)
        opened.append(EvmChain("ethereum", conf, DECIMALS, rpc))
        return opened[-1]

    yield start
    for chain in opened:
        await chain.close()


async def follow(chain: EvmChain, watched: list[str], after: BlockRef) -> list[Block]:
    watch = chain.watch(watched, ())
    blocks: list[Block] = []
    while (block := await chain.read_next(after, watch)) is not None:
        blocks.append(block)
        after = block.ref
    return blocks


def moved(block: Block) -> Counter[Account]:
    total: Counter[Account] = Counter()
    for transaction in block.transactions:
        for movement in transaction.movements:
            total[movement.account] += movement.delta
    return total


async def residuals(chain: EvmChain, watched: list[str], start: BlockRef, blocks: list[Block]) -> dict[Account, int]:
    """What the movements do not explain of the node's own balances, summed over all blocks, account by account."""
    held = Counter((await chain.open_at(watched, start)).holdings)
    found: Counter[Account] = Counter()
    for block in blocks:
        held.update(moved(block))
        now = (await chain.holdings(list(held), block.ref)).units
        for account, units in now.items():
            found[account] += units - held[account]
        held = Counter(now)
    return {account: units for account, units in found.items() if units}


class Stage:
    """Accounts of ours, and everything that can happen to them."""

    def __init__(self, node: Anvil) -> None:
        self.node = node
        self.rich, self.stranger = node.accounts[0], node.accounts[1]
        self.cold, self.hot, self.miner, self.created_by = (new_address() for _ in range(4))
        for address in (self.cold, self.hot, self.created_by):
            self.node.rpc("anvil_setBalance", address, hex(WEI_PER_ETH))
        self.token = spelled(node.deploy_token(self.rich, "USDT", 6, 10**12))
        self.fake = spelled(node.deploy_token(self.rich, "USDT", 6, 10**12))
        self.forwarder = self.deploy(FORWARDER, WEI_PER_ETH)
        self.reverter = self.deploy(REVERTER)
        self.factory = ""
        self.start: dict[str, Any] = node.rpc("eth_getBlockByNumber", "latest", False)

    @property
    def watched(self) -> list[str]:
        return [self.cold, self.hot, self.created_by, self.forwarder]

    def deploy(self, code: str, wei: int = 0, sender: str | None = None) -> str:
        call = {"from": sender or self.rich, "data": code, "value": hex(wei)}
        return spelled(self.node.receipt(self.node.rpc("eth_sendTransaction", call))["contractAddress"])

    def send(self, source: str, to: str, wei: int = 0, data: str = "0x") -> str:
        call = {"from": source, "to": to, "value": hex(wei), "data": data, "gas": hex(200_000)}
        txid: str = self.node.rpc("eth_sendTransaction", call)
        return txid

    def forward(self, to: str, wei: int) -> str:
        """A stranger makes our contract pay: the internal transfer of a theft."""
        return self.send(self.stranger, self.forwarder, data="0x" + to[2:].lower().zfill(64) + f"{wei:064x}")

    def everything(self) -> None:
        """One block for each kind of event, then a block with many at once."""
        node = self.node
        for txid in self._one_by_one():
            node.receipt(txid)
        node.rpc("evm_setAutomine", False)
        for _ in range(3):
            self.send(self.hot, self.cold, 1)
            self.send(self.rich, self.hot, 1)
        self.forward(self.hot, 19)
        node.mine()
        node.rpc("evm_setAutomine", True)
        node.mine()

    def _one_by_one(self) -> Iterator[str]:
        """The next one is sent when the caller has waited for the one before."""
        yield self.send(self.rich, self.hot, 5)
        yield self.send(self.cold, self.stranger, 7)
        yield self.send(self.hot, self.hot, 3)
        yield self.send(self.hot, self.reverter, 3)
        yield self.send(self.rich, self.token, data=token_call("transfer(address,uint256)", self.cold, 1_000))
        yield self.send(self.cold, self.token, data=token_call("transfer(address,uint256)", self.stranger, 300))
        yield self.send(self.cold, self.token, data=token_call("transfer(address,uint256)", self.stranger, 10**15))
        yield self.send(self.rich, self.fake, data=token_call("transfer(address,uint256)", self.cold, 999))
        yield self.forward(self.stranger, 11)
        yield self.forward(self.cold, 13)
        heir = self.cold[2:].lower()
        doomed = self.deploy(f"0x6016600c60003960166000f373{heir}ff", 17, sender=self.created_by)
        yield self.send(self.stranger, doomed, 2)

    def start_ref(self) -> BlockRef:
        return self.ref(self.start)

    def ref(self, block: dict[str, Any] | None = None) -> BlockRef:
        b = block or self.node.rpc("eth_getBlockByNumber", "latest", False)
        return BlockRef("ethereum", int(b["number"], 16), b["hash"], b["parentHash"], int(b["timestamp"], 16))


@pytest.mark.parametrize(
    "without",
    [(), TRACES[:1], ("eth_getBlockReceipts",), ("eth_getBlockReceipts", *TRACES[:1])],
    ids=["call tree", "flat traces", "no block receipts", "flat traces and no block receipts"],
)
async def test_everything_that_happens_to_an_account_explains_its_balance_exactly(
    fresh_anvil: Anvil, open_chain: Opener, without: tuple[str, ...]
) -> None:
    stage = Stage(fresh_anvil)
    chain = open_chain(settings(fresh_anvil, stage.token), without)
    stage.everything()
    blocks = await follow(chain, stage.watched, stage.start_ref())
    assert await residuals(chain, stage.watched, stage.start_ref(), blocks) == {}
    said = {sentence for block in blocks for sentence in block.unseen}
    assert said == ({UNPROVED_LOGS} if "eth_getBlockReceipts" in without else set())
    transactions = [t for block in blocks for t in block.transactions]
    assert sum(not t.succeeded for t in transactions) == 2
    assert all(len(t.legs) == 1 for t in transactions if not t.succeeded)
    # What we signed is there whether it moved anything or not.
    assert sum(bool(t.signers) for t in transactions) == 9
    watch = chain.watch(stage.watched, ())
    assert [await chain.read(block.ref, watch) for block in blocks] == blocks


async def test_without_traces_the_residual_is_exactly_what_could_not_be_seen(
    fresh_anvil: Anvil, open_chain: Opener
) -> None:
    stage = Stage(fresh_anvil)
    chain = open_chain(settings(fresh_anvil, stage.token), TRACES)
    stage.everything()
    blocks = await follow(chain, stage.watched, stage.start_ref())
    found = await residuals(chain, stage.watched, stage.start_ref(), blocks)
    assert {(a.locator, a.asset): units for a, units in found.items()} == {
        (stage.forwarder, "ETH"): -(11 + 13 + 19),
        (stage.cold, "ETH"): 13 + 17 + 2,
        (stage.hot, "ETH"): 19,
    }
    assert all(block.unseen for block in blocks if block.ref != blocks[-1].ref)
    assert (await chain.capabilities()).traces == "none"
    assert "traces no internal transfers" in (await chain.capabilities()).limits[0]


@pytest.fixture
def usual_recursion_limit() -> Iterator[None]:
    """Python's own: other tests of the same run may have left a higher one."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("usual_recursion_limit")
async def test_a_transaction_too_deep_to_trace_hides_no_theft(fresh_anvil: Anvil, open_chain: Opener) -> None:
    stage = Stage(fresh_anvil)
    diver = stage.deploy(DIVER)
    chain = open_chain(settings(fresh_anvil, stage.token))
    fresh_anvil.rpc("evm_setAutomine", False)
    stage.forward(stage.stranger, 11)
    call = {"from": stage.stranger, "to": diver, "gas": hex(25_000_000)}
    dive = fresh_anvil.rpc("eth_sendTransaction", call)
    fresh_anvil.mine()
    assert fresh_anvil.receipt(dive)["status"] == "0x1"
    blocks = await follow(chain, stage.watched, stage.start_ref())
    assert blocks[-1].unseen == (UNSEEN_HERE,)
    found = await residuals(chain, stage.watched, stage.start_ref(), blocks)
    assert found == {Account("ethereum", stage.forwarder, "ETH"): -11}


async def test_a_watched_fee_recipient_earns_exactly_what_the_node_says(fresh_anvil: Anvil, open_chain: Opener) -> None:
    stage = Stage(fresh_anvil)
    fresh_anvil.rpc("anvil_setCoinbase", stage.miner)
    for without in ((), ("eth_getBlockReceipts",)):
        start = (await open_chain(settings(fresh_anvil, stage.token)).heads()).seen
        stage.everything()
        chain = open_chain(settings(fresh_anvil, stage.token), without)
        blocks = await follow(chain, [stage.miner], start)
        assert await residuals(chain, [stage.miner], start, blocks) == {}
        kinds = {t.kind for block in blocks for t in block.transactions}
        assert kinds == {TransactionKind.REWARD}
        assert sum(moved(block).total() for block in blocks) > 0


class Delegation:
    """One of our keys (EIP-7702), and a stranger who pays for what it authorises."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.node = stage, stage.node
        self.own, self.sponsor = KeyedAccount.create(), KeyedAccount.create()
        for each in (self.own, self.sponsor):
            self.node.rpc("anvil_setBalance", each.address, hex(WEI_PER_ETH))
        self.node.mine()

    def authorise(self, nonce: int, chain_id: int = 0) -> Any:
        choice = {"chainId": chain_id, "address": self.stage.factory, "nonce": nonce}
        return self.own.sign_authorization(choice)

    def send(self, sender: LocalAccount, to: str, *authorisations: Any) -> dict[str, Any]:
        nonce = int(self.node.rpc("eth_getTransactionCount", sender.address, "latest"), 16)
        fields: dict[str, Any] = {
            "type": 4, "chainId": self.node.chain_id, "nonce": nonce, "to": spelled(to), "value": 0, "gas": 900_000,
            "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1, "authorizationList": authorisations,
        }  # fmt: skip
        signed = sender.sign_transaction(fields)
        return self.node.receipt(self.node.rpc("eth_sendRawTransaction", signed.raw_transaction.to_0x_hex()))


@pytest.mark.parametrize("without", [(), TRACES[:1], ("eth_getBlockReceipts",)], ids=["tree", "flat", "no receipts"])
async def test_every_step_of_a_nonce_is_explained_by_its_transaction(
    fresh_anvil: Anvil, open_chain: Opener, without: tuple[str, ...]
) -> None:
    stage = Stage(fresh_anvil)
    stage.factory = stage.deploy(FACTORY)
    keyed = Delegation(stage)
    start = stage.ref()
    keyed.send(
        keyed.sponsor,
        stage.stranger,
        keyed.authorise(0),
        keyed.authorise(7),
        keyed.authorise(1, chain_id=5),
        keyed.authorise(1, chain_id=fresh_anvil.chain_id),
    )
    fresh_anvil.receipt(stage.send(stage.stranger, keyed.own.address))
    fresh_anvil.receipt(stage.send(stage.stranger, stage.factory))
    failed = keyed.send(keyed.sponsor, stage.reverter, keyed.authorise(4))
    assert failed["status"] == "0x0"
    keyed.send(keyed.own, stage.stranger, keyed.authorise(6))
    fresh_anvil.receipt(stage.send(stage.hot, stage.reverter, 1))
    new = stage.deploy(REVERTER, sender=stage.created_by)

    chain = open_chain(settings(fresh_anvil, stage.token), without)
    watched = [keyed.own.address, stage.factory, stage.hot, stage.created_by, stage.cold, new]
    sequences = await chain.sequences(watched, start)
    steps = []
    for block in await follow(chain, watched, start):
        expected = Counter(sequences)
        for transaction in block.transactions:
            expected.update(transaction.steps)
            steps.append(dict(transaction.steps))
        sequences = await chain.sequences(watched, block.ref)
        assert sequences == {locator: expected[locator] for locator in watched}
    own = keyed.own.address
    assert steps == [
        {own: 2},
        {own: 2},
        {stage.factory: 2},
        {own: 1},
        {own: 2},
        {stage.hot: 1},
        {stage.created_by: 1, new: 1},
    ]
    assert (await chain.open_at(watched, start)).sequences[own] == 0


async def test_an_authorization_is_no_signature_and_is_named(fresh_anvil: Anvil, open_chain: Opener) -> None:
    stage = Stage(fresh_anvil)
    stage.factory = stage.deploy(FACTORY)
    keyed = Delegation(stage)
    start = stage.ref()
    keyed.send(keyed.sponsor, stage.stranger, keyed.authorise(0))
    chain = open_chain(settings(fresh_anvil, stage.token))
    (transaction,) = [t for b in await follow(chain, [keyed.own.address], start) for t in b.transactions]
    assert transaction.signers == frozenset()
    assert transaction.movements == ()
    assert transaction.parties["authorised"] == keyed.own.address.lower()
    assert transaction.parties["delegate"] == stage.factory.lower()


async def test_a_theft_through_a_contract_names_both_ends(anvil: Anvil, open_chain: Opener) -> None:
    stage = Stage(anvil)
    chain = open_chain(settings(anvil, stage.token))
    thief = new_address()
    txid = stage.forward(thief, 3 * 10**17)
    anvil.receipt(txid)
    (transaction,) = [t for b in await follow(chain, [stage.forwarder], stage.start_ref()) for t in b.transactions]
    (leg,) = transaction.legs
    assert (transaction.txid, leg.source, leg.destination) == (txid, stage.forwarder, thief)
    assert leg.units == 3 * 10**17
    assert transaction.signers == frozenset()


async def test_accounts_follow_a_reorganisation(fresh_anvil: Anvil, open_chain: Opener) -> None:
    stage = Stage(fresh_anvil)
    chain = open_chain(settings(fresh_anvil, stage.token))
    for n in range(3):
        fresh_anvil.receipt(stage.send(stage.rich, stage.hot, n + 1))
    before = await follow(chain, stage.watched, stage.start_ref())
    fresh_anvil.reorg(3)
    fresh_anvil.receipt(stage.send(stage.rich, stage.hot, 100))
    watch = chain.watch(stage.watched, ())
    for block in before:
        assert not await chain.is_canonical(block.ref)
        with pytest.raises(Reorganised):
            await chain.read_next(block.ref, watch)
        with pytest.raises(Reorganised):
            await chain.holdings([Account("ethereum", stage.hot, "ETH")], block.ref)
    assert await chain.is_canonical(stage.start_ref())
    after = await follow(chain, stage.watched, stage.start_ref())
    assert len(after) == 4
    assert sum((moved(block) for block in after), Counter()) == {Account("ethereum", stage.hot, "ETH"): 100}
    assert await residuals(chain, stage.watched, stage.start_ref(), after) == {}


async def test_a_head_that_sinks_is_no_reorganisation_until_there_is_another_block(
    fresh_anvil: Anvil, open_chain: Opener
) -> None:
    chain = open_chain(settings(fresh_anvil))
    fresh_anvil.mine(6)
    head = (await chain.heads()).seen
    fresh_anvil.rollback(2)
    with pytest.raises(AllEndpointsFailed):
        await chain.is_canonical(head)
    fresh_anvil.rpc("evm_increaseTime", "0x64")
    fresh_anvil.mine(3)
    assert not await chain.is_canonical(head)


async def test_ten_thousand_balances_are_read_at_one_block(anvil: Anvil, open_chain: Opener) -> None:
    addresses = [new_address() for _ in range(10_000)]
    wei = {address: secrets.randbelow(2**100) for address in addresses}
    anvil.batch([("anvil_setBalance", [address, hex(units)]) for address, units in wei.items()])
    anvil.mine()
    chain = open_chain(settings(anvil))
    at = (await chain.heads()).seen
    # The node keeps the state of a block when the next one is mined: what is set before that counts back.
    anvil.mine()
    anvil.batch([("anvil_setBalance", [address, "0x1"]) for address in addresses[:5_000]])
    anvil.mine()
    began = time.monotonic()
    opening = await chain.open_at(addresses, at)
    assert time.monotonic() - began < 20
    assert opening.holdings == {Account("ethereum", address, "ETH"): units for address, units in wei.items()}


async def test_a_token_that_is_not_as_configured_is_wrong_before_anything_is_read(
    anvil: Anvil, open_chain: Opener
) -> None:
    stage = Stage(anvil)
    good = settings(anvil, stage.token)
    assert [i.state for i in await open_chain(good).identify()] == ["right"]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"tokens": {"USDT": {"contract": stage.token}}}, "has 6 decimals on chain and 8 in the configuration"),
        ({"tokens": {"USDT": {"contract": stage.hot}}}, "there is no contract at"),
        ({"chain_id": 1}, "serves chain id 31337, 1 is configured"),
    ]
    for change, says in cases:
        (identity,) = await open_chain(settings(anvil, stage.token, **change)).identify()
        assert identity.state == "wrong"
        assert says in identity.detail


async def test_a_token_address_without_code_is_never_a_zero(anvil: Anvil, open_chain: Opener) -> None:
    nobody = new_address()
    chain = open_chain(settings(anvil, nobody))
    with pytest.raises(ChainError) as caught:
        await chain.open_at([nobody], (await chain.heads()).seen)
    assert isinstance(caught.value, AllEndpointsFailed)
    assert f"USDT: there is no token at {nobody}" in str(caught.value.exceptions[0])


@pytest.mark.parametrize(("finality", "depth"), [("safe", 2), ("finalized", 4), (3, 3), (1_000, None)])
async def test_the_final_block_is_the_nodes_or_the_numbers(
    fresh_anvil: Anvil, open_chain: Opener, finality: object, depth: int | None
) -> None:
    fresh_anvil.mine(10)
    heads = await open_chain(settings(fresh_anvil, finality=finality)).heads()
    assert heads.seen.height == 10
    assert heads.final.height == (0 if depth is None else 10 - depth)


def mine_later(node: Anvil) -> None:
    time.sleep(0.1)
    node.mine()


async def test_a_new_head_over_websocket_wakes_the_wait(fresh_anvil: Anvil, tmp_path: Path) -> None:
    conf = settings(fresh_anvil, urls=(fresh_anvil.ws_url, "ws://127.0.0.1:9"))
    chain = connect("ethereum", conf, DECIMALS, tmp_path)
    try:
        await chain.wait(0.5)  # connects and subscribes meanwhile
        await chain.wait(0.1)
        mined = asyncio.create_task(asyncio.to_thread(mine_later, fresh_anvil))
        began = time.monotonic()
        await chain.wait(60.0)
        assert time.monotonic() - began < 0.9
        await mined
        began = time.monotonic()
        await chain.wait(60.0)
        assert 0.9 < time.monotonic() - began < 5
    finally:
        await chain.close()
