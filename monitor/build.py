"""From a configuration to the parts of a running monitor; shared by `run`, `once` and the demo."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any

from chains.core.chain import Chain
from chains.core.errors import ChainError
from chains.core.registry import open_kind
from monitor.assess import Custody, Facts, Limits, Provider
from monitor.attribute import Rules
from monitor.closing import Closing
from monitor.completeness import Completeness
from monitor.config.addresses import DEFAULT_GAP
from monitor.config.models import Declared, Funds, Liabilities, Prices, Statements
from monitor.config.resolved import Config
from monitor.connections import Connections
from monitor.control.handed import read_one
from monitor.control.render import causes, challenge_row
from monitor.cycle import Cycles
from monitor.detect import Announcement, Ceremony, Grace, Halting
from monitor.evidence import EvidenceFolder
from monitor.follow import Follower
from monitor.health import Health, Loaded
from monitor.inbox import Inbox, Submission
from monitor.ledger import reader
from monitor.ledger.journal import JournalError
from monitor.ledger.store import Ledger
from monitor.logs import hide
from monitor.model import Case, Notice, Severity, Tier, Wallet
from monitor.profiles import read_profiles
from monitor.proving import Proving, Undetermined, read_wanted
from monitor.publish.actions import Unknown
from monitor.publish.deliver import Receiver, receivers
from monitor.rules.codec import to_json
from monitor.signing.keys import ReportKey, load_or_make
from monitor.step import Outcome
from monitor.step.observations import CeremonyAnnounced, CeremonyCancelled, CeremonyConfirmed, ShadowAsked
from monitor.step.setup import SKEW, Setup
from monitor.step.writer import Writer, utc_now
from monitor.watchlist import WatchList


@dataclass(frozen=True, slots=True)
class Monitor:
    """The parts of a running monitor, wired."""

    config: Config
    ledger: Ledger
    health: Health
    setup: Setup
    writer: Writer
    chains: Mapping[str, Chain]
    followers: Mapping[str, Follower]
    inbox: Inbox
    cycles: Cycles
    watchlist: WatchList
    receivers: tuple[Receiver, ...]
    key: ReportKey
    connections: Connections

    @property
    def proving(self) -> Proving:
        """Issues challenges to show control, and takes the answers."""
        return Proving(self.config, self.ledger, self.writer, self.chains, self.watchlist.locators)

    async def cycle(self, kind: str) -> Outcome:
        """One cycle on what the books say now."""
        await self.inbox.read_all()
        books = await self.inbox.books()
        anchored = self.cycles.anchored
        self.cycles.unseen = {name: one.unseen_above(anchored.get(name, -1)) for name, one in self.followers.items()}
        return await self.cycles.run(kind, books)

    async def seal(self) -> None:
        """Sign a tree head over the journal as it stands. Raises JournalError where it is not what was written.

        That is no case: it would stand in the very journal that cannot be trusted. It is a problem until a head can
        be signed again, shown in the status, as a metric and by an alert.
        """
        try:
            await self.writer.seal(self.key)
        except JournalError as error:
            self.health.problem("journal", "", str(error))
            raise
        self.health.solved("journal", "")

    async def close(self) -> None:
        """The close of the business day: its verdict with its evidence, and a tree head that holds both."""
        await self.kept(await self.cycle("close"))
        await self.seal()

    async def kept(self, outcome: Outcome) -> Outcome:
        """``outcome`` of a cycle, once its evidence was written."""
        assert outcome.inputs is not None
        assert outcome.verdict is not None
        await Closing(self.config, self.ledger, self.writer, self.chains).keep(
            outcome.inputs, outcome.verdict, outcome.holdings
        )
        return outcome


@dataclass(frozen=True, slots=True)
class Desk:
    """What the API may ask for, each thing of the part that does it."""

    inbox: Inbox
    watchlist: WatchList
    proving: Proving

    async def approve(self, body: object) -> Submission:
        return await self.inbox.approve(body)

    async def act(self, case_id: str, action: str, name: str, reason: str, how: str = "none") -> Case:
        return await self.inbox.act(case_id, action, name, reason, how)

    async def notified(self, case_id: str, notice: Notice, name: str, reason: str, how: str = "none") -> Case:
        return await self.inbox.notified(case_id, notice, name, reason, how)

    async def add_addresses(self, wallet: str, addresses: Sequence[str], by: str) -> list[str]:
        return await self.watchlist.add(wallet, addresses, by)

    async def announce(self, wanted: Announcement, name: str, user: str) -> Ceremony:
        return await self.inbox.ceremony(CeremonyAnnounced(wanted, name, user))

    async def confirm(self, ceremony_id: str, name: str, user: str) -> Ceremony:
        return await self.inbox.ceremony(CeremonyConfirmed(ceremony_id, name, user))

    async def cancel(self, ceremony_id: str, name: str, reason: str, user: str) -> Ceremony:
        return await self.inbox.ceremony(CeremonyCancelled(ceremony_id, name, reason, user))

    async def ask_control(self, body: object) -> list[dict[str, Any]]:
        try:
            return [challenge_row(each) for each in await self.proving.ask(read_wanted(body))]
        except (Undetermined, ChainError) as error:
            raise Unknown("; ".join(causes(error))) from error

    async def show_control(self, body: object) -> list[dict[str, Any]]:
        try:
            return [await self.proving.judged(read_one(body))]
        except ChainError as error:
            raise Unknown("; ".join(causes(error))) from error


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Monitor]:
    """Open the ledger and connect the chains; everything is closed again at the end.

    Raises LedgerError where the ledger cannot be opened or another porwatch has it, SecretError where
    the report key cannot be used, ShadowRefused where the configured shadow may not be.
    """
    hide(config.secrets())
    async with AsyncExitStack() as stack:
        ledger = Ledger(config.store_url(), password=config.store_password())
        stack.callback(ledger.close)
        key = load_or_make(config.report_key_path)
        now = utc_now()
        health = Health(started_at=now, chains=tuple(config.chains), loaded=Loaded(config.sha256, now))
        connections = await stack.enter_async_context(Connections(health))
        chains = {name: connections.open(config, name) for name in config.chains}
        setup = _setup(config)
        writer = await stack.enter_async_context(Writer(ledger, setup, health))
        await writer.take(ShadowAsked(config.shadow_end))
        yield _wired(_Base(ledger, health, writer, key, connections), config, setup, chains, {})


def rewired(monitor: Monitor, config: Config, chains: Mapping[str, Chain]) -> Monitor:
    """The same monitor by another configuration. Nothing of it runs yet, and ``monitor`` is as it was.

    What is watched stays watched, also where a file has dropped it. Reads the ledger: not to be called on the loop.
    """
    hide(config.secrets())
    base = _Base(monitor.ledger, monitor.health, monitor.writer, monitor.key, monitor.connections)
    after = _wired(base, config, _setup(config), chains, monitor.watchlist.locators)
    for name, follower in after.followers.items():
        if name in monitor.followers:
            follower.go_on_from(monitor.followers[name])
    same = {name for name, chain in chains.items() if monitor.chains.get(name) is chain}
    after.cycles.go_on_from(monitor.cycles, same)
    return after


@dataclass(frozen=True, slots=True)
class _Base:
    """What stays for as long as the process lives."""

    ledger: Ledger
    health: Health
    writer: Writer
    key: ReportKey
    connections: Connections


def _wired(
    base: _Base,
    config: Config,
    setup: Setup,
    chains: Mapping[str, Chain],
    followed: Mapping[str, Mapping[str, str]],
) -> Monitor:
    """``followed``: what was watched until now, by chain."""
    ledger, health, writer = base.ledger, base.health, base.writer
    inbox = Inbox(config, setup, ledger, writer, health)
    locators = _locators(config, ledger, followed)
    for name, wallets in locators.items():
        setup.owners[name].update({locator: setup.wallets[wallet] for locator, wallet in wallets.items()})
    checks = {
        name: Completeness(chain, ledger, writer, health, _cold(config, locators[name]))
        for name, chain in chains.items()
    }
    evidence = EvidenceFolder(config.state_folder)
    followers = {
        name: Follower(
            chain=chain,
            wallets=locators[name],
            start=config.chains[name].start,
            quorum=config.chains[name].needed_quorum(),
            endpoints=sum(not endpoint.hint_only for endpoint in config.chains[name].endpoints),
            ledger=ledger,
            writer=writer,
            health=health,
            before_outflow=inbox.read_approvals,
            checks=checks[name],
            write_evidence=evidence.write,
            late=_late(config, name),
        )
        for name, chain in chains.items()
    }
    cycles = Cycles(
        chains=chains,
        ledger=ledger,
        writer=writer,
        health=health,
        checks=checks,
        reload=lambda name: followers[name].reload(),
        prove_every=config.schedule.prove,
    )

    def grow(name: str, new: Sequence[str]) -> None:
        followers[name].grow(new)
        checks[name].cold = _cold(config, locators[name])

    watchlist = WatchList(config, setup, ledger, writer, health, locators, grow)
    told = receivers(config.alertmanagers)
    return Monitor(
        config,
        ledger,
        health,
        setup,
        writer,
        chains,
        followers,
        inbox,
        cycles,
        watchlist,
        told,
        base.key,
        base.connections,
    )


def _locators(config: Config, ledger: Ledger, until_now: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """What is watched: the configuration's locators, those that were added or followed, and what queries gave before.

    Of the wallets that the configuration still has. The first look at a query drops what it no longer gives.
    """
    found: dict[str, dict[str, str]] = {}
    with ledger.read() as connection:
        for chain, locators in config.locators.items():
            here = {name: wallet for name, wallet in config.wallet_settings.items() if wallet.chain == chain}
            asked = {name for name, wallet in here.items() if wallet.addresses_sql is not None}
            followed = reader.watched(connection, chain).items() if asked else ()
            given = {locator: item.wallet for locator, item in followed if item.wallet in asked}
            added = {locator: name for locator, name in reader.added(connection, chain).items() if name in here}
            before = {locator: name for locator, name in until_now.get(chain, {}).items() if name in here}
            rest = {one: name for one, name in {**given, **before, **added}.items() if one not in locators}
            found[chain] = {**locators, **rest}
    return found


def _late(config: Config, chain: str) -> dict[str, str]:
    """The locators in the last fifth of each ranged descriptor, with a name for that range."""
    settings = config.chains[chain]
    found: dict[str, str] = {}
    for wallet in config.wallet_settings.values():
        if wallet.chain != chain:
            continue
        first, last = wallet.range or (0, (wallet.gap_limit or DEFAULT_GAP) - 1)
        begin = first + (last - first + 1) * 4 // 5
        for number, descriptor in enumerate(wallet.descriptors, start=1):
            if "*" in descriptor:
                late = open_kind(settings.kind).derive(descriptor, begin, last, settings)
                found |= dict.fromkeys(late, f"{wallet.name} descriptor {number} {first}-{last}")
    return found


def _cold(config: Config, locators: Mapping[str, str]) -> tuple[str, ...]:
    """The cold accounts that are checked after every block: the first ones in configured order, up to the limit."""
    cold = {wallet.name for wallet in config.wallets if wallet.tier is Tier.COLD}
    return tuple([locator for locator, wallet in locators.items() if wallet in cold][: config.policy.cold_every_block])


def facts_of(config: Config) -> Facts:
    """What a verdict depends on besides what is read: the configuration's part of its evidence."""
    books, policy, found = config.books, config.policy, read_profiles(config)
    return Facts(
        entity=config.entity.name,
        currency=config.entity.currency,
        timezone=config.entity.timezone,
        assets=config.decimals,
        wallets=tuple(_custody(config, wallet) for wallet in config.wallets),
        custodians={
            name: Provider(name, each.status, each.notified_on, each.affiliate)
            for name, each in sorted(config.custodians.items())
        },
        limits=Limits(
            liabilities=_seconds(books.liabilities),
            prices=_seconds(books.prices),
            statements=_seconds(books.statements),
            funds=_seconds(books.funds),
            declared=_seconds(books.declared),
        ),
        credits_seen=books.liabilities is not None and books.liabilities.credited == "seen",
        concentration_percent=policy.concentration_percent,
        window_dressing_percent=policy.window_dressing_percent,
        configured=tuple(found)[: len(config.profiles)],
        profiles=tuple(to_json(profile) for profile in found.values()),
    )


