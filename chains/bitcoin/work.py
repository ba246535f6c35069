"""Proof of work: what a header had to cost, re-checked from its own bytes and its parents.

A header proves work by its hash, which must not exceed the target in it (nBits). How easy that target
may be is fixed by the network and the blocks before: otherwise anybody could mine a false block at
the easiest one. What is checked of that:

    mainnet, signet   the parent's target, except at each 2,016th block, where it must be exactly the one that
                      the times of the last 2,016 blocks give where these are at hand, else within a factor of 4
    testnet4          the same between retargets, but for blocks that the 20-minute rule of BIP-94 lets off,
                      and their children; at a retarget only the network's limit
    regtest           the network's limit only: blocks cost nothing there

Signet's block signatures (BIP-325) are not checked: there the work is the proof.

Source: Bitcoin Core's src/pow.cpp and src/arith_uint256.cpp, BIP-94.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from chains.bitcoin.blocks import Header
from chains.bitcoin.networks import Network
from chains.bitcoin.node import raw_headers
from chains.core.errors import Reorganised
from chains.core.quorum import Lie
from chains.core.rpc import Calls
from chains.core.values import BlockRef

#: Blocks between two retargets, and the seconds that they should take.
PERIOD = 2_016
PERIOD_SECONDS = 1_209_600
#: By how much a retarget may change the target at most.
FACTOR = 4
#: After so many seconds without a block testnet4 allows one at the easiest target.
EASING_SECONDS = 1_200


def target_of(bits: int) -> int:
    """The target that the compact form stands for; 0, which no hash reaches, where it is negative."""
    mantissa, size = bits & 0x7FFFFF, bits >> 24
    if bits & 0x800000:
        return 0
    return mantissa << 8 * (size - 3) if size > 3 else mantissa >> 8 * (3 - size)


def bits_of(target: int) -> int:
    """The compact form of a target; what it cannot hold is cut off."""
    size = (target.bit_length() + 7) // 8
    mantissa = target >> 8 * (size - 3) if size > 3 else target << 8 * (3 - size)
    if mantissa & 0x800000:
        mantissa, size = mantissa >> 8, size + 1
    return size << 24 | mantissa


def check_work(header: Header, network: Network) -> None:
    """Raises Lie unless the header's hash reaches its own target, and that target is within the network's limit."""
    target = target_of(header.bits)
    if target > network.limit:
        raise _lie(header, f"its target {header.bits:08x} is easier than {network.name} allows")
    if int(header.hash, 16) > target:
        raise _lie(header, f"its hash {header.hash} does not reach its target {header.bits:08x}")


def check_difficulty(
    header: Header, parent: Header, height: int, network: Network, period: Sequence[Header] = ()
) -> None:
    """Raises Lie where a block at ``height`` on ``parent`` may not have the target it has.

    ``period``: where it is a retarget, the first and the last header of the 2,016 before, if at hand.
    """
    if not network.retargets:
        return
    if height % PERIOD:
        _check_between(header, parent, network)
    elif not network.eases:
        _check_retarget(header, parent, network, period)


def _check_between(header: Header, parent: Header, network: Network) -> None:
    easiest = bits_of(network.limit)
    if network.eases and parent.bits == easiest:
        # What the block must have stands somewhere below its eased parents.
        return
    if network.eases and header.bits == easiest and header.time > parent.time + EASING_SECONDS:
        return
    if header.bits != parent.bits:
        raise _lie(header, f"its target {header.bits:08x} is not that of its parent, {parent.bits:08x}")


def _check_retarget(header: Header, parent: Header, network: Network, period: Sequence[Header]) -> None:
    old = target_of(parent.bits)
    if period:
        first, last = period
        seconds = min(max(last.time - first.time, PERIOD_SECONDS // FACTOR), PERIOD_SECONDS * FACTOR)
        wanted = _retargeted(old, seconds, network)
        if header.bits != wanted:
            raise _lie(header, f"its target {header.bits:08x} is not the retargeted one, {wanted:08x}")
        return
    easiest = target_of(_retargeted(old, PERIOD_SECONDS * FACTOR, network))
    hardest = target_of(_retargeted(old, PERIOD_SECONDS // FACTOR, network))
    if not hardest <= target_of(header.bits) <= easiest:
        raise _lie(header, f"its target {header.bits:08x} is further than a factor of {FACTOR} from {parent.bits:08x}")


def _retargeted(old: int, seconds: int, network: Network) -> int:
    return bits_of(min(old * seconds // PERIOD_SECONDS, network.limit))


def _lie(header: Header, why: str) -> Lie:
    return Lie(
        "proof_of_work",
        f"the block {header.hash} was never mined: {why}",
        {"header": header.raw.hex(), "hash": header.hash, "refuted": why},
    )


def check_linked(headers: Sequence[Header], first_height: int, network: Network) -> None:
    """Raises Lie where headers, from ``first_height`` up, are not one chain with the work it must have.

    A retarget is checked exactly where the 2,016 headers before it are among them.
    """
    check_work(headers[0], network)
    for place, (parent, header) in enumerate(pairwise(headers), start=1):
        if header.parent != parent.hash:
            raise Lie(
                "header_chain",
                f"block {first_height + place} does not stand on the block said to be below it",
                {"header": header.raw.hex(), "below": parent.raw.hex(), "refuted": "the parent named is another"},
            )
        check_work(header, network)
        period = (headers[place - PERIOD], parent) if place >= PERIOD else ()
        check_difficulty(header, parent, first_height + place, network, period)


class HeaderCheck:
    """Checks that the headers up to a block are one chain with re-checked work.

    Reads from the first header of the retarget period before that block's own on, so that the last
    retarget is checked exactly; later blocks are checked from the last one on that was found good.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._good: BlockRef | None = None

    async def check(self, calls: Calls, at: BlockRef) -> None:
        """Raises Lie where a header of the endpoint is false, Reorganised where its chain does not have ``at``."""
        good = self._good
        if good is not None and good.hash == at.hash:
            return
        start = max(0, (at.height // PERIOD - 1) * PERIOD)
        if good is not None and good.height < at.height and good.height // PERIOD == at.height // PERIOD:
            start = good.height
        headers = await raw_headers(calls, range(start, at.height + 1))
        check_linked(headers, start, self._network)
        if headers[-1].hash != at.hash or (good is not None and start == good.height and headers[0].hash != good.hash):
            self._good = None
            raise Reorganised(f"block {at.height} {at.hash} of {at.chain} is not on the chain of its headers")
        self._good = at
