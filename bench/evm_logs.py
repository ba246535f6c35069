"""How much CPU a block of logs costs with 100,000 watched accounts: porwatch beside web3.py's process_log.

One block of 300 signed transactions and 500 logs: 400 transfers of a listed token, 50 of ERC-721 tokens
that look alike, 50 other events. Both sides get the node's answer as parsed JSON. web3.py formats the
logs that a filter for Transfer events finds, decodes each and looks both ends up; porwatch checks
the same logs and finds the transactions that touch a watched account. Both must find the same before
anything is timed. Goals: at least 50x less CPU a log; and a whole block judged, from the node's answer to
the reason of every movement, within 20 ms. The re-computation of header, transactions, receipts and
senders has lines of its own.
Run alone: python -m bench.evm_logs
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chains.ethereum.address import spell
from chains.ethereum.blocks import RawBlock, check_logs, check_receipts, full_block
from chains.ethereum.extract import Assets, Extractor
from chains.ethereum.profiles import TRANSFER
from chains.ethereum.verify import header, receipts, transactions, withdrawals
from chains.ethereum.verify.hashing import keccak
from chains.ethereum.verify.rlp import encode_list
from chains.ethereum.verify.trie import ordered_root
from chains.ethereum.watch import AddressWatch
from monitor.attribute import Rules, explain, split
from monitor.model import Judgement, Owner, Sighting, Tier, Wallet

WATCHED, TRANSACTIONS, TRANSFERS, LOOKALIKES, OTHERS = 100_000, 300, 400, 50, 50
LOGS = TRANSFERS + LOOKALIKES + OTHERS
REPEATS = 15
LOG_GOAL, BLOCK_GOAL = 50.0, 0.020
#: The watched accounts that the block touches are among the first ones.
BUSY = 1_000
#: One transfer in ten touches a watched account.
TOUCHING = 0.1

TOKEN, COLLECTIBLE = "0x" + "70" * 20, "0x" + "21" * 20
CHAIN_ID = 1
NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: Transaction, source, destination and units of a token transfer; addresses in lower case.
Hit = tuple[str, str, str, int]


class Case:
    """A block, its receipts and who is watched."""

    def __init__(self, seed: int = 11, watched: int = WATCHED) -> None:
        chance = random.Random(seed)
        # Addresses and block have dice of their own, so that a longer list sees the very same block.
        self.watched = [spell("0x" + chance.randbytes(20).hex()) for _ in range(watched)]
        chance = random.Random(seed + 1)
        self.watch = AddressWatch(self.watched)
        wallet = Wallet("hot", "ethereum", Tier.HOT, Owner.CUSTOMER, "self", 0)
        self.owners = dict.fromkeys(self.watched, wallet)
        self.extractor = Extractor("ethereum", Assets("ETH", {TOKEN: "USDT"}, {"ETH": 1, "USDT": 1}))
        sent = [self._sent(chance, n) for n in range(TRANSACTIONS)]
        logs = [self._log(chance, n) for n in range(LOGS)]
        chance.shuffle(logs)
        self.receipts = [_receipt(n, tx, logs[n::TRANSACTIONS]) for n, tx in enumerate(sent)]
        self.block = _block(sent, self.receipts)
        for position, receipt in enumerate(self.receipts):
            here = {"blockHash": self.block["hash"], "transactionIndex": hex(position)}
            sent[position].update(here)
            receipt.update(here)
            for log in receipt["logs"]:
                log.update(here, transactionHash=receipt["transactionHash"], removed=False)

    def _end(self, chance: random.Random) -> str:
        if chance.random() < TOUCHING / 2:
            return self.watched[chance.randrange(BUSY)].lower()
        return "0x" + chance.randbytes(20).hex()

    def _sent(self, chance: random.Random, position: int) -> dict[str, Any]:
        from eth_account import Account

        account: Any = Account.from_key(chance.randbytes(32))
        fields = {
            "type": 2,
            "chainId": CHAIN_ID,
            "nonce": chance.randrange(500),
            "maxPriorityFeePerGas": 10**9,
            "maxFeePerGas": 30 * 10**9,
            "gas": 100_000,
            "to": spell(self._end(chance)),
            "value": chance.randrange(10**18),
            "data": "0x" + chance.randbytes(68).hex(),
            "accessList": [],
        }
        signed = account.sign_transaction(fields)
        json = {name: hex(value) if isinstance(value, int) else value for name, value in fields.items()}
        json["input"] = json.pop("data")
        signature = {"yParity": hex(signed.v), "r": hex(signed.r), "s": hex(signed.s)}
        return json | signature | {"from": account.address.lower(), "hash": "0x" + signed.hash.hex()}

    def _log(self, chance: random.Random, n: int) -> dict[str, Any]:
        ends = ["0x" + "00" * 12 + self._end(chance)[2:] for _ in range(2)]
        word = f"0x{chance.randrange(10**12):064x}"
        about = {"logIndex": hex(n), "blockNumber": "0x1"}
        if n < TRANSFERS:
            return about | {"address": TOKEN, "topics": [TRANSFER, *ends], "data": word}
        if n < TRANSFERS + LOOKALIKES:
            return about | {"address": COLLECTIBLE, "topics": [TRANSFER, *ends, word], "data": "0x"}
        event = "0x" + chance.randbytes(32).hex()
        return about | {"address": self._end(chance), "topics": [event, ends[0]], "data": word * 1}


def _receipt(position: int, sent: dict[str, Any], logs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "0x2",
        "status": "0x1",
        "transactionHash": sent["hash"],
        "from": sent["from"],
        "to": sent["to"],
        "contractAddress": None,
        "cumulativeGasUsed": hex(60_000 * (position + 1)),
        "gasUsed": hex(60_000),
        "effectiveGasPrice": hex(8 * 10**9),
        "logs": logs,
        "logsBloom": "0x" + receipts.logs_bloom(logs).hex(),
    }


def _block(sent: list[dict[str, Any]], received: list[dict[str, Any]]) -> dict[str, Any]:
    zero = "0x" + "00" * 32
    raw = {
        "parentHash": zero,
        "sha3Uncles": "0x" + keccak(encode_list(())).hex(),
        "miner": "0x" + "fe" * 20,
        "stateRoot": zero,
        "transactionsRoot": "0x" + ordered_root([transactions.encode_transaction(tx) or b"" for tx in sent]).hex(),
        "receiptsRoot": "0x" + ordered_root([receipts.encode_receipt(one) for one in received]).hex(),
        "logsBloom": "0x" + "00" * 256,
        "difficulty": "0x0",
        "number": "0x1",
        "gasLimit": hex(60_000_000),
        "gasUsed": hex(60_000 * TRANSACTIONS),
        "timestamp": "0x1",
        "extraData": "0x",
        "mixHash": zero,
        "nonce": "0x" + "00" * 8,
        "baseFeePerGas": hex(7 * 10**9),
        "withdrawalsRoot": "0x" + ordered_root([]).hex(),
    }
    return raw | {"hash": header.header_hash(raw), "transactions": sent, "withdrawals": []}


def _touched(case: Case, block: RawBlock, logs: list[dict[str, Any]]) -> set[str]:
    """The transactions that touch a watched account, by their logs or by themselves."""
    check_logs(block, logs)
    return {sent.hash for sent in case.extractor.may_touch(block, logs, None, case.watch)}


def _judge(case: Case) -> tuple[Judgement, ...]:
    """From the node's answer to the reasons of all that touches a watched account."""
    block = full_block("ethereum", case.block)
    found = case.extractor.transactions(block, check_receipts(block, case.receipts), None, case.watch)
    moment = Sighting(NOW, NOW)
    parts = [(transaction, split(transaction, case.owners), moment) for transaction in found]
    return explain(parts, case.owners, [], Rules(approvals_configured=True, cold_needs_approval=True))


