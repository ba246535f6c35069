"""The command line beside a ledger with cases in it: what it prints, in which form, and with which exit code."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from tests.real.exchange import Exchange, exchange
from tests.real.servers import Alertmanager
from tests.real.sides import JSON, BitcoinSide, EvmSide, Side

ESCAPE = "\x1b["


@pytest.fixture(scope="module")
def sides(anvil: Anvil, bitcoind: Bitcoind) -> list[Side]:
    return [BitcoinSide(bitcoind), EvmSide(anvil)]


@pytest.fixture(scope="module")
def robbed(tmp_path_factory: pytest.TempPathFactory, sides: list[Side]) -> Iterator[Exchange]:
    """A stopped exchange with an open case on each chain, whose cycles have ended in verdicts."""
    with exchange(
        tmp_path_factory.mktemp("cli") / "exchange", sides, books={"liabilities": {"file": "liabilities.csv"}}
    ) as ex:
        ex.declare({"BTC": "15", "ETH": "1"})
        ex.start()
        for side in sides:
            customer = side.outside()
            ex.approve(id=f"ok-{side.name}", chain=side.name, asset=side.asset, amount="0.5", destination=customer)
            side.pay(side.hot, customer, side.unit // 2)
            side.pay(side.cold, side.outside(), side.unit)
            side.mine(6)
            ex.wait_for_block(side.name, side.head())
        ex.settle()
        assert ex.stop() == 0
        yield ex


@pytest.fixture
def copy(robbed: Exchange, tmp_path: Path) -> Exchange:
    """The same exchange in a folder of its own, to be changed."""
    folder = tmp_path / "copy"
    shutil.copytree(robbed.folder, folder)
    return Exchange(folder, *deepcopy((robbed.chains, robbed.assets, robbed.wallets, robbed.extra)))


def porwatch(ex: Exchange, *words: str) -> subprocess.CompletedProcess[str]:
    result = ex.command(*words)
    assert "Traceback" not in result.stderr
    return result


def listed(ex: Exchange, *more: str) -> list[JSON]:
    result = porwatch(ex, "cases", str(ex.config), "list", "--output", "json", *more)
    assert result.returncode == 0
    found: list[JSON] = json.loads(result.stdout)["cases"]
    return found


def test_check_of_a_good_configuration_says_what_it_is(robbed: Exchange) -> None:
    result = porwatch(robbed, "check", str(robbed.config))
    assert result.returncode == 0
    for word in ("Test Exchange KK", "bitcoin", "ethereum", "wallets: 4", "liabilities"):
        assert word in result.stdout


def test_check_names_every_mistake_at_once_with_its_line(copy: Exchange) -> None:
    copy.wallets[0]["addresses"].append("bcrt1qwrong")
    copy.extra["shedule"] = {"cycle": "1s"}
    copy.write_config()
    copy.liabilities.unlink()
    result = porwatch(copy, "check", str(copy.config))
    assert (result.returncode, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    for word in ("bcrt1qwrong", "shedule", "liabilities.csv"):
        (line,) = (line for line in lines if word in line)
        file, number, *_ = line.split(":")
        assert file == str(copy.config)
        assert word in copy.config.read_text().splitlines()[int(number) - 1]
    for command in ("run", "once"):
        assert porwatch(copy, command, str(copy.config)).returncode == 2


def test_commands_that_need_a_ledger_say_how_to_get_one(copy: Exchange) -> None:
    for path in copy.folder.glob("porwatch.db*"):
        path.unlink()
    for words in (["status"], ["cases", "list"], ["journal", "verify"]):
        command = [words[0], str(copy.config)] if len(words) == 1 else [words[0], *_placed(words, copy)]
        result = porwatch(copy, *command)
        assert result.returncode == 2, words
        assert "porwatch run" in result.stderr, words


def _placed(words: list[str], ex: Exchange) -> list[str]:
    """`cases CONFIG list` has the configuration in the middle, `journal verify CONFIG` at the end."""
    return [str(ex.config), words[1]] if words[0] == "cases" else [words[1], str(ex.config)]


def test_wrong_usage_is_exit_code_two(robbed: Exchange) -> None:
    assert porwatch(robbed, "check").returncode == 2
    assert porwatch(robbed, "nonsense").returncode == 2
    assert porwatch(robbed, "--log-format", "xml", "status", str(robbed.config)).returncode == 2
    assert porwatch(robbed, "check", str(robbed.folder / "absent.yaml")).returncode == 2


def test_status_in_three_forms_and_one_as_a_finding(robbed: Exchange) -> None:
    table, data, rows = (
        porwatch(robbed, "status", str(robbed.config), "--output", form) for form in ("table", "json", "csv")
    )
    assert [result.returncode for result in (table, data, rows)] == [1, 1, 1], "a critical case is open"
    body = json.loads(data.stdout)
    assert body["cases"]["open"] == 2
    holdings = {(line["wallet"], line["asset"]): line["final"] for line in body["holdings"]}
    read = list(csv.DictReader(io.StringIO(rows.stdout)))
    assert {(row["wallet"], row["asset"]): row["final"] for row in read} == holdings
    for (wallet, _), amount in holdings.items():
        assert any(wallet in line and amount in line for line in table.stdout.splitlines())
    assert all(isinstance(line["final"], str) for line in body["holdings"])


def test_cases_are_listed_in_three_forms_and_shown_one_by_one(robbed: Exchange, sides: list[Side]) -> None:
    cases = listed(robbed)
    assert {case["chain"] for case in cases} == {side.name for side in sides}
    assert listed(robbed, "--state", "closed") == []
    rows = porwatch(robbed, "cases", str(robbed.config), "list", "--output", "csv")
    assert [row["id"] for row in csv.DictReader(io.StringIO(rows.stdout))] == [case["id"] for case in cases]
    table = porwatch(robbed, "cases", str(robbed.config), "list")
    for case in cases:
        assert sum(case["txid"] in line and case["amount"] in line for line in table.stdout.splitlines()) == 1
        shown = porwatch(robbed, "cases", str(robbed.config), "show", case["id"])
        assert json.loads(shown.stdout) == case
    assert porwatch(robbed, "cases", str(robbed.config), "show", "0" * 16).returncode == 2
    assert porwatch(robbed, "cases", str(robbed.config), "list", "--state", "odd").returncode == 2


def test_a_case_is_acknowledged_and_closed_without_a_monitor(copy: Exchange) -> None:
    case = listed(copy)[0]
    who = ["--name", "Suzuki", "--reason", "called the custodian"]
    acked = porwatch(copy, "cases", str(copy.config), "ack", case["id"], *who)
    assert (acked.returncode, acked.stdout) == (0, f"{case['id']} acknowledged\n")
    again = porwatch(copy, "cases", str(copy.config), "ack", case["id"], *who)
    assert again.returncode == 2
    assert "acknowledged" in again.stderr
    closed = porwatch(copy, "cases", str(copy.config), "close", case["id"], *who)
    assert (closed.returncode, closed.stdout) == (0, f"{case['id']} closed\n")
    (after,) = listed(copy, "--state", "closed")
    assert [(e["action"], e["by"], e["note"]) for e in after["history"][-2:]] == [
        ("acknowledged", "Suzuki", "called the custodian"),
        ("closed", "Suzuki", "called the custodian"),
    ]
    letter = copy.folder / "letter.txt"
    letter.write_text("To MAS", encoding="utf-8")
    told = ["--event", "it_incident", "--authority", "MAS", "--channel", "portal", "--letter", str(letter)]
    assert porwatch(copy, "cases", str(copy.config), "notified", case["id"], *told, *who).returncode == 0
    (after,) = listed(copy, "--state", "closed")
    assert after["history"][-1]["notice"]["content"] == sha256(b"To MAS").hexdigest()
    assert porwatch(copy, "cases", str(copy.config), "close", "f" * 16, *who).returncode == 2
    assert porwatch(copy, "journal", "verify", str(copy.config)).returncode == 0


def test_a_case_is_acknowledged_through_the_running_monitor(copy: Exchange) -> None:
    copy.start()
    try:
        case = listed(copy)[0]
        result = porwatch(copy, "cases", str(copy.config), "ack", case["id"], "--name", "Ito", "--reason", "on it")
        assert (result.returncode, result.stdout) == (0, f"{case['id']} acknowledged\n")
        assert copy.get(f"cases/{case['id']}")["state"] == "acknowledged"
        assert copy.get(f"cases/{case['id']}")["history"][-1]["by"] == "Ito"
        who = ["--name", "Ito", "--reason", "no. 17", "--event", "outflow", "--authority", "FSA", "--channel", "e-mail"]
        assert porwatch(copy, "cases", str(copy.config), "notified", case["id"], *who).returncode == 0
        assert copy.get(f"cases/{case['id']}")["history"][-1]["notice"]["authority"] == "FSA"
        # The ledger is read beside the running monitor.
        assert [c["id"] for c in listed(copy, "--state", "acknowledged")] == [case["id"]]
        assert porwatch(copy, "status", str(copy.config)).returncode == 1
        assert porwatch(copy, "journal", "verify", str(copy.config)).returncode == 0
        assert porwatch(copy, "journal", "rebuild", str(copy.config)).returncode == 2
    finally:
        copy.close()


def test_once_prints_the_verdict_in_three_forms(copy: Exchange) -> None:
    for form in ("json", "csv", "table"):
        result = porwatch(copy, "once", str(copy.config), "--output", form)
        assert result.returncode == 1, "a critical case is open"
        if form == "json":
            verdict = json.loads(result.stdout)
            assert {"cycle", "kind", "at", "anchors", "positions", "checks", "previous_hash", "hash"} <= verdict.keys()
        for asset in ("BTC", "ETH"):
            assert asset in result.stdout


def test_journal_verify_names_the_record_that_was_tampered_with(copy: Exchange) -> None:
    good = porwatch(copy, "journal", "verify", str(copy.config))
    assert good.returncode == 0
    assert "unbroken" in good.stdout
    with sqlite3.connect(copy.folder / "porwatch.db") as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        seq, body = connection.execute("SELECT seq, body FROM journal WHERE kind = 'case' ORDER BY seq").fetchone()
        assert '"critical"' in body
        connection.execute("UPDATE journal SET body = ? WHERE seq = ?", [body.replace('"critical"', '"info"'), seq])
    connection.close()
    bad = porwatch(copy, "journal", "verify", str(copy.config))
    assert (bad.returncode, bad.stdout) == (1, "")
    assert str(seq) in bad.stderr
    before = _tables(copy)
    rebuilt = porwatch(copy, "journal", "rebuild", str(copy.config))
    assert rebuilt.returncode == 1
    assert _tables(copy) == before, "nothing is rebuilt from a journal that is broken"


def test_once_leaves_a_signed_tree_head_over_its_verdict(copy: Exchange) -> None:
    porwatch(copy, "once", str(copy.config))
    with sqlite3.connect(copy.folder / "porwatch.db") as connection:
        (size,) = connection.execute("SELECT max(size) FROM tree_head").fetchone()
        (seq,) = connection.execute("SELECT max(seq) FROM journal WHERE kind = 'verdict'").fetchone()
    connection.close()
    assert size >= seq
    verified = porwatch(copy, "journal", "verify", str(copy.config))
    assert verified.returncode == 0, verified.stderr
    assert f"the last over {size} records" in verified.stdout


def test_journal_rebuild_leaves_every_answer_as_it_was(copy: Exchange) -> None:
    answers = [["cases", str(copy.config), "list", "--output", "json"], ["status", str(copy.config), "--output", "csv"]]
    tables, before = _tables(copy), [porwatch(copy, *words).stdout for words in answers]
    with sqlite3.connect(copy.folder / "porwatch.db") as connection:
        connection.execute("UPDATE total SET units = '1'")
        connection.execute("DELETE FROM flow")
    connection.close()
    assert _tables(copy) != tables
    result = porwatch(copy, "journal", "rebuild", str(copy.config))
    assert result.returncode == 0, result.stderr
    assert _tables(copy) == tables
    assert [porwatch(copy, *words).stdout for words in answers] == before


def _tables(ex: Exchange) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that the journal determines."""
    names = ("watched", "account", "total", "movement", "flow", "coin", "approval", "cases", "verdict")
    return {name: sorted(ex.rows(f"SELECT * FROM {name}"), key=repr) for name in names}


