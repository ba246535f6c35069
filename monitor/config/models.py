"""Every key of the configuration with its default and its meaning (docs/reference/configuration.md is made of this).

Keys of ``chains.NAME`` are the chain packages' own. Paths stay as written: ``Config.path`` resolves them.
"""

from __future__ import annotations

import re
from datetime import time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field, model_validator

from chains.core.settings import ChainSettings, Strict
from monitor.config.fields import (
    Account,
    CertificateName,
    Currency,
    Day,
    Decimals,
    Duration,
    FileName,
    HeaderName,
    Interval,
    Listen,
    LongText,
    Name,
    Network,
    Percent,
    Symbol,
    Text,
    TimeOfDay,
    TimeZone,
    WebUrl,
)

LATER = "Accepted and checked; takes effect in a later version."
SHIPPED_PROFILES = (
    "jp-psa-2020",
    "jp-fiea-2026",
    "hk-vatp",
    "kr-vaupa",
    "sg-psr",
    "eu-mica-casp",
    "eu-emt",
    "us-genius",
)
#: labels that porwatch sets itself on every alert
OWN_LABELS = (
    *("alertname", "severity", "category", "rule", "chain", "wallet", "tier", "asset"),
    *("case_id", "incident", "incident_part"),
)
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,127}")


class Entity(Strict):
    """The exchange that is watched."""

    name: Text = Field(description="Legal name, as reports print it.")
    currency: Currency = Field(default="USD", description="Currency in which values are shown (ISO 4217).")
    timezone: TimeZone = Field(default="UTC", description="Time zone of the business day (tz database name).")
    lei: Text | None = Field(default=None, description="Legal entity identifier (ISO 17442), as reports print it.")
    registration: Text | None = Field(default=None, description="Registration number with the authority.")


