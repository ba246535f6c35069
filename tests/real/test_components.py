from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chains.lab.anvil import WEI_PER_ETH, Anvil, token_json
from chains.lab.bitcoind import SATS_PER_BTC, Bitcoind, bitcoins, sats
from chains.lab.errors import LabError, RpcError
from chains.lab.process import Process, wait_until
from chains.lab.rpc import LabRpc, require_loopback
from tests.real.servers import Alertmanager, Prometheus, WebhookReceiver, get
from tools.compile_token import compile_token

A = "0x" + "aa" * 20
B = "0x" + "bb" * 20


def test_a_native_transfer_moves_exactly_what_was_sent(fresh_anvil: Anvil) -> None:
    fresh_anvil.fund(A, WEI_PER_ETH)
    receipt = fresh_anvil.receipt(fresh_anvil.send(A, B, 7))
    fee = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    assert fresh_anvil.balance(B) == 7
    assert fresh_anvil.balance(A) == WEI_PER_ETH - 7 - fee


def test_our_token_moves_between_any_addresses(fresh_anvil: Anvil) -> None:
    issuer = fresh_anvil.accounts[0]
    token = fresh_anvil.deploy_token(issuer, "USDT", 6, 1_000_000_000)
    fresh_anvil.fund(A, WEI_PER_ETH)
    fresh_anvil.receipt(fresh_anvil.transfer_token(token, issuer, A, 500))
    before = fresh_anvil.head()
    fresh_anvil.receipt(fresh_anvil.transfer_token(token, A, B, 200))
    assert [fresh_anvil.token_balance(token, who) for who in (A, B)] == [300, 200]
    assert fresh_anvil.token_balance(token, B, before) == 0


def test_the_committed_token_is_what_its_source_compiles_to(require_component: Callable[[str], Path]) -> None:
    require_component("solcjs")
    assert token_json() == compile_token()


def test_an_evm_reorg_replaces_blocks_and_drops_their_transactions(fresh_anvil: Anvil) -> None:
    fresh_anvil.mine(3)
    txid = fresh_anvil.send(fresh_anvil.accounts[0], B, 5)
    fresh_anvil.receipt(txid)
    head, tip = fresh_anvil.head(), fresh_anvil.rpc("eth_getBlockByNumber", "latest", False)["hash"]
    fresh_anvil.reorg(3)
    assert fresh_anvil.head() == head
    assert fresh_anvil.rpc("eth_getBlockByNumber", "latest", False)["hash"] != tip
    assert fresh_anvil.balance(B) == 0
    assert fresh_anvil.rpc("eth_getTransactionReceipt", txid) is None


def test_an_evm_rollback_lowers_the_head(fresh_anvil: Anvil) -> None:
    fresh_anvil.mine(5)
    fresh_anvil.rollback(2)
    assert fresh_anvil.head() == 3


def test_finality_follows_the_head_as_configured(start_anvil: Callable[..., Anvil]) -> None:
    node = start_anvil(chain_id=1, slots_in_an_epoch=3)
    node.mine(20)
    heights = [int(node.rpc("eth_getBlockByNumber", tag, False)["number"], 16) for tag in ("safe", "finalized")]
    assert heights == [17, 14]
    assert int(node.rpc("eth_chainId"), 16) == 1


def test_manual_mining_leaves_transactions_waiting(start_anvil: Callable[..., Anvil]) -> None:
    node = start_anvil(manual=True)
    txid = node.send(node.accounts[0], B, 5)
    assert node.rpc("eth_getTransactionReceipt", txid) is None
    node.mine()
    assert node.receipt(txid)["status"] == "0x1"


def test_a_stopped_evm_node_comes_back_with_its_chain(fresh_anvil: Anvil) -> None:
    fresh_anvil.receipt(fresh_anvil.send(fresh_anvil.accounts[0], B, 5))
    fresh_anvil.mine(3)
    before = [fresh_anvil.rpc("eth_getBlockByNumber", hex(height), True) for height in range(5)]
    fresh_anvil.stop()
    assert get(fresh_anvil.port, "/")[0] == 0
    fresh_anvil.start()
    assert [fresh_anvil.rpc("eth_getBlockByNumber", hex(height), True) for height in range(5)] == before
    assert (fresh_anvil.balance(B, 0), fresh_anvil.balance(B, 1)) == (0, 5)


def test_the_shared_evm_node_answers_batches_in_order(anvil: Anvil) -> None:
    balances = anvil.batch([("eth_getBalance", [who, "latest"]) for who in anvil.accounts])
    assert [int(wei, 16) for wei in balances] == [anvil.balance(who) for who in anvil.accounts]


