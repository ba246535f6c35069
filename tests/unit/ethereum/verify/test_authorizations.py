from __future__ import annotations

import pytest
from eth_account import Account

from chains.core.errors import BadAnswer
from chains.ethereum.verify.authorizations import Authorization, authorizations
from tests.unit.ethereum.verify.blocks import OTHER_KEY, TO, authorization, authorization_json, transaction

AUTHORITY = Account.from_key(OTHER_KEY).address.lower()
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def test_the_authority_of_every_authorization_is_recovered() -> None:
    assert authorizations(transaction(4)) == (
        Authorization(1, TO, 7, AUTHORITY),
        Authorization(0, TO, 9, AUTHORITY),
    )


def test_other_types_authorize_nobody() -> None:
    assert all(authorizations(transaction(kind)) == () for kind in (0, 1, 2, 3))


def test_a_signature_that_nobody_can_have_made_has_no_authority_and_does_not_hide_the_others() -> None:
    entry = authorization_json(authorization())
    high = {"s": hex(ORDER - int(entry["s"], 16)), "yParity": hex(1 - int(entry["yParity"], 16))}
    for wrong in (high, {"r": "0x0"}, {"s": "0x0"}, {"yParity": "0x2"}, {"yParity": "0xff"}, {"r": hex(ORDER)}):
        found = authorizations({"type": "0x4", "authorizationList": [entry | wrong, entry]})
        assert [one.authority for one in found] == [None, AUTHORITY]


def test_a_changed_field_is_somebody_elses() -> None:
    entry = authorization_json(authorization())
    for change in ({"nonce": "0x8"}, {"chainId": "0x2"}, {"address": "0x" + "d0" * 20}):
        (found,) = authorizations({"type": "0x4", "authorizationList": [entry | change]})
        assert found.authority != AUTHORITY


def test_a_list_that_is_missing_or_malformed_is_refused() -> None:
    for wrong in (None, {}, [None], [{}], [authorization_json(authorization()) | {"r": None}]):
        with pytest.raises(BadAnswer):
            authorizations({"type": "0x4", "authorizationList": wrong})
