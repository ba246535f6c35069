from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chains.core.errors import AllEndpointsFailed, BadAnswer, ChainError, QuorumLost, Reorganised, Unreachable
from chains.core.quorum import SETBACK_SECONDS
from chains.core.values import Block
from chains.ethereum.address import canonical_address
from chains.ethereum.details import UNSEEN_HERE
from chains.ethereum.extract import UNSEEN_INTERNAL
from chains.ethereum.nodes import DOUBT_SECONDS
from tests.unit.ethereum.shapes import (
    FakeNode,
    Refusal,
    Tx,
    addr,
    block_hash,
    call,
    make_block,
    make_chain,
    ref_of,
    transfer_log,
    word,
)

COLD, HOT, STRANGER, CONTRACT = 0xC01D, 0x407, 0x57, 0xC0
INNER = Tx(STRANGER, CONTRACT, trace=call(STRANGER, CONTRACT, 0, call(CONTRACT, COLD, 3)))
EMPTY = make_block(4)
FULL = make_block(5, [Tx(COLD, STRANGER, 5), Tx(STRANGER, 1, logs=[transfer_log(STRANGER, HOT, 2)]), INNER])
TOP = make_block(6)
WATCHED = [canonical_address(addr(n)) for n in (COLD, HOT)]


def node() -> FakeNode:
    return FakeNode(EMPTY, FULL, TOP)


async def next_of(*nodes: FakeNode) -> Block | None:
    chain = make_chain(*nodes)
    return await chain.read_next(ref_of(EMPTY), chain.watch(WATCHED, ()))


async def failure(*nodes: FakeNode) -> ChainError:
    """The single cause of a read that fails."""
    with pytest.raises(ChainError) as caught:
        await next_of(*nodes)
    error = caught.value
    if isinstance(error, AllEndpointsFailed):
        (cause,) = error.exceptions
        assert isinstance(cause, ChainError)
        return cause
    return error


async def test_the_next_block_takes_two_exchanges_and_reads_the_same_by_hash() -> None:
    wire = node()
    chain = make_chain(wire)
    watch = chain.watch(WATCHED, ())
    block = await chain.read_next(ref_of(EMPTY), watch)
    assert wire.exchanges == 2
    assert block is not None
    assert block.ref == ref_of(FULL)
    assert [len(t.movements) for t in block.transactions] == [2, 1, 1]
    assert block.unseen == ()
    assert await chain.read(ref_of(FULL), watch) == block


def shouted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shouted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shouted(each) for each in value]
    return "0x" + value[2:].upper() if isinstance(value, str) and value.startswith("0x") else value


async def test_upper_case_hex_means_the_same() -> None:
    wire = node()
    for method in ("eth_getBlockReceipts", "eth_getBlockByNumber", "debug_traceBlockByHash"):
        wire.change[method] = lambda params, answer: shouted(answer)
    assert await next_of(wire) == await next_of(node())


async def test_an_empty_block_takes_one_exchange() -> None:
    wire = node()
    chain = make_chain(wire)
    block = await chain.read_next(ref_of(FULL), chain.watch(WATCHED, ()))
    assert block == Block(ref_of(TOP), ())
    assert wire.exchanges == 1


async def test_there_is_nothing_after_the_head() -> None:
    chain = make_chain(node())
    assert await chain.read_next(ref_of(TOP), chain.watch(WATCHED, ())) is None


async def test_null_below_the_head_is_a_bad_answer_and_never_the_end_of_the_chain() -> None:
    wire = node()
    wire.change["eth_getBlockByNumber"] = lambda params, answer: None if params == ["0x5", True] else answer
    assert "not above its head" in str(await failure(wire))


async def test_a_node_that_is_behind_says_nothing_about_the_chain() -> None:
    wire = node()
    chain = make_chain(wire)
    later = ref_of(make_block(9))
    for read in (
        chain.read_next(later, chain.watch((), ())),
        chain.read(later, chain.watch((), ())),
        chain.is_canonical(later),
    ):
        with pytest.raises(AllEndpointsFailed) as caught:
            await read
        assert all(isinstance(e, BadAnswer) and "behind" in str(e) for e in caught.value.exceptions)


async def test_a_replaced_block_is_a_reorganisation() -> None:
    wire = node()
    wire.put(make_block(4, fork=1), make_block(5, fork=1))
    chain = make_chain(wire)
    with pytest.raises(Reorganised):
        await chain.read_next(ref_of(EMPTY), chain.watch((), ()))
    with pytest.raises(Reorganised):
        await chain.read(ref_of(FULL), chain.watch((), ()))
    assert not await chain.is_canonical(ref_of(EMPTY))
    assert await chain.is_canonical(ref_of(TOP))


