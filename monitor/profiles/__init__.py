"""Rule profiles and calendars: YAML into the values of monitor.rules, or every mistake at once."""

from __future__ import annotations

from monitor.profiles.configured import check_profiles, read_profiles
from monitor.profiles.loader import read_profile

__all__ = ["check_profiles", "read_profile", "read_profiles"]
