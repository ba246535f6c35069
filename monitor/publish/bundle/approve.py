"""The second person's approval: the same evidence, a new header and signature; the draft is known by its manifest."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from monitor.canonical import canonical
from monitor.model import rfc3339
from monitor.people import same_person
from monitor.publish.bundle import places
from monitor.publish.bundle.answers import Approval
from monitor.publish.bundle.evidence import Evidence, read_answers
from monitor.publish.bundle.write import Signers, finish, whole
from monitor.signing.folder import Problem
from monitor.signing.keys import signed_by
from monitor.signing.manifest import MANIFEST, SIGNATURE, Manifest, Signer, check_manifest, read_manifest, read_signer


class NotApproved(Exception):
    """The bundle cannot be approved as it stands, or not by this person; the message says why."""


def approve(folder: Path, name: str, at: datetime, signers: Signers) -> Manifest:
    """Approve the draft in ``folder``. Raises NotApproved, BadEvidence, OSError, and what ``finish`` raises.

    The draft's own manifest and signature are kept in evidence/draft, so that whoever reads the approved report can
    see that nothing but the approval was added.
    """
    problems = check_manifest(folder, None)
    if problems:
        raise NotApproved(f"{problems[0]}: a changed bundle is not approved; see porwatch verify {folder}")
    if read_signer(folder).public != signers.key.public:
        raise NotApproved(f"{SIGNATURE}: is by another signer than this report key: approve where it was made")
    answers = read_answers(folder)
    if answers.approval is not None:
        raise NotApproved(f"{answers.approval.by} approved it at {answers.approval.at} already")
    if not name.strip():
        raise NotApproved("--as: write the name of the person who approves")
    if same_person(name, answers.prepared_by):
        raise NotApproved(f"{name} prepared this report: another person must approve it")
    draft = sha256((folder / MANIFEST).read_bytes()).hexdigest()
    approved = replace(answers, approval=Approval(name.strip(), rfc3339(at), draft))

    def make(work: Path) -> Manifest:
        shutil.copytree(folder / places.EVIDENCE, work / places.EVIDENCE)
        (work / places.DRAFT).mkdir()
        for each in (MANIFEST, SIGNATURE):
            shutil.copyfile(folder / each, work / places.DRAFT / each)
        (work / places.ANSWERS).write_text(canonical(approved.to_json()), encoding="utf-8")
        return finish(work, signers)

    return whole(folder, make, replace=True)


def approval_problems(folder: Path, evidence: Evidence, signer: Signer | None) -> list[Problem]:
    """Whether an approved bundle has the evidence of the draft that was approved."""
    approval, draft = evidence.answers.approval, folder / places.DRAFT
    manifest_path, signature_path = f"{places.DRAFT}/{MANIFEST}", f"{places.DRAFT}/{SIGNATURE}"
    if approval is None:
        return [Problem(manifest_path, "is one too many: nobody approved")] if draft.exists() else []
    try:
        raw = (draft / MANIFEST).read_bytes()
        former, by = read_manifest(draft), read_signer(draft)
    except (OSError, ValueError) as error:
        return [Problem(manifest_path, f"cannot be read: {error}")]
    problems = []
    if sha256(raw).hexdigest() != approval.draft:
        problems.append(
            Problem(manifest_path, f"is not the draft that was approved ({places.ANSWERS}: approval.draft)")
        )
    if not signed_by(by.public, "manifest", raw, by.signature):
        problems.append(Problem(signature_path, "is not the signature over the draft's manifest"))
    elif signer is not None and by.public != signer.public:
        problems.append(Problem(signature_path, "is by another signer than the approved report's"))
    there = {file.path: file.sha256 for file in evidence.files if not file.path.startswith(f"{places.DRAFT}/")}
    # The draft's answers are those of the approved report without the approval.
    there[places.ANSWERS] = sha256(canonical(replace(evidence.answers, approval=None).to_json()).encode()).hexdigest()
    before = {path: listed.sha256 for path, listed in former.files.items() if path.startswith(f"{places.EVIDENCE}/")}
    problems += [
        Problem(path, "is not the file of the draft that was approved")
        for path in sorted({*there, *before})
        if there.get(path) != before.get(path)
    ]
    return problems
