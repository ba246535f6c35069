"""`porwatch wallets challenge` and `wallets prove` as typed, on real nodes: issued, signed, verified, remembered."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chains.lab.anvil import WEI_PER_ETH, Anvil
from chains.lab.bitcoind import Bitcoind
from monitor import wallets_commands
from monitor.ledger.control import control_proofs
from monitor.ledger.store import Ledger
from tests.keys import Key, joined
from tests.real.exchange import Exchange, exchange
from tests.real.sides import JSON, BitcoinSide, EvmSide
from tests.real.signers import Safes

pytestmark = pytest.mark.component("anvil", "bitcoind")

COLD, HOT = Key(), Key()
OWNERS = [Key() for _ in range(3)]


@pytest.fixture(scope="module")
def side(anvil: Anvil) -> EvmSide:
    side = EvmSide(anvil)
    for key in (COLD, HOT):
        anvil.receipt(anvil.send(anvil.accounts[1], key.address, 10 * WEI_PER_ETH))
    return side


@pytest.fixture(scope="module")
def ex(
    side: EvmSide, bitcoind: Bitcoind, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Exchange]:
    safe = Safes(side.node, shared_data / "evm_contracts").safe("1.4.1", [key.address for key in OWNERS], 2)
    bitcoin = BitcoinSide(bitcoind)
    common = {"chain": "ethereum", "owner": "customer"}
    wallets = [
        {"name": "cold", "tier": "cold", "addresses": [COLD.address], **common},
        {"name": "hot", "tier": "hot", "addresses": [HOT.address], **common},
        {"name": "safe", "tier": "cold", "addresses": [safe], **common},
        *bitcoin.wallets(),
    ]
    with exchange(tmp_path_factory.mktemp("wallets") / "exchange", [side, bitcoin], wallets) as made:
        side.mine(6)
        bitcoin.mine(6)
        assert made.command("once", str(made.config)).returncode != 2
        yield made


def challenged(ex: Exchange, wallet: str, *words: str) -> list[JSON]:
    """The challenges that were issued, in the form that programs read."""
    result = ex.command("wallets", "challenge", str(ex.config), "--wallet", wallet, "--output", "json", *words)
    assert result.returncode == 0, result.stderr
    found: list[JSON] = json.loads(result.stdout)["challenges"]
    return found


def text_for(ex: Exchange, wallet: str, *words: str) -> str:
    (only,) = challenged(ex, wallet, *words)
    return str(only["challenge"])


def prove(ex: Exchange, *proofs: JSON) -> tuple[int, list[JSON]]:
    """The exit code, and what became of each proof."""
    file = ex.folder / "proofs.json"
    file.write_text(json.dumps(list(proofs)))
    result = ex.command("wallets", "prove", str(ex.config), str(file), "--output", "json")
    assert "Traceback" not in result.stderr
    return result.returncode, json.loads(result.stdout)["proofs"]


def answer(text: str, kind: str, proof: str) -> JSON:
    return {"challenge": text, "kind": kind, "proof": proof}


def proofs_of(ex: Exchange) -> dict[tuple[str, str], Any]:
    ledger = Ledger(f"sqlite:///{ex.folder / 'porwatch.db'}", writable=False)
    with ledger.read() as connection:
        found = control_proofs(connection)
    ledger.close()
    return found


def test_a_signed_challenge_shows_control_once_and_is_remembered(ex: Exchange) -> None:
    text = text_for(ex, "cold", "--purpose", "audit of November")
    assert {"Entity: Test Exchange KK", "Purpose: audit of November", f"Address: {COLD.address}"} <= set(
        text.split("\n")
    )
    code, (row,) = prove(ex, answer(text, "eip191", COLD.personal(text)))
    assert (code, row["result"], row["detail"]) == (0, "shown", {"signer": COLD.address.lower()})
    code, (row,) = prove(ex, answer(text, "eip191", COLD.personal(text)))
    assert code == 1
    assert "serves once" in row["reason"]
    status = proofs_of(ex)["ethereum", COLD.address]
    assert (status.proof.kind, status.proof.proof, status.challenge.text) == ("eip191", COLD.personal(text), text)
    assert status.proof.block.hash == row_block(ex, "control_proof")["hash"]


def row_block(ex: Exchange, kind: str) -> JSON:
    found: JSON = ex.records(kind)[-1]["block"]
    return found


def test_owners_of_a_safe_answer_and_one_of_them_twice_does_not(ex: Exchange) -> None:
    text = text_for(ex, "safe")
    one, two = (key.personal(text) for key in OWNERS[:2])
    code, (row,) = prove(ex, answer(text, "safe_owners", joined(one, one)))
    assert code == 1
    assert "counts once" in row["reason"]
    code, (row,) = prove(ex, answer(text, "safe_owners", joined(two, one)))
    assert (code, row["detail"]["threshold"], row["detail"]["safe"]) == (0, "2", "1.4.1")


def test_an_instructed_movement_is_proved_by_what_was_followed(ex: Exchange, side: EvmSide) -> None:
    text = text_for(ex, "hot", "--movement")
    lines = dict(line.split(": ", 1) for line in text.split("\n")[2:])
    amount, asset = lines["Move"].split(" ")
    assert (asset, lines["To"]) == ("ETH", COLD.address)
    wei = int(amount.replace(".", ""))
    assert wei % 2 == 1
    inexact = side.node.send(HOT.address, COLD.address, wei - 1)
    side.node.receipt(inexact)
    elsewhere = side.node.send(HOT.address, side.outside(), wei)
    side.node.receipt(elsewhere)
    txid = side.node.send(HOT.address, COLD.address, wei)
    side.node.receipt(txid)
    code, (row,) = prove(ex, answer(text, "movement", txid))
    assert (code, row["result"]) == (3, "undetermined")
    side.mine(6)
    assert ex.command("once", str(ex.config)).returncode != 2
    for wrong, why in ((inexact, "exactly"), (elsewhere, "exactly")):
        code, (row,) = prove(ex, answer(text, "movement", wrong))
        assert code == 1
        assert why in row["reason"]
    assert prove(ex, answer(text, "eip191", HOT.personal(text)))[0] == 1
    code, (row,) = prove(ex, answer(text, "movement", txid))
    assert (code, row["detail"]["txid"]) == (0, txid)
    assert proofs_of(ex)["ethereum", HOT.address].proof.txid == txid


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Entity: Test Exchange KK", "Entity: Another Exchange KK"),
        ("Purpose: proof of reserves", "Purpose: sale of the company"),
        (f"Address: {COLD.address}", f"Address: {HOT.address}"),
        ("Chain: eip155:31337", "Chain: eip155:1"),
    ],
    ids=["entity", "purpose", "address", "chain"],
)
def test_bypass_a_signature_over_a_text_that_was_not_issued(ex: Exchange, before: str, after: str) -> None:
    text = text_for(ex, "cold")
    assert before in text
    other = text.replace(before, after)
    code, (row,) = prove(ex, answer(other, "eip191", COLD.personal(other)))
    assert code == 1
    assert "was issued for another" in row["reason"]


def test_bypass_the_constant_text_of_other_exchanges(ex: Exchange) -> None:
    text = "I am an OKX address"
    code, (row,) = prove(ex, answer(text, "eip191", COLD.personal(text)))
    assert code == 1
    assert "no challenge of porwatch" in row["reason"]


def test_bypass_a_challenge_of_another_porwatch(ex: Exchange) -> None:
    text = text_for(ex, "cold")
    nonce = next(line for line in text.split("\n") if line.startswith("Nonce"))
    text = text.replace(nonce, "Nonce: " + "ab" * 16)
    code, (row,) = prove(ex, answer(text, "eip191", COLD.personal(text)))
    assert code == 1
    assert "not issued by this porwatch" in row["reason"]


def test_each_proof_of_a_file_is_judged_and_the_good_ones_are_kept(ex: Exchange) -> None:
    first, second = text_for(ex, "cold"), text_for(ex, "hot")
    code, rows = prove(ex, answer(first, "eip191", HOT.personal(first)), answer(second, "eip191", HOT.personal(second)))
    assert (code, [row["result"] for row in rows]) == (1, ["bad", "shown"])
    assert COLD.address in rows[0]["reason"]


def test_kinds_of_other_chains_are_refused(ex: Exchange) -> None:
    text = text_for(ex, "cold")
    code, (row,) = prove(ex, answer(text, "bip322_simple", COLD.personal(text)))
    assert code == 1
    assert "EVM address" in row["reason"]
    text = text_for(ex, "btc-cold")
    code, (row,) = prove(ex, answer(text, "bitcoin_message", "AAAA"))
    assert (code, row["result"]) == (1, "bad")


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"wallet": "nobody"}, "there is no wallet nobody"),
        ({"wallet": "cold", "address": HOT.address}, "no address of wallet cold"),
        ({"wallet": "cold", "address": "0x12"}, "hex digits"),
        ({"wallet": "cold", "expires": "soon"}, "no duration"),
        ({"wallet": "cold", "expires": "91d"}, "90 days at most"),
        ({"wallet": "cold", "purpose": "a\nEntity: b"}, "one line"),
        ({"wallet": "cold", "destination": HOT.address}, "belongs to movement"),
        ({"wallet": "cold", "movement": True, "destination": OWNERS[0].address}, "own wallet"),
        ({"wallet": "cold", "movement": "yes"}, "true or false"),
        ({"wallet": "cold", "purpose": 7}, "write a text"),
        ({"address": COLD.address}, "where wanted"),
    ],
)
def test_what_cannot_be_asked_is_said(
    ex: Exchange, capsys: pytest.CaptureFixture[str], request_: JSON, said: str
) -> None:
    assert wallets_commands.challenge(ex.config, request_, "json") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err


def test_options_reach_the_challenge(ex: Exchange) -> None:
    text = text_for(
        ex, "cold", "--movement", "--destination", HOT.address, "--expires", "1h", "--address", COLD.address
    )
    assert text.endswith(f"To: {HOT.address}")
    assert ex.command("wallets", "challenge", str(ex.config), "--wallet", "nobody").returncode == 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "Expecting value"),
        ("[]", "holds 0 proofs"),
        ('{"challenge": "x", "kind": "eip191"}', "proof 1: write"),
        ('{"challenge": "x", "kind": "pgp", "proof": "y"}', "not known"),
        ('{"challenge": 1, "kind": "eip191", "proof": "y"}', "all of them texts"),
    ],
)
def test_a_file_that_is_no_list_of_proofs_is_wrong_usage(
    ex: Exchange, capsys: pytest.CaptureFixture[str], body: str, said: str
) -> None:
    file = ex.folder / "bad.json"
    file.write_text(body)
    assert wallets_commands.prove(ex.config, str(file), "json") == 2
    assert said in capsys.readouterr().err
    assert wallets_commands.prove(ex.config, str(ex.folder / "none.json"), "json") == 2


def test_lists_are_also_tables_for_other_programs(ex: Exchange, capsys: pytest.CaptureFixture[str]) -> None:
    assert wallets_commands.challenge(ex.config, {"wallet": "cold"}, "csv") == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["address"], row["wallet"]) == (COLD.address, "cold")
    file = ex.folder / "one.json"
    file.write_text(json.dumps(answer(row["challenge"], "eip191", COLD.personal(row["challenge"]))))
    assert wallets_commands.prove(ex.config, str(file), "csv") == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert json.loads(row["detail"]) == {"signer": COLD.address.lower()}


def test_the_text_for_people_is_the_text_that_is_signed_and_is_read_from_standard_input(ex: Exchange) -> None:
    shown = ex.command("wallets", "challenge", str(ex.config), "--wallet", "cold")
    text = shown.stdout.strip()
    body = json.dumps(answer(text, "eip191", COLD.personal(text)))
    result = subprocess.run(
        [sys.executable, "-m", "monitor", "wallets", "prove", str(ex.config), "-"],
        input=body, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert f"eip191 {COLD.address}: control shown after block" in result.stdout


def test_the_journal_gives_the_same_tables_again(ex: Exchange) -> None:
    before = proofs_of(ex)
    assert before
    assert ex.command("journal", "verify", str(ex.config)).returncode == 0
    assert ex.command("journal", "rebuild", str(ex.config)).returncode == 0
    assert proofs_of(ex) == before


def test_nodes_that_cannot_be_reached_leave_it_undetermined(ex: Exchange, side: EvmSide) -> None:
    text = text_for(ex, "cold")
    for endpoint in ex.chains["ethereum"]["endpoints"]:
        endpoint["url"] = "http://127.0.0.1:9"
    ex.write_config()
    try:
        assert prove(ex, answer(text, "eip191", COLD.personal(text)))[0] == 3
        result = ex.command("wallets", "challenge", str(ex.config), "--wallet", "cold")
        assert result.returncode == 3
        assert result.stdout == ""
    finally:
        for endpoint in ex.chains["ethereum"]["endpoints"]:
            endpoint["url"] = side.url
        ex.write_config()
    assert prove(ex, answer(text, "eip191", COLD.personal(text)))[0] == 0


def test_a_running_monitor_does_the_same_and_says_so_alike(ex: Exchange) -> None:
    ex.start()
    try:
        text = text_for(ex, "cold", "--purpose", "beside a running monitor")
        assert prove(ex, answer(text, "eip191", HOT.personal(text)))[0] == 1
        code, (row,) = prove(ex, answer(text, "eip191", COLD.personal(text)))
        assert (code, row["result"]) == (0, "shown")
        code, (row,) = prove(ex, answer(text, "eip191", COLD.personal(text)))
        assert "serves once" in row["reason"]
        result = ex.command("wallets", "challenge", str(ex.config), "--wallet", "cold", "--purpose", "")
        assert (result.returncode, result.stdout) == (2, "")
        assert "Purpose" in result.stderr
        assert ex.post("control/proofs", {"challenge": text})[0] == 400
        assert ex.post("control/challenges", {"wallet": "cold", "movement": "yes"})[0] == 400
    finally:
        assert ex.stop() == 0
    assert proofs_of(ex)["ethereum", COLD.address].challenge.text == text
