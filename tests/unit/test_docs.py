"""The documents say what is true: links lead somewhere, commands parse, examples are valid, lists are complete."""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from monitor.__main__ import app
from monitor.assess import digest
from monitor.books import Heartbeat, check, decode, parse_approval
from monitor.config import load
from monitor.ledger.journal import Record
from monitor.ledger.state import _APPLY
from monitor.ledger.store import Commit, Ledger, commit
from monitor.model import Approval, Part, Reason, case_id
from monitor.publish.rules import RULES, alert_name
from tests.conftest import CHECKOUT

DOCS = CHECKOUT / "docs"
#: what people of this project write; whatever tools fetch or install has documents of its own
PAGES = sorted(
    path
    for path in (*CHECKOUT.glob("*.md"), *DOCS.rglob("*.md"), *(CHECKOUT / "alerts").rglob("*.md"))
    if path.is_file()
)
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
NAMES = [str(path.relative_to(CHECKOUT)) for path in PAGES]
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_COMMAND = re.compile(r"^(?:\S*/)?porwatch(?: (?P<rest>.*))?$")
#: what ends a command line: an alternative or an ellipsis in a sentence, a pipe or a redirection in a shell
_PLACEHOLDERS = re.compile(r"\s*(\||…|>).*$")


@dataclass(frozen=True)
class Fence:
    """One fenced block. ``title``: the file that it is, where the page says so."""

    page: Path
    language: str
    title: str
    text: str


