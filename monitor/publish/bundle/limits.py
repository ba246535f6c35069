"""The blocks that say what the report rests on, and what it does not show."""

from __future__ import annotations

from monitor.canonical import Json
from monitor.model import rfc3339
from monitor.publish.bundle import period, places
from monitor.publish.bundle.cells import cut
from monitor.publish.bundle.context import Context, Rows
from monitor.publish.bundle.handed_in import customer_file_problems
from monitor.publish.bundle.supplied import attachments

UNNAMED = "porwatch"
_RESPONSIBILITY = (
    "the entity's management is responsible for the records, for what it owes, and for the configuration that says"
    " which addresses are whose"
)
_CONSISTENCY = (
    "offline verification shows that every figure follows from the evidence in the bundle, and that nothing was changed"
    " since it was signed; that the evidence is of the real chain shows only a comparison of the anchors with a node of"
    " one's own: porwatch verify --endpoint"
)
_TESTED = (
    "every holding at the stated blocks, what the nodes showed for it, and that holdings add up by wallet",
    "that the verdict follows from these holdings and from the declared books, and that the books are the files kept",
    "that the verdict and the hashes of its evidence are in the entity's journal, under a signed tree head",
)
_NOT_TESTED = (
    "the completeness of what is declared to be owed to customers, and of the exchange's other debts",
    "that the addresses belong to the entity, where no proof of control is shown beside them",
    "delivery of alerts to persons, notices to authorities, explanations by the entity",
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
    statements = [("basis", _CONSISTENCY), ("responsibility", _RESPONSIBILITY)]
    statements += [("tested", text) for text in _TESTED]
    statements += [("not_tested", text) for text in (*_NOT_TESTED, *open_points)]
    stated = sorted({line.asset for line in context.inputs.books.statements or ()})
    return {
        "facts": {},
        "tables": {
            "statements": [{"type": kind, "statement": cut(text)} for kind, text in statements],
            "unverified_parameters": _parameters(context),
            "off_chain_assets": [
                {"asset": asset, "reason": "held by custodians: it stands in their statements only"} for asset in stated
            ],
            "off_chain_liabilities": [],
            "gaps": [
                {"source": item.chain, "from": rfc3339(context.inputs.at), "to": None, "reason": cut(item.reason)}
                for item in context.inputs.readings
                if item.lines is None
            ],
        },
    }


def _here(context: Context) -> list[str]:
    """What this very bundle does not show."""
    found = []
    inputs, evidence = context.inputs, context.evidence
    if evidence.answers.prepared_by == UNNAMED:
        found.append("no person is named who prepared the report: it was made by the program alone")
    for reading in inputs.readings:
        if reading.lines is None:
            continue
        if reading.as_of is not None:
            found.append(
                f"{reading.chain}: holdings at {rfc3339(reading.as_of)}, the time of the liabilities, are as the ledger"
                " had them; accounts and testimony are of the anchor"
            )
        elif evidence.shown.get(reading.chain) is None:
            found.append(
                f"{reading.chain}: no testimony of the nodes was kept: holdings stand as the monitor read them"
            )
        else:
            found += _unshown(context, reading.chain)
    kept = {file.path.removeprefix(f"{places.BOOKS}/").partition(".")[0] for file in evidence.under(places.BOOKS)}
    found += [f"the file of the book {name} was not kept" for name in _READ if name not in kept and _has(context, name)]
    judged = {check["asset"] for check in context.verdict["checks"] if check["id"] == "coverage"}
    found += [f"{asset}: neither held nor owed" for asset in inputs.facts.assets if asset not in judged]
    return found


def _unshown(context: Context, chain: str) -> list[str]:
    known = [context.known(chain, each.locator, each.asset) for each in context.evidence.accounts.get(chain, ())]
    missing = known.count(None)
    return [f"{chain}: {missing} accounts are not in the testimony of the nodes"] if missing else []


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