class Store(Strict):
    """The ledger."""

    url: Text = Field(
        description="sqlite:///FILE (relative to this file), or postgresql+psycopg://USER@HOST:PORT/NAME."
    )
    password_file: FileName | None = Field(default=None, description="File with the password of the PostgreSQL user.")
    folder: FileName | None = Field(
        default=None,
        description="Where files of porwatch's own are kept: evidence, and the report key without signing.key_file. "
        "Default: beside the SQLite file, else beside this file.",
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"url": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _known_store(self) -> Store:
        parts = urlsplit(self.url)
        if self.url.startswith("sqlite:///") and len(self.url) > len("sqlite:///") and "?" not in self.url:
            if self.password_file is not None:
                raise ValueError("password_file belongs to PostgreSQL: remove it")
            return self
        if parts.scheme != "postgresql+psycopg" or not parts.hostname or parts.path in {"", "/"}:
            raise ValueError(
                "must be sqlite:///FILE or postgresql+psycopg://USER@HOST:PORT/NAME, e.g. sqlite:///porwatch.db"
            )
        if parts.password is not None or any("password" in key for key, _ in parse_qsl(parts.query)):
            raise ValueError(
                "holds a password: write url: postgresql+psycopg://USER@HOST/NAME and password_file: secrets/store"
            )
        return self


RoleName = Literal["viewer", "responder", "administrator", "regulator"]


class WebRoles(Strict):
    """Who may do what. Whoever logs in and stands nowhere here is refused."""

    users: Annotated[dict[Account, RoleName], Field(max_length=1000)] = Field(
        default={}, description="By user: of basic_auth_users in the web configuration file, or of the trusted proxy."
    )
    certificates: Annotated[dict[CertificateName, RoleName], Field(max_length=1000)] = Field(
        default={},
        description="By a name in the client certificate: CN:… of its subject, or DNS:…, URI:…, EMAIL:…, IP:….",
    )


class TrustedProxy(Strict):
    """A proxy that logs people in and says in a header who calls."""

    addresses: Annotated[tuple[Network, ...], Field(strict=False, max_length=64)] = Field(
        description="Where it connects from: addresses or networks (10.0.0.0/24). From elsewhere the header is refused."
    )
    header: HeaderName = Field(description="The header with the user, set by the proxy whatever the client sends.")

    @model_validator(mode="after")
    def _somewhere(self) -> TrustedProxy:
        if not self.addresses:
            raise ValueError("addresses is empty: write where the proxy connects from, e.g. [127.0.0.1]")
        return self


class Web(Strict):
    """The console, the API and the metrics."""

    listen: Listen = Field(default="127.0.0.1:9899", description="host:port to listen on; port 0 takes a free one.")
    external_url: WebUrl | None = Field(
        default=None,
        description="Address under which people reach porwatch; links in alerts begin with it. Default: http://LISTEN.",
    )
    config_file: FileName | None = Field(
        default=None,
        description=(
            "TLS, basic authentication and client certificates, in the exporter-toolkit format. "
            "Read again when it or a file that it names changes."
        ),
    )
    roles: WebRoles = Field(default=WebRoles(), description="Who may do what.")
    trusted_proxy: TrustedProxy | None = Field(
        default=None, description="A proxy that logs people in and says in a header who calls."
    )
    public_metrics: bool = Field(
        default=False, description="/metrics asks nobody to log in; false: a viewer, once anybody can log in."
    )
    enable_lifecycle: bool = Field(default=False, description="Allows POST /-/reload; SIGHUP always reloads.")


def _labels(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if _LABEL.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no label name: write letters, digits and _, not beginning with a digit")
        if name in OWN_LABELS:
            raise ValueError(f"porwatch sets the label {name} itself: choose another name")
    return value


def _people(value: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({name for name in value if value.count(name) > 1})
    if twice:
        raise ValueError(f"{twice[0]} is listed twice: remove one")
    return value


class Alertmanager(Strict):
    """One Alertmanager."""

    url: WebUrl = Field(description="Its own address (every replica separately), without credentials.")
    labels: Annotated[dict[str, Text], AfterValidator(_labels)] = Field(
        default={}, description="Labels added to every alert sent there."
    )
    redact: bool = Field(
        default=False,
        description="Alerts sent there carry no address, no transaction and no exact amount, only its magnitude.",
    )
    recipients: Annotated[tuple[Text, ...], Field(strict=False, max_length=200), AfterValidator(_people)] = Field(
        default=(),
        description="Everyone who gets what is sent there, by name: alerts about outflows are inside information. "
        "Required where a profile says so (jp-fiea-2026).",
    )


class Deadman(Strict):
    """A heartbeat to a dead-man's switch outside, sent only while every chain is fresh."""

    url_file: FileName | None = Field(default=None, description="File with the URL that is called; none: no heartbeat.")
    every: Interval = Field(default=timedelta(seconds=60), description="How often.")


#: rules whose cases may ask for a halt: those that say that assets leave, or that somebody changes what may leave
HaltRule = Literal[
    "unexplained_outflow",
    "cold_without_approval",
    "residual",
    "sequence_gap",
    "altered_approval",
    "bad_approval_signature",
    "control_drift",
]
HALT_RULES: tuple[str, ...] = get_args(HaltRule)


class Halt(Strict):
    """A signed request to the exchange's own system to halt withdrawals. porwatch itself moves nothing."""

    url: WebUrl | None = Field(default=None, description="Where the request goes: https, or loopback.")
    url_file: FileName | None = Field(default=None, description="File with that URL, where it is itself a secret.")
    secret_file: FileName = Field(
        description="File with the secret that requests are signed with (HMAC-SHA256): 32 characters or more."
    )
    ca_file: FileName | None = Field(
        default=None,
        description="Certificates in PEM form that the server's own must lead to, instead of the system's.",
    )
    rules: Annotated[tuple[HaltRule, ...], Field(strict=False)] = Field(description="Rules whose cases ask for a halt.")
    minimum_severity: Literal["critical", "warning", "info"] = Field(
        default="critical", description="Less severe cases ask for none."
    )
    lone_witness: bool = Field(
        default=False,
        description="true: also a case that too few endpoints show yet. false: it waits until the quorum confirms it.",
    )
    limit_per_hour: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3, description="Requests within an hour; a case beyond it asks for none, says so, and pages as ever."
    )
    dry_run: bool = Field(default=True, description="true: what would be sent is recorded and logged, and not sent.")

    @model_validator(mode="after")
    def _one_address(self) -> Halt:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("needs exactly one of url, url_file: write one of them")
        if self.url is not None and not may_be_asked(self.url):
            raise ValueError(
                "url: its answer is believed, so it must not be forged: write https://, or a loopback address"
            )
        if not self.rules or len(set(self.rules)) != len(self.rules):
            raise ValueError("rules: is empty or names a rule twice: write each rule once")
        return self


def may_be_asked(url: str) -> bool:
    """Whether what answers at a web address is known: by its certificate, or because it is this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in {"127.0.0.1", "::1", "localhost"}


class Asset(Strict):
    """What an amount of this asset in the books means."""

    decimals: Decimals = Field(description="Decimals of one coin: the largest of all chains that carry it.")


class SqlAddresses(Strict):
    """Addresses from a database."""

    dsn_file: FileName = Field(description="File with the database URL.")
    query: LongText = Field(description="Query whose first column is the address. Asked every second.")


class SystemProvider(Strict):
    """Who runs an important system of a wallet (重要システム提供者)."""

    name: Text = Field(description="Its name.")
    status: Literal["notified", "pending", "not_needed"] = Field(description="Whether the authority has been told.")
    notified_on: Day | None = Field(default=None, description="When.")


class Custodian(Strict):
    """A third party that keeps keys of wallets or holds what statements say."""

    status: Literal["notified", "pending", "not_needed"] = Field(description="Whether the authority has been told.")
    notified_on: Day | None = Field(default=None, description="When.")
    affiliate: bool = Field(default=False, description="Whether it belongs to the entity's own group.")


class WalletSettings(Strict):
    """Accounts under one custody arrangement. At least one of the four sources of addresses is needed."""

    name: Name = Field(description="Unique; a label in metrics and alerts.")
    chain: Text = Field(description="A name under chains.")
    tier: Literal["cold", "warm", "hot"] = Field(
        description="Storage tier. What is not cold counts as hot for the law."
    )
    owner: Literal["customer", "house", "guarantee", "reserve"] = Field(
        default="customer", description="Whose assets: only customer wallets count as held against what is owed."
    )
    custodian: Text = Field(default="self", description="Who holds the keys: self, or a name under custodians.")
    staked: bool = Field(default=False, description="Staked assets: they count as each profile says.")
    encumbered: Text | None = Field(
        default=None, description="Claim of somebody else (pledge, seizure): what is there counts nowhere."
    )
    system_provider: SystemProvider | None = Field(
        default=None, description="Who runs an important system of this wallet."
    )
    addresses: Annotated[tuple[LongText, ...], Field(strict=False)] = Field(
        default=(), description="Addresses, or script:HEX on Bitcoin."
    )
    addresses_file: FileName | None = Field(
        default=None,
        description="One address a line, an optional label after a comma, # comments. Read again when it changes.",
    )
    addresses_sql: SqlAddresses | None = Field(
        default=None, description="Addresses from a database: what it adds is followed at once."
    )
    descriptors: Annotated[tuple[LongText, ...], Field(strict=False)] = Field(
        default=(), description="Output descriptors, with or without checksum (Bitcoin)."
    )
    gap_limit: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None,
        description="How many addresses of each ranged descriptor are watched, from 0. Default without range: 1000.",
    )
    range: Annotated[tuple[int, int], Field(strict=False)] | None = Field(
        default=None, description="First and last index of each ranged descriptor, instead of gap_limit."
    )
    ceremonies: Literal["optional", "required"] = Field(
        default="optional",
        description=(
            "required: whatever this cold wallet signs outside a confirmed window of an announced ceremony opens a "
            "case, approved or not."
        ),
    )
    control: Literal["auto", "safe", "proxy", "eoa"] = Field(
        default="auto", description=f"What controls the addresses (EVM). {LATER}"
    )


class Sql(Strict):
    """A book that is read from a database, SQLite or PostgreSQL; porwatch only reads there."""

    dsn_file: FileName = Field(description="File with the database URL; a SQLite file is relative to it.")
    query: LongText = Field(description="Query whose columns are named as the file's; amounts as text or NUMERIC.")


class Book(Strict):
    """A book: declared records from a file or from a database."""

    file: FileName | None = Field(default=None, description="The file.")
    sql: Sql | None = Field(default=None, description="A database instead of the file.")

    @model_validator(mode="after")
    def _one_source(self) -> Book:
        written = [name for name in self.sources() if getattr(self, name) is not None]
        if len(written) != 1:
            raise ValueError(f"needs exactly one of {', '.join(self.sources())}: write one of them")
        return self

    @classmethod
    def sources(cls) -> tuple[str, ...]:
        return ("file", "sql")


class Liabilities(Book):
    """What is owed to customers: asset,amount,as_of."""

    max_age: Interval = Field(default=timedelta(hours=26), description="Older liabilities make coverage UNVERIFIED.")
    credited: Literal["final", "seen"] = Field(
        default="final",
        description="When a deposit is owed to the customer: once its block is final, or as soon as it is seen.",
    )


_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def _column(value: str) -> str:
    if _COLUMN.fullmatch(value) is None:
        raise ValueError(f"{value!r} is no plain name of a column: give it one in the query (AS name)")
    return value


Column = Annotated[Text, AfterValidator(_column)]
ApprovalKey = Literal[
    "id",
    "chain",
    "asset",
    "amount",
    "destination",
    "tag",
    "wallet",
    "not_before",
    "not_after",
    "max_fee",
    "txid",
    "safe_tx_hash",
    "outputs_hash",
    "batch",
    "batch_size",
    "signature",
]


class Statuses(Strict):
    """What a row's status means; a row of any other status is not yet an approval."""

    column: Column = Field(description="The column with the status.")
    approved: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)] = Field(
        description="Statuses of an approval."
    )
    cancelled: Annotated[tuple[Text, ...], Field(strict=False)] = Field(
        default=(), description="Statuses of an approval that was taken back."
    )


