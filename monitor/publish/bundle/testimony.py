"""What the captured testimony of the nodes shows about the accounts, worked out again without a node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from chains.core.registry import kinds, open_kind
from chains.core.settings import ChainSettings
from chains.core.testimony import BadTestimony, Rechecked, from_text
from monitor.publish.bundle import places
from monitor.publish.bundle.files import BadEvidence, read_lines
from monitor.signing.folder import name_problem

#: endpoints are captured by name only; a chain's settings want an address, which nobody asks here
_NOWHERE = "http://127.0.0.1:9"


def settings_of(chain: str, body: Any) -> ChainSettings:
    """The settings of one chain as they were captured. Raises BadEvidence."""
    if not isinstance(body, dict) or body.get("kind") not in kinds():
        raise BadEvidence(places.SETTINGS, f"{chain}: has no kind of {', '.join(kinds())}")
    endpoints = body.get("endpoints")
    if not isinstance(endpoints, list) or not all(isinstance(each, dict) for each in endpoints):
        raise BadEvidence(places.SETTINGS, f"{chain}: endpoints is no list of names")
    whole = {**body, "endpoints": [{**each, "url": _NOWHERE} for each in endpoints]}
    try:
        return open_kind(body["kind"]).Settings.model_validate_json(json.dumps(whole))
    except ValidationError as error:
        one = error.errors(include_url=False, include_context=False)[0]
        where = ".".join([chain, *map(str, one["loc"])])
        raise BadEvidence(places.SETTINGS, f"{where}: {one['msg']}") from error


def rechecked(folder: Path, chain: str, body: Any, decimals: Mapping[str, int]) -> Rechecked | None:
    """What the testimony of one chain shows; None where none was captured. Raises BadEvidence."""
    path = f"{places.CHAINS}/{chain}.jsonl"
    if wrong := name_problem(path):
        raise BadEvidence(path, wrong)
    try:
        if not (folder / path).exists() or (folder / path).stat().st_size == 0:
            return None
        settings = settings_of(chain, body)
        return open_kind(settings.kind).recheck(chain, from_text(read_lines(folder, path)), settings, dict(decimals))
    except BadTestimony as error:
        raise BadEvidence(path, str(error)) from error
    except OSError as error:
        raise BadEvidence(path, f"cannot be read: {error.strerror}") from error
