"""The configuration: a YAML file into a Config, or every mistake in it at once."""

from __future__ import annotations

from monitor.config.loader import load
from monitor.config.mistakes import ConfigError, Mistake
from monitor.config.resolved import Config
from monitor.config.secret import SecretError, read_secret

__all__ = ["Config", "ConfigError", "Mistake", "SecretError", "load", "read_secret"]
