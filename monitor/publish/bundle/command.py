"""`porwatch report`, `report approve`, `sample` and `verify`: each function returns the exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path

from monitor.assess import BadInputs, Inputs, from_json
from monitor.books.errors import BooksError
from monitor.canonical import parse_exactly
from monitor.config import Config, ConfigError, SecretError, load
from monitor.ledger.errors import LedgerError
from monitor.ledger.heads import Head, head_from_json
from monitor.ledger.journal import JournalError
from monitor.ledger.store import Ledger
from monitor.model import rfc3339
from monitor.publish.bundle import approve as approval
from monitor.publish.bundle import gather, online, places, write
from monitor.publish.bundle import verify as verification
from monitor.publish.bundle.answers import Answers
from monitor.publish.bundle.context import judged
from monitor.publish.bundle.files import BadEvidence, read_bytes
from monitor.publish.bundle.gather import NoEvidence, Wanted
from monitor.publish.bundle.limits import UNNAMED
from monitor.publish.bundle.supplied import Supply, read_supply
from monitor.publish.report.forms import FormsMissing
from monitor.signing.folder import Problem
from monitor.signing.keys import ReportKey
from monitor.signing.manifest import Manifest, ManifestError, read_manifest
from monitor.signing.pdf import PdfError
from monitor.signing.stamps import StampError

FINE, FINDING, WRONG, UNDETERMINED = 0, 1, 2, 3
_REFUSED = (LedgerError, SecretError, FileExistsError, ValueError, FormsMissing, ManifestError, PdfError)
_UNKNOWN = (NoEvidence, BadEvidence, StampError, OSError)


@dataclass(frozen=True, slots=True)
class Options:
    """What `porwatch report` was asked for; times as text."""

    at: str
    out: Path
    begin: str | None = None
    profiles: tuple[str, ...] = ()
    preset: str = "full"
    languages: tuple[str, ...] = ("ja", "en")
    view: str = "full"
    prepared_by: str | None = None
    prepared_at: str | None = None
    previous: Path | None = None
    documents: Path | None = None


def say(text: str) -> None:
    """One line to standard error."""
    sys.stderr.write(text + "\n")


def report(path: Path, options: Options) -> int:
    """Make a bundle, and verify it before anybody else does.

    2 for what cannot be asked, 1 for a wrong journal or evidence that contradicts itself, 3 where there is none.
    """
    try:
        config = load(path)
        manifest = _make(config, options)
    except (ConfigError, BooksError) as error:
        for mistake in error.mistakes:
            say(str(mistake))
        return WRONG
    except JournalError as error:
        say(str(error))
        return FINDING
    except _REFUSED as error:
        say(str(error))
        return WRONG
    except _UNKNOWN as error:
        say(str(error))
        return UNDETERMINED
    _remember(options.out, config)
    sys.stdout.write(f"{options.out}: {len(manifest.files)} files, report {manifest.hash}\n")
    found = verification.verify(options.out, None)
    for problem in found.problems:
        say(f"porwatch verify will say: {problem}")
    say("DRAFT until a second person approves it: porwatch report approve DIR --as NAME")
    return FINDING if found.problems else FINE


def _make(config: Config, options: Options) -> Manifest:
    signers = write.signers_of(config, datetime.now(UTC))
    ledger = Ledger(config.store_url(), writable=False)
    wanted = wanted_of(options.at)
    kept = config.closes_path
    try:
        with ledger.read() as connection:
            close = gather.find(connection, kept, config.entity.timezone, wanted)
            gather.check_kept(close)
            supply = _supply(options, close)
            head = gather.head_over(connection, close, signers.key.public)
            begin = gather.period_begin(connection, kept, config.entity.timezone, close)
        previous = None if options.previous is None else _previous(options.previous, signers.key)
        answers = _answers(config, options, close, head, begin, None if previous is None else previous[0])

        def make(work: Path) -> Manifest:
            (work / places.EVIDENCE).mkdir()
            before = None if previous is None else previous[1]
            # Printing takes long, and a reader holds up the ledger's own housekeeping: it is let go before.
            with ledger.read() as connection:
                gather.write_evidence(connection, close, head, answers, work, before)
            if supply is not None:
                supply.write(work)
            return write.finish(work, signers)

        return write.whole(options.out.absolute(), make)
    finally:
        ledger.close()


def _supply(options: Options, close: gather.Close) -> Supply | None:
    if options.documents is None:
        return None
    facts = _inputs(close).facts
    wallets = {wallet.wallet for wallet in facts.wallets}
    return read_supply(options.documents, options.view, wallets, facts.assets, datetime.now(UTC))


def wanted_of(text: str) -> Wanted:
    """A moment with its offset, or a business day. Raises ValueError."""
    try:
        if len(text) == len("2026-11-24"):
            return Wanted(None, date.fromisoformat(text))
        return Wanted(_moment(text), None)
    except ValueError as error:
        raise ValueError(
            f"--at {text}: write a day, or RFC 3339 with an offset, e.g. 2026-11-24T00:00:00+09:00"
        ) from error


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("has no offset")
    return moment.astimezone(UTC)


def _previous(folder: Path, key: ReportKey) -> tuple[str, Head]:
    """The hash of the report before, and the tree head that it rests on."""
    manifest = read_manifest(folder)
    head = head_from_json(parse_exactly(read_bytes(folder, places.JOURNAL))["head"])
    if head.key != key.public.hex():
        raise ValueError(f"--previous {folder}: was made with another report key")
    return manifest.hash, head


def _answers(
    config: Config, options: Options, close: gather.Close, head: Head, begin: datetime, previous: str | None
) -> Answers:
    inputs = _inputs(close)
    known = judged(inputs)
    for name in options.profiles:
        if name not in known:
            names = ", ".join(known) or "none"
            raise ValueError(f"--profile {name}: was not judged at this close, only: {names}; add it to profiles")
    if options.begin is not None:
        begin = _begin(options.begin, close.at)
    declared = inputs.books.declared
    named = None if declared is None else declared.parties.get("prepared_by")
    prepared_at = (
        rfc3339(head.at) if options.prepared_at is None else rfc3339(_at("--prepared-at", options.prepared_at))
    )
    return Answers(
        cycle=close.cycle,
        begin=rfc3339(begin),
        lei=config.entity.lei,
        registration=config.entity.registration,
        prepared_by=options.prepared_by or named or UNNAMED,
        # Without a word from anybody it is the moment from which the evidence is fixed: the same bytes each time.
        prepared_at=prepared_at,
        preset=options.preset,
        view=options.view,
        languages=options.languages,
        profiles=options.profiles or None,
        finality={name: str(getattr(each, "finality", "as configured")) for name, each in config.chains.items()},
        software=version("porwatch"),
        previous=previous,
    )


def _begin(text: str, end: datetime) -> datetime:
    begin = _at("--from", text)
    if begin >= end:
        raise ValueError(f"--from {text}: is not before the close at {rfc3339(end)}: write an earlier time")
    return begin


def _at(option: str, text: str) -> datetime:
    try:
        return _moment(text)
    except ValueError as error:
        raise ValueError(f"{option} {text}: write RFC 3339 with an offset, e.g. 2026-11-24T00:00:00+09:00") from error


def _inputs(close: gather.Close) -> Inputs:
    try:
        return from_json((close.folder / "inputs.json").read_text(encoding="utf-8"))
    except BadInputs as error:
        raise NoEvidence(f"{close.folder / 'inputs.json'}: {error}") from error


def _origin(folder: Path) -> Path:
    """Beside a bundle, not in it: which configuration made it, so that its approval finds the report key."""
    return folder.absolute().with_name(f".{folder.absolute().name}.origin")


def _remember(folder: Path, config: Config) -> None:
    _origin(folder).write_text(f"{config.file}\n", encoding="utf-8")


def approve(folder: Path, name: str, path: Path | None) -> int:
    """The second person's approval: 2 where it cannot be given."""
    try:
        config = load(path if path is not None else _configuration(folder))
        now = datetime.now(UTC)
        manifest = approval.approve(folder.absolute(), name, now, write.signers_of(config, now))
    except ConfigError as error:
        for mistake in error.mistakes:
            say(str(mistake))
        return WRONG
    except (*_REFUSED, approval.NotApproved) as error:
        say(str(error))
        return WRONG
    except _UNKNOWN as error:
        say(str(error))
        return UNDETERMINED
    sys.stdout.write(f"{folder}: approved by {name.strip()}, report {manifest.hash}\n")
    return FINE


