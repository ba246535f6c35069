"""The rungs of getting in: what each gives, whether it is configured, and what the next one would give. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.config.resolved import Config


@dataclass(frozen=True, slots=True)
class Rung:
    """``gives``: what it adds to the rungs before it; ``add``: the keys that take it."""

    name: str
    taken: bool
    gives: str
    add: str


def rungs(config: Config) -> tuple[Rung, ...]:
    """All four, lowest first. They are meant to be taken in this order; each works without the ones after it."""
    books = config.books
    return (
        Rung(
            "addresses",
            taken=True,
            gives="holdings, exact and by quorum; what leaves a cold wallet; balances that no movement explains",
            add="wallets",
        ),
        Rung(
            "liabilities",
            taken=books.liabilities is not None,
            gives="coverage of each asset: what is held against what is owed, with a case for a shortfall",
            add="books.liabilities",
        ),
        Rung(
            "approvals",
            taken=books.approvals is not None,
            gives="every outflow of every wallet that nobody approved is a case, hot wallets too",
            add="books.approvals",
        ),
        Rung(
            "reports",
            taken=bool(config.profiles),
            gives="the rules of a jurisdiction, checked at each close, and reports that a stranger can re-compute",
            add="profiles",
        ),
    )


def spoken(found: tuple[Rung, ...]) -> list[str]:
    """A line for each rung, and one for the next that would be taken."""
    wide = max(len(rung.name) for rung in found)
    lines = [f"{'yes' if rung.taken else 'no ':<3}  {rung.name:<{wide}}  {rung.gives}" for rung in found]
    following = next((rung for rung in found if not rung.taken), None)
    if following is None:
        return [*lines, "every rung is taken"]
    return [*lines, f"next: add {following.add} for {following.name}"]


def rows(found: tuple[Rung, ...]) -> list[dict[str, object]]:
    """The same for machines."""
    return [{"rung": rung.name, "taken": rung.taken, "gives": rung.gives, "add": rung.add} for rung in found]
