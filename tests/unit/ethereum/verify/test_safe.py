from __future__ import annotations

from typing import Any

import pytest

from chains.core.errors import BadAnswer
from chains.ethereum.verify.safe import EXECUTION_SUCCESS, SafeExecution, safe_executions
from tests.unit.ethereum.verify.tries import other_hash

SAFE, HASH, PAYMENT = "0x" + "5a" * 20, "0x" + "1234" * 16, "00" * 31 + "05"


def log(*topics: Any, data: Any, address: Any = SAFE) -> dict[str, Any]:
    return {"address": address, "topics": list(topics), "data": data}


def test_the_topic_is_the_events() -> None:
    assert "0x" + other_hash(b"ExecutionSuccess(bytes32,uint256)").hex() == EXECUTION_SUCCESS


def test_the_hash_is_read_from_the_data_as_old_safes_log_it_and_from_a_topic_as_new_ones_do() -> None:
    old = log(EXECUTION_SUCCESS, data=HASH + PAYMENT)
    new = log(EXECUTION_SUCCESS, HASH, data="0x" + PAYMENT)
    assert safe_executions([old]) == safe_executions([new]) == (SafeExecution(SAFE, HASH),)
    assert safe_executions([old, new]) == (SafeExecution(SAFE, HASH),) * 2


def test_spellings_in_capitals_are_the_same() -> None:
    capitals = log("0x" + EXECUTION_SUCCESS[2:].upper(), "0x" + HASH[2:].upper(), data="0x" + PAYMENT)
    assert safe_executions([capitals | {"address": "0x" + SAFE[2:].upper()}]) == (SafeExecution(SAFE, HASH),)


def test_failures_other_events_and_other_forms_are_no_executions() -> None:
    failure = "0x" + other_hash(b"ExecutionFailure(bytes32,uint256)").hex()
    logs = [
        log(failure, HASH, data="0x" + PAYMENT),
        log(data=HASH + PAYMENT),
        log(EXECUTION_SUCCESS, data="0x" + PAYMENT),
        log(EXECUTION_SUCCESS, HASH, data=HASH + PAYMENT),
        log(EXECUTION_SUCCESS, HASH, HASH, data="0x"),
        log(EXECUTION_SUCCESS, data="0x"),
    ]
    assert safe_executions(logs) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        log(EXECUTION_SUCCESS, HASH, data=None),
        log(EXECUTION_SUCCESS, "0x12", data="0x" + PAYMENT),
        log(EXECUTION_SUCCESS, HASH, data="0x" + PAYMENT, address=None),
        {"address": SAFE, "topics": None, "data": "0x"},
    ],
)
def test_a_log_that_is_malformed_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer):
        safe_executions([wrong])
