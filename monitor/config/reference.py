"""docs/reference/configuration.md, made from the schema, so that page and program cannot differ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chains.core.registry import kinds
from monitor.config.schema import schema

PAGE = Path("docs", "reference", "configuration.md")
SCHEMA = Path("config", "schema.json")
_HEAD = """# Configuration

The whole configuration is one YAML file. Unknown keys are errors. Paths are relative to the file.
`porwatch check FILE` names every mistake at once; `porwatch config schema` prints the JSON Schema
for editors (`# yaml-language-server: $schema=schema.json`). A complete, commented file is
`config/example.yaml`.

How values are written:

- **Durations** are a number with a unit: `60s`, `10m`, `26h`, `40d`, or `1h30m`.
- **Scalars** are read as YAML 1.2 does: `0x…` addresses, `00:00`, `no` and dates stay the text that stands
  there, with or without quotes. Switches are `true` and `false` only. Tags are refused, keys may not repeat,
  anchors, aliases and merge keys (`<<`) work within limits.
- **Secrets** never stand in the file: every key that ends in `_file` names a file that holds one value. One
  newline at its end is ignored.
- **Limits**: 4 MiB, 200,000 values, 24 levels, 10,000 wallets, 64 chains, 1,000,000 addresses a chain.

This page is made from the program's own models (`monitor/config/reference.py`); do not edit it by hand.
"""
_FILES = """## Files that the configuration names

- **Address file** (`wallets[].addresses_file`): UTF-8, one address a line; after a comma an optional label;
  empty lines and lines that begin with `#` are skipped; a first line `address` or `address,label` is a header.
- **Liabilities**: CSV with the header `asset,amount,as_of`; amounts are plain decimal coins, times RFC 3339 with
  an offset. Every asset once.
- **Approvals**: one JSON object a line, only ever appended to; UTF-8. A byte order mark at the beginning and CRLF
  line ends are accepted.
- **Prices**: CSV with the header `asset,currency,price,as_of`. Every pair of asset and currency once. The asset may
  also be another currency (ISO 4217): funds and policies that are held in it are unknown without that line.
- **Statements**: CSV with the header `custodian,asset,amount,as_of,owner,tier`.
- **Funds**: YAML: `as_of: TIME`, `funds:`, a list of `{name, kind, currency, amount}` where kind is `cash`, `bond`,
  `bank_guarantee` or `insurance` and amount is a decimal string (of insurance: the limit per event), and `uses:`, a
  list of `{date, amount, currency, cause, approval_ref}` where cause is `external_outflow`, `accident` or `other`.
  Insurance has `expires` and `policy: {insurer, rating, affiliate, aggregate_limit, aggregate_left, deductible, starts,
  basis, retroactive_date, loss_payee, scope, exclusions, document_sha256, confirmed_on}`; the others `segregated`,
  `own_issued`, bonds also `government` and `haircut`, bank guarantees `expires`. What is left out is not declared, and
  what needs it counts nothing. `config/books/funds.yaml` shows every key.
- **Declared figures**: YAML: `as_of: TIME`, `currency:`, and what there is of `figures`, `dates`, `counts`,
  `fiscal_year`, `volumes`, `general_ledger`, `risks` and `parties`. `config/books/declared.yaml` shows every key.

All but the approvals are used whole or not at all: with one mistake in it, a file is not used.
"""


#: what keys mean whose model does not say it key by key
_MEANINGS = {
    "verify": (
        "`full` computes the hash of every block and what it commits to again: transactions, receipts, withdrawals. "
        "`hashes` only compares the hashes that endpoints state: for chains that do not hash their blocks as Ethereum "
        "does."
    )
}


def reference() -> str:
    """The page, as Markdown."""
    whole = schema()
    parts = [_HEAD, _section("Top level", whole, whole)]
    sections: dict[str, dict[str, Any]] = {}
    for name, value in whole["properties"].items():
        if name == "chains":
            sections |= {f"`chains.NAME` with `kind: {kind}`": whole["$defs"][f"chain-{kind}"] for kind in kinds()}
            sections["`chains.NAME.endpoints[]`"] = whole["$defs"]["Endpoint"]
            sections["`chains.NAME.tokens.ASSET`"] = whole["$defs"]["Token"]
        else:
            sections |= dict(_below(name, value, whole))
    # Every book may come from a database, each with the same keys.
    sections = {title: model for title, model in sections.items() if not title.endswith(".sql`")}
    sections["`books.BOOK.sql`"] = whole["$defs"]["Sql"]
    parts.extend(_section(title, model, whole) for title, model in sections.items())
    return "\n".join([*parts, _FILES])


def _below(name: str, value: dict[str, Any], whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping at or below a key, by the title of its section."""
    model, suffix = _model(value, whole)
    if model is None:
        return
    yield f"`{name}{suffix}`", model
    for key, inner in model["properties"].items():
        yield from _below(f"{name}{suffix}.{key}", inner, whole)


def _model(value: dict[str, Any], whole: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The model behind a key, and what stands between the two: "[]" for a list, ".NAME" for a mapping of names."""
    for option in (value, *value.get("anyOf", ())):
        if "$ref" in option:
            return whole["$defs"][option["$ref"].rpartition("/")[2]], ""
    if "$ref" in value.get("items", {}):
        return _model(value["items"], whole)[0], "[]"
    for inner in value.get("patternProperties", {}).values():
        return _model(inner, whole)[0], ".NAME"
    return None, ""


def _section(title: str, model: dict[str, Any], whole: dict[str, Any]) -> str:
    lines = [f"## {title}", "", "| key | type | default | meaning |", "|---|---|---|---|"]
    required = model.get("required", ())
    for key, value in model["properties"].items():
        # A key whose meaning is that of the mapping below it says it there.
        meaning = (
            value.get("description") or (_model(value, whole)[0] or {}).get("description") or _MEANINGS.get(key, "")
        )
        default = "required" if key in required else _default(value)
        lines.append(f"| `{key}` | {_type(value, whole)} | {default} | {meaning} |")
    return "\n".join([*lines, ""])


def _default(value: dict[str, Any]) -> str:
    default = value.get("default", {})
    if default is None:
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`"


def _type(value: dict[str, Any], whole: dict[str, Any]) -> str:
    options = [option for option in value.get("anyOf", ()) if option.get("type") != "null"]
    if options:
        return " or ".join(dict.fromkeys(_type(option, whole) for option in options))
    if "$ref" in value:
        return "mapping"
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{choice}`" for choice in value["enum"])
    if "examples" in value:
        return f"text like `{value['examples'][0]}`"
    kind = value.get("type", "mapping")
    if kind == "array":
        items = value.get("prefixItems")
        return (
            f"[{', '.join(_type(item, whole) for item in items)}]"
            if items
            else f"list of {_type(value['items'], whole)}"
        )
    return {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
        "object": "mapping",
    }[kind]


def write(checkout: Path) -> None:
    """Writes the page and config/schema.json of a checkout anew, after a key has changed."""
    (checkout / PAGE).write_text(reference(), encoding="utf-8")
    (checkout / SCHEMA).write_text(schema_text(), encoding="utf-8")


def schema_text() -> str:
    """The JSON Schema as the committed file holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
