"""How fast many balances are read at one block: porwatch's reader beside web3.py's get_balance, one by one.

Both ask the same local node for 10,000 funded addresses at the same block hash; both must give the
balances that were set before anything is compared. The goal is a ratio of at least 20, taken as the
quotient of medians within one run. web3.py's 10,000 calls are timed in ten slices, whose median
stands for a tenth of its time. Run alone: python -m bench.evm_balances
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chains.core.chain import Chain
from chains.core.values import Account, BlockRef
from chains.ethereum import Settings, connect, parse_address
from chains.lab.anvil import Anvil

ADDRESSES = 10_000
SLICES = 10
REPEATS = 7
GOAL = 20.0


def make_case(seed: int = 5) -> dict[str, int]:
    """Wei by address."""
    chance = random.Random(seed)
    settings = Settings.model_construct()
    addresses = (parse_address("0x" + chance.randbytes(20).hex(), settings) for _ in range(ADDRESSES))
    return {address: chance.randrange(2**100) for address in addresses}


def run() -> list[str]:
    """The lines of the result. Raises AssertionError where either way reads another balance than was set."""
    expected = make_case()
    with tempfile.TemporaryDirectory(prefix="porwatch-bench-") as folder, Anvil(Path(folder)) as node:
        node.batch([("anvil_setBalance", [address, hex(wei)]) for address, wei in expected.items()])
        node.mine()
        at, ours = asyncio.run(_ours(node, Path(folder), expected))
        theirs = _theirs(node, at, expected)
    fast, slow = statistics.median(ours), SLICES * statistics.median(theirs)
    reached = "reached" if slow / fast >= GOAL else "NOT reached"
    return [
        f"evm balances: {ADDRESSES:,} native balances at one block of a local node, all equal both ways",
        f"  porwatch, {REPEATS} repetitions: median {fast * 1e3:.1f} ms, {ADDRESSES / fast:,.0f} addresses a second",
        f"  web3.py get_balance one by one, {SLICES} slices: {slow:.2f} s, {ADDRESSES / slow:,.0f} addresses a second",
        f"  ratio of medians {slow / fast:.0f}x; goal at least {GOAL:.0f}x: {reached}",
    ]


async def _ours(node: Anvil, folder: Path, expected: dict[str, int]) -> tuple[BlockRef, list[float]]:
    keys = {"kind": "evm", "chain_id": node.chain_id, "native": "ETH", "finality": 0, "endpoints": [{"url": node.url}]}
    chain: Chain = connect("ethereum", Settings.model_validate(keys), {"ETH": 18}, folder)
    accounts = [Account("ethereum", address, "ETH") for address in expected]
    try:
        at = (await chain.heads()).seen
        seconds = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            held = (await chain.holdings(accounts, at)).units
            seconds.append(time.perf_counter() - began)
            assert {account.locator: units for account, units in held.items()} == expected
    finally:
        await chain.close()
    return at, seconds


def _theirs(node: Anvil, at: BlockRef, expected: dict[str, int]) -> list[float]:
    from hexbytes import HexBytes
    from web3 import HTTPProvider, Web3

    web3 = Web3(HTTPProvider(node.url))
    addresses = [web3.to_checksum_address(address) for address in expected]
    block = HexBytes(at.hash)
    held: dict[str, int] = {}
    seconds = []
    for first in range(0, ADDRESSES, ADDRESSES // SLICES):
        part = addresses[first : first + ADDRESSES // SLICES]
        began = time.perf_counter()
        units = [web3.eth.get_balance(address, block) for address in part]
        seconds.append(time.perf_counter() - began)
        held.update(zip(part, units, strict=True))
    assert held == expected
    return seconds


if __name__ == "__main__":
    print("\n".join(run()))
