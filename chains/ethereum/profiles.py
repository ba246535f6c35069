"""How a token contract tells what it does: its events, and the call that says what an address holds.

Which events count is configured for each token; anyone can log anything, so a log means something only
together with the contract it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from chains.core.hex import data
from chains.ethereum.address import ZERO
from chains.ethereum.blocks import Json

Profile = Literal["plain", "shares", "wrapped"]

#: keccak of Transfer(address,address,uint256) (EIP-20).
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
#: keccak of TransferShares(address,address,uint256) (Lido's LIP-11).
TRANSFER_SHARES = "0x9d9c909296d9c674451c0c24f02cb64981eb3b727f99865939192f880a755dcb"
#: keccak of SharesBurnt(address,uint256,uint256,uint256) (Lido's LIP-9).
SHARES_BURNT = "0x8b2a1e1ad5e0578c3dd82494156e985dade827a87c573b5c1c7716a32162ad64"
#: keccak of Deposit(address,uint256) and Withdrawal(address,uint256) (WETH9).
DEPOSIT = "0xe1fffcc4923d04b559f4d29a8bfc6cda04eb5b0d3c460751c2402c5c5cc9109c"
WITHDRAWAL = "0x7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65"


_WORD = 64


@dataclass(frozen=True, slots=True)
class Transferred:
    """What one log says: token units of this chain from one address to another, both in lower case.

    ``wraps``: the contract took or gave as many units of the native asset for them in the same transaction.
    """

    source: str
    destination: str
    units: int
    wraps: bool = False


@dataclass(frozen=True, slots=True)
class _Event:
    """Where the parts of an event stand: numbers of topics, or None where the other end is not named.

    ``words`` of data, of which the one at ``amount`` counts. ``void``: the end that is not named is the zero
    address (destroyed), else the contract itself (which keeps the native asset behind a wrapped token).
    """

    topics: int
    source: int | None
    destination: int | None
    words: int = 1
    amount: int = 0
    void: bool = False
    wraps: bool = False


_TRANSFER = _Event(3, 1, 2)
EVENTS: Mapping[Profile, Mapping[str, _Event]] = MappingProxyType(
    {
        "plain": {TRANSFER: _TRANSFER},
        "shares": {TRANSFER_SHARES: _TRANSFER, SHARES_BURNT: _Event(2, 1, None, words=3, amount=2, void=True)},
        "wrapped": {
            TRANSFER: _TRANSFER,
            DEPOSIT: _Event(2, None, 1, wraps=True),
            WITHDRAWAL: _Event(2, 1, None, wraps=True),
        },
    }
)
#: Every first topic that any profile reads.
TOPICS = tuple(dict.fromkeys(topic for events in EVENTS.values() for topic in events))


@dataclass(frozen=True, slots=True)
class Question:
    """The function that says what an address holds, and its call data in front of the address."""

    name: str
    call: str


BALANCE_OF = Question("balanceOf", "0x70a08231" + "0" * 24)
SHARES_OF = Question("sharesOf", "0xf5eb42dc" + "0" * 24)


def question(profile: Profile) -> Question:
    """What to ask a token's contract for holdings."""
    return SHARES_OF if profile == "shares" else BALANCE_OF


def transferred(profile: Profile, contract: str, log: Json) -> Transferred | None:
    """What a log of ``contract`` (lower case) says by this profile; None where it is another event or malformed.

    The number of topics must be right as well: with a fourth one a Transfer is an ERC-721 token's (a number
    there, no amount). Raises BadAnswer for topics that are no 32 bytes.
    """
    topics = [data(topic, "log.topic", 32) for topic in log["topics"]]
    event = EVENTS[profile].get(topics[0]) if topics else None
    text = log.get("data")
    if event is None or len(topics) != event.topics or not isinstance(text, str):
        return None
    if len(text) != 2 + _WORD * event.words:
        return None
    words = data(text, "log.data", 32 * event.words)[2:]
    unnamed = ZERO if event.void else contract
    # An address stands in the low 20 bytes of its topic.
    ends = [unnamed if n is None else "0x" + topics[n][26:] for n in (event.source, event.destination)]
    units = int(words[_WORD * event.amount : _WORD * (event.amount + 1)], 16)
    return Transferred(ends[0], ends[1], units, event.wraps)
