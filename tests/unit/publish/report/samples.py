"""A realistic report of a Japanese exchange: the worked ratio cases of the rules, every table with a row."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from monitor.publish.report.fields import Column, Kind, Table
from monitor.publish.report.schema import BLOCKS, HEADER_TABLES, SCHEMA

Json = dict[str, Any]
DECIMALS = {"BTC": 8, "ETH": 18, "XRP": 6, "USDT": 6}
PRICES = {"BTC": "15000000", "ETH": "500000", "XRP": "400", "USDT": "155.5"}
#: asset → owed, cold, hot, third, guarantee in coins
BOOKS = {
    "BTC": ("10000", "9650", "350", "0", "350"),
    "ETH": ("100000", "97500", "2600", "0", "2600"),
    "XRP": ("200000000", "181000000", "19000000", "0", "18500000"),
    "USDT": ("5000000", "4000000", "200000", "800000", "200000"),
}
HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
TXID = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90"


def units(symbol: str, coins: str) -> str:
    return str(int(Decimal(coins).scaleb(DECIMALS[symbol])))


def example(column: Column, index: int = 0) -> Any:
    """A plausible value of the column's kind."""
    by_kind: dict[Kind, Any] = {
        Kind.TEXT: f"{column.id} {index}",
        Kind.ASSET: "BTC",
        Kind.AMOUNT: str(12345678901 + index),
        Kind.MONEY: f"{1500 + index}.25",
        Kind.RATIO: f"1.0{index + 1}",
        Kind.TIME: f"2026-09-30T0{index % 10}:15:00+09:00",
        Kind.DATE: "2026-09-30",
        Kind.COUNT: 7 + index,
        Kind.FLAG: ("true", "secondary", "false")[index % 3],
        Kind.VERDICT: ("PASS", "BREACH", "UNVERIFIED")[index % 3],
        Kind.HASH: HASH,
        Kind.ADDRESS: f"bc1qexampleexampleexampleexample{index:04d}",
        Kind.CUSTOMER: f"customer-{index:06d}",
    }
    if column.kind is Kind.CODE:
        return column.codes[index % len(column.codes)]
    if column.id == "currency":
        return "JPY"
    return by_kind[column.kind]


def row(columns: tuple[Column, ...], index: int = 0, **values: Any) -> Json:
    """A row with the given values; the rest by example."""
    unknown = values.keys() - {column.id for column in columns}
    assert not unknown, unknown
    return {column.id: values[column.id] if column.id in values else example(column, index) for column in columns}


def _table(block: str, table: str) -> Table:
    (wanted,) = (t for b in BLOCKS if b.id == block for t in b.tables if t.id == table)
    return wanted


def rows(block: str, table: str, *each: Json) -> list[Json]:
    return [row(_table(block, table).columns, index, **values) for index, values in enumerate(each)]


def header() -> Json:
    anchors, profiles = (table.columns for table in HEADER_TABLES)
    return {
        "report_id": "2026-q3-0001",
        "entity": {
            "name": "株式会社サンプル暗号資産取引所",
            "lei": "353800EXAMPLE0000042",
            "registration": "関東財務局長 第00099号",
        },
        "currency": "JPY",
        "timezone": "Asia/Tokyo",
        "as_of": "2026-09-30T00:00:00+09:00",
        "period": {"from": "2026-07-01T00:00:00+09:00", "to": "2026-10-01T00:00:00+09:00"},
        "business_date": "2026-09-30",
        "anchors": [
            row(anchors, chain="bitcoin", height=968001, finality="6", time="2026-09-29T14:52:11Z"),
            row(
                anchors,
                chain="ethereum",
                height=24900123,
                finality="finalized",
                time="2026-09-29T14:59:47Z",
                hash="0x" + HASH,
            ),
        ],
        "profiles": [
            row(profiles, id="jp-psa-2020", version="1", status="in_force"),
            row(profiles, id="jp-fiea-2026", version="1", status="placeholder"),
        ],
        "prepared_by": "山田 花子",
        "prepared_at": "2026-10-02T10:30:00+09:00",
        "approved_by": None,
        "approved_at": None,
        "software": {"version": "0.1.0", "commit": "621db15"},
        "previous_report": HASH,
        "parent": None,
        "preset": "full",
        "view": "full",
        "assets": {symbol: {"decimals": decimals} for symbol, decimals in DECIMALS.items()},
    }