class ApprovalsSql(Sql):
    """Approvals in a database: rows that are only ever added, or changed with a larger cursor."""

    query: LongText = Field(description="Query with a row for each approval.")
    cursor: Column = Field(
        description="Column that grows with every row and every change of a row: a whole number, a time or text."
    )
    overlap: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=1000,
        description="So many rows before the last one are read again: for transactions that commit out of order.",
    )
    columns: dict[ApprovalKey, Column] = Field(
        default={}, description="Column of each key of an approval, where it is not named as the key."
    )
    statuses: Statuses | None = Field(default=None, description="Which rows count; none: every row is an approval.")
    amount_is: Literal["gross", "net"] = Field(
        default="gross", description="net: fee_column is added to the amount. What leaves the wallet must come out."
    )
    fee_column: Column | None = Field(default=None, description="Fee in the approval's asset, added to a net amount.")
    heartbeat_query: LongText | None = Field(
        default=None, description="Query of one row: the time up to which the feed is complete."
    )

    @model_validator(mode="after")
    def _fee_of_net(self) -> ApprovalsSql:
        if (self.amount_is == "net") != (self.fee_column is not None):
            raise ValueError("amount_is: net and fee_column belong together: write both, or neither")
        return self


class Approvals(Book):
    """What may leave: a file of JSON lines that is appended to, or a query. POST /api/v1/approvals works beside it."""

    sql: ApprovalsSql | None = Field(default=None, description="A database instead of the file.")
    keys_file: FileName | None = Field(
        default=None,
        description="ed25519 public keys, one a line: name and 32 bytes in hex or base64. Every record must be signed.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Approvals:
        if self.file is not None and self.sql is not None:
            raise ValueError("has both file and sql: write one of them")
        return self


class Funds(Book):
    """Money and insurance set aside against loss."""

    max_age: Interval = Field(
        default=timedelta(days=40), description="Older funds make every check that needs them UNVERIFIED."
    )


class Prices(Book):
    """What one coin is worth: asset,currency,price,as_of."""

    max_age: Interval = Field(default=timedelta(hours=26), description="Older prices are not used.")
    history: FileName | None = Field(
        default=None, description="Closing prices by day, for means: asset,currency,day,price."
    )


class Declared(Strict):
    """Declared figures that no chain shows: net assets, volumes, audits, the trust."""

    file: FileName = Field(description="The file.")
    max_age: Interval = Field(
        default=timedelta(days=40), description="Older figures make every check that needs them UNVERIFIED."
    )


class Statements(Book):
    """What custodians state about assets that no supported chain shows: custodian,asset,amount,as_of,owner,tier."""

    max_age: Interval = Field(default=timedelta(days=40), description="Older statements make what they state unknown.")


class Proposals(Book):
    """Transactions proposed to multi-signature wallets, before they are executed."""

    file: FileName | None = Field(default=None, description=f"Folder with Safe proposals as JSON. {LATER}")
    url: WebUrl | None = Field(default=None, description=f"Safe transaction service, instead of the folder. {LATER}")
    api_key_file: FileName | None = Field(default=None, description=f"API key of that service. {LATER}")

    @classmethod
    def sources(cls) -> tuple[str, ...]:
        return ("file", "sql", "url")

    @model_validator(mode="after")
    def _key_with_url(self) -> Proposals:
        if self.api_key_file is not None and self.url is None:
            raise ValueError("api_key_file belongs to url: write url, or remove api_key_file")
        return self


class Books(Strict):
    """What the exchange declares. A book that is left out is not there: nothing is taken as zero."""

    liabilities: Liabilities | None = Field(default=None, description="What is owed to customers.")
    approvals: Approvals | None = Field(
        default=None,
        description="What may leave. Without it hot outflows are counted as not attributed; cold ones always page.",
    )
    funds: Funds | None = Field(default=None, description="Money and insurance set aside against loss.")
    declared: Declared | None = Field(
        default=None, description="Net assets, volumes, audits and other figures that no chain shows."
    )
    prices: Prices | None = Field(default=None, description="Prices for the values shown with amounts.")
    statements: Statements | None = Field(default=None, description="Custodians' statements: held, and never verified.")
    proposals: Proposals | None = Field(default=None, description=f"Proposed multi-signature transactions. {LATER}")


class ApprovalGrace(Strict):
    """How long an outflow may wait for its approval before it pages."""

    cold: Duration = Field(default=timedelta(0), description="For cold wallets.")
    hot: Duration = Field(default=timedelta(seconds=120), description="For warm and hot wallets.")
    up_to_percent: Percent = Field(
        default=Decimal(1), description="Only outflows below this share of the wallet's balance may wait; 0: none."
    )


class Allow(Strict):
    """Destinations known beforehand. A known destination never explains an outflow; cases show it as known."""

    cold: Annotated[tuple[LongText, ...], Field(strict=False)] = Field(
        default=(), description="For cold and guarantee wallets."
    )
    hot: Annotated[tuple[LongText, ...], Field(strict=False)] = Field(
        default=(), description="For warm and hot wallets."
    )


class Policy(Strict):
    """What the exchange asks of itself."""

    cold_needs_approval: bool = Field(
        default=True, description="Even a move from a cold wallet to an own hot wallet needs an approval."
    )
    approval_grace: ApprovalGrace = Field(
        default=ApprovalGrace(), description="How long an outflow may wait for its approval."
    )
    allow: Allow = Field(default=Allow(), description="Destinations known beforehand; never an explanation.")
    breach_after: Duration = Field(
        default=timedelta(hours=1),
        description="A breach in provisional verdicts opens a case once it has lasted so long; at the close, at once.",
    )
    concentration_percent: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None,
        description="A wallet or custodian with more than this share of what customers have, by value, is a finding.",
    )
    window_dressing_percent: Percent = Field(
        default=Decimal(5),
        description="Round trips around a close with more than this share of what is owed in an asset open a case.",
    )
    cold_every_block: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=1000, description="Up to this many cold accounts are read at every block (EVM)."
    )


