"""Runs that events left open: their end is found in the result backend, or they are called lost."""

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from celery_nexus.history.query.history import History
from celery_nexus.history.recorder.reconciliation import Reconciler
from celery_nexus.history.store.store import Store
from celery_nexus.queues import priority_key
from celery_nexus.rows.runs import Run
from tests.integration.history.conftest import Stack

pytestmark = pytest.mark.timeout(120)

QUEUES = ("email_queue", "ai_queue", "default_queue")

NOW = time.time()


@pytest.fixture
def store(broker: Stack) -> Iterator[Store]:
    store = Store(broker.paths.history)
    yield store
    store.close()


def begin(store: Store, *ids: str) -> None:
    for id_ in ids:
        base = {"uuid": id_, "hostname": "w@h"}
        store.write(
            [
                base | {"type": "task-sent", "timestamp": NOW - 60, "name": "mail", "queue": "q"},
                base | {"type": "task-started", "timestamp": NOW - 50},
            ]
        )


def look(broker: Stack, store: Store) -> dict[str, Run]:
    Reconciler(broker.redis, queues=QUEUES).step(store)
    with History(broker.paths.history) as history:
        return {run.id: run for run in history.runs()}


def test_an_end_that_was_never_told_is_found_in_the_result_backend(broker: Stack, store: Store) -> None:
    begin(store, "good", "bad", "odd")
    error = {"exc_type": "ValueError", "exc_message": ["it's bad"], "exc_module": "builtins"}
    metas = {
        "good": {"status": "SUCCESS", "result": "secret answer", "date_done": "2027-01-15T08:00:00"},
        "bad": {"status": "FAILURE", "result": error, "traceback": "Traceback\nValueError: it's bad"},
        "odd": ["no", "meta"],
    }
    for id_, meta in metas.items():
        broker.redis.set(f"celery-task-meta-{id_}", json.dumps(meta))
    runs = look(broker, store)
    assert (runs["good"].state, runs["good"].finished_at, runs["good"].result) == (
        "SUCCESS",
        datetime.fromtimestamp(1_800_000_000, UTC),
        None,
    )
    assert (runs["bad"].state, runs["bad"].error) == ("FAILURE", "ValueError: it's bad")
    assert runs["odd"].state == "STARTED"


def test_a_run_of_a_worker_that_is_gone_is_called_lost(broker: Stack, store: Store) -> None:
    begin(store, "a")
    run = look(broker, store)["a"]
    assert (run.state, run.verdict) == ("STARTED", "lost? w@h is not online")


def test_a_run_of_a_worker_that_was_started_anew_is_called_lost(broker: Stack, store: Store) -> None:
    begin(store, "a")
    heartbeat = {"timestamp": time.time(), "started_at": NOW - 10}
    broker.redis.hset("nexus:workers", "w@h", json.dumps(heartbeat))
    verdict = look(broker, store)["a"].verdict
    assert verdict is not None and verdict.startswith("lost? w@h was started anew at ")


def test_a_run_of_a_living_worker_is_left_alone(broker: Stack, store: Store) -> None:
    begin(store, "a")
    broker.redis.hset("nexus:workers", "w@h", json.dumps({"timestamp": time.time(), "started_at": NOW - 3600}))
    assert look(broker, store)["a"].verdict is None


def message(id_: str) -> str:
    return json.dumps({"body": "W10=", "headers": {"lang": "py", "task": "mail", "id": id_}, "properties": {}})


def waiting(store: Store, id_: str) -> None:
    fields = {"name": "mail", "queue": "email_queue", "priority": 5}
    store.write([{"type": "task-sent", "uuid": id_, "hostname": "w@h", "timestamp": NOW - 60, **fields}])


def test_a_message_that_is_nowhere_at_two_looks_is_called_lost(broker: Stack, store: Store) -> None:
    waiting(store, "here")
    waiting(store, "gone")
    broker.redis.rpush(priority_key("email_queue", 5), message("here"))
    reconciler = Reconciler(broker.redis, queues=QUEUES)
    found: list[dict[str, str | None]] = []
    for _ in range(2):
        reconciler.step(store)
        reconciler = resumed(reconciler)
        with History(broker.paths.history) as history:
            found.append({run.id: run.verdict for run in history.runs()})
    assert found == [
        {"here": None, "gone": None},
        {"here": None, "gone": "lost? its message is in no queue and with no worker"},
    ]


