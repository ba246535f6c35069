"""Proof of control: challenges are issued here, and the answers to them taken.

What is signed or moved is judged by monitor.control and by the chain; that each challenge serves once, by the
step that remembers the answer.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain as joined

from chains.core.amounts import format_coins, parse_units
from chains.core.chain import Chain, ShowsControl
from chains.core.errors import AddressError, ChainError, WrongChain
from chains.core.ownership import BadProof, ProofKind, Shown
from chains.core.registry import open_kind
from chains.core.values import BlockRef
from monitor.config.fields import parse_duration
from monitor.config.resolved import Config
from monitor.control.challenge import BLOCK_AGE_MOST, Challenge, Instruction, check_form, check_time, compare, parse
from monitor.control.handed import Handed
from monitor.control.movement import Change, judge
from monitor.control.render import Row, refused_row, shown_row, undetermined_row
from monitor.ledger import control, reader
from monitor.ledger.store import Ledger
from monitor.model import ControlChallenge, ControlProof, utc
from monitor.step.observations import ControlAsked, ControlShown
from monitor.step.writer import Writer, utc_now

#: addresses of one wallet that are challenged at once: each answer is a person's work
CHALLENGES_MOST = 1_000
#: An instructed amount is a random one below a thousandth of a coin: nobody pays just that by chance.
_SHARE_DIGITS = 4
PURPOSE, EXPIRES = "proof of reserves", "7d"
_REQUEST = ("wallet", "address", "purpose", "expires", "movement", "destination")
_TXID = re.compile(r"(?:0x)?[0-9a-f]{64}")


class CannotAsk(ValueError):
    """No challenge can be issued as asked; the message says what to write instead."""


class Undetermined(Exception):
    """Whether a proof holds cannot be said yet; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks for: challenges for all addresses of a wallet, or for one of them.

    ``destination`` None: of an instructed movement, another address of our own.
    """

    wallet: str
    address: str | None
    purpose: str
    valid: timedelta
    movement: bool = False
    destination: str | None = None


def read_wanted(body: object) -> Wanted:
    """A request for challenges, given as decoded JSON: ``wallet``, and what else Wanted has. Raises CannotAsk."""
    if not isinstance(body, dict) or not {"wallet"} <= set(body) <= set(_REQUEST):
        raise CannotAsk(f'write {{"wallet": "…"}} and, where wanted, {", ".join(_REQUEST[1:])}')
    given = {key: value for key, value in body.items() if value is not None}
    movement = given.pop("movement", False)
    wrong = [key for key, value in given.items() if not isinstance(value, str)]
    if wrong or not isinstance(movement, bool):
        raise CannotAsk(f"{(wrong or ['movement'])[0]}: write a text, and true or false for movement")
    try:
        valid = parse_duration(given.get("expires", EXPIRES))
    except ValueError as error:
        raise CannotAsk(f"expires: {error}") from error
    destination = given.get("destination")
    if destination is not None and not movement:
        raise CannotAsk("destination belongs to movement: write both")
    purpose = given.get("purpose", PURPOSE)
    return Wanted(given.get("wallet", ""), given.get("address"), purpose, valid, movement, destination)


@dataclass(slots=True)
class Proving:
    """``locators``: wallet by chain and locator, of all that is watched."""

    config: Config
    ledger: Ledger
    writer: Writer
    chains: Mapping[str, Chain]
    locators: Mapping[str, Mapping[str, str]]
    clock: Callable[[], datetime] = utc_now

    async def ask(self, wanted: Wanted) -> tuple[ControlChallenge, ...]:
        """Issue a challenge for each address. Raises CannotAsk, Undetermined, WrongChain and other ChainErrors."""
        wallet = self.config.wallet_settings.get(wanted.wallet)
        if wallet is None:
            names = ", ".join(list(self.config.wallet_settings)[:20])
            raise CannotAsk(f"there is no wallet {wanted.wallet}: write one of {names}")
        locators = self._asked(wallet.chain, wanted)
        final = await self._final(wallet.chain)
        issued = tuple(self._draw_up(wallet.chain, locator, wanted, final) for locator in locators)
        await self.writer.take(ControlAsked(issued))
        return issued

    def _asked(self, chain: str, wanted: Wanted) -> list[str]:
        watched = self.locators[chain]
        if wanted.address is not None:
            locator = self._locator(chain, wanted.address)
            if watched.get(locator) != wanted.wallet:
                raise CannotAsk(f"{locator} is no address of wallet {wanted.wallet}")
            return [locator]
        found = [locator for locator, name in watched.items() if name == wanted.wallet]
        if not 0 < len(found) <= CHALLENGES_MOST:
            raise CannotAsk(f"wallet {wanted.wallet} has {len(found)} addresses: write --address for one of them")
        return found

    def _locator(self, chain: str, address: str) -> str:
        try:
            return self.config.locator(chain, address)
        except AddressError as error:
            raise CannotAsk(str(error)) from error

    async def _final(self, name: str) -> BlockRef:
        """The newest final block, of the right chain."""
        chain = self.chains[name]
        wrong = [each for each in await chain.identify() if each.state == "wrong"]
        if wrong:
            raise WrongChain(f"chain {name}: {wrong[0].endpoint}: {wrong[0].detail}")
        return (await chain.heads()).final

    def _draw_up(self, chain: str, locator: str, wanted: Wanted, final: BlockRef) -> ControlChallenge:
        now = self.clock().replace(microsecond=0)
        if now - utc(final.time) > BLOCK_AGE_MOST:
            behind = f"the newest final block of {chain} is {final.height}, of {utc(final.time):%Y-%m-%d %H:%M} UTC"
            raise Undetermined(f"{behind}: too old to show a date; are its nodes behind?")
        challenge = Challenge(
            entity=self.config.entity.name,
            purpose=wanted.purpose,
            chain=self.config.chains[chain].caip2,
            address=locator,
            height=final.height,
            block=final.hash,
            block_time=utc(final.time),
            nonce=secrets.token_hex(16),
            issued_at=now,
            expires_at=now + wanted.valid,
            instruction=self._instruction(chain, locator, wanted) if wanted.movement else None,
        )
        try:
            check_form(challenge)
        except ValueError as error:
            raise CannotAsk(f"such a challenge cannot be issued: {error}") from error
        times = {"issued_at": challenge.issued_at, "expires_at": challenge.expires_at}
        return ControlChallenge(challenge.id, challenge.nonce, chain, wanted.wallet, locator, challenge.text, **times)

    def _instruction(self, chain: str, locator: str, wanted: Wanted) -> Instruction:
        """A random odd amount of the native asset: of a token, whoever has an allowance could move it instead."""
        settings = self.config.chains[chain]
        native = settings.native
        decimals, scale = self.config.decimals[native], settings.scales(self.config.decimals)[native]
        base = 10 ** max(decimals - (len(str(scale)) - 1) - _SHARE_DIGITS, 0)
        units = (base + secrets.randbelow(9 * base) | 1) * scale
        return Instruction(native, format_coins(units, decimals), self._destination(chain, locator, wanted))

    def _destination(self, chain: str, locator: str, wanted: Wanted) -> str:
        watched = self.locators[chain]
        if wanted.destination is not None:
            given = self._locator(chain, wanted.destination)
            if given not in watched or given == locator:
                raise CannotAsk(f"--destination {given}: write another address of an own wallet on {chain}")
            return given
        mine = (each for each, name in watched.items() if name == wanted.wallet)
        for each in joined(mine, watched):
            if each != locator:
                return each
        raise CannotAsk(f"no other own address on {chain} could be paid: watch one, or ask for a signature")

    async def judged(self, handed: Handed) -> Row:
        """What became of an answer, as it is printed; a good one is remembered. Raises WrongChain."""
        try:
            return shown_row(handed, await self.prove(handed))
        except BadProof as error:
            return refused_row(handed, error)
        except WrongChain:
            raise
        except (Undetermined, ChainError) as error:
            return undetermined_row(handed, error)

    async def prove(self, handed: Handed) -> ControlProof:
        """Verify an answer and remember it. Raises BadProof, Undetermined, WrongChain and other ChainErrors."""
        challenge = parse(handed.challenge)
        issued = self._issued(challenge)
        if handed.kind is ProofKind.MOVEMENT:
            proof = self._moved(handed, challenge, issued)
        elif challenge.instruction is not None:
            raise BadProof("the challenge instructs a movement: a signature does not answer it")
        else:
            proof = await self._signed(handed, challenge, issued)
        await self.writer.take(ControlShown(challenge.nonce, proof))
        return proof

    def _issued(self, challenge: Challenge) -> ControlChallenge:
        """The challenge as it was issued here, and can still be answered. Raises BadProof."""
        with self.ledger.read() as connection:
            issued = control.control_challenge(connection, challenge.nonce)
            answered = issued is not None and control.is_answered(connection, issued.id)
        if issued is None:
            raise BadProof("the challenge was not issued by this porwatch")
        compare(challenge, parse(issued.text))
        if challenge.entity != self.config.entity.name:
            raise BadProof(f"the challenge is for {challenge.entity}, this is {self.config.entity.name}")
        settings = self.config.chains.get(issued.chain)
        if settings is None or settings.caip2 != challenge.chain:
            raise BadProof(f"the challenge is for chain {challenge.chain}, which {issued.chain} is not any more")
        if self.locators[issued.chain].get(issued.locator) != issued.wallet:
            raise BadProof(f"{issued.locator} is no address of wallet {issued.wallet} any more")
        check_time(challenge, self.clock())
        if answered:
            raise BadProof("the challenge was answered already: each serves once, ask for a new one")
        return issued

    async def _signed(self, handed: Handed, challenge: Challenge, issued: ControlChallenge) -> ControlProof:
        final = await self._final(issued.chain)
        chain = self.chains[issued.chain]
        if final.height < challenge.height:
            raise Undetermined(f"the nodes of {issued.chain} are at final block {final.height}, behind the challenge")
        at = BlockRef(issued.chain, challenge.height, challenge.block, "", int(challenge.block_time.timestamp()))
        if not await chain.is_canonical(at):
            raise BadProof(f"block {challenge.height} {challenge.block} has left the chain: ask for a new challenge")
        shown = await self._verified(chain, handed, issued, final)
        return ControlProof(issued.id, handed.kind.value, final, handed.proof, "", shown.detail, shown.funds)

    async def _verified(self, chain: Chain, handed: Handed, issued: ControlChallenge, final: BlockRef) -> Shown:
        message = issued.text.encode()
        if isinstance(chain, ShowsControl):
            return await chain.show_control(handed.kind, issued.locator, message, handed.proof, final)
        settings = self.config.chains[issued.chain]
        offline = getattr(open_kind(settings.kind), "verify_offline", None)
        if offline is None:
            raise BadProof(f"proofs of control cannot be verified for chains of kind {settings.kind} in this version")
        shown: Shown = offline(handed.kind, issued.locator, message, handed.proof, settings)
        return shown

    def _moved(self, handed: Handed, challenge: Challenge, issued: ControlChallenge) -> ControlProof:
        """The instructed movement, as it was followed: from the ledger, without asking a node again."""
        if challenge.instruction is None:
            raise BadProof("the challenge instructs no movement: it is answered with a signature")
        txid, chain = handed.proof, issued.chain
        if _TXID.fullmatch(txid) is None:
            raise BadProof("write the transaction's id as the proof: 64 lower-case hex digits, on EVM chains after 0x")
        with self.ledger.read() as connection:
            rows = control.movements_of(connection, chain, txid)
            cursor = reader.cursors(connection).get(chain)
        final = -1 if cursor is None else min(cursor.final_height, cursor.at.height)
        if not rows or rows[0].height > final:
            followed = "not at all" if cursor is None else f"up to block {cursor.at.height}, final {final}"
            raise Undetermined(
                f"transaction {txid} moved nothing of ours in a final block yet: {chain} was followed {followed};"
                " let `porwatch run` or `once` follow it, then hand the proof in again"
            )
        first = rows[0]
        at = BlockRef(chain, first.height, first.block_hash, "", first.block_time)
        changes = [Change(row.locator, row.asset, row.delta, row.coin) for row in rows]
        decimals = self.config.decimals.get(challenge.instruction.asset)
        if decimals is None:
            raise BadProof(f"{challenge.instruction.asset} is not configured any more: ask for a new challenge")
        units = parse_units(challenge.instruction.amount, decimals)
        shown = judge(challenge, units, txid, at, changes)
        return ControlProof(issued.id, handed.kind.value, at, handed.proof, txid, shown.detail)
