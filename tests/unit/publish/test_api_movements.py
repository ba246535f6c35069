"""GET /api/v1/movements as its callers meet it."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from fastapi import FastAPI

from monitor.health import Health
from monitor.ledger.encode import approval_to_json, case_to_json
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit
from monitor.model import Approval, Case, CaseState, Severity, Tier, case_id, rfc3339
from monitor.publish.api.answers import Answer
from monitor.publish.api.movements import Movements
from monitor.publish.api.particulars import Particulars
from tests.unit.ledger.moved import NOW as T0
from tests.unit.ledger.moved import Chain, Paid
from tests.unit.publish.asgi import call
from tests.unit.publish.samples import NOW, Store
from tests.unit.publish.served import served_app

PATH = "/api/v1/movements"


def approval(name: str, **changes: Any) -> Approval:
    given: dict[str, Any] = {
        "id": name,
        "chain": "ethereum",
        "asset": "USDT",
        "units": 1,
        "destination": "customer",
        "wallet": None,
        "tag": None,
        "not_before": None,
        "not_after": NOW,
        "max_fee": None,
        "txid": None,
        "batch": None,
        "digest": "d",
    }
    return Approval(**{**given, **changes})


def case(txid: str, wallet: str, asset: str, *, block_hash: str = "") -> Case:
    key = case_id("ethereum", wallet, asset, "residual", block_hash) if block_hash else ""
    return Case(
        id=key or case_id("ethereum", txid, wallet, asset),
        rule="residual" if block_hash else "unexplained_outflow",
        rules=("unexplained_outflow",),
        severity=Severity.CRITICAL,
        state=CaseState.ACKNOWLEDGED,
        opened_at=NOW,
        chain="ethereum",
        wallet=wallet,
        tier=Tier.HOT,
        asset=asset,
        txid=None if block_hash else txid,
    )


@pytest.fixture
def chain(store: Store) -> Chain:
    """An approved payment by either kind of approval, a theft with its fee, and a residual."""
    chain = Chain(store.ledger, "ethereum")
    exact, usual = approval("w-1", txid="t1"), approval("w-2")
    for each in (exact, usual):
        body = {"approval": approval_to_json(each), "first_read": rfc3339(NOW), "source": "approvals"}
        store.commit(Commit((Record("approval", body),)))
    chain.block(
        60,
        Paid("t1", wallet="eth-hot", asset="USDT", units=1_500_000, approval="w-1"),
        Paid("t2", wallet="eth-hot", asset="USDT", approval="w-2", destination="known"),
        Paid("t3", wallet="eth-hot", asset="USDT", reason="unexplained", destination="=1+cmd|' /C calc'!A0"),
        Paid("t4", wallet="eth-hot", asset="ETH", reason="unexplained", part="fee", destination=""),
    )
    chain.block(61, Paid("t5", wallet="gone", asset="GONE", direction="in", part="receipt", reason="deposit"))
    chain.residual(chain.at, 5)
    found = [
        case("t3", "eth-hot", "USDT"),
        case("t4", "eth-hot", "USDT"),
        case("", "cold", "BTC", block_hash="ethereum-102"),
    ]
    store.commit(Commit(tuple(Record("case", case_to_json(each)) for each in found)))
    return chain


@pytest.fixture
def app(store: Store, health: Health) -> FastAPI:
    known = {("ethereum", Tier.HOT): frozenset({"known"})}
    particulars = Particulars(known=known, spellings=lambda text: (text, text.lower()))
    return served_app(store, health, particulars=particulars)


async def rows(app: FastAPI, query: str = "") -> list[dict[str, Any]]:
    reply = await call(app, "GET", f"{PATH}{query}")
    assert reply.status == 200, reply.body
    Answer[Movements].model_validate_json(reply.body)
    found: list[dict[str, Any]] = reply.json["data"]["movements"]
    return found


async def test_each_movement_says_what_explains_it(app: FastAPI, chain: Chain) -> None:
    found = {row["txid"]: row for row in await rows(app)}
    picked = {
        txid: (row["reason"], row["approval"], row["match"], row["known"], row["case_state"])
        for txid, row in found.items()
    }
    assert picked == {
        "t1": ("approved", "w-1", "T0", False, None),
        "t2": ("approved", "w-2", "T1", True, None),
        "t3": ("unexplained", None, None, False, "acknowledged"),
        "t4": ("unexplained", None, None, None, "acknowledged"),
        "t5": ("deposit", None, None, None, None),
        "residual-1": ("unexplained", None, None, None, "acknowledged"),
    }
    assert found["t1"] == {
        "id": f"{chain.at.time - 1}:ethereum:101:0::0",
        "chain": "ethereum",
        "block": {"height": 101, "hash": "ethereum-101", "time": "2026-09-21T14:14:20Z", "final": False},
        "txid": "t1",
        "wallet": "eth-hot",
        "tier": "hot",
        "owner": "customer",
        "asset": "USDT",
        "direction": "out",
        "part": "destination",
        "reason": "approved",
        "amount": "1.500000",
        "units": "1500000",
        "destination": "customer",
        "receiver": None,
        "known": False,
        "account": None,
        "approval": "w-1",
        "match": "T0",
        "note": None,
        "case": None,
        "case_state": None,
        "seen_between": [rfc3339(T0), rfc3339(T0)],
    }
    # Of a wallet and an asset that the configuration has no longer, what is known is told.
    gone = found["t5"]
    assert (gone["tier"], gone["amount"], gone["units"]) == (None, None, "1")
    assert found["residual-1"]["account"] == "ethereum-cold"


async def test_pages_follow_one_another(app: FastAPI, chain: Chain) -> None:
    whole = await rows(app)
    seen: list[dict[str, Any]] = []
    query = "?limit=2"
    while query:
        data = (await call(app, "GET", f"{PATH}{query}")).json["data"]
        seen += data["movements"]
        query = f"?limit=2&after={data['next']}" if data["next"] else ""
    assert seen == whole
    assert len(whole) == 6


async def test_an_address_is_found_however_it_is_spelt(app: FastAPI, chain: Chain) -> None:
    assert [row["txid"] for row in await rows(app, "?destination=KNOWN")] == ["t2"]
    assert [row["txid"] for row in await rows(app, "?min_amount=1.5&asset=USDT")] == ["t1"]
    assert [row["txid"] for row in await rows(app, "?from=2026-09-21T23:14:21%2B09:00")] == ["t5", "residual-1"]


HOSTILE = (
    "limit=0",
    "limit=501",
    "limit=ten",
    "after=x",
    "after=1:c:1:1:%27%20OR%201=1:1",
    "direction=sideways",
    "reason=other",
    "from=yesterday",
    "from=2026-11-24",
    "to=2026-11-24T00:00:00",
    "from=0001-01-01T00:00:00%2B99:00",
    "min_amount=-1",
    "min_amount=1e9",
    "min_amount=NaN",
    "min_amount=" + "9" * 100,
    "wallet=%00",
    "wallet=" + "x" * 129,
)


@pytest.mark.parametrize("query", HOSTILE)
@pytest.mark.parametrize("path", [PATH, f"{PATH}.csv"])
async def test_a_condition_that_is_none_is_refused(path: str, query: str, app: FastAPI, chain: Chain) -> None:
    if query == "limit=501" and path.endswith(".csv"):
        query = "limit=5001"
    reply = await call(app, "GET", f"{path}?{query}")
    assert (reply.status, reply.json["errorType"]) == (400, "bad_data"), reply.body


async def test_text_of_a_condition_is_never_a_pattern_or_a_statement(app: FastAPI, chain: Chain) -> None:
    for text in ("%25", "_", "eth-hot'%20OR%20'1'='1", "eth_hot", "%F0%9F%92%B8"):
        assert await rows(app, f"?wallet={text}") == []


async def test_the_file_opens_in_a_spreadsheet_and_computes_nothing(app: FastAPI, chain: Chain) -> None:
    reply = await call(app, "GET", f"{PATH}.csv?wallet=eth-hot&limit=3")
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert reply.headers["content-disposition"] == 'attachment; filename="movements.csv"'
    assert reply.body.startswith(b"\xef\xbb\xbf")
    lines = list(csv.DictReader(io.StringIO(reply.body.decode("utf-8-sig"), newline="")))
    assert [line["txid"] for line in lines] == ["t4", "t3", "t2"]
    assert lines[1]["destination"] == "'=1+cmd|' /C calc'!A0"
    assert (lines[2]["amount"], lines[2]["known"], lines[2]["block_height"]) == ("0.000001", "true", "101")
    assert not any(cell[:1] in set("=+-@\t\r") for line in lines for cell in line.values())
    following = await call(app, "GET", f"{PATH}.csv?wallet=eth-hot&limit=3&after={reply.headers['x-next']}")
    assert b"t1" in following.body
    assert "x-next" not in following.headers
