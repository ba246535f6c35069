"""The public chains, read-only: nothing here knows of exchanges, approvals or law."""
