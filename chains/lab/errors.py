"""What can go wrong with local nodes.

LabError            a local program cannot be found, started or asked
└── RpcError        a local node refused a call; `code` is its JSON-RPC error code
"""

from __future__ import annotations


class LabError(Exception):
    """A local program cannot be found, started or asked; the text names the remedy."""


class RpcError(LabError):
    """A local node refused a call."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: {message} (code {code})")
        self.code = code
