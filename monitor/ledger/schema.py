"""Tables of the ledger, in portable SQL. Migrations create them; this module is how code names them.

The journal is the truth. STATE tables are rebuilt from it, row for row; the operational tables
(cursor, header, outbox, feed) hold positions in the outside world and what is still to be sent.
The tree tables bear witness of the journal: they are made from it, but never anew.

Text is compared byte by byte on either engine: where the migrations make a text column they say so.
"""

from __future__ import annotations

from sqlalchemy import Column, Identity, Index, MetaData, Table, Text, text

from monitor.ledger.types import Moment, Units, Whole

metadata = MetaData()

journal = Table(
    "journal",
    metadata,
    Column("seq", Whole, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("journal_kind", "kind", "at"),
    Index("journal_kind_seq", "kind", "seq"),
)

watched = Table(
    "watched",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("locator", Text, primary_key=True),
    Column("wallet", Text, nullable=False),
    Column("opened_height", Whole, nullable=False),
    Column("opened_hash", Text, nullable=False),
    Index("watched_wallet", "wallet", "locator"),
)

#: locators that a person or a program added through the API; the configuration's own stand in its files
added = Table(
    "added",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("locator", Text, primary_key=True),
    Column("wallet", Text, nullable=False),
)

#: the assets for which the locators of a chain have been opened, and from which block on
carried = Table(
    "carried",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("asset", Text, primary_key=True),
    Column("opened_height", Whole, nullable=False),
)

#: units of an account after the cursor's block; an account that never held anything has no row
account = Table(
    "account",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("locator", Text, primary_key=True),
    Column("asset", Text, primary_key=True),
    Column("wallet", Text, nullable=False),
    Column("units", Units, nullable=False),
)

#: Σ account.units of a wallet, kept beside the accounts so that no one sums a million rows
total = Table(
    "total",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("wallet", Text, primary_key=True),
    Column("asset", Text, primary_key=True),
    Column("units", Units, nullable=False),
)

movement = Table(
    "movement",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("height", Whole, primary_key=True),
    Column("txid", Text, primary_key=True),
    Column("ordinal", Whole, primary_key=True),
    Column("idx", Whole, primary_key=True),
    Column("block_hash", Text, nullable=False),
    Column("block_time", Whole, nullable=False),
    Column("kind", Text, nullable=False),
    Column("locator", Text, nullable=False),
    Column("asset", Text, nullable=False),
    Column("wallet", Text, nullable=False),
    Column("delta", Units, nullable=False),
    Column("coin", Text, nullable=False),
    Index(
        "movement_residual",
        "block_time",
        "chain",
        "height",
        sqlite_where=text("kind = 'residual'"),
        postgresql_where=text("kind = 'residual'"),
    ),
)

#: ``block_time`` and ``block_hash`` are in every row: only the migration that added them could not say so
flow = Table(
    "flow",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("height", Whole, primary_key=True),
    Column("txid", Text, primary_key=True),
    Column("ordinal", Whole, primary_key=True),
    Column("idx", Whole, primary_key=True),
    Column("wallet", Text, nullable=False),
    Column("asset", Text, nullable=False),
    Column("part", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("sink", Whole, nullable=False),
    Column("units", Units, nullable=False),
    Column("reason", Text, nullable=False),
    Column("approval", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("earliest", Moment, nullable=False),
    Column("latest", Moment, nullable=False),
    Column("fee", Units, nullable=True),
    Column("safe_tx_hash", Text, nullable=True),
    Column("outputs_hash", Text, nullable=True),
    Column("block_time", Whole, nullable=True),
    Column("block_hash", Text, nullable=True),
    Index("flow_open", "chain", "destination", "asset", "reason"),
    Index("flow_approval", "approval"),
    Index("flow_time", "block_time"),
    Index("flow_chain", "chain", "block_time"),
    Index("flow_wallet", "wallet", "block_time"),
    Index("flow_asset", "asset", "block_time"),
    Index("flow_reason", "reason", "block_time"),
    Index("flow_destination", "destination", "block_time"),
    Index("flow_txid", "txid"),
)

#: the chain's own counter of a locator (EVM: its nonce) after the cursor's block, as the movements explain it
sequence = Table(
    "sequence",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("locator", Text, primary_key=True),
    Column("value", Whole, nullable=False),
)

#: by how much each block advanced a counter
step = Table(
    "step",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("height", Whole, primary_key=True),
    Column("locator", Text, primary_key=True),
    Column("steps", Whole, nullable=False),
)

coin = Table(
    "coin",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("coin", Text, primary_key=True),
    Column("locator", Text, nullable=False),
    Column("asset", Text, nullable=False),
    Column("units", Units, nullable=False),
)

approval = Table(
    "approval",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("state", Text, nullable=False),  # open, used, cancelled
    Column("used_by", Text, nullable=False),  # chain/txid/sink of the flow it explains, or ""
    Column("chain", Text, nullable=False),
    Column("asset", Text, nullable=False),
    Column("units", Units, nullable=False),
    Column("destination", Text, nullable=False),
    Column("wallet", Text, nullable=True),
    Column("tag", Text, nullable=True),
    Column("not_before", Moment, nullable=True),
    Column("not_after", Moment, nullable=False),
    Column("max_fee", Units, nullable=True),
    Column("txid", Text, nullable=True),
    Column("batch", Text, nullable=True),
    Column("first_read", Moment, nullable=False),
    Column("safe_tx_hash", Text, nullable=True),
    Column("outputs_hash", Text, nullable=True),
    Column("batch_size", Whole, nullable=True),
    Index("approval_match", "chain", "destination", "asset", "state"),
    Index("approval_batch", "batch"),
    Index("approval_used", "used_by"),
)

cases = Table(
    "cases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("chain", Text, nullable=True),
    Column("wallet", Text, nullable=True),
    Column("tier", Text, nullable=True),
    Column("asset", Text, nullable=True),
    Column("units", Units, nullable=True),
    Column("txid", Text, nullable=True),
    Column("opened_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=True),
    Column("body", Text, nullable=False),
    Column("incident", Text, nullable=True),
    Column("pages", Whole, nullable=True),  # 1 where it is the first of its incident, or made it grow
    Index("cases_state", "state", "opened_at", "id"),
    Index("cases_txid", "chain", "txid"),
    Index("cases_incident", "incident", "state"),
    Index("cases_opened", "opened_at", "id"),
    Index("cases_counts", "state", "rule", "severity", "chain", "tier"),
)

#: sums over the cases of an incident, kept beside them so that no one reads hundreds of cases to judge one more
incident = Table(
    "incident",
    metadata,
    Column("id", Text, primary_key=True),
    Column("first_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("body", Text, nullable=False),
)

#: what the cases of an incident have in common with others (monitor.detect.incidents.keys_of), and when they had it
incident_key = Table(
    "incident_key",
    metadata,
    Column("name", Text, primary_key=True),
    Column("incident", Text, primary_key=True),
    Column("first_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    Index("incident_key_time", "name", "last_at"),
)

verdict = Table(
    "verdict",
    metadata,
    Column("cycle", Whole, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("kind", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("verdict_kind", "kind", "cycle"),
)

#: announced work on cold wallets; ``wallets`` is a JSON list of names, "" stands where nobody has acted yet, and for
#: a user where nobody was logged in
ceremony = Table(
    "ceremony",
    metadata,
    Column("id", Text, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("wallets", Text, nullable=False),
    Column("begins_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    Column("announced_by", Text, nullable=False),
    Column("announced_user", Text, nullable=False),
    Column("announced_at", Moment, nullable=False),
    Column("confirmed_by", Text, nullable=False),
    Column("confirmed_user", Text, nullable=False),
    Column("confirmed_at", Moment, nullable=True),
    Column("cancelled_by", Text, nullable=False),
    Column("cancelled_user", Text, nullable=False),
    Column("cancelled_at", Moment, nullable=True),
    Column("cancel_reason", Text, nullable=False),
    Index("ceremony_window", "ends_at", "begins_at"),
)

#: challenges to show control of a locator, as issued; each is answered at most once
control_challenge = Table(
    "control_challenge",
    metadata,
    Column("id", Text, primary_key=True),
    Column("nonce", Text, nullable=False),
    Column("chain", Text, nullable=False),
    Column("wallet", Text, nullable=False),
    Column("locator", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("issued_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("control_challenge_nonce", "nonce", unique=True),
    Index("control_challenge_locator", "chain", "locator"),
)

#: accepted answers, by the challenge that each has used up
control_proof = Table(
    "control_proof",
    metadata,
    Column("challenge", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("chain", Text, nullable=False),
    Column("block_height", Whole, nullable=False),
    Column("block_hash", Text, nullable=False),
    Column("block_parent", Text, nullable=False),
    Column("block_time", Whole, nullable=False),
    Column("proved_at", Moment, nullable=False),
    Column("proof", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("txid", Text, nullable=False),  # of a movement, or ""
    Column("detail", Text, nullable=False),
    Column("funds", Text, nullable=False),
    Index("control_proof_txid", "chain", "txid"),
)

cursor = Table(
    "cursor",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("height", Whole, nullable=False),
    Column("hash", Text, nullable=False),
    Column("parent", Text, nullable=False),
    Column("time", Whole, nullable=False),
    Column("final_height", Whole, nullable=False),
)

#: a bounded window of headers below the cursor, in which a reorganisation finds its fork; ``seen_at``: when
#: porwatch took the block over, which bounds its true age where a miner's clock runs ahead
header = Table(
    "header",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("height", Whole, primary_key=True),
    Column("hash", Text, nullable=False),
    Column("parent", Text, nullable=False),
    Column("time", Whole, nullable=False),
    Column("seen_at", Moment, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Whole, Identity(), primary_key=True),
    Column("receiver", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("sent_at", Moment, nullable=True),
    Index("outbox_pending", "receiver", "sent_at", "id"),
)

feed = Table(
    "feed",
    metadata,
    Column("source", Text, primary_key=True),
    Column("position", Text, nullable=False),
    Column("heartbeat", Moment, nullable=True),
    Column("records", Whole, nullable=False),
    Column("malformed", Whole, nullable=False),
    Column("read_at", Moment, nullable=False),
)

#: signed statements about the journal (monitor.ledger.heads); it cannot hold them itself
tree_head = Table(
    "tree_head",
    metadata,
    Column("size", Whole, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("root", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("signature", Text, nullable=False),
)

#: complete subtrees of the journal's Merkle tree, so that no one hashes the whole journal for one proof
tree_node = Table(
    "tree_node",
    metadata,
    Column("level", Whole, primary_key=True, autoincrement=False),
    Column("idx", Whole, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
)

#: who was shown which case, once an hour (monitor.ledger.access); rows are only ever added
case_read = Table(
    "case_read",
    metadata,
    Column("id", Whole, Identity(), primary_key=True),
    Column("hour", Moment, nullable=False),
    Column("name", Text, nullable=False),
    Column("how", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("role", Text, nullable=False),
    Column("client", Text, nullable=False),
    Index("case_read_once", "hour", "name", "how", "case_id", unique=True),
    Index("case_read_case", "case_id"),
)

#: one row: how often the ledger was opened to write (monitor.ledger.store)
writer = Table("writer", metadata, Column("epoch", Whole, primary_key=True, autoincrement=False))

STATE = (
    watched,
    added,
    carried,
    account,
    total,
    movement,
    flow,
    sequence,
    step,
    coin,
    approval,
    cases,
    incident,
    incident_key,
    verdict,
    control_challenge,
    control_proof,
    ceremony,
)
