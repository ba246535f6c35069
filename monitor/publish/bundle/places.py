"""Where things stand in a bundle."""

from __future__ import annotations

EVIDENCE = "evidence"
CLOSE = "evidence/close"
INPUTS = "evidence/close/inputs.json"
VERDICT = "evidence/close/verdict.json"
SETTINGS = "evidence/close/settings.json"
ACCOUNTS = "evidence/close/accounts"
BOOKS = "evidence/close/books"
CHAINS = "evidence/close/chains"
PERIOD = "evidence/period.jsonl"
EARLIER = "evidence/earlier.jsonl"
JOURNAL = "evidence/journal.json"
ANSWERS = "evidence/answers.json"
ATTACHMENTS = "evidence/attachments"
DRAFT = "evidence/draft"
REPORT = "report.json"
