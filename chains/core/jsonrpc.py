"""JSON-RPC 2.0 on the wire: requests out, replies in, nothing believed and no digit lost.

Errors raised here name neither endpoint nor call; the RPC client puts both in front.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from chains.core.errors import BadAnswer, ChainError, NodeError, RateLimited, Unreachable
from chains.core.strictjson import loads

Params = Sequence[object] | Mapping[str, object]
Translate = Callable[[NodeError], ChainError]

#: The longest node text that is kept of an error.
_TEXT = 200


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back over HTTP, read to its end. ``hide``: secrets that no message may repeat."""

    status: int
    body: bytes
    content_type: str = ""
    retry_after: str | None = None
    hide: tuple[str, ...] = field(default=(), repr=False)


class BatchRefused(NodeError):
    """The endpoint answered a whole batch with one error: it takes smaller ones, or none."""


def request(ident: int, method: str, params: Params) -> dict[str, object]:
    """One call as a JSON object."""
    named = params if isinstance(params, Mapping) else list(params)
    return {"jsonrpc": "2.0", "id": ident, "method": method, "params": named}


def encode(message: object) -> bytes:
    """The bytes of one call or of a list of calls."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode()


def read_one(reply: Reply, ident: int, translate: Translate, wall: float) -> Any:
    """The result of the call with id ``ident``. ``wall``: Unix time, for a Retry-After that is a date.

    Raises NodeError for an error object, or what ``translate`` makes of it; RateLimited,
    Unreachable or BadAnswer for what is no reply to this call.
    """
    document = _document(reply, wall)
    if not isinstance(document, dict):
        raise BadAnswer(f"answered a JSON {_kind(document)} to a single call")
    error = document.get("error")
    if error is None and "result" not in document:
        raise _no_reply(reply, "an object without result and error")
    if error is not None:
        raised = translated(_node_error(document, reply), translate)
        _same_id(document, ident, null_allowed=True)
        raise raised
    _same_id(document, ident, null_allowed=False)
    return document["result"]


def read_many(
    reply: Reply, first: int, count: int, translate: Translate, wall: float
) -> tuple[list[Any], dict[int, NodeError]]:
    """Results of the calls with ids ``first`` … ``first + count - 1`` in that order, and the errors by position.

    An error stands in the list as well. Raises as ``read_one``; BatchRefused where one error
    answers the whole batch.
    """
    document = _document(reply, wall)
    if isinstance(document, list) and len(document) == 1 < count:
        # geth refuses a batch that is too long by a list of one error.
        document = document[0]
    if isinstance(document, dict):
        raise _refused(document, reply, translate)
    if not isinstance(document, list):
        raise BadAnswer(f"answered a JSON {_kind(document)} to a batch")
    if len(document) != count:
        raise BadAnswer(f"answered {len(document)} of {count} calls of a batch")
    return _sorted(document, first, count, reply, translate)


def read_bytes(reply: Reply, wall: float) -> bytes:
    """The body of a GET. Raises NodeError with the HTTP status as code for 400 and 404, else as ``read_one``."""
    _raise_for_status(reply, wall)
    if reply.status in (400, 404):
        raise NodeError(reply.status, printable(reply.body[:_TEXT].decode(errors="replace"), reply.hide))
    if reply.status != 200:
        raise _no_reply(reply, "without what was asked for")
    return reply.body


def printable(text: str, hide: Sequence[str] = (), limit: int = _TEXT) -> str:
    """Foreign text as one short printable line without the secrets in ``hide``."""
    for secret in hide:
        text = text.replace(secret, "[hidden]")
    line = "".join(letter if letter.isprintable() else " " for letter in text[: limit + 1])
    return line if len(line) <= limit else line[:limit] + "…"


def translated(error: NodeError, translate: Translate) -> ChainError:
    """What an error object means. 429 is the HTTP status that some providers put into the body instead."""
    return RateLimited(str(error)) if error.code == 429 else translate(error)


def _sorted(
    document: list[Any], first: int, count: int, reply: Reply, translate: Translate
) -> tuple[list[Any], dict[int, NodeError]]:
    missing = object()
    values: list[Any] = [missing] * count
    errors: dict[int, NodeError] = {}
    for item in document:
        ident = item.get("id") if isinstance(item, dict) else None
        # `type` because True == 1, and a Decimal 1.0 as well.
        if type(ident) is not int or not 0 <= (place := ident - first) < count:
            raise BadAnswer("answered a batch with an id that was not asked")
        if values[place] is not missing:
            raise BadAnswer("answered one call of a batch twice")
        if item.get("error") is not None:
            error = translated(_node_error(item, reply), translate)
            if not isinstance(error, NodeError):
                raise error
            values[place] = errors[place] = error
        elif "result" in item:
            values[place] = item["result"]
        else:
            raise BadAnswer("answered a call of a batch without result and error")
    return values, errors


def _refused(document: dict[str, Any], reply: Reply, translate: Translate) -> ChainError:
    if document.get("error") is None:
        return _no_reply(reply, "a single object to a batch")
    error = _node_error(document, reply)
    meaning = translated(error, translate)
    return BatchRefused(error.code, error.text, error.data) if isinstance(meaning, NodeError) else meaning


def _document(reply: Reply, wall: float) -> Any:
    _raise_for_status(reply, wall)
    try:
        return loads(reply.body)
    except (ValueError, ArithmeticError) as error:
        # JSON has line numbers, nothing of the body, in its errors.
        raise _no_reply(reply, f"no JSON ({printable(str(error))})") from None


def _raise_for_status(reply: Reply, wall: float) -> None:
    """Raise for the HTTP statuses behind which no node stands, whatever the body says."""
    status = reply.status
    if status == 429:
        raise RateLimited("HTTP 429: too many requests", _seconds(reply.retry_after, wall))
    if status in (401, 403):
        raise Unreachable(
            f"HTTP {status}: the credentials are refused: check username and password_file, cookie_file, "
            "bearer_token_file or headers_file, and whether the node allows this address and method"
        )
    if status in (408, 502, 503, 504):
        raise Unreachable(f"HTTP {status}: no node answers behind this endpoint just now")
    if 300 <= status < 400:
        raise BadAnswer(f"HTTP {status}: a redirect is not followed: write the final address into the configuration")


def _no_reply(reply: Reply, what: str) -> ChainError:
    if reply.status >= 500:
        return Unreachable(f"HTTP {reply.status} without a JSON-RPC reply")
    kind = printable(reply.content_type, reply.hide, 60) or "no content type"
    return BadAnswer(f"answered {what}; HTTP {reply.status}, {kind}, {len(reply.body)} bytes")


def _node_error(document: dict[str, Any], reply: Reply) -> NodeError:
    error = document["error"]
    if document.get("result") is not None:
        raise BadAnswer("answered a result and an error at once")
    if isinstance(error, dict):
        code, text = error.get("code"), error.get("message")
        if type(code) is int and isinstance(text, str):
            return NodeError(code, printable(text, reply.hide), error.get("data"))
    raise _no_reply(reply, "an error without code and message")


def _same_id(document: dict[str, Any], ident: int, *, null_allowed: bool) -> None:
    found = document.get("id")
    if found is None and null_allowed:
        # The specification's id where the request itself could not be read.
        return
    if type(found) is not int or found != ident:
        raise BadAnswer("answered with the id of another call")


def _seconds(text: str | None, wall: float) -> float | None:
    """Retry-After (RFC 9110, 10.2.3): seconds, or a date."""
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, zoned.timestamp() - wall)


def _kind(document: object) -> str:
    names = {dict: "object", list: "list", str: "string", bool: "true or false", type(None): "null"}
    return names.get(type(document), "number")
