from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.fields import format_duration, parse_duration, split_listen, without_credentials


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("60s", 60), ("10m", 600), ("26h", 93_600), ("40d", 3_456_000), ("1h30m", 5_400), ("1d1s", 86_401)],
)
def test_a_duration_is_a_number_with_a_unit(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "60", "s", "1.5h", "-1s", "60S", "1m1h", "1 m", "4000d", "9" * 50 + "s", 60, None]
)
def test_anything_else_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_duration(text)


@given(st.integers(0, 3660 * 86_400))
def test_a_duration_survives_being_written(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize("text", ["0s", "60s", "120s", "10m", "26h", "40d"])
def test_the_defaults_of_the_reference_are_written_as_people_write_them(text: str) -> None:
    assert format_duration(parse_duration(text)) == text


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:9899", "127.0.0.1", 9899), ("[::1]:0", "::1", 0), ("localhost:65535", "localhost", 65_535)],
)
def test_a_listening_address_is_host_and_port(text: str, host: str, port: int) -> None:
    assert split_listen(text) == (host, port)


@pytest.mark.parametrize("text", ["", ":9899", "127.0.0.1", "127.0.0.1:65536", "::1:9899", "http://a:1"])
def test_anything_else_is_no_listening_address(text: str) -> None:
    assert split_listen(text) == ("", None)


def test_a_url_is_shown_without_credentials_and_query() -> None:
    assert without_credentials("http://user:hunter2@a.example/x?key=hunter2") == "http://…@a.example/x?…"
