"""At the end of the corpus: opening + Σ movements = what the node says, and Σ flow parts = Σ movements."""

from __future__ import annotations

import pytest

from tests.real.corpus.bitcoin import BitcoinGround
from tests.real.corpus.evidence import RECORD
from tests.real.corpus.evm import EvmGround
from tests.real.corpus.stage import Stage
from tests.real.sides import coins

SIGNS = {"change": 0, "receipt": 1}


@pytest.mark.parametrize("chain", ["ethereum", "bitcoin"])
def test_everything_adds_up(watched: Stage, evm: EvmGround, bitcoin: BitcoinGround, chain: str) -> None:
    ground = {"ethereum": evm, "bitcoin": bitcoin}[chain]
    ex = watched.ex
    ex.settle()
    opening: dict[tuple[str, str], int] = {}
    wallet_of = {address: wallet for wallet, address in ground.addresses.items()}
    for record in ex.records("opened"):
        for locator, asset, units in record["holdings"]:
            if locator in wallet_of:
                opening[wallet_of[locator], asset] = opening.get((wallet_of[locator], asset), 0) + int(units)
    moved: dict[tuple[str, str, str], int] = {}
    for wallet, asset, kind, delta in ex.rows("SELECT wallet, asset, kind, delta FROM movement WHERE chain = ?", chain):
        moved[wallet, asset, kind] = moved.get((wallet, asset, kind), 0) + int(delta)
    flows: dict[tuple[str, str], int] = {}
    for wallet, asset, part, units in ex.rows("SELECT wallet, asset, part, units FROM flow WHERE chain = ?", chain):
        flows[wallet, asset] = flows.get((wallet, asset), 0) + SIGNS.get(part, -1) * int(units)
    for wallet in ground.wallet_names:
        for asset, decimals in ground.decimals.items():
            deltas = {kind: units for (w, a, kind), units in moved.items() if (w, a) == (wallet, asset)}
            residual, first = deltas.get("residual", 0), opening.get((wallet, asset), 0)
            total, held = sum(deltas.values()), ground.held(wallet, asset)
            assert total - residual == flows.get((wallet, asset), 0), (wallet, asset)
            assert first + total == held, (wallet, asset)
            if first or total:
                line = [coins(units, decimals) for units in (first, total, residual, held)]
                RECORD.totals.append([chain, wallet, asset, *line])
