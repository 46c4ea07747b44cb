from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from workers.services.progress import ignore_progress
from workers.services.upkeep.results import REPLIES_LIVE_S, remove_old

LONG_AGO = (datetime.now(UTC) - timedelta(days=9)).isoformat()


def record(client: redis.Redis, id_: str, status: str, done: str | None, **more: Any) -> str:
    key = f"celery-task-meta-{id_}"
    client.set(key, json.dumps({"status": status, "result": 1, "date_done": done, **more}))
    return key


def left(client: redis.Redis) -> list[str]:
    keys: Any = client.keys("celery-task-meta-*")
    return sorted(key.removeprefix("celery-task-meta-") for key in keys)


def test_only_old_records_of_ended_runs_go(client: redis.Redis) -> None:
    for state in ("SUCCESS", "FAILURE", "REVOKED", "STARTED", "RETRY", "PENDING", "PROGRESS"):
        record(client, state, state, LONG_AGO)
    record(client, "young", "SUCCESS", datetime.now(UTC).isoformat())
    record(client, "naive", "SUCCESS", "2020-01-01T00:00:00")
    record(client, "undated", "SUCCESS", None)
    client.set("celery-task-meta-broken", "{")
    client.set("celery-taskset-meta-group", json.dumps({"status": "SUCCESS", "date_done": LONG_AGO}))
    found = remove_old(client, timedelta(days=1), ignore_progress)
    assert left(client) == ["PENDING", "PROGRESS", "RETRY", "STARTED", "broken", "undated", "young"]
    assert (found.scanned, found.removed, found.kept_live, found.kept_young, found.unreadable) == (11, 4, 5, 1, 1)
    assert client.exists("celery-taskset-meta-group") == 1


def test_a_dry_run_removes_no_record(client: redis.Redis) -> None:
    record(client, "a", "SUCCESS", LONG_AGO)
    assert remove_old(client, timedelta(days=1), ignore_progress, dry_run=True).removed == 1
    assert left(client) == ["a"]


def test_a_record_that_changed_since_it_was_read_stays(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    record(client, "a", "SUCCESS", LONG_AGO)
    read = client.mget

    def mget(*keys: Any) -> Any:
        values: Any = read(*keys)
        record(client, "a", "STARTED", None)  # the run was submitted again
        return values

    monkeypatch.setattr(client, "mget", mget)
    assert remove_old(client, timedelta(days=1), ignore_progress).removed == 0
    assert left(client) == ["a"]


def test_many_records_are_removed_a_few_at_a_time(client: redis.Redis) -> None:
    with client.pipeline() as pipe:
        for number in range(700):
            pipe.set(f"celery-task-meta-{number}", json.dumps({"status": "SUCCESS", "date_done": LONG_AGO}))
        pipe.execute()
    assert remove_old(client, timedelta(days=1), ignore_progress).removed == 700


def test_lists_of_replies_that_nobody_reads_get_an_end(client: redis.Redis) -> None:
    client.lpush("abc.reply.celery.pidbox", "reply")
    client.lpush("other", "x")
    assert remove_old(client, timedelta(days=1), ignore_progress).reply_lists_expired == 1
    assert 0 < int(client.ttl("abc.reply.celery.pidbox") or 0) <= REPLIES_LIVE_S
    assert client.ttl("other") == -1
