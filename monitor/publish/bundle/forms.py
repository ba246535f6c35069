"""The printed forms of a bundle: made, signed where a certificate is configured, and compared with those made anew."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from monitor.canonical import Json
from monitor.publish.bundle import places
from monitor.publish.bundle.difference import first_byte
from monitor.publish.bundle.evidence import Evidence
from monitor.publish.report.forms import FormsMissing, render
from monitor.signing.folder import Problem
from monitor.signing.manifest import Manifest
from monitor.signing.pdf import PdfError, check_pdf

#: what prints: another version of one of them may print other bytes
_PRINTERS = ("typst", "xlsxwriter", "noto-cjk-sans-jp-regular")
_CHUNK = 2**20


def printers() -> dict[str, str]:
    """The versions of what prints, as the manifest's meta keeps them; one that is not installed is ""."""
    found = {}
    for name in ("porwatch", *_PRINTERS):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def compare(
    folder: Path, place: Path, report: Json, evidence: Evidence, manifest: Manifest | None
) -> tuple[list[Problem], list[str]]:
    """Files that differ from those printed anew into ``place``, and what could not be compared here.

    A form that was printed by other versions than are installed here, and has other bytes, is not judged: that is
    neither fine nor a finding. ``report.json`` is compared by its fields elsewhere.
    """
    made_with = {} if manifest is None else manifest.meta.get("printers", {})
    try:
        printed = render(report, evidence.answers.languages, place)
    except FormsMissing as error:
        return [], [f"the printed forms were not compared: {error}"]
    problems, different = [], []
    wanted = {path.relative_to(place).as_posix(): path for path in printed}
    for name, path in sorted(wanted.items()):
        if name == places.REPORT:
            continue
        wrong = _difference(folder / name, path)
        if wrong:
            different.append(Problem(name, wrong))
    languages = {"ja", "en"}
    there = {p.relative_to(folder).as_posix() for lang in languages for p in (folder / lang).rglob("*") if p.is_file()}
    problems += [Problem(name, "is no form of this report") for name in sorted(there - wanted.keys())]
    gone = [item for item in different if item.what == "is missing"]
    changed = [item for item in different if item.what != "is missing"]
    other = other_versions(made_with)
    if changed and other:
        return [*problems, *gone], [f"{len(changed)} printed forms were not compared: {other}"]
    return [*problems, *gone, *changed], []


def other_versions(made_with: Any) -> str:
    """Which printers were of another version when the bundle was made, with the remedy; "" for none."""
    here = printers()
    if not isinstance(made_with, dict) or made_with.keys() != here.keys():
        return ""
    wrong = [name for name in here if made_with[name] != here[name]]
    if not wrong:
        return ""
    said = ", ".join(f"{name} {str(made_with[name])[:40]!r} (here {here[name]!r})" for name in wrong)
    return f"printed by {said}: install those versions and verify again"


def _difference(found: Path, wanted: Path) -> str:
    """What is wrong with one file, or "". A signed PDF is the printed one with signatures behind it."""
    if not found.is_file():
        return "is missing"
    if _same(found, wanted):
        return ""
    one, other = found.read_bytes(), wanted.read_bytes()
    if found.suffix == ".pdf" and one.startswith(other) and len(one) > len(other):
        return _signature(one)
    return f"differs from the one printed anew: {first_byte(one, other)}"


def _signature(pdf: bytes) -> str:
    try:
        check_pdf(pdf, datetime.now(UTC))
    except PdfError as error:
        return str(error)
    return ""


def _same(one: Path, other: Path) -> bool:
    with one.open("rb") as first, other.open("rb") as second:
        while True:
            a, b = first.read(_CHUNK), second.read(_CHUNK)
            if a != b:
                return False
            if not a:
                return True