def _verify(case: Case) -> None:
    header.check_header(case.block)
    assert transactions.check_transactions(case.block) == ()
    withdrawals.check_withdrawals(case.block)
    assert receipts.check_receipts(case.block, case.receipts) == ()


def _web3(case: Case) -> Callable[[], list[Hit]]:
    """What one writes with web3.py: get_logs for Transfer events, process_log, and both ends looked up."""
    from web3 import Web3
    from web3.exceptions import LogTopicError
    from web3.providers import BaseProvider

    answer = [log for one in case.receipts for log in one["logs"] if log["topics"][0] == TRANSFER]

    class Provider(BaseProvider):
        """Answers with the logs that a node would find: neither side pays for transport and parsing."""

        def make_request(self, method: Any, params: Any) -> Any:
            return {"jsonrpc": "2.0", "id": 1, "result": answer}

    web3: Any = Web3(Provider())
    inputs = [("from", "address", True), ("to", "address", True), ("value", "uint256", False)]
    fields = [{"name": name, "type": kind, "indexed": indexed} for name, kind, indexed in inputs]
    abi = [{"type": "event", "name": "Transfer", "anonymous": False, "inputs": fields}]
    event = web3.eth.contract(address=spell(TOKEN), abi=abi).events.Transfer()
    watched = set(case.watched)

    def read() -> list[Hit]:
        hits = []
        for log in web3.eth.get_logs({"blockHash": case.block["hash"], "topics": [TRANSFER]}):
            try:
                found = event.process_log(log)
            except LogTopicError:
                continue
            source, destination = found["args"]["from"], found["args"]["to"]
            if source in watched or destination in watched:
                txid = "0x" + found["transactionHash"].hex()
                hits.append((txid, source.lower(), destination.lower(), found["args"]["value"]))
        return hits

    return read