def test_the_schema_of_the_configuration_is_json_that_knows_the_keys(robbed: Exchange) -> None:
    result = porwatch(robbed, "config", "schema")
    assert result.returncode == 0
    schema = json.loads(result.stdout)
    assert {"entity", "store", "assets", "chains", "wallets", "books", "policy"} <= schema["properties"].keys()


def test_alerts_test_is_a_drill_through_a_real_alertmanager(
    copy: Exchange, start_alertmanager: Callable[..., Alertmanager]
) -> None:
    nobody = porwatch(copy, "alerts", "test", str(copy.config))
    assert nobody.returncode == 2
    assert "alertmanagers" in nobody.stderr
    receiver = {"route": {"receiver": "r"}, "receivers": [{"name": "r"}]}
    alertmanager = start_alertmanager(receiver)
    copy.extra["alertmanagers"] = [{"url": alertmanager.url}, {"url": "http://127.0.0.1:9"}]
    copy.write_config()
    result = porwatch(copy, "alerts", "test", str(copy.config))
    assert result.returncode == 3, "one of two did not take it"
    assert "alertmanager-1: taken" in result.stdout
    assert "alertmanager-2: FAILED" in result.stdout
    (alert,) = alertmanager.alerts()
    assert "drill" in json.dumps(alert).lower() or "test" in json.dumps(alert).lower()
    copy.extra["alertmanagers"].pop()
    copy.write_config()
    assert porwatch(copy, "alerts", "test", str(copy.config)).returncode == 0


