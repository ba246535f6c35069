from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.health import Health
from monitor.ledger.store import Ledger
from tests.unit.publish.samples import NOW, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'porwatch.db'}")
    yield Store(ledger)
    ledger.close()


@pytest.fixture
def health() -> Health:
    return Health(started_at=NOW - timedelta(hours=1), chains=("bitcoin", "ethereum"))
