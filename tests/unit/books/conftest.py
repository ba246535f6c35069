from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.config import Config, load

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEXT = """\
entity: {name: Example Exchange KK}
store: sqlite:///porwatch.db
assets: {BTC: {decimals: 8}, ETH: {decimals: 18}, USDT: {decimals: 6}}
chains:
  bitcoin: {kind: bitcoin, network: regtest, native: BTC, endpoints: [{url: "http://127.0.0.1:1"}]}
  ethereum:
    kind: evm
    chain_id: 1
    native: ETH
    endpoints: [{url: "http://127.0.0.1:1"}]
    tokens: {USDT: {contract: "0xdAC17F958D2ee523a2206206994597C13D831ec7"}}
wallets:
  - {name: eth-hot, chain: ethereum, tier: hot, addresses: ["0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"]}
  - {name: btc-cold, chain: bitcoin, tier: cold, addresses: [bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080]}
"""


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    file: Path = tmp_path_factory.mktemp("config") / "porwatch.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return load(file)


@pytest.fixture
def now() -> datetime:
    return NOW
