"""One approval, as a line of the approvals file or the body of a POST says it (出庫承認)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar

from chains.core.errors import AddressError
from chains.core.strictjson import loads
from monitor.books.keys import SIGNATURE, Keys, Unsigned, check_signature
from monitor.books.text import parse_coins, parse_name, parse_past, parse_time
from monitor.config.resolved import Config
from monitor.model import Approval, BadSignature, Cancellation, rfc3339

#: An approval has about 400 characters; a batch's id or a script:<hex> destination may be long.
LONGEST_LINE = 64 * 1024
WINDOW = timedelta(hours=24)
_REQUIRED = ("id", "chain", "asset", "amount", "destination")
_OPTIONAL = (
    "tag",
    "wallet",
    "not_before",
    "not_after",
    "max_fee",
    "txid",
    "safe_tx_hash",
    "outputs_hash",
    "batch",
    "batch_size",
    "op",
)
KEYS = (*_REQUIRED, *_OPTIONAL)
#: how each kind of chain prints the id of a transaction
_TXIDS = {"bitcoin": re.compile(r"[0-9a-f]{64}"), "evm": re.compile(r"0x[0-9a-f]{64}")}
_SAFE_TX_HASH = re.compile(r"0x[0-9a-f]{64}")
_OUTPUTS_HASH = re.compile(r"[0-9a-f]{64}")
_LONGEST_ID = 200
_LARGEST_BATCH = 100_000
#: keys of an approval that came later: without them an approval has the digest that it had before
_ADDED_LATER = ("safe_tx_hash", "outputs_hash", "batch_size")

_T = TypeVar("_T")


class ApprovalError(ValueError):
    """A record that is no approval; the message names every key that is wrong."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{key}: {message}" if key else message for key, message in problems))


class SignatureError(ApprovalError):
    """A record that no known key has signed; ``bad`` says which."""

    def __init__(self, bad: BadSignature) -> None:
        super().__init__([("", bad.why)])
        self.bad = bad


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The feed of approvals is complete up to ``time``."""

    time: datetime


Record = Approval | Cancellation | Heartbeat


def decode(text: str | bytes) -> object:
    """The JSON value of one line or body. Raises ApprovalError for anything but JSON, and for a key written twice."""
    if len(text) > LONGEST_LINE:
        raise ApprovalError([("", f"longer than {LONGEST_LINE} bytes: write one approval a line")])
    try:
        return loads(text.encode() if isinstance(text, str) else text)
    except UnicodeDecodeError as error:
        raise ApprovalError([("", "not UTF-8: write UTF-8")]) from error
    except ValueError as error:
        raise ApprovalError([("", f"not JSON ({error}): write one JSON object a line")]) from error


def parse_approval(record: object, config: Config, now: datetime, keys: Keys | None = None) -> Record:
    """What a decoded record says. Raises ApprovalError with everything that is wrong in it.

    ``keys``: one of them must have signed it, else SignatureError; None: signatures are not looked at.

    ``now``: when it is read for the first time; without ``not_before`` and ``not_after`` the
    approval ends 24 h later. The digest covers the meaning (units, canonical destination, UTC
    times), not the spelling: the same approval written otherwise is the same, and a default
    is not a part of it. A cancellation needs only ``id``; the other keys may repeat the approval.
    """
    if not isinstance(record, dict):
        raise ApprovalError([("", 'not an object: write {"id": …, "chain": …}')])
    if keys is not None:
        _check_signed(record, keys)
    fields = _Fields(record)
    if "heartbeat" in record:
        fields.known(("heartbeat", SIGNATURE))
        time = fields.read("heartbeat", lambda text: parse_past(text, now))
        fields.done()
        assert time is not None
        return Heartbeat(time)
    fields.known((*KEYS, SIGNATURE))
    op = fields.get("op", "approve")
    if op == "cancel":
        id_ = fields.read("id", _id)
        fields.done()
        assert id_ is not None
        return Cancellation(id_, _digest({"op": "cancel", "id": id_}))
    if op != "approve":
        fields.wrong("op", f"{op!r} is no operation: write approve or cancel")
    return _approval(fields, config, now)


def _check_signed(record: Mapping[str, Any], keys: Keys) -> None:
    try:
        check_signature(record, keys)
    except Unsigned as error:
        raise SignatureError(BadSignature(_called(record), error.key, str(error))) from error


def _called(record: Mapping[str, Any]) -> str:
    """How a record that is not trusted is named in a case."""
    if "heartbeat" in record:
        return "heartbeat"
    try:
        return _id(record.get("id"))
    except ValueError:
        return "no id"


def _approval(fields: _Fields, config: Config, now: datetime) -> Approval:
    decimals = config.decimals
    id_ = fields.read("id", _id)
    chain = fields.read("chain", lambda text: _known(text, tuple(config.chains), "chain"))
    settings = config.chains[chain] if chain is not None else None
    assets = (settings.native, *settings.tokens_by_asset()) if settings is not None else tuple(decimals)
    asset = fields.read("asset", lambda text: _known(text, assets, "asset of this chain"))
    # Without a chain or an asset their amounts and addresses mean nothing: only their absence is reported.
    units = fields.read(
        "amount", lambda text: parse_coins(text, decimals[asset], asset, zero=False) if asset is not None else None
    )
    destination = fields.read("destination", lambda text: _locator(text, chain, config) if chain is not None else None)
    max_fee = fields.optional(
        "max_fee",
        lambda text: parse_coins(text, decimals[settings.native], settings.native, zero=True) if settings else None,
    )
    if fields.get("tag") is not None:
        fields.wrong("tag", f"must be null: {chain or 'this chain'} has no destination tags")
    wallet = fields.optional("wallet", lambda text: _wallet(text, chain, config))
    txid = fields.optional("txid", lambda text: _txid(text, settings.kind if settings is not None else ""))
    safe_tx_hash = fields.optional("safe_tx_hash", lambda text: _safe(text, settings.kind if settings else ""))
    outputs_hash = fields.optional("outputs_hash", _outputs)
    batch = fields.optional("batch", _id)
    batch_size = fields.optional("batch_size", _batch_size)
    if batch_size is not None and fields.get("batch") is None:
        fields.wrong("batch_size", "belongs to batch: write batch, or leave it out")
    not_before, not_after = fields.optional("not_before", parse_time), fields.optional("not_after", parse_time)
    if not_before is not None and not_after is not None and not_after <= not_before:
        fields.wrong("not_after", "must be later than not_before")
    fields.done()
    assert id_ is not None, "a record without id is refused above"
    assert chain is not None, "a record without chain is refused above"
    assert asset is not None, "a record without asset is refused above"
    assert units is not None, "a record without amount is refused above"
    assert destination is not None, "a record without destination is refused above"
    until = not_after or (not_before or now) + WINDOW
    approval = Approval(
        id_,
        chain,
        asset,
        units,
        destination,
        wallet,
        None,
        not_before,
        until,
        max_fee,
        txid,
        batch,
        digest="",
        safe_tx_hash=safe_tx_hash,
        outputs_hash=outputs_hash,
        batch_size=batch_size,
    )
    return replace(approval, digest=_digest(_meaning(approval, not_after)))


def _meaning(approval: Approval, not_after: datetime | None) -> dict[str, object]:
    """What an approval says, as text; ``not_after`` as written, since its default depends on when it was read."""
    meaning: dict[str, object] = {
        name: value if value is None or isinstance(value, str) else str(value)
        for name, value in asdict(approval).items()
        if name not in {"not_before", "not_after", "digest"} and not (name in _ADDED_LATER and value is None)
    }
    meaning["not_before"] = rfc3339(approval.not_before) if approval.not_before is not None else None
    meaning["not_after"] = rfc3339(not_after) if not_after is not None else None
    return meaning


class _Fields:
    """The keys of one record; collects everything that is wrong with them."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.record = record
        self._problems: list[tuple[str, str]] = []

    def get(self, key: str, default: object = None) -> object:
        value = self.record.get(key)
        return default if value is None else value

    def wrong(self, key: str, message: str) -> None:
        self._problems.append((key, message))

    def known(self, keys: tuple[str, ...]) -> None:
        for key in self.record:
            if key not in keys:
                self.wrong(key[:100], f"unknown key: write only {', '.join(keys)}")

    def read(self, key: str, parse: Callable[[Any], _T]) -> _T | None:
        """The value of a required key; None after noting what is wrong."""
        if self.record.get(key) is None:
            self.wrong(key, "is missing")
            return None
        return self.optional(key, parse)

    def optional(self, key: str, parse: Callable[[Any], _T]) -> _T | None:
        """The value of a key that may be absent or null."""
        value = self.record.get(key)
        if value is None:
            return None
        try:
            return parse(value)
        except ValueError as error:
            self.wrong(key, str(error))
            return None

    def done(self) -> None:
        """Raises ApprovalError if anything was wrong."""
        if self._problems:
            raise ApprovalError(self._problems)