class Schedule(Strict):
    """When the timed work is done. Times of day are in the entity's time zone."""

    cycle: Interval = Field(default=timedelta(seconds=60), description="A provisional verdict.")
    prove: Interval = Field(
        default=timedelta(minutes=10), description="State proofs, and a comparison of all endpoints."
    )
    close: TimeOfDay = Field(default=time(0, 0), description="The close of the business day.")
    report: TimeOfDay = Field(
        default=time(6, 0), description="The daily report, of the last close: a draft in reports.folder."
    )


class Reports(Strict):
    """Where the daily report is written (schedule.report)."""

    folder: FileName = Field(
        default="reports", description="Folder of the daily reports; relative to the SQLite file, else to this file."
    )


class Signing(Strict):
    """What reports are signed with. The report key signs manifests and tree heads, and can move nothing."""

    key_file: FileName | None = Field(
        default=None,
        description=(
            "ed25519 private key in PEM form, mode 0600: openssl genpkey -algorithm ed25519. "
            "Default: report.key beside the SQLite file, else beside this file, made at first use."
        ),
    )
    certificate_file: FileName | None = Field(
        default=None,
        description="Certificate that signs the PDF (PAdES), in PEM form, followed by those between it and its root.",
    )
    certificate_key_file: FileName | None = Field(
        default=None, description="Private key of that certificate in PEM form, without a password, mode 0600."
    )
    tsa_url: WebUrl | None = Field(
        default=None, description="Time-stamp authority (RFC 3161), without credentials: it stamps signatures."
    )
    tsa_ca_file: FileName | None = Field(
        default=None, description="Certificates in PEM form that the authority's own must lead to."
    )

    @model_validator(mode="after")
    def _in_pairs(self) -> Signing:
        if (self.certificate_file is None) != (self.certificate_key_file is None):
            raise ValueError("certificate_file and certificate_key_file belong together: write both, or neither")
        if (self.tsa_url is None) != (self.tsa_ca_file is None):
            raise ValueError(
                "tsa_url and tsa_ca_file belong together, to check what was stamped: write both, or neither"
            )
        return self