def fences(page: Path) -> list[Fence]:
    found = []
    for match in _FENCE.finditer(page.read_text(encoding="utf-8")):
        language, _, rest = match["info"].partition(" ")
        indent = match["indent"]
        text = "".join(line.removeprefix(indent) for line in match["text"].splitlines(keepends=True))
        found.append(Fence(page, language, rest.removeprefix("title=").strip(), text))
    return found


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings: lower case, punctuation dropped, spaces to hyphens, repeats numbered."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", prose(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        name, count = slug, 0
        while name in found:
            count += 1
            name = f"{slug}-{count}"
        found.add(name)
    return found


@pytest.fixture(params=PAGES, ids=NAMES)
def page(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_the_documents_that_a_visitor_looks_for_are_there() -> None:
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/index.md"} <= set(NAMES)
    assert len(DECISIONS) >= 8


def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name}: {link}: no such file"
        assert target.is_relative_to(CHECKOUT), f"{page.name}: {link} leads out of the checkout"
        if anchor:
            assert anchor in anchors(target), (
                f"{page.name}: {link}: no such heading, there are {sorted(anchors(target))}"
            )


def test_the_pages_make_a_site_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "dummy", "-d", str(tmp_path / "trees")]
    done = subprocess.run(
        [*command, str(DOCS), str(tmp_path / "site")], capture_output=True, text=True, timeout=110, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_page_can_be_reached_from_the_index() -> None:
    reached, waiting = set[Path](), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page.is_dir():
            waiting += page.glob("*.md")
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        waiting += [
            (page.parent / link.partition("#")[0]).resolve() for link in _LINK.findall(prose(page)) if ":" not in link
        ]
    assert [str(path) for path in DOCS.rglob("*.md") if path not in reached] == []


# -- commands ---------------------------------------------------------------------------------------


def parse(words: list[str], *, whole: bool) -> None:
    """Parses a command line as the program would, and runs nothing. ``whole``: required options must be there."""
    command, context = get_command(app), None
    rest = list(words)
    while True:
        context = command.make_context(command.name or "porwatch", rest, parent=context, resilient_parsing=not whole)
        if not hasattr(command, "resolve_command"):
            return
        rest = [*context._protected_args, *context.args]
        if not rest:
            assert not whole, "names no command"
            return
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None, f"there is no command {rest}"
        command = found


def parsed(line: str, *, whole: bool) -> str:
    """Why a command line does not parse; "" where it does."""
    match = _COMMAND.match(line.strip())
    assert match is not None, line
    words = shlex.split(_PLACEHOLDERS.sub("", match["rest"] or ""), comments=True)
    if "--help" in words or "--install-completion" in words:
        return ""  # answered before anything is parsed
    try:
        parse(words, whole=whole)
    except Exception as error:  # noqa: BLE001  whatever is wrong with a line, it is named
        return f"{line}: {type(error).__name__}: {getattr(error, 'message', error)}"
    return ""


def test_every_command_line_in_a_block_parses(page: Path) -> None:
    lines = [
        line
        for fence in fences(page)
        if fence.language in ("sh", "bash")
        for line in fence.text.splitlines()
        if _COMMAND.match(line.strip())
    ]
    assert [why for line in lines if (why := parsed(line, whole=True))] == []


def test_every_command_named_in_a_sentence_exists(page: Path) -> None:
    named = [text for text in re.findall(r"`([^`\n]+)`", prose(page)) if re.match(r"porwatch [a-z]", text)]
    assert [why for text in named if (why := parsed(text, whole=False))] == []


def test_a_command_that_does_not_exist_is_found_out() -> None:
    assert "unknown" in parsed("porwatch unknown CONFIG", whole=False)
    assert "--nmae" in parsed("porwatch cases CONFIG ack ID --nmae K --reason r", whole=True)
    assert parsed("porwatch cases CONFIG close ID", whole=True), "name and reason are required"
    assert parsed("porwatch once CONFIG --output yaml", whole=True)


def commands_of(command: Any, name: str) -> dict[str, Any]:
    if not hasattr(command, "commands"):
        return {name: command}
    found: dict[str, Any] = {}
    for word, inner in command.commands.items():
        # A hidden one is what its group does where no other is named.
        found |= commands_of(inner, name if inner.hidden else f"{name} {word}")
    return found


def options_of(command: Any) -> set[str]:
    return {
        name
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--") and name != "--help"
    }


def test_the_reference_of_the_command_line_is_complete() -> None:
    sections: dict[str, str] = {}
    for section in (DOCS / "reference/cli.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        if heading.startswith("`"):
            words = [word for word in heading.strip("`").split() if word.islower()]
            sections[" ".join(words)] = text
    program = get_command(app)
    expected = {"porwatch": program, **commands_of(program, "porwatch")}
    assert set(sections) == set(expected)
    for name, command in expected.items():
        described = set(
            re.findall(r"`(--[a-z-]+)`", "\n".join(re.findall(r"^\| `--.*$", sections[name], re.MULTILINE)))
        )
        assert described == options_of(command), name


def test_the_help_and_the_reference_name_the_same_exit_codes() -> None:
    text = (DOCS / "reference/cli.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| (\d+) \|", text, re.MULTILINE)) == {"0", "1", "2", "3", "130"}


# -- examples ---------------------------------------------------------------------------------------


def test_every_block_of_json_and_yaml_can_be_read(page: Path) -> None:
    for fence in fences(page):
        assert fence.language, f"a block without a language: {fence.text[:60]}"
        match fence.language:
            case "json":
                json.loads(fence.text)
            case "jsonl":
                assert all(isinstance(decode(line), dict) for line in fence.text.splitlines())
            case "yaml":
                assert isinstance(yaml.safe_load(fence.text), dict)
            case "csv":
                rows = list(csv.reader(fence.text.splitlines(), strict=True))
                assert {len(row) for row in rows} == {len(rows[0])}
            case "python":
                compile(fence.text, page.name, "exec")
            case _:
                pass


def written(page: Path, folder: Path) -> Path:
    """Every titled block of a page as the file that it is."""
    for fence in fences(page):
        if fence.title:
            file = folder / fence.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(fence.text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", ["evm", "bitcoin"])
def test_the_first_configuration_has_no_mistake_and_can_run(kind: str, tmp_path: Path) -> None:
    folder = written(DOCS / "how-to/first-configuration.md", tmp_path) / kind
    (folder / "approvals.jsonl").touch()
    assert [str(mistake) for mistake in check(folder / "porwatch.yaml", NOW)] == []
    assert load(folder / "porwatch.yaml").chains


def test_the_approvals_in_the_pages_are_approvals(tmp_path: Path) -> None:
    folder = written(DOCS / "how-to/first-configuration.md", tmp_path) / "evm"
    (folder / "approvals.jsonl").touch()
    config = load(folder / "porwatch.yaml")
    lines = [
        line
        for name in ("how-to/approvals-feed.md", "reference/approvals.md")
        for fence in fences(DOCS / name)
        if fence.language == "jsonl"
        for line in fence.text.splitlines()
    ]
    records = [parse_approval(decode(line), config, NOW) for line in lines]
    assert sum(isinstance(record, Approval) for record in records) >= 3
    assert any(isinstance(record, Heartbeat) for record in records)
    posted = re.findall(r"--json '([^']+)'", (DOCS / "how-to/approvals-feed.md").read_text(encoding="utf-8"))
    assert [type(parse_approval(decode(text), config, NOW)) for text in posted] == [Approval]


#: files that parts of a configuration name
_NAMED = {
    "books/approvals.jsonl": "",
    "approvals.jsonl": "",
    "secrets/deadman": "https://switch.example/x\n",
    "secrets/halt": "0123456789abcdef" * 4 + "\n",
    "secrets/dsn": "sqlite:///withdrawals.db\n",
    "secrets/provider-1": "https://node-1.example/v1/key\n",
    "secrets/provider-2": "https://node-2.example/v1/key\n",
}


_PARTS = ("approvals-feed", "alerting", "several-endpoints", "halt-withdrawals", "getting-in-gradually")


@pytest.mark.parametrize("name", [f"how-to/{name}.md" for name in _PARTS])
def test_a_part_of_a_configuration_fits_into_a_whole_one(name: str, tmp_path: Path) -> None:
    folder = written(DOCS / "how-to/first-configuration.md", tmp_path) / "evm"
    parts = [
        yaml.safe_load(f.text) for f in fences(DOCS / name) if f.language == "yaml" and "scrape_configs" not in f.text
    ]
    assert parts
    for part in parts:
        whole = {**yaml.safe_load((folder / "porwatch.yaml").read_text(encoding="utf-8")), **part}
        for file, text in _NAMED.items():
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
        (folder / "with.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
        assert [str(mistake) for mistake in check(folder / "with.yaml", NOW)] == []


def test_the_alert_in_the_readme_has_the_fields_that_are_promised() -> None:
    case, alert = (json.loads(fence.text) for fence in fences(CHECKOUT / "README.md") if fence.language == "json")
    described = set(re.findall(r"`([a-z_]+)`", "\n".join(_rows(DOCS / "reference/http.md", "### A case", column=1))))
    assert set(case) == described
    assert case["id"] == case_id(case["chain"], case["txid"], case["wallet"], case["asset"])
    assert alert["labels"]["alertname"] == alert_name(case["rule"])
    assert alert["labels"]["case_id"] == case["id"]
    assert case["txid"] in alert["annotations"]["description"]


def _rows(page: Path, heading: str, *, column: int) -> list[str]:
    """One column of the first table below a heading."""
    text = f"\n{page.read_text(encoding='utf-8')}".partition(f"\n{heading}\n")[2]
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert table is not None, heading
    return [row.split("|")[column] for row in table[0].splitlines()[2:]]


def _codes(page: Path, heading: str) -> set[str]:
    return set(re.findall(r"`([a-z_]+)`", "\n".join(_rows(page, heading, column=1))))


# -- lists that must be complete --------------------------------------------------------------------


def test_every_kind_of_record_is_described() -> None:
    assert _codes(DOCS / "reference/journal.md", "## Kinds of records") == set(_APPLY)


def test_every_part_and_reason_is_described() -> None:
    page = DOCS / "explanation/attribution.md"
    assert _codes(page, "## From a transaction to flow parts") == {part.value for part in Part}
    assert _codes(page, "## From parts to reasons") == {reason.value for reason in Reason}


def test_every_key_of_an_approval_is_described() -> None:
    from monitor.books.approvals import KEYS

    assert _codes(DOCS / "reference/approvals.md", "# Approvals") == {*KEYS, "signature"}


def test_every_rule_that_can_open_or_join_a_case_is_named() -> None:
    sentence = re.search(r"Rules in this version: (.+)", (DOCS / "reference/http.md").read_text(encoding="utf-8"))
    assert sentence is not None
    assert set(re.findall(r"`([a-z_]+)`", sentence[1])) == set(RULES)


def test_a_stranger_can_check_the_journal_with_the_script_of_the_page(tmp_path: Path) -> None:
    (script,) = (fence.text for fence in fences(DOCS / "reference/journal.md") if fence.language == "python")
    (tmp_path / "check.py").write_text(script, encoding="utf-8")
    ledger = Ledger(f"sqlite:///{tmp_path / 'porwatch.db'}")
    records = tuple(Record("refused", {"source": "approvals", "id": f"出庫-{n}", "why": "e"}) for n in range(3))
    with ledger.write() as connection:
        head = commit(connection, Commit(records=records), NOW)[-1].hash
    command = [sys.executable, str(tmp_path / "check.py"), str(tmp_path / "porwatch.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == f"3 records, unbroken; head {head}\n"
    with ledger.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER journal_no_update")
        connection.exec_driver_sql("UPDATE journal SET body = replace(body, '出庫-1', '出庫-9')")
    ledger.close()
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (1, "record 2 differs\n")


def test_a_verdict_is_hashed_as_the_page_says() -> None:
    import hashlib

    body = {"previous_hash": "0" * 64, "cycle": 1}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert digest({**body, "hash": "x"}) == hashlib.sha256(text.encode()).hexdigest()


# -- form -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decision", DECISIONS, ids=[path.stem for path in DECISIONS])
def test_a_decision_is_context_choice_and_cost_on_one_page(decision: Path) -> None:
    text = decision.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Choice", "Cost"]
    assert text.startswith(f"# {decision.stem[:4]} ")
    assert len(text) < 4_000


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [path.stem[:4] for path in DECISIONS] == [f"{n:04}" for n in range(1, len(DECISIONS) + 1)]


def test_no_page_names_a_package_registry_or_a_folder_of_one_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"\b(?:pypi|pythonhosted|npmjs|rubygems|crates|golang|docker)\.(?:org|com|io)\b", text) == []
    assert re.findall(r"(?<![\w.])/(?:work|root|home|Users|tmp)/\S*", text) == []


def test_the_changelog_has_an_unreleased_section_of_the_known_kinds() -> None:
    text = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE)[0] == "[Unreleased]"
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Known limits"}
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= kinds
