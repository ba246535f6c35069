"""What a Safe says of itself: which of its transactions were executed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chains.core.errors import BadAnswer
from chains.ethereum.verify.fields import Json, array, text

#: keccak of ExecutionSuccess(bytes32,uint256): the Safe transaction hash, and what was paid to the executor.
EXECUTION_SUCCESS = "0x442e715f626346e8c54381002da614f62bee8d27386535b2521ec8540898556e"


@dataclass(frozen=True, slots=True)
class SafeExecution:
    """A transaction that a Safe executed: its address in lower case and the hash that its owners signed.

    Any contract can log the same: believe it of a Safe that is watched, of no other address.
    """

    safe: str
    hash: str


def safe_executions(logs: Iterable[Json]) -> tuple[SafeExecution, ...]:
    """The executions among the logs of one receipt, in their order. Raises BadAnswer for a log that is none.

    Up to version 1.3.0 the hash is in the data, from 1.4.0 on it is indexed.
    """
    found = []
    for log in logs:
        topics = array(log, "topics", "log.topics")
        if not topics or not isinstance(topics[0], str) or topics[0].lower() != EXECUTION_SUCCESS:
            continue
        hash_ = _hash(log, topics)
        if hash_ is not None:
            found.append(SafeExecution(text(log.get("address"), "log.address", 20), hash_))
    return tuple(found)


def _hash(log: Json, topics: list[str]) -> str | None:
    """None where the log has the event's name and another form: then it is not a Safe's."""
    data = log.get("data")
    if not isinstance(data, str):
        raise BadAnswer(f"log.data must be text, not {type(data).__name__}")
    if len(topics) == 2 and len(data) == 2 + 2 * 32:
        return text(topics[1], "log.topic", 32)
    if len(topics) == 1 and len(data) == 2 + 2 * 64:
        return text(data, "log.data", 64)[: 2 + 2 * 32]
    return None
