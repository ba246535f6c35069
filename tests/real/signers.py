"""Safes on a local node, of every release, from the published code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_abi.abi import encode

from chains.ethereum.address import keccak, spell
from chains.lab.anvil import WEI_PER_ETH, Anvil

_SETUP = ["address[]", "uint256", "address", "bytes", "address", "address", "uint256", "address"]
_SETUP_SELECTOR = keccak(f"setup({','.join(_SETUP)})".encode())[:4]
_NOBODY = "0x" + "0" * 40
#: package name in the shared data by release: the master copy, the proxy and the fallback handler
_FILES = {
    "1.1.1": ("_gnosis.pm_safe_contracts_1.1.1__GnosisSafe", "_gnosis.pm_safe_contracts_1.1.1__Proxy"),
    "1.3.0": ("_gnosis.pm_safe_contracts_1.3.0__GnosisSafe", "_gnosis.pm_safe_contracts_1.3.0__GnosisSafeProxy"),
    "1.3.0 L2": ("_gnosis.pm_safe_contracts_1.3.0__GnosisSafeL2", "_gnosis.pm_safe_contracts_1.3.0__GnosisSafeProxy"),
    "1.4.1": ("_safe_global_safe_contracts_1.4.1__Safe", "_safe_global_safe_contracts_1.4.1__SafeProxy"),
    "1.4.1 L2": ("_safe_global_safe_contracts_1.4.1__SafeL2", "_safe_global_safe_contracts_1.4.1__SafeProxy"),
}
RELEASES = tuple(_FILES)
_HANDLER = {
    "1.3.0": "_gnosis.pm_safe_contracts_1.3.0__CompatibilityFallbackHandler",
    "1.4.1": "_safe_global_safe_contracts_1.4.1__CompatibilityFallbackHandler",
}


def deploy(node: Anvil, data: str) -> str:
    """The address of a contract made by this creation code."""
    txid = node.rpc("eth_sendTransaction", {"from": node.accounts[0], "data": data})
    receipt = node.receipt(txid)
    assert receipt["status"] == "0x1"
    return spell(receipt["contractAddress"])


@dataclass
class Safes:
    """Makes Safes of every release on one node from the published code."""

    node: Anvil
    folder: Path
    made: dict[str, str] = field(default_factory=dict)

    def _published(self, name: str) -> str:
        if name not in self.made:
            content: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text())
            self.made[name] = deploy(self.node, content["bytecode"])
        return self.made[name]

    def singleton(self, release: str) -> str:
        return self._published(_FILES[release][0])

    def proxy(self, release: str, singleton: str | None = None) -> str:
        """A proxy that was never set up."""
        content = json.loads((self.folder / f"{_FILES[release][1]}.json").read_text())
        pointed = encode(["address"], [singleton or self.singleton(release)])
        return deploy(self.node, content["bytecode"] + pointed.hex())

    def safe(self, release: str, owners: Sequence[str], threshold: int, ether: int = 0) -> str:
        """The address of a Safe of these owners."""
        address = self.proxy(release)
        handler = self._published(_HANDLER[release]) if release in _HANDLER else _NOBODY
        values = [list(owners), threshold, _NOBODY, b"", handler, _NOBODY, 0, _NOBODY]
        call = "0x" + (_SETUP_SELECTOR + encode(_SETUP, values)).hex()
        receipt = self.node.receipt(self.node.send(self.node.accounts[0], address, data=call))
        assert receipt["status"] == "0x1"
        if ether:
            self.node.receipt(self.node.send(self.node.accounts[0], address, ether * WEI_PER_ETH))
        return address
