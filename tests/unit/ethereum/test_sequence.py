"""Which authorizations take effect, gone through in the order of the block."""

from __future__ import annotations

from collections import Counter

from chains.ethereum.blocks import RawBlock, full_block
from chains.ethereum.sequence import effective, first_nonces
from chains.ethereum.transfers import Trace
from chains.ethereum.verify.authorizations import Authorization
from tests.unit.ethereum.shapes import Tx, addr, make_block

OURS, THEIRS, CODE = addr(0xA), addr(0xB), addr(0xC)


def block(*senders: int) -> RawBlock:
    """Transactions of these senders; the nonce of each is its position."""
    return full_block("ethereum", make_block(5, [Tx(sender, 1) for sender in senders])["block"])


def by(authority: str, nonce: int) -> Authorization:
    return Authorization(1, CODE, nonce, authority)


def test_an_authorization_counts_only_with_the_nonce_of_its_moment() -> None:
    given = {0: (by(OURS, 7), by(OURS, 8), by(OURS, 8)), 1: (by(OURS, 10), by(OURS, 9))}
    found = effective(block(0x1, 0x2), given, {OURS: 7}, None)
    assert found == {0: (by(OURS, 7), by(OURS, 8)), 1: (by(OURS, 9),)}


def test_a_transaction_of_the_authority_itself_counts_first() -> None:
    given = {2: (by(OURS, 2), by(OURS, 3))}
    assert effective(block(0x1, 0x1, 0xA), given, {OURS: 2}, None) == {2: (by(OURS, 3),)}


def test_what_its_code_creates_counts_after_the_authorizations() -> None:
    given = {0: (by(OURS, 0),), 1: (by(OURS, 1), by(OURS, 3))}
    traced = {0: Trace(steps=Counter({OURS: 2, THEIRS: 1}))}
    assert effective(block(0x1, 0x1), given, {OURS: 0}, traced) == {0: (by(OURS, 0),), 1: (by(OURS, 3),)}


def test_authorities_do_not_count_for_each_other() -> None:
    given = {0: (by(OURS, 4), by(THEIRS, 4))}
    assert effective(block(0x1), given, {OURS: 4, THEIRS: 5}, None) == {0: (by(OURS, 4),)}


def test_where_state_is_gone_the_first_authorization_of_each_is_taken_as_good() -> None:
    given = {3: (by(OURS, 9),), 1: (by(OURS, 7), by(THEIRS, 1), by(OURS, 8))}
    assert first_nonces(given) == {OURS: 7, THEIRS: 1}
