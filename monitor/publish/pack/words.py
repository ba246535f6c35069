"""The sentences of letters and checklists in English and Japanese. They state what is recorded, and nothing more:
that something was stolen is for a person to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LANGUAGES = ("en", "ja")

_EN = {
    "unknown": "(not known to porwatch)",
    "from": "From",
    "registration": "Registration number",
    "lei": "LEI",
    "sender": "Name, office and telephone of the person who sends this",
    "number": "Reference number of the addressee",
    "incident": "Incident",
    "case": "Case",
    "detected": "First detected",
    "recorded": "What is recorded",
    "recorded_text": "The transfers below left wallets of ours, and no approval in our books explains them.",
    "reorged": "The blocks of some of them have left the chain since (column left_the_chain).",
    "amounts": "Amounts",
    "addresses": "Receiving addresses",
    "transactions": "Transactions",
    "asset": "Asset",
    "amount": "Amount",
    "value": "Value",
    "price": "price of",
    "chain": "Chain",
    "address": "Address",
    "txid": "Transaction",
    "time": "Time of its block",
    "more": "{count} more are in {file}.",
    "none": "None is recorded.",
    "request": "What we ask for",
    "issuer_title": "To the issuers of {assets}: request to freeze",
    "issuer_none": "None of the assets has an issuer who could freeze it: this letter is not needed.",
    "issuer_request": (
        "Freeze what the addresses below hold of the assets you issue, as far as your terms and the law allow, and "
        "tell us which of them you have frozen, and when.|Keep the records of accounts that redeem these assets."
    ),
    "exchange_title": "To other exchanges and custodians: request to hold deposits",
    "exchange_request": (
        "Watch for deposits from the addresses and transactions below, directly or through further addresses.|"
        "Hold what arrives, as far as your terms and the law allow, and tell us and the police.|"
        "Keep the records of the accounts concerned."
    ),
    "police_title": "To the police: report of transfers without approval",
    "police_request": (
        "Take this report on record and tell us its number.|"
        "Tell us whom to send logs and further evidence to; the files beside this letter hold every figure."
    ),
    "police_note": "Whether this is a crime, and who did it, is not recorded in porwatch.",
    "check_title": "Notifications and their clocks",
    "check_note": (
        "These are the duties that the active profiles record. Where a line is not verified, it is from memory or from "
        "secondary sources: ask counsel. Whether an event is one that must be told is for a person to decide."
    ),
    "check_none": (
        "No active profile records a duty to notify. This does not say that there is none: ask counsel, and configure "
        "the profile of your jurisdiction."
    ),
    "running": "until {due} ({local}), {deadline} from detection",
    "business_no": "no business day of the profile's calendar",
    "business_unknown": "whether it is a business day is unknown: the calendar does not reach so far",
    "promptly": "promptly: no number of hours is recorded",
    "unrecorded": "no deadline is recorded",
    "classified": "{deadline} from when a person classifies the event: that time is not recorded",
    "verified": "verified",
    "verified_true": "yes",
    "verified_secondary": "secondary sources",
    "verified_false": "NO",
    "done": "Done at, by whom, by which channel",
}
_JA = {
    "unknown": "（porwatch では不明）",
    "from": "差出人",
    "registration": "登録番号",
    "lei": "LEI",
    "sender": "担当者の氏名・部署・電話番号",
    "number": "宛先における受付番号",
    "incident": "インシデント",
    "case": "事案",
    "detected": "最初の検知",
    "recorded": "記録されている事実",
    "recorded_text": (
        "以下の移転は当社のウォレットからの出庫であり、帳簿に対応する出庫承認がありません（未照合の外部移転）。"
    ),
    "reorged": "一部はその後、ブロックがチェーンから外れています（left_the_chain 列）。",
    "amounts": "数量",
    "addresses": "受取アドレス",
    "transactions": "トランザクション",
    "asset": "資産",
    "amount": "数量",
    "value": "価額",
    "price": "価格時点",
    "chain": "チェーン",
    "address": "アドレス",
    "txid": "トランザクション",
    "time": "ブロック時刻",
    "more": "ほか {count} 件は {file} にあります。",
    "none": "記録はありません。",
    "request": "お願いしたいこと",
    "issuer_title": "{assets} の発行体各位：凍結のお願い",
    "issuer_none": "凍結できる発行体のある資産は含まれません。この書面は不要です。",
    "issuer_request": (
        "貴社の規約と法令の範囲で、以下のアドレスが保有する貴社発行資産を凍結し、凍結した対象と時刻をお知らせください。|"
        "これらの資産を償還する口座の記録を保全してください。"
    ),
    "exchange_title": "他の取引所・カストディアン各位：入庫の保留のお願い",
    "exchange_request": (
        "以下のアドレスおよびトランザクションからの入庫を、他のアドレスを経由するものも含めて監視してください。|"
        "貴社の規約と法令の範囲で入庫を保留し、当社と警察にお知らせください。|関係する口座の記録を保全してください。"
    ),
    "police_title": "警察への届出：承認のない移転について",
    "police_request": (
        "本件を受理し、受付番号をお知らせください。|"
        "ログなどの証拠の送付先をお知らせください。すべての数値は、この書面に添付するファイルにあります。"
    ),
    "police_note": "犯罪であるか、誰によるものかは、porwatch には記録されていません。",
    "check_title": "届出の一覧と期限",
    "check_note": (
        "有効なプロファイルに記録されている義務です。検証済みでない行は、記憶または二次資料によるものです。"
        "弁護士に確認してください。届出を要する事象かどうかは、人が判断します。"
    ),
    "check_none": (
        "有効なプロファイルには届出の義務の記録がありません。義務がないという意味ではありません。"
        "弁護士に確認し、該当する法域のプロファイルを設定してください。"
    ),
    "running": "{due}（{local}）まで、検知から {deadline}",
    "business_no": "プロファイルの暦では営業日ではありません",
    "business_unknown": "営業日かどうかは不明です（暦の範囲外）",
    "promptly": "速やかに（時間数の記録なし）",
    "unrecorded": "期限の記録なし",
    "classified": "人が事象を分類した時から {deadline}（その時刻の記録なし）",
    "verified": "検証",
    "verified_true": "済み",
    "verified_secondary": "二次資料",
    "verified_false": "未検証",
    "done": "実施日時・担当者・手段",
}

WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType({"en": _EN, "ja": _JA})
