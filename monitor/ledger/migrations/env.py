"""Runs the migrations on the connection that monitor.ledger.migrate hands over, or writes their SQL for its dialect."""

from __future__ import annotations

from alembic import context

from monitor.ledger.schema import metadata

attributes = context.config.attributes
context.configure(
    connection=attributes.get("connection"),
    dialect_name=attributes.get("dialect"),
    target_metadata=metadata,
    transaction_per_migration=False,
    # an upgrade is kept whole or not at all, on SQLite as well
    transactional_ddl=True,
    literal_binds=context.is_offline_mode(),
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
