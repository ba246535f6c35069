"""Rules of jurisdictions as values: their grammar, units, calendars and evaluation. Pure."""

from __future__ import annotations

from monitor.rules.calendar import Calendar, Cure, OutOfRange, add_business_days, due
from monitor.rules.codec import digest, from_json, to_json
from monitor.rules.evaluate import Judged, as_check, evaluate
from monitor.rules.grammar import Comparison, GrammarError, parse, show
from monitor.rules.marks import Confirmation, Parameter, Verified
from monitor.rules.operands import Figures, Missing, Operands
from monitor.rules.predicates import Predicate, Records, parse_predicate
from monitor.rules.profile import Profile, ReserveRules, Rule, in_force
from monitor.rules.units import Per, Unit

__all__ = [
    "Calendar",
    "Comparison",
    "Confirmation",
    "Cure",
    "Figures",
    "GrammarError",
    "Judged",
    "Missing",
    "Operands",
    "OutOfRange",
    "Parameter",
    "Per",
    "Predicate",
    "Profile",
    "Records",
    "ReserveRules",
    "Rule",
    "Unit",
    "Verified",
    "add_business_days",
    "as_check",
    "digest",
    "due",
    "evaluate",
    "from_json",
    "in_force",
    "parse",
    "parse_predicate",
    "show",
    "to_json",
]
