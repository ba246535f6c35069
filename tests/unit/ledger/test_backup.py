"""`porwatch backup` and `restore`: what comes back is what was there, and the journal says what was lost."""

from __future__ import annotations

import io
import json
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from click.testing import Result
from sqlalchemy import make_url
from typer.testing import CliRunner

from monitor.__main__ import app
from monitor.canonical import canonical
from monitor.config import load
from monitor.ledger import heads, journal, migrate
from monitor.ledger.engines import open_engines
from monitor.ledger.heads import Head
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, Ledger, commit
from monitor.signing.keys import load_or_make
from tests.conftest import CHECKOUT

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
CLOSE = "closes/2026-11-24-1/verdict.json"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The folder of a small exchange: a configuration, a ledger of three records under a head, and evidence."""
    folder = tmp_path / "site"
    folder.mkdir()
    _configure(folder)
    write(folder, 3)
    (folder / "evidence" / CLOSE).parent.mkdir(parents=True)
    (folder / "evidence" / CLOSE).write_text("{}")
    return folder


def _configure(folder: Path) -> None:
    text = (CHECKOUT / "tests" / "config" / "good" / "minimal.yaml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("store:")]
    (folder / "porwatch.yaml").write_text("\n".join([*lines, "store: sqlite:///ledger.db"]) + "\n")


def write(folder: Path, count: int, *, seal: bool = True) -> Head | None:
    """More records, and a tree head over all of them."""
    config = load(folder / "porwatch.yaml")
    with closing(Ledger(config.store_url())) as ledger, ledger.write() as connection:
        commit(connection, Commit(records=(Record("cancelled", {"id": "w-1"}),) * count), NOW)
        return heads.seal(connection, load_or_make(config.report_key_path), NOW) if seal else None


def run(folder: Path, *words: str | Path) -> Result:
    command, *rest = map(str, words)
    return CliRunner().invoke(app, [command, str(folder / "porwatch.yaml"), *rest])


def verifies(folder: Path) -> bool:
    return CliRunner().invoke(app, ["journal", "verify", str(folder / "porwatch.yaml")]).exit_code == 0


@pytest.fixture
def backup(site: Path, tmp_path: Path) -> Path:
    file = tmp_path / "monday.tar"
    done = run(site, "backup", file)
    assert done.exit_code == 0, done.output
    return file


def last_record(folder: Path) -> tuple[int, Any]:
    with closing(Ledger(f"sqlite:///{folder / 'ledger.db'}", writable=False)) as ledger, ledger.read() as connection:
        *_, entry = journal.verified(connection)
    assert entry.kind == "restored"
    return entry.seq, entry.record().body


def changed(file: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The same archive with other content, its order kept."""
    with tarfile.open(file) as archive:
        members = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    change(members)
    other = file.with_name("changed.tar")
    with tarfile.open(other, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return other


def with_manifest(**values: Any) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        members["backup.json"] = canonical(json.loads(members["backup.json"]) | values).encode()

    return change


def snapshot(folder: Path) -> dict[str, str]:
    files = [each for each in folder.rglob("*") if each.is_file() and not each.name.endswith((".lock", "-shm", "-wal"))]
    return {str(each.relative_to(folder)): sha256(each.read_bytes()).hexdigest() for each in files}


# -- making -----------------------------------------------------------------------------------------


def test_a_backup_says_what_is_in_it_and_that_the_key_is_not(site: Path, tmp_path: Path) -> None:
    done = run(site, "backup", tmp_path / "b.tar")
    assert done.exit_code == 0
    assert "3 records" in done.stdout
    assert "1 files of evidence" in done.stdout
    assert f"the report key is NOT in it: keep a copy of {site / 'report.key'}" in done.stderr
    with tarfile.open(tmp_path / "b.tar") as archive:
        assert archive.getnames() == ["backup.json", "ledger.db", f"evidence/{CLOSE}"]
    assert (tmp_path / "b.tar").stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_it_is_made_beside_a_writer_and_holds_whole_commits_only(site: Path, tmp_path: Path) -> None:
    with closing(Ledger(load(site / "porwatch.yaml").store_url())) as ledger, ledger.write() as connection:
        commit(connection, Commit(records=(Record("cancelled", {"id": "w-9"}),)), NOW)
        done = run(site, "backup", tmp_path / "b.tar")
    assert done.exit_code == 0
    assert "3 records" in done.stdout


def test_no_backup_is_overwritten_and_none_is_made_of_nothing(site: Path, backup: Path, tmp_path: Path) -> None:
    before = backup.read_bytes()
    done = run(site, "backup", backup)
    assert (done.exit_code, backup.read_bytes()) == (2, before)
    assert "a backup is never overwritten" in done.stderr
    (site / "ledger.db").unlink()
    done = run(site, "backup", tmp_path / "other.tar")
    assert done.exit_code == 2
    assert "there is nothing to back up" in done.stderr


def test_a_broken_journal_is_no_backup(site: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(site / "ledger.db")) as connection:
        connection.execute("DROP TRIGGER journal_no_update")
        connection.execute("""UPDATE journal SET body = '{"id":"w-2"}' WHERE seq = 2""")
        connection.commit()
    done = run(site, "backup", tmp_path / "b.tar")
    assert done.exit_code == 1
    assert "record 2 (cancelled) was changed" in done.stderr
    assert not (tmp_path / "b.tar").exists()


def test_of_postgresql_it_says_how(site: Path, tmp_path: Path) -> None:
    text = (site / "porwatch.yaml").read_text()
    (site / "porwatch.yaml").write_text(
        text.replace(
            "store: sqlite:///ledger.db", "store: {url: 'postgresql+psycopg://porwatch@db.example/porwatch', folder: .}"
        )
    )
    done = run(site, "backup", tmp_path / "b.dump")
    assert done.exit_code == 2
    assert f"pg_dump --format=custom --no-owner --file={tmp_path / 'b.dump'}" in done.stderr
    assert "postgresql://porwatch@db.example/porwatch" in done.stderr


# -- coming back ------------------------------------------------------------------------------------


def test_on_a_new_machine_all_comes_back_and_a_record_says_so(site: Path, backup: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    _configure(other)
    done = run(other, "restore", backup, "--name", "K. Sato", "--reason", "the disk died")
    assert done.exit_code == 0, done.output
    seq, body = last_record(other)
    assert (seq, body["seq"], body["lost"], body["by"], body["reason"]) == (4, 3, 0, "K. Sato", "the disk died")
    assert body["published"]["size"] == 3
    assert (other / "evidence" / CLOSE).read_text() == "{}"
    assert f"{other / 'report.key'} is missing: put the report key back" in done.stderr
    assert verifies(other)


def test_what_was_published_since_is_named_and_counted_as_lost(site: Path, backup: Path) -> None:
    published = write(site, 2)
    assert published is not None
    done = run(site, "restore", backup, "--replace")
    assert done.exit_code == 0, done.output
    assert "2 of them are LOST" in done.stderr
    _, body = last_record(site)
    assert body["published"] == published.to_json()
    assert body["lost"] == 2
    assert verifies(site)


def test_what_was_there_is_kept_whole(site: Path, backup: Path) -> None:
    write(site, 2)
    run(site, "restore", backup, "--replace")
    (kept,) = site.glob("ledger.db.before-restore-*[0-9]Z")
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("SELECT count(*) FROM journal").fetchone() == (5,)
    (evidence,) = site.glob("evidence.before-restore-*")
    assert (evidence / CLOSE).exists()


def test_the_last_published_head_may_come_from_a_report(site: Path, backup: Path, tmp_path: Path) -> None:
    published = write(site, 4)
    assert published is not None
    (tmp_path / "journal.json").write_text(json.dumps({"head": published.to_json(), "records": []}))
    (site / "ledger.db").unlink()
    done = run(site, "restore", backup, "--head", tmp_path / "journal.json")
    assert done.exit_code == 0, done.output
    assert last_record(site)[1]["lost"] == 4


def test_the_ledger_goes_on_from_what_was_restored(site: Path, backup: Path) -> None:
    write(site, 2)
    run(site, "restore", backup, "--replace")
    head = write(site, 1)
    assert head is not None
    assert head.size == 5
    assert verifies(site)


# -- what is refused --------------------------------------------------------------------------------


def refused(site: Path, *words: str | Path) -> Result:
    """A restore that must change nothing."""
    before = snapshot(site)
    done = run(site, "restore", *words)
    assert snapshot(site) == before
    return done


def test_a_ledger_that_is_there_is_not_replaced_unasked(site: Path, backup: Path) -> None:
    done = refused(site, backup)
    assert done.exit_code == 2
    assert "say --replace" in done.stderr


def test_beside_a_running_monitor_nothing_is_restored(site: Path, backup: Path) -> None:
    with closing(Ledger(load(site / "porwatch.yaml").store_url())):
        done = run(site, "restore", backup, "--replace")
    assert done.exit_code == 2
    assert "is in use by another porwatch" in done.stderr


@pytest.mark.parametrize(
    ("values", "code", "said"),
    [
        ({"entity": "Somebody Else KK"}, 2, "is of 'Somebody Else KK', the configuration of"),
        ({"schema": "9999"}, 2, "its schema 9999 was made by a newer porwatch"),
        ({"format": "porwatch backup 2"}, 1, "restore it with the porwatch it is of"),
        ({"journal": {"seq": 2, "hash": "0" * 64}}, 1, "its journal is not the one that backup.json names"),
        ({"head": None}, 1, "its journal is not the one that backup.json names"),
        ({"note": 1}, 1, "it has other keys"),
        ({"files": {}}, 1, "files name no ledger.db"),
        ({"files": {"ledger.db": {"bytes": 1, "sha256": "0" * 64}}}, 1, "ledger.db has"),
        (
            {"files": {"ledger.db": {"bytes": 1, "sha256": "0" * 64}, "../x": {"bytes": 1, "sha256": "0" * 64}}},
            1,
            "no name",
        ),
    ],
)
def test_a_manifest_that_is_foreign_or_false_is_refused(
    site: Path, backup: Path, values: dict[str, Any], code: int, said: str
) -> None:
    done = refused(site, changed(backup, with_manifest(**values)), "--replace")
    assert (done.exit_code, said in done.stderr) == (code, True), done.stderr


def test_a_file_that_was_changed_cut_off_or_added_is_named(site: Path, backup: Path) -> None:
    def flipped(members: dict[str, bytes]) -> None:
        content = bytearray(members["ledger.db"])
        content[-1] ^= 1
        members["ledger.db"] = bytes(content)

    def cut(members: dict[str, bytes]) -> None:
        del members[f"evidence/{CLOSE}"]

    def added(members: dict[str, bytes]) -> None:
        members["evidence/more.json"] = b"{}"

    for change, said in (
        (flipped, "ledger.db was changed"),
        (cut, f"evidence/{CLOSE} is missing"),
        (added, "evidence/more.json is no file of this backup"),
    ):
        done = refused(site, changed(backup, change), "--replace")
        assert (done.exit_code, said in done.stderr) == (1, True), done.stderr


def test_a_link_in_an_archive_is_not_followed(site: Path, backup: Path, tmp_path: Path) -> None:
    other = tmp_path / "link.tar"
    with tarfile.open(backup) as archive, tarfile.open(other, "w") as out:
        for member in archive:
            if member.name == "ledger.db":
                member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0
                out.addfile(member)
            else:
                out.addfile(member, archive.extractfile(member))
    done = refused(site, other, "--replace")
    assert done.exit_code == 1
    assert "ledger.db is no file of this backup" in done.stderr


def test_a_sparse_member_that_would_fill_the_disk_is_refused(site: Path, backup: Path, tmp_path: Path) -> None:
    size = 10 * 1024**4
    files = {"ledger.db": {"bytes": size, "sha256": "0" * 64}}
    lying = changed(backup, with_manifest(files=files))
    other = tmp_path / "sparse.tar"
    with tarfile.open(lying) as archive, tarfile.open(other, "w") as out:
        out.addfile(first := archive.getmembers()[0], archive.extractfile(first))
        member = tarfile.TarInfo("ledger.db")
        member.size = 0
        member.pax_headers = {
            "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "ledger.db",
            "GNU.sparse.realsize": str(size), "GNU.sparse.map": "0,0",
        }  # fmt: skip
        content = b"1\n0\n0\n".ljust(512, b"\0")
        member.size = len(content)
        out.addfile(member, io.BytesIO(content))
    done = refused(site, other, "--replace")
    assert done.exit_code == 1
    assert "ledger.db is no file of this backup" in done.stderr


def test_what_is_no_archive_is_refused(site: Path, tmp_path: Path) -> None:
    for content in (b"", b"x" * 2000, (site / "ledger.db").read_bytes()):
        (tmp_path / "x").write_bytes(content)
        assert refused(site, tmp_path / "x", "--replace").exit_code == 1


def test_a_journal_that_was_made_anew_with_every_hash_right_is_another_ledger(site: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    twin.mkdir()
    _configure(twin)
    write(twin, 2, seal=False)
    assert run(twin, "backup", tmp_path / "twin.tar").exit_code == 0
    with closing(Ledger(load(site / "porwatch.yaml").store_url())) as ledger, ledger.write() as connection:
        commit(connection, Commit(records=(Record("cancelled", {"id": "w-7"}),)), NOW)
    write(twin, 1, seal=False)
    with closing(Ledger(load(twin / "porwatch.yaml").store_url())) as ledger, ledger.write() as connection:
        commit(connection, Commit(records=(Record("cancelled", {"id": "w-8"}),)), NOW)
    assert run(twin, "backup", tmp_path / "twin2.tar").exit_code == 0
    done = refused(site, tmp_path / "twin2.tar", "--replace")
    assert done.exit_code == 1
    assert "is of another ledger than" in done.stderr


def test_a_published_head_of_another_journal_or_signer_is_refused(site: Path, backup: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    twin.mkdir()
    _configure(twin)
    head = write(twin, 2)
    assert head is not None
    (tmp_path / "head.json").write_text(json.dumps(head.to_json()))
    done = refused(site, backup, "--replace", "--head", tmp_path / "head.json")
    assert done.exit_code == 1
    assert "is signed by another key" in done.stderr
    (tmp_path / "head.json").write_text("{}")
    done = refused(site, backup, "--replace", "--head", tmp_path / "head.json")
    assert done.exit_code == 2
    assert "is no tree head" in done.stderr


def test_a_file_belongs_to_sqlite_and_in_place_to_postgresql(site: Path, backup: Path) -> None:
    for words in ((), (backup, "--in-place")):
        assert refused(site, *words).exit_code == 2


# -- upgrade and rollback ---------------------------------------------------------------------------


def _older(folder: Path, revision: str) -> None:
    """A ledger as an older porwatch left it."""
    engines = open_engines(make_url(f"sqlite:///{folder / 'ledger.db'}"), writable=True)
    assert engines.writer is not None
    with engines.writer.begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        commit(connection, Commit(records=(Record("cancelled", {"id": "w-1"}),) * 3), NOW)
    engines.close()


def test_an_upgrade_leaves_a_copy_of_the_older_schema_beside(site: Path) -> None:
    (site / "ledger.db").unlink()
    _older(site, "0006")
    assert run(site, "status").exit_code == 2, "reading commands change nothing"
    write(site, 1)
    kept = site / "ledger.db.schema-0006"
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0006",)
        assert connection.execute("SELECT count(*) FROM journal").fetchone() == (3,)
    assert verifies(site)
    write(site, 1)
    assert [each.name for each in site.glob("*.schema-*")] == [kept.name], "once, not at every start"


def test_an_upgrade_that_cannot_keep_a_copy_changes_nothing(site: Path) -> None:
    (site / "ledger.db").unlink()
    _older(site, "0006")
    (site / "ledger.db.schema-0006").mkdir()
    with pytest.raises(Exception, match="schema-0006"):
        write(site, 1)
    with closing(sqlite3.connect(site / "ledger.db")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0006",)


def test_a_rollback_is_the_backup_made_before_and_names_what_the_newer_one_published(site: Path, backup: Path) -> None:
    published = write(site, 2)
    with closing(sqlite3.connect(site / "ledger.db")) as connection:
        # What a newer porwatch leaves: a schema that this one does not know.
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    done = run(site, "restore", backup, "--replace")
    assert done.exit_code == 0, done.output
    assert published is not None
    assert last_record(site)[1]["published"] == published.to_json()
    assert verifies(site)


def test_a_backup_of_an_older_schema_comes_back_in_this_one(site: Path, backup: Path) -> None:
    def older(members: dict[str, bytes]) -> None:
        other = site / "older"
        other.mkdir()
        _older(other, "0006")
        with closing(Ledger(f"sqlite:///{other / 'ledger.db'}")) as ledger, ledger.read() as connection:
            seq, found = journal.head(connection)
        with closing(sqlite3.connect(other / "ledger.db.schema-0006")) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
        members["ledger.db"] = (other / "ledger.db.schema-0006").read_bytes()
        size, digest = len(members["ledger.db"]), sha256(members["ledger.db"]).hexdigest()
        files = json.loads(members["backup.json"])["files"] | {"ledger.db": {"bytes": size, "sha256": digest}}
        with_manifest(schema="0006", head=None, files=files, journal={"seq": seq, "hash": found})(members)

    old = changed(backup, older)
    (site / "ledger.db").unlink()
    done = run(site, "restore", old)
    assert done.exit_code == 0, done.output
    assert run(site, "status").exit_code == 0
