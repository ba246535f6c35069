"""Descriptors to locators, against the vectors of BIP-380 to BIP-389 and BIP-84/86."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from chains.bitcoin.addresses import script_of
from chains.bitcoin.codec import decode_base58check, descriptor_checksum, encode_base58check
from chains.bitcoin.descriptors import derive
from chains.bitcoin.networks import NETWORKS
from chains.core.errors import AddressError

MAINNET, REGTEST = NETWORKS["mainnet"], NETWORKS["regtest"]
# Public keys of the vectors of BIP-380.
KEY = "xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL"
KEY2 = "xpub68NZiKmJWnxxS6aaHmn81bvJeTESw724CRDs6HbuccFQN9Ku14VQrADWgqbhhTHBaohPX4CjNLf9fq9MYo6oDaPPLPxSb7gwQN3ih19Zm4Y"
TPUB = encode_base58check(REGTEST.xpub + decode_base58check(KEY)[4:])
POINT = "03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd"
LONG_POINT = "04a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd5b8dec5235a0fa8722476c7709c02559e3aa73aa03918ba2d492eea75abea235"
# The account keys of the BIP-84 and BIP-86 vectors (zpub given there; the same key as xpub).
BIP84_ZPUB = (
    "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs"
)
BIP84_XPUB = encode_base58check(MAINNET.xpub + decode_base58check(BIP84_ZPUB)[4:])
BIP86_XPUB = (
    "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ"
)


def scripts(descriptor: str, first: int = 0, last: int = 0) -> list[str]:
    return [script_of(locator, MAINNET).hex() for locator in derive(descriptor, first, last, MAINNET)]


# BIP-381, 382, 383, 386, 387: what each descriptor with public keys gives.
KNOWN = [
    (f"pk({POINT})", [f"21{POINT}ac"]),
    (f"pkh([deadbeef/1/2'/3/4']{POINT})", ["76a9149a1c78a507689f6f54b847ad1cef1e614ee23f1e88ac"]),
    (f"pkh({LONG_POINT})", ["76a914b5bd079c4d57cc7fc28ecf8213a6b791625b818388ac"]),
    (f"sh(pk({POINT}))", ["a9141857af51a5e516552b3086430fd8ce55f7c1a52487"]),
    (f"wpkh({POINT})", ["00149a1c78a507689f6f54b847ad1cef1e614ee23f1e"]),
    (f"wsh(pkh({POINT}))", ["0020338e023079b91c58571b20e602d7805fb808c22473cbc391a41b1bd3a192e75b"]),
    (f"sh(wsh(pkh({POINT})))", ["a914b61b92e2ca21bac1e72a3ab859a742982bea960a87"]),
    (f"tr({POINT[2:]})", ["512077aab6e066f8a7419c5ab714c12c67d25007ed55a43cadcacb4d7a970a093f11"]),
    (
        f"tr({POINT[2:]},multi_a(1,669b8afcec803a0d323e9a17f3ea8e68e8abe5a278020a929adbec52421adbd0))",
        ["5120eb5bd3894327d75093891cc3a62506df7d58ec137fcd104cdd285d67816074f3"],
    ),
    (f"pk({KEY2}/0)", ["210379e45b3cf75f9c5f9befd8e9506fb962f6a9d185ac87001ec44a8d3df8d4a9e3ac"]),
]


@pytest.mark.parametrize(("descriptor", "expected"), KNOWN)
def test_descriptors_give_the_scripts_of_the_bips(descriptor: str, expected: list[str]) -> None:
    assert scripts(descriptor) == expected
    assert scripts(f"{descriptor}#{descriptor_checksum(descriptor)}") == expected


def test_the_accounts_of_bip_84_and_86_have_their_addresses() -> None:
    assert derive(f"wpkh({BIP84_XPUB}/<0;1>/*)", 0, 0, MAINNET) == (
        "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
        "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el",
    )
    assert derive(f"tr({BIP86_XPUB}/0/*)", 0, 1, MAINNET) == (
        "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
        "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh",
    )


def test_an_index_gives_one_locator_a_branch_in_the_order_written() -> None:
    both = derive(f"wpkh({KEY}/<7;3>/*)", 5, 6, MAINNET)
    seven, three = derive(f"wpkh({KEY}/7/*)", 5, 6, MAINNET), derive(f"wpkh({KEY}/3/*)", 5, 6, MAINNET)
    assert both == (seven[0], three[0], seven[1], three[1])


def test_a_descriptor_without_wildcard_is_one_locator_whatever_the_range() -> None:
    assert len(derive(f"wpkh({KEY}/0/5)", 0, 50_000, MAINNET)) == 1
    assert derive(f"wpkh({KEY}/0/5)", 0, 9, MAINNET) == derive(f"wpkh({KEY}/0/*)", 5, 5, MAINNET)


def test_sorted_keys_give_one_address_in_any_order() -> None:
    one = derive(f"wsh(sortedmulti(2,{KEY}/0/*,{KEY2}/0/*))", 0, 4, MAINNET)
    other = derive(f"wsh(sortedmulti(2,{KEY2}/0/*,{KEY}/0/*))", 0, 4, MAINNET)
    assert one == other
    unsorted = {derive(f"wsh(multi(2,{a}/0/*,{b}/0/*))", 0, 9, MAINNET) for a, b in ((KEY, KEY2), (KEY2, KEY))}
    assert len(unsorted) == 2


def test_bare_multisig_has_a_script_but_no_address() -> None:
    (locator,) = derive(f"multi(1,{POINT})", 0, 0, MAINNET)
    assert locator == f"script:5121{POINT}51ae"


REFUSED = [
    (f"wpkh({KEY}/0/*)#qqqqqqqq", "its text gives #"),
    (f"wpkh({KEY}/0/*)#", "its text gives #"),
    ("wpkh(ü)", "may not stand in a descriptor"),
    (KEY, "write e.g. wpkh("),
    (f"wpkh({KEY}/0h/*)", "hardened steps need the private key"),
    (f"wpkh({KEY}/0/*')", "hardened steps need the private key"),
    (f"wpkh({TPUB}/0/*)", "mainnet keys begin with xpub"),
    (f"wpkh({KEY[:-1]}M/0/*)", "checksum is wrong"),
    (f"wpkh({KEY}/*/0)", "only at the end"),
    (f"wpkh({KEY}/2147483648)", "below 2^31"),
    (f"wpkh({KEY}/1aa)", "is no step"),
    (f"wpkh({KEY}/<0;1>/<2;3>/*)", "is no step"),
    (f"wpkh({KEY}/<0;0>/*)", "different numbers"),
    (f"wpkh({KEY}/<>/*)", "is no step"),
    (f"wpkh({KEY}/<0;>/*)", "is no step"),
    (f"wpkh({KEY}/<0/*)", "is no step"),
    (f"wpkh({KEY}/0>/*)", "is no step"),
    (f"pkh([deadbeef/<0;1>]{KEY}/0)", "key origin"),
    (f"pkh([deadbef/0h]{POINT})", "key origin"),
    (f"pkh([deadbeef/0h/]{POINT})", "key origin"),
    (f"pkh([deadbeef/0H]{POINT})", "key origin"),
    ("pkh([deadbeef])", "neither a public key"),
    (f"pkh([aaaaaaaa][aaaaaaaa]{KEY}/0)", "neither a public key"),
    (f"wsh(multi(2,{KEY}/<0;1>/*,{KEY2}/<0;1;2>/*))", "equally many branches"),
    (f"wsh(multi(0,{KEY}/*,{KEY2}/*))", "how many of the 2 keys must sign"),
    (f"wsh(multi(3,{KEY}/*,{KEY2}/*))", "how many of the 2 keys must sign"),
    (f"tr({POINT[2:]},multi_a(0,{POINT}))", "how many of the 1 keys"),
    (f"wsh(multi(a,{KEY}/*))", "how many of the 1 keys"),
    (f"wpkh({LONG_POINT})", "uncompressed"),
    (f"wsh(pk({LONG_POINT}))", "uncompressed"),
    (f"tr({LONG_POINT})", "uncompressed"),
    (f"sh(wpkh({LONG_POINT}))", "uncompressed"),
    (f"wsh(wpkh({POINT}))", "not valid"),
    (f"wsh(wsh(pkh({POINT})))", "not valid"),
    (f"sh(sh(pkh({POINT})))", "not valid"),
    (f"sh(tr({POINT[2:]}))", "not valid"),
    (f"wsh(tr({POINT[2:]}))", "not valid"),
    (f"pk(pk({POINT}))", "not valid"),
    (f"wsh({POINT})", "not valid"),
    (f"sh(multi_a(1,{POINT}))", "not valid"),
    (f"wsh(multi_a(1,{POINT}))", "not valid"),
    (f"wpkh({POINT}))", "not valid"),
    (f"wpkh({POINT}", "no descriptor that porwatch knows"),
    (f"combo({POINT})", "no descriptor that porwatch knows"),
    ("addr(1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa)", "under addresses"),
    ("raw(deadbeef)", "under addresses"),
    (f"sh(multi(1,{','.join([POINT] * 16)}))", "520 bytes"),
    (f"wpkh({KEY}/{'0/' * 6000}*)", "too long"),
]


@pytest.mark.parametrize(("descriptor", "why"), REFUSED)
def test_a_wrong_descriptor_is_refused_with_what_is_wrong(descriptor: str, why: str) -> None:
    with pytest.raises(AddressError, match=re.escape(why)):
        derive(descriptor, 0, 0, MAINNET)


def test_the_right_checksum_is_named_beside_a_wrong_one() -> None:
    with pytest.raises(AddressError, match=f"#{descriptor_checksum(f'pkh({POINT})')}"):
        derive(f"pkh({POINT})#aaaaaaaa", 0, 0, MAINNET)


def test_a_zpub_is_explained_by_the_descriptor_to_write_instead() -> None:
    for text in (BIP84_ZPUB, f"wpkh({BIP84_ZPUB}/0/*)"):
        with pytest.raises(AddressError, match=re.escape(f"wpkh({BIP84_XPUB}/0/*)")):
            derive(text, 0, 0, MAINNET)


@pytest.mark.parametrize(
    "secret",
    [
        "L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1",
        "5KYZdUEo39z3FPrtuX2QbbwGnNP5zTd7yyr2SC1j299sBCnWjss",
        "xprvA1RpRA33e1JQ7ifknakTFpgNXPmW2YvmhqLQYMmrj4xJXXWYpDPS3xz7iAxn8L39njGVyuoseXzU6rcxFLJ8HFsTjSyQbLYnMpCqE2VbFWc",
    ],
)
def test_private_keys_are_refused_and_never_repeated(secret: str) -> None:
    for descriptor in (
        f"wpkh({secret})",
        f"wsh(multi(1,[deadbeef/0h]{secret}))",
        f"tr({POINT[2:]},pk({secret}))#00000000",
    ):
        with pytest.raises(AddressError, match="holds no private keys") as caught:
            derive(descriptor, 0, 0, MAINNET)
        assert secret not in str(caught.value)


@pytest.mark.parametrize(("first", "last"), [(-1, 0), (5, 4), (0, 1 << 31), (0, 5_000_000)])
def test_a_range_out_of_bounds_is_refused(first: int, last: int) -> None:
    with pytest.raises(AddressError, match="write 0 <= first <= last"):
        derive(f"wpkh({KEY}/0/*)", first, last, MAINNET)


def test_a_thousand_addresses_take_well_under_a_second() -> None:
    derive(f"wpkh({KEY}/0/*)", 0, 0, MAINNET)
    begun = time.process_time()
    found = derive(f"wpkh([ffffffff/13h]{KEY}/0/*)", 0, 999, MAINNET)
    assert len(set(found)) == 1000
    # Measured 0.12 s; the bound only catches a return to deriving the whole path for each index.
    assert time.process_time() - begun < 2.0


@pytest.mark.parametrize("bip", ["0381", "0382", "0383", "0386", "0387"])
def test_all_public_vectors_of_a_bip(shared_data: Path, bip: str) -> None:
    text = (shared_data / "bitcoin" / "bips" / f"bip{bip}_test_vectors.txt").read_text()
    valid, _, invalid = re.split(r"(?i)\n(invalid [^\n]*)\n", text, maxsplit=1)
    checked = 0
    for descriptor, listed in re.findall(r"^\* <tt>(.*)</tt>\n((?:\*\* <tt>.*</tt>\n?)+)", valid, re.MULTILINE):
        expected = re.findall(r"<tt>(.*)</tt>", listed)
        if "prv" in descriptor or re.search(r"[(,\]][5KL][1-9A-HJ-NP-Za-km-z]{50}", descriptor):
            with pytest.raises(AddressError, match="private key"):
                derive(descriptor, 0, 0, MAINNET)
            continue
        assert scripts(descriptor, 0, len(expected) - 1) == expected, descriptor
        checked += 1
    assert checked >= 1
    refused = re.findall(r"<tt>([a-z_]+\([^<]{20,})</tt>", invalid)
    assert refused
    for descriptor in refused:
        with pytest.raises(AddressError):
            derive(descriptor, 0, 0, MAINNET)


def test_multipath_descriptors_of_bip_389_expand_as_listed(shared_data: Path) -> None:
    text = (shared_data / "bitcoin" / "bips" / "bip0389_test_vectors.txt").read_text()
    valid, invalid = text.split("Invalid descriptors")
    checked = 0
    for descriptor, listed in re.findall(r"^\* <tt>(.*)</tt>\n((?:\*\* <tt>.*</tt>\n?)+)", valid, re.MULTILINE):
        if "prv" in descriptor:
            continue
        single = [derive(each, 0, 2, MAINNET) for each in re.findall(r"<tt>(.*)</tt>", listed)]
        assert derive(descriptor, 0, 2, MAINNET) == tuple(each for index in zip(*single, strict=True) for each in index)
        checked += 1
    assert checked >= 5
    for descriptor in re.findall(r"<tt>(.*)</tt>", invalid):
        with pytest.raises(AddressError):
            derive(descriptor, 0, 2, MAINNET)
