"""Plays a scenario: each step becomes one observation, taken by ``monitor.step.take`` on a real ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import select

from chains.core.values import Account, BlockRef, Holdings, Opening
from monitor.assess import Books, Custody, Facts, Limits, Owed
from monitor.attribute import Rules
from monitor.detect import Grace
from monitor.ledger import reader, schema
from monitor.ledger.store import Ledger
from monitor.model import (
    Approval,
    Cancellation,
    Case,
    CaseState,
    Owner,
    Price,
    Tier,
    Wallet,
    rfc3339,
)
from monitor.step import Outcome, take
from monitor.step.observations import (
    Acted,
    ApprovalsRead,
    AsOf,
    BlockSeen,
    Configured,
    Due,
    Measured,
    Observation,
    Opened,
    ReorgTooDeep,
    Rewound,
    TableRead,
)
from monitor.step.setup import Setup
from tests.scenarios.world import ASSETS, DECIMALS, NATIVE, ChainWorld, coins_of, units_of

SKEWS = {"bitcoin": timedelta(hours=2), "ethereum": timedelta(seconds=60)}
_DAY = "2026-11-24"
#: deep enough below any height of a story that no rewind of it is too deep
_FINAL_BELOW = 50


def moment(text: str) -> datetime:
    """ "10:00" or "10:00:30" of the scenario's day, or a full RFC 3339 time."""
    return datetime.fromisoformat(text if "T" in text else f"{_DAY}T{text}").replace(tzinfo=UTC)


def setup_of(script: Mapping[str, Any]) -> tuple[Setup, dict[str, dict[str, str]]]:
    """What a script's wallets, policy and prices say, and the wallet name of each locator by chain."""
    wallets: dict[str, Wallet] = {}
    watched: dict[str, dict[str, str]] = {}
    for order, (name, spec) in enumerate(script["wallets"].items()):
        chain, owner = spec["chain"], Owner(spec.get("owner", "customer"))
        wallets[name] = Wallet(name, chain, Tier(spec["tier"]), owner, "self", order)
        watched.setdefault(chain, {}).update(dict.fromkeys(spec.get("addresses", ()), name))
    policy = script.get("policy", {})
    allow = {tier: frozenset(policy.get("allow", {}).get(tier.value, ())) for tier in Tier}
    prices = script.get("prices", {})
    setup = Setup(
        wallets=wallets,
        owners=_owners(wallets, watched),
        natives={chain: NATIVE[chain] for chain in watched},
        carried={chain: ASSETS[chain] for chain in watched},
        skews=SKEWS,
        decimals=DECIMALS,
        rules=Rules(policy.get("approvals", True), policy.get("cold_needs_approval", True)),
        grace=Grace(
            timedelta(seconds=policy.get("grace_cold", 0)),
            timedelta(seconds=policy.get("grace_hot", 120)),
            Fraction(policy.get("up_to_percent", 1)),
        ),
        known={(chain, tier): allow[tier] for chain in watched for tier in Tier},
        quorums=dict.fromkeys(watched, 1),
        receivers=("pager",),
        facts=_facts(wallets),
        breach_after=timedelta(hours=1),
        price_max_age=timedelta(hours=26),
        prices={asset: Price(asset, "JPY", price, moment("09:00")) for asset, price in prices.items()},
    )
    return setup, watched


def _facts(wallets: Mapping[str, Wallet]) -> Facts:
    return Facts(
        entity="Example",
        currency="JPY",
        timezone="Asia/Tokyo",
        assets=DECIMALS,
        wallets=tuple(Custody(w.name, w.chain, w.tier, w.owner, w.custodian) for w in wallets.values()),
        custodians={},
        limits=Limits(26 * 3600, 26 * 3600, 26 * 3600, 26 * 3600, 26 * 3600),
    )


def _owners(wallets: Mapping[str, Wallet], watched: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Wallet]]:
    return {chain: {locator: wallets[name] for locator, name in names.items()} for chain, names in watched.items()}


