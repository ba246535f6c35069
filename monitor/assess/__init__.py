"""What is held against what is owed and what the law asks: checks and the verdict of a cycle. Pure."""

from __future__ import annotations

from monitor.assess.inputs import (
    BadInputs,
    Books,
    Custody,
    DayPrice,
    Declared,
    Facts,
    Funds,
    Inputs,
    Limits,
    Line,
    Owed,
    Provider,
    Quote,
    Reading,
    ResidualLine,
    Stated,
    Transit,
    canonical_bytes,
    from_json,
)
from monitor.assess.verdict import digest, outcomes, verdict

__all__ = [
    "BadInputs",
    "Books",
    "Custody",
    "DayPrice",
    "Declared",
    "Facts",
    "Funds",
    "Inputs",
    "Limits",
    "Line",
    "Owed",
    "Provider",
    "Quote",
    "Reading",
    "ResidualLine",
    "Stated",
    "Transit",
    "canonical_bytes",
    "digest",
    "from_json",
    "outcomes",
    "verdict",
]
