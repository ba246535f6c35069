"""The contracts of tests/contracts, compiled once a session, and calls to them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_abi.abi import encode

SOURCES = Path(__file__).resolve().parents[2] / "contracts"
#: selfdestruct is deprecated, and the contracts here are what a monitor must withstand, not what anyone should deploy
NOT_ERRORS = frozenset({"warning", "info"})
COMPILE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Compiled:
    """Creation code of one contract, and the selectors of its functions by signature."""

    code: str
    selectors: Mapping[str, str]
    inputs: tuple[str, ...]

    def creation(self, *arguments: Any) -> str:
        """The data of the transaction that creates it."""
        return self.code + encode(self.inputs, arguments).hex()

    def call(self, signature: str, *arguments: Any) -> str:
        """Call data of one function, named by its signature such as "pay(address[],uint256[])"."""
        types = [name for name in signature[signature.index("(") + 1 : -1].split(",") if name]
        return "0x" + self.selectors[signature] + encode(types, arguments).hex()


def compile_all(solc: Path, folder: Path) -> dict[str, Compiled]:
    """Every contract by its name. Raises ValueError with the compiler's messages; ``folder`` keeps its answer."""
    request = {
        "language": "Solidity",
        "sources": {path.name: {"content": path.read_text()} for path in sorted(SOURCES.glob("*.sol"))},
        "settings": {
            "optimizer": {"enabled": True, "runs": 200},
            "evmVersion": "prague",
            "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.methodIdentifiers"]}},
        },
    }
    # Into a file: what does not fit into a pipe at once is lost when the compiler ends.
    with (folder / "solc.txt").open("w") as stdout:
        subprocess.run(
            [str(solc), "--standard-json"],
            input=json.dumps(request), stdout=stdout, text=True, timeout=COMPILE_SECONDS, check=True, cwd=folder,
        )  # fmt: skip
    answer = (folder / "solc.txt").read_text()
    # The wrapper of the npm package prints a line of its own before the answer.
    output = json.loads(answer[answer.index("{") :])
    (folder / "contracts.json").write_text(json.dumps(output))
    wrong = [e["formattedMessage"] for e in output.get("errors", ()) if e["severity"] not in NOT_ERRORS]
    if wrong:
        raise ValueError("\n".join(wrong))
    return {
        name: _compiled(contract)
        for contracts in output["contracts"].values()
        for name, contract in contracts.items()
        if contract["evm"]["bytecode"]["object"]
    }


def _compiled(contract: Mapping[str, Any]) -> Compiled:
    constructors = [entry for entry in contract["abi"] if entry["type"] == "constructor"]
    inputs = tuple(item["type"] for entry in constructors for item in entry["inputs"])
    evm = contract["evm"]
    return Compiled("0x" + evm["bytecode"]["object"], evm["methodIdentifiers"], inputs)
