"""A signed bundle: whatever is changed, missing or one too many in it is found and named."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from monitor.canonical import canonical, parse_exactly
from monitor.signing import folder as folders
from monitor.signing.folder import Problem, name_problem
from monitor.signing.keys import ReportKey, load_or_make
from monitor.signing.manifest import (
    MANIFEST,
    SIGNATURE,
    STAMP,
    ManifestError,
    check_manifest,
    read_manifest,
    read_signer,
    write_manifest,
)

FILES = {"report.json": b'{"a":1}', "empty.csv": b"", "evidence/ethereum/block-1.json": b"{}", "報告書.pdf": b"%PDF"}


@pytest.fixture
def key(tmp_path: Path) -> ReportKey:
    return load_or_make(tmp_path / "keys.key")


@pytest.fixture
def pem(tmp_path: Path, key: ReportKey) -> bytes:
    return (tmp_path / "keys.key.pub").read_bytes()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return filled(tmp_path / "bundle")


@pytest.fixture
def signed(bundle: Path, key: ReportKey) -> Path:
    write_manifest(bundle, {"kind": "report", "retention": {"years": 10}}, key)
    return bundle


def filled(folder: Path) -> Path:
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def resign(folder: Path, key: ReportKey, body: Any, *, text: str | None = None) -> None:
    """A manifest as somebody who has the key, and bad intent, would write it."""
    raw = (canonical(body) if text is None else text).encode("utf-8", "surrogatepass")
    (folder / MANIFEST).write_bytes(raw)
    sig = {"version": 1, "algorithm": "ed25519", "key": key.public.hex(), "signature": key.sign("manifest", raw).hex()}
    (folder / SIGNATURE).write_text(canonical(sig))


def test_a_bundle_that_was_left_alone_has_no_problem(signed: Path, key: ReportKey, pem: bytes) -> None:
    assert check_manifest(signed, pem) == check_manifest(signed, None) == []
    assert read_signer(signed).fingerprint == key.fingerprint
    manifest = read_manifest(signed)
    assert set(manifest.files) == set(FILES)
    assert manifest.meta == {"kind": "report", "retention": {"years": 10}}
    assert manifest.hash == sha256((signed / MANIFEST).read_bytes()).hexdigest()


def test_the_same_content_gives_the_same_bytes(tmp_path: Path, key: ReportKey) -> None:
    made = [filled(tmp_path / name) for name in ("one", "two")]
    hashes = {write_manifest(folder, {"x": "1"}, key, previous="a" * 64, parent="b" * 64).hash for folder in made}
    assert len(hashes) == 1
    assert (made[0] / SIGNATURE).read_bytes() == (made[1] / SIGNATURE).read_bytes()
    assert (read_manifest(made[0]).previous, read_manifest(made[0]).parent) == ("a" * 64, "b" * 64)


def test_any_flipped_byte_of_any_file_is_named(signed: Path, pem: bytes) -> None:
    tried = 0
    for name in (*FILES, MANIFEST, SIGNATURE):
        path = signed / name
        whole = path.read_bytes()
        for place in range(len(whole)):
            for flip in (0x01, 0x20):
                path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
                for expected in (pem, None):
                    named = {problem.file for problem in check_manifest(signed, expected)}
                    assert named & ({name} if name in FILES else {MANIFEST, SIGNATURE}), (name, place, flip)
                tried += 1
        path.write_bytes(whole)
    assert check_manifest(signed, pem) == []
    assert tried > 1000


@pytest.mark.parametrize("name", [*FILES, MANIFEST, SIGNATURE])
def test_a_missing_file_is_named(signed: Path, pem: bytes, name: str) -> None:
    (signed / name).unlink()
    problems = check_manifest(signed, pem)
    assert Problem(name, "is missing") in problems


@pytest.mark.parametrize("name", ["extra.json", "evidence/more.json", "evidence/ethereum/manifest.json", "a/b/c"])
def test_a_file_one_too_many_is_named(signed: Path, pem: bytes, name: str) -> None:
    (signed / name).parent.mkdir(parents=True, exist_ok=True)
    (signed / name).write_text("x")
    assert check_manifest(signed, pem) == [Problem(name, "is one too many: the manifest does not list it")]


def test_an_empty_folder_is_named(signed: Path) -> None:
    (signed / "evidence/none").mkdir()
    assert [problem.file for problem in check_manifest(signed, None)] == ["evidence/none/"]


def test_what_came_later_is_left_to_whoever_checks_it(signed: Path, pem: bytes) -> None:
    (signed / STAMP).write_bytes(b"x")
    (signed / "approval.json").write_bytes(b"x")
    assert [problem.file for problem in check_manifest(signed, pem)] == ["approval.json"]
    assert check_manifest(signed, pem, beside=("approval.json",)) == []


def test_another_signer_is_named_by_both_fingerprints(signed: Path, key: ReportKey, tmp_path: Path) -> None:
    other = load_or_make(tmp_path / "other.key")
    (problem,) = check_manifest(signed, (tmp_path / "other.key.pub").read_bytes())
    assert problem == Problem(SIGNATURE, f"is by another signer: {key.fingerprint}, not {other.fingerprint}")
    resign(signed, other, json.loads((signed / MANIFEST).read_bytes()))
    assert check_manifest(signed, None) == []
    assert check_manifest(signed, (tmp_path / "keys.key.pub").read_bytes()) != []


def test_a_key_that_is_none_is_no_verdict(signed: Path) -> None:
    with pytest.raises(ValueError, match="is no public key in PEM form"):
        check_manifest(signed, b"x")


def test_a_bundle_is_signed_once(signed: Path, key: ReportKey) -> None:
    with pytest.raises(ManifestError, match=r"manifest\.json: is there already: a bundle is signed once"):
        write_manifest(signed, {}, key)


def link(folder: Path) -> None:
    (folder / "link.json").symlink_to("report.json")


def folder_link(folder: Path) -> None:
    (folder / "linked").symlink_to(folder.parent)


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def case_twin(folder: Path) -> None:
    (folder / "Report.json").write_text("x")


def case_twin_folder(folder: Path) -> None:
    (folder / "Evidence").mkdir()
    (folder / "Evidence/other.json").write_text("x")


def decomposed(folder: Path) -> None:
    (folder / "か\u3099.json").write_text("x")


def not_text(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_text("x")


def newline(folder: Path) -> None:
    (folder / "a\nb").write_text("x")


def backslash(folder: Path) -> None:
    (folder / "a\\b").write_text("x")


def deep(folder: Path) -> None:
    (folder / "/".join("abcdefghijklmnopq")).mkdir(parents=True)
    (folder / "/".join("abcdefghijklmnopq") / "x").write_text("x")


HOSTILE = [link, folder_link, pipe, case_twin, case_twin_folder, decomposed, not_text, newline, backslash, deep]


@pytest.mark.parametrize("make", HOSTILE)
def test_what_no_bundle_may_hold_is_neither_signed_nor_passed(
    bundle: Path, key: ReportKey, make: Callable[[Path], None], tmp_path: Path
) -> None:
    write_manifest(bundle, {}, key)
    make(bundle)
    (problem, *_) = check_manifest(bundle, None)
    assert str(problem).isprintable()
    other = filled(tmp_path / "unsigned")
    make(other)
    with pytest.raises(ManifestError) as caught:
        write_manifest(other, {}, key)
    assert str(caught.value).isprintable()
    assert not (other / MANIFEST).exists()


def test_a_file_replaced_by_a_link_to_the_same_content_is_refused(signed: Path, tmp_path: Path) -> None:
    (tmp_path / "same").write_bytes(FILES["report.json"])
    (signed / "report.json").unlink()
    (signed / "report.json").symlink_to(tmp_path / "same")
    assert "is a link or a device" in str(check_manifest(signed, None)[0])


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE])
def test_a_manifest_that_is_a_link_or_a_pipe_is_refused(signed: Path, tmp_path: Path, name: str) -> None:
    (signed / name).rename(tmp_path / "moved")
    (signed / name).symlink_to(tmp_path / "moved")
    assert name in {problem.file for problem in check_manifest(signed, None)}
    (signed / name).unlink()
    os.mkfifo(signed / name)
    assert name in {problem.file for problem in check_manifest(signed, None)}


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../x", "a/../b", "./a", "a//b", "a/", "C:/x", "a\\b", "a\0b", "a\nb", "e\u0301", "a ", " a", "a.",
     "\u202egnp", "\ud800", "x" * 300, "a/" * 16 + "b", "ä" * 600],
)  # fmt: skip
def test_a_hostile_path_is_no_name_of_a_file(path: str) -> None:
    assert name_problem(path) != ""


@pytest.mark.parametrize("path", ["a", "a.json", "evidence/eip155-1/0xAB.json", "報告書_2026-11.pdf", "a/b/c/d"])
def test_an_ordinary_path_is_a_name(path: str) -> None:
    assert name_problem(path) == ""


def test_a_huge_file_is_not_read(signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "LARGEST_FILE", 6)
    assert "report.json: is larger than 6 bytes: it was not read" in map(str, check_manifest(signed, None))


def test_more_files_than_any_bundle_has_are_not_all_looked_at(signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_FILES", 3)
    assert any("is one of more than 3 files" in problem.what for problem in check_manifest(signed, None))


GOOD = {"sha256": "0" * 64, "bytes": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"files": []},
        {"files": {"../x": GOOD}},
        {"files": {"/x": GOOD}},
        {"files": {MANIFEST: GOOD}},
        {"files": {"a": GOOD, "A": GOOD}},
        {"files": {"d/a": GOOD, "D/b": GOOD}},
        {"files": {"a": {"sha256": "0" * 63, "bytes": 1}}},
        {"files": {"a": {"sha256": "A" * 64, "bytes": 1}}},
        {"files": {"a": {"sha256": "0" * 64, "bytes": -1}}},
        {"files": {"a": {"sha256": "0" * 64, "bytes": True}}},
        {"files": {"a": {"sha256": "0" * 64}}},
        {"previous": "x"},
        {"parent": 1},
        {"meta": []},
        {"made_by": 1},
        {"more": 1},
    ],
)
def test_a_manifest_of_another_form_is_refused_though_its_signature_is_right(
    signed: Path, key: ReportKey, change: dict[str, Any]
) -> None:
    resign(signed, key, {**json.loads((signed / MANIFEST).read_bytes()), **change})
    assert [problem.file for problem in check_manifest(signed, None)] == [MANIFEST]


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{", '{"version":1.0}', "[" * 100_000, '{"a":1,"a":1}', '"\\ud800"']
)
def test_what_is_no_manifest_at_all_is_refused(signed: Path, key: ReportKey, text: str) -> None:
    resign(signed, key, None, text=text)
    assert [problem.file for problem in check_manifest(signed, None)] == [MANIFEST]


@pytest.mark.parametrize(
    "raw", [b'{"a": 1}', b'{"b":1,"a":1}', b'{"a":1,"a":1}', b'{"a":1}\n', b'"\\u0041"', b'"\xff"']
)
def test_json_has_one_form(raw: bytes) -> None:
    with pytest.raises(ValueError):
        parse_exactly(raw)


def test_a_folder_that_is_none_is_no_verdict(tmp_path: Path) -> None:
    assert {problem.file for problem in check_manifest(tmp_path / "none", None)} == {MANIFEST, SIGNATURE}
