"""Addresses and scripts both ways, against the vectors of the BIPs and of other libraries."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chains.bitcoin
from chains.bitcoin.addresses import locator_of, parse, script_of
from chains.bitcoin.codec import decode_base58check, descriptor_checksum, encode_base58check
from chains.bitcoin.networks import NETWORKS, Network
from chains.core.errors import AddressError

MAINNET, TESTNET, REGTEST = NETWORKS["mainnet"], NETWORKS["testnet4"], NETWORKS["regtest"]

# BIP-173 and BIP-350: valid addresses and their scripts.
SEGWIT = [
    ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
    (
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
        "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
    ),
    ("BC1SW50QGDZ25J", "6002751e"),
    ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "5210751e76e8199196d454941c45d1b3a323"),
    (
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    ),
]

# The address of the genesis block's key, and the P2SH example of BIP-13.
BASE58 = [
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac"),
    ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", "a914b472a266d0bd89c13706a4132ccfb16f7c3b9fcb87"),
]

# BIP-350: what is wrong with an address, and a word of the message that says so.
REFUSED = [
    ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", "must have a bech32m checksum"),
    ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", "must have a bech32 checksum"),
    ("bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4", "is no bech32 character"),
    ("BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R", "witness version 17 is above 16"),
    ("bc1pw5dgrnzv", "1 bytes"),
    ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav", "41 bytes"),
    ("BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", "20 or 32 bytes, not 16"),
    ("tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq", "mixes upper and lower case"),
    ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf", "bits that belong to no byte"),
    ("tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j", "bits that belong to no byte"),
    ("bc1gmk9yu", "no witness version"),
    ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "checksum is wrong"),
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "checksum is wrong"),
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7Div0Na", "no base58 character"),
    ("0xdAC17F958D2ee523a2206206994597C13D831ec7", "address of an EVM chain"),
    ("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "is a regtest address; this chain is mainnet"),
    ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "is a testnet/signet address; this chain is mainnet"),
    ("2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc", "is a testnet/signet/regtest address; this chain is mainnet"),
    ("tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut", "begins with bc1"),
    (" 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "spaces"),
    ("", "empty"),
    ("script:", "1 to 10000 bytes"),
    ("script:51 51", "1 to 10000 bytes"),
    ("1" * 500, "too long"),
]


def network_for(text: str) -> Network:
    return MAINNET if text.lower().startswith("bc1") or text[0] in "13" else TESTNET


@pytest.mark.parametrize(("address", "script"), SEGWIT + BASE58)
def test_an_address_and_its_script_are_one(address: str, script: str) -> None:
    network = network_for(address)
    assert script_of(address, network).hex() == script
    canonical = address.lower() if address.lower().startswith(("bc1", "tb1")) else address
    assert locator_of(bytes.fromhex(script), network) == canonical == parse(address, network)


@pytest.mark.parametrize(("address", "why"), REFUSED)
def test_a_wrong_address_is_refused_with_what_is_wrong(address: str, why: str) -> None:
    with pytest.raises(AddressError, match=re.escape(why)):
        parse(address, MAINNET)


def test_an_address_of_another_network_is_named_with_both_networks() -> None:
    with pytest.raises(AddressError, match=r"tb1q.* is a testnet/signet address; this chain is regtest: .* bcrt1"):
        parse("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", REGTEST)
    with pytest.raises(AddressError, match="is a mainnet address; this chain is regtest"):
        parse("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", REGTEST)


def test_a_private_key_is_refused_and_never_repeated() -> None:
    # The WIF of BIP-380's vectors, with and without a typing error.
    for wif in (
        "L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1",
        "L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY2",
    ):
        with pytest.raises(AddressError, match="holds no private keys") as caught:
            parse(wif, MAINNET)
        assert wif not in str(caught.value)


def test_an_extended_key_among_addresses_is_explained() -> None:
    key = "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47LJhkJ8UB7WEGuduB"
    with pytest.raises(AddressError, match="under descriptors"):
        parse(key, MAINNET)


def test_a_script_without_address_is_written_in_hex() -> None:
    # Bare pay-to-public-key, as the genesis block has it.
    script = bytes.fromhex("21" + "02" * 33 + "ac")
    assert locator_of(script, MAINNET) == f"script:{script.hex()}"
    assert parse(f"script:{script.hex().upper()}", MAINNET) == f"script:{script.hex()}"


def test_a_script_that_has_an_address_is_named_by_it() -> None:
    assert (
        parse("script:0014751e76e8199196d454941c45d1b3a323f1433bd6", MAINNET)
        == "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    )


@given(st.binary(min_size=1, max_size=60), st.sampled_from(sorted(NETWORKS)))
def test_every_script_has_exactly_one_locator(script: bytes, name: str) -> None:
    network = NETWORKS[name]
    locator = locator_of(script, network)
    assert script_of(locator, network) == script
    assert parse(locator, network) == locator


@given(
    st.sampled_from([0x00, 0x05, 0x6F]),
    st.binary(min_size=20, max_size=20),
    st.integers(0, 30),
    st.sampled_from("123xyz"),
)
def test_no_mistyped_base58_address_gets_through(version: int, body: bytes, place: int, character: str) -> None:
    text = encode_base58check(bytes([version]) + body)
    assert decode_base58check(text) == bytes([version]) + body
    changed = text[:place] + character + text[place + 1 :]
    if changed != text:
        with pytest.raises(ValueError, match=r"checksum|too long"):
            decode_base58check(changed)


def test_the_package_reads_the_network_from_the_settings() -> None:
    settings = chains.bitcoin.Settings(
        kind="bitcoin", network="regtest", native="BTC", endpoints=[{"url": "http://127.0.0.1:18443"}]
    )
    assert chains.bitcoin.parse_address("BCRT1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KYGT080", settings).startswith("bcrt1q")


def test_descriptor_checksums_are_those_of_bip_380() -> None:
    assert descriptor_checksum("raw(deadbeef)") == "89f8spxm"
    assert descriptor_checksum("raw(51)") == "8lvh9jxk"


def lines_of(path: Path, pattern: str) -> list[tuple[str, ...]]:
    return [found.groups() for line in path.read_text().splitlines() if (found := re.match(pattern, line))]


@pytest.mark.parametrize("bip", ["0173", "0350"])
def test_the_vectors_of_the_bips(shared_data: Path, bip: str) -> None:
    text = (shared_data / "bitcoin" / "bips" / f"bip{bip}_test_vectors.txt").read_text()
    valid = re.findall(r"^\* <tt>(\S+)</tt>: <tt>([0-9a-f]+)</tt>", text, re.MULTILINE)
    # BIP-173's list names v1+ addresses that BIP-350 later made invalid: only the newer list is law for them.
    valid = [(a, s) for a, s in valid if bip == "0350" or s.startswith("00")]
    assert len(valid) >= 2
    for address, script in valid:
        assert script_of(address, network_for(address)).hex() == script
    invalid = re.findall(r"^\* <tt>(\S+)</tt>: [A-Z]", text, re.MULTILINE)
    assert len(invalid) >= 8
    for address in invalid:
        for network in (MAINNET, TESTNET):
            with pytest.raises(AddressError):
                parse(address, network)


def test_the_addresses_of_bitcoinjs(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "bitcoin" / "bitcoinjs_address.json").read_text())
    names = {"bitcoin": MAINNET, "testnet": TESTNET}
    seen = 0
    for entry in vectors["standard"]:
        network = names.get(entry["network"])
        if network is None:
            continue
        address = entry.get("base58check") or entry["bech32"]
        script = script_of(address, network)
        if "hash" in entry:
            assert entry["hash"] in script.hex()
        assert locator_of(script, network) == (address if "base58check" in entry else address.lower())
        seen += 1
    assert seen >= 10


def test_the_keys_and_addresses_of_bitcoin_core(shared_data: Path) -> None:
    folder = shared_data / "bitcoin"
    for text, payload, facts in json.loads((folder / "bitcoinjs_base58_keys_valid.json").read_text()):
        network = TESTNET if facts["isTestnet"] else MAINNET
        if facts["isPrivkey"]:
            with pytest.raises(AddressError, match="private key"):
                parse(text, network)
        else:
            assert payload in script_of(text, network).hex()
    for (text,) in json.loads((folder / "bitcoinjs_base58_keys_invalid.json").read_text()):
        with pytest.raises(AddressError):
            parse(text, MAINNET)


def test_legacy_addresses_of_bitcoinj(shared_data: Path) -> None:
    text = (shared_data / "bitcoin" / "bitcoinj_legacy_addresses.txt").read_text()
    addresses = [word for word in re.split(r"[\s,]+", text) if re.fullmatch(r"[1mn][1-9A-HJ-NP-Za-km-z]{25,34}", word)]
    assert len(addresses) >= 60
    for address in addresses:
        network = MAINNET if address.startswith("1") else TESTNET
        assert locator_of(script_of(address, network), network) == address
