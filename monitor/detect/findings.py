"""Cases that are about no single transaction: residuals, gaps, endpoints, feeds, ranges. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from chains.core.amounts import format_coins
from chains.core.values import BlockRef, Fault
from monitor.detect.words import SYSTEM
from monitor.model import (
    BadSignature,
    Case,
    CaseState,
    CoinChange,
    Event,
    Residual,
    Severity,
    Wallet,
    case_id,
    deep_reorg_id,
    rfc3339,
)


def _opened(rule: str, key: str, severity: Severity, now: datetime, note: str) -> Case:
    """A case that has just been opened under this rule and id (``key``), before what it is about is filled in."""
    history = (Event(now, "opened", SYSTEM, note),)
    return Case(key, rule, (rule,), severity, CaseState.OPEN, now, history=history)


def altered_approval(approval_id: str, source: str, why: str, now: datetime) -> Case:
    """The same approval id with other content: someone changed what the books allow."""
    return replace(
        _opened("altered_approval", case_id("altered_approval", approval_id), Severity.CRITICAL, now, why),
        subject=approval_id,
        evidence={"source": source, "why": why},
    )


def bad_signature(bad: BadSignature, source: str, now: datetime) -> Case:
    """A line of the approvals source that no known key has signed: one case for each id and key."""
    return replace(
        _opened(
            "bad_approval_signature",
            case_id("bad_approval_signature", bad.id, bad.key),
            Severity.CRITICAL,
            now,
            bad.why,
        ),
        subject=f"{bad.id} (key {bad.key})" if bad.key else f"{bad.id} (no key)",
        evidence={"source": source, "why": bad.why},
    )


def residual_cases(
    residuals: Sequence[Residual],
    wallets: Mapping[str, Wallet],
    now: datetime,
    unseen: Mapping[str, tuple[str, ...]],
    seen_at: str = "final",
) -> tuple[Case, ...]:
    """One case for each wallet, asset and anchor block where holdings and ledger differ.

    ``units``: what is missing, accounts with a surplus left out (no netting); where there is only
    a surplus it is negative, and the case a warning.
    """
    groups: dict[tuple[str, str], list[Residual]] = {}
    for residual in residuals:
        groups.setdefault((residual.wallet, residual.asset), []).append(residual)
    cases = []
    for (name, asset), group in groups.items():
        missing = -sum(r.units for r in group if r.units < 0)
        surplus = sum(r.units for r in group if r.units > 0)
        at, chain = group[0].at, group[0].chain
        evidence: dict[str, object] = {"accounts": [[r.locator, str(r.units)] for r in group]}
        if unseen.get(chain):
            evidence["not_enumerated"] = list(unseen[chain])
        cases.append(
            replace(
                _opened(
                    "residual",
                    case_id(chain, name, asset, "residual", at.hash),
                    Severity.CRITICAL if missing else Severity.WARNING,
                    now,
                    "",
                ),
                chain=chain,
                wallet=name,
                tier=wallets[name].tier,
                asset=asset,
                units=missing or -surplus,
                block=at,
                seen_at=seen_at,
                evidence=evidence,
            )
        )
    return tuple(cases)


def gap_cases(
    gaps: Mapping[str, int], owners: Mapping[str, Wallet], at: BlockRef, native: str, now: datetime
) -> tuple[Case, ...]:
    """One case for each wallet whose counter moved without a transaction that porwatch has seen."""
    groups: dict[str, list[tuple[str, int]]] = {}
    for locator, count in gaps.items():
        groups.setdefault(owners[locator].name, []).append((locator, count))
    wallets = {owners[locator].name: owners[locator] for locator in gaps}
    return tuple(
        replace(
            _opened(
                "sequence_gap",
                case_id(at.chain, name, native, "sequence_gap", at.hash),
                Severity.CRITICAL,
                now,
                "the chain's own counter moved by more than what was seen",
            ),
            chain=at.chain,
            wallet=name,
            tier=wallets[name].tier,
            asset=native,
            block=at,
            seen_at="seen",
            evidence={"counters": [[locator, count] for locator, count in lines]},
        )
        for name, lines in groups.items()
    )


def coin_cases(
    change: CoinChange, owners: Mapping[str, Mapping[str, Wallet]], residuals: Sequence[Residual], now: datetime
) -> tuple[Case, ...]:
    """One case for each wallet whose coins were exchanged for others of the same sum: a residual shows the rest."""
    at = change.at
    wallets = {
        owners[at.chain][coin.locator].name: owners[at.chain][coin.locator]
        for coin in (*change.appeared, *change.vanished)
    }
    shown = {residual.wallet for residual in residuals if residual.at == at}
    asset = (*change.appeared, *change.vanished)[0].asset
    return tuple(
        replace(
            _opened(
                "sequence_gap",
                case_id(at.chain, name, asset, "sequence_gap", at.hash),
                Severity.CRITICAL,
                now,
                "the node's unspent coins are not the ones that were seen",
            ),
            chain=at.chain,
            wallet=name,
            tier=wallet.tier,
            asset=asset,
            block=at,
            seen_at="final",
            evidence={
                "appeared": [c.id for c in change.appeared if owners[at.chain][c.locator] == wallet],
                "vanished": [c.id for c in change.vanished if owners[at.chain][c.locator] == wallet],
            },
        )
        for name, wallet in wallets.items()
        if name not in shown
    )


def with_transactions(case: Case, located: Mapping[tuple[str, str], Sequence[str]]) -> Case:
    """A residual's case with the transactions that a node's traces name for its accounts."""
    accounts = case.evidence.get("accounts")
    if not isinstance(accounts, list) or case.asset is None:
        return case
    txids = sorted({txid for locator, _ in accounts for txid in located.get((locator, case.asset), ())})
    return replace(case, evidence={**case.evidence, "transactions": txids}) if txids else case


def range_nearly_used(chain: str, wallet: Wallet, name: str, now: datetime) -> Case:
    """80 % of a descriptor's range are used: behind its end nothing is watched."""
    return replace(
        _opened(
            "inventory_gap",
            case_id("inventory_gap", name),
            Severity.WARNING,
            now,
            "make gap_limit or range longer, and restart",
        ),
        chain=chain,
        wallet=wallet.name,
        tier=wallet.tier,
        subject=name,
    )


