"""The blocks that say what the report rests on, and what it does not show."""

from __future__ import annotations

from monitor.canonical import Json
from monitor.model import rfc3339
from monitor.publish.bundle import period, places
from monitor.publish.bundle.cells import cut
from monitor.publish.bundle.context import Context, Point, Rows
from monitor.publish.bundle.handed_in import customer_file_problems
from monitor.publish.bundle.supplied import attachments

UNNAMED = "porwatch"
#: what is said in every report: how a statement is meant, and which
_ALWAYS = (
    ("basis", "consistency"),
    ("responsibility", "management"),
    ("tested", "holdings_and_testimony"),
    ("tested", "verdict_and_books"),
    ("tested", "journal_and_head"),
    ("not_tested", "liabilities_complete"),
    ("not_tested", "addresses_of_the_entity"),
    ("not_tested", "alerts_and_notices"),
)
#: by the first part of a path in the evidence, or by a book's name
_KINDS = {
    "inputs.json": "computed",
    "verdict.json": "computed",
    "settings.json": "configuration",
    "accounts": "account_list",
    "chains": "proof",
    "liabilities": "liabilities",
    "prices": "prices",
}
#: which books the inputs were read from, and what each is called there
_READ = ("liabilities", "prices", "price_days", "statements", "funds", "declared")


def limitations(context: Context) -> Json:
    """Scope, what was not tested, parameters that nobody confirmed, and what could not be read."""
    open_points = (*period.unfilled(context), *_here(context), *customer_file_problems(context))
    statements = [{"type": kind, "statement": which, "detail": None} for kind, which in _ALWAYS]
    statements += [
        {"type": "not_tested", "statement": which, "detail": cut(detail) if detail else None}
        for which, detail in open_points
    ]
    stated = sorted({line.asset for line in context.inputs.books.statements or ()})
    return {
        "facts": {},
        "tables": {
            "statements": statements,
            "unverified_parameters": _parameters(context),
            "off_chain_assets": [{"asset": asset, "reason": "in_statements_only"} for asset in stated],
            "off_chain_liabilities": [],
            "gaps": [
                {"source": item.chain, "from": rfc3339(context.inputs.at), "to": None, "reason": cut(item.reason)}
                for item in context.inputs.readings
                if item.lines is None
            ],
        },
    }


def _here(context: Context) -> list[Point]:
    """What this very bundle does not show."""
    found: list[Point] = []
    inputs, evidence = context.inputs, context.evidence
    if evidence.answers.prepared_by == UNNAMED:
        found.append(("nobody_prepared", ""))
    for reading in inputs.readings:
        if reading.lines is None:
            continue
        if reading.as_of is not None:
            found.append(("holdings_as_of", f"{reading.chain}, {rfc3339(reading.as_of)}"))
        elif evidence.shown.get(reading.chain) is None:
            found.append(("no_testimony", reading.chain))
        else:
            found += _unshown(context, reading.chain)
    kept = {file.path.removeprefix(f"{places.BOOKS}/").partition(".")[0] for file in evidence.under(places.BOOKS)}
    found += [("book_not_kept", name) for name in _READ if name not in kept and _has(context, name)]
    judged = {check["asset"] for check in context.verdict["checks"] if check["id"] == "coverage"}
    found += [("neither_held_nor_owed", asset) for asset in inputs.facts.assets if asset not in judged]
    return found


def _unshown(context: Context, chain: str) -> list[Point]:
    known = [context.known(chain, each.locator, each.asset) for each in context.evidence.accounts.get(chain, ())]
    missing = known.count(None)
    return [("accounts_without_testimony", f"{chain}: {missing}")] if missing else []


def _has(context: Context, book: str) -> bool:
    value = getattr(context.inputs.books, book)
    return value is not None and value != ()


def _parameters(context: Context) -> Rows:
    """The numbers of profiles that checks rest on and of which the law was not read."""
    flags = {"unverified": "false", "placeholder": "false", "secondary": "secondary"}
    rows: dict[tuple[str, str], Json] = {}
    for check in context.checks():
        for each in check["parameters"]:
            if each["status"] in flags:
                rows[check["profile"], each["name"]] = {
                    "profile": check["profile"],
                    "parameter": each["name"],
                    "value": each["value"],
                    "verified": flags[each["status"]],
                    "placeholder": "yes" if each["status"] == "placeholder" else "no",
                    "source": cut(each["basis"]) or None,
                }
    return [rows[key] for key in sorted(rows)]


def evidence(context: Context) -> Json:
    """The files behind the figures, the place in the journal, the prices, and how long records are kept."""
    found, tree = context.evidence, context.evidence.tree
    prices = next((file for file in found.under(places.BOOKS) if file.path.startswith(f"{places.BOOKS}/prices.")), None)
    return {
        "facts": {
            "verdict": context.verdict["hash"],
            "journal_head": tree.head.root,
            "journal_records": tree.head.size,
            "replay_command": "porwatch verify DIR",
        },
        "tables": {
            "files": [
                {"path": file.path, "type": _kind(file.path), "bytes": file.bytes, "sha256": file.sha256}
                for file in found.files
                if not file.path.startswith((places.ATTACHMENTS, places.DRAFT, places.ANSWERS))
            ],
            "prices": [
                {
                    "asset": quote.asset,
                    "currency": quote.currency,
                    "price": quote.price,
                    "as_of": rfc3339(quote.as_of),
                    "source": prices.path,
                    "sha256": prices.sha256,
                }
                for quote in context.inputs.books.prices
                if prices is not None and quote.asset in context.inputs.facts.assets
            ],
            "attachments": attachments(found.supplied),
            "retention": _retention(context),
        },
    }


def _kind(path: str) -> str:
    if path in {places.DOCUMENTS, places.CUSTOMERS}:
        return "statement"
    if not path.startswith(f"{places.CLOSE}/"):
        return "journal_extract"
    first, _, rest = path.removeprefix(f"{places.CLOSE}/").partition("/")
    return _KINDS.get(rest.partition(".")[0], "statement") if first == "books" else _KINDS.get(first, "configuration")


def _retention(context: Context) -> Rows:
    return [
        {
            "profile": profile.id,
            "class": "daily_record" if rule.id == "daily_record" else "evidence",
            "years": rule.retention.years,
            "place": rule.retention.place or None,
            "verified": rule.retention.verified.value,
        }
        for profile in context.profiles
        for rule in profile.rules
        if rule.retention is not None
    ]
