"""What may be wrong with approvals: absent, late, forged, replayed."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.books.keys import signed_bytes
from tests.real.exchange import Exchange
from tests.real.matrix.acts import Plants, behind, caught_up, nothing_lost
from tests.real.matrix.record import Row
from tests.real.matrix.test_branches import case_of
from tests.real.sides import JSON, Side, coins


@contextmanager
def signing(folder: Path, sides: list[Side]) -> Iterator[tuple[Exchange, Ed25519PrivateKey]]:
    """An exchange that takes only what one key has signed."""
    key = Ed25519PrivateKey.generate()
    book = {"file": "approvals.jsonl", "keys_file": "keys"}
    with behind({}, folder, sides, books={"approvals": book}) as ex:
        (ex.folder / "keys").write_text(f"desk {key.public_key().public_bytes_raw().hex()}\n")
        yield ex, key


def signed(record: JSON, key: Ed25519PrivateKey) -> JSON:
    made = base64.b64encode(key.sign(signed_bytes(record))).decode()
    return {**record, "signature": {"key": "desk", "sig": made}}


def approval(side: Side, name: str, share: int, destination: str) -> JSON:
    amount = coins(side.unit // share, side.decimals)
    return {"id": name, "chain": side.name, "asset": side.asset, "amount": amount, "destination": destination}


def count(ex: Exchange, rule: str) -> int:
    return sum(case["rule"] == rule for case in ex.cases("all"))


def test_forged_and_replayed_approvals(row: Row, sides: list[Side], tmp_path: Path) -> None:
    """Approvals forged and replayed. Only one key may approve. A withdrawal under a true signature; the same line again
    and the same payment again; the line with another amount under the old signature; one signed by another key; one
    without a signature. Each time the money goes out."""
    with signing(tmp_path, sides) as (ex, key):
        ex.start()
        plants = Plants(ex)
        for side in sides:
            customer, thief = side.outside(), side.outside()
            true = signed(approval(side, f"{side.name}-true", 25, customer), key)
            ex.approve(**true)
            plants.approvals[true["id"]] = side.pay(side.hot, customer, side.unit // 25)
            caught_up(ex, [side])
            ex.approve(**true)
            replayed = side.pay(side.hot, customer, side.unit // 25)
            ex.approve(**{**true, "id": f"{side.name}-new-name"})
            renamed = side.pay(side.hot, customer, side.unit // 25)
            stranger = Ed25519PrivateKey.generate()
            ex.approve(**signed(approval(side, f"{side.name}-stranger", 30, thief), stranger))
            forged = side.pay(side.hot, thief, side.unit // 30)
            ex.approve(**approval(side, f"{side.name}-unsigned", 35, thief))
            unsigned = side.pay(side.hot, thief, side.unit // 35)
            altered = signed({**true, "amount": coins(side.unit // 40, side.decimals)}, key)
            ex.approve(**altered)
            changed = side.pay(side.hot, customer, side.unit // 40)
            plants.stolen[side.name] = [replayed, renamed, forged, unsigned, changed]
        caught_up(ex, sides)
        bad = {case["severity"] for case in ex.cases("open") if case["rule"] == "bad_approval_signature"}
        assert bad == {"critical"}
        assert count(ex, "bad_approval_signature") == 3 * len(sides)
        assert count(ex, "altered_approval") == len(sides)
        assert ex.rows("SELECT count(*) FROM approval") == [(len(sides),)], "nothing forged is in the ledger"
        row.saw(
            "a signature that does not fit the content, of a key that is not listed, or none: a critical"
            " bad_approval_signature case each, and the outflow is a case",
            "the same line again is ignored, and the second payment is a case",
            "the same id with another content, truly signed: an altered_approval case, and it explains nothing",
        )
        nothing_lost(row, ex, sides, plants, others=4 * len(sides))


def test_absent_and_late_approvals(row: Row, sides: list[Side], tmp_path: Path) -> None:
    """Approvals absent and late. A hot and a cold outflow without any; then, after the cases are open, approvals that
    fit both; a restart; then a person closes them."""
    with behind({}, tmp_path, sides) as ex:
        ex.start()
        plants, fitting = Plants(ex), []
        for side in sides:
            for wallet in (side.hot, side.cold):
                destination = side.outside()
                plants.stolen.setdefault(side.name, []).append(side.pay(wallet, destination, side.unit // 20))
                fitting.append(approval(side, f"late-{wallet}", 20, destination))
        caught_up(ex, sides)
        txids = [txid for found in plants.stolen.values() for txid in found]
        assert {case_of(ex, txid)["state"] for txid in txids} == {"open"}
        row.saw("each is a case at once")
        for record in fitting:
            ex.approve(**record)
        for txid in txids:
            ex.wait(lambda txid=txid: "late_approval" in case_of(ex, txid)["rules"], "the approval was not noted")
        ex.kill()
        ex.start()
        assert {case_of(ex, txid)["state"] for txid in txids} == {"open"}
        row.saw("the late approval is noted on the case, which stays open, across a restart as well")
        for txid in txids:
            body = {"name": "A. Person", "reason": "the desk forgot to hand it in"}
            status, answer = ex.post(f"cases/{case_of(ex, txid)['id']}/close", body)
            assert (status, answer["data"]["history"][-1]["by"]) == (200, "A. Person"), answer
        row.saw("a person closes it, by name")
        nothing_lost(row, ex, sides, plants)
