"""A period as a whole, against window dressing: coverage over time, round trips, roll-forward. Pure."""

from __future__ import annotations

from monitor.series.coverage import Coverage, Span, coverage, down, up
from monitor.series.roll import Roll, Unequal, roll_forward, unequal
from monitor.series.shadow import Payments
from monitor.series.shadow import summary as shadow_summary
from monitor.series.steps import declared, held, moments
from monitor.series.trips import WINDOW, round_trips
from monitor.series.values import OPENED, RESIDUAL, Change, Past, Payment, Regrouped, Step

__all__ = [
    "OPENED",
    "RESIDUAL",
    "WINDOW",
    "Change",
    "Coverage",
    "Past",
    "Payment",
    "Payments",
    "Regrouped",
    "Roll",
    "Span",
    "Step",
    "Unequal",
    "coverage",
    "declared",
    "down",
    "held",
    "moments",
    "roll_forward",
    "round_trips",
    "shadow_summary",
    "unequal",
    "up",
]