def _reconciliation() -> Json:
    per_asset, by_class, forward, flows = [], [], [], []
    for symbol, (owed, cold, hot, third, guarantee) in BOOKS.items():
        held = str(Decimal(cold) + Decimal(hot) + Decimal(third))
        more = str(Decimal(held) - Decimal(owed))
        per_asset.append(
            {
                "asset": symbol,
                "owed": units(symbol, owed),
                "held": units(symbol, held),
                "in_transit": "0",
                "difference": units(symbol, more),
                "coverage": str((Decimal(held) / Decimal(owed)).quantize(Decimal(10) ** -12)),
                "verified_ratio": "0.84" if symbol == "USDT" else "1",
                "verdict": "UNVERIFIED" if symbol == "USDT" else "PASS",
                "unexplained": "0",
                "basis": "held and in transit cover what is owed to customers",
            }
        )
        by_class.append(
            {
                "asset": symbol,
                "cust_cold": units(symbol, cold),
                "cust_hot": units(symbol, hot),
                "cust_third": units(symbol, third),
                "cust_staked": "0",
                "guarantee": units(symbol, guarantee),
                "own": units(symbol, "120.5"),
                "reserve": "0",
            }
        )
        forward.append(
            {
                "asset": symbol,
                "opening": units(symbol, owed),
                "inflow": units(symbol, "1510.25"),
                "outflow": units(symbol, "1500"),
                "fees": units(symbol, "0.25"),
                "residual": "0",
                "closing": units(symbol, str(Decimal(owed) + 10)),
                "difference": "0",
            }
        )
        flows += [
            {
                "asset": symbol,
                "direction": d,
                "reason": r,
                "parts": n,
                "quantity": units(symbol, q),
                "value": str(Decimal(q) * Decimal(PRICES[symbol])),
            }
            for d, r, n, q in (
                ("in", "deposit", 8123, "1510.25"),
                ("out", "approved", 4410, "1488"),
                ("out", "unexplained", 1, "12"),
                ("out", "fee", 4411, "0.25"),
            )
        ]
    return {
        "facts": {"assets": len(BOOKS), "unexplained_assets": 0},
        "tables": {
            "per_asset": rows("reconciliation", "per_asset", *per_asset),
            "by_class": rows("reconciliation", "by_class", *by_class),
            "explained": rows("reconciliation", "explained", {"asset": "USDT", "type": "custodian_statement"}),
            "roll_forward": rows("reconciliation", "roll_forward", *forward),
            "flows": rows("reconciliation", "flows", *flows),
            "round_trips": rows(
                "reconciliation", "round_trips", {"wallet": "btc-hot", "txid_in": TXID, "txid_out": TXID}
            ),
        },
    }


def _coverage_series() -> Json:
    points = []
    for symbol, base in (("BTC", 1000), ("ETH", 1001), ("XRP", 1004), ("USDT", 1002)):
        for day in range(1, 31):
            unknown = symbol == "USDT" and 11 <= day <= 13
            value = base + (day * 7 + base) % 9 - (22 if symbol == "XRP" and day == 19 else 0)
            points.append(
                {
                    "asset": symbol,
                    "at": f"2026-09-{day:02d}T00:00:00+09:00",
                    "coverage": None if unknown else f"{Decimal(value) / 1000}",
                    "verdict": "UNVERIFIED" if unknown else "PASS" if value >= 1000 else "BREACH",
                }
            )
    summary = [
        {
            "asset": symbol,
            "from": "2026-09-01T00:00:00+09:00",
            "to": "2026-09-30T00:00:00+09:00",
            "points": 30,
            "minimum": "0.985" if symbol == "XRP" else "1",
            "minimum_at": "2026-09-19T00:00:00+09:00",
            "mean": "1.0043",
            "unverified_share": "0.1" if symbol == "USDT" else "0",
        }
        for symbol in BOOKS
    ]
    return {
        "facts": {},
        "tables": {
            "points": rows("coverage_series", "points", *points),
            "summary": rows("coverage_series", "summary", *summary),
        },
    }


