"""From judgements to cases: what a person must resolve. Pure: values in, values out."""

from monitor.detect.breaches import breach_cases, breached_since, ids_of
from monitor.detect.ceremonies import Announcement, Ceremony, Phase, Signed
from monitor.detect.changes import acted, another_fault, approved, due, notified, reorged_out, unconfirmed
from monitor.detect.dressing import window_dressing
from monitor.detect.findings import (
    altered_approval,
    bad_signature,
    blind,
    coin_cases,
    contract_changed,
    deep_reorg,
    endpoint_lies,
    gap_cases,
    range_nearly_used,
    residual_cases,
    shadow_ended,
    with_transactions,
)
from monitor.detect.halting import HALT_EVENTS, Halting, asks, contained, decided, halt_of
from monitor.detect.incidents import Incident, Span, Standing, in_order, join, opens, recorded, remains, told
from monitor.detect.outflows import Grace, Scene, cases_of_block, subject_ids, value_of
from monitor.detect.words import source_of

__all__ = [
    "HALT_EVENTS",
    "Announcement",
    "Ceremony",
    "Grace",
    "Halting",
    "Incident",
    "Phase",
    "Scene",
    "Signed",
    "Span",
    "Standing",
    "acted",
    "altered_approval",
    "another_fault",
    "approved",
    "asks",
    "bad_signature",
    "blind",
    "breach_cases",
    "breached_since",
    "cases_of_block",
    "coin_cases",
    "contained",
    "contract_changed",
    "decided",
    "deep_reorg",
    "due",
    "endpoint_lies",
    "gap_cases",
    "halt_of",
    "ids_of",
    "in_order",
    "join",
    "notified",
    "opens",
    "range_nearly_used",
    "recorded",
    "remains",
    "reorged_out",
    "residual_cases",
    "shadow_ended",
    "source_of",
    "subject_ids",
    "told",
    "unconfirmed",
    "value_of",
    "window_dressing",
    "with_transactions",
]
