"""Find what was declared, opened or regrouped in a period without reading the whole journal."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0006"


def upgrade() -> None:
    op.create_index("journal_kind", "journal", ["kind", "at"])


def downgrade() -> None:
    op.drop_index("journal_kind", "journal")