class Stage:
    """One scenario on one ledger. ``steps`` name what they do by their key (see README.md)."""

    def __init__(self, store: Path | str, script: Mapping[str, Any]) -> None:
        """``store``: a folder for a SQLite file, or the URL of an empty ledger."""
        self._url = store if isinstance(store, str) else f"sqlite:///{store / 'ledger.db'}"
        self._script = script
        self.setup, self.watched = setup_of(script)
        self.worlds = {chain: ChainWorld(chain) for chain in self.watched}
        self.ledger = Ledger(self._url)
        self.now = moment(script.get("begins", "09:00"))
        self.outcome = Outcome()
        self.refused = ""
        self._begin()

    def close(self) -> None:
        self.ledger.close()

    def play(self, step: Mapping[str, Any]) -> None:
        """Take one step; what it is called decides how."""
        self.now = moment(step["at"]) if "at" in step else self.now + timedelta(seconds=1)
        kinds = [kind for kind in _KINDS if kind in step]
        assert len(kinds) == 1, f"a step is one of {', '.join(_KINDS)}: {step}"
        getattr(self, f"_{kinds[0]}")(step)

    # -- beginning ---------------------------------------------------------------------------------

    def _begin(self) -> None:
        for chain, world in self.worlds.items():
            for locator, amounts in self._script.get("holds", {}).items():
                if locator in self.watched[chain]:
                    world.give(locator, amounts if isinstance(amounts, list) else [amounts])
            for coin, text in self._script.get("coins", {}).items():
                locator, amount = text.split(maxsplit=1)
                if locator in self.watched[chain]:
                    world.give(locator, [amount], coin)
            self._open(chain, BlockRef(chain, 100, f"{chain}-100", f"{chain}-99", self._time()), first=True)

    def _open(self, chain: str, at: BlockRef, locators: Mapping[str, str] | None = None, *, first: bool) -> None:
        wallets = self.watched[chain] if locators is None else locators
        world = self.worlds[chain]
        opening = Opening(
            at,
            world.holdings(wallets, at.height),
            tuple(coin for coin in world.coins.values() if coin.locator in wallets),
        )
        self._take(Opened(opening, wallets, ASSETS[at.chain], at.height - _FINAL_BELOW, first))

    # -- steps -------------------------------------------------------------------------------------

    def _block(self, step: Mapping[str, Any]) -> None:
        chain, height, branch = _block_name(step["block"])
        cursor = self.cursor(chain)
        assert height == cursor.height + 1, f"the block on top of {cursor.height} is not {height}"
        mined = moment(step["mined"]) if "mined" in step else self.now
        ref = BlockRef(chain, height, f"{chain}-{height}{branch}", cursor.hash, int(mined.timestamp()))
        block = self.worlds[chain].mine(ref, step.get("transactions", ()), self.watched[chain])
        noticed = moment(step["noticed"]) if "noticed" in step else self.now
        self._take(BlockSeen(block, noticed, not step.get("catch_up", False), height - _FINAL_BELOW))

    def _rewind(self, step: Mapping[str, Any]) -> None:
        chain, height, branch = _block_name(step["rewind"])
        to = BlockRef(chain, height, f"{chain}-{height}{branch}", f"{chain}-{height - 1}", self._time())
        self.worlds[chain].rewind(height)
        self._take(Rewound(to, height - _FINAL_BELOW))
        with self.ledger.read() as connection:
            left = reader.watched(connection, chain)
        anew = {a: w for a, w in self.watched[chain].items() if a not in left}
        if anew:
            self._open(chain, to, anew, first=False)

    def _too_deep(self, step: Mapping[str, Any]) -> None:
        self._take(ReorgTooDeep(self.cursor(step["too_deep"]), 99))

    def _watch(self, step: Mapping[str, Any]) -> None:
        chain = self.setup.wallets[step["wallet"]].chain
        world, locators = self.worlds[chain], dict.fromkeys(step["watch"], step["wallet"])
        for text in step.get("coins", ()):
            coin, locator, amount = text.split(maxsplit=2)
            world.give(locator, [amount], coin)
        for text in step.get("holds", ()):
            locator, amount = text.split(maxsplit=1)
            world.give(locator, [amount])
        self.watched[chain].update(locators)
        self._reconfigure()
        self._open(chain, self.cursor(chain), locators, first=False)

    def _assign(self, step: Mapping[str, Any]) -> None:
        chain = self.setup.wallets[step["wallet"]].chain
        moved = dict.fromkeys(step["assign"], step["wallet"])
        self.watched[chain].update(moved)
        self._reconfigure()
        self._take(Configured(chain, (), moved))

    def _retire(self, step: Mapping[str, Any]) -> None:
        for chain, locators in self.watched.items():
            gone = tuple(locator for locator in step["retire"] if locator in locators)
            for locator in gone:
                del locators[locator]
            if gone:
                self._reconfigure()
                self._take(Configured(chain, gone, {}))

    def _approve(self, step: Mapping[str, Any]) -> None:
        records = [self._approval(line) if "cancel" not in line else _cancel(line) for line in step["approve"]]
        heartbeat = moment(step["heartbeat"]) if "heartbeat" in step else None
        self._take(ApprovalsRead("approvals", tuple(records), tuple(step.get("malformed", ())), heartbeat, "{}"))

    def _due(self, _step: Mapping[str, Any]) -> None:
        self._take(Due())

    def _restart(self, _step: Mapping[str, Any]) -> None:
        self.ledger.close()
        self.ledger = Ledger(self._url)

    def _act(self, step: Mapping[str, Any]) -> None:
        with self.ledger.read() as connection:
            found = [case for case in reader.cases(connection) if step["case"] in (case.wallet, case.rule)]
        assert len(found) == 1, f"{step['case']} names {len(found)} cases"
        try:
            self._take(Acted(found[0].id, step["act"], step["by"], step.get("why", "")))
            self.refused = ""
        except ValueError as error:
            self.refused = str(error)

    def _vanish(self, step: Mapping[str, Any]) -> None:
        for text in step["vanish"]:
            locator, amount = text.split(maxsplit=1)
            chain = next(chain for chain, names in self.watched.items() if locator in names)
            self.worlds[chain].vanish(locator, amount)

    def _measure(self, step: Mapping[str, Any]) -> None:
        unreadable = step.get("unreadable", {})
        anchors, holdings = {}, {}
        for chain, world in self.worlds.items():
            if chain not in unreadable:
                at = self.cursor(chain)
                if chain in step.get("anchors", {}):
                    height = step["anchors"][chain]
                    at = BlockRef(chain, height, f"{chain}-{height}", f"{chain}-{height - 1}", at.time)
                anchors[chain] = at
                coins = tuple(world.coins_at(at.height)) if chain == "bitcoin" else None
                units = world.holdings(self.watched[chain], at.height)
                endpoints = tuple(step.get("agreed", ["endpoint-1"]))
                holdings[chain] = Holdings(at, units, endpoints, coins)
        owed = step.get("owed")
        self._take(
            Measured(
                kind=step["measure"],
                anchors=anchors,
                holdings=holdings,
                proved={},
                failures=unreadable,
                as_of=self._as_of(step),
                books=Books(
                    liabilities=None if owed is None else tuple(self._owed(step, text) for text in owed),
                    liabilities_reason=step.get("owed_unknown", "no liabilities are configured"),
                ),
                unseen={},
            )
        )

    def _declare(self, step: Mapping[str, Any]) -> None:
        """What is owed, as the liabilities' file says it."""
        as_of = moment(step["as_of"]) if "as_of" in step else self.now
        amounts = [units_of(text) for text in step["declare"]]
        lines = tuple({"asset": asset, "units": str(units), "as_of": rfc3339(as_of)} for units, asset in amounts)
        self._take(TableRead("liabilities", lines, (), as_of))

    # -- pieces ------------------------------------------------------------------------------------

    def _as_of(self, step: Mapping[str, Any]) -> tuple[AsOf, ...]:
        """Anchors of the liabilities' own time ("bitcoin 101"): answered by the ledger."""
        found = []
        for name in step.get("as_of_blocks", ()):
            chain, height, _ = _block_name(name)
            ref = BlockRef(chain, height, f"{chain}-{height}", f"{chain}-{height - 1}", self._time())
            found.append(AsOf(chain, moment(step["as_of"]), ref, None))
        return tuple(found)

    def _owed(self, step: Mapping[str, Any], text: str) -> Owed:
        units, asset = units_of(text)
        return Owed(asset, units, moment(step["as_of"]) if "as_of" in step else self.now)

    def _approval(self, line: Mapping[str, Any]) -> Approval:
        units, asset = units_of(line["amount"])
        chain = line.get("chain", "bitcoin" if asset == "BTC" else "ethereum")
        content = sha256(repr(sorted(line.items())).encode()).hexdigest()
        return Approval(
            id=line["id"],
            chain=chain,
            asset=asset,
            units=units,
            destination=line["to"],
            wallet=line.get("wallet"),
            tag=None,
            not_before=moment(line["from"]) if "from" in line else None,
            not_after=moment(line["until"]) if "until" in line else self.now + timedelta(days=1),
            max_fee=units_of(line["max_fee"])[0] if "max_fee" in line else None,
            txid=line.get("txid"),
            batch=line.get("batch"),
            digest=content,
            outputs_hash=line.get("outputs_hash"),
            batch_size=line.get("batch_size"),
        )

    def _reconfigure(self) -> None:
        self.setup.owners = _owners(self.setup.wallets, self.watched)

    def _time(self) -> int:
        return int(self.now.timestamp())

    def _take(self, observation: Observation) -> None:
        with self.ledger.write() as connection:
            self.outcome = take(connection, self.setup, observation, self.now)

    def cursor(self, chain: str) -> BlockRef:
        with self.ledger.read() as connection:
            return reader.cursors(connection)[chain].at

    # -- what came of it ---------------------------------------------------------------------------

    def cases(self) -> list[str]:
        with self.ledger.read() as connection:
            return [case_line(case) for case in reader.cases(connection)]

    def incidents(self) -> list[str]:
        """What each case is to its incident: "eth-hot 1 ETH: 1 first", "btc-hot 2 BTC: 1 chain doubled"."""
        with self.ledger.read() as connection:
            found = reader.cases(connection)
        numbers = {name: n for n, name in enumerate(dict.fromkeys(c.incident for c in found if c.incident), start=1)}
        return [_incident_line(case, numbers) for case in found]

    def parts(self) -> dict[str, list[str]]:
        """Every flow part by transaction: "btc-hot approved 1 BTC by w-1"."""
        columns = schema.flow.c
        with self.ledger.read() as connection:
            rows = connection.execute(select(schema.flow).order_by(columns.height, columns.ordinal, columns.idx)).all()
        found: dict[str, list[str]] = {}
        for row in rows:
            line = f"{row.wallet} {row.reason} {coins_of(row.units, row.asset)}"
            found.setdefault(row.txid, []).append(f"{line} by {row.approval}" if row.approval else line)
        return found

    def told(self) -> int:
        with self.ledger.read() as connection:
            return len(connection.execute(select(schema.outbox.c.id)).all())

    def approvals(self) -> dict[str, str]:
        with self.ledger.read() as connection:
            return {item.id: state for item, state, _ in reader.approvals(connection, limit=100)}

    def balances(self) -> dict[str, str]:
        """Units in the ledger by wallet, as amounts."""
        with self.ledger.read() as connection:
            totals = reader.totals(connection)
        return {f"{wallet} {asset}": coins_of(units, asset) for (_, wallet, asset), units in totals.items() if units}

    def checks(self) -> list[str]:
        """Checks of the newest verdict: "coverage BTC BREACH 0.5"."""
        assert self.outcome.verdict is not None, "this step gave no verdict"
        checks: Any = self.outcome.verdict["checks"]
        return [
            " ".join(str(word) for word in (c["id"], c["asset"], c["verdict"], c["value"]) if word is not None)
            for c in checks
        ]

    def truth(self) -> dict[Account, int]:
        """What the chains themselves say that every watched account holds at the cursor."""
        return {
            account: units
            for chain, world in self.worlds.items()
            for account, units in world.holdings(self.watched[chain], self.cursor(chain).height).items()
        }