def contract_changed(
    at: BlockRef, asset: str, before: Mapping[str, str], after: Mapping[str, str], now: datetime
) -> Case:
    """The contract behind an asset is not what it was: an upgrade, or another hand on it. One case a change."""
    parts = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    subject = f"{at.chain}/{asset} {','.join(parts)} at block {at.hash}"
    return replace(
        _opened(
            "control_drift",
            case_id("control_drift", subject),
            Severity.CRITICAL,
            now,
            f"the contract of {asset} changed: {', '.join(parts)}",
        ),
        chain=at.chain,
        asset=asset,
        subject=subject,
        block=at,
        evidence={
            "contract": {name: {"before": before.get(name), "after": after.get(name)} for name in parts},
        },
    )


def endpoint_lies(fault: Fault, file: str, *, quorum_holds: bool, now: datetime) -> Case:
    """An endpoint gave an answer that is provably false; a warning while enough others remain."""
    subject = f"{fault.chain}/{fault.endpoint}"
    return replace(
        _opened(
            "endpoint_lies",
            case_id("endpoint_lies", subject),
            Severity.WARNING if quorum_holds else Severity.CRITICAL,
            now,
            f"{fault.kind}: {fault.detail}",
        ),
        chain=fault.chain,
        subject=subject,
        evidence={"kind": fault.kind, "detail": fault.detail, "file": file},
    )


def deep_reorg(chain: str, cursor: BlockRef, final_height: int, now: datetime) -> Case:
    """A reorganisation deeper than the chain's finality: following stops until a person has looked."""
    subject = f"{chain} {cursor.hash}"
    return replace(
        _opened(
            "deep_reorg",
            deep_reorg_id(cursor),
            Severity.CRITICAL,
            now,
            f"block {cursor.height} was final or is beyond the stored headers",
        ),
        chain=chain,
        subject=subject,
        block=cursor,
        evidence={"final_height": final_height},
    )


def blind(since: datetime, waiting: Sequence[Case], decimals: Mapping[str, int], now: datetime) -> Case:
    """The approval feed fell silent: one case for the whole time, with what is unmatched so far."""
    sums: dict[str, int] = {}
    for case in waiting:
        if case.asset is not None and case.units is not None:
            sums[case.asset] = sums.get(case.asset, 0) + case.units
    subject = f"approvals since {rfc3339(since)}"
    return replace(
        _opened(
            "approvals_blind",
            case_id("approvals_blind", subject),
            Severity.CRITICAL,
            now,
            f"no heartbeat since {rfc3339(since)}",
        ),
        subject=subject,
        evidence={
            "outflows_waiting": len(waiting),
            "unmatched": {asset: format_coins(units, decimals[asset]) for asset, units in sorted(sums.items())},
        },
    )


def shadow_ended(since: datetime, figures: Mapping[str, Any], now: datetime) -> Case:
    """The end of the shadow: one case that tells what it showed; critical where critical cases are still open."""
    paid, latency = figures["payments"], figures["latency"]
    total = paid["explained"] + paid["not_attributed"] + paid["unexplained"]
    median = f", median latency {latency['median_ms']} ms" if latency["measured"] else ""
    subject = (
        f"shadow from {rfc3339(since)} to {rfc3339(now)}: {paid['explained']} of {total} payments explained, "
        f"{figures['would_have_paged']} cases would have paged, {figures['still_open']} of them are open{median}"
    )
    return replace(
        _opened(
            "shadow_ended",
            case_id("shadow_ended", rfc3339(since)),
            Severity.CRITICAL if figures["critical_open"] else Severity.WARNING,
            now,
            "cases are told from now on",
        ),
        subject=subject,
        evidence={"figures": figures},
    )
