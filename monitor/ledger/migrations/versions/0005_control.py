"""Challenges to show control of an address, and the proofs that answered them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.ledger.types import Moment, Plain, Whole

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "control_challenge",
        sa.Column("id", Plain, nullable=False),
        sa.Column("nonce", Plain, nullable=False),
        sa.Column("chain", Plain, nullable=False),
        sa.Column("wallet", Plain, nullable=False),
        sa.Column("locator", Plain, nullable=False),
        sa.Column("text", Plain, nullable=False),
        sa.Column("issued_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("control_challenge_nonce", "control_challenge", ["nonce"], unique=True)
    op.create_table(
        "control_proof",
        sa.Column("challenge", Plain, nullable=False),
        sa.Column("kind", Plain, nullable=False),
        sa.Column("chain", Plain, nullable=False),
        sa.Column("block_height", Whole, nullable=False),
        sa.Column("block_hash", Plain, nullable=False),
        sa.Column("block_parent", Plain, nullable=False),
        sa.Column("block_time", Whole, nullable=False),
        sa.Column("proved_at", Moment, nullable=False),
        sa.Column("proof", Plain, nullable=False),
        sa.Column("digest", Plain, nullable=False),
        sa.Column("txid", Plain, nullable=False),
        sa.Column("detail", Plain, nullable=False),
        sa.Column("funds", Plain, nullable=False),
        sa.PrimaryKeyConstraint("challenge"),
    )
    op.create_index("control_proof_txid", "control_proof", ["chain", "txid"])


def downgrade() -> None:
    op.drop_table("control_proof")
    op.drop_table("control_challenge")
