"""What came into the event stream after Redis was read: the ledger's reading of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from celery_nexus.delivery.balance import ledger as ledger_module
from celery_nexus.delivery.balance.ledger import Ledger
from celery_nexus.delivery.balance.recount import Later

AT = 1_800_000_000.0


def write(client: redis.Redis, number: int, kind: str, run_id: Any, after_s: Any = 1.0) -> None:
    at = AT + after_s if isinstance(after_s, float) else after_s
    event = {"type": f"task-{kind}", "uuid": run_id, "timestamp": at}
    client.xadd("nexus:events", {"d": json.dumps(event)}, id=f"5-{number}")


def later(client: redis.Redis, after: str = "5-1", until: str = "5-9") -> Later:
    return Ledger(client, []).read_later(after, until, AT)


def test_ends_and_submissions_between_two_entries_are_told(client: redis.Redis) -> None:
    for number, (kind, run_id) in enumerate(
        [
            ("succeeded", "before"),
            ("succeeded", "a"),
            ("failed", "b"),
            ("revoked", "c"),
            ("sent", "d"),
            ("received", "e"),
            ("started", "f"),
            ("retried", "g"),
            ("failed", "last"),
            ("succeeded", "beyond"),
        ],
        start=1,
    ):
        write(client, number, kind, run_id)
    assert later(client) == Later(
        {"a": "SUCCESS", "b": "FAILURE", "c": "REVOKED", "last": "FAILURE"},
        frozenset({("d", AT + 1), ("e", AT + 1)}),
    )


def test_what_happened_before_but_was_written_later_had_happened(client: redis.Redis) -> None:
    write(client, 2, "succeeded", "a", 0.0)
    write(client, 3, "sent", "b", -1.0)
    assert later(client) == Later({}, frozenset())


def test_a_success_stays_the_end_of_a_run_that_fails_as_well(client: redis.Redis) -> None:
    write(client, 2, "succeeded", "a", 1.0)
    write(client, 3, "failed", "a", 2.0)
    write(client, 4, "failed", "b", 1.0)
    write(client, 5, "succeeded", "b", 2.0)
    assert later(client).ended == {"a": "SUCCESS", "b": "SUCCESS"}


def test_what_is_no_event_is_passed_over(client: redis.Redis) -> None:
    client.xadd("nexus:events", {"d": b"\xff{"}, id="5-2")
    client.xadd("nexus:events", {"other": "x"}, id="5-3")
    write(client, 4, "succeeded", 7)
    write(client, 5, "succeeded", "a", "soon")
    write(client, 6, "failed", "b")
    assert later(client).ended == {"b": "FAILURE"}


def test_more_than_one_part_is_read(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "STEP", 2)
    for number in range(1, 10):
        write(client, number, "succeeded", f"r{number}")
    assert sorted(later(client).ended) == [f"r{number}" for number in range(2, 10)]


def test_nothing_comes_later_than_a_recorder_that_is_behind(client: redis.Redis) -> None:
    write(client, 2, "succeeded", "a")
    assert later(client, "5-2", "5-1") == later(client, "5-2", "5-2") == Later({}, frozenset())
