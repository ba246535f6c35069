"""Watch lists that change while porwatch runs: addresses added by people, and the assets a chain is followed for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.ledger.types import Plain, Whole

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "added",
        sa.Column("chain", Plain, nullable=False),
        sa.Column("locator", Plain, nullable=False),
        sa.Column("wallet", Plain, nullable=False),
        sa.PrimaryKeyConstraint("chain", "locator"),
    )
    op.create_table(
        "carried",
        sa.Column("chain", Plain, nullable=False),
        sa.Column("asset", Plain, nullable=False),
        sa.Column("opened_height", Whole, nullable=False),
        sa.PrimaryKeyConstraint("chain", "asset"),
    )


def downgrade() -> None:
    op.drop_table("carried")
    op.drop_table("added")
