"""How an endpoint's secrets are read, and that faults in them name the key and never the content. No socket."""

from __future__ import annotations

import os
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from chains.core.credentials import Target, target_of
from chains.core.errors import Unreachable
from chains.core.settings import Endpoint
from chains.core.transport import LOOK_SECONDS, HttpTransport, _below

KEY = "0123456789abcdef-key"


def target(folder: Path, **keys: Any) -> Target:
    return target_of(Endpoint(**({"url": "http://node.example/"} | keys)), folder)


def write(folder: Path, content: str | bytes) -> str:
    (folder / "secret").write_bytes(content.encode() if isinstance(content, str) else content)
    return "secret"


def basic(found: Target) -> str:
    scheme, _, value = found.headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    return b64decode(value).decode()


def test_an_endpoint_without_secrets_sends_none(tmp_path: Path) -> None:
    found = target(tmp_path)
    assert found.url == "http://node.example/"
    assert "Authorization" not in found.headers


def test_a_user_name_goes_with_the_password_of_its_file(tmp_path: Path) -> None:
    assert basic(target(tmp_path, username="u", password_file=write(tmp_path, "p:ss w\n"))) == "u:p:ss w"


def test_a_cookie_is_user_name_and_password_at_once(tmp_path: Path) -> None:
    assert basic(target(tmp_path, cookie_file=write(tmp_path, "__cookie__:abc"))) == "__cookie__:abc"


def test_a_bearer_token_is_one_line(tmp_path: Path) -> None:
    found = target(tmp_path, bearer_token_file=write(tmp_path, f"{KEY}\n"))
    assert found.headers["Authorization"] == f"Bearer {KEY}"


def test_headers_are_read_line_by_line(tmp_path: Path) -> None:
    found = target(tmp_path, headers_file=write(tmp_path, f"X-Api-Key: {KEY}\n\nx-team:  a:b \n"))
    assert (found.headers["X-Api-Key"], found.headers["x-team"]) == (KEY, "a:b")


def test_a_url_of_a_file_may_hold_credentials_and_a_key(tmp_path: Path) -> None:
    found = target(
        tmp_path, url=None, url_file=write(tmp_path, f"https://us%40er:pa55@node.example:8443/v1?k={KEY}#x\n")
    )
    assert found.url == f"https://node.example:8443/v1?k={KEY}"
    assert basic(found) == "us@er:pa55"


def test_everything_secret_is_known_to_be_hidden(tmp_path: Path) -> None:
    secret = write(tmp_path, f"https://abcdefgh.provider.example/v1/{KEY}?token=tokentoken\n")
    found = target(tmp_path, url=None, url_file=secret)
    assert {KEY, "tokentoken", "abcdefgh.provider.example", found.url} <= set(found.hide)
    assert list(found.hide) == sorted(found.hide, key=len, reverse=True)
    assert KEY not in repr(found)


FAULTS: list[tuple[str, str | bytes]] = [
    ("url_file", ""),
    ("url_file", f"ws://node.example/{KEY}"),
    ("url_file", f"{KEY}"),
    ("url_file", f"http://[{KEY}"),
    ("url_file", f"http://node.example:{KEY}/"),
    ("password_file", " \n"),
    ("cookie_file", b"\xff\xfe"),
    ("bearer_token_file", f"{KEY}\n{KEY}"),
    ("bearer_token_file", f"{KEY}é"),
    ("headers_file", KEY),
    ("headers_file", f"X Api: {KEY}"),
    ("headers_file", f"X-Api: {KEY}\x00"),
    ("headers_file", "X-Api: " + KEY * 5000),
    ("ca_file", f"no certificate {KEY}"),
]


