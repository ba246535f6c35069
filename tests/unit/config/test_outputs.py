"""What is made from the models and committed is current, and the example is whole."""

from __future__ import annotations

from pathlib import Path

from monitor.books import check, summary
from monitor.config import load
from monitor.config.models import LATER
from monitor.config.reference import PAGE, SCHEMA, reference, schema_text
from monitor.config.schema import schema

CHECKOUT = Path(__file__).resolve().parents[3]
EXAMPLE = CHECKOUT / "config" / "example.yaml"
HOW = "run: python -c 'from pathlib import Path; from monitor.config.reference import write; write(Path())'"


def test_the_committed_schema_is_current() -> None:
    assert (CHECKOUT / SCHEMA).read_text(encoding="utf-8") == schema_text(), HOW


def test_the_reference_page_is_current() -> None:
    assert (CHECKOUT / PAGE).read_text(encoding="utf-8") == reference(), HOW


def test_every_key_has_a_meaning_in_the_reference() -> None:
    for line in reference().splitlines():
        if line.startswith("| `"):
            assert line.split("|")[4].strip(), line
    assert LATER in reference()


def test_the_example_has_no_mistake_as_shipped() -> None:
    assert [str(mistake) for mistake in check(EXAMPLE)] == []


def test_the_example_shows_every_key() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    whole = schema()
    keys = {key for model in (whole, *whole["$defs"].values()) for key in model["properties"]}
    assert sorted(key for key in keys if f"{key}:" not in text and f"{key} " not in text) == []


def test_the_summary_names_entity_chains_and_wallets() -> None:
    text = summary(load(EXAMPLE))
    assert "entity: Example Exchange KK (JPY, Asia/Tokyo)" in text
    assert "chain ethereum: evm, 3 endpoints, quorum 2, 3 wallets, 4 addresses" in text
    assert "wallets: 5 (3 cold, 2 hot)" in text
