from __future__ import annotations

import asyncio
import time

import bcrypt
import pytest

from monitor.publish.door import passwords as module
from monitor.publish.door.passwords import Passwords, TooManyTries

#: as quick as bcrypt goes
VERA = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
USERS = {"vera": VERA}


async def test_a_good_password_is_computed_once_and_then_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[bytes] = []
    real = module._same

    def counted(password: bytes, wanted: str) -> bool:
        computed.append(password)
        return real(password, wanted)

    monkeypatch.setattr(module, "_same", counted)
    passwords = Passwords()
    assert [await passwords.check(USERS, "vera", b"secret", "a") for _ in range(5)] == [True] * 5
    assert computed == [b"secret"]
    assert not await passwords.check(USERS, "vera", b"wrong", "a")
    assert not await passwords.check(USERS, "mallory", b"secret", "a")
    assert computed == [b"secret", b"wrong", b"secret"]


async def test_what_is_remembered_is_no_password_and_ends_with_its_hash() -> None:
    passwords = Passwords()
    assert await passwords.check(USERS, "vera", b"secret", "a")
    assert all(b"secret" not in token and len(token) == 32 for token in passwords._good)
    changed = {"vera": bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()}
    assert not await passwords.check(changed, "vera", b"secret", "a")
    assert not await passwords.check({"rei": VERA}, "vera", b"secret", "a")


@pytest.mark.parametrize("password", [b"", b"x" * 73, b"se\0cret", b"\xff\xfe"])
async def test_what_bcrypt_cannot_tell_apart_is_no_password(password: bytes) -> None:
    users = {"vera": bcrypt.hashpw(password[:72] or b"-", bcrypt.gensalt(4)).decode()}
    good = await Passwords().check(users, "vera", password, "a")
    assert good == (0 < len(password) <= 72)


async def test_tries_are_few_for_each_address_and_waiting_helps() -> None:
    now = [0]
    passwords = Passwords(lambda: now[0])
    for number in range(10):
        assert not await passwords.check(USERS, "vera", b"%d" % number, "10.0.0.1")
    with pytest.raises(TooManyTries) as refused:
        await passwords.check(USERS, "vera", b"secret", "10.0.0.1")
    assert await passwords.check(USERS, "vera", b"secret", "10.0.0.2")
    assert await passwords.check(USERS, "vera", b"secret", "10.0.0.1")
    now[0] += refused.value.wait * 1_000_000_000
    assert not await passwords.check(USERS, "vera", b"wrong again", "10.0.0.1")


async def test_only_so_many_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(password: bytes, wanted: str) -> bool:
        time.sleep(0.05)
        return False

    monkeypatch.setattr(module, "_same", slow)
    monkeypatch.setattr(module, "_MOST_WAITING", 4)
    passwords = Passwords()
    asked = [passwords.check(USERS, "vera", b"x", f"10.0.0.{n}") for n in range(8)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [each for each in found if each is False] == [False] * 4
    assert sum(isinstance(each, TooManyTries) for each in found) == 4