def _seconds(book: Liabilities | Prices | Statements | Funds | Declared | None) -> int:
    return 0 if book is None else int(book.max_age.total_seconds())


def _custody(config: Config, wallet: Wallet) -> Custody:
    settings = config.wallet_settings[wallet.name]
    provider = settings.system_provider
    return Custody(
        wallet=wallet.name,
        chain=wallet.chain,
        tier=wallet.tier,
        owner=wallet.owner,
        custodian=wallet.custodian,
        staked=settings.staked,
        encumbered=settings.encumbered or "",
        provider=None if provider is None else Provider(provider.name, provider.status, provider.notified_on),
    )


def _setup(config: Config) -> Setup:
    wallets = {wallet.name: wallet for wallet in config.wallets}
    grace = config.policy.approval_grace
    prices = config.books.prices
    return Setup(
        wallets=wallets,
        owners={
            chain: {locator: wallets[name] for locator, name in locators.items()}
            for chain, locators in config.locators.items()
        },
        natives={name: settings.native for name, settings in config.chains.items()},
        carried={name: (settings.native, *settings.tokens_by_asset()) for name, settings in config.chains.items()},
        skews={name: SKEW[settings.kind] for name, settings in config.chains.items()},
        decimals=config.decimals,
        rules=Rules(config.books.approvals is not None, config.policy.cold_needs_approval),
        grace=Grace(grace.cold, grace.hot, Fraction(grace.up_to_percent)),
        known={
            (chain, tier): config.allow["cold" if tier is Tier.COLD else "hot"].get(chain, frozenset())
            for chain in config.chains
            for tier in Tier
        },
        quorums={name: settings.needed_quorum() for name, settings in config.chains.items()},
        receivers=tuple(receiver.name for receiver in receivers(config.alertmanagers)),
        facts=facts_of(config),
        breach_after=config.policy.breach_after,
        price_max_age=timedelta(0) if prices is None else prices.max_age,
        halting=_halting(config),
        ceremonies_required=frozenset(
            name for name, each in config.wallet_settings.items() if each.ceremonies == "required"
        ),
    )


def _halting(config: Config) -> Halting | None:
    halt = config.halt
    if halt is None:
        return None
    minimum = Severity(halt.minimum_severity)
    return Halting(frozenset(halt.rules), minimum, halt.lone_witness, halt.limit_per_hour, halt.dry_run)
