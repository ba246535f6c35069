"""How fast a block is searched for watched scripts and coins: porwatch's walker beside python-bitcoinlib.

Both search the same synthetic block of a busy day (4,000 transactions, 85 % of them segwit, 2.4 MB)
against 100,000 scripts and 100,000 outpoints; both must find the same 20 planted hits before any
clock runs. The goal is a ratio of at least 20, taken as the quotient of medians within one run.
Run alone: python -m bench.bitcoin_walk
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chains.bitcoin.blocks import check_merkle_root, merkle_root, parse_header
from chains.bitcoin.walker import transaction_id, walk

TRANSACTIONS = 4_000
SEGWIT_PERCENT = 85
WATCHED = 100_000
PLANTED = 20
REPEATS = 15
GOAL = 20.0


@dataclass(frozen=True, slots=True)
class Case:
    raw: bytes
    scripts: frozenset[bytes]
    coins: frozenset[bytes]


def make_case(seed: int = 5) -> Case:
    chance = random.Random(seed)
    scripts = {_script(chance) for _ in range(WATCHED)}
    coins = {chance.randbytes(32) + chance.randrange(3).to_bytes(4, "little") for _ in range(WATCHED)}
    planted_scripts = chance.sample(sorted(scripts), PLANTED // 2)
    planted_coins = chance.sample(sorted(coins), PLANTED // 2)
    places = chance.sample(range(1, TRANSACTIONS), PLANTED)
    pays = dict(zip(places, planted_scripts, strict=False))
    spends = dict(zip(places[PLANTED // 2 :], planted_coins, strict=True))
    parts = [_coinbase()]
    parts += [_transaction(chance, spends.get(place), pays.get(place)) for place in range(1, TRANSACTIONS)]
    body = b"".join(parts)
    header = bytes(68) + (1_700_000_000).to_bytes(4, "little") + bytes(8)
    count = b"\xfd" + TRANSACTIONS.to_bytes(2, "little")
    spans = walk(header + count + body, frozenset(), frozenset()).spans
    root = merkle_root([transaction_id(header + count + body, span) for span in spans])
    return Case(header[:36] + root + header[68:] + count + body, frozenset(scripts), frozenset(coins))


def _script(chance: random.Random) -> bytes:
    kind = chance.randrange(5)
    if kind == 0:
        return b"\x76\xa9\x14" + chance.randbytes(20) + b"\x88\xac"
    if kind == 1:
        return b"\xa9\x14" + chance.randbytes(20) + b"\x87"
    if kind == 2:
        return b"\x51\x20" + chance.randbytes(32)
    return b"\x00\x14" + chance.randbytes(20)


def _coinbase() -> bytes:
    return (
        bytes.fromhex(
            "01000000" + "01" + "00" * 32 + "ffffffff" + "0403a0bb0d" + "ffffffff" + "01" + "00f2052a01000000"
        )
        + b"\x16\x00\x14"
        + bytes(20)
        + bytes(4)
    )


def _transaction(chance: random.Random, spend: bytes | None, pay: bytes | None) -> bytes:
    segwit = chance.randrange(100) < SEGWIT_PERCENT
    inputs = 1 + (chance.random() < 0.5) + (chance.random() < 0.35) * chance.randrange(12)
    outputs = 1 + (chance.random() < 0.8) + (chance.random() < 0.2) * chance.randrange(13)
    out = bytearray(b"\x02\0\0\0" + (b"\0\x01" if segwit else b"") + bytes([inputs]))
    for number in range(inputs):
        out += spend if spend is not None and number == 0 else chance.randbytes(32) + b"\x01\0\0\0"
        out += b"\0" if segwit else b"\x6a" + chance.randbytes(106)
        out += b"\xfd\xff\xff\xff"
    out.append(outputs)
    for number in range(outputs):
        script = pay if pay is not None and number == 0 else _script(chance)
        out += chance.randrange(10**9).to_bytes(8, "little") + bytes([len(script)]) + script
    if segwit:
        for _ in range(inputs):
            out += b"\x02\x47" + chance.randbytes(71) + b"\x21" + chance.randbytes(33)
    return bytes(out) + bytes(4)


Found = list[tuple[int, tuple[int, ...], tuple[int, ...]]]


def by_walker(case: Case) -> Found:
    return [(hit.position, hit.spends, hit.pays) for hit in walk(case.raw, case.scripts, case.coins).hits]


def by_library(case: Case) -> Found:
    from bitcoin.core import CBlock

    found = []
    block = CBlock.deserialize(case.raw)
    for position, transaction in enumerate(block.vtx):
        spends = tuple(
            number
            for number, each in enumerate(transaction.vin)
            if each.prevout.hash + each.prevout.n.to_bytes(4, "little") in case.coins
        )
        pays = tuple(number for number, each in enumerate(transaction.vout) if bytes(each.scriptPubKey) in case.scripts)
        if spends or pays:
            found.append((position, spends, pays))
    return found


def timed(action: Callable[[], object]) -> list[float]:
    seconds = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - begun)
    return seconds


def run() -> list[str]:
    """The lines of the result. Raises AssertionError where the two ways find different things."""
    case = make_case()
    ours, theirs = by_walker(case), by_library(case)
    if ours != theirs or len(ours) != PLANTED:
        raise AssertionError(f"walker found {len(ours)}, python-bitcoinlib {len(theirs)} of {PLANTED} planted hits")
    header, spans = parse_header(case.raw), walk(case.raw, case.scripts, case.coins).spans
    fast, slow = timed(lambda: by_walker(case)), timed(lambda: by_library(case))
    merkle = timed(lambda: check_merkle_root(case.raw, spans, header.root))
    ratio = statistics.median(slow) / statistics.median(fast)
    reached = "reached" if ratio >= GOAL else "NOT reached"
    return [
        f"bitcoin walk: {len(case.raw) / 1e6:.2f} MB, {TRANSACTIONS:,} transactions, {SEGWIT_PERCENT} % segwit",
        f"  {WATCHED:,} scripts and {WATCHED:,} coins watched, {PLANTED} hits, {REPEATS} repetitions",
        _line("porwatch walk and match", fast),
        _line("python-bitcoinlib deserialise and match", slow),
        f"  ratio of medians {ratio:.1f}x, of bests {min(slow) / min(fast):.1f}x; goal at least {GOAL:.0f}x: {reached}",
        _line("merkle root of all transactions", merkle),
    ]


def _line(name: str, seconds: list[float]) -> str:
    return f"  {name}: median {statistics.median(seconds) * 1e3:.2f} ms, best {min(seconds) * 1e3:.2f} ms"


if __name__ == "__main__":
    print("\n".join(run()))
