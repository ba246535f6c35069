"""The manifest of a bundle: what files it has, and the report key's signature over that.

``manifest.json`` is canonical JSON: {"version": 1, "made_by", "files": {path: {"sha256", "bytes"}},
"previous": the hash of the report before this one or null, "parent": the hash of the report that
this one is a view of or null, "meta": {…}}. A report's hash is SHA-256 over its manifest.json.
``manifest.sig`` is canonical JSON: {"version": 1, "algorithm": "ed25519", "key", "signature"}, both
in lower-case hex; the signature is the report key's for the purpose ``manifest`` over the bytes of
manifest.json (monitor.signing.keys). The manifest lists every file of the bundle but these two and
those that are made after it (OWN).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from monitor.canonical import canonical, parse_exactly
from monitor.signing.folder import MOST_FILES, Found, Names, Problem, name_problem, read_small, walk
from monitor.signing.keys import ReportKey, fingerprint, public_key, signed_by

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
STAMP, STAMP_SUM = "manifest.sig.tsr", "manifest.sig.tsr.sha256"
#: files that a manifest cannot list
OWN = frozenset((MANIFEST, SIGNATURE, STAMP, STAMP_SUM))
_VERSION = 1
_LARGEST_MANIFEST = 64 * 2**20
_LARGEST_SIGNATURE = 4096
_HASH = re.compile(r"[0-9a-f]{64}")
_SIGNATURE_HEX = re.compile(r"[0-9a-f]{128}")


class ManifestError(Exception):
    """A bundle cannot be signed as it stands; the message names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What a manifest says of a file."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest whose form is right. ``hash``: of the whole report."""

    hash: str
    made_by: str
    files: Mapping[str, Listed]
    previous: str | None
    parent: str | None
    meta: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Signer:
    """Who says to have signed, as manifest.sig has it."""

    public: bytes
    signature: bytes

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public)