def _configuration(folder: Path) -> Path:
    try:
        return Path(_origin(folder).read_text(encoding="utf-8").strip())
    except OSError as error:
        raise ValueError(
            f"{_origin(folder)}: is not there, so the report key is not known: write --config CONFIG"
        ) from error


def verify(folder: Path, key_file: Path | None, endpoints: Sequence[str]) -> int:
    """Judge a bundle: 1 names each file that differs; 3 where something could not be compared here."""
    try:
        key = None if key_file is None else key_file.read_bytes()
        found = verification.verify(folder, key)
    except OSError as error:
        say(f"{error.filename or folder}: {error.strerror}")
        return WRONG
    except ValueError as error:
        say(f"{key_file}: {error}")
        return WRONG
    problems, unknown = list(found.problems), list(found.undetermined)
    if endpoints and found.evidence is not None:
        try:
            compared = online.compare(found.evidence, endpoints)
        except ValueError as error:
            say(str(error))
            return WRONG
        problems += compared.problems
        unknown += compared.unknown
        for line in compared.fine:
            say(line)
    _tell(found, problems, unknown, known=key is not None)
    if problems:
        return FINDING
    if unknown:
        return UNDETERMINED
    sys.stdout.write("every figure, proof, hash and signature of the bundle was worked out again and is the same\n")
    if not endpoints:
        say(
            "offline this shows that the bundle is consistent; that its anchors are on the chain shows a node of your"
            " own: --endpoint URL"
        )
    return FINE


def _tell(found: verification.Judgement, problems: Sequence[Problem], unknown: Sequence[str], *, known: bool) -> None:
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    for line in unknown:
        say(f"could not be determined: {line}")
    if found.signer is not None:
        checked = "" if known else ", signer not checked"
        sys.stdout.write(f"signed by {found.signer.fingerprint}{checked}\n")
    if found.stamp is not None:
        say(f"time stamp of {rfc3339(found.stamp.at)}, its authority not checked")
