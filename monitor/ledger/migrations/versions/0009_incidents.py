"""Which incident a case belongs to, and what an incident adds up to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.ledger.types import Moment, Plain, Whole

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("cases", sa.Column("incident", Plain, nullable=True))
    op.add_column("cases", sa.Column("pages", Whole, nullable=True))
    op.create_index("cases_incident", "cases", ["incident", "state"])
    op.create_table(
        "incident",
        sa.Column("id", Plain, nullable=False),
        sa.Column("first_at", Moment, nullable=False),
        sa.Column("last_at", Moment, nullable=False),
        sa.Column("body", Plain, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "incident_key",
        sa.Column("name", Plain, nullable=False),
        sa.Column("incident", Plain, nullable=False),
        sa.Column("first_at", Moment, nullable=False),
        sa.Column("last_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("name", "incident"),
    )
    op.create_index("incident_key_time", "incident_key", ["name", "last_at"])


def downgrade() -> None:
    op.drop_table("incident_key")
    op.drop_table("incident")
    op.drop_index("cases_incident", "cases")
    op.drop_column("cases", "pages")
    op.drop_column("cases", "incident")