def test_the_shared_bitcoin_node_pays_whole_satoshis(bitcoind: Bitcoind) -> None:
    bitcoind.create_wallet("smoke")
    address = bitcoind.new_address("smoke", "bech32m")
    bitcoind.fund(address, SATS_PER_BTC + 1)
    bitcoind.mine()
    assert bitcoind.balance("smoke") == SATS_PER_BTC + 1
    assert [coin["address"] for coin in bitcoind.coins("smoke")] == [address]
    assert all("pub" in descriptor for descriptor in bitcoind.descriptors("smoke"))


def test_coins_of_two_wallets_are_spent_in_one_transaction(fresh_bitcoind: Bitcoind) -> None:
    node = fresh_bitcoind
    for wallet in ("one", "two", "outside"):
        node.create_wallet(wallet)
    node.fund(node.new_address("one"), 1_000_000)
    node.fund(node.new_address("two"), 2_000_000)
    node.mine()
    coins = node.coins("one") + node.coins("two")
    txid = node.spend(["one", "two"], coins, {node.new_address("outside"): 2_990_000})
    block = node.rpc("getblock", node.mine()[0], 2)
    transaction = next(entry for entry in block["tx"] if entry["txid"] == txid)
    assert len(transaction["vin"]) == 2
    assert sats(transaction["fee"]) == 10_000
    assert (node.balance("one"), node.balance("two"), node.balance("outside")) == (0, 0, 2_990_000)


def test_one_transaction_pays_many(fresh_bitcoind: Bitcoind) -> None:
    node = fresh_bitcoind
    node.create_wallet("hot")
    node.create_wallet("customers")
    node.fund(node.new_address("hot"), SATS_PER_BTC)
    node.mine()
    payments = {node.new_address("customers", kind): 10_000 + index for index, kind in enumerate(("legacy", "bech32m"))}
    node.send_many("hot", payments)
    node.mine()
    assert {coin["address"]: coin["sats"] for coin in node.coins("customers")} == payments


def test_a_bitcoin_reorg_sends_transactions_back_to_the_mempool(fresh_bitcoind: Bitcoind) -> None:
    node = fresh_bitcoind
    node.create_wallet("cold")
    txid = node.fund(node.new_address("cold"), 5_000)
    node.mine(3)
    head, tip = node.head(), node.head_hash()
    assert node.reorg(3) != tip
    assert node.head() == head + 1
    assert txid in node.rpc("getrawmempool")
    assert node.balance("cold") == 0
    node.mine()
    assert node.balance("cold") == 5_000


def test_a_stopped_bitcoin_node_comes_back_with_chain_and_wallets(fresh_bitcoind: Bitcoind) -> None:
    fresh_bitcoind.create_wallet("cold")
    fresh_bitcoind.mine(3)
    tip = fresh_bitcoind.head_hash()
    fresh_bitcoind.stop()
    fresh_bitcoind.start()
    assert fresh_bitcoind.head_hash() == tip
    assert "cold" in fresh_bitcoind.rpc("listwallets")


def test_block_notices_arrive_over_zmq(bitcoind: Bitcoind) -> None:
    zmq = pytest.importorskip("zmq")
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.connect(bitcoind.zmq["hashblock"])
        subscriber.subscribe(b"hashblock")
        # A subscription takes effect a moment after it was made: mine until the first notice.
        for _ in range(50):
            mined = bitcoind.mine()[0]
            if subscriber.poll(200):
                topic, body, _ = subscriber.recv_multipart()
                break
        else:
            pytest.fail("no notice came")
    assert (topic, body.hex()) == (b"hashblock", mined)


def test_what_a_node_refuses_is_an_error_with_its_code(bitcoind: Bitcoind, anvil: Anvil) -> None:
    with pytest.raises(RpcError) as bitcoin_error:
        bitcoind.rpc("nosuchmethod")
    assert bitcoin_error.value.code == -32601
    with pytest.raises(RpcError) as evm_error:
        anvil.rpc("nosuchmethod")
    assert evm_error.value.code == -32601


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1:8545",
        "http://[2001:db8::1]:8545",
        "http://localhost:8545",
        "https://127.0.0.1:8545",
        "http://127.0.0.1",
        "http://node.example:8545",
        "nonsense",
    ],
)
def test_lab_speaks_to_loopback_addresses_only(url: str) -> None:
    with pytest.raises(LabError, match="loopback"):
        LabRpc(url)
    assert require_loopback("http://127.0.0.1:8545") == ("127.0.0.1", 8545)


