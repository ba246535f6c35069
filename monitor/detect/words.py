"""Words that cases are written with."""

#: who opened or changed a case when no person did
SYSTEM = "porwatch"


def source_of(quorum: int) -> str:
    """How well the block of an outflow is known: ``quorum`` endpoints had to agree on it before it was taken."""
    return "claimed by one endpoint" if quorum == 1 else f"agreed by {quorum} endpoints or more"