Years = Annotated[int, Field(ge=1, le=100)]


class Retention(Strict):
    """How many years the evidence of closes is kept: never less than a configured profile's law asks for.

    Without a key: as long as that law asks; where it names no period, for ever. Only `porwatch retention --apply`
    deletes anything, and never of the journal.
    """

    customer_ledger: Years | None = Field(default=None, description="Books, inputs and verdict of each close.")
    daily_record: Years | None = Field(
        default=None, description="What every account held at each close, and what the chains testify."
    )


def _profile(value: str) -> str:
    if value == "baseline":
        raise ValueError("baseline is always on: remove it")
    if not is_profile_file(value) and value not in SHIPPED_PROFILES:
        raise ValueError(
            f"{value!r} is no shipped profile: write one of {', '.join(SHIPPED_PROFILES)}, or a file ending in .yaml"
        )
    return value


def is_profile_file(profile: str) -> bool:
    """Whether an entry of ``profiles`` is a file and not the name of a shipped profile."""
    return "/" in profile or profile.endswith((".yaml", ".yml"))


class Document(Strict):
    """A whole configuration file, as written."""

    entity: Entity = Field(description="The exchange that is watched.")
    store: Store = Field(description="The ledger: a URL, or url and password_file.")
    web: Web = Field(default=Web(), description="Where the console, the API and the metrics listen.")
    profiles: Annotated[tuple[Annotated[Text, AfterValidator(_profile)], ...], Field(strict=False)] = Field(
        default=(),
        description="Rules of jurisdictions: names of shipped profiles, or files. baseline is always on.",
    )
    alertmanagers: Annotated[tuple[Alertmanager, ...], Field(strict=False, max_length=16)] = Field(
        default=(), description="Every Alertmanager by its own address: each gets every alert."
    )
    deadman: Deadman = Field(default=Deadman(), description="Heartbeat to a dead-man's switch outside.")
    halt: Halt | None = Field(
        default=None, description="A signed request to halt withdrawals; without this section nothing is ever asked."
    )
    assets: Annotated[dict[Symbol, Asset], Field(min_length=1, max_length=1000)] = Field(
        description="Every asset by its symbol; one that is on no chain may be here for statements."
    )
    chains: Annotated[dict[Name, ChainSettings], Field(min_length=1, max_length=64)] = Field(
        description="Every chain by a name of your choice; the keys depend on its kind."
    )
    wallets: Annotated[tuple[WalletSettings, ...], Field(strict=False, min_length=1, max_length=10_000)] = Field(
        description="Every wallet that is watched."
    )
    custodians: Annotated[dict[Text, Custodian], Field(max_length=1000)] = Field(
        default={}, description="Third parties that keep keys or hold what statements say, by name."
    )
    books: Books = Field(default=Books(), description="What the exchange declares; each from a file or a database.")
    policy: Policy = Field(default=Policy(), description="What the exchange asks of itself.")
    shadow_until: Day | None = Field(
        default=None,
        description=(
            "Until this day begins in the entity's time zone, cases are recorded and shown, and none is paged. "
            "At most 90 days, once for each ledger."
        ),
    )
    schedule: Schedule = Field(default=Schedule(), description="When the timed work is done.")
    reports: Reports = Field(default=Reports(), description="Where the daily reports are.")
    retention: Retention = Field(default=Retention(), description="How long the evidence of closes is kept.")
    signing: Signing = Field(default=Signing(), description="What reports and the journal are signed with.")
