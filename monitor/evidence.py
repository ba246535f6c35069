"""Files of evidence about lying endpoints: what was asked, what was answered, and what refutes it."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from chains.core.values import Fault

#: files kept; an endpoint that lies without end must not fill the disk
_MOST = 1_000


class EvidenceFolder:
    """The folder ``evidence`` of the state folder."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "evidence"

    def write(self, fault: Fault) -> str:
        """The name of the file that holds this fault; the same fault is the same file. "" where there are too many."""
        body = {
            "chain": fault.chain,
            "endpoint": fault.endpoint,
            "kind": fault.kind,
            "detail": fault.detail,
            "evidence": dict(fault.evidence),
        }
        text = json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        name = f"{fault.chain}-{fault.endpoint}-{fault.kind}-{sha256(text.encode()).hexdigest()[:12]}.json"
        self._folder.mkdir(exist_ok=True)
        path = self._folder / name
        if not path.exists():
            if sum(1 for _ in self._folder.iterdir()) >= _MOST:
                return ""
            path.write_text(text, encoding="utf-8")
        return f"evidence/{name}"
