"""The journal cannot be changed or emptied by accident; the ledger knows how often it was opened to write.

A later revision that makes the journal anew on SQLite (batch mode) has to make its triggers anew too.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.ledger.types import Whole

revision = "0002"
down_revision = "0001"

_FUNCTION = """
CREATE FUNCTION journal_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING
    MESSAGE = 'the journal is append-only: ' || TG_OP || ' refused', ERRCODE = 'restrict_violation';
END
$$
"""
_TRIGGER = """
CREATE TRIGGER journal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal
FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only()
"""


def upgrade() -> None:
    writer = op.create_table(
        "writer",
        sa.Column("epoch", Whole, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("epoch"),
    )
    op.bulk_insert(writer, [{"epoch": 0}])
    if op.get_context().dialect.name == "postgresql":
        op.execute(_FUNCTION)
        op.execute(_TRIGGER)
    else:
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER journal_no_{action.lower()} BEFORE {action} ON journal "
                f"BEGIN SELECT RAISE(ABORT, 'the journal is append-only: {action} refused'); END"
            )


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP TRIGGER journal_append_only ON journal")
        op.execute("DROP FUNCTION journal_append_only()")
    else:
        op.execute("DROP TRIGGER journal_no_update")
        op.execute("DROP TRIGGER journal_no_delete")
    op.drop_table("writer")
