from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.health import Health
from monitor.publish import deadman, drill
from monitor.publish.deadman import Deadman, read_url
from monitor.publish.deliver import Receiver
from monitor.publish.http import DeliveryFailed
from tests.unit.publish.samples import NOW

SECRET = "https://beat.example/ping/0123456789abcdef"


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object, bool]]:
    taken: list[tuple[str, object, bool]] = []

    async def post(_session: object, url: str, body: Any, _now: datetime, *, quote: bool = True) -> int:
        taken.append((url, body, quote))
        if "down" in url:
            raise DeliveryFailed("HTTP 503")
        return 200

    monkeypatch.setattr(deadman, "post", post)
    monkeypatch.setattr(drill, "post", post)
    return taken


def switch(tmp_path: Path, health: Health, url: str = SECRET) -> Deadman:
    file = tmp_path / "beat"
    file.write_text(f"{url}\n")
    return Deadman(file, timedelta(seconds=60), timedelta(seconds=120), health, lambda: NOW)


async def test_a_heartbeat_is_sent_while_every_chain_is_fresh(
    tmp_path: Path, health: Health, beats: list[tuple[str, object, bool]]
) -> None:
    for chain in health.chains:
        health.success("follow", chain, NOW - timedelta(seconds=120))
    await switch(tmp_path, health).beat(None)  # type: ignore[arg-type]
    assert beats == [(SECRET, None, False)]
    assert health.last_success["deadman", ""] == NOW


@pytest.mark.parametrize("age", [None, timedelta(seconds=121), timedelta(seconds=-121)])
async def test_one_stale_chain_silences_the_heartbeat(
    age: timedelta | None, tmp_path: Path, health: Health, beats: list[tuple[str, object, bool]]
) -> None:
    health.success("follow", "ethereum", NOW)
    if age is not None:
        health.success("follow", "bitcoin", NOW - age)
    await switch(tmp_path, health).beat(None)  # type: ignore[arg-type]
    assert beats == []
    assert health.problems == {"deadman/": "no heartbeat: not followed: bitcoin"}


async def test_a_url_changed_in_its_file_is_used_at_the_next_beat(
    tmp_path: Path, health: Health, beats: list[tuple[str, object, bool]]
) -> None:
    for chain in health.chains:
        health.success("follow", chain, NOW)
    heart = switch(tmp_path, health)
    await heart.beat(None)  # type: ignore[arg-type]
    (tmp_path / "beat").write_text("https://down.example/other-secret")
    await heart.beat(None)  # type: ignore[arg-type]
    assert [url for url, _, _ in beats] == [SECRET, "https://down.example/other-secret"]
    assert health.problems == {"deadman/": "the heartbeat was not taken: HTTP 503"}


@pytest.mark.parametrize(
    "content", ["", "ftp://x/secret", "https:///secret", "https://x/secret two", "https://x/" + "s" * 5000]
)
def test_a_bad_url_is_named_by_its_file_and_never_shown(content: str, tmp_path: Path) -> None:
    file = tmp_path / "beat"
    file.write_text(content)
    with pytest.raises(ValueError, match="beat holds no web address") as error:
        read_url(file)
    assert "secret" not in str(error.value)


async def test_a_missing_file_is_a_problem_and_not_the_end(
    tmp_path: Path, health: Health, beats: list[tuple[str, object, bool]]
) -> None:
    for chain in health.chains:
        health.success("follow", chain, NOW)
    heart = switch(tmp_path, health)
    (tmp_path / "beat").unlink()
    await heart.beat(None)  # type: ignore[arg-type]
    assert "No such file" in health.problems["deadman/"]


async def test_a_drill_goes_through_every_receiver_and_reports_each(
    tmp_path: Path, health: Health, beats: list[tuple[str, Any, bool]]
) -> None:
    switch(tmp_path, health)
    some = [
        Receiver("alertmanager-1", "http://up:9093", {"site": "tokyo"}),
        Receiver("alertmanager-2", "http://down:9093"),
    ]
    results = await drill.drill(some, tmp_path / "beat", "http://127.0.0.1:9899", NOW)
    assert [(r.receiver, r.ok, r.detail) for r in results] == [
        ("alertmanager-1", True, "HTTP 200"),
        ("alertmanager-2", False, "HTTP 503"),
        ("deadman", True, "HTTP 200"),
    ]
    sent = {url: (body, quote) for url, body, quote in beats}
    alerts, quoted = sent["http://up:9093/api/v2/alerts"]
    assert alerts[0]["labels"]["alertname"] == "PorwatchDrill"
    assert alerts[0]["labels"]["site"] == "tokyo"
    assert quoted
    assert sent[SECRET] == (None, False)


async def test_a_drill_without_its_deadman_file_says_so(tmp_path: Path) -> None:
    results = await drill.drill([], tmp_path / "absent", "http://127.0.0.1:9899", NOW)
    assert [(r.receiver, r.ok) for r in results] == [("deadman", False)]
