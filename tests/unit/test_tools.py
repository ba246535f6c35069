from __future__ import annotations

import socket
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from chains.lab.binaries import find_binary
from chains.lab.errors import LabError
from tools import components
from tools.components import Component, Missing, main


def fake(calls: list[str], recipe: str = "1") -> Component:
    def get(prefix: Path) -> str:
        calls.append("got")
        components.script(prefix, "talker", "echo talker 1.0")
        return "nowhere"

    return Component("talker", ("talker",), get, lambda: recipe)


def unavailable(prefix: Path) -> str:
    raise Missing("no such package", "ask for it")


def test_a_component_is_fetched_once_and_again_when_its_recipe_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(components, "COMPONENTS", (fake(calls),))
    for _ in range(2):
        assert main(["--prefix", str(tmp_path)]) == 0
        assert capsys.readouterr().out == "talker: talker 1.0 --version (from nowhere)\n"
    assert len(calls) == 1
    monkeypatch.setattr(components, "COMPONENTS", (fake(calls, "2"),))
    assert main(["--prefix", str(tmp_path)]) == 0
    assert len(calls) == 2


def test_a_component_whose_program_is_gone_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(components, "COMPONENTS", (fake(calls),))
    main(["--prefix", str(tmp_path)])
    (tmp_path / "bin" / "talker").unlink()
    main(["--prefix", str(tmp_path)])
    assert len(calls) == 2


@pytest.mark.parametrize(("ci", "options", "status"), [("", [], 0), ("", ["--strict"], 1), ("true", [], 1)])
def test_what_cannot_be_had_is_named_with_its_remedy_and_fails_where_it_must_not_be_missing(
    ci: str,
    options: list[str],
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls: list[str] = []
    lost = Component("lost", ("no-such-program",), unavailable, lambda: "1")
    monkeypatch.setattr(components, "COMPONENTS", (lost, fake(calls)))
    monkeypatch.setenv("CI", ci)
    assert main(["--prefix", str(tmp_path), *options]) == status
    out = capsys.readouterr().out
    assert "lost: MISSING: no such package; ask for it\n" in out
    assert "1 of the components could not be had" in out
    assert calls == ["got"]


def test_an_unknown_component_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--prefix", str(tmp_path), "geth"])
    assert end.value.code == 2


def test_the_archive_is_the_one_apt_is_configured_with(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "apt-get": "bookworm-updates http://mirror.test/debian/\nbookworm http://mirror.test/debian/\n",
        "dpkg": "amd64\n",
    }
    monkeypatch.setattr(components, "run", lambda command: answers[command[0]])
    monkeypatch.setattr(components.platform, "freedesktop_os_release", lambda: {"VERSION_CODENAME": "bookworm"})
    assert components.own_archive() == ("http://mirror.test/debian/", "bookworm")
    monkeypatch.setattr(components.platform, "freedesktop_os_release", lambda: {"VERSION_CODENAME": "jammy"})
    with pytest.raises(Missing, match="no Debian archive for jammy"):
        components.own_archive()


def test_the_replaced_path_keeps_its_length() -> None:
    assert len(components.ASSETS_BY_DESCRIPTOR) == len(components.ALERTMANAGER_ASSETS)


def test_a_failing_command_is_reported_by_its_telling_lines(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="sh failed: E: no such suite; see"):
        components.run(["/bin/sh", "-c", "echo W: hm >&2; echo E: no such suite >&2; exit 100"])
    with pytest.raises(Missing, match="no-such-command is not installed"):
        components.run(["no-such-command"])


def test_programs_are_found_where_the_environment_says_then_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("components/bin", "path"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setenv("PORWATCH_COMPONENTS", str(tmp_path / "components"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    with pytest.raises(LabError, match=r"run `python tools/components.py prometheus`"):
        find_binary("alertmanager")
    on_path = tmp_path / "path" / "prometheus-alertmanager"
    on_path.write_text("")
    on_path.chmod(0o755)
    assert find_binary("alertmanager") == on_path
    component = tmp_path / "components/bin/alertmanager"
    component.write_text("")
    assert find_binary("alertmanager") == component


def test_a_unit_test_cannot_open_a_network_socket() -> None:
    for attempt in (
        socket.socket,
        lambda: socket.create_connection(("127.0.0.1", 9)),
        lambda: socket.getaddrinfo("a.test", 80),
    ):
        with pytest.raises(pytest.fail.Exception, match="opened a network socket"):
            attempt()
    one, other = socket.socketpair()
    one.close()
    other.close()


def test_a_page_is_set_in_the_fonts_that_come_with_the_browser(tmp_path: Path) -> None:
    """Latin first, then Japanese, and from no folder of the system."""
    document = ET.fromstring(components.fonts_configuration())
    assert [(one.get("prefix"), one.text) for one in document.iter("dir")] == [("relative", "usr/share/fonts")]
    families = {
        alias.findtext("family"): [f.text for f in alias.iterfind("prefer/family")] for alias in document.iter("alias")
    }
    assert families["system-ui"] == ["Inter", "Noto Sans CJK JP"]