def resumed(reconciler: Reconciler) -> Reconciler:
    reconciler._next_at = 0.0
    reconciler._place = (0, 0)
    return reconciler


@pytest.mark.parametrize("key", ["unacked", "nexus:inflight:w@h"])
def test_a_message_with_a_worker_is_not_lost(broker: Stack, store: Store, key: str) -> None:
    waiting(store, "a")
    broker.redis.hset("nexus:leases", "w@h", "{}")
    broker.redis.hset(key, "tag", message("a"))
    reconciler = Reconciler(broker.redis, queues=QUEUES)
    for _ in range(2):
        resumed(reconciler).step(store)
    with History(broker.paths.history) as history:
        assert [run.verdict for run in history.runs()] == [None]


def test_a_message_that_was_moved_shows_its_new_queue_and_priority(broker: Stack, store: Store) -> None:
    waiting(store, "a")
    broker.redis.rpush(priority_key("ai_queue", 2), message("a"))
    run = look(broker, store)["a"]
    assert (run.queue, run.priority, run.state) == ("ai_queue", 2, "PENDING")


def test_a_run_whose_message_waits_again_is_not_started_any_more(broker: Stack, store: Store) -> None:
    begin(store, "a")
    broker.redis.rpush("email_queue", message("a"))
    run = look(broker, store)["a"]
    assert (run.state, run.queue, run.priority, run.verdict) == ("PENDING", "email_queue", 0, None)


def test_a_run_that_an_idle_worker_never_ended_is_called_lost(broker: Stack, store: Store) -> None:
    begin(store, "a")
    heartbeat = {"timestamp": time.time(), "started_at": NOW - 3600, "active": 0}
    broker.redis.hset("nexus:workers", "w@h", json.dumps(heartbeat))
    reconciler = Reconciler(broker.redis, queues=QUEUES)
    for _ in range(2):
        resumed(reconciler).step(store)
    with History(broker.paths.history) as history:
        assert [run.verdict for run in history.runs()] == ["lost? w@h runs nothing, and the end was never told"]


def test_a_verdict_goes_with_the_next_event(broker: Stack, store: Store) -> None:
    begin(store, "a")
    look(broker, store)
    store.write([{"type": "task-received", "uuid": "a", "timestamp": NOW, "hostname": "other@h", "name": "mail"}])
    with History(broker.paths.history) as history:
        assert [(run.state, run.verdict) for run in history.runs()] == [("RECEIVED", None)]


def test_a_killed_worker_leaves_a_run_that_is_called_lost(broker: Stack) -> None:
    recorder = broker.start_recorder()
    worker = broker.start_worker("--pool", "solo")
    id_ = broker.call("print(sleep.delay(60).id)")
    broker.run_in(id_, "STARTED")
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    recorder.terminate()
    recorder.wait(10)
    broker.redis.hdel("nexus:workers", "lives@test")  # half a minute later, its heartbeat would be too old
    store = Store(broker.paths.history)
    Reconciler(broker.redis, queues=QUEUES, open_for_s=0.0).step(store)
    store.close()
    source = broker.history
    assert source.run(id_).verdict == "lost? lives@test is not online"
    assert [run.id for run in source.runs("verdict:lost")] == [id_]
    source.close()


@pytest.mark.parametrize(("beat_age_s", "is_lost"), [(5, False), (3600, True)])
def test_a_workers_wrong_clock_makes_no_run_lost_and_hides_no_loss(
    broker: Stack, store: Store, beat_age_s: float, is_lost: bool
) -> None:
    begin(store, "a")
    wrong = time.time() + (-7200 if not is_lost else 7200)
    heartbeat = {"timestamp": wrong, "beat_at": time.time() - beat_age_s, "started_at": NOW - 7200}
    broker.redis.hset("nexus:workers", "w@h", json.dumps(heartbeat))
    verdict = look(broker, store)["a"].verdict
    assert (verdict is not None and verdict.startswith("lost? nothing was heard of w@h since ")) == is_lost
