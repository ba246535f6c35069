"""The kinds of chain by name: the one place that opens a concrete chain package, and only when asked."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from chains.core.chain import ChainKind

#: kind in the configuration -> package that exports what ChainKind names
PACKAGES = {"bitcoin": "chains.bitcoin", "evm": "chains.ethereum"}


def kinds() -> tuple[str, ...]:
    """The kinds a configuration may name."""
    return tuple(PACKAGES)


def open_kind(kind: str) -> ChainKind:
    """The package of one kind. Raises KeyError for an unknown kind; an ImportError inside it is not hidden."""
    return cast("ChainKind", import_module(PACKAGES[kind]))
