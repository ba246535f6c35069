"""A running monitor and what a row of the corpus asks of it: exactly these flows, exactly these cases, node = ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tests.real.corpus.evidence import Row, Want
from tests.real.exchange import Exchange
from tests.real.sides import JSON, coins

Part = tuple[str, str, str, str, int]
#: blocks until a block is final, for both nodes
FINALITY = 2
JUDGED_SECONDS = 30
#: within which a residual of the newest block is found, where it is looked for after each block
SOON_SECONDS = 2
POLL_SECONDS = 0.005


class Ground(Protocol):
    """A chain on which rows happen. ``began``: when the newest block was asked for; ``people``: names for addresses."""

    name: str
    native: str
    node_name: str
    decimals: dict[str, int]
    wallet_names: tuple[str, ...]
    began: float
    people: dict[str, str]

    def head(self) -> int: ...
    def mine(self, blocks: int = 1) -> None: ...
    def held(self, wallet: str, asset: str) -> int: ...


@dataclass
class Stage:
    """The monitor and every case ``known`` so far. ``row``: the one that is played; ``timed``: newest block by chain."""

    ex: Exchange
    known: set[str] = field(default_factory=set)
    numbers: int = 0
    row: Row = field(default_factory=Row)
    timed: dict[str, int] = field(default_factory=dict)

    def approve(self, ground: Ground, asset: str, units: int, destination: str, **more: str) -> str:
        """One approval, fresh id; returns the id."""
        self.numbers += 1
        name = f"{ground.name}-{self.numbers}"
        amount = coins(units, ground.decimals[asset])
        self.ex.approve(id=name, chain=ground.name, asset=asset, amount=amount, destination=destination, **more)
        return name

    def used(self, approval: str) -> str:
        """The transaction that used an approval, "" where none did."""
        ((by,),) = self.ex.rows("SELECT used_by FROM approval WHERE id = ?", approval)
        return str(by)

    def parts(self, txid: str) -> list[Part]:
        found = self.ex.rows("SELECT wallet, asset, part, reason, units FROM flow WHERE txid = ? ORDER BY idx", txid)
        return [(wallet, asset, part, reason, int(units)) for wallet, asset, part, reason, units in found]

    def judged(
        self, ground: Ground, txids: Sequence[str], flows: Iterable[Part], cases: Sequence[Want] = ()
    ) -> list[JSON]:
        """Wait for the head; then these transactions have exactly ``flows``, and exactly ``cases`` are new."""
        self.followed(ground)
        wanted = list(flows)
        found = [part for txid in txids for part in self.parts(txid)]
        assert sorted(found) == sorted(wanted)
        new = self._cases(ground, cases, txids)
        self._ledger_is_node(ground)
        self.row.saw_flows(wanted)
        return new

    def untouched(self, ground: Ground, txids: Sequence[str]) -> None:
        """Nothing of ours moved in these transactions, and no case is new."""
        self.judged(ground, txids, [])

    def residual(self, ground: Ground, want: Want) -> JSON:
        """What no event told is a case of its own, and is booked: the ledger is the node's again.

        The newest block did it. Where the case does not come soon, it needs the block to be final.
        """
        happened = ground.head()
        self.followed(ground)
        if not self._within(SOON_SECONDS, self._residuals):
            ground.mine(FINALITY)
            self.followed(ground)
            assert self._within(JUDGED_SECONDS, self._residuals), "no residual case"
        self.row.took(ground.head() - happened, round((time.time() - ground.began) * 1000))
        (case,) = self._cases(ground, [want], ())
        later = case["block"]["height"] - happened
        assert 0 <= later <= FINALITY
        self.row.reasons.append(
            f"{want.asset} residual booked {later} blocks later" if later else f"{want.asset} residual"
        )
        self._ledger_is_node(ground)
        return case

    def _residuals(self) -> bool:
        return bool({key for (key,) in self.ex.rows("SELECT id FROM cases WHERE rule = 'residual'")} - self.known)

    def _within(self, seconds: float, condition: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def followed(self, ground: Ground) -> None:
        """Wait until the head is judged and committed."""
        self.row.chain, self.row.node = ground.name, ground.node_name
        height = ground.head()
        query = "SELECT height FROM cursor WHERE chain = ?"
        there = self._within(JUDGED_SECONDS, lambda: int(self.ex.rows(query, ground.name)[0][0]) >= height)
        assert there, f"{ground.name} was not followed to {height}"
        if self.timed.get(ground.name) != height:
            self.timed[ground.name] = height
            self.row.took(ground.head() - height, round((time.time() - ground.began) * 1000))

    def _cases(self, ground: Ground, wants: Sequence[Want], txids: Sequence[str]) -> list[JSON]:
        new = {key for (key,) in self.ex.rows("SELECT id FROM cases")} - self.known
        self.ex.wait(lambda: new <= {case["id"] for case in self.ex.cases("all")}, "the API does not show the cases")
        found = [case for case in self.ex.cases("all") if case["id"] in new]
        self.known |= new
        said = sorted((_said(case) for case in found), key=str)
        assert said == sorted((self._wanted(ground, want) for want in wants), key=str)
        assert {case["txid"] for case in found if case["rule"] != "residual"} <= set(txids)
        native = (ground.native, ground.decimals[ground.native])
        for want in wants:
            self.row.saw_case(want, ground.decimals[want.asset], native, ground.people)
        return found

    def _wanted(self, ground: Ground, want: Want) -> JSON:
        decimals = ground.decimals[want.asset]
        places = {address: coins(units, decimals) for address, units in want.to.items()}
        return {
            "rules": list(want.rules),
            "severity": want.severity,
            "state": "open",
            "chain": ground.name,
            "wallet": want.wallet,
            "asset": want.asset,
            "units": str(want.units),
            "amount": coins(want.units, decimals),
            "fee": None if want.fee is None else coins(want.fee, ground.decimals[ground.native]),
            "destinations": places,
        }

    def _ledger_is_node(self, ground: Ground) -> None:
        totals = self.ex.rows("SELECT wallet, asset, units FROM total WHERE chain = ?", ground.name)
        ledger = {(wallet, asset): int(units) for wallet, asset, units in totals}
        for wallet in ground.wallet_names:
            for asset in ground.decimals:
                assert ledger.get((wallet, asset), 0) == ground.held(wallet, asset), (wallet, asset)


def _said(case: JSON) -> JSON:
    places = {place["address"]: place["amount"] for place in case["destinations"]}
    names = ("rules", "severity", "state", "chain", "wallet", "asset", "units", "amount", "fee")
    assert case["rule"] == case["rules"][0]
    return {name: case[name] for name in names} | {"destinations": places}
