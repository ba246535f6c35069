"""The main sections of the report, column by column (reference rules, report blocks 1 to 5).

A null amount is one that could not be learned; the row says why. Zero is a claim.
"""

from __future__ import annotations

from monitor.publish.report import codes
from monitor.publish.report.fields import (
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

HEADER_ANCHORS = Table("anchors", (text("chain"), count("height"), digest("hash"), time("time"), text("finality")))
HEADER_PROFILES = Table("profiles", (text("id"), text("version"), digest("sha256"), code("status", codes.STATUSES)))

LIABILITIES = Block(
    "liabilities",
    (
        time("as_of", null=True),
        digest("merkle_root", null=True),
        text("sampler", null=True),
        text("tie_out_source", null=True),
        money("tie_out_value", null=True),
        money("tie_out_difference", null=True),
    ),
    (
        Table(
            "per_asset",
            (
                asset(),
                amount("owed", null=True),
                count("accounts", null=True),
                count("negative_accounts", null=True),
                amount("negative_total", null=True),
                count("excluded_accounts", null=True),
                amount("excluded_total", null=True),
                money("price", null=True),
                money("value", null=True),
                text("note", null=True),
            ),
        ),
        Table("by_type", (asset(), code("type", codes.LIABILITY_TYPES), amount("owed"))),
        Table("negative", (customer(), asset(), amount("owed")), PER_CUSTOMER),
        Table("excluded", (customer(), asset(), amount("owed"), text("reason")), PER_CUSTOMER),
        Table("sources", (text("file"), digest("sha256"), count("rows"), time("extracted_at"))),
    ),
)

ASSETS = Block(
    "assets",
    (money("value", null=True), count("addresses"), count("wallets")),
    (
        Table(
            "wallets",
            (
                text("wallet"),
                text("chain"),
                asset(),
                code("owner", codes.OWNERS),
                code("tier", codes.TIERS),
                text("custodian"),
                count("addresses"),
                amount("quantity", null=True),
                money("value", null=True),
                code("evidence", codes.EVIDENCE, null=True),
            ),
        ),
        Table(
            "addresses",
            (
                text("chain"),
                address(),
                digest("utxo_set", null=True, paper=False),
                asset(),
                address("contract", null=True, paper=False),
                amount("quantity", null=True),
                text("wallet"),
                code("class", codes.CLASSES),
                code("tier", codes.TIERS),
                text("custodian", paper=False),
                text("system_provider", null=True, paper=False),
                code("provider_status", codes.PROVIDER_STATUSES, paper=False),
                code("control_method", codes.CONTROL_METHODS, null=True, paper=False),
                date("control_proved_on", null=True, paper=False),
                count("control_block", null=True, paper=False),
                text("labelled_by", null=True, paper=False),
                time("first_seen", null=True, paper=False),
                time("last_seen", null=True, paper=False),
                code("encumbrance", codes.ENCUMBRANCES, paper=False),
                amount("encumbered", null=True, paper=False),
                amount("staked", null=True, paper=False),
                code("evidence", codes.EVIDENCE, null=True),
                text("source_a", null=True, paper=False),
                amount("quantity_a", null=True, paper=False),
                text("source_b", null=True, paper=False),
                amount("quantity_b", null=True, paper=False),
                code("agreement", codes.AGREEMENT, null=True, paper=False),
            ),
        ),
        Table(
            "stated",
            (
                text("custodian"),
                asset(),
                code("owner", codes.OWNERS),
                code("tier", codes.TIERS),
                amount("quantity"),
                time("as_of"),
                digest("document", null=True),
            ),
        ),
        Table(
            "encumbered",
            (
                text("wallet"),
                asset(),
                code("encumbrance", codes.ENCUMBRANCES),
                amount("quantity"),
                text("counterparty", null=True),
                time("until", null=True),
            ),
        ),
    ),
)

RECONCILIATION = Block(
    "reconciliation",
    (count("assets"), count("unexplained_assets", null=True)),
    (
        Table(
            "per_asset",
            (
                asset(),
                amount("owed", null=True),
                amount("held", null=True),
                amount("in_transit", null=True),
                amount("difference", null=True),
                ratio("coverage", null=True),
                ratio("verified_ratio", null=True),
                verdict(),
                amount("unexplained", null=True),
                text("basis", null=True, paper=False),
            ),
        ),
        Table(
            "by_class",
            (
                asset(),
                amount("cust_cold", null=True),
                amount("cust_hot", null=True),
                amount("cust_third", null=True),
                amount("cust_staked", null=True),
                amount("guarantee", null=True),
                amount("own", null=True),
                amount("reserve", null=True),
            ),
        ),
        Table(
            "explained",
            (
                asset(),
                code("type", codes.EXPLANATIONS),
                amount("quantity"),
                text("evidence"),
                text("approver"),
            ),
        ),
        Table(
            "roll_forward",
            (
                asset(),
                amount("opening", null=True),
                amount("inflow"),
                amount("outflow"),
                amount("fees"),
                amount("residual"),
                amount("closing", null=True),
                amount("difference", null=True),
            ),
        ),
        Table(
            "flows",
            (
                asset(),
                code("direction", codes.DIRECTIONS),
                code("reason", codes.REASONS),
                count("parts"),
                amount("quantity"),
                money("value", null=True),
            ),
        ),
        Table(
            "round_trips",
            (
                text("wallet"),
                asset(),
                time("in_at"),
                amount("quantity_in"),
                digest("txid_in"),
                time("out_at"),
                amount("quantity_out"),
                digest("txid_out"),
            ),
        ),
    ),
)

REQUIREMENTS = Block(
    "requirements",
    (count("passed"), count("breached"), count("unverified")),
    (
        Table(
            "checks",
            (
                text("profile"),
                code("status", codes.STATUSES),
                text("check"),
                asset(null=True),
                text("formula", null=True),
                ratio("value", null=True),
                ratio("threshold", null=True),
                ratio("margin", null=True),
                code("unit", codes.UNITS, null=True),
                verdict(),
                flag(),
                text("basis", null=True),
            ),
        ),
        Table(
            "operands",
            (
                text("profile"),
                text("check"),
                asset(null=True),
                text("operand"),
                ratio("value", null=True),
                code("unit", codes.UNITS, null=True),
            ),
        ),
    ),
)

RESERVE = Block(
    "reserve",
    (code("status", codes.STATUSES, null=True), verdict(null=True), text("note", null=True)),
    (
        Table(
            "guarantee",
            (
                asset(),
                amount("hot", null=True),
                amount("guarantee", null=True),
                amount("surplus", null=True),
                money("surplus_value", null=True),
                verdict(),
            ),
        ),
        Table(
            "guarantee_wallets",
            (
                text("wallet"),
                asset(),
                amount("quantity", null=True),
                code("tier", codes.TIERS),
                date("control_proved_on", null=True),
            ),
        ),
        Table(
            "requirement",
            (text("profile"), code("term", codes.RESERVE_TERMS), money("amount", null=True), flag()),
        ),
        Table(
            "instruments",
            (
                code("type", codes.INSTRUMENTS),
                text("name"),
                text("counterparty", null=True),
                text("currency"),
                money("amount", of="currency"),
                money("eligible", null=True),
                date("starts_on", null=True),
                date("expires_on", null=True),
                text("exclusions", null=True),
                digest("document", null=True, paper=False),
                date("confirmed_on", null=True, paper=False),
            ),
        ),
        Table(
            "stress",
            (
                text("subject"),
                money("exposure", null=True),
                money("available", null=True),
                money("uncovered", null=True),
            ),
        ),
    ),
)
