"""Reorganisations: of every depth, across restarts, below finality; one transaction in two branches, and replaced ones."""

from __future__ import annotations

import time
from pathlib import Path

from chains.lab.bitcoind import sats
from tests.real.exchange import Exchange
from tests.real.matrix.acts import Plants, behind, caught_up, nothing_lost, timed
from tests.real.matrix.record import Row
from tests.real.sides import JSON, BitcoinSide, EvmSide, Side

#: as the configuration of the sides says it
FINALITY = 5


def case_of(ex: Exchange, txid: str) -> JSON:
    (case,) = (case for case in ex.cases("all") if case["txid"] == txid)
    return case


def rewinds(ex: Exchange) -> list[tuple[str, int]]:
    """Chain and depth of every rewind, in order."""
    return [(r["to"]["chain"], r["from"]["height"] - r["to"]["height"]) for r in ex.records("rewound")]


def follows(ex: Exchange, side: Side) -> bool:
    totals = dict(ex.rows("SELECT wallet, units FROM total WHERE chain = ? AND asset = ?", side.name, side.asset))
    return all(int(totals[wallet]) == side.held(wallet) for wallet in (side.cold, side.hot))


def test_reorganisations_of_every_depth_across_restarts(row: Row, own_sides: list[Side], tmp_path: Path) -> None:
    """Reorg of depth 1…N across a restart. For each depth 1 to 4 (finality is 5): a theft in the lowest block that
    goes, SIGKILL, the reorganisation, a start; then the theft is mined again."""
    with behind({}, tmp_path, own_sides) as ex:
        ex.start()
        plants = Plants(ex)
        for side in own_sides:
            side.mine(FINALITY)
        for depth in range(1, FINALITY):
            stolen = {}
            for side in own_sides:
                side.mine()
                stolen[side.name] = plants.steal(side)
                side.mine(depth - 1)
            caught_up(ex, own_sides)
            ex.kill()
            for side in own_sides:
                side.reorg(depth)
            with timed(row, 2 * (depth + 1)):
                ex.start()
                for txid in stolen.values():
                    ex.wait(lambda txid=txid: case_of(ex, txid)["reorged_out"], "not seen as gone")
            for side in own_sides:
                ex.wait(lambda side=side: follows(ex, side), "the ledger does not follow the branch that won")
                assert case_of(ex, stolen[side.name])["state"] == "open"
                side.mine_again(stolen[side.name])
            caught_up(ex, own_sides)
            for txid in stolen.values():
                assert [e["action"] for e in case_of(ex, txid)["history"]] == ["opened", "reorged out", "mined again"]
        for side in own_sides:
            assert [depth for chain, depth in rewinds(ex) if chain == side.name] == list(range(1, FINALITY))
        row.saw(
            "rewound by exactly 1, 2, 3 and 4 blocks on both chains",
            "the case stays open and says that its block is gone; mined again it is the same case",
        )
        nothing_lost(row, ex, own_sides, plants)


def test_a_reorganisation_below_finality(row: Row, own_sides: list[Side], tmp_path: Path) -> None:
    """Reorg deeper than finality. Eight blocks are replaced where five are final; a theft on the new branch; a restart;
    then a person closes the case."""
    with behind({}, tmp_path, own_sides) as ex:
        ex.start()
        plants = Plants(ex)
        for side in own_sides:
            side.mine(12)
        caught_up(ex, own_sides)
        stood = {side.name: ex.cursor(side.name) for side in own_sides}
        with timed(row):
            for side in own_sides:
                side.reorg(8)
            deep = _deep_cases(ex)
        for side in own_sides:
            plants.steal(side)
        row.saw("halt, and a critical deep_reorg case for each chain")
        time.sleep(3)
        ex.kill()
        ex.launch()
        ex.wait(lambda: ex.status_of("/-/ready") == 200, "not ready")
        time.sleep(4)
        assert {side.name: ex.cursor(side.name) for side in own_sides} == stood
        assert _deep_cases(ex) == deep
        assert len(ex.cases("all")) == len(deep)
        for side in own_sides:
            assert (
                ex.metric("porwatch_open_cases", rule="deep_reorg", severity="critical", chain=side.name, tier="") == 1
            )
        row.saw("halted across a restart as well, without a second case")
        for case in deep.values():
            body = {"name": "A. Person", "reason": "both operators confirm the branch"}
            status, answer = ex.post(f"cases/{case}/close", body)
            assert status == 200, answer
        with timed(row, sum(side.head() - stood[side.name] + 8 for side in own_sides)):
            caught_up(ex, own_sides)
        row.saw("goes on once a person has closed the case")
        nothing_lost(row, ex, own_sides, plants, others=len(deep))


