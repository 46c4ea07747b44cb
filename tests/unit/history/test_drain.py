"""Chunks that wait between the socket and the recorder."""

from pathlib import Path

import pytest

from celery_nexus.history.recorder.pubsub import WorkerActivity, channel_patterns
from celery_nexus.history.recorder.subscription import Broken, Overflow, Spool


def test_chunks_leave_in_the_order_in_which_they_came_through_memory_and_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path, memory_bytes=10)
    put = [b"a" * 8, b"b" * 8, b"c" * 8, Broken(1.0, "lost"), b"d", Broken(2.0, "again"), b"e"]
    for item in put:
        spool.put(item)
    taken = [spool.take(0) for _ in range(4)]
    spool.put(b"f")
    taken += [spool.take(0) for _ in range(4)]
    assert taken == [*put, b"f"]
    assert (spool.take(0), spool.waiting_bytes) == (None, 0)
    spool.put(b"g")
    assert spool.take(0) == b"g"
    spool.close()


def test_what_waits_is_bounded_and_a_break_always_has_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path, memory_bytes=1, file_bytes=20)
    spool.put(b"in memory")
    spool.put(b"in the file")
    with pytest.raises(Overflow):
        spool.put(b"one too many")
    spool.put(Broken(1.0, "too many"))
    assert [spool.take(0) for _ in range(3)] == [b"in memory", b"in the file", Broken(1.0, "too many")]
    spool.close()


def test_the_file_has_no_name(tmp_path: Path) -> None:
    spool = Spool(tmp_path, memory_bytes=0)
    spool.put(b"x")
    assert list(tmp_path.iterdir()) == []
    assert spool.take(0) == b"x"
    spool.close()


@pytest.mark.parametrize(
    ("database", "prefix", "patterns"),
    [
        (0, "", ("/0.celeryev*", "celeryev*")),
        (3, "their:", ("their:/3.celeryev*", "their:celeryev*")),
        (0, "a*[b]?\\", (r"a\*\[b\]\?\\/0.celeryev*", r"a\*\[b\]\?\\celeryev*")),
    ],
)
def test_the_channels_of_an_application(database: int, prefix: str, patterns: tuple[str, ...]) -> None:
    assert channel_patterns(database, prefix) == patterns


def beat(processed: int, **fields: object) -> dict[str, object]:
    return {"type": "worker-heartbeat", "hostname": "w@h", "processed": processed, **fields}


def test_a_worker_that_begins_runs_and_tells_nothing_is_named() -> None:
    hearing = WorkerActivity()
    for processed in (7, 7, 8, 8):
        hearing.note(beat(processed), 1.0)
    assert hearing.list_silent() == []
    hearing.note(beat(8), 2.0)
    assert hearing.list_silent() == ["w@h"]
    hearing.note({"type": "task-started", "hostname": "w@h", "uuid": "a"}, 3.0)
    assert hearing.list_silent() == []


def test_a_worker_that_tells_of_its_runs_or_has_none_is_not_named() -> None:
    hearing = WorkerActivity()
    for processed in (7, 7, 7, 7):
        hearing.note(beat(processed, active=1), 1.0)
    for processed in (8, 9, 10, 10, 10):
        hearing.note(beat(processed), 1.0)
        hearing.note({"type": "task-started", "hostname": "w@h", "uuid": "a"}, 1.0)
    assert hearing.list_silent() == []


def test_a_worker_whose_runs_take_long_is_not_named() -> None:
    hearing = WorkerActivity()
    hearing.note(beat(7), 1.0)
    hearing.note({"type": "task-started", "hostname": "w@h", "uuid": "a"}, 2.0)
    for _ in range(5):
        hearing.note(beat(8, active=1), 3.0)
    assert hearing.list_silent() == []


def test_a_worker_that_said_good_bye_is_forgotten_and_a_publisher_is_none() -> None:
    hearing = WorkerActivity()
    hearing.note(beat(1), 5.0)
    hearing.note({"type": "task-sent", "hostname": "gen1@h", "uuid": "a"}, 5.0)
    [(name, heartbeat)] = hearing.heartbeats().items()
    assert (name, heartbeat["timestamp"], heartbeat["started_at"]) == ("w@h", 5.0, None)
    assert 0 <= heartbeat["silent_s"] < 60
    hearing.note({"type": "worker-offline", "hostname": "w@h"}, 6.0)
    assert hearing.heartbeats() == {}