def _liabilities() -> Json:
    per_asset = [
        {
            "asset": symbol,
            "owed": units(symbol, owed),
            "accounts": 120000,
            "negative_accounts": 2,
            "negative_total": "-" + units(symbol, "0.5"),
            "excluded_accounts": 0,
            "excluded_total": "0",
            "price": PRICES[symbol],
            "value": str(Decimal(owed) * Decimal(PRICES[symbol])),
            "note": None,
        }
        for symbol, (owed, *_) in BOOKS.items()
    ]
    return {
        "facts": {
            "as_of": "2026-09-30T00:00:00+09:00",
            "merkle_root": HASH,
            "sampler": None,
            "tie_out_source": "総勘定元帳",
            "tie_out_value": "280050000000",
            "tie_out_difference": "0",
        },
        "tables": {
            "per_asset": rows("liabilities", "per_asset", *per_asset),
            "by_type": rows("liabilities", "by_type", {"owed": units("BTC", "9900")}, {"owed": units("BTC", "100")}),
            "negative": rows("liabilities", "negative", {"owed": "-50000000", "customer": "cust-0000042"}),
            "excluded": rows(
                "liabilities", "excluded", {"customer": "cust-0000077", "reason": "own account of the firm"}
            ),
            "sources": rows("liabilities", "sources", {"file": "liabilities-2026-09-30.csv", "rows": 480000}),
        },
    }


def _assets(addresses: int) -> Json:
    wallets = [
        {
            "wallet": f"{symbol.lower()}-{tier}",
            "chain": "bitcoin" if symbol == "BTC" else "ethereum",
            "asset": symbol,
            "owner": owner,
            "tier": tier,
            "custodian": "self",
            "addresses": 12,
            "quantity": units(symbol, quantity),
            "value": str(Decimal(quantity) * Decimal(PRICES[symbol])),
            "evidence": "proved",
        }
        for symbol, (_, cold, hot, _third, guarantee) in BOOKS.items()
        for tier, owner, quantity in (
            ("cold", "customer", cold),
            ("hot", "customer", hot),
            ("cold", "guarantee", guarantee),
        )
    ]
    inventory = [
        {
            "chain": "ethereum",
            "address": f"0x{index:040x}",
            "asset": "ETH",
            "contract": None,
            "utxo_set": None,
            "quantity": str(10**18 + index),
            "wallet": "eth-cold",
            "class": "cust_cold",
            "tier": "cold",
            "custodian": "self",
            "system_provider": None,
            "provider_status": "not_applicable",
            "encumbrance": "none",
            "quantity_a": str(10**18 + index),
            "quantity_b": str(10**18 + index),
            "agreement": "agree",
            "evidence": "agreed",
        }
        for index in range(addresses)
    ]
    return {
        "facts": {"value": "280050000000", "addresses": addresses, "wallets": len(wallets)},
        "tables": {
            "wallets": rows("assets", "wallets", *wallets),
            "addresses": rows("assets", "addresses", *inventory),
            "stated": rows(
                "assets",
                "stated",
                {
                    "custodian": "第三者信託銀行",
                    "asset": "USDT",
                    "quantity": units("USDT", "800000"),
                    "owner": "customer",
                    "tier": "cold",
                },
            ),
            "encumbered": rows(
                "assets",
                "encumbered",
                {"wallet": "eth-cold", "asset": "ETH", "encumbrance": "staked", "quantity": units("ETH", "320")},
            ),
        },
    }


