"""What is said about each rule: its category, its one sentence, and what to check.

The sentences are constant, so that an alert keeps its text while the case grows; the numbers are
in the description.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from monitor.model import Severity, Tier


class Category(StrEnum):
    """Who an alert concerns; nothing inhibits ``outflow``."""

    OUTFLOW = "outflow"
    CONTROL = "control"
    QUALITY = "quality"
    COMPLIANCE = "compliance"


class Extent(StrEnum):
    """What a case of a rule is about: a wallet (chain and tier are known), a chain, or neither."""

    WALLET = "wallet"
    CHAIN = "chain"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Rule:
    """``severities`` and ``tiers``: those that its cases can have."""

    category: Category
    extent: Extent
    summary: str
    check: str
    severities: tuple[Severity, ...] = (Severity.CRITICAL,)
    tiers: tuple[Tier, ...] = ()


_EVERY_TIER = (Tier.COLD, Tier.WARM, Tier.HOT)

#: the rules that open cases or join them in this version
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "unexplained_outflow": Rule(
            Category.OUTFLOW,
            Extent.WALLET,
            "Assets left a wallet and no approval explains it.",
            "Check whether an approval is missing in the books before anything else leaves the wallet.",
            tiers=_EVERY_TIER,
        ),
        "cold_without_approval": Rule(
            Category.OUTFLOW,
            Extent.WALLET,
            "A cold wallet signed a transaction that nobody approved.",
            "Check who held the signing keys. A transaction of value zero counts too.",
            tiers=(Tier.COLD,),
        ),
        "outside_window": Rule(
            Category.OUTFLOW,
            Extent.WALLET,
            "A cold wallet moved outside every announced and confirmed ceremony.",
            "Check who held the signing keys: an approval alone does not say that people were to work then.",
            tiers=(Tier.COLD,),
        ),
        "residual": Rule(
            Category.OUTFLOW,
            Extent.WALLET,
            "A balance on the node is not what the recorded movements give.",
            "Compare the accounts named in the case with a second endpoint at the case's block.",
            severities=(Severity.CRITICAL, Severity.WARNING),
            tiers=_EVERY_TIER,
        ),
        "sequence_gap": Rule(
            Category.OUTFLOW,
            Extent.WALLET,
            "The chain's own counter of a wallet says that something was signed or spent which porwatch has not seen.",
            "Look at the transactions of the addresses named in the case with a second endpoint.",
            tiers=_EVERY_TIER,
        ),
        "endpoint_lies": Rule(
            Category.CONTROL,
            Extent.CHAIN,
            "An endpoint gave an answer that is provably false.",
            "Send the evidence file to its operator; the endpoint is not asked any more.",
            severities=(Severity.WARNING, Severity.CRITICAL),
        ),
        "inventory_gap": Rule(
            Category.CONTROL,
            Extent.WALLET,
            "Addresses of a wallet are about to lie outside the watch list.",
            "Make the descriptor's gap_limit or range longer, and restart porwatch.",
            severities=(Severity.WARNING,),
            tiers=_EVERY_TIER,
        ),
        "control_drift": Rule(
            Category.CONTROL,
            Extent.CHAIN,
            "What controls an asset or an address is not what it was.",
            "The case names what changed: ask the issuer whether this upgrade is theirs, and what it does to balances.",
        ),
        "altered_approval": Rule(
            Category.CONTROL,
            Extent.NOWHERE,
            "An approval came a second time with other content.",
            "Check who writes to the approvals source, and whether destination or amount were changed.",
        ),
        "bad_approval_signature": Rule(
            Category.CONTROL,
            Extent.NOWHERE,
            "An approval has no valid signature.",
            "Check who writes to the approvals source, and whether a key was changed without telling porwatch.",
        ),
        "approvals_blind": Rule(
            Category.QUALITY,
            Extent.NOWHERE,
            "The approvals source has fallen silent.",
            "Check the system that writes approvals; the case counts the outflows that wait for it.",
        ),
        "shadow_ended": Rule(
            Category.QUALITY,
            Extent.NOWHERE,
            "The shadow has ended, and cases page from now on.",
            "Read `porwatch shadow`, and look at every open case: each pages from now on.",
            severities=(Severity.WARNING, Severity.CRITICAL),
        ),
        "deep_reorg": Rule(
            Category.QUALITY,
            Extent.CHAIN,
            "A chain replaced blocks that counted as final.",
            "Stop crediting deposits of that chain and compare its endpoints.",
        ),
        "window_dressing": Rule(
            Category.COMPLIANCE,
            Extent.NOWHERE,
            "Assets came in shortly before a close and left shortly after it.",
            "Ask what the round trips named in the case were for.",
            severities=(Severity.WARNING,),
        ),
        "check_breach": Rule(
            Category.COMPLIANCE,
            Extent.NOWHERE,
            "A check of an active profile is in breach.",
            "Operands, threshold and margin are in the verdict: check holdings, liabilities and their as-of time.",
        ),
    }
)

#: a ledger may hold cases of a newer version; they are delivered all the same, where nothing inhibits them
_UNKNOWN = Rule(
    Category.OUTFLOW,
    Extent.NOWHERE,
    "A case was opened by a rule that this version does not know.",
    "Read the case, and update porwatch.",
)


def rule_of(name: str) -> Rule:
    """What is said about a rule; a rule of another version is answered too, never dropped."""
    return RULES.get(name, _UNKNOWN)


def alert_name(rule: str) -> str:
    """``unexplained_outflow`` → ``PorwatchUnexplainedOutflow``: the alert and its runbook."""
    return "Porwatch" + "".join(word.capitalize() for word in rule.split("_"))
