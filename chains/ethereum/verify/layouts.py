"""Where a token's contract keeps balances in its storage: a mapping from holder to balance (Solidity or Vyper)."""

from __future__ import annotations

from dataclasses import dataclass

from chains.ethereum.verify.hashing import keccak

#: A mapping of balances stands among the first variables of its contract.
PLACES = 33


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a token keeps balances: the place of its mapping, and whether the key comes after it (Vyper) or before."""

    place: int
    key_last: bool

    def slot(self, holder: str) -> int:
        """The storage slot of a holder."""
        key, place = bytes.fromhex(holder[2:]).rjust(32, b"\0"), self.place.to_bytes(32, "big")
        return int.from_bytes(keccak(place + key if self.key_last else key + place), "big")


LAYOUTS = tuple(Layout(place, key_last) for place in range(PLACES) for key_last in (False, True))
