from __future__ import annotations

import string
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.config import ConfigError, Mistake, SecretError, load, read_secret
from monitor.model import Owner, Tier

CHECKOUT = Path(__file__).resolve().parents[3]
BASE: dict[str, Any] = {
    "entity": {"name": "Example"},
    "store": "sqlite:///porwatch.db",
    "assets": {"ETH": {"decimals": 18}, "BTC": {"decimals": 8}},
    "chains": {
        "ethereum": {"kind": "evm", "chain_id": 1, "native": "ETH", "endpoints": [{"url": "http://127.0.0.1:1"}]},
        "bitcoin": {
            "kind": "bitcoin",
            "network": "regtest",
            "native": "BTC",
            "endpoints": [{"url": "http://127.0.0.1:1"}],
        },
    },
    "wallets": [
        {
            "name": "hot",
            "chain": "ethereum",
            "tier": "hot",
            "addresses": ["0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359"],
        },
        {
            "name": "cold",
            "chain": "bitcoin",
            "tier": "cold",
            "addresses": ["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"],
        },
    ],
}


def written(folder: Path, document: object) -> Path:
    file = folder / "porwatch.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return file


def test_a_config_has_wallets_in_order_canonical_locators_and_absolute_paths(tmp_path: Path) -> None:
    config = load(written(tmp_path, BASE))
    assert [(wallet.name, wallet.tier, wallet.owner, wallet.order) for wallet in config.wallets] == [
        ("hot", Tier.HOT, Owner.CUSTOMER, 0),
        ("cold", Tier.COLD, Owner.CUSTOMER, 1),
    ]
    assert config.locators == {
        "ethereum": {"0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359": "hot"},
        "bitcoin": {"bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080": "cold"},
    }
    assert config.decimals == {"ETH": 18, "BTC": 8}
    assert config.base == tmp_path
    assert config.store_path == tmp_path / "porwatch.db"
    assert config.store_url() == f"sqlite:///{tmp_path}/porwatch.db"
    assert config.path("/etc/x") == Path("/etc/x")


def test_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    config = load(written(tmp_path, BASE))
    grace = config.policy.approval_grace
    assert (config.web.listen, config.policy.cold_needs_approval, config.books.approvals) == (
        "127.0.0.1:9899",
        True,
        None,
    )
    assert (grace.cold.total_seconds(), grace.hot.total_seconds(), grace.up_to_percent) == (0, 120, Decimal(1))
    assert (config.schedule.cycle.total_seconds(), config.schedule.prove.total_seconds()) == (60, 600)
    assert (f"{config.schedule.close:%H:%M}", f"{config.schedule.report:%H:%M}") == ("00:00", "06:00")


def test_a_config_for_postgresql_takes_its_password_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("p@ss/word\n")
    store = {"url": "postgresql+psycopg://porwatch@db.example:5432/porwatch", "password_file": "pw"}
    config = load(written(tmp_path, BASE | {"store": store, "signing": {"key_file": "pw"}}))
    assert config.store_path is None
    assert config.store_url() == "postgresql+psycopg://porwatch:p%40ss%2Fword@db.example:5432/porwatch"
    assert "p@ss" not in repr(config)


def test_the_owner_of_the_tables_is_another_user_with_a_password_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("p@ss\n")
    (tmp_path / "owner").write_text("o:wner\n")
    store = {"url": "postgresql+psycopg://porwatch@db.example/porwatch", "password_file": "pw"}
    config = load(written(tmp_path, BASE | {"store": store, "signing": {"key_file": "pw"}}))
    assert config.store_url("boss", tmp_path / "owner") == "postgresql+psycopg://boss:o%3Awner@db.example/porwatch"
    assert config.store_url("boss") == "postgresql+psycopg://boss@db.example/porwatch"


def test_a_rotated_password_counts_and_one_that_cannot_be_read_takes_none_away(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("first\n")
    store = {"url": "postgresql+psycopg://porwatch@db.example/porwatch", "password_file": "pw"}
    password = load(written(tmp_path, BASE | {"store": store, "signing": {"key_file": "pw"}})).store_password()
    assert password is not None
    seen = [password()]
    for content in ("second\n", "", "third\n"):
        (tmp_path / "pw").write_text(content)
        seen.append(password())
    assert seen == ["first", "second", "second", "third"]


def test_files_of_porwatchs_own_lie_beside_the_ledger_unless_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "own.key").write_text("a key")
    postgresql = {"url": "postgresql+psycopg://porwatch@db.example/porwatch"}
    assert load(written(tmp_path, BASE | {"store": postgresql, "signing": {"key_file": "own.key"}})).state_folder == (
        tmp_path
    )
    for store, where in (
        ("sqlite:///data/porwatch.db", tmp_path / "data"),
        ({"url": "sqlite:///data/porwatch.db", "folder": "state"}, tmp_path / "state"),
        ({**postgresql, "folder": "state"}, tmp_path / "state"),
    ):
        config = load(written(tmp_path, BASE | {"store": store}))
        assert (config.state_folder, config.report_key_path) == (where, where / "report.key")


