"""What a person hands in for a report: copies of documents, what each customer is owed, who holds which keys.

One YAML file names it all (`report --documents FILE`); a bundle holds what it names as files of its evidence::

    evidence/documents.json        documents with their hashes, the time of the customer file, who holds the keys
    evidence/attachments/…         copies of the documents
    evidence/customers.csv         account,asset,amount: only in a bundle that is not for a regulator or an auditor
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from chains.core.settings import Strict
from monitor.books.errors import BooksError
from monitor.books.tables import Owed, read_customers
from monitor.books.yaml_book import YamlBook
from monitor.canonical import Json, canonical
from monitor.config.fields import Day, Text
from monitor.model import rfc3339
from monitor.publish.bundle import places
from monitor.publish.bundle.files import BadEvidence, digest_of, listed, read_object
from monitor.publish.report.fields import HANDOVER, View
from monitor.signing.folder import Problem, name_problem

LARGEST_DOCUMENT = 64 * 1024 * 1024
_MOST_DOCUMENTS = 200
_ENDINGS = (".pdf", ".csv", ".xlsx", ".txt", ".json", ".xml", ".png", ".jpg", ".p7m", ".asice")

DocumentKind = Literal["custodian_statement", "bank_statement", "segregation_audit", "guarantee_audit", "board_minutes"]
Control = Literal["single_key", "multisig", "safe", "proxy", "custodian"]
_Count = Annotated[int, Field(ge=1, le=1_000)]


class _Document(Strict):
    type: DocumentKind
    title: Text
    issuer: Text
    issued_on: Day
    file: Text


class _Customers(Strict):
    file: Text
    as_of: Text


class _Keys(Strict):
    wallet: Text
    control: Control
    threshold: _Count | None = None
    keys: _Count | None = None
    holders: Text | None = None
    place: Text | None = None


class _Book(Strict):
    documents: Annotated[list[_Document], Field(max_length=_MOST_DOCUMENTS, default=[])]
    keys: Annotated[list[_Keys], Field(max_length=10_000, default=[])]
    customers: _Customers | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document; ``path``: of its copy in the bundle; ``issued_on``: ISO 8601."""

    type: str
    title: str
    issuer: str
    issued_on: str
    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class KeyCustody:
    """How the keys of one wallet are kept, as the entity says; None: not said."""

    wallet: str
    control: str
    threshold: int | None
    keys: int | None
    holders: str | None
    place: str | None


@dataclass(frozen=True, slots=True)
class Supplied:
    """What was handed in. ``customers_as_of``: RFC 3339, None without a customer file."""

    documents: tuple[Document, ...] = ()
    customers_as_of: str | None = None
    keys: tuple[KeyCustody, ...] = ()

    def to_json(self) -> Json:
        """The object of documents.json."""
        return {
            "documents": [asdict(each) for each in self.documents],
            "customers_as_of": self.customers_as_of,
            "keys": [asdict(each) for each in self.keys],
        }


@dataclass(frozen=True, slots=True)
class Supply:
    """What a file names, and where it lies: ``sources`` by the path in the bundle."""

    supplied: Supplied
    sources: Mapping[str, Path]

    def write(self, folder: Path) -> None:
        """Its files into the evidence of a bundle. Raises BadEvidence where one changed since it was read."""
        for path, source in self.sources.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / path)
        for each in self.supplied.documents:
            if digest_of(folder / each.path) != each.sha256:
                raise BadEvidence(each.path, f"{self.sources[each.path]} changed while it was read: report again")
        (folder / places.DOCUMENTS).write_text(canonical(self.supplied.to_json()), encoding="utf-8")


def read_supply(path: Path, view: str, wallets: Collection[str], decimals: Mapping[str, int], now: datetime) -> Supply:
    """What ``path`` names, relative to its folder. Raises BooksError with every mistake.

    Customers and keys are refused for a view that does not show them: the evidence would.
    """
    book = YamlBook(path, _Book)
    model = book.model
    if model is None:
        book.done(None)
        raise AssertionError("unreachable: a book without a model has mistakes")
    sources: dict[str, Path] = {}
    documents = tuple(
        _document(book, path.parent, number, each, sources) for number, each in enumerate(model.documents)
    )
    as_of = None
    if view not in {each.value for each in HANDOVER}:
        for key in ("customers", "keys"):
            if getattr(model, key):
                book.report((key,), f"is not for the view {view}: take it out, or choose --view {View.TRUSTEE}")
    elif model.customers is not None:
        as_of = rfc3339(book.as_of(model.customers.as_of, now, ("customers", "as_of")))
        sources[places.CUSTOMERS] = _customers(book, path.parent / model.customers.file, decimals)
    for number, each in enumerate(model.keys):
        if each.wallet not in wallets:
            book.report(("keys", number, "wallet"), f"{each.wallet} is no configured wallet: write one of them")
        if each.threshold is not None and each.keys is not None and each.threshold > each.keys:
            book.report(("keys", number, "threshold"), f"is more than the {each.keys} keys: correct one of them")
    names = [each.wallet for each in model.keys]
    for name in sorted({name for name in names if names.count(name) > 1}):
        book.report(("keys",), f"{name} stands there twice: keep one")
    book.done(model)
    keys = tuple(
        KeyCustody(each.wallet, each.control, each.threshold, each.keys, each.holders, each.place)
        for each in sorted(model.keys, key=lambda each: each.wallet)
    )
    return Supply(Supplied(documents, as_of, keys), sources)


