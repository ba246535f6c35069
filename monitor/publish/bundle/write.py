"""From evidence to a signed bundle: the report, its forms, manifest and signatures; a whole folder or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from monitor.config.resolved import Config
from monitor.publish.bundle.build import build
from monitor.publish.bundle.evidence import read_evidence
from monitor.publish.bundle.forms import printers
from monitor.publish.report.forms import render
from monitor.signing.keys import ReportKey, load_or_make
from monitor.signing.manifest import Manifest, write_manifest
from monitor.signing.pdf import Certificate, load_certificate, sign_pdf
from monitor.signing.stamps import Authority, load_authority, stamp_signature


@dataclass(frozen=True, slots=True)
class Signers:
    """What signs: the report key; a certificate for the PDF and an authority for time, where they are configured."""

    key: ReportKey
    certificate: Certificate | None
    authority: Authority | None


def signers_of(config: Config, now: datetime) -> Signers:
    """What a configuration signs with. Raises SecretError."""
    signing = config.signing
    certificate, authority, path = None, None, config.path
    if signing.certificate_file is not None and signing.certificate_key_file is not None:
        certificate = load_certificate(path(signing.certificate_file), path(signing.certificate_key_file), now)
    if signing.tsa_url is not None and signing.tsa_ca_file is not None:
        authority = load_authority(signing.tsa_url, path(signing.tsa_ca_file))
    return Signers(load_or_make(config.report_key_path), certificate, authority)


def finish(folder: Path, signers: Signers) -> Manifest:
    """Make, print and sign the report over the evidence that lies in ``folder``.

    Raises BadEvidence, ReportInvalid, FormsMissing, ManifestError, PdfError, StampError, OSError.
    """
    evidence = read_evidence(folder)
    report = build(evidence)
    written = render(report, evidence.answers.languages, folder)
    if signers.certificate is not None:
        for path in written:
            if path.suffix == ".pdf":
                path.write_bytes(sign_pdf(path.read_bytes(), signers.certificate, signers.authority))
    meta = {"printers": printers(), "report_id": report["header"]["report_id"], "view": evidence.answers.view}
    parent = report["header"]["parent"]
    manifest = write_manifest(folder, meta, signers.key, previous=evidence.answers.previous, parent=parent)
    if signers.authority is not None:
        stamp_signature(folder, signers.authority)
    return manifest


def whole(target: Path, make: Callable[[Path], Manifest], *, replace: bool = False) -> Manifest:
    """Run ``make`` on an empty folder beside ``target``, and give it that name once it is whole.

    ``replace``: ``target`` is there and gives way at the very end; else it must not be there (FileExistsError).
    """
    if not replace and target.exists():
        raise FileExistsError(f"{target} is there already: name another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        manifest = make(work)
        work.chmod(0o755)
        if replace:
            former = work.with_name(f"{work.name}.former")
            target.rename(former)
            work.rename(target)
            shutil.rmtree(former)
        else:
            work.rename(target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    _sync(target.parent)
    return manifest


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
