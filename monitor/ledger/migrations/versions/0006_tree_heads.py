"""Signed heads of the journal's Merkle tree, which cannot be changed by accident, and its complete subtrees."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.ledger.types import Moment, Plain, Whole

revision = "0006"
down_revision = "0005"

_FUNCTION = """
CREATE FUNCTION tree_head_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING
    MESSAGE = 'tree heads are append-only: ' || TG_OP || ' refused', ERRCODE = 'restrict_violation';
END
$$
"""
_TRIGGER = """
CREATE TRIGGER tree_head_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tree_head
FOR EACH STATEMENT EXECUTE FUNCTION tree_head_append_only()
"""


def upgrade() -> None:
    op.create_table(
        "tree_head",
        sa.Column("size", Whole, nullable=False, autoincrement=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("root", Plain, nullable=False),
        sa.Column("key", Plain, nullable=False),
        sa.Column("signature", Plain, nullable=False),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "tree_node",
        sa.Column("level", Whole, nullable=False, autoincrement=False),
        sa.Column("idx", Whole, nullable=False, autoincrement=False),
        sa.Column("hash", Plain, nullable=False),
        sa.PrimaryKeyConstraint("level", "idx"),
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute(_FUNCTION)
        op.execute(_TRIGGER)
    else:
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER tree_head_no_{action.lower()} BEFORE {action} ON tree_head "
                f"BEGIN SELECT RAISE(ABORT, 'tree heads are append-only: {action} refused'); END"
            )


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP TRIGGER tree_head_append_only ON tree_head")
        op.execute("DROP FUNCTION tree_head_append_only()")
    else:
        op.execute("DROP TRIGGER tree_head_no_update")
        op.execute("DROP TRIGGER tree_head_no_delete")
    op.drop_table("tree_node")
    op.drop_table("tree_head")