def test_satoshis_and_bitcoins_convert_exactly() -> None:
    assert bitcoins(2_100_000_000_000_001) == "21000000.00000001"
    assert bitcoins(1) == "0.00000001"


def test_a_program_that_does_not_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    process = Process("talker", ["/bin/sh", "-c", "echo no such disk; exit 3"], tmp_path)
    with pytest.raises(LabError, match="talker ended at once; its last words: no such disk"):
        process.start(lambda: False)
    assert not process.alive


def test_a_node_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time; from chains.lab.process import Process;"
        "p = Process('sleeper', ['/bin/sleep', '600'], pathlib.Path(sys.argv[1])); "
        "p.start(lambda: pathlib.Path(f'/proc/{p.pid}/comm').read_text() == 'sleep\\n');"
        "print(p.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_until(lambda: not is_running(pid), "the node to end", 10)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("major", ["", "-next"])
def test_an_alert_travels_from_prometheus_to_the_webhook(
    major: str,
    start_prometheus: Callable[..., Prometheus],
    start_alertmanager: Callable[..., Alertmanager],
    webhook: WebhookReceiver,
    tmp_path: Path,
) -> None:
    alertmanager = start_alertmanager(routing_to(webhook.url), major)
    rules = tmp_path / "rules.yml"
    rules.write_text(json.dumps({"groups": [{"name": "g", "rules": [{"alert": "Always", "expr": "vector(1) > 0"}]}]}))
    prometheus = start_prometheus(
        {
            "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
            "rule_files": [str(rules)],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager.port}"]}]}]},
        },
        major,
    )
    post = webhook.wait_for(lambda post: post.body["status"] == "firing", 40)
    assert post.body["alerts"][0]["labels"]["alertname"] == "Always"
    assert prometheus.query("vector(2)") == [({}, 2.0)]
    assert [alert["state"] for alert in prometheus.alerts()] == ["firing"]
    assert [alert["labels"]["alertname"] for alert in alertmanager.alerts()] == ["Always"]


def test_a_restarted_alertmanager_keeps_its_port(
    start_alertmanager: Callable[..., Alertmanager], webhook: WebhookReceiver
) -> None:
    alertmanager = start_alertmanager(routing_to(webhook.url))
    first = alertmanager.pid
    alertmanager.restart()
    assert alertmanager.pid != first
    assert alertmanager.alerts() == []


def test_the_webhook_receiver_can_fail_and_be_down(webhook: WebhookReceiver) -> None:
    def post(body: object) -> int:
        done = subprocess.run(
            [sys.executable, "-c", POSTER, webhook.url, json.dumps(body)], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    started = time.time()
    assert post({"n": 1}) == 200
    webhook.status = 503
    assert post({"n": 2}) == 503
    webhook.down()
    assert post({"n": 3}) == 0
    webhook.up()
    webhook.status = 200
    assert post({"n": 4}) == 200
    assert [entry.body["n"] for entry in webhook.posts] == [1, 4]
    assert [entry.body["n"] for entry in webhook.refused] == [2]
    assert started <= webhook.posts[0].at <= time.time()


POSTER = """
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], sys.argv[2].encode(), {"Content-Type": "application/json"})
try:
    print(urllib.request.urlopen(request).status)
except urllib.error.HTTPError as error:
    print(error.code)
except urllib.error.URLError:
    print(0)
"""


def routing_to(url: str) -> dict[str, Any]:
    return {
        "route": {"receiver": "hook", "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"},
        "receivers": [{"name": "hook", "webhook_configs": [{"url": url, "send_resolved": True}]}],
    }


@pytest.mark.parametrize(("required", "outcome"), [("0", "skipped"), ("1", "failed")])
def test_a_missing_component_is_skipped_with_its_remedy_and_fails_where_it_is_required(
    required: str, outcome: str, tmp_path: Path
) -> None:
    checkout = Path(__file__).resolve().parents[2]
    environment = {
        **os.environ,
        "PORWATCH_COMPONENTS": str(tmp_path),
        "PORWATCH_REQUIRE_COMPONENTS": required,
        "PATH": "",
    }
    test = f"{__file__}::test_the_shared_bitcoin_node_pays_whole_satoshis"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--no-cov", test],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "python tools/components.py bitcoin" in done.stdout
    if outcome == "skipped":
        assert "skipped for missing component: 1" in done.stdout
        assert done.returncode == 0
    else:
        assert "1 error" in done.stdout
        assert done.returncode == 1
