"""A token that is not what it was: its code is exchanged under the same address."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from chains.lab.anvil import Anvil
from tests.real.corpus.contracts import Compiled, compile_all
from tests.real.exchange import Exchange
from tests.real.matrix.acts import Plants, behind, caught_up, nothing_lost, timed
from tests.real.matrix.record import Row
from tests.real.sides import JSON, EvmSide

UNIT = 1_000_000


def deploy(side: EvmSide, contract: Compiled, *arguments: Any) -> str:
    fields = {"from": side.node.accounts[0], "data": contract.creation(*arguments), "gas": hex(5_000_000)}
    address: str = side.node.receipt(side.node.rpc("eth_sendTransaction", fields))["contractAddress"]
    return address


def case_by(ex: Exchange, rule: str) -> JSON:
    found: list[JSON] = []

    def there() -> bool:
        found[:] = [case for case in ex.cases("all") if case["rule"] == rule]
        return bool(found)

    ex.wait(there, f"no case {rule}")
    (case,) = found
    return case


def test_a_token_whose_code_is_exchanged(
    row: Row, anvil: Anvil, require_component: Callable[[str], Path], tmp_path: Path
) -> None:
    """Token profile change. A proxy is pointed to other code, which takes a fee of every transfer and does not tell; an
    approved withdrawal, then a deposit of which less arrives than its event says."""
    side = EvmSide(anvil)
    compiled = compile_all(require_component("solcjs"), tmp_path)
    plain, taking = deploy(side, compiled["SeizableToken"]), deploy(side, compiled["FeeToken"], False)
    token, call = deploy(side, compiled["TokenProxy"], plain), compiled["FeeToken"].call
    customer = side.node.accounts[5]

    def send(sender: str, data: str) -> str:
        txid = side.node.send(sender, token, data=data)
        assert side.node.receipt(txid)["status"] == "0x1"
        return txid

    for holder in (side.address(side.hot), customer):
        send(customer, call("create(address,uint256)", holder, 1_000 * UNIT))
    side.mine(5)
    with behind({}, tmp_path, [side], schedule={"cycle": "1s", "prove": "2s"}) as ex:
        ex.chains[side.name]["tokens"] = {"UPT": {"contract": token}}
        ex.assets["UPT"] = {"decimals": 6}
        ex.write_config()
        ex.start()
        plants = Plants(ex)
        ex.wait(lambda: len(ex.records("contract")) == 1, "the token was not looked at")
        with timed(row, 6):
            send(customer, compiled["TokenProxy"].call("upgradeTo(address)", taking))
            side.mine(5)
            drift = case_by(ex, "control_drift")
        assert (drift["severity"], drift["asset"]) == ("critical", "UPT")
        changed = drift["evidence"]["contract"]["implementation"]
        assert [changed[when][-40:] for when in ("before", "after")] == [plain[2:].lower(), taking[2:].lower()]
        row.saw("a critical control_drift case that names the implementation before and after")
        approval = {"id": "w-upt", "chain": side.name, "asset": "UPT", "amount": "100", "destination": side.outside()}
        ex.approve(**approval)
        pay = call("transfer(address,uint256)", approval["destination"], 100 * UNIT)
        plants.approvals["w-upt"] = send(side.address(side.hot), pay)
        send(customer, call("transfer(address,uint256)", side.address(side.hot), 200 * UNIT))
        residual = case_by(ex, "residual")
        assert (residual["asset"], residual["units"]) == ("UPT", str(2 * UNIT))
        caught_up(ex, [side])
        row.saw("what the deposit did not bring is a residual case; the approved withdrawal is none")
        ex.kill()
        ex.start()
        ex.settle()
        nothing_lost(row, ex, [side], plants, others=2)
