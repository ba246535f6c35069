"""The first schema of the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.ledger.types import Moment, Plain, Units, Whole

revision = "0001"
down_revision = None


def upgrade() -> None:
    _create_account()
    _create_approval()
    _create_cases()
    _create_coin()
    _create_cursor()
    _create_feed()
    _create_flow()
    _create_header()
    _create_journal()
    _create_movement()
    _create_outbox()
    _create_sequence()
    _create_step()
    _create_total()
    _create_verdict()
    _create_watched()


def downgrade() -> None:
    op.drop_table("watched")
    op.drop_table("verdict")
    op.drop_table("total")
    op.drop_table("step")
    op.drop_table("sequence")
    op.drop_table("outbox")
    op.drop_table("movement")
    op.drop_table("journal")
    op.drop_table("header")
    op.drop_table("flow")
    op.drop_table("feed")
    op.drop_table("cursor")
    op.drop_table("coin")
    op.drop_table("cases")
    op.drop_table("approval")
    op.drop_table("account")


def _create_account() -> None:
    op.create_table(
        "account",
        sa.Column("chain", Plain, nullable=False),
        sa.Column("locator", Plain, nullable=False),
        sa.Column("asset", Plain, nullable=False),
        sa.Column("wallet", Plain, nullable=False),
        sa.Column("units", Units, nullable=False),
        sa.PrimaryKeyConstraint("chain", "locator", "asset"),
    )


def _create_approval() -> None:
    op.create_table(
        "approval",
        sa.Column("id", Plain, nullable=False),
        sa.Column("digest", Plain, nullable=False),
        sa.Column("state", Plain, nullable=False),
        sa.Column("used_by", Plain, nullable=False),
        sa.Column("chain", Plain, nullable=False),
        sa.Column("asset", Plain, nullable=False),
        sa.Column("units", Units, nullable=False),
        sa.Column("destination", Plain, nullable=False),
        sa.Column("wallet", Plain, nullable=True),
        sa.Column("tag", Plain, nullable=True),
        sa.Column("not_before", Moment, nullable=True),
        sa.Column("not_after", Moment, nullable=False),
        sa.Column("max_fee", Units, nullable=True),
        sa.Column("txid", Plain, nullable=True),
        sa.Column("batch", Plain, nullable=True),
        sa.Column("first_read", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("approval_match", "approval", ["chain", "destination", "asset", "state"])


def _create_cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", Plain, nullable=False),
        sa.Column("rule", Plain, nullable=False),
        sa.Column("severity", Plain, nullable=False),
        sa.Column("state", Plain, nullable=False),
        sa.Column("chain", Plain, nullable=True),
        sa.Column("wallet", Plain, nullable=True),
        sa.Column("tier", Plain, nullable=True),
        sa.Column("asset", Plain, nullable=True),
        sa.Column("units", Units, nullable=True),
        sa.Column("txid", Plain, nullable=True),
        sa.Column("opened_at", Moment, nullable=False),
        sa.Column("due_at", Moment, nullable=True),
        sa.Column("body", Plain, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("cases_state", "cases", ["state", "opened_at", "id"])
    op.create_index("cases_txid", "cases", ["chain", "txid"])


def _create_coin() -> None:
    op.create_table(
        "coin",
        sa.Column("chain", Plain, nullable=False),
        sa.Column("coin", Plain, nullable=False),
        sa.Column("locator", Plain, nullable=False),
        sa.Column("asset", Plain, nullable=False),
        sa.Column("units", Units, nullable=False),
        sa.PrimaryKeyConstraint("chain", "coin"),
    )


def _create_cursor() -> None:
    op.create_table(
        "cursor",
        sa.Column("chain", Plain, nullable=False),
        sa.Column("height", Whole, nullable=False),
        sa.Column("hash", Plain, nullable=False),
        sa.Column("parent", Plain, nullable=False),
        sa.Column("time", Whole, nullable=False),
        sa.Column("final_height", Whole, nullable=False),
        sa.PrimaryKeyConstraint("chain"),
    )


def _create_feed() -> None:
    op.create_table(
        "feed",
        sa.Column("source", Plain, nullable=False),
        sa.Column("position", Plain, nullable=False),
        sa.Column("heartbeat", Moment, nullable=True),
        sa.Column("records", Whole, nullable=False),
        sa.Column("malformed", Whole, nullable=False),
        sa.Column("read_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("source"),
    )


def _create_flow() -> None:
    op.create_table(
        "flow",
        sa.Column("chain", Plain, nullable=False),
        sa.Column("height", Whole, nullable=False),
        sa.Column("txid", Plain, nullable=False),
        sa.Column("ordinal", Whole, nullable=False),
        sa.Column("idx", Whole, nullable=False),
        sa.Column("wallet", Plain, nullable=False),
        sa.Column("asset", Plain, nullable=False),
        sa.Column("part", Plain, nullable=False),
        sa.Column("direction", Plain, nullable=False),
        sa.Column("destination", Plain, nullable=False),
        sa.Column("receiver", Plain, nullable=False),
        sa.Column("sink", Whole, nullable=False),
        sa.Column("units", Units, nullable=False),
        sa.Column("reason", Plain, nullable=False),
        sa.Column("approval", Plain, nullable=False),
        sa.Column("note", Plain, nullable=False),
        sa.Column("earliest", Moment, nullable=False),
        sa.Column("latest", Moment, nullable=False),
        sa.Column("fee", Units, nullable=True),
        sa.PrimaryKeyConstraint("chain", "height", "txid", "ordinal", "idx"),
    )
    op.create_index("flow_approval", "flow", ["approval"])
    op.create_index("flow_open", "flow", ["chain", "destination", "asset", "reason"])


def _create_header() -> None:
    op.create_table(
        "header",
        sa.Column("chain", Plain, nullable=False),
        sa.Column("height", Whole, nullable=False),
        sa.Column("hash", Plain, nullable=False),
        sa.Column("parent", Plain, nullable=False),
        sa.Column("time", Whole, nullable=False),
        sa.Column("seen_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("chain", "height"),
    )


def _create_journal() -> None:
    op.create_table(
        "journal",
        sa.Column("seq", Whole, nullable=False, autoincrement=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("kind", Plain, nullable=False),
        sa.Column("body", Plain, nullable=False),
        sa.Column("previous", Plain, nullable=False),
        sa.Column("hash", Plain, nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )


def _create_movement() -> None:
    op.create_table(
        "movement",
        sa.Column("chain", Plain, nullable=False),
        sa.Column("height", Whole, nullable=False),
        sa.Column("txid", Plain, nullable=False),
        sa.Column("ordinal", Whole, nullable=False),
        sa.Column("idx", Whole, nullable=False),
        sa.Column("block_hash", Plain, nullable=False),
        sa.Column("block_time", Whole, nullable=False),
        sa.Column("kind", Plain, nullable=False),
        sa.Column("locator", Plain, nullable=False),
        sa.Column("asset", Plain, nullable=False),
        sa.Column("wallet", Plain, nullable=False),
        sa.Column("delta", Units, nullable=False),
        sa.Column("coin", Plain, nullable=False),
        sa.PrimaryKeyConstraint("chain", "height", "txid", "ordinal", "idx"),
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", Whole, sa.Identity(), nullable=False),
        sa.Column("receiver", Plain, nullable=False),
        sa.Column("case_id", Plain, nullable=False),
        sa.Column("payload", Plain, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("sent_at", Moment, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("outbox_pending", "outbox", ["receiver", "sent_at", "id"])


def _create_sequence() -> None:
    op.create_table(
        "sequence",
        sa.Column("chain", Plain, nullable=False),
        sa.Column("locator", Plain, nullable=False),
        sa.Column("value", Whole, nullable=False),
        sa.PrimaryKeyConstraint("chain", "locator"),
    )


def _create_step() -> None:
    op.create_table(
        "step",
        sa.Column("chain", Plain, nullable=False),
        sa.Column("height", Whole, nullable=False),
        sa.Column("locator", Plain, nullable=False),
        sa.Column("steps", Whole, nullable=False),
        sa.PrimaryKeyConstraint("chain", "height", "locator"),
    )


def _create_total() -> None:
    op.create_table(
        "total",
        sa.Column("chain", Plain, nullable=False),
        sa.Column("wallet", Plain, nullable=False),
        sa.Column("asset", Plain, nullable=False),
        sa.Column("units", Units, nullable=False),
        sa.PrimaryKeyConstraint("chain", "wallet", "asset"),
    )


def _create_verdict() -> None:
    op.create_table(
        "verdict",
        sa.Column("cycle", Whole, nullable=False, autoincrement=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("kind", Plain, nullable=False),
        sa.Column("hash", Plain, nullable=False),
        sa.Column("body", Plain, nullable=False),
        sa.PrimaryKeyConstraint("cycle"),
    )


def _create_watched() -> None:
    op.create_table(
        "watched",
        sa.Column("chain", Plain, nullable=False),
        sa.Column("locator", Plain, nullable=False),
        sa.Column("wallet", Plain, nullable=False),
        sa.Column("opened_height", Whole, nullable=False),
        sa.Column("opened_hash", Plain, nullable=False),
        sa.PrimaryKeyConstraint("chain", "locator"),
    )
