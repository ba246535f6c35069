"""The closed sets of words that a report uses; ``words`` translates each of them.

What the model names is taken from the model, so that the two cannot drift apart.
"""

from __future__ import annotations

from monitor.model import CaseState, Direction, Owner, Reason, Severity, Tier

TIERS = tuple(item.value for item in Tier)
OWNERS = tuple(item.value for item in Owner)
SEVERITIES = tuple(item.value for item in Severity)
CASE_STATES = tuple(item.value for item in CaseState)
DIRECTIONS = tuple(item.value for item in Direction)
REASONS = tuple(item.value for item in Reason)
#: why a reserve profile, a check or a parameter may not be law yet
STATUSES = ("in_force", "enacted_pending", "pending", "placeholder")
YES_NO = ("yes", "no")
RULES = (
    "unexplained_outflow",
    "cold_without_approval",
    "residual",
    "sequence_gap",
    "late_approval",
    "altered_approval",
    "bad_approval_signature",
    "approvals_blind",
    "endpoint_lies",
    "deep_reorg",
    "control_drift",
    "safe_proposal",
    "pending_spend",
    "allowance_grant",
    "nonce_jump",
    "unknown_destination",
    "lookalike_destination",
    "probe_then_drain",
    "sweep",
    "fee_anomaly",
    "inventory_gap",
    "velocity",
    "multi_wallet_drain",
    "dormant_wake",
    "outside_window",
    "shadow_ended",
    "nonce_reuse",
    "issuance_gap",
    "issuer_action",
    "check_breach",
    "window_dressing",
    "liabilities_incomplete",
    "equivocation",
)
#: classes of holdings, as profiles name them
CLASSES = ("cust_cold", "cust_hot", "cust_third", "cust_staked", "guarantee", "own", "reserve")
EVIDENCE = ("proved", "agreed", "claimed", "stated")
AGREEMENT = ("agree", "differ", "one_source")
ENCUMBRANCES = ("none", "pledged", "lent", "frozen", "staked", "time_locked")
LIABILITY_TYPES = ("spot", "margin", "staking", "lending", "in_transit")
CONTROL_METHODS = ("bip_127", "bip_322", "eip_191", "eip_712", "eip_1271", "instructed_move")
CONTROL_KINDS = ("single_key", "multisig", "safe", "proxy", "custodian")
PROVIDER_STATUSES = ("notified", "not_notified", "not_applicable", "unknown")
EXPLANATIONS = ("wrapped", "staked_elsewhere", "pending_settlement", "custodian_statement", "other_chain")
UNITS = ("ratio", "money", "coins", "days", "count")
INSTRUMENTS = (
    "cash",
    "government_bond",
    "trust_deposit",
    "bank_guarantee",
    "insurance",
    "set_aside",
)
RESERVE_TERMS = (
    "volume",
    "exposure_cold",
    "exposure_hot",
    "exposure_third",
    "raw",
    "floor",
    "cap",
    "gross",
    "insurance_credit",
    "net",
    "held",
    "surplus",
    "accrual",
)
NOTICE_FROM = ("detected", "classified")
DELIVERY_STATUSES = ("sent",)
#: whether a channel gets everything, or no address, transaction or exact amount
CHANNELS = ("full", "redacted")
DECISIONS = ("undecided", "acknowledged", "closed", "approved_later")
STATEMENTS = ("tested", "not_tested", "responsibility", "basis")
#: what a report rests on and does not show; each is a whole sentence when it is printed
LIMITATIONS = (
    "consistency",
    "management",
    "holdings_and_testimony",
    "verdict_and_books",
    "journal_and_head",
    "liabilities_complete",
    "addresses_of_the_entity",
    "alerts_and_notices",
    "nobody_prepared",
    "holdings_as_of",
    "no_testimony",
    "accounts_without_testimony",
    "book_not_kept",
    "neither_held_nor_owed",
    "no_coverage_series",
    "round_trips_after_close",
    "opening_derived",
    "customer_file_differs",
)
OFF_CHAIN = ("in_statements_only",)
RECORD_CLASSES = ("customer_ledger", "books_item_4", "daily_record", "yearly_report", "incident_report", "evidence")
FILE_KINDS = (
    "node_answer",
    "header",
    "proof",
    "prices",
    "liabilities",
    "statement",
    "profile",
    "configuration",
    "account_list",
    "computed",
    "journal_extract",
)
ATTACHMENTS = ("custodian_statement", "bank_statement", "segregation_audit", "guarantee_audit", "board_minutes")
FINDINGS = (
    "mixed_owner",
    "guarantee_not_cold",
    "shared_address",
    "house_among_customer",
    "custodian_pooled",
    "short_and_long_term_mixed",
    "register_differs",
    "encumbered",
    "custodian_not_listed",
    "provider_not_notified",
    "concentration",
    "concentration_unknown",
)
CUSTODIAN_KINDS = ("self", "third_party", "system_provider")
REDEMPTION_TYPES = ("cash", "deposit", "treasury_bill", "repo", "money_market_fund")
PRESETS = ("full", "daily", "jp-quarterly")
