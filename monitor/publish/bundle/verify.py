"""A bundle judged by a stranger, offline: everything is worked out again and compared, no figure of it is believed.

Each check stands alone, so that one that fails hides no other. What hostile evidence breaks is named, never a crash.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from errno import ENOTDIR
from pathlib import Path
from typing import TypeVar

from chains.core.testimony import Rechecked
from monitor.canonical import canonical, parse_exactly
from monitor.publish.bundle import checks, forms, places, records
from monitor.publish.bundle.approve import approval_problems
from monitor.publish.bundle.build import build
from monitor.publish.bundle.difference import first_difference
from monitor.publish.bundle.evidence import Evidence, read_accounts, read_evidence, read_inputs
from monitor.publish.bundle.files import BadEvidence, listed, read_bytes, read_object
from monitor.publish.bundle.supplied import read_supplied, supplied_problems
from monitor.publish.bundle.testimony import rechecked
from monitor.signing.folder import Problem, walk
from monitor.signing.manifest import Manifest, Signer, check_manifest, read_manifest, read_signer
from monitor.signing.stamps import Stamp, check_stamp

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Judgement:
    """``problems``: what differs, by file. ``undetermined``: what could not be compared here, and the remedy.

    ``evidence`` None where it could not be read.
    """

    problems: tuple[Problem, ...]
    undetermined: tuple[str, ...]
    signer: Signer | None
    stamp: Stamp | None
    evidence: Evidence | None


def verify(folder: Path, key_pem: bytes | None) -> Judgement:
    """Judge the bundle in ``folder``. Raises ValueError where ``key_pem`` is no key, OSError where no folder is."""
    if not folder.is_dir():
        raise NotADirectoryError(ENOTDIR, "is no folder")
    problems = check_manifest(folder, key_pem)
    stamp, wrong = check_stamp(folder, None)
    problems += wrong
    manifest = _or_none(lambda: read_manifest(folder))
    signer = _or_none(lambda: read_signer(folder))
    if any(isinstance(item, Problem) for item in walk(folder)):
        # A link, a device or a strange name: it was named above, and nothing behind it is opened.
        return Judgement(_sorted(problems), (), signer, stamp, None)
    found, evidence = _content(folder, signer)
    problems += found
    unknown: list[str] = []
    if evidence is not None:
        rendered, unknown = _rendered(folder, evidence, manifest)
        problems += rendered
        problems += approval_problems(folder, evidence, signer)
    return Judgement(_sorted(problems), tuple(unknown), signer, stamp, evidence)


def _sorted(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(set(problems), key=lambda item: (item.file, item.what)))


def _or_none(read: Callable[[], _T]) -> _T | None:
    try:
        return read()
    except (ValueError, OSError):
        return None


def _content(folder: Path, signer: Signer | None) -> tuple[list[Problem], Evidence | None]:
    """What is wrong inside the evidence; the evidence as a whole where every file of it could be read."""
    problems: list[Problem] = []
    inputs = _take(problems, places.INPUTS, lambda: read_inputs(folder))
    captured = _take(problems, places.VERDICT, lambda: read_object(folder, places.VERDICT))
    settings = _take(problems, places.SETTINGS, lambda: read_object(folder, places.SETTINGS)) or {}
    accounts = {}
    for path in listed(folder, places.ACCOUNTS):
        name = f"{places.ACCOUNTS}/{path.name}"
        found = _take(problems, name, lambda path=path: read_accounts(folder, path.name))  # type: ignore[misc]
        if found is not None:
            accounts[path.stem] = found
    shown: dict[str, Rechecked | None] | None = None
    if inputs is not None:
        shown = {
            chain: _take(
                problems,
                f"{places.CHAINS}/{chain}.jsonl",
                lambda chain=chain: rechecked(folder, chain, settings.get(chain), inputs.facts.assets),  # type: ignore[misc]
            )
            for chain in sorted({reading.chain for reading in inputs.readings})
        }
        _gather(problems, places.INPUTS, lambda: checks.inputs_problems(folder, inputs))
        _gather(problems, places.INPUTS, lambda: checks.book_problems(folder, inputs))
        _gather(problems, places.ACCOUNTS, lambda: checks.account_problems(inputs, accounts))
        _gather(problems, places.CHAINS, lambda: checks.testimony_problems(inputs, accounts, shown))
        if captured is not None:
            _gather(problems, places.VERDICT, lambda: checks.verdict_problems(inputs, captured))
    supplied = _take(problems, places.DOCUMENTS, lambda: read_supplied(folder))
    if supplied is not None:
        _gather(problems, places.DOCUMENTS, lambda: supplied_problems(folder, supplied))
    evidence = _take(problems, places.EVIDENCE, lambda: read_evidence(folder, None if problems else shown))
    if evidence is not None:
        public = None if signer is None else signer.public
        _gather(
            problems,
            places.JOURNAL,
            lambda: records.problems(evidence.tree, evidence.period, evidence.earlier, public),
        )
        _gather(problems, places.PERIOD, lambda: checks.journal_problems(evidence))
    return problems, evidence


def _take(problems: list[Problem], file: str, read: Callable[[], _T]) -> _T | None:
    """What ``read`` gives, or None with the problem named."""
    try:
        return read()
    except BadEvidence as error:
        problems.append(Problem(error.file, error.what))
    except Exception as error:  # noqa: BLE001  hostile evidence: whatever it breaks, the file is named
        problems.append(Problem(file, f"cannot be used ({type(error).__name__}: {str(error)[:200]})"))
    return None


def _gather(problems: list[Problem], file: str, find: Callable[[], Iterator[Problem]]) -> None:
    """Add what ``find`` finds, up to where hostile evidence breaks it."""
    found: list[Problem] = []
    _take(problems, file, lambda: found.extend(find()))
    problems += found


def _rendered(folder: Path, evidence: Evidence, manifest: Manifest | None) -> tuple[list[Problem], list[str]]:
    """The report made anew, and its forms printed anew, against those in the bundle."""
    problems: list[Problem] = []
    report = _take(problems, places.REPORT, lambda: build(evidence))
    if report is None:
        return problems, []
    if _take(problems, places.REPORT, lambda: read_bytes(folder, places.REPORT)) != canonical(report).encode():
        problems += _report_difference(folder, report)
    with tempfile.TemporaryDirectory(prefix="porwatch-verify-") as place:
        found = _take(problems, places.REPORT, lambda: forms.compare(folder, Path(place), report, evidence, manifest))
    if found is None:
        return problems, []
    return problems + found[0], found[1]


def _report_difference(folder: Path, report: object) -> list[Problem]:
    try:
        written = parse_exactly(read_bytes(folder, places.REPORT))
    except BadEvidence as error:
        return [Problem(error.file, error.what)]
    except ValueError as error:
        return [Problem(places.REPORT, f"differs from what follows from the evidence: {error}")]
    different = first_difference(written, report)
    return [Problem(places.REPORT, f"differs from what follows from the evidence: {different}")]