def write_manifest(
    folder: Path,
    meta: Mapping[str, Any],
    key: ReportKey,
    *,
    previous: str | None = None,
    parent: str | None = None,
) -> Manifest:
    """Sign all that is in ``folder`` now. The same content gives the same bytes.

    ``meta`` is JSON without floats; ``previous`` and ``parent`` are hashes. Raises ManifestError where
    the folder holds what no bundle may hold, or a manifest already: a report is signed once.
    """
    files: dict[str, Any] = {}
    names = Names()
    try:
        for item in walk(folder):
            if isinstance(item, Problem):
                raise ManifestError(f"{item}: take it out")
            wrong = "is there already: a bundle is signed once" if item.path in OWN else names.problem(item.path)
            if wrong:
                raise ManifestError(str(Problem(item.path, wrong)))
            files[item.path] = {"sha256": item.sha256(), "bytes": item.bytes}
    except OSError as error:
        raise ManifestError(f"{folder} cannot be read: {error.strerror}") from error
    body = {
        "version": _VERSION,
        "made_by": f"porwatch {version('porwatch')}",
        "files": files,
        "previous": previous,
        "parent": parent,
        "meta": dict(meta),
    }
    raw = canonical(body).encode()
    manifest = _manifest(raw)
    (folder / MANIFEST).write_bytes(raw)
    signature = {
        "version": _VERSION,
        "algorithm": "ed25519",
        "key": key.public.hex(),
        "signature": key.sign("manifest", raw).hex(),
    }
    (folder / SIGNATURE).write_bytes(canonical(signature).encode())
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle, whoever signed it. Raises ValueError or OSError."""
    return _manifest(read_small(folder, MANIFEST, _LARGEST_MANIFEST))


def read_signer(folder: Path) -> Signer:
    """Whose signature a bundle has, right or wrong. Raises ValueError or OSError."""
    body = _object(read_small(folder, SIGNATURE, _LARGEST_SIGNATURE), {"version", "algorithm", "key", "signature"})
    if body["version"] != _VERSION or body["algorithm"] != "ed25519":
        raise ValueError(f"has another version than {_VERSION}, or another algorithm than ed25519")
    if not _matches(_HASH, body["key"]) or not _matches(_SIGNATURE_HEX, body["signature"]):
        raise ValueError("holds no ed25519 key and signature in lower-case hex")
    return Signer(bytes.fromhex(body["key"]), bytes.fromhex(body["signature"]))


def check_manifest(folder: Path, key_pem: bytes | None, beside: Collection[str] = ()) -> list[Problem]:
    """Every file of a bundle that is not as it was signed, by name; none: all of it is.

    ``key_pem``: the public key that must have signed; None: whoever signed, which proves only that
    nothing changed since then. ``beside``: files that came later and that the caller checks itself;
    the time stamp is one of them in any case. Raises ValueError where ``key_pem`` is no key, OSError
    where the folder cannot be read.
    """
    expected = None if key_pem is None else public_key(key_pem)
    problems = _signature_problems(folder, expected)
    try:
        manifest = read_manifest(folder)
    except (ValueError, OSError) as error:
        return [Problem(MANIFEST, _said(error)), *problems]
    problems += _file_problems(folder, manifest.files, OWN | set(beside))
    return sorted(problems, key=lambda item: (item.file, item.what))


def _signature_problems(folder: Path, expected: bytes | None) -> list[Problem]:
    try:
        signer = read_signer(folder)
    except (ValueError, OSError) as error:
        return [Problem(SIGNATURE, _said(error))]
    if expected is not None and signer.public != expected:
        found, wanted = signer.fingerprint, fingerprint(expected)
        return [Problem(SIGNATURE, f"is by another signer: {found}, not {wanted}")]
    try:
        raw = read_small(folder, MANIFEST, _LARGEST_MANIFEST)
    except OSError:
        return []  # said of the manifest itself
    if not signed_by(signer.public, "manifest", raw, signer.signature):
        return [Problem(SIGNATURE, f"is not the signature over this {MANIFEST}: one of the two was changed")]
    return []


def _file_problems(folder: Path, files: Mapping[str, Listed], own: Collection[str]) -> list[Problem]:
    problems, missing = [], set(files)
    for item in walk(folder):
        missing.discard(item.file if isinstance(item, Problem) else item.path)
        if isinstance(item, Problem):
            problems.append(item)
        elif item.path not in own:
            wrong = _difference(item, files.get(item.path))
            problems += [Problem(item.path, wrong)] if wrong else []
    return problems + [Problem(path, "is missing") for path in missing]


def _difference(found: Found, listed: Listed | None) -> str:
    if listed is None:
        return "is one too many: the manifest does not list it"
    if found.bytes != listed.bytes:
        return f"differs: {found.bytes} bytes, signed were {listed.bytes}"
    try:
        return "" if found.sha256() == listed.sha256 else "differs: its sha256 is another"
    except OSError as error:
        return _said(error)


def _manifest(raw: bytes) -> Manifest:
    body = _object(raw, {"version", "made_by", "files", "previous", "parent", "meta"})
    if body["version"] != _VERSION:
        raise ValueError(f"has another version than {_VERSION}: use the porwatch that made it, or a newer one")
    for name in ("previous", "parent"):
        if body[name] is not None and not _matches(_HASH, body[name]):
            raise ValueError(f"{name} is no hash in lower-case hex")
    if not isinstance(body["made_by"], str) or not isinstance(body["meta"], dict):
        raise ValueError("made_by is no text, or meta no object")  # noqa: TRY004  the file is wrong, not the call
    return Manifest(
        hash=sha256(raw).hexdigest(),
        made_by=body["made_by"],
        files=_files(body["files"]),
        previous=body["previous"],
        parent=body["parent"],
        meta=body["meta"],
    )


def _files(value: Any) -> dict[str, Listed]:
    if not isinstance(value, dict) or len(value) > MOST_FILES:
        raise ValueError(f"files is no object of at most {MOST_FILES} files")
    names, files = Names(), {}
    for path, item in value.items():
        wrong = name_problem(path) or names.problem(path)
        if wrong or path in OWN:
            raise ValueError(f"lists {path!r}, which {wrong or 'no manifest can list'}")
        if not isinstance(item, dict) or set(item) != {"sha256", "bytes"} or not _matches(_HASH, item["sha256"]):
            raise ValueError(f"says of {path!r} something else than sha256 and bytes")
        if type(item["bytes"]) is not int or item["bytes"] < 0:
            raise ValueError(f"says of {path!r} a size that is none")
        files[path] = Listed(item["sha256"], item["bytes"])
    return files


def _object(raw: bytes, keys: set[str]) -> dict[str, Any]:
    body = parse_exactly(raw)
    if not isinstance(body, dict) or set(body) != keys:
        raise ValueError(f"is no object with the keys {', '.join(sorted(keys))}")
    return body


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _said(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "is missing"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror}"
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8"
    return str(error) if not isinstance(error, JSONDecodeError) else "is no JSON"
