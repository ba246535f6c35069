"""Proof of control that the chain itself must be asked about, at one final block, by quorum.

EIP-1271: the contract says whether a signature is its own. Safe: the owners and the threshold that stand there
at that block decide who may sign. EIP-191: what code stands at the address (EIP-7702 lets a key have some).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chains.core.errors import BadAnswer, NodeError
from chains.core.hex import data_bytes
from chains.core.ownership import BadProof, ProofKind, Shown
from chains.core.quorum import Panel
from chains.core.rpc import Calls, Request
from chains.core.values import BlockRef
from chains.ethereum.nodes import explain
from chains.ethereum.ownership import verify_offline
from chains.ethereum.verify.hashing import keccak
from chains.ethereum.verify.messages import personal_digest, signature_bytes
from chains.ethereum.verify.owners import Safe, decode_owners, signers

#: isValidSignature(bytes32,bytes), which is also what it gives for yes (EIP-1271).
_MAGIC = bytes.fromhex("1626ba7e")
_YES = _MAGIC + bytes(28)
_GET_OWNERS = "0xa0e67e2b"
_GET_THRESHOLD = "0xe75235b8"
#: What one question to a contract may burn: the same on every node, whatever its own cap.
_GAS = 10_000_000
#: The longest signature that a contract is asked about: some hundred owners, or a proof of knowledge.
_SIGNATURE_BYTES_MOST = 16_384
#: The code of an account that lets another's code run as its own (EIP-7702): this and 20 bytes of address.
_DELEGATION = bytes.fromhex("ef0100")
#: What a node says where the code itself refused; 3 is the code for it (execution-apis).
_REVERT_CODE = 3
_REVERTED = re.compile(r"revert|invalid opcode|out of gas|stack (under|over)flow|invalid jump", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Release:
    """A Safe's code that was compared with its source. ``chain_bound``: its messages name the chain."""

    name: str
    chain_bound: bool


#: keccak-256 of the code that a proxy points to (npm packages of the releases named)
_SINGLETONS = {
    "56b8be58b5ad629a621593a2e5e5e8e9a28408dc06e95597497b303902772e45": _Release("1.1.1", chain_bound=False),
    "bba688fbdb21ad2bb58bc320638b43d94e7d100f6f3ebaab0a4e4de6304b1c2e": _Release("1.3.0", chain_bound=True),
    "21842597390c4c6e3c1239e434a682b054bd9548eee5e9b1d6a4482731023c0f": _Release("1.3.0 L2", chain_bound=True),
    "1fe2df852ba3299d6534ef416eefa406e56ced995bca886ab7a553e6d0c5e1c4": _Release("1.4.1", chain_bound=True),
    "b1f926978a0f44a2c0ec8fe822418ae969bd8c3f18d61e5103100339894f81ff": _Release("1.4.1 L2", chain_bound=True),
}
#: keccak-256 of the proxies' own code: another proxy may answer for its owners whatever it likes
_PROXIES = frozenset(
    {
        "aea7d4252f6245f301e540cfbee27d3a88de543af8e49c5c62405d5499fab7e5",
        "b89c1b3bdf2cf8827818646bce9a8f6e372885f8c55e5c07acbd307cb133b000",
        "d7d408ebcd99b2b70be43e20253d6d92a8ea8fab29bd3be7f55b10032331fb4c",
    }
)
_KNOWN = "1.1.1, 1.3.0 and 1.4.1"


