"""Cases counted and searched, journal, verdicts, wallets, coverage and reports, as their callers meet them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from monitor.health import Health
from monitor.ledger import heads, tree
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit
from monitor.model import CaseState, Severity, rfc3339
from monitor.publish.api.answers import Answer
from monitor.publish.api.cases import CaseBody, Cases, Counts
from monitor.publish.api.coverage import Series, thinned
from monitor.publish.api.journal import Record as RecordBody
from monitor.publish.api.journal import Records
from monitor.publish.api.particulars import Particulars
from monitor.publish.api.reports import Reports
from monitor.publish.api.verdicts import Verdicts
from monitor.publish.api.wallets import WalletBody
from monitor.series import Span
from monitor.signing.keys import load_or_make
from tests.unit.ledger.moved import NOW as T0
from tests.unit.ledger.moved import Chain, Paid
from tests.unit.publish.asgi import call
from tests.unit.publish.samples import NOW, THIEF, TXID, Store, numbered
from tests.unit.publish.served import served_app


@pytest.fixture
def app(store: Store, health: Health) -> FastAPI:
    return served_app(store, health, particulars=Particulars(liabilities_age=timedelta(hours=26)))


async def asked(app: FastAPI, path: str, shape: Any) -> Any:
    reply = await call(app, "GET", path)
    assert reply.status == 200, reply.body
    Answer[shape].model_validate_json(reply.body)
    return reply.json["data"]


async def refused(app: FastAPI, path: str, status: int = 400) -> str:
    reply = await call(app, "GET", path)
    assert reply.status == status, (path, reply.body)
    message: str = reply.json["error"]
    return message


async def test_cases_are_counted_by_state_rule_and_severity(app: FastAPI, store: Store) -> None:
    store.put(
        *(numbered(n, rule=("residual", "sweep")[n % 2], state=list(CaseState)[n % 3]) for n in range(7)),
        numbered(9, severity=Severity.WARNING),
    )
    found = await asked(app, "/api/v1/cases/counts", Counts)
    assert found["states"] == {"pending": 3, "open": 3, "acknowledged": 2, "closed": 0}
    assert sum(line["count"] for line in found["counts"]) == 8
    assert {"state": "open", "rule": "unexplained_outflow", "severity": "warning", "count": 1} in found["counts"]


async def test_cases_are_found_by_what_stands_in_them_and_read_from_either_end(app: FastAPI, store: Store) -> None:
    other = "0x" + "77" * 32
    store.put(*(numbered(n, txid=other if n == 3 else TXID) for n in range(5)), numbered(6, severity=Severity.INFO))

    async def ids(query: str) -> list[int]:
        found = await asked(app, f"/api/v1/cases?{query}", Cases)
        return [int(case["id"], 16) for case in found["cases"]]

    assert await ids(f"q={other[:20]}") == [3]
    assert await ids(f"q={other.upper().replace('X', 'x')}") == [3]
    assert await ids(f"q={THIEF}&severity=info") == [6]
    assert await ids("q=nowhere") == []
    assert await ids("order=newest&limit=2") == [6, 4]
    first = await asked(app, "/api/v1/cases?order=newest&limit=4", Cases)
    assert await ids(f"order=newest&after={first['next']}") == [1, 0]
    await asked(app, f"/api/v1/cases/{3:016x}", CaseBody)


@pytest.mark.parametrize(
    "query", ["q=abc", "q=%25%25%25%25", "q=a%27--%20b", "severity=urgent", "order=random", "rule=%00"]
)
async def test_a_search_of_cases_that_is_none_is_refused(query: str, app: FastAPI) -> None:
    await refused(app, f"/api/v1/cases?{query}")


async def test_every_record_of_the_journal_can_be_proved_against_the_head(
    app: FastAPI, store: Store, tmp_path: Path
) -> None:
    store.put(*(numbered(n) for n in range(5)))
    assert (await asked(app, "/api/v1/journal", Records))["head"] is None
    with store.ledger.write() as connection:
        heads.seal(connection, load_or_make(tmp_path / "key"), NOW)
    store.put(numbered(7))
    first = await asked(app, "/api/v1/journal?limit=4", Records)
    rest = await asked(app, f"/api/v1/journal?after={first['next']}", Records)
    assert [line["seq"] for line in first["records"] + rest["records"]] == [6, 5, 4, 3, 2, 1]
    assert [line["sealed"] for line in first["records"]] == [False, True, True, True]
    assert (await asked(app, "/api/v1/journal?kind=verdict", Records))["records"] == []
    head = first["head"]
    for line in rest["records"] + first["records"][1:]:
        record = await asked(app, line["link"], RecordBody)
        path = [bytes.fromhex(each) for each in record["inclusion"]]
        leaf, root = tree.leaf_hash(bytes.fromhex(record["hash"])), bytes.fromhex(head["root"])
        assert tree.included(leaf, record["seq"] - 1, head["size"], path, root)
    assert (await asked(app, "/api/v1/journal/6", RecordBody))["inclusion"] is None
    await refused(app, "/api/v1/journal/7", 404)
    for wrong in ("0", "-1", "x", str(2**63)):
        await refused(app, f"/api/v1/journal/{wrong}")


def verdict(cycle: int, *said: tuple[str, str], kind: str = "provisional") -> Record:
    checks = [{"profile": profile, "verdict": outcome} for profile, outcome in said]
    body = {
        "cycle": cycle,
        "at": rfc3339(NOW),
        "kind": kind,
        "hash": f"h{cycle}",
        "previous_hash": f"h{cycle - 1}",
        "open_cases": 0,
        "checks": checks,
    }
    return Record("verdict", body)


async def test_a_verdict_in_one_line_says_the_worst_of_each_profile(app: FastAPI, store: Store) -> None:
    store.commit(
        Commit(
            (
                verdict(1, ("p", "PASS"), ("p", "UNVERIFIED"), kind="close"),
                verdict(2, ("p", "UNVERIFIED"), ("p", "BREACH"), ("q", "PASS")),
                verdict(3, ("p", "PASS")),
            )
        )
    )
    found = await asked(app, "/api/v1/verdicts?limit=2", Verdicts)
    assert [(line["cycle"], line["profiles"]) for line in found["verdicts"]] == [
        (3, {"p": "PASS"}),
        (2, {"p": "BREACH", "q": "PASS"}),
    ]
    rest = await asked(app, f"/api/v1/verdicts?after={found['next']}", Verdicts)
    assert [line["profiles"] for line in rest["verdicts"]] == [{"p": "UNVERIFIED"}]
    assert rest["next"] is None
    assert [v["cycle"] for v in (await asked(app, "/api/v1/verdicts?kind=close", Verdicts))["verdicts"]] == [1]
    assert (await call(app, "GET", "/api/v1/verdicts/2")).json["data"]["hash"] == "h2"
    await refused(app, "/api/v1/verdicts/4", 404)
    for wrong in ("?limit=101", "?after=-1", f"?after={2**63}", "?kind=daily", "/x"):
        await refused(app, f"/api/v1/verdicts{wrong}")


async def test_a_wallet_shows_its_addresses_page_by_page(app: FastAPI, store: Store, health: Health) -> None:
    chain = Chain(store.ledger, "ethereum")
    opened = {
        "at": {"chain": "ethereum", "height": 100, "hash": "ethereum-100", "parent": "ethereum-99", "time": 1},
        "wallets": {f"0x{n}": "eth-hot" for n in range(5)},
        "assets": ["ETH"],
        "holdings": [["0x1", "ETH", str(10**18)]],
        "coins": [],
        "sequences": {},
    }
    store.commit(Commit((Record("opened", opened),)))
    assert chain.at.height == 100
    health.evidence = {("ethereum", "eth-hot", "ETH"): "claimed"}
    health.proved = {"ethereum": NOW}
    found = await asked(app, "/api/v1/wallets/eth-hot?limit=2", WalletBody)
    assert (found["tier"], found["addresses_total"], found["control_shown"]) == ("hot", 5, 0)
    assert found["proved_at"] == rfc3339(NOW)
    assert {line["asset"]: line["evidence"] for line in found["holdings"]} == {"ETH": "claimed", "USDT": None}
    assert [(a["address"], a["holdings"]) for a in found["addresses"]] == [
        ("0x0", {}),
        ("0x1", {"ETH": "1.000000000000000000"}),
    ]
    rest = await asked(app, f"/api/v1/wallets/eth-hot?after={found['next']}", WalletBody)
    assert [a["address"] for a in rest["addresses"]] == ["0x2", "0x3", "0x4"]
    assert (rest["next"], rest["ceremonies"]) == (None, [])
    await refused(app, "/api/v1/wallets/nothing", 404)
    await refused(app, "/api/v1/wallets/%00", 404)


async def test_coverage_over_time_is_exact_and_unknown_time_is_never_a_ratio(app: FastAPI, store: Store) -> None:
    chain = Chain(store.ledger, "bitcoin")
    owed = {"source": "liabilities", "lines": [{"asset": "BTC", "units": "30", "as_of": rfc3339(T0)}]}
    chain.put(Commit((Record("declared", owed),)))
    for time, units in ((60, -40), (120, 30), (180, -20)):
        chain.block(time, Paid(f"t{time}", wallet="btc-cold", units=units))
    begin, end = (rfc3339(T0 + timedelta(seconds=s)).replace("+", "%2B") for s in (-60, 240))
    found = await asked(app, f"/api/v1/coverage?asset=BTC&from={begin}&to={end}", Series)
    assert found["excludes"] == []
    assert {point["verdict"] for point in found["points"]} >= {"UNVERIFIED"}
    assert all(
        (point["coverage"] is None) == (point["held"] is None or point["owed"] is None) for point in found["points"]
    )
    await refused(app, "/api/v1/coverage?asset=NONE", 404)
    await refused(app, f"/api/v1/coverage?asset=BTC&from={end}&to={begin}")
    await refused(app, "/api/v1/coverage?asset=BTC&from=yesterday")


def test_of_too_many_points_the_worst_of_each_stretch_is_kept() -> None:
    spans = [
        Span(NOW + timedelta(seconds=n), NOW + timedelta(seconds=n + 1), None if n == 17 else 100 - n % 10, 50, "")
        for n in range(100)
    ]
    shown = thinned(spans, NOW, NOW + timedelta(seconds=100), 10)
    assert [(span.begin - NOW).seconds for span in shown] == [9, 17, 29, 39, 49, 59, 69, 79, 89, 99]
    assert thinned(spans, NOW, NOW + timedelta(seconds=100), 100) == spans


async def test_reports_are_listed_and_only_their_own_files_are_given(
    store: Store, health: Health, tmp_path: Path
) -> None:
    root = tmp_path / "reports"
    (root / "2026-11-24-daily").mkdir(parents=True)
    (root / ".half").mkdir()
    (tmp_path / "secret").write_text("secret")
    (root / "link").symlink_to(tmp_path)
    app = served_app(store, health, particulars=Particulars(reports=root))
    health.problem("report", "", "the disk is full")
    found = await asked(app, "/api/v1/reports", Reports)
    assert found["problem"] == "the disk is full"
    assert [(each["name"], each["state"]) for each in found["reports"]] == [("2026-11-24-daily", None)]
    assert found["reports"][0]["problem"].startswith("cannot be read: ")
    await refused(app, "/api/v1/reports/2026-11-24-daily/report.json", 409)
    for path in ("link/secret", "nothing/report.json"):
        await refused(app, f"/api/v1/reports/{path}", 404)
    for path in ("..%2f..%2fsecret", "2026-11-24-daily/..%2f..%2f..%2fsecret", ".half/manifest.json"):
        assert (await call(app, "GET", f"/api/v1/reports/{path}")).status in (400, 404, 409)


async def test_without_a_folder_there_are_no_reports(app: FastAPI) -> None:
    assert await asked(app, "/api/v1/reports", Reports) == {"problem": None, "last_success": None, "reports": []}
