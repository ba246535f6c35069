"""The ledger: a hash-chained journal, the current state rebuilt from it, and the outbox, in one database."""
