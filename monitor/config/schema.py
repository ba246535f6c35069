"""JSON Schema of the configuration, for editors; ``config/schema.json`` is this, committed."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from chains.core.registry import kinds, open_kind
from monitor.config.fields import format_duration
from monitor.config.models import LATER, Document

_REF = "#/$defs/{model}"
#: what the keys of chains mean; the chain packages own the keys
CHAIN_KEYS = {
    "kind": "The kind of chain.",
    "native": "The asset that pays fees on this chain; a name under assets.",
    "endpoints": "RPC endpoints, none trusted alone.",
    "quorum": "How many endpoints must agree. Default: a majority of those asked.",
    "start": "First block to follow. Default: the head at first start.",
    "network": "The Bitcoin network.",
    "finality": "When a block is final: confirmations on Bitcoin; on EVM chains the node's tag, or a number of blocks.",
    "zmq": "Where the node publishes hashblock (tcp://HOST:PORT): wakes porwatch up, is never asked for facts.",
    "chain_id": "Chain id (EIP-155).",
    "tokens": "ERC-20 tokens by asset; the asset is a name under assets.",
    "contract": "Address of the token's contract.",
    "decimals": "Decimals of the token on this chain. Default: the asset's. Checked on chain.",
    "profile": (
        "How the contract tells what it does: plain (EIP-20); shares (rebasing, as stETH: every amount of the asset, "
        "in the books too, is in shares); wrapped (the native asset one to one, as WETH9)."
    ),
    "name": "Name of the endpoint in metrics. Default: its place in the list.",
    "own": "Whether the node is run by the exchange itself.",
    "url": "http:// or https:// without credentials; ws:// or wss:// only wakes porwatch up.",
    "url_file": "File with the URL, where it holds a key.",
    "username": "User name; the password stands in password_file.",
    "password_file": "File with the password.",
    "cookie_file": "Bitcoin Core's cookie; it may be missing while the node is down.",
    "bearer_token_file": "File with a bearer token.",
    "headers_file": "File with further headers, one 'Name: value' a line.",
    "ca_file": "Certificates (PEM) that sign the endpoint's own.",
    "proxy": "Proxy for this endpoint.",
}


class _Generator(GenerateJsonSchema):
    """Defaults as people write them."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return format_duration(dft)
        if isinstance(dft, time):
            return dft.strftime("%H:%M")
        if isinstance(dft, Decimal):
            return int(dft) if dft == dft.to_integral_value() else str(dft)
        if isinstance(dft, BaseModel):
            # An empty mapping means the same: every key has its own default.
            return {}
        return super().encode_default(dft)


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the whole configuration, every kind of chain included."""
    out = Document.model_json_schema(ref_template=_REF, schema_generator=_Generator)
    definitions = out["$defs"]
    definitions.pop("ChainSettings")
    variants = []
    for kind in kinds():
        settings = open_kind(kind).Settings.model_json_schema(ref_template=_REF, schema_generator=_Generator)
        for name, definition in settings.pop("$defs", {}).items():
            definitions[name] = _explained(definition)
        definitions[f"chain-{kind}"] = _explained(settings)
        variants.append({"$ref": f"#/$defs/chain-{kind}"})
    for name in ("assets", "chains"):
        out["properties"][name]["additionalProperties"] = False
    (pattern,) = out["properties"]["chains"]["patternProperties"]
    out["properties"]["chains"]["patternProperties"] = {pattern: {"oneOf": variants}}
    out["properties"]["store"] = {
        "anyOf": [{"type": "string"}, {"$ref": "#/$defs/Store"}],
        "description": out["properties"]["store"]["description"],
    }
    _without_titles(out)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "porwatch configuration",
        "$comment": f"Made by `porwatch config schema`. {LATER!r} marks keys that are only checked so far.",
        **{key: value for key, value in out.items() if key not in {"title", "$comment"}},
    }


def _explained(definition: dict[str, Any]) -> dict[str, Any]:
    for key, value in definition.get("properties", {}).items():
        if "description" not in value and key in CHAIN_KEYS:
            value["description"] = CHAIN_KEYS[key]
    return definition


def _without_titles(value: Any) -> None:
    """Titles that only repeat the key say nothing in an editor."""
    if isinstance(value, dict):
        if isinstance(value.get("title"), str):
            del value["title"]
        for item in value.values():
            _without_titles(item)
    elif isinstance(value, list):
        for item in value:
            _without_titles(item)