def on_a_terminal(*words: str, **environment: str) -> str:
    """What a command writes when its output and its errors are a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "monitor", *words],
        stdout=theirs,
        stderr=theirs,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "200", **environment},
    )
    os.close(theirs)
    written = b""
    # A pseudo-terminal ends in an error once the other side is closed.
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:
            break
        if not piece:
            break
        written += piece
    process.wait(60)
    os.close(ours)
    return written.decode()


def test_no_color_is_respected_on_a_terminal_and_a_pipe_never_gets_any(copy: Exchange) -> None:
    # `once` on a ledger that does not exist yet logs what it opens.
    fresh = copy.folder / "fresh.yaml"
    fresh.write_text(copy.config.read_text().replace("porwatch.db", "fresh.db"))
    for words in (["status", str(copy.config)], ["cases", str(copy.config), "list"], ["once", str(fresh)]):
        text = on_a_terminal(*words, NO_COLOR="1")
        assert "\x1b[3" not in text, words
        result = porwatch(copy, *words)
        assert ESCAPE not in result.stdout + result.stderr


@pytest.mark.parametrize("up", [True, False])
def test_a_password_in_a_url_file_appears_nowhere(bitcoind: Bitcoind, up: bool, tmp_path: Path) -> None:
    """Not in the log, the API, the metrics, a page, or what commands print; neither while all is well nor in errors."""
    side = BitcoinSide(bitcoind)
    with exchange(tmp_path / "exchange", [side]) as ex:
        password = bitcoind.password if up else "wrong-but-secret-42"
        host = bitcoind.url.removeprefix("http://")
        (ex.folder / "url-with-password").write_text(f"http://{bitcoind.username}:{password}@{host}\n")
        ex.chains["bitcoin"]["endpoints"] = [{"url_file": "url-with-password"}]
        ex.write_config()
        (ex.folder / "only-password").write_text(password)
        printed = [porwatch(ex, *words) for words in (["check", str(ex.config), "--online"], ["once", str(ex.config)])]
        assert printed[0].returncode == (0 if up else 3)
        ex.launch()
        ex.wait(lambda: ex.status_of("/-/healthy") == 200, "HTTP is not served")
        if up:
            side.pay(side.cold, side.outside(), side.unit)
            ex.wait(ex.cases, "no case")
        else:
            ex.wait(lambda: ex.get("status")["problems"], "no problem")
        texts = [result.stdout + result.stderr for result in printed]
        texts += [json.dumps(ex.get(path)) for path in ("status", "cases?state=all", "approvals")]
        texts += [ex.metrics(), ex.log.read_text()]
        for text in texts:
            assert password not in text
            assert bitcoind.username not in text
