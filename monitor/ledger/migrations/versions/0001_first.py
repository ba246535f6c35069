"""The first schema of the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.ledger.types import Moment, Units

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
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("locator", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("wallet", sa.Text(), nullable=False),
        sa.Column("units", Units, nullable=False),
        sa.PrimaryKeyConstraint("chain", "locator", "asset"),
    )


def _create_approval() -> None:
    op.create_table(
        "approval",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("used_by", sa.Text(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("units", Units, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("wallet", sa.Text(), nullable=True),
        sa.Column("tag", sa.Text(), nullable=True),
        sa.Column("not_before", Moment, nullable=True),
        sa.Column("not_after", Moment, nullable=False),
        sa.Column("max_fee", Units, nullable=True),
        sa.Column("txid", sa.Text(), nullable=True),
        sa.Column("batch", sa.Text(), nullable=True),
        sa.Column("first_read", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("approval_match", "approval", ["chain", "destination", "asset", "state"])


def _create_cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=True),
        sa.Column("wallet", sa.Text(), nullable=True),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.Column("asset", sa.Text(), nullable=True),
        sa.Column("units", Units, nullable=True),
        sa.Column("txid", sa.Text(), nullable=True),
        sa.Column("opened_at", Moment, nullable=False),
        sa.Column("due_at", Moment, nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("cases_state", "cases", ["state", "opened_at", "id"])
    op.create_index("cases_txid", "cases", ["chain", "txid"])


def _create_coin() -> None:
    op.create_table(
        "coin",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("coin", sa.Text(), nullable=False),
        sa.Column("locator", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("units", Units, nullable=False),
        sa.PrimaryKeyConstraint("chain", "coin"),
    )


def _create_cursor() -> None:
    op.create_table(
        "cursor",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("time", sa.Integer(), nullable=False),
        sa.Column("final_height", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("chain"),
    )


def _create_feed() -> None:
    op.create_table(
        "feed",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("heartbeat", Moment, nullable=True),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("malformed", sa.Integer(), nullable=False),
        sa.Column("read_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("source"),
    )


def _create_flow() -> None:
    op.create_table(
        "flow",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("txid", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("wallet", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("sink", sa.Integer(), nullable=False),
        sa.Column("units", Units, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("approval", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
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
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("time", sa.Integer(), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "height"),
    )


def _create_journal() -> None:
    op.create_table(
        "journal",
        sa.Column("seq", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )


def _create_movement() -> None:
    op.create_table(
        "movement",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("txid", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.Text(), nullable=False),
        sa.Column("block_time", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("locator", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("wallet", sa.Text(), nullable=False),
        sa.Column("delta", Units, nullable=False),
        sa.Column("coin", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "height", "txid", "ordinal", "idx"),
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=True),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("sent_at", Moment, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("outbox_pending", "outbox", ["receiver", "sent_at", "id"])


def _create_sequence() -> None:
    op.create_table(
        "sequence",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("locator", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "locator"),
    )


def _create_step() -> None:
    op.create_table(
        "step",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("locator", sa.Text(), nullable=False),
        sa.Column("steps", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "height", "locator"),
    )


def _create_total() -> None:
    op.create_table(
        "total",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("wallet", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("units", Units, nullable=False),
        sa.PrimaryKeyConstraint("chain", "wallet", "asset"),
    )


def _create_verdict() -> None:
    op.create_table(
        "verdict",
        sa.Column("cycle", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("cycle"),
    )


def _create_watched() -> None:
    op.create_table(
        "watched",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("locator", sa.Text(), nullable=False),
        sa.Column("wallet", sa.Text(), nullable=False),
        sa.Column("opened_height", sa.Integer(), nullable=False),
        sa.Column("opened_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "locator"),
    )
