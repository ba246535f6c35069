"""Who was shown which case. A row is never changed; retention alone may remove old ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.ledger.types import Moment, Plain, Whole

revision = "0010"
down_revision = "0009"

_FUNCTION = """
CREATE FUNCTION case_read_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING
    MESSAGE = 'who read which case is never changed: ' || TG_OP || ' refused', ERRCODE = 'restrict_violation';
END
$$
"""
_TRIGGER = """
CREATE TRIGGER case_read_unchanged BEFORE UPDATE OR TRUNCATE ON case_read
FOR EACH STATEMENT EXECUTE FUNCTION case_read_unchanged()
"""


def upgrade() -> None:
    op.create_table(
        "case_read",
        sa.Column("id", Whole, sa.Identity(), nullable=False),
        sa.Column("hour", Moment, nullable=False),
        sa.Column("name", Plain, nullable=False),
        sa.Column("how", Plain, nullable=False),
        sa.Column("case_id", Plain, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("role", Plain, nullable=False),
        sa.Column("client", Plain, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("case_read_once", "case_read", ["hour", "name", "how", "case_id"], unique=True)
    op.create_index("case_read_case", "case_read", ["case_id"])
    if op.get_context().dialect.name == "postgresql":
        op.execute(_FUNCTION)
        op.execute(_TRIGGER)
    else:
        op.execute(
            "CREATE TRIGGER case_read_no_update BEFORE UPDATE ON case_read "
            "BEGIN SELECT RAISE(ABORT, 'who read which case is never changed: UPDATE refused'); END"
        )


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP TRIGGER case_read_unchanged ON case_read")
        op.execute("DROP FUNCTION case_read_unchanged()")
    else:
        op.execute("DROP TRIGGER case_read_no_update")
    op.drop_table("case_read")
