"""The signatures of a published file: each address row is verified, unsigned, unsupported, or a finding. Pure."""

from __future__ import annotations

from collections import Counter

from chains.core.messages import BadSignature, UnsupportedAddress, scheme_of
from monitor.publish.imports.model import AddressRow, Finding, Kind, ReserveFile, Summary


def verify(file: ReserveFile) -> tuple[Summary, tuple[Finding, ...]]:
    """Counts, and a finding for every signature that is malformed or is not of its address's key.

    An unsigned row is none: the file claims no proof there. Neither is a row of a chain whose signatures are not
    known here; it never counts as verified.
    """
    counts: Counter[str] = Counter()
    findings: list[Finding] = []
    for row in file.rows:
        try:
            counts[_outcome(row)] += 1
        except BadSignature as error:
            message = f"the signature on {row.message!r} does not verify for {row.address}: {error}"
            findings.append(Finding(file.name, row.line, row.asset, Kind.SIGNATURE, row.address, None, message))
    rows, unsigned = len(file.rows), counts["unsigned"]
    return Summary(rows, rows - unsigned, counts["verified"], unsigned, counts["unsupported"]), tuple(findings)


def _outcome(row: AddressRow) -> str:
    if row.signature is None:
        return "unsigned"
    try:
        # A row that publishes a signature and no text may have signed the empty one.
        scheme_of(row.address, row.message or "", row.signature)
    except UnsupportedAddress:
        return "unsupported"
    return "verified"
