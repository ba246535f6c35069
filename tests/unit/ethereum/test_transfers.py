from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.core.errors import BadAnswer
from chains.ethereum.blocks import RawBlock, full_block
from chains.ethereum.transfers import Trace, Transfer, from_call_trees, from_flat_traces
from tests.unit.ethereum.shapes import Tx, addr, call, flat, make_block

A, B, C, D = 0xA, 0xB, 0xC, 0xD


def both(*txs: Tx) -> dict[int, list[Transfer]]:
    """Transfers of a block, which must be the same from both forms."""
    return {position: trace.transfers for position, trace in traces(*txs).items()}


def traces(*txs: Tx) -> dict[int, Trace]:
    made = make_block(5, txs)
    block = full_block("ethereum", made["block"])
    trees = from_call_trees(block, made["traces"])
    assert from_flat_traces(block, flat(made)) == trees
    return trees


def moved(source: int, to: int, wei: int) -> Transfer:
    return Transfer(addr(source), addr(to), wei)


def test_the_whole_tree_is_walked_callers_first() -> None:
    trace = call(A, B, 5, call(B, C, 3, call(C, D, 1)), call(B, A, 2))
    assert both(Tx(A, B, 5, trace=trace)) == {0: [moved(A, B, 5), moved(B, C, 3), moved(C, D, 1), moved(B, A, 2)]}


def test_a_reverted_call_takes_everything_below_it_along_and_nothing_beside_it() -> None:
    trace = call(A, B, 0, call(B, C, 3, call(C, D, 1), error="out of gas"), call(B, D, 2))
    assert both(Tx(A, B, trace=trace)) == {0: [moved(B, D, 2)]}


def test_a_reverted_transaction_moves_nothing() -> None:
    assert both(Tx(A, B, 5, trace=call(A, B, 5, call(B, C, 1)), ok=False)) == {}


@pytest.mark.parametrize("kind", ["DELEGATECALL", "CALLCODE", "STATICCALL"])
def test_calls_that_borrow_code_or_only_look_move_nothing_but_their_inner_calls_do(kind: str) -> None:
    assert both(Tx(A, B, trace=call(A, B, 0, call(B, C, 7, call(B, D, 1), type=kind)))) == {0: [moved(B, D, 1)]}


def test_creations_and_selfdestructs_move_value() -> None:
    trace = call(A, B, 0, call(B, C, 4, type="CREATE2"), call(B, D, 9, type="SELFDESTRUCT"))
    assert both(Tx(A, B, trace=trace)) == {0: [moved(B, C, 4), moved(B, D, 9)]}
    assert both(Tx(A, None, 6, created=D)) == {0: [moved(A, D, 6)]}


def steps(trace: dict[str, Any]) -> dict[int, int]:
    found = traces(Tx(A, B, trace=trace))
    return {int(address, 16): count for each in found.values() for address, count in each.steps.items()}


def test_code_that_creates_a_contract_counts_its_account_up_and_the_new_one_begins_at_one() -> None:
    trace = call(A, B, 0, call(B, C, 0, call(C, D, 0, type="CREATE2"), type="CREATE"))
    assert steps(trace) == {B: 1, C: 2, D: 1}
    assert steps(call(A, B, 0, call(B, C, 0, call(B, D, 0, type="CREATE"), type="DELEGATECALL"))) == {B: 1, D: 1}


def test_a_creation_that_fails_has_counted_unless_it_could_not_begin() -> None:
    def failing(error: str) -> dict[int, int]:
        return steps(call(A, B, 0, call(B, C, 0, call(C, D, 0, type="CREATE"), type="CREATE", error=error)))

    for error in ("execution reverted", "out of gas", "contract address collision", "Reverted"):
        assert failing(error) == {B: 1}
    for error in ("insufficient balance for transfer", "max call depth exceeded", "OutOfFunds", "CallTooDeep"):
        assert failing(error) == {}


