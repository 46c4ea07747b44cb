"""A message that no worker would take is refused to whoever publishes it, and no run is lost by that."""

from __future__ import annotations

from typing import Any

import pytest
from celery import chain, chord

from celery_nexus.delivery import keys, validation
from celery_nexus.delivery.transport.publication import MessageTooLarge
from celery_nexus.queues import priority_key

LIMIT = 20_000
REFUSED = (
    r"message_too_large: t\.\w+ was not queued: its message: [0-9,]+ bytes, and 20,000 are allowed; put the content"
)


def test_a_publisher_is_told_and_nothing_is_queued(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "MAX_MESSAGE_BYTES", LIMIT)
    with pytest.raises(MessageTooLarge, match=REFUSED):
        stack.publish("t.note", "x" * LIMIT)
    assert stack.client.llen(priority_key("default_queue", 5)) == 0


def test_a_run_whose_next_is_too_large_has_failed_and_so_has_the_body_of_a_chord(stack: Any) -> None:
    stack.environment |= {"NEXUS_TEST_MAX_MESSAGE_BYTES": str(LIMIT)}
    stack.worker()
    app = stack.producer
    small, large = app.signature("t.text", (1_000,)), app.signature("t.text", (30_000,))
    whole = app.signature("t.length")
    assert chain(small, whole).apply_async().get(timeout=20) == 1_000
    assert chord([small, small], whole).apply_async().get(timeout=20) == 2_000
    first: Any = chain(large, whole).apply_async().parent
    with pytest.raises(Exception, match=REFUSED):
        first.get(timeout=20)
    with pytest.raises(Exception, match=REFUSED):
        chord([large, large], whole).apply_async().get(timeout=20)
    stack.until(lambda: not stack.client.exists(keys.in_flight_key("w@test")))
    assert stack.client.zcard(keys.DEAD) == 0
