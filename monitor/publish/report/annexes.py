"""The other sections of the report (reference rules, report blocks 6 to 10, the stablecoin annex, the handover)."""

from __future__ import annotations

from monitor.publish.report import codes
from monitor.publish.report.fields import (
    HANDOVER,
    PER_CUSTOMER,
    Block,
    Table,
    address,
    amount,
    asset,
    code,
    count,
    customer,
    date,
    digest,
    flag,
    money,
    ratio,
    text,
    time,
    verdict,
)

EXCEPTIONS = Block(
    "exceptions",
    (count("open"), count("overdue"), count("closed")),
    (
        Table(
            "cases",
            (
                text("case"),
                code("rule", codes.RULES),
                code("severity", codes.SEVERITIES),
                code("state", codes.CASE_STATES),
                time("opened_at"),
                count("age_days"),
                text("chain", null=True),
                text("wallet", null=True),
                asset(null=True),
                amount("gap", null=True),
                money("gap_value", null=True),
                text("cause", null=True, paper=False),
                text("action", null=True, paper=False),
                text("owner", null=True, paper=False),
                time("closed_at", null=True),
                text("evidence", null=True, paper=False),
            ),
        ),
        Table(
            "legal",
            (
                text("case"),
                text("profile"),
                text("check"),
                asset(null=True),
                date("detected_on"),
                amount("gap", null=True),
                money("gap_value", null=True),
                count("cure_days", null=True),
                date("cure_due", null=True),
                flag("cure_verified", null=True),
                code("overdue", codes.YES_NO),
                code("state", codes.CASE_STATES),
                date("closed_on", null=True),
            ),
        ),
        Table(
            "notifications",
            (
                text("case", null=True),
                text("event"),
                text("authority"),
                time("deadline", null=True),
                code("from", codes.NOTICE_FROM, null=True),
                flag(null=True),
                time("done_at", null=True),
                text("channel", null=True),
                text("person", null=True),
                text("template", null=True, paper=False),
                digest("content", null=True, paper=False),
            ),
        ),
    ),
)

ALERTS = Block(
    "alerts",
    (count("alerts"),),
    (
        Table(
            "alerts",
            (
                text("case"),
                code("rule", codes.RULES),
                code("severity", codes.SEVERITIES),
                time("event_at", null=True),
                time("detected_at"),
                ratio("latency_seconds", null=True),
                asset(null=True),
                amount("quantity", null=True),
                code("decision", codes.DECISIONS),
                text("owner", null=True),
            ),
        ),
        Table(
            "recipients",
            (
                text("case"),
                text("receiver"),
                text("person", null=True),
                code("channel", codes.CHANNELS),
                time("at"),
                code("status", codes.DELIVERY_STATUSES),
                digest("content", null=True, paper=False),
            ),
        ),
    ),
)

FIAT = Block(
    "fiat",
    (verdict(null=True), text("note", null=True)),
    (
        Table(
            "trusts",
            (
                text("trustee"),
                text("currency"),
                money("principal", of="currency"),
                money("customer_money", of="currency"),
                money("difference", of="currency"),
                date("as_of"),
                date("cure_due", null=True),
                flag("cure_verified", null=True),
                verdict(),
            ),
        ),
    ),
)

LIMITATIONS = Block(
    "limitations",
    (),
    (
        Table(
            "statements",
            (code("type", codes.STATEMENTS), code("statement", codes.LIMITATIONS), text("detail", null=True)),
        ),
        Table(
            "unverified_parameters",
            (
                text("profile"),
                text("parameter"),
                text("value"),
                flag(),
                code("placeholder", codes.YES_NO),
                text("source", null=True),
            ),
        ),
        Table("off_chain_assets", (asset(), code("reason", codes.OFF_CHAIN))),
        Table("off_chain_liabilities", (text("description"), money("value", null=True), text("reason"))),
        Table("gaps", (text("source"), time("from"), time("to", null=True), text("reason"))),
    ),
)

