"""What somebody hands in: proofs as JSON, one object or a list of them."""

from __future__ import annotations

from dataclasses import dataclass

from chains.core import strictjson
from chains.core.ownership import ProofKind

BODY_BYTES_MOST = 16 * 1024 * 1024
PROOFS_MOST = 1_000
_KEYS = {"challenge", "kind", "proof"}


@dataclass(frozen=True, slots=True)
class Handed:
    """An answer to a challenge. ``proof``: a signature as the kind writes it; the transaction's id of a movement."""

    challenge: str
    kind: ProofKind
    proof: str


def read_handed(body: bytes) -> tuple[Handed, ...]:
    """The proofs in a file. Raises ValueError, which says which of them is malformed and what to write."""
    if len(body) > BODY_BYTES_MOST:
        raise ValueError(f"it has more than {BODY_BYTES_MOST} bytes: hand in fewer proofs at once")
    content = strictjson.loads(body)
    items = content if isinstance(content, list) else [content]
    if not 0 < len(items) <= PROOFS_MOST:
        raise ValueError(f"it holds {len(items)} proofs: hand in 1 to {PROOFS_MOST} at once")
    return tuple(_handed(number, item) for number, item in enumerate(items, 1))


def read_one(item: object) -> Handed:
    """One proof, given as decoded JSON. Raises ValueError."""
    return _handed(1, item)


def _handed(number: int, item: object) -> Handed:
    if not isinstance(item, dict) or set(item) != _KEYS or not all(isinstance(each, str) for each in item.values()):
        raise ValueError(f'proof {number}: write {{"challenge": "…", "kind": "…", "proof": "…"}}, all of them texts')
    try:
        kind = ProofKind(item["kind"])
    except ValueError:
        known = ", ".join(ProofKind)
        raise ValueError(f"proof {number}: the kind {item['kind'][:60]!r} is not known: write one of {known}") from None
    return Handed(item["challenge"], kind, item["proof"])
