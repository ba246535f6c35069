from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.core.messages import BadSignature, Scheme, UnsupportedAddress, scheme_of
from tests.unit.core.signing import signer

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEYS = st.integers(1, ORDER - 1)
TEXTS = st.text(max_size=60)


@settings(max_examples=60, deadline=None)
@given(KEYS, TEXTS, st.sampled_from(Scheme), st.booleans(), st.sampled_from((0, 27)))
def test_a_signature_is_recognised_by_the_scheme_that_made_it(
    secret: int, message: str, scheme: Scheme, compressed: bool, last: int
) -> None:
    one = signer(secret, compressed=compressed)
    found = scheme_of(one.address(scheme), message, one.sign(scheme, message, last=last))
    assert found is scheme


@settings(max_examples=60, deadline=None)
@given(KEYS, TEXTS, TEXTS, st.sampled_from(Scheme))
def test_a_signature_on_another_text_is_refused(secret: int, message: str, other: str, scheme: Scheme) -> None:
    one = signer(secret)
    if message == other:
        other += "!"
    with pytest.raises(BadSignature, match="not this address's"):
        scheme_of(one.address(scheme), other, one.sign(scheme, message))


@pytest.mark.parametrize("scheme", Scheme)
def test_a_signature_of_another_key_is_refused(scheme: Scheme) -> None:
    with pytest.raises(BadSignature, match="not this address's"):
        scheme_of(signer(2).address(scheme), "huobi", signer(3).sign(scheme, "huobi"))


def test_tron_text_does_not_verify_as_ethereum_text_although_the_key_is_the_same() -> None:
    one = signer(5)
    with pytest.raises(BadSignature):
        scheme_of(one.address(Scheme.EIP191), "htx", one.sign(Scheme.TRON_HASHED, "htx"))


def test_the_header_says_which_form_of_the_key_the_bitcoin_address_is_of() -> None:
    one, other = signer(7), signer(7, compressed=False)
    with pytest.raises(BadSignature, match="not this address's"):
        scheme_of(one.address(Scheme.BITCOIN_P2PKH), "huobi", other.sign(Scheme.BITCOIN_P2PKH, "huobi"))


@pytest.mark.parametrize("scheme", Scheme)
def test_the_other_spelling_of_a_signature_is_refused(scheme: Scheme) -> None:
    one = signer(11)
    text = one.sign(scheme, "huobi")
    raw = base64.b64decode(text) if scheme is Scheme.BITCOIN_P2PKH else bytes.fromhex(text[2:])
    first, place = (raw[:33], 33) if scheme is Scheme.BITCOIN_P2PKH else (raw[:32], 32)
    high = first + (ORDER - int.from_bytes(raw[place : place + 32], "big")).to_bytes(32, "big") + raw[place + 32 :]
    spelled = base64.b64encode(high).decode() if scheme is Scheme.BITCOIN_P2PKH else high.hex()
    with pytest.raises(BadSignature, match="half the order"):
        scheme_of(one.address(scheme), "huobi", spelled)


@pytest.mark.parametrize(
    ("signature", "says"),
    [
        ("0x" + "00" * 64, "65 bytes in hex"),
        ("0x" + "00" * 66, "65 bytes in hex"),
        ("0x" + "zz" * 65, "65 bytes in hex"),
        ("", "65 bytes in hex"),
        ("00" * 64 + "1d", "last byte is 29"),
        ("00" * 65, "not this address's"),
        ("ff" * 32 + "01" * 32 + "00", "not this address's"),
    ],
)
def test_a_malformed_hex_signature_is_bad_and_not_unsupported(signature: str, says: str) -> None:
    with pytest.raises(BadSignature, match=says):
        scheme_of(signer().address(Scheme.EIP191), "huobi", signature)


@pytest.mark.parametrize(
    ("signature", "says"),
    [
        ("%%%%", "no base64"),
        ("é" * 8, "no base64"),
        (base64.b64encode(bytes(64)).decode(), "64 bytes"),
        (base64.b64encode(bytes([26]) + bytes(64)).decode(), "first byte is 26"),
        (base64.b64encode(bytes([35]) + bytes(64)).decode(), "first byte is 35"),
        (base64.b64encode(bytes([31]) + bytes(64)).decode(), "not this address's"),
    ],
)
def test_a_malformed_bitcoin_signature_is_bad(signature: str, says: str) -> None:
    with pytest.raises(BadSignature, match=says):
        scheme_of(signer().address(Scheme.BITCOIN_P2PKH), "huobi", signature)


@pytest.mark.parametrize("scheme", [Scheme.BITCOIN_P2PKH, Scheme.TRON_HASHED])
def test_an_address_with_a_typing_error_is_bad(scheme: Scheme) -> None:
    one = signer()
    address = one.address(scheme)
    wrong = address[:-1] + ("2" if address[-1] != "2" else "3")
    with pytest.raises(BadSignature, match="checksum"):
        scheme_of(wrong, "huobi", one.sign(scheme, "huobi"))


@pytest.mark.parametrize(
    "address",
    [
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "1nc1nerator11111111111111111111111111111111",
        "A" * 58,
        "",
    ],
)
def test_an_address_of_another_kind_is_unsupported_and_never_verified(address: str) -> None:
    with pytest.raises(UnsupportedAddress):
        scheme_of(address, "huobi", signer().sign(Scheme.BITCOIN_P2PKH, "huobi"))


def test_an_ethereum_address_may_stand_without_its_prefix_but_not_without_a_byte() -> None:
    one = signer()
    address, signature = one.address(Scheme.EIP191), one.sign(Scheme.EIP191, "htx")
    assert scheme_of(address[2:], "htx", signature) is Scheme.EIP191
    with pytest.raises(BadSignature, match="20 bytes"):
        scheme_of(address[:-2], "htx", signature)


def test_a_text_longer_than_252_bytes_has_the_long_length_prefix_of_bitcoin() -> None:
    from hashlib import sha256

    one, message = signer(13), "x" * 300
    digest = sha256(sha256(b"\x18Bitcoin Signed Message:\n\xfd\x2c\x01" + message.encode()).digest()).digest()
    raw = one.key.sign_recoverable(digest, hasher=None)
    signature = base64.b64encode(bytes([31 + raw[64]]) + raw[:64]).decode()
    assert scheme_of(one.address(Scheme.BITCOIN_P2PKH), message, signature) is Scheme.BITCOIN_P2PKH