async def test_a_chain_that_turns_between_two_answers_is_a_reorganisation() -> None:
    wire = node()
    turned = make_block(5, fork=1)

    def turn(params: list[Any], answer: Any) -> Any:
        if params == ["0x5", True]:
            wire.put(make_block(4, fork=1), turned)
            return turned["block"]
        return answer

    wire.change["eth_getBlockByNumber"] = turn
    assert isinstance(await failure(wire), Reorganised)


async def test_a_block_that_does_not_stand_on_its_parent_is_a_contradiction() -> None:
    wire = node()
    wire.put(make_block(5, parent_fork=3))
    cause = await failure(wire)
    assert isinstance(cause, BadAnswer)
    assert "does not stand on" in str(cause)


async def test_a_header_that_changed_under_the_same_hash_is_a_contradiction() -> None:
    chain = make_chain(FakeNode(EMPTY, make_block(5, time=7), TOP))
    with pytest.raises(AllEndpointsFailed, match="no endpoint"):
        await chain.read(ref_of(FULL), chain.watch((), ()))


def cut(params: list[Any], answer: Any) -> Any:
    return answer[:-1]


def first(**fields: Any) -> Callable[[list[Any], Any], Any]:
    return lambda params, answer: [answer[0] | fields, *answer[1:]]


def in_log(**fields: Any) -> Callable[[list[Any], Any], Any]:
    def spoil(params: list[Any], answer: Any) -> Any:
        return [r | {"logs": [log | fields for log in r["logs"]]} for r in answer]

    return spoil


def in_tx(**fields: Any) -> Callable[[list[Any], Any], Any]:
    return lambda params, answer: answer | {"transactions": [t | fields for t in answer["transactions"]]}


@pytest.mark.parametrize(
    ("method", "spoil", "says"),
    [
        ("eth_getBlockReceipts", cut, "gave 2 receipts for 3 transactions"),
        ("eth_getBlockReceipts", lambda p, a: None, "has no receipts"),
        ("eth_getBlockReceipts", lambda p, a: {}, "must be a list"),
        ("eth_getBlockReceipts", lambda p, a: [None, *a[1:]], "has no receipt of"),
        ("eth_getBlockReceipts", lambda p, a: a[::-1], "of another transaction"),
        ("eth_getBlockReceipts", first(blockHash=block_hash(4)), "from another block"),
        ("eth_getBlockReceipts", first(transactionIndex="0x2"), "another position"),
        ("eth_getBlockReceipts", first(logs=None), "logs must be a list"),
        ("eth_getBlockReceipts", first(effectiveGasPrice=None), "effectiveGasPrice"),
        ("eth_getBlockReceipts", in_log(removed=True), "marked as removed"),
        ("eth_getBlockReceipts", in_log(blockHash=block_hash(4)), "from another block"),
        ("eth_getBlockReceipts", in_log(transactionHash=block_hash(4)), "of another transaction"),
        ("eth_getBlockReceipts", in_log(topics="x"), "object with topics"),
        ("eth_getBlockReceipts", in_log(topics=[1, 2, 3]), "log.topic"),
        ("eth_getBlockReceipts", in_log(data=word(1)[2:] + "zz"), "log.data"),
        ("eth_getBlockByNumber", lambda p, a: a | {"number": "0x9"}, "answered 9"),
        ("eth_getBlockByNumber", lambda p, a: a | {"hash": "0x12"}, "block.hash"),
        ("eth_getBlockByNumber", lambda p, a: a | {"hash": a["hash"][2:]}, "block.hash"),
        ("eth_getBlockByNumber", lambda p, a: a | {"transactions": None}, "transactions must be a list"),
        ("eth_getBlockByNumber", lambda p, a: a | {"transactions": a["transactions"][1:]}, "says it is transaction"),
        ("eth_getBlockByNumber", lambda p, a: a | {"transactions": ["0x12"] * 3}, "must be an object"),
        ("eth_getBlockByNumber", in_tx(blockHash=block_hash(4)), "names another block"),
        ("eth_getBlockByNumber", in_tx(value=None), "transaction.value"),
        ("eth_getBlockByNumber", in_tx(hash="0x12"), "transaction.hash"),
        ("eth_getBlockByNumber", lambda p, a: a | {"withdrawals": [7]}, "must be an object"),
        ("eth_getBlockByNumber", lambda p, a: a | {"withdrawals": {}}, "must be a list"),
        ("eth_getBlockByNumber", lambda p, a: "x", "must be an object"),
        ("eth_blockNumber", lambda p, a: 6, "eth_blockNumber"),
    ],
)
async def test_answers_that_cannot_be_true_go_to_the_next_endpoint(method: str, spoil: Any, says: str) -> None:
    liar = node()
    if method == "eth_blockNumber":
        liar.made.pop(5)
    liar.change[method] = spoil
    assert says in str(await failure(liar))
    honest = node()
    assert await next_of(liar, honest) == await next_of(node())
    assert honest.asked