def _deep_cases(ex: Exchange) -> dict[str, str]:
    """The id of the one deep_reorg case of each chain, waiting for them."""

    def found() -> list[JSON]:
        return [case for case in ex.cases("open") if case["rule"] == "deep_reorg"]

    ex.wait(lambda: len(found()) == 2, "no deep_reorg cases")
    assert {case["severity"] for case in found()} == {"critical"}
    return {case["chain"]: case["id"] for case in found()}


def test_one_transaction_in_two_branches(row: Row, own_sides: list[Side], tmp_path: Path) -> None:
    """The same transaction in two branches. A theft and an approved withdrawal are mined, reorganised away, and mined
    again on the branch that won; then the same customer is paid once more without an approval."""
    with behind({}, tmp_path, own_sides) as ex:
        ex.start()
        plants = Plants(ex)
        for side in own_sides:
            side.mine(FINALITY)
            stolen = plants.steal(side, side.cold)
            paid = plants.pay(side)
            caught_up(ex, [side])
            side.reorg(2)
            ex.wait(lambda stolen=stolen: case_of(ex, stolen)["reorged_out"], "not seen as gone")
            caught_up(ex, [side])
            name = next(name for name, txid in plants.approvals.items() if txid == paid)
            assert ex.rows("SELECT state, used_by FROM approval WHERE id = ?", name) == [("open", "")]
            side.mine_again(stolen)
            if isinstance(side, EvmSide):
                side.mine_again(paid)
            caught_up(ex, [side])
            (destination,) = ex.rows("SELECT destination FROM approval WHERE id = ?", name)[0]
            again = side.pay(side.hot, destination, side.unit // 25)
            plants.stolen[side.name].append(again)
        caught_up(ex, own_sides)
        row.saw("one case", "the approval is given back with the branch and used once, on the one that won")
        nothing_lost(row, ex, own_sides, plants)


def test_a_replaced_transaction(row: Row, own_sides: list[Side], tmp_path: Path) -> None:
    """RBF and replaced nonce. An approved withdrawal is reorganised away; on the branch that wins its coins, or its
    nonce, pay somebody else."""
    with behind({}, tmp_path, own_sides) as ex:
        ex.start()
        plants = Plants(ex)
        for side in own_sides:
            side.mine(FINALITY)
            plants.pay(side)
            caught_up(ex, [side])
            side.reorg(1)
            ex.wait(lambda side=side: side.name in {chain for chain, _ in rewinds(ex)}, "the rewind was not seen")
            ((name, replaced),) = plants.approvals.items()
            plants.stolen[side.name] = [_replace(side, replaced)]
            caught_up(ex, [side])
            assert ex.rows("SELECT state, used_by FROM approval WHERE id = ?", name) == [("open", "")]
            plants.approvals.clear()
        row.saw("what was mined is a case", "the approval of what was replaced is unused")
        nothing_lost(row, ex, own_sides, plants)


def _replace(side: Side, txid: str) -> str:
    """Mine another transaction in the place of this one; returns its id."""
    if isinstance(side, EvmSide):
        other = side.pay(side.hot, side.outside(), side.unit // 10)
        nonces = {side.node.rpc("eth_getTransactionByHash", other)["nonce"], side.sent[txid]["nonce"]}
        assert len(nonces) == 1
        return other
    assert isinstance(side, BitcoinSide)
    whole = side.node.rpc("getrawtransaction", txid, True)
    spent = [{"txid": coin["txid"], "vout": coin["vout"]} for coin in whole["vin"]]
    total = sum(sats(side.node.rpc("gettxout", coin["txid"], coin["vout"], False)["value"]) for coin in spent)
    away, fee = side.unit // 10, 50_000
    payments = {side.outside(): away, side.addresses[side.hot]: total - away - fee}
    other = side.spend([side.hot], spent, payments)
    assert txid not in side.node.rpc("getrawmempool"), "not replaced"
    side.mine()
    return other
