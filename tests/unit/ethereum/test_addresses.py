from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains import ethereum
from chains.core.errors import AddressError
from chains.ethereum.address import keccak
from tests.unit.ethereum.shapes import settings

# Test vectors of EIP-55.
SPELLED = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
GOOD = SPELLED[4]
CONF = settings()


def test_the_hash_is_keccak_and_not_sha3() -> None:
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@pytest.mark.parametrize("text", SPELLED)
def test_every_vector_of_eip_55_is_its_own_canonical_spelling(text: str) -> None:
    assert ethereum.parse_address(text, CONF) == text


@pytest.mark.parametrize("text", SPELLED)
def test_one_case_spellings_mean_the_same_address(text: str) -> None:
    assert ethereum.parse_address(text.lower(), CONF) == text
    assert ethereum.parse_address("0x" + text[2:].upper(), CONF) == text


@given(st.binary(min_size=20, max_size=20), st.data())
def test_one_letter_in_the_wrong_case_is_refused_and_the_right_spelling_named(raw: bytes, data: st.DataObject) -> None:
    right = ethereum.parse_address("0x" + raw.hex(), CONF)
    letters = [n for n, letter in enumerate(right) if n > 1 and letter.isalpha()]
    if len(letters) < 2:
        return
    n = data.draw(st.sampled_from(letters))
    wrong = right[:n] + right[n].swapcase() + right[n + 1 :]
    if wrong[2:] in (wrong[2:].lower(), wrong[2:].upper()):
        return
    with pytest.raises(AddressError, match=right):
        ethereum.parse_address(wrong, CONF)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD[:-1], "39 hex digits, an address has 40"),
        (GOOD + "0", "41 hex digits"),
        ("0x", "0 hex digits"),
        (GOOD[2:], f"lacks 0x: write {GOOD}"),
        ("0X" + GOOD[2:], "write 0x in lower case"),
        (GOOD + " ", "remove them"),
        (GOOD + "\n", "remove them"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "is a Bitcoin address"),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "is a Bitcoin address"),
        ("vitalik.eth", "is a name"),
        ("", "is not an address"),
        ("0x" + "g" * 40, "is not an address"),
        ("x" * 500, "…"),
    ],
)
def test_what_is_no_address_is_explained(text: str, says: str) -> None:
    with pytest.raises(AddressError, match=says) as caught:
        ethereum.parse_address(text, CONF)
    assert len(str(caught.value)) < 250


def test_descriptors_are_refused_with_the_reason() -> None:
    with pytest.raises(AddressError, match="UTXO chains"):
        ethereum.derive("wpkh(xpub/0/*)", 0, 9, CONF)


def test_checking_a_configuration_loads_neither_web3_nor_the_client() -> None:
    code = (
        "import sys; from chains import ethereum as e; e.parse_address('0x' + '0' * 40, None); "
        "heavy = [m for m in ('web3', 'eth_utils', 'aiohttp') if m in sys.modules]; assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
