from __future__ import annotations

from decimal import Decimal

import pytest

from chains.core.messages import Scheme
from monitor.publish.imports.model import AddressRow, Kind, ReserveFile, Summary
from monitor.publish.imports.signatures import verify
from tests.unit.core.signing import signer


def row(line: int, address: str, message: str | None, signature: str | None) -> AddressRow:
    return AddressRow(line, "COIN", address, 1, Decimal(1), message, signature)


def file(*rows: AddressRow) -> ReserveFile:
    return ReserveFile("f.csv", (), rows)


def test_every_row_is_verified_unsigned_unsupported_or_a_finding() -> None:
    one = signer()
    rows = [row(place, one.address(scheme), "htx", one.sign(scheme, "htx")) for place, scheme in enumerate(Scheme)]
    others = [
        row(10, one.address(Scheme.EIP191), None, None),
        row(11, "A" * 58, "htx", "c2ln"),
        row(12, one.address(Scheme.EIP191), "huobi", one.sign(Scheme.EIP191, "htx")),
    ]
    summary, findings = verify(file(*rows, *others))
    assert summary == Summary(rows=8, signed=7, verified=5, unsigned=1, unsupported=1)
    assert [(each.line, each.asset, each.kind, each.declared, each.computed) for each in findings] == [
        (12, "COIN", Kind.SIGNATURE, one.address(Scheme.EIP191), None)
    ]
    assert "'huobi'" in findings[0].message


def test_an_unsigned_row_alone_is_no_finding() -> None:
    summary, findings = verify(file(row(2, signer().address(Scheme.EIP191), "htx", None)))
    assert (summary, findings) == (Summary(rows=1, unsigned=1), ())


@pytest.mark.parametrize("signature", ["0x00", "not hex", "00" * 65])
def test_a_malformed_signature_is_a_finding_and_never_counts_as_verified(signature: str) -> None:
    summary, findings = verify(file(row(2, signer().address(Scheme.TRON_PLAIN), "htx", signature)))
    assert summary == Summary(rows=1, signed=1)
    assert [each.kind for each in findings] == [Kind.SIGNATURE]


def test_a_signature_without_its_text_is_tried_on_the_empty_one() -> None:
    one = signer()
    address = one.address(Scheme.EIP191)
    assert verify(file(row(2, address, None, one.sign(Scheme.EIP191, ""))))[0].verified == 1
    assert len(verify(file(row(2, address, None, one.sign(Scheme.EIP191, "-"))))[1]) == 1