def _hits(judgements: tuple[Judgement, ...]) -> list[Hit]:
    return [
        (j.transaction.txid, (leg.source or "").lower(), (leg.destination or "").lower(), leg.units)
        for j in judgements
        for leg in j.transaction.legs
        if leg.asset == "USDT"
    ]


def run() -> list[str]:
    """Lines of the result. Raises AssertionError where the two ways find different transfers."""
    case = Case()
    web3 = _web3(case)
    block = full_block("ethereum", case.block)
    logs = [log for one in case.receipts for log in one["logs"]]
    hits = _hits(_judge(case))
    assert hits
    assert sorted(hits) == sorted(web3())
    paid = {sent.hash for sent in block.transactions if sent.to in case.watch}
    assert _touched(case, block, logs) == paid | {hit[0] for hit in hits}
    _verify(case)
    slow, fast, judged, verified, senders = _best(
        web3,
        lambda: _touched(case, block, logs),
        lambda: _judge(case),
        lambda: _verify(case),
        lambda: transactions.check_senders(case.block),
    )
    theirs, ours = slow / (TRANSFERS + LOOKALIKES), fast / LOGS
    enough, soon = _reached(theirs / ours >= LOG_GOAL), _reached(judged <= BLOCK_GOAL)
    ratio = f"{theirs / ours:.0f}x; goal at least {LOG_GOAL:.0f}x: {enough}"
    what = f"{TRANSACTIONS} transactions, {LOGS} logs, {WATCHED:,} watched accounts"
    return [
        f"evm logs: {what}; {len(hits)} token transfers of theirs, the same both ways; CPU time, best of {REPEATS}",
        f"  web3.py {version('web3')} get_logs and process_log: {theirs * 1e6:.0f} us a Transfer log",
        f"  porwatch: {ours * 1e6:.1f} us a log, {ratio}",
        f"  block judged in {judged * 1e3:.1f} ms; goal at most {BLOCK_GOAL * 1e3:.0f} ms: {soon}",
        f"  header, transactions, withdrawals and receipts re-computed in {verified * 1e3:.1f} ms",
        f"  senders recovered from signatures in {senders * 1e3:.1f} ms",
    ]


def _reached(reached: bool) -> str:
    return "reached" if reached else "NOT reached"


def _best(*acts: Callable[[], object]) -> list[float]:
    """CPU seconds of each, best of all repetitions, taken in turn so that no way has the quiet moments alone."""
    best = [float("inf")] * len(acts)
    for _ in range(REPEATS):
        for n, act in enumerate(acts):
            began = time.process_time()
            act()
            best[n] = min(best[n], time.process_time() - began)
    return best


if __name__ == "__main__":
    print("\n".join(run()))