def _document(book: YamlBook[_Book], base: Path, number: int, each: _Document, sources: dict[str, Path]) -> Document:
    source, key = base / each.file, ("documents", number, "file")
    ending = source.suffix.lower()
    if ending not in _ENDINGS:
        book.report(
            key, f"{each.file}: is no document that is taken: write a file that ends with {', '.join(_ENDINGS)}"
        )
    size, digest = 0, ""
    try:
        size = source.stat().st_size
        if not source.is_file() or not 0 < size <= LARGEST_DOCUMENT:
            book.report(key, f"{each.file}: is no file of 1 to {LARGEST_DOCUMENT} bytes")
        else:
            digest = digest_of(source)
    except OSError as error:
        book.report(key, f"{each.file}: cannot be read ({error.strerror}): correct the path")
    target = f"{places.ATTACHMENTS}/{number + 1:03d}-{each.type}{ending}"
    sources[target] = source
    return Document(each.type, each.title, each.issuer, each.issued_on.isoformat(), target, size, digest)


def _customers(book: YamlBook[_Book], path: Path, decimals: Mapping[str, int]) -> Path:
    try:
        read_customers(path, decimals)
    except BooksError as error:
        mistake = error.mistakes[0]
        book.report(("customers", "file"), f"{path}: line {mistake.line}: {mistake.key}: {mistake.message}")
    return path


class _DocumentJson(Strict):
    type: DocumentKind
    title: Text
    issuer: Text
    issued_on: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    path: Text
    bytes: Annotated[int, Field(ge=1, le=LARGEST_DOCUMENT)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _SuppliedJson(Strict):
    documents: Annotated[list[_DocumentJson], Field(max_length=_MOST_DOCUMENTS)]
    customers_as_of: Annotated[str, Field(max_length=40)] | None
    keys: Annotated[list[_Keys], Field(max_length=10_000)]


def read_supplied(folder: Path) -> Supplied:
    """What was handed in for the bundle in ``folder``; nothing where it has no documents.json. Raises BadEvidence."""
    if not (folder / places.DOCUMENTS).exists():
        return Supplied()
    body = read_object(folder, places.DOCUMENTS)
    try:
        found = _SuppliedJson.model_validate(body)
        for each in found.documents:
            date.fromisoformat(each.issued_on)
        if found.customers_as_of is not None and datetime.fromisoformat(found.customers_as_of).tzinfo is None:
            raise ValueError("customers_as_of: has no offset")
    except ValidationError as error:
        one = error.errors(include_url=False, include_context=False)[0]
        raise BadEvidence(places.DOCUMENTS, f"{'.'.join(map(str, one['loc']))}: {one['msg']}") from error
    except ValueError as error:
        raise BadEvidence(places.DOCUMENTS, str(error)[:300]) from error
    return Supplied(
        tuple(Document(**each.model_dump()) for each in found.documents),
        found.customers_as_of,
        tuple(KeyCustody(**each.model_dump()) for each in found.keys),
    )


def read_owed(folder: Path, supplied: Supplied, decimals: Mapping[str, int]) -> tuple[Owed, ...] | None:
    """The customer file of a bundle; None where it has none. Raises BadEvidence."""
    if supplied.customers_as_of is None:
        return None
    try:
        return read_customers(folder / places.CUSTOMERS, decimals)
    except BooksError as error:
        mistake = error.mistakes[0]
        raise BadEvidence(places.CUSTOMERS, f"line {mistake.line}: {mistake.key}: {mistake.message}") from error


def supplied_problems(folder: Path, supplied: Supplied) -> Iterator[Problem]:
    """Whether the copies are those that documents.json lists, and none is one too many."""
    named = {each.path: each.sha256 for each in supplied.documents}
    for path, digest in sorted(named.items()):
        wrong = name_problem(path) or ("" if path.startswith(f"{places.ATTACHMENTS}/") else "is no attachment")
        if wrong:
            yield Problem(path, wrong)
        elif not (folder / path).is_file():
            yield Problem(path, "is missing")
        elif digest_of(folder / path) != digest:
            yield Problem(path, f"is not the document that {places.DOCUMENTS} lists")
    for file in listed(folder, places.ATTACHMENTS):
        if f"{places.ATTACHMENTS}/{file.name}" not in named:
            yield Problem(f"{places.ATTACHMENTS}/{file.name}", f"is one too many: {places.DOCUMENTS} does not list it")
    if supplied.customers_as_of is None and (folder / places.CUSTOMERS).exists():
        yield Problem(places.CUSTOMERS, f"is one too many: {places.DOCUMENTS} does not list it")


def attachments(supplied: Supplied) -> list[dict[str, Any]]:
    """Rows of the table evidence.attachments."""
    return [asdict(each) for each in supplied.documents]


def key_custody(supplied: Supplied, wallets: Mapping[str, tuple[str, str]], proved: Mapping[str, str]) -> Json:
    """The block key_custody: a row for each configured wallet. ``wallets``: chain and custodian by name.

    ``proved``: the newest day on which control of an address of the wallet was proved. Raises BadEvidence.
    """
    said = {each.wallet: each for each in supplied.keys}
    unknown = sorted(said.keys() - wallets.keys())
    if unknown:
        raise BadEvidence(places.DOCUMENTS, f"keys: {unknown[0]} is no configured wallet")
    rows = []
    for wallet, (chain, custodian) in wallets.items():
        if (each := said.get(wallet)) is not None:
            rows.append(
                {
                    "wallet": wallet,
                    "chain": chain,
                    "control": each.control,
                    "threshold": each.threshold,
                    "keys": each.keys,
                    "custodian": custodian,
                    "holders": each.holders,
                    "place": each.place,
                    "control_proved_on": proved.get(wallet),
                }
            )
    return {"facts": {}, "tables": {"wallets": rows}}