@pytest.mark.parametrize(("key", "content"), FAULTS, ids=lambda value: str(value)[:20])
async def test_a_secret_that_cannot_be_used_is_named_by_its_key_and_not_repeated(
    tmp_path: Path, key: str, content: str | bytes
) -> None:
    keys: dict[str, Any] = {key: write(tmp_path, content)}
    if key == "password_file":
        keys["username"] = "u"
    if key != "url_file":
        keys["url"] = "http://node.example"
    wire = HttpTransport(Endpoint(**keys), tmp_path, concurrency=1, body_bytes=1)
    with pytest.raises(Unreachable, match=key) as caught:
        await wire.send("", b"{}", 1)
    error: BaseException | None = caught.value
    while error is not None:
        assert KEY not in str(error)
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("key", ["url_file", "cookie_file", "bearer_token_file", "headers_file", "ca_file"])
async def test_a_file_that_is_not_there_is_named_by_its_key(tmp_path: Path, key: str) -> None:
    keys: dict[str, Any] = {key: "nowhere"} | ({} if key == "url_file" else {"url": "http://node.example"})
    wire = HttpTransport(Endpoint(**keys), tmp_path, concurrency=1, body_bytes=1)
    with pytest.raises(Unreachable, match=f"{key} cannot be .*No such file"):
        await wire.send("", b"{}", 1)


@pytest.mark.parametrize(
    ("url", "path", "whole"),
    [
        ("http://a:1", "", "http://a:1"),
        ("http://a:1", "/rest/x.bin", "http://a:1/rest/x.bin"),
        ("http://a:1/", "/rest/x.bin", "http://a:1/rest/x.bin"),
        ("http://a/k/?t=1", "/rest/x.bin", "http://a/k/rest/x.bin?t=1"),
    ],
)
def test_a_path_goes_below_the_url(url: str, path: str, whole: str) -> None:
    assert _below(url, path) == whole


# -- rotation ---------------------------------------------------------------------------------------


class Hand:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


def password_of(transport: HttpTransport) -> str:
    return basic(transport._current()).partition(":")[2]


def wire(folder: Path, hand: Hand) -> HttpTransport:
    endpoint = Endpoint(url="http://node.example/", username="u", password_file="secret")
    return HttpTransport(endpoint, folder, concurrency=1, body_bytes=1, clock=hand)


def test_a_password_that_is_rotated_counts_while_the_old_one_is_still_valid(tmp_path: Path, hand: Hand) -> None:
    write(tmp_path, "old")
    transport = wire(tmp_path, hand)
    assert password_of(transport) == "old"
    write(tmp_path, "newer")
    assert password_of(transport) == "old", "files are looked at now and then, not at every call"
    hand.now += LOOK_SECONDS
    assert password_of(transport) == "newer"


def test_a_secret_that_is_replaced_whole_counts_though_its_size_and_time_are_the_same(
    tmp_path: Path, hand: Hand
) -> None:
    write(tmp_path, "old")
    transport = wire(tmp_path, hand)
    password_of(transport)
    fresh = tmp_path / "fresh"
    fresh.write_text("new")
    before = (tmp_path / "secret").stat()
    os.utime(fresh, ns=(before.st_atime_ns, before.st_mtime_ns))
    fresh.replace(tmp_path / "secret")
    hand.now += LOOK_SECONDS
    assert password_of(transport) == "new"


def test_a_file_that_cannot_be_read_takes_no_working_key_away_and_counts_once_it_can(
    tmp_path: Path, hand: Hand
) -> None:
    write(tmp_path, "old")
    transport = wire(tmp_path, hand)
    password_of(transport)
    write(tmp_path, "")
    hand.now += LOOK_SECONDS
    assert password_of(transport) == "old"
    write(tmp_path, "new")
    hand.now += LOOK_SECONDS
    assert password_of(transport) == "new"


def test_after_a_failure_a_file_that_cannot_be_read_is_the_reason(tmp_path: Path, hand: Hand) -> None:
    write(tmp_path, "old")
    transport = wire(tmp_path, hand)
    password_of(transport)
    transport._target = None
    write(tmp_path, "")
    with pytest.raises(Unreachable, match="password_file"):
        transport._current()
