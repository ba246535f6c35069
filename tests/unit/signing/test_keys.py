"""The report key: made once, readable for nobody else, and good for one purpose at a time."""

from __future__ import annotations

import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from monitor.config.secret import SecretError
from monitor.signing import keys
from monitor.signing.keys import fingerprint, known_publics, load, load_or_make, public_key, signed_by


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "report.key"


def private_file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_a_key_is_made_at_first_use_and_is_the_same_ever_after(path: Path) -> None:
    made = load_or_make(path)
    assert load_or_make(path).public == load(path).public == made.public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made.fingerprint == sha256(made.public).hexdigest()
    assert sorted(item.name for item in path.parent.iterdir()) == ["report.key", "report.key.pub"]


def test_the_public_key_stands_beside_it_in_pem(path: Path) -> None:
    made = load_or_make(path)
    beside = path.with_name("report.key.pub")
    assert public_key(beside.read_bytes()) == made.public
    beside.unlink()
    load(path)
    assert public_key(beside.read_bytes()) == made.public


def test_two_that_make_it_at_once_end_with_the_same_key(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len({key.public for key in pool.map(load_or_make, [path] * 8)}) == 1
    assert sorted(item.name for item in path.parent.iterdir()) == ["report.key", "report.key.pub"]


def test_a_key_made_by_openssl_is_taken(path: Path) -> None:
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True, capture_output=True)
    path.chmod(0o600)
    key = load(path)
    assert signed_by(key.public, "manifest", b"x", key.sign("manifest", b"x"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_that_others_may_read_or_change_is_refused(path: Path, mode: int) -> None:
    load_or_make(path)
    path.chmod(mode)
    with pytest.raises(SecretError, match=rf"others may read or change it \(mode {mode:04o}\): run chmod 600"):
        load(path)


def pem(private: Ed25519PrivateKey | ec.EllipticCurvePrivateKey, *, password: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"no key at all", "is no private key in PEM form"),
        (pem(Ed25519PrivateKey.generate())[:60], "is no private key in PEM form"),
        (pem(Ed25519PrivateKey.generate(), password=b"x"), "is encrypted, and nobody is there to type a password"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "is no ed25519 key"),
        (b"x" * 70_000, "larger than"),
    ],
    ids=["empty", "text", "cut off", "encrypted", "another kind", "too large"],
)
def test_a_file_that_is_no_key_is_named_and_not_quoted(path: Path, content: bytes, message: str) -> None:
    with pytest.raises(SecretError, match=message) as caught:
        load(private_file(path, content))
    assert str(path) in str(caught.value)
    assert not content or content.decode()[:20] not in str(caught.value)


def test_a_folder_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="is no file"):
        load(tmp_path)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"no report key can be made there .*: write signing\.key_file"):
        load_or_make(tmp_path / "none" / "report.key")


def test_a_public_key_of_another_key_beside_it_is_refused(path: Path, tmp_path: Path) -> None:
    load_or_make(path)
    other = Ed25519PrivateKey.generate().public_key()
    beside = path.with_name("report.key.pub")
    beside.write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(SecretError, match=r"report\.key\.pub: belongs to another key"):
        load(path)


def test_whoever_may_not_read_the_key_knows_it_by_the_public_one(path: Path) -> None:
    assert known_publics(path) == ()
    made = load_or_make(path)
    path.chmod(0)
    assert known_publics(path) == (made.public,)
    path.with_name("report.key.pub").write_text("nothing")
    with pytest.raises(SecretError, match="is no public key in PEM form"):
        known_publics(path)


def test_a_key_that_was_replaced_stays_known(path: Path, tmp_path: Path) -> None:
    first, second = load_or_make(tmp_path / "first"), load_or_make(tmp_path / "second")
    former = path.with_name("report.key.former.pub")
    former.write_bytes((tmp_path / "first.pub").read_bytes() + (tmp_path / "second.pub").read_bytes())
    made = load_or_make(path)
    assert known_publics(path) == (made.public, first.public, second.public)
    former.write_bytes((tmp_path / "first.pub").read_bytes().replace(b"M", b"!"))
    with pytest.raises(SecretError, match=r"former\.pub: a key in it is no public key"):
        known_publics(path)
    former.write_bytes(b"x" * 70_000)
    with pytest.raises(SecretError, match="these are no public keys"):
        known_publics(path)


def test_a_signature_is_good_for_its_purpose_its_message_and_its_key_only(path: Path, tmp_path: Path) -> None:
    key, other = load_or_make(path), load_or_make(tmp_path / "other.key")
    signature = key.sign("manifest", b"message")
    assert signed_by(key.public, "manifest", b"message", signature)
    assert not signed_by(key.public, "tree head", b"message", signature)
    assert not signed_by(key.public, "manifest", b"massage", signature)
    assert not signed_by(other.public, "manifest", b"message", signature)
    for place in range(64):
        wrong = bytearray(signature)
        wrong[place] ^= 1
        assert not signed_by(key.public, "manifest", b"message", bytes(wrong))
    assert not signed_by(key.public[:31], "manifest", b"message", signature)
    assert not signed_by(key.public, "manifest", b"message", signature[:63])


def test_the_key_is_not_in_its_representation(path: Path) -> None:
    key = load_or_make(path)
    assert "private" not in repr(key).lower()
    assert fingerprint(key.public) == key.fingerprint


@pytest.mark.parametrize("content", [b"", b"x", pem(Ed25519PrivateKey.generate())], ids=["empty", "text", "private"])
def test_what_is_no_public_key_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"give the file that ends in \.pub"):
        keys.public_key(content)