class ControlReader:
    """Asks one chain's endpoints about control of an address."""

    def __init__(self, panel: Panel, chain_id: int) -> None:
        self._panel = panel
        self._chain_id = chain_id

    async def show(self, kind: ProofKind, locator: str, message: bytes, proof: str, at: BlockRef) -> Shown:
        """What ``proof`` shows after block ``at``. Raises BadProof, or ChainError where that cannot be determined."""
        if kind is ProofKind.EIP1271:
            return await self._contract(locator, message, proof, at)
        if kind is ProofKind.SAFE_OWNERS:
            safe = await self._safe(locator, at)
            signed = signers(safe, message, proof, self._chain_id)
            detail = {
                "safe": safe.release,
                "owners": ",".join(safe.owners),
                "threshold": str(safe.threshold),
                "signers": ",".join(signed),
            }
            return Shown(kind, locator, detail)
        shown = verify_offline(kind, locator, message, proof)
        code = await self._code(locator, at)
        if code and not _delegate(code):
            raise BadProof(f"{locator} is a contract: use eip1271 or safe_owners")
        detail = dict(shown.detail) | ({"delegated_to": _delegate(code)} if code else {})
        return Shown(kind, locator, detail)

    async def _contract(self, locator: str, message: bytes, proof: str, at: BlockRef) -> Shown:
        try:
            signed = signature_bytes(proof, _SIGNATURE_BYTES_MOST)
        except ValueError as error:
            raise BadProof(f"the signature cannot be read: {error}") from error
        code = await self._code(locator, at)
        if not code:
            raise BadProof(f"there is no contract at {locator} after block {at.height}: a key signs with eip191")
        if _delegate(code):
            raise BadProof(f"{locator} has a key, which lets {_delegate(code)} run as it: sign with eip191")
        digest = personal_digest(message)
        # A contract that says yes to everything vouches for nothing.
        asked = [_question(locator, each, signed, at) for each in (digest, keccak(digest))]
        this, other = await self._ask(asked, at, f"isValidSignature of {locator}")
        if this != _YES:
            raise BadProof(f"the contract {locator} does not call this signature of the challenge its own")
        if other == _YES:
            raise BadProof(f"the contract {locator} calls the signature its own for another text too: it shows nothing")
        return Shown(ProofKind.EIP1271, locator, {"code": "0x" + keccak(code).hex()})

    async def _safe(self, locator: str, at: BlockRef) -> Safe:
        """The owners and threshold of a Safe whose code is known, as they stand after block ``at``."""
        block = _pinned(at)
        asked: list[Request] = [
            ("eth_getCode", [locator, block]),
            ("eth_getStorageAt", [locator, "0x0", block]),
            _call(locator, _GET_OWNERS, at),
            _call(locator, _GET_THRESHOLD, at),
        ]
        code, slot, owners, threshold = await self._ask(asked, at, f"the Safe {locator}")
        if not code:
            raise BadProof(f"there is no Safe at {locator} after block {at.height}: no code stands there")
        if slot is None or keccak(code).hex() not in _PROXIES or any(slot[:12]):
            raise BadProof(f"{locator} is no Safe of a release that is known ({_KNOWN}): use eip1271")
        singleton = "0x" + slot[-20:].hex()
        release = _SINGLETONS.get(keccak(await self._code(singleton, at)).hex())
        if release is None:
            raise BadProof(f"the Safe {locator} runs code of no release that is known ({_KNOWN}): use eip1271")
        if threshold is None or len(threshold) != 32:
            raise BadAnswer(f"a Safe {release.name} does not tell its threshold after block {at.height}")
        # Before its set-up a Safe looks for its owners until the gas is gone.
        known = () if owners is None else decode_owners(owners)
        needed = int.from_bytes(threshold, "big")
        return Safe(locator.lower(), known, needed, release.name, release.chain_bound)

    async def _code(self, locator: str, at: BlockRef) -> bytes:
        (code,) = await self._ask([("eth_getCode", [locator, _pinned(at)])], at, f"the code of {locator}")
        return code or b""

    async def _ask(self, asked: Sequence[Request], at: BlockRef, what: str) -> tuple[bytes | None, ...]:
        """The bytes that a quorum gives; None for a call that the contract refused."""

        async def ask(one: Calls) -> tuple[bytes | None, ...]:
            answers = await one.batch(asked, keep_errors=True)
            pairs = zip(asked, answers, strict=True)
            return tuple([await _bytes(one, method, answer, at, what) for (method, _), answer in pairs])

        vote = await self._panel.agree(ask, _short, f"{what} after block {at.height} {at.hash}")
        return vote.value


def _short(answers: tuple[bytes | None, ...]) -> str:
    """Tells answers apart, and is short enough for a message."""
    return " ".join("refused" if each is None else keccak(each).hex() for each in answers)


async def _bytes(one: Calls, method: str, answer: Any, at: BlockRef, what: str) -> bytes | None:
    if not isinstance(answer, NodeError):
        return data_bytes(answer, what)
    why = await explain(one, answer, at)
    refused = method == "eth_call" and (answer.code == _REVERT_CODE or _REVERTED.search(answer.text))
    if why is not answer or not refused:
        raise why from answer
    return None


def _pinned(at: BlockRef) -> dict[str, Any]:
    """A block by its hash (EIP-1898)."""
    return {"blockHash": at.hash, "requireCanonical": True}


def _call(to: str, data: str, at: BlockRef) -> Request:
    return "eth_call", [{"to": to, "data": data, "gas": hex(_GAS)}, _pinned(at)]


def _question(to: str, digest: bytes, signed: bytes, at: BlockRef) -> Request:
    """isValidSignature(digest, signed), encoded by the Solidity ABI."""
    padding = bytes(-len(signed) % 32)
    words = digest + (64).to_bytes(32, "big") + len(signed).to_bytes(32, "big") + signed + padding
    return _call(to, "0x" + (_MAGIC + words).hex(), at)


def _delegate(code: bytes) -> str:
    """Whose code runs as this account (EIP-7702); "" where it is no such account."""
    return "0x" + code[3:].hex() if len(code) == 23 and code.startswith(_DELEGATION) else ""
