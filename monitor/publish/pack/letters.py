"""Letters and the checklist as Markdown. Text from outside stands in code spans, where nothing in it has effect."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from monitor.model import rfc3339
from monitor.publish.pack.facts import Facts, Row, addresses, amounts, transactions
from monitor.publish.pack.words import WORDS
from monitor.publish.text import printable

LETTERS = ("issuer", "exchange", "police")
#: rows of one table that a letter shows; the files beside it have all
MOST_ROWS = 50
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+.!|~-])")


def letter(kind: str, facts: Facts, language: str) -> str:
    """The letter to ``kind`` (one of LETTERS) in a language of WORDS."""
    words = WORDS[language]
    assets = ", ".join(map(plain, facts.tokens))
    if kind == "issuer" and not assets:
        return f"# {words['issuer_title'].format(assets=words['asset'])}\n\n{words['issuer_none']}\n"
    mine = set(facts.tokens) if kind == "issuer" else None
    parts = [f"# {words[f'{kind}_title'].format(assets=assets)}", _head(facts, words), _recorded(facts, words)]
    parts += [words["police_note"]] if kind == "police" else []
    parts += [f"## {words['request']}", "\n".join(f"- {line}" for line in words[f"{kind}_request"].split("|"))]
    parts += _tables(facts, words, mine)
    return "\n\n".join(parts) + "\n"


def checklist_text(rows: Sequence[Row], facts: Facts, language: str) -> str:
    """The notifications as a list with boxes to tick."""
    words = WORDS[language]
    parts = [f"# {words['check_title']}", _head(facts, words, sender=False)]
    parts.append(words["check_note" if rows else "check_none"])
    parts += [_duty(row, words) for row in rows]
    return "\n\n".join(parts) + "\n"


def code(text: str) -> str:
    """Text from outside as a code span."""
    return f"`{printable(text).replace('`', '·').replace('|', '¦')}`"


def plain(text: str) -> str:
    """A configured name in running text: no character of it is markup."""
    safe = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", safe)


def _head(facts: Facts, words: Mapping[str, str], *, sender: bool = True) -> str:
    entity = facts.entity
    about = ("incident", facts.incident) if facts.incident else ("case", facts.cases[0].id)
    lines = [
        (words["from"], plain(entity.name)),
        (words["registration"], plain(entity.registration) if entity.registration else words["unknown"]),
        (words["lei"], plain(entity.lei) if entity.lei else words["unknown"]),
        *([(words["sender"], words["unknown"]), (words["number"], words["unknown"])] if sender else []),
        (words[about[0]], code(about[1])),
        (words["detected"], rfc3339(facts.detected)),
    ]
    return "\n".join(f"- {name}: {value}" for name, value in lines)


def _recorded(facts: Facts, words: Mapping[str, str]) -> str:
    parts = [f"## {words['recorded']}", words["recorded_text"]]
    parts += [words["reorged"]] if any(case.reorged_out for case in facts.cases) else []
    return "\n\n".join(parts)


def _tables(facts: Facts, words: Mapping[str, str], assets: set[str] | None) -> list[str]:
    def of(rows: list[Row]) -> list[Row]:
        return rows if assets is None else [row for row in rows if row["asset"] in assets]

    sums = [[code(row["asset"]), _amount(row, words), _value(row, words)] for row in of(amounts(facts))]
    paid = [
        [*map(code, (row["chain"], row["address"], row["asset"])), _amount(row, words)] for row in of(addresses(facts))
    ]
    sent = [
        [*map(code, (row["chain"], row["txid"], row["asset"])), row["block_time"] or words["unknown"]]
        for row in of(transactions(facts))
    ]
    return [
        f"## {words['amounts']}",
        _table([words["asset"], words["amount"], words["value"]], sums, "amounts.csv", words),
        f"## {words['addresses']}",
        _table([words[n] for n in ("chain", "address", "asset", "amount")], paid, "addresses.csv", words),
        f"## {words['transactions']}",
        _table([words[n] for n in ("chain", "txid", "asset", "time")], sent, "transactions.csv", words),
    ]


def _amount(row: Row, words: Mapping[str, str]) -> str:
    return row["amount"] or words["unknown"]


def _value(row: Row, words: Mapping[str, str]) -> str:
    if not row["value"]:
        return words["unknown"]
    return f"{row['currency']} {row['value']} ({words['price']} {row['price_as_of']})"


def _table(heads: list[str], rows: list[list[str]], file: str, words: Mapping[str, str]) -> str:
    if not rows:
        return words["none"]
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows[:MOST_ROWS])]
    more = len(rows) - MOST_ROWS
    return "\n".join(lines) + (f"\n\n{words['more'].format(count=more, file=file)}" if more > 0 else "")


def _duty(row: Row, words: Mapping[str, str]) -> str:
    clock = words[row["clock"]].format(due=row["due"], local=row["due_local"], deadline=row["deadline"])
    note = words.get(f"business_{row['due_business_day']}", "")
    source = f"{code(row['profile'])} {plain(row['version'])}, {code(row['event'])}, {code(row['template'])}"
    return "\n".join(
        [
            f"- [ ] **{plain(row['authority'])}**: {clock}" + (f" ({note})" if note else ""),
            f"  - {source}; {words['verified']}: {words['verified_' + row['verified']]}",
            f"  - {words['done']}: ",
        ]
    )