EVIDENCE = Block(
    "evidence",
    (digest("verdict"), digest("journal_head"), count("journal_records"), text("replay_command")),
    (
        Table("files", (text("path"), code("type", codes.FILE_KINDS), count("bytes"), digest("sha256"))),
        Table(
            "prices",
            (asset(), text("currency"), money("price", of="currency"), time("as_of"), text("source"), digest("sha256")),
        ),
        Table(
            "attachments",
            (
                code("type", codes.ATTACHMENTS),
                text("title"),
                text("issuer"),
                date("issued_on"),
                text("path"),
                count("bytes"),
                digest("sha256"),
            ),
        ),
        Table(
            "retention",
            (text("profile"), code("class", codes.RECORD_CLASSES), count("years"), text("place", null=True), flag()),
        ),
    ),
)

COVERAGE_SERIES = Block(
    "coverage_series",
    (),
    (
        Table(
            "summary",
            (
                asset(),
                time("from"),
                time("to"),
                count("points"),
                ratio("minimum", null=True),
                time("minimum_at", null=True),
                ratio("mean", null=True),
                ratio("unverified_share"),
            ),
        ),
        # the chart shows them
        Table("points", (asset(), time("at"), ratio("coverage", null=True), verdict()), paper_rows=0),
    ),
)

SEGREGATION = Block(
    "segregation",
    (verdict(),),
    (
        Table(
            "findings",
            (
                code("finding", codes.FINDINGS),
                text("wallet"),
                text("chain"),
                asset(null=True),
                time("found_at"),
                text("detail"),
                text("case", null=True),
            ),
        ),
    ),
)

CUSTODIANS = Block(
    "custodians",
    (),
    (
        Table(
            "custodians",
            (
                text("custodian"),
                code("type", codes.CUSTODIAN_KINDS),
                text("jurisdiction", null=True),
                count("wallets"),
                code("provider_status", codes.PROVIDER_STATUSES),
                date("notified_on", null=True),
                date("confirmed_on", null=True),
            ),
        ),
        Table(
            "exposures",
            (
                text("custodian"),
                asset(),
                amount("quantity", null=True),
                money("value", null=True),
                ratio("share", null=True),
            ),
        ),
    ),
)

IN_TRANSIT = Block(
    "in_transit",
    (),
    (
        Table(
            "items",
            (
                asset(),
                code("direction", codes.DIRECTIONS),
                text("chain"),
                digest("txid"),
                amount("quantity"),
                time("since"),
                count("age_minutes"),
            ),
        ),
    ),
)

STABLECOIN = Block(
    "stablecoin",
    (time("as_of"),),
    (
        Table(
            "outstanding",
            (
                asset(),
                text("chain"),
                address("contract"),
                amount("minted"),
                amount("held_back_for_now"),
                amount("held_back_for_good"),
                amount("redeemable"),
            ),
        ),
        Table(
            "redemption_assets",
            (
                code("type", codes.REDEMPTION_TYPES),
                text("name"),
                text("currency"),
                money("amount", of="currency"),
                date("matures_on", null=True),
                count("tenor_days", null=True),
                text("custodian"),
                text("custody_place", null=True),
                code("encumbrance", codes.ENCUMBRANCES),
            ),
        ),
        Table(
            "comparison",
            (
                asset(),
                text("currency"),
                money("redeemable", of="currency"),
                money("assets", of="currency"),
                money("difference", of="currency"),
                verdict(),
            ),
        ),
    ),
    optional=True,
)

CLAIMS = Block(
    "claims",
    (time("as_of"), text("customer_file"), digest("customer_sha256"), count("customers")),
    (
        Table("pools", (asset(), amount("available"), amount("owed"), amount("paid"), amount("left"), ratio("rate"))),
        Table(
            "per_customer",
            (customer(), asset(), amount("owed"), amount("claim"), money("value", null=True)),
            PER_CUSTOMER,
        ),
    ),
    optional=True,
)

KEY_CUSTODY = Block(
    "key_custody",
    (),
    (
        Table(
            "wallets",
            (
                text("wallet"),
                text("chain"),
                code("control", codes.CONTROL_KINDS),
                count("threshold", null=True),
                count("keys", null=True),
                text("custodian"),
                text("holders", null=True),
                text("place", null=True),
                date("control_proved_on", null=True),
            ),
        ),
    ),
    optional=True,
    views=HANDOVER,
)
