"""Pages of movements, cases, verdicts and records without reading all of them; announced cold ceremonies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.ledger.types import Moment, Plain, Whole

revision = "0011"
down_revision = "0010"

_INDEXES = (
    ("flow_time", "flow", ["block_time"]),
    ("flow_chain", "flow", ["chain", "block_time"]),
    ("flow_wallet", "flow", ["wallet", "block_time"]),
    ("flow_asset", "flow", ["asset", "block_time"]),
    ("flow_reason", "flow", ["reason", "block_time"]),
    ("flow_destination", "flow", ["destination", "block_time"]),
    ("flow_txid", "flow", ["txid"]),
    ("cases_opened", "cases", ["opened_at", "id"]),
    ("cases_counts", "cases", ["state", "rule", "severity", "chain", "tier"]),
    ("journal_kind_seq", "journal", ["kind", "seq"]),
    ("verdict_kind", "verdict", ["kind", "cycle"]),
    ("watched_wallet", "watched", ["wallet", "locator"]),
    ("control_challenge_locator", "control_challenge", ["chain", "locator"]),
)
_RESIDUAL = sa.text("kind = 'residual'")
#: the time and hash of a flow's block stand in the record that brought it: of two at one height the later one counts
FILL = {
    "sqlite": """
UPDATE flow SET block_time = b.time, block_hash = b.hash FROM (
  SELECT json_extract(body, '$.block.chain') AS chain, json_extract(body, '$.block.height') AS height,
         json_extract(body, '$.block.time') AS time, json_extract(body, '$.block.hash') AS hash, max(seq)
  FROM journal WHERE kind = 'block' GROUP BY 1, 2
) AS b WHERE b.chain = flow.chain AND b.height = flow.height
""",
    "postgresql": """
UPDATE flow SET block_time = b.time, block_hash = b.hash FROM (
  SELECT DISTINCT ON (chain, height) chain, height, time, hash FROM (
    SELECT seq, block ->> 'chain' AS chain, (block ->> 'height')::bigint AS height,
           (block ->> 'time')::bigint AS time, block ->> 'hash' AS hash
    FROM (SELECT seq, body::json -> 'block' AS block FROM journal WHERE kind = 'block') AS bodies
  ) AS blocks ORDER BY chain, height, seq DESC
) AS b WHERE b.chain = flow.chain AND b.height = flow.height
""",
}


def upgrade() -> None:
    op.add_column("flow", sa.Column("block_time", Whole, nullable=True))
    op.add_column("flow", sa.Column("block_hash", Plain, nullable=True))
    op.execute(sa.text(FILL[op.get_context().dialect.name].replace(":", "\\:")))
    for name, table, columns in _INDEXES:
        op.create_index(name, table, columns)
    op.create_index(
        "movement_residual",
        "movement",
        ["block_time", "chain", "height"],
        sqlite_where=_RESIDUAL,
        postgresql_where=_RESIDUAL,
    )
    op.create_table(
        "ceremony",
        sa.Column("id", Plain, nullable=False),
        sa.Column("purpose", Plain, nullable=False),
        sa.Column("wallets", Plain, nullable=False),
        sa.Column("begins_at", Moment, nullable=False),
        sa.Column("ends_at", Moment, nullable=False),
        sa.Column("announced_by", Plain, nullable=False),
        sa.Column("announced_user", Plain, nullable=False),
        sa.Column("announced_at", Moment, nullable=False),
        sa.Column("confirmed_by", Plain, nullable=False),
        sa.Column("confirmed_user", Plain, nullable=False),
        sa.Column("confirmed_at", Moment, nullable=True),
        sa.Column("cancelled_by", Plain, nullable=False),
        sa.Column("cancelled_user", Plain, nullable=False),
        sa.Column("cancelled_at", Moment, nullable=True),
        sa.Column("cancel_reason", Plain, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ceremony_window", "ceremony", ["ends_at", "begins_at"])


def downgrade() -> None:
    op.drop_table("ceremony")
    op.drop_index("movement_residual", "movement")
    for name, table, _ in reversed(_INDEXES):
        op.drop_index(name, table)
    op.drop_column("flow", "block_hash")
    op.drop_column("flow", "block_time")
