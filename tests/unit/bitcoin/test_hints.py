"""Waiting for blocks where no notice can come."""

from __future__ import annotations

import sys
import time

import pytest

from chains.bitcoin import hints
from chains.bitcoin.hints import NOT_INSTALLED, BlockHint
from tests.unit.bitcoin.fake_node import FakeNode, chain_on


async def test_without_a_publisher_waiting_is_sleeping() -> None:
    hint = BlockHint(None)
    begun = time.monotonic()
    await hint.wait(0.05)
    assert time.monotonic() - begun >= 0.045
    assert hint.trouble == ""
    await hint.close()


async def test_a_sleep_is_never_longer_than_the_polling_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "POLL_SECONDS", 0.05)
    begun = time.monotonic()
    await BlockHint(None).wait(60)
    assert time.monotonic() - begun < 10


async def test_without_pyzmq_blocks_are_polled_for_and_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zmq", None)
    monkeypatch.setitem(sys.modules, "zmq.asyncio", None)
    chain = chain_on(FakeNode(), zmq="tcp://127.0.0.1:28332")
    await chain.wait(0.01)
    await chain.wait(0.01)
    assert NOT_INSTALLED in (await chain.capabilities()).limits
    assert "porwatch[zmq]" in NOT_INSTALLED
    await chain.close()
