"""The Bitcoin networks porwatch knows: how each writes addresses and how it is told from the others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Network:
    """``p2pkh`` and ``p2sh`` are version bytes of base58 addresses, ``hrp`` the prefix of bech32 ones (BIP-173).

    ``core`` is what a node's getblockchaininfo calls the network; ``spoken`` is how people say it. ``limit``
    is the easiest target that a block may have; ``retargets``: whether difficulty follows the parent block;
    ``eases``: whether a block more than 20 minutes after its parent may have the easiest target (BIP-94).
    """

    name: str
    core: str
    spoken: str
    hrp: str
    p2pkh: int
    p2sh: int
    genesis: str
    xpub: bytes
    limit: int
    retargets: bool = True
    eases: bool = False

    @property
    def caip2(self) -> str:
        """The chain id of CAIP-2 in the bip122 namespace: 32 hex characters of the genesis hash."""
        return f"bip122:{self.genesis[:32]}"


_XPUB = bytes.fromhex("0488b21e")
_TPUB = bytes.fromhex("043587cf")
#: powLimit of Bitcoin Core's src/kernel/chainparams.cpp.
_LIMIT = (1 << 224) - 1

NETWORKS = {
    network.name: network
    for network in (
        Network(
            "mainnet",
            "main",
            "mainnet",
            "bc",
            0x00,
            0x05,
            "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
            _XPUB,
            _LIMIT,
        ),
        Network(
            "testnet4",
            "testnet4",
            "testnet",
            "tb",
            0x6F,
            0xC4,
            "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
            _TPUB,
            _LIMIT,
            eases=True,
        ),
        Network(
            "signet",
            "signet",
            "signet",
            "tb",
            0x6F,
            0xC4,
            "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
            _TPUB,
            0x377AE << 216,
        ),
        Network(
            "regtest",
            "regtest",
            "regtest",
            "bcrt",
            0x6F,
            0xC4,
            "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
            _TPUB,
            (1 << 255) - 1,
            retargets=False,
        ),
    )
}


def speakers(*, hrp: str | None = None, version: int | None = None) -> str:
    """The networks that write addresses with this bech32 prefix or base58 version, for messages; "" for none."""
    names = [
        network.spoken
        for network in NETWORKS.values()
        if (hrp is not None and network.hrp == hrp)
        or (version is not None and version in {network.p2pkh, network.p2sh})
    ]
    return "/".join(names)
