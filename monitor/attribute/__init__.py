"""From legs to flow parts, and from flow parts to reasons. Pure: values in, values out."""

from monitor.attribute.explain import Rules, explain
from monitor.attribute.flows import AttributionError, split
from monitor.attribute.matching import Claim, Names, Sink, assign, claims_of, mismatch, names_of, outputs_hash

__all__ = [
    "AttributionError",
    "Claim",
    "Names",
    "Rules",
    "Sink",
    "assign",
    "claims_of",
    "explain",
    "mismatch",
    "names_of",
    "outputs_hash",
    "split",
]
