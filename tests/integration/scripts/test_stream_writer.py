"""The way of a process into the event stream: nothing that the broker did not confirm is given up."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from celery_nexus.connection.keys import EVENT_STREAM, WORKER_HASH
from celery_nexus.history.capture import stream_writer
from celery_nexus.history.capture.stream_writer import MOST_UNANSWERED, StreamWriter


@pytest.fixture
def writer(client: redis.Redis) -> Iterator[StreamWriter]:
    path = client.connection_pool.connection_kwargs["path"]
    writer = StreamWriter(f"unix://{path}")
    yield writer
    client.config_set("maxmemory", 0)
    writer.close()


def add(writer: StreamWriter, *names: str) -> None:
    for name in names:
        writer.add({"type": "task-sent", "uuid": name})
        writer.flush()


def written(client: Any) -> list[Any]:
    """What the stream holds, once the server has done what was sent."""
    time.sleep(0.05)
    events = [json.loads(fields[b"d"]) for _, fields in client.xrange(EVENT_STREAM)]
    return [event.get("uuid") or event["count"] for event in events]


def unanswered(writer: StreamWriter) -> int:
    return len(writer._sent)  # type: ignore[attr-defined]


def cut(client: Any) -> None:
    client.client_kill_filter(_type="normal", skipme=True)


def test_an_event_is_sent_at_once_and_its_answer_is_read_later(client: Any, writer: StreamWriter) -> None:
    add(writer, "a", "b")
    assert written(client) == ["a", "b"]
    assert unanswered(writer) == 2
    writer.close()
    assert unanswered(writer) == 0


def test_who_asks_for_it_has_it_confirmed(client: Any, writer: StreamWriter) -> None:
    writer.add({"type": "task-succeeded", "uuid": "a"})
    writer.confirm()
    assert unanswered(writer) == 0
    assert [json.loads(fields[b"d"])["uuid"] for _, fields in client.xrange(EVENT_STREAM)] == ["a"]


def test_answers_are_read_when_there_are_many(client: Any, writer: StreamWriter) -> None:
    add(writer, *map(str, range(MOST_UNANSWERED - 1)))
    assert unanswered(writer) == MOST_UNANSWERED - 1
    add(writer, "last")
    assert unanswered(writer) == 0


def test_answers_are_read_when_much_waits_for_them(client: Any, writer: StreamWriter) -> None:
    add(writer, "a" * 400_000, "b" * 400_000)
    assert unanswered(writer) == 2
    add(writer, "c" * 400_000)
    assert unanswered(writer) == 0


def test_answers_are_read_when_they_are_old(client: Any, writer: StreamWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    add(writer, "a", "b")
    now = time.monotonic()
    monkeypatch.setattr(stream_writer.time, "monotonic", lambda: now + 1.1)
    add(writer, "c")
    assert unanswered(writer) == 1


def test_a_heartbeat_is_answered_at_once(client: Any, writer: StreamWriter) -> None:
    writer.note_worker("w@h", {"at": 1})
    add(writer, "a")
    assert unanswered(writer) == 0
    assert client.hgetall(WORKER_HASH) == {b"w@h": b'{"at":1}'}
    writer.note_worker("w@h", None)
    writer.flush()
    assert not client.exists(WORKER_HASH)


def test_what_was_not_confirmed_when_the_connection_broke_is_sent_again(client: Any, writer: StreamWriter) -> None:
    add(writer, "a", "b")
    assert written(client) == ["a", "b"]
    cut(client)
    writer.note_worker("w@h", {"at": 1})
    writer.flush()
    writer._retry_at = 0.0  # type: ignore[attr-defined]
    add(writer, "c")
    assert sorted(set(written(client))) == ["a", "b", "c"]
    assert client.hlen(WORKER_HASH) == 1
    assert unanswered(writer) == 0


def test_what_the_broker_refuses_for_now_follows_later(client: Any, writer: StreamWriter) -> None:
    add(writer, "a")
    client.config_set("maxmemory", 1)
    add(writer, "b", "c")
    writer.note_worker("w@h", {"at": 1})
    writer.flush()
    assert written(client) == ["a"]
    client.config_set("maxmemory", 0)
    writer._retry_at = 0.0  # type: ignore[attr-defined]
    writer.flush()
    assert written(client) == ["a", "b", "c"]
    assert client.hlen(WORKER_HASH) == 1


def test_a_newer_heartbeat_is_not_replaced_by_one_that_came_back(client: Any, writer: StreamWriter) -> None:
    client.config_set("maxmemory", 1)
    writer.note_worker("w@h", {"at": 1})
    writer.flush()
    writer.note_worker("w@h", {"at": 2})
    client.config_set("maxmemory", 0)
    writer._retry_at = 0.0  # type: ignore[attr-defined]
    writer.flush()
    assert client.hget(WORKER_HASH, "w@h") == b'{"at":2}'


def test_what_had_to_be_dropped_is_told_when_the_broker_is_back(
    client: Any, writer: StreamWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_writer, "MAX_BUFFERED", 2)
    client.config_set("maxmemory", 1)
    writer.note_worker("w@h", {"at": 1})
    add(writer, *"abcde")  # none of them is sent: the broker refused a moment ago
    assert writer.dropped == 3
    client.config_set("maxmemory", 0)
    writer._retry_at = 0.0  # type: ignore[attr-defined]
    writer.close()
    assert written(client) == ["d", "e", 3]
    assert writer.dropped == 0


def test_a_command_that_matters_little_waits_for_the_answers_before_it(client: Any, writer: StreamWriter) -> None:
    add(writer, "a")
    writer.note(("SET", "k", "v"))
    assert client.get("k") == b"v"
    assert unanswered(writer) == 0
    writer.note(("NONSENSE",))
    add(writer, "b")
    assert written(client) == ["a", "b"]


def test_the_memory_that_is_counted_is_that_of_what_is_kept(client: Any, writer: StreamWriter) -> None:
    add(writer, "a", "b")
    assert writer._bytes > 0  # type: ignore[attr-defined]
    writer.close()
    assert writer._bytes == 0  # type: ignore[attr-defined]