async def test_every_cause_is_kept_and_names_its_endpoint() -> None:
    liar, silent = node(), node()
    liar.change["eth_getBlockReceipts"] = cut
    silent.down = Unreachable("no connection")
    with pytest.raises(AllEndpointsFailed) as caught:
        await next_of(liar, silent)
    texts = [str(error) for error in caught.value.exceptions]
    assert texts[0].startswith("endpoint-1: ")
    assert texts[1].startswith("endpoint-2: ")


async def test_without_the_call_tracer_the_flat_traces_serve() -> None:
    wire = node()
    wire.refuse = {"debug_traceBlockByHash"}
    assert await next_of(wire) == await next_of(node())
    assert wire.asked.count("trace_block") == 1


async def test_without_any_traces_the_block_says_what_is_unseen() -> None:
    wire = node()
    wire.refuse = {"debug_traceBlockByHash", "trace_block"}
    block = await next_of(wire)
    assert block is not None
    assert block.unseen == (UNSEEN_INTERNAL,)
    assert [t.position for t in block.transactions] == [0, 1]


async def test_an_endpoint_is_asked_once_what_it_offers() -> None:
    wire = node()
    wire.refuse = {"debug_traceBlockByHash", "trace_block", "eth_getBlockReceipts"}
    chain = make_chain(wire)
    watch = chain.watch(WATCHED, ())
    await chain.read_next(ref_of(EMPTY), watch)
    wire.asked.clear()
    await chain.read_next(ref_of(EMPTY), watch)
    assert not wire.refuse & set(wire.asked)


async def test_without_block_receipts_logs_name_the_transactions_whose_receipts_are_read() -> None:
    wire = node()
    wire.refuse = {"eth_getBlockReceipts"}
    assert await next_of(wire) == await next_of(node())
    assert wire.asked.count("eth_getTransactionReceipt") == 3
    wire.made[5] = make_block(5, [Tx(STRANGER, 1), Tx(STRANGER, 1), Tx(COLD, 1)])
    wire.asked.clear()
    await next_of(wire)
    assert wire.asked.count("eth_getTransactionReceipt") == 1


async def test_without_block_receipts_and_tokens_no_log_is_asked_for() -> None:
    wire = node()
    wire.refuse = {"eth_getBlockReceipts"}
    chain = make_chain(wire, tokens={})
    block = await chain.read_next(ref_of(EMPTY), chain.watch(WATCHED, ()))
    assert block is not None
    assert [t.position for t in block.transactions] == [0, 2]
    assert "eth_getLogs" not in wire.asked


async def test_without_block_receipts_a_watched_fee_recipient_needs_every_receipt() -> None:
    full = make_block(5, [Tx(STRANGER, 1), Tx(STRANGER, 1)], miner=addr(HOT))
    poor, rich = FakeNode(EMPTY, full), FakeNode(EMPTY, full)
    poor.refuse = {"eth_getBlockReceipts"}
    block = await next_of(poor)
    assert block == await next_of(rich)
    assert block is not None
    assert len(block.transactions) == 1


def pruned(params: list[Any], answer: Any) -> Any:
    raise Refusal(-32000, "required historical state unavailable (reexec=128)")


def late(params: list[Any], answer: Any) -> Any:
    raise Unreachable("no answer within 10 s")


def large(params: list[Any], answer: Any) -> Any:
    raise BadAnswer("answered more than 67108864 bytes")


@pytest.mark.parametrize("spoil", [pruned, late, large, cut], ids=["pruned", "late", "too large", "short"])
async def test_traces_that_nobody_can_give_do_not_blind_us_and_the_block_says_so(spoil: Any) -> None:
    wire, whole = node(), node()
    chain = make_chain(wire)
    watch = chain.watch(WATCHED, ())
    assert await chain.read_next(ref_of(EMPTY), watch) == await next_of(whole)
    wire.change["debug_traceBlockByHash"] = spoil
    for block in (await chain.read_next(ref_of(EMPTY), watch), await chain.read(ref_of(FULL), watch)):
        assert block is not None
        assert block.unseen == (UNSEEN_HERE,)
        assert [t.position for t in block.transactions] == [0, 1]
    # Another endpoint that can is preferred to reading less.
    assert await next_of(wire, whole) == await next_of(whole)
    # The next block is tried with traces again.
    wire.change.clear()
    assert await chain.read_next(ref_of(EMPTY), watch) == await next_of(whole)