def _id(text: object) -> str:
    return parse_name(text, _LONGEST_ID)


def _known(text: object, names: tuple[str, ...], what: str) -> str:
    if not isinstance(text, str) or text not in names:
        raise ValueError(f"{text!r:.100} is no {what}: write one of {', '.join(names)}")
    return text


def _locator(text: object, chain: str, config: Config) -> str:
    if not isinstance(text, str):
        raise AddressError("must be text: write the address in quotes")
    return config.locator(chain, text)


def _wallet(text: object, chain: str | None, config: Config) -> str:
    wallet = config.wallet_settings.get(text) if isinstance(text, str) else None
    if wallet is None:
        raise ValueError(f"{text!r:.100} is no wallet of the configuration: correct it, or leave it out")
    if chain is not None and wallet.chain != chain:
        raise ValueError(f"{wallet.name} is on {wallet.chain}, not on {chain}: correct it, or leave it out")
    return wallet.name


def _txid(text: object, kind: str) -> str:
    form = _TXIDS.get(kind)
    txid = text.lower() if isinstance(text, str) else ""
    if form is not None and form.fullmatch(txid) is None:
        begin = "0x and " if kind == "evm" else ""
        raise ValueError(f"{text!r:.100} is no transaction id of this chain: write {begin}64 hex digits")
    return txid


def _safe(text: object, kind: str) -> str:
    lower = text.lower() if isinstance(text, str) else ""
    if kind == "bitcoin":
        raise ValueError("there are no Safes on this chain: leave it out")
    if _SAFE_TX_HASH.fullmatch(lower) is None:
        raise ValueError(f"{text!r:.100} is no Safe transaction hash: write 0x and 64 hex digits")
    return lower


def _outputs(text: object) -> str:
    lower = text.lower() if isinstance(text, str) else ""
    if _OUTPUTS_HASH.fullmatch(lower) is None:
        raise ValueError(f"{text!r:.100} is no hash of outputs: write 64 hex digits")
    return lower


def _batch_size(value: object) -> int:
    if type(value) is not int or not 1 <= value <= _LARGEST_BATCH:
        raise ValueError(f"{value!r:.100} is no size of a batch: write a whole number from 1 to {_LARGEST_BATCH}")
    return value


def _digest(meaning: Mapping[str, object]) -> str:
    return sha256(json.dumps(meaning, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
