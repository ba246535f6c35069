"""What every block of a report is made from: the evidence, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chains.core.values import Account
from chains.core.values import Evidence as Known
from monitor.assess import Custody, Inputs, verdict
from monitor.assess.figures import business_date
from monitor.assess.quantities import Quantities, Stock
from monitor.canonical import Json
from monitor.ledger.encode import case_from_json
from monitor.model import Case, rfc3339
from monitor.publish.bundle import places
from monitor.publish.bundle.cells import Prices
from monitor.publish.bundle.evidence import Evidence
from monitor.publish.bundle.files import BadEvidence
from monitor.rules.codec import from_json
from monitor.rules.profile import Profile, in_force

Rows = list[dict[str, Any]]
#: a limitation: a word of codes.LIMITATIONS, and whom or what it is about ("": the whole report)
Point = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Shown:
    """The newest proof of control of a locator: its kind, the block after which it was judged, and the day."""

    kind: str
    height: int
    day: str


@dataclass(frozen=True, slots=True)
class Context:
    """``verdict``: worked out anew; ``profiles``: those shown, as in force; ``cases``: by id, as at the close.

    ``control``: by (chain, locator); ``custody``: by wallet; ``stock``: what was held.
    """

    evidence: Evidence
    verdict: Json
    profiles: tuple[Profile, ...]
    prices: Prices
    stock: Stock
    cases: Mapping[str, Case]
    control: Mapping[tuple[str, str], Shown]
    custody: Mapping[str, Custody]

    @property
    def inputs(self) -> Inputs:
        return self.evidence.inputs

    @property
    def now(self) -> Quantities:
        """What was held at the anchors."""
        return self.stock.at()

    @property
    def begin(self) -> datetime:
        """Where the period begins."""
        return datetime.fromisoformat(self.evidence.answers.begin)

    def checks(self) -> list[Json]:
        """The checks of the verdict that the report shows: the built-in ones, and those of the profiles shown."""
        wanted = {"baseline", *(profile.id for profile in self.profiles)}
        return [check for check in self.verdict["checks"] if check["profile"] in wanted]

    def known(self, chain: str, locator: str, asset: str) -> str | None:
        """How well a holding is known, as the testimony shows it; None where there is no testimony of it."""
        shown = self.evidence.shown.get(chain)
        account = Account(chain, locator, asset)
        if shown is None or account not in shown.units:
            return None
        if account in shown.proved:
            return Known.PROVED.value
        return Known.AGREED.value if account in shown.agreed else Known.CLAIMED.value


def context_of(evidence: Evidence) -> Context:
    """Everything that follows from the evidence. Raises BadEvidence where it does not fit together."""
    inputs = evidence.inputs
    return Context(
        evidence=evidence,
        verdict=verdict(inputs),
        profiles=_profiles(evidence),
        prices=Prices(inputs),
        stock=Stock(inputs),
        cases=_cases(evidence),
        control=_control(evidence),
        custody={each.wallet: each for each in inputs.facts.wallets},
    )


def judged(inputs: Inputs) -> dict[str, Profile]:
    """The profiles that a verdict judged, by id: each as in force on the day."""
    known = {profile.id: profile for profile in map(from_json, inputs.facts.profiles)}
    found = (in_force(known, name, business_date(inputs, known[name].valuation)) for name in inputs.facts.configured)
    return {profile.id: profile for profile in found}


def _profiles(evidence: Evidence) -> tuple[Profile, ...]:
    found, wanted = judged(evidence.inputs), evidence.answers.profiles
    unknown = [] if wanted is None else [name for name in wanted if name not in found]
    if unknown:
        names = ", ".join(found) or "none"
        raise BadEvidence(places.ANSWERS, f"profiles: {unknown[0]} was not judged at this close, only: {names}")
    return tuple(profile for profile in found.values() if wanted is None or profile.id in wanted)


def _cases(evidence: Evidence) -> dict[str, Case]:
    """The last word on each case up to the verdict; what came later is not of this close."""
    found: dict[str, Case] = {}
    until = verdict_seq(evidence)
    for line in evidence.records("case"):
        if line.seq <= until and line.body is not None:
            case = case_from_json(line.body)
            found[case.id] = case
    return dict(sorted(found.items(), key=lambda item: (item[1].opened_at, item[0])))


def verdict_seq(evidence: Evidence) -> int:
    """Where the journal has the verdict of the close. Raises BadEvidence where it is not shown."""
    for line in evidence.records("verdict"):
        if line.body is not None and line.body.get("cycle") == evidence.inputs.number:
            return line.seq
    raise BadEvidence(places.PERIOD, f"the verdict of cycle {evidence.inputs.number} is not among its records")


def _control(evidence: Evidence) -> dict[tuple[str, str], Shown]:
    found: dict[tuple[str, str], Shown] = {}
    until = verdict_seq(evidence)
    for line in evidence.records("control_proof"):
        if line.seq <= until and line.body is not None and line.at is not None:
            body = line.body
            shown = Shown(body["kind"], body["block"]["height"], rfc3339(line.at)[:10])
            found[body["chain"], body["locator"]] = shown
    return found
