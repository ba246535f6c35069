"""Which sections a printed form has. The JSON is always whole; a preset only chooses what is printed, and its title."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from monitor.publish.report.fields import Block, Table, View
from monitor.publish.report.schema import BLOCKS, BY_ID

#: preset → block → its tables; None is every section
_PRESETS: dict[str, dict[str, tuple[str, ...]] | None] = {
    "full": None,
    "daily": {
        "reconciliation": ("per_asset", "by_class", "explained", "roll_forward", "flows"),
        "coverage_series": ("summary", "points"),
        "requirements": ("checks",),
        "reserve": ("guarantee",),
        "fiat": ("trusts",),
        "in_transit": ("items",),
        "segregation": ("findings",),
        "exceptions": ("cases", "legal", "notifications"),
        "limitations": ("statements", "unverified_parameters", "off_chain_assets", "off_chain_liabilities", "gaps"),
    },
    # 利用者財産の管理に関する報告書: what customers own, the matching own assets, and the documents attached.
    "jp-quarterly": {
        "liabilities": ("per_asset",),
        "assets": ("wallets", "stated"),
        "reconciliation": ("per_asset", "by_class"),
        "reserve": ("guarantee", "guarantee_wallets"),
        "fiat": ("trusts",),
        "custodians": ("custodians", "exposures"),
        "requirements": ("checks",),
        "segregation": ("findings",),
        "evidence": ("attachments",),
        "limitations": ("statements", "unverified_parameters", "off_chain_assets", "off_chain_liabilities"),
    },
}


def sections(report: dict[str, Any]) -> Iterator[tuple[Block, tuple[Table, ...]]]:
    """The blocks that the report's preset prints, in order, each with the tables that its view shows."""
    view = View(report["header"]["view"])
    chosen = _PRESETS[report["header"]["preset"]]
    order = BLOCKS if chosen is None else tuple(BY_ID[name] for name in chosen)
    for block in order:
        if block.id in report["blocks"]:
            wanted = {table.id for table in block.tables} if chosen is None else set(chosen[block.id])
            yield block, tuple(table for table in block.tables_seen_by(view) if table.id in wanted)