def test_a_creation_in_a_call_that_reverts_never_was() -> None:
    trace = call(A, B, 0, call(B, C, 0, call(C, D, 0, type="CREATE"), error="execution reverted"))
    assert steps(trace) == {}
    assert steps(call(A, B, 0, call(B, C, 0, type="CREATE"), error="out of gas")) == {}


def test_the_creation_that_a_transaction_is_counts_for_its_sender_elsewhere() -> None:
    assert traces(Tx(A, None, 0, created=D)) == {}


def test_calls_may_nest_as_deep_as_the_protocol_allows() -> None:
    trace = call(A, B, 1)
    for _ in range(1_024):
        trace = call(B, B, 0, trace)
    made = make_block(5, [Tx(B, B, trace=trace)])
    found = from_call_trees(full_block("ethereum", made["block"]), made["traces"])
    assert found == {0: Trace([moved(A, B, 1)])}


frames = st.recursive(
    st.builds(call, st.integers(1, 5), st.integers(1, 5), st.integers(0, 3)),
    lambda inner: st.builds(
        lambda calls, kind, error, wei: call(1, 2, wei, *calls, type=kind, **({"error": "x"} if error else {})),
        st.lists(inner, max_size=3),
        st.sampled_from(["CALL", "DELEGATECALL", "STATICCALL", "CALLCODE", "CREATE", "SELFDESTRUCT"]),
        st.booleans(),
        st.integers(0, 3),
    ),
    max_leaves=12,
)


@given(frames)
def test_both_forms_of_traces_say_the_same(frame: dict[str, Any]) -> None:
    both(Tx(int(frame["from"], 16), 2, trace=frame))


def _block() -> tuple[RawBlock, dict[str, Any]]:
    made = make_block(5, [Tx(A, B, 5), Tx(C, D, 1)])
    return full_block("ethereum", made["block"]), made


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda t: t[:1], "gave 1 traces for 2"),
        (lambda t: None, "must be a list"),
        (lambda t: t[::-1], "of another transaction"),
        (lambda t: [t[0], {"txHash": t[1]["txHash"], "error": "timeout"}], "has no trace"),
        (lambda t: [{"result": t[1]["result"]}, t[1]], "another sender"),
        (lambda t: [t[0], t[1] | {"result": t[1]["result"] | {"value": "5"}}], "not a quantity"),
        (lambda t: [t[0], t[1] | {"result": t[1]["result"] | {"calls": ["x"]}}], "must be an object"),
    ],
)
def test_call_trees_that_cannot_be_of_this_block_are_bad_answers(spoil: Any, says: str) -> None:
    block, made = _block()
    with pytest.raises(BadAnswer, match=says):
        from_call_trees(block, spoil(made["traces"]))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda t: t[:1], "gave no trace of"),
        (lambda t: [], "gave no trace of"),
        (lambda t: None, "must be a list"),
        (lambda t: [t[0] | {"blockHash": "0x" + "1" * 64}, t[1]], "another block"),
        (lambda t: [t[0] | {"transactionPosition": 7}, t[1]], "position 7"),
        (lambda t: [t[0] | {"transactionPosition": 1}, t[1]], "of another transaction"),
        (lambda t: [*t, t[1]], "do not form a tree"),
        (lambda t: [t[0] | {"traceAddress": [0]}, t[1]], "do not form a tree"),
        (lambda t: [t[0] | {"traceAddress": None}, t[1]], "list of numbers"),
        (lambda t: [t[0] | {"action": None}, t[1]], "must have an action"),
    ],
)
def test_flat_traces_that_cannot_be_of_this_block_are_bad_answers(spoil: Any, says: str) -> None:
    block, made = _block()
    with pytest.raises(BadAnswer, match=says):
        from_flat_traces(block, spoil(flat(made)))


def test_rewards_of_old_chains_in_flat_traces_are_no_transfers_of_a_transaction() -> None:
    block, made = _block()
    reward = {"type": "reward", "blockHash": block.ref.hash, "transactionPosition": None, "action": {"value": "0x1"}}
    assert from_flat_traces(block, [*flat(made), reward]) == from_flat_traces(block, flat(made))
