"""Compiles chains/lab/Token.sol into chains/lab/token.json with the solcjs of tools/components.py.

Use: python -m tools.compile_token
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from chains.lab.binaries import find_binary

LAB = Path(__file__).resolve().parent.parent / "chains" / "lab"
COMPILE_SECONDS = 120


def compile_token() -> dict[str, Any]:
    """{"compiler", "abi", "bytecode", "selectors"} of Token.sol; raises ValueError with the compiler's messages."""
    solc = str(find_binary("solcjs"))
    request = {
        "language": "Solidity",
        "sources": {"Token.sol": {"content": (LAB / "Token.sol").read_text()}},
        "settings": {
            "optimizer": {"enabled": True, "runs": 200},
            "evmVersion": "shanghai",
            # Without the metadata hash the bytecode depends on the code alone.
            "metadata": {"bytecodeHash": "none", "appendCBOR": False},
            "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.methodIdentifiers"]}},
        },
    }
    version = _run([solc, "--version"])
    # The wrapper of the npm package prints a line of its own before the answer.
    answer = _run([solc, "--standard-json"], json.dumps(request))
    output = json.loads(answer[answer.index("{") :])
    if output.get("errors"):
        raise ValueError("\n".join(error["formattedMessage"] for error in output["errors"]))
    contract = output["contracts"]["Token.sol"]["Token"]
    return {
        "compiler": version.strip(),
        "abi": contract["abi"],
        "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
        "selectors": {name: "0x" + code for name, code in contract["evm"]["methodIdentifiers"].items()},
    }


def _run(command: list[str], text: str = "") -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=True)
    return done.stdout


def main() -> None:
    """Writes token.json."""
    (LAB / "token.json").write_text(json.dumps(compile_token(), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