def _requirements() -> Json:
    common = {"profile": "jp-psa-2020", "status": "in_force"}
    checks = [
        {
            **common,
            "check": "coverage",
            "asset": "BTC",
            "formula": "A.cust_cold + A.cust_hot + A.cust_third + T >= L",
            "value": "10000",
            "threshold": "10000",
            "margin": "0",
            "unit": "coins",
            "verdict": "PASS",
            "verified": "true",
            "basis": "Order 27",
        },
        {
            **common,
            "check": "hot_ratio",
            "asset": None,
            "formula": "sum(E.cust_hot) <= 0.05 * sum(E.cust_*)",
            "value": "14150000000",
            "threshold": "14002500000",
            "margin": "-147500000",
            "unit": "money",
            "verdict": "BREACH",
            "verified": "true",
            "basis": "Order 27(2)",
        },
        {
            **common,
            "check": "guarantee",
            "asset": "XRP",
            "formula": "A.guarantee >= A.cust_hot",
            "value": "18500000",
            "threshold": "19000000",
            "margin": "-500000",
            "unit": "coins",
            "verdict": "BREACH",
            "verified": "true",
            "basis": "PSA 63-11-2",
        },
        {
            **common,
            "check": "net_assets",
            "asset": None,
            "formula": "declared.net_assets >= sum(E.guarantee)",
            "value": None,
            "threshold": "13950000000",
            "margin": None,
            "unit": "money",
            "verdict": "UNVERIFIED",
            "verified": "secondary",
            "basis": None,
        },
        {
            "profile": "jp-fiea-2026",
            "status": "placeholder",
            "check": "liability_reserve",
            "asset": None,
            "formula": None,
            "value": "3000000000",
            "threshold": "2678500000",
            "margin": "321500000",
            "unit": "money",
            "verdict": "PASS",
            "verified": "false",
            "basis": None,
        },
    ]
    operands = [
        {
            "profile": "jp-psa-2020",
            "check": "hot_ratio",
            "asset": None,
            "operand": name,
            "value": value,
            "unit": "money",
        }
        for name, value in (("sum(E.cust_hot)", "14150000000"), ("sum(E.cust_*)", "280050000000"))
    ]
    return {
        "facts": {"passed": 2, "breached": 2, "unverified": 1},
        "tables": {
            "checks": rows("requirements", "checks", *checks),
            "operands": rows("requirements", "operands", *operands),
        },
    }


def full_report(addresses: int = 24) -> Json:
    """The fixed realistic sample: every block, every table with at least one row."""
    blocks: Json = {}
    for block in BLOCKS:
        blocks[block.id] = {
            "facts": row(block.facts),
            "tables": {table.id: [row(table.columns, index) for index in range(2)] for table in block.tables},
        }
    blocks["reconciliation"] = _reconciliation()
    blocks["coverage_series"] = _coverage_series()
    blocks["liabilities"] = _liabilities()
    blocks["assets"] = _assets(addresses)
    blocks["requirements"] = _requirements()
    guarantee = [
        {
            "asset": symbol,
            "hot": units(symbol, hot),
            "guarantee": units(symbol, own),
            "surplus": units(symbol, str(Decimal(own) - Decimal(hot))),
            "surplus_value": str((Decimal(own) - Decimal(hot)) * Decimal(PRICES[symbol])),
            "verdict": "PASS" if Decimal(own) >= Decimal(hot) else "BREACH",
        }
        for symbol, (_, _cold, hot, _third, own) in BOOKS.items()
    ]
    attachments = (
        {"type": "segregation_audit", "title": "分別管理に関する合意された手続実施結果報告書"},
        {"type": "bank_statement"},
    )
    blocks["evidence"]["tables"]["attachments"] = rows("evidence", "attachments", *attachments)
    blocks["reserve"]["tables"]["guarantee"] = rows("reserve", "guarantee", *guarantee)
    return {"schema": SCHEMA, "header": header(), "blocks": blocks}