@pytest.mark.parametrize("spoil", [pruned, late])
async def test_an_endpoint_with_neither_block_receipts_nor_working_traces_is_still_read(spoil: Any) -> None:
    wire = node()
    wire.refuse = {"eth_getBlockReceipts"}
    wire.change["debug_traceBlockByHash"] = spoil
    block = await next_of(wire)
    assert block is not None
    assert block.unseen == (UNSEEN_HERE,)
    assert [t.position for t in block.transactions] == [0, 1]


async def test_a_provider_that_shuts_the_door_on_traces_is_read_without_and_tried_again_later() -> None:
    wire = node()

    def door(params: list[Any], answer: Any) -> Any:
        raise Unreachable("HTTP 403")

    wire.change["debug_traceBlockByHash"] = door
    chain = make_chain(wire)
    now = 0.0
    chain._nodes._monotonic = lambda: now
    watch = chain.watch(WATCHED, ())
    block = await chain.read_next(ref_of(EMPTY), watch)
    assert block is not None
    assert block.unseen == (UNSEEN_HERE,)
    wire.change.clear()
    again = await chain.read_next(ref_of(EMPTY), watch)
    assert again is not None
    assert again.unseen == (UNSEEN_INTERNAL,)
    now = DOUBT_SECONDS
    later = await chain.read_next(ref_of(EMPTY), watch)
    assert later is not None
    assert later.unseen == ()


async def test_the_endpoint_that_traces_is_asked_first_and_one_that_failed_last_for_a_while() -> None:
    poor, rich = node(), node()
    poor.refuse = {"debug_traceBlockByHash", "trace_block"}
    chain = make_chain(poor, rich)
    now = 0.0
    chain._panel._monotonic = lambda: now
    watch = chain.watch(WATCHED, ())

    async def unseen() -> int:
        block = await chain.read_next(ref_of(EMPTY), watch)
        assert block is not None
        return len(block.unseen)

    assert await unseen() == 1
    assert await unseen() == 0
    rich.down = Unreachable("gone")
    assert await unseen() == 1
    rich.down = None
    rich.asked.clear()
    assert await unseen() == 1
    assert "eth_getBlockReceipts" not in rich.asked
    now = SETBACK_SECONDS
    assert await unseen() == 0


async def test_a_quarantined_endpoint_is_not_read_from() -> None:
    one, two = node(), node()
    chain = make_chain(one, two)
    chain._rpc.quarantine("endpoint-1", "another chain")
    await chain.read_next(ref_of(EMPTY), chain.watch((), ()))
    assert not one.asked
    chain._rpc.quarantine("endpoint-2", "another chain")
    with pytest.raises(QuorumLost, match=r"every endpoint is in quarantine.*another chain"):
        await chain.read_next(ref_of(EMPTY), chain.watch((), ()))


async def test_a_hundred_thousand_watched_addresses_find_the_same() -> None:
    chain = make_chain(node())
    few = await chain.read_next(ref_of(EMPTY), chain.watch(WATCHED, ()))
    crowd = [*WATCHED, *(f"0x{n:040x}" for n in range(10**6, 11 * 10**5))]
    assert await chain.read_next(ref_of(EMPTY), chain.watch(crowd, ())) == few
    watch = chain.watch((), ())
    watch.add(WATCHED)
    assert await chain.read_next(ref_of(EMPTY), watch) == few


async def test_a_watch_of_another_chain_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError):
        await make_chain(node()).read_next(ref_of(EMPTY), object())  # type: ignore[arg-type]


async def test_a_deposit_is_found_without_block_receipts_and_without_traces() -> None:
    full = make_block(5, [Tx(STRANGER, 1, 1), Tx(STRANGER, HOT, 5)])
    poor = FakeNode(EMPTY, full)
    poor.refuse = {"eth_getBlockReceipts", "debug_traceBlockByHash", "trace_block"}
    block = await next_of(poor)
    assert block is not None
    assert [(t.position, len(t.movements)) for t in block.transactions] == [(1, 1)]


async def test_an_endpoint_that_was_only_down_is_not_taken_for_one_without_traces() -> None:
    wire = node()
    chain = make_chain(wire)
    watch = chain.watch(WATCHED, ())

    def gone(params: list[Any], answer: Any) -> Any:
        raise Unreachable("no connection")

    wire.change["eth_getBlockReceipts"] = gone
    with pytest.raises(AllEndpointsFailed):
        await chain.read_next(ref_of(EMPTY), watch)
    wire.change.clear()
    assert await chain.read_next(ref_of(EMPTY), watch) == await next_of(node())
    wire.change["debug_traceBlockByHash"] = pruned
    await chain.read_next(ref_of(EMPTY), watch)
    wire.change.clear()
    assert await chain.read_next(ref_of(EMPTY), watch) == await next_of(node())