def test_an_allowed_destination_is_known_on_every_chain_that_reads_it(tmp_path: Path) -> None:
    allow = {
        "cold": ["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"],
        "hot": ["0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"],
    }
    config = load(written(tmp_path, BASE | {"policy": {"allow": allow}}))
    assert config.allow == {
        "cold": {"bitcoin": frozenset(allow["cold"]), "ethereum": frozenset()},
        "hot": {"bitcoin": frozenset(), "ethereum": frozenset(allow["hot"])},
    }


@pytest.mark.parametrize("name", ["nowhere.yaml", ".", "nul\0byte.yaml"])
def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(f"{tmp_path}/{name}")


def test_checking_evm_and_bitcoin_addresses_imports_no_chain_library(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from monitor.books import check; assert check(sys.argv[1]) == [], check(sys.argv[1]);"
        "print(sorted({'web3', 'embit', 'bitcoin', 'sqlalchemy', 'fastapi'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(written(tmp_path, BASE))],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        check=True,
    )
    assert run.stdout == "[]\n"


def test_100_000_addresses_in_a_file_load_within_seconds(tmp_path: Path) -> None:
    (tmp_path / "many.csv").write_text("".join(f"0x{number:040x},label {number}\n" for number in range(1, 100_001)))
    wallet = {"name": "many", "chain": "ethereum", "tier": "hot", "addresses_file": "many.csv"}
    file = written(tmp_path, BASE | {"wallets": [wallet]})
    begin = perf_counter()
    config = load(file)
    # A generous bound for a busy machine: it shows a mistake of order, not of percent.
    assert perf_counter() - begin < 30
    assert len(config.locators["ethereum"]) == 100_000


def test_the_same_address_in_a_file_and_in_another_wallet_is_one_mistake_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB\n0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359\n"
    )
    wallet = {"name": "file", "chain": "ethereum", "tier": "hot", "addresses_file": "a.csv"}
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, BASE | {"wallets": [*BASE["wallets"], wallet]}))
    (mistake,) = caught.value.mistakes
    assert (mistake.file, mistake.line) == (str(tmp_path / "a.csv"), 2)
    assert "belongs to wallet hot already" in mistake.message


def test_a_file_that_is_wrong_throughout_gives_a_page_of_mistakes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("nonsense\n" * 5_000)
    wallet = {"name": "file", "chain": "ethereum", "tier": "hot", "addresses_file": "a.csv"}
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, BASE | {"wallets": [wallet]}))
    assert 50 <= len(caught.value.mistakes) <= 200


def test_a_secret_loses_one_newline_and_is_never_empty(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b" two words \r\n")
    assert read_secret(file) == " two words "
    for content in (b"", b"\n", b"hunter2\xff", b"x" * 100_000):
        file.write_bytes(content)
        with pytest.raises(SecretError) as caught:
            read_secret(file)
        assert "hunter2" not in str(caught.value)
    with pytest.raises(SecretError, match="create it"):
        read_secret(tmp_path / "nowhere")


_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.text(string.printable, max_size=20)
    | st.sampled_from(["0x", "http://[", "sqlite:///", "postgresql+psycopg://[", "60s", "script:", "bitcoin", "evm", "\0", "/"])
)  # fmt: skip
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abz_", max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [deeper for key, item in items for deeper in paths(item, (*path, key))]


def full() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHECKOUT / "config" / "example.yaml").read_text(encoding="utf-8"))
    found["wallets"] = [wallet for wallet in found["wallets"] if "descriptors" not in wallet]
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_value_at_any_key_gives_a_config_or_mistakes_that_name_lines(tmp_path: Path, data: st.DataObject) -> None:
    document = full()
    for path in data.draw(st.lists(st.sampled_from(paths(document)), min_size=1, max_size=3)):
        holder: Any = document
        for step in path[:-1]:
            holder = (
                holder[step]
                if isinstance(holder, dict | list)
                and step in (holder if isinstance(holder, dict) else range(len(holder)))
                else None
            )
        if isinstance(holder, dict) or (isinstance(holder, list) and path[-1] in range(len(holder))):
            holder[path[-1]] = data.draw(_VALUES)
    file = written(tmp_path, document)
    lines = file.read_text(encoding="utf-8").count("\n")
    try:
        load(file)
        mistakes: tuple[Mistake, ...] = ()
    except ConfigError as error:
        mistakes = error.mistakes
    assert all(1 <= mistake.line <= max(lines, 1) and mistake.message for mistake in mistakes)


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_gives_mistakes(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(raw)
    with pytest.raises(ConfigError):
        load(file)
