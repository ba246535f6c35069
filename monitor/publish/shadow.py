"""`porwatch shadow`: the page about what the shadow showed, in English or Japanese, or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from monitor.config import Config, ConfigError, SecretError, load
from monitor.ledger import occasions, reader
from monitor.ledger.encode import Json, moment, parse
from monitor.ledger.errors import LedgerError
from monitor.ledger.store import Ledger
from monitor.model import Price, rfc3339
from monitor.step.shadow import figures_of
from monitor.step.writer import utc_now

FINE, WRONG = 0, 2

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "What porwatch saw in its shadow",
        "lasts": "{since} to {until}; it lasts: these are the figures so far",
        "ended": "{since} to {ended}",
        "explained": "Explained",
        "count": "{explained} of {total} payments that left for outside addresses ({share})",
        "unattributed": "{n} of them could not be judged: no approvals were configured",
        "value": "by value {explained} of {total} {currency} ({share}), at the prices of the end",
        "unpriced": "by value: unknown, there is no recent price of {assets}",
        "asset": "{asset}: {explained} explained, {unexplained} unexplained, {not_attributed} not judged ({share})",
        "paged": "What would have paged",
        "cases": "{told} cases; {open} of them are open, {critical} of those critical",
        "rule": "{cases} {rule} ({severity})",
        "latency": "How fast",
        "median": "median {median} ms from the first notice of a block to the case, slowest {slowest} ms, {n} cases",
        "no_latency": "no case in which the time was measured",
        "none": "nothing to share out",
        "rounding": "Shares are rounded down. Amounts are exact.",
    },
    "ja": {
        "title": "シャドー期間に porwatch が検知した内容",
        "lasts": "{since} から {until} まで（継続中。以下は現時点の数値です）",
        "ended": "{since} から {ended} まで",
        "explained": "照合できた出庫",
        "count": "外部アドレスへの支払い {total} 件のうち {explained} 件（{share}）",
        "unattributed": "うち {n} 件は、出庫承認が設定されていないため判定できませんでした",
        "value": "金額では {total} {currency} のうち {explained} {currency}（{share}）。期間終了時の価格によります",
        "unpriced": "金額による割合は不明です。{assets} の最近の価格がありません",
        "asset": "{asset}: 照合済 {explained}、未照合 {unexplained}、判定対象外 {not_attributed}（{share}）",
        "paged": "通知されるはずだった事案",
        "cases": "{told} 件。うち未対応 {open} 件、そのうち重大 {critical} 件",
        "rule": "{rule}（{severity}）{cases} 件",
        "latency": "検知までの時間",
        "median": "ブロックを最初に知ってから事案になるまで、中央値 {median} ミリ秒、最長 {slowest} ミリ秒（{n} 件）",
        "no_latency": "時間を測定した事案はありません",
        "none": "対象なし",
        "rounding": "割合は切り捨てです。数量は正確な値です。",
    },
}
LANGUAGES = tuple(_WORDS)


def shadow(path: Path, language: str, output: str) -> int:
    """Print the page: of the ended shadow as it was journalled, or of the one that lasts, so far."""
    try:
        config = load(path)
        ledger = Ledger(config.store_url(), writable=False)
    except ConfigError as error:
        sys.stderr.write("".join(f"{mistake}\n" for mistake in error.mistakes))
        return WRONG
    except (LedgerError, SecretError) as error:
        sys.stderr.write(f"{error}\n")
        return WRONG
    try:
        with ledger.read() as connection:
            record = document(connection, config, utc_now())
    finally:
        ledger.close()
    if record is None:
        sys.stderr.write("there was no shadow: write shadow_until, a day within 90 days, and run porwatch\n")
        return WRONG
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n" if output == "json" else page(record, language)
    sys.stdout.write(text)
    return FINE


def document(connection: Connection, config: Config, now: datetime) -> Json | None:
    """The shadow with its figures: ``state`` begun (figures as of ``now``) or ended; None where there was none."""
    record = occasions.newest_shadow(connection)
    if record is None:
        return None
    whole: Json = {"entity": config.entity.name, "timezone": config.entity.timezone, **record}
    if record["state"] == "ended":
        return whole
    since = moment(record["since"])
    prices = _prices(connection, config, now)
    figures = figures_of(connection, prices, config.decimals, config.entity.currency, since)
    return {**whole, "as_of": rfc3339(now), "figures": figures}


def _prices(connection: Connection, config: Config, now: datetime) -> dict[str, Price]:
    """The last good prices of the ledger that are young enough, in the entity's currency."""
    feed, book = reader.feeds(connection).get("prices"), config.books.prices
    if feed is None or book is None or not feed.position:
        return {}
    lines = [Price(x["asset"], x["currency"], x["price"], moment(x["as_of"])) for x in parse(feed.position)]
    currency, max_age = config.entity.currency, book.max_age
    return {x.asset: x for x in lines if x.currency == currency and now - x.as_of <= max_age}


def page(record: Mapping[str, Any], language: str) -> str:
    """One page of plain text for people who decide. ``record``: as ``document`` gives it."""
    words, figures = _WORDS[language], record["figures"]
    zone = ZoneInfo(record["timezone"])
    times = {key: _local(record[key], zone) for key in ("since", "until", "ended") if key in record}
    paid = figures["payments"]
    total = paid["explained"] + paid["not_attributed"] + paid["unexplained"]
    lines = [
        words["title"],
        record["entity"],
        words["lasts" if record["state"] == "begun" else "ended"].format(**times),
        "",
        words["explained"],
        "  " + words["count"].format(explained=paid["explained"], total=total, share=_percent(paid["share"], words)),
    ]
    if paid["not_attributed"]:
        lines.append("  " + words["unattributed"].format(n=paid["not_attributed"]))
    lines.append("  " + _value(figures["value"], words))
    lines += ["  " + words["asset"].format(**{**a, "share": _percent(a["share"], words)}) for a in figures["assets"]]
    told = {"told": figures["would_have_paged"], "open": figures["still_open"], "critical": figures["critical_open"]}
    lines += ["", words["paged"], "  " + words["cases"].format(**told)]
    lines += ["  " + words["rule"].format(**rule) for rule in figures["rules"]]
    lines += ["", words["latency"], "  " + _latency(figures["latency"], words), "", words["rounding"]]
    return "\n".join(lines) + "\n"


def _local(text: str, zone: ZoneInfo) -> str:
    return moment(text).astimezone(zone).isoformat(sep=" ", timespec="minutes")


def _percent(share: str | None, words: Mapping[str, str]) -> str:
    """A share of four decimals as a percentage of two, without rounding again."""
    if share is None:
        return words["none"]
    whole, _, decimals = share.partition(".")
    return f"{int(whole + decimals[:2])}.{decimals[2:]} %"


def _value(value: Mapping[str, Any], words: Mapping[str, str]) -> str:
    if value["without_price"]:
        return words["unpriced"].format(assets=", ".join(value["without_price"]))
    return words["value"].format(
        explained=value["explained"],
        total=value["total"],
        currency=value["currency"],
        share=_percent(value["share"], words),
    )


def _latency(latency: Mapping[str, Any], words: Mapping[str, str]) -> str:
    if not latency["measured"]:
        return words["no_latency"]
    return words["median"].format(median=latency["median_ms"], slowest=latency["slowest_ms"], n=latency["measured"])
