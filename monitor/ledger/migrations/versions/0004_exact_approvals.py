"""Approvals for one exact transaction and in batches, and what names a transaction beside its id."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.ledger.types import Plain, Whole

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for table in ("flow", "approval"):
        op.add_column(table, sa.Column("safe_tx_hash", Plain, nullable=True))
        op.add_column(table, sa.Column("outputs_hash", Plain, nullable=True))
    op.add_column("approval", sa.Column("batch_size", Whole, nullable=True))
    op.create_index("approval_batch", "approval", ["batch"])
    op.create_index("approval_used", "approval", ["used_by"])


def downgrade() -> None:
    op.drop_index("approval_used", "approval")
    op.drop_index("approval_batch", "approval")
    op.drop_column("approval", "batch_size")
    for table in ("approval", "flow"):
        op.drop_column(table, "outputs_hash")
        op.drop_column(table, "safe_tx_hash")
