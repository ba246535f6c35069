"""Schema migrations, run by Alembic through monitor.ledger.migrate."""
