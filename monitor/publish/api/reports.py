"""The reports that were made: bundles in the folder of the daily reports, and their files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import quote

from fastapi import FastAPI
from fastapi import Path as InPath
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

from monitor.ledger import reader
from monitor.ledger.encode import Json
from monitor.model import rfc3339
from monitor.publish.api.answers import Answer, Shape, answer
from monitor.publish.bundle.evidence import read_answers
from monitor.publish.bundle.files import BadEvidence
from monitor.signing.folder import name_problem
from monitor.signing.manifest import MANIFEST, SIGNATURE, read_manifest

if TYPE_CHECKING:
    from monitor.publish.served import Served

#: a year of daily reports and some: the newest ones by name, which begins with the day
_MOST = 400
ReportName = Annotated[str, InPath(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,99}$")]
FileName = Annotated[str, InPath(max_length=300)]


class ReportFile(Shape):
    """One file of a bundle, as its manifest has it."""

    path: str
    bytes: int
    sha256: str
    link: str


class ReportBody(Shape):
    """One bundle. ``problem``: why it cannot be read; then everything else but its name is null or empty.

    ``at``: of the verdict that it reports on. ``manifest``: SHA-256, the report's hash. Nothing is verified here:
    `porwatch verify` does that.
    """

    name: str
    state: Literal["draft", "approved"] | None
    preset: str | None
    view: str | None
    cycle: int | None
    at: str | None
    begin: str | None
    prepared_by: str | None
    approved_by: str | None
    manifest: str | None
    files: list[ReportFile]
    problem: str | None


class Reports(Shape):
    """``problem``: why the last daily report could not be made, null where it could."""

    problem: str | None
    last_success: str | None
    reports: list[ReportBody]


def add_reports(app: FastAPI, served: Served) -> None:
    """Add the routes."""

    @app.get("/api/v1/reports", response_model=Answer[Reports])
    def reports() -> Response:
        """The daily reports, newest first, with the files of each; drafts until a second person approves them."""
        at = served.health.last_success.get(("report", ""))
        return answer(
            {
                "problem": served.health.problems.get("report/"),
                "last_success": None if at is None else rfc3339(at),
                "reports": newest_reports(served, _MOST),
            }
        )

    @app.get(
        "/api/v1/reports/{name}/{path:path}",
        response_class=FileResponse,
        responses={200: {"content": {"application/octet-stream": {}}, "description": "The file."}},
    )
    def file(name: ReportName, path: FileName) -> Response:
        """One file of a report: one that its manifest lists, the manifest itself, or its signature."""
        root = served.particulars.reports
        if root is None or not (root / name).is_dir() or (root / name).is_symlink():
            raise HTTPException(404, "there is no such report")
        try:
            listed = {*read_manifest(root / name).files, MANIFEST, SIGNATURE}
        except (OSError, ValueError) as error:
            raise HTTPException(409, f"its manifest cannot be read: {error}") from error
        target = root / name / path
        inside = path in listed and not name_problem(path) and target.resolve().is_relative_to(root.resolve())
        if not inside or not target.is_file():
            raise HTTPException(404, "its manifest lists no such file")
        # Whatever it is, a browser stores it: it must not become a page of this site.
        return FileResponse(target, media_type="application/octet-stream", filename=f"{name}-{target.name}")


def newest_reports(served: Served, limit: int) -> list[Json]:
    """The newest bundles, as the API shows them."""
    return [_report(served, folder) for folder in _folders(served.particulars.reports)[:limit]]


def _folders(root: Path | None) -> list[Path]:
    """The newest bundles; what is still being made begins with a dot."""
    if root is None or not root.is_dir():
        return []
    found = [each for each in root.iterdir() if each.is_dir() and not each.is_symlink() and each.name[0] != "."]
    return sorted(found, key=lambda each: each.name, reverse=True)[:_MOST]


def _report(served: Served, folder: Path) -> Json:
    body: Json = dict.fromkeys(ReportBody.model_fields)
    body |= {"name": folder.name, "files": []}
    try:
        manifest, answers = read_manifest(folder), read_answers(folder)
    except (OSError, ValueError, BadEvidence) as error:
        return body | {"problem": f"cannot be read: {error}"}
    with served.ledger.read() as connection:
        verdict = reader.verdict_of(connection, answers.cycle)
    base = f"/api/v1/reports/{folder.name}"
    return body | {
        "state": "draft" if answers.approval is None else "approved",
        "preset": answers.preset,
        "view": answers.view,
        "cycle": answers.cycle,
        "at": None if verdict is None else verdict["at"],
        "begin": answers.begin,
        "prepared_by": answers.prepared_by,
        "approved_by": None if answers.approval is None else answers.approval.by,
        "manifest": manifest.hash,
        "files": [
            {"path": path, "bytes": each.bytes, "sha256": each.sha256, "link": f"{base}/{quote(path)}"}
            for path, each in sorted(manifest.files.items())
        ],
    }