def case_line(case: Case) -> str:
    """ "open unexplained_outflow btc-hot 1 BTC fee 0.001 BTC", then what else is to be said of it."""
    words = [case.state.value, case.rule, case.wallet or case.subject or ""]
    if case.units is not None and case.asset is not None:
        words.append(coins_of(case.units, case.asset))
    if case.fee_units and case.fee_asset is not None:
        words.append(f"fee {coins_of(case.fee_units, case.fee_asset)}")
    words.extend(f"+ {rule}" for rule in case.rules[1:])
    if case.reorged_out:
        words.append("reorged out")
    if case.state is CaseState.PENDING and case.due_at is not None:
        words.append(f"due {case.due_at:%H:%M:%S}")
    return " ".join(words)


def _cancel(line: Mapping[str, Any]) -> Cancellation:
    return Cancellation(line["cancel"], "")


def _block_name(text: str) -> tuple[str, int, str]:
    """ "bitcoin 103b" is height 103 on branch b."""
    chain, name = text.split()
    digits = name.rstrip("abcdefgh")
    return chain, int(digits), name[len(digits) :]


_KINDS = (
    "block",
    "rewind",
    "too_deep",
    "watch",
    "assign",
    "retire",
    "approve",
    "due",
    "restart",
    "act",
    "vanish",
    "measure",
    "declare",
)


def _incident_line(case: Case, numbers: Mapping[str, int]) -> str:
    what = f"{case.wallet} {coins_of(case.units or 0, case.asset or '')}:"
    if case.incident is None:
        return f"{what} none"
    part = "first" if case.id == case.incident else "further"
    return " ".join([what, str(numbers[case.incident]), *(case.growth or [part])])
