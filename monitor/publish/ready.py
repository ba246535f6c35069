"""Whether porwatch can be relied on yet."""

from __future__ import annotations

from monitor.health import Health
from monitor.ledger import reader
from monitor.ledger.store import Ledger


def not_ready(ledger: Ledger, health: Health) -> list[str]:
    """Why porwatch cannot be relied on yet, a sentence each; empty once it can."""
    reasons = []
    try:
        with ledger.read() as connection:
            reader.cursors(connection)
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is "not ready"
        reasons.append(f"the ledger cannot be read: {type(error).__name__}")
    for chain in health.chains:
        if not health.identified.get(chain):
            reasons.append(f"{chain}: too few endpoints have shown that they serve this chain")
        elif not health.following.get(chain):
            reasons.append(f"{chain}: following has not begun")
    return reasons
