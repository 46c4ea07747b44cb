"""The recorder as a process: killed, without a broker, with a damaged file, twice, behind a cut stream."""

import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from celery_nexus.history.capture.stream_writer import StreamWriter
from celery_nexus.history.errors import HistoryError
from celery_nexus.history.query import figures
from celery_nexus.history.query.history import History
from celery_nexus.history.recorder.status import find_trouble
from celery_nexus.history.store.schema import lock_path
from tests.integration.history.conftest import Stack

pytestmark = pytest.mark.timeout(120)

NOW = time.time()


def life(number: int) -> list[bytes]:
    base = {"uuid": f"run-{number}", "hostname": "w@h"}
    at = NOW + number / 1000
    events = [
        base
        | {
            "type": "task-sent",
            "timestamp": at,
            "name": "mail",
            "queue": "email_queue",
            "args": [number],
            "kwargs": {},
        },
        base | {"type": "task-received", "timestamp": at + 0.1, "name": "mail", "retries": 0},
        base | {"type": "task-started", "timestamp": at + 0.2},
        base | {"type": "task-succeeded", "timestamp": at + 0.3, "runtime": 0.1, "result": "1"},
    ]
    return [orjson.dumps(event) for event in events]


def add(stack: Stack, entries: list[bytes]) -> None:
    pipeline = stack.redis.pipeline(transaction=False)
    for data in entries:
        pipeline.xadd("nexus:events", {"d": data})
    pipeline.execute()


def recorded(stack: Stack, filter_text: str = "state:success") -> int:
    with History(stack.paths.history) as history:
        return history.count(filter_text)


def test_a_recorder_killed_at_any_moment_loses_nothing_and_doubles_nothing(broker: Stack) -> None:
    runs = list(range(3000))
    shuffled = random.Random(1)
    for start in range(0, len(runs), 100):
        recorder = broker.start_recorder()
        entries = [data for number in runs[start : start + 100] for data in life(number)]
        shuffled.shuffle(entries)
        for part in range(0, len(entries), 50):
            add(broker, entries[part : part + 50])
            time.sleep(shuffled.uniform(0.0, 0.15))
        os.kill(recorder.pid, signal.SIGKILL)
        recorder.wait()
    broker.start_recorder()
    broker.until(lambda: recorded(broker) >= 3000, "all is recorded")
    with History(broker.paths.history) as history:
        assert history.count() == 3000
        row = figures.stats(history, NOW - 60, NOW + 60)[0]
        assert (row.sent, row.succeeded, row.failed, row.retried) == (3000, 3000, 0, 0)
        assert [entry[1] for entry in history.life("run-7")] == ["sent", "received", "started", "succeeded"]


def test_a_second_recorder_of_the_same_file_ends_with_the_reason(broker: Stack) -> None:
    broker.start_recorder()
    broker.until(lambda: broker.paths.history.exists(), "the first one records")
    assert broker.start_recorder().wait(20) == 1
    assert "another recorder writes" in (broker.home / "processes.log").read_text()


def test_it_waits_for_its_broker_and_ends_on_sigterm(broker: Stack) -> None:
    server = broker.processes[0]
    server.terminate()
    server.wait(10)
    recorder = broker.start_recorder()
    broker.until(lambda: "does not answer" in (broker.home / "processes.log").read_text(), "it says what is wrong")
    broker.start_broker()
    add(broker, life(1))
    broker.until(lambda: recorded(broker) == 1, "it records again")
    recorder.terminate()
    assert recorder.wait(10) == 0


def test_a_damaged_file_is_set_aside_and_built_anew(broker: Stack) -> None:
    broker.paths.history.write_bytes(b"this is no history" * 1000)
    add(broker, life(1))
    broker.start_recorder()
    broker.until(lambda: recorded_or_none(broker) == 1, "it is rebuilt from the stream")
    assert len(list(broker.home.glob("history.db.corrupt-*"))) == 1


def test_a_file_damaged_under_a_running_recorder_is_built_anew_once_a_reader_meets_it(broker: Stack) -> None:
    add(broker, [data for number in range(300) for data in life(number)])
    broker.start_recorder()
    broker.until(lambda: recorded_or_none(broker) == 300, "all is recorded")
    path = broker.paths.history
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    with path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xff" * (path.stat().st_size - 2 * 4096))
    with History(path) as history, pytest.raises(HistoryError, match="is damaged"):
        history.runs("args.0=1 OR state:success")
    broker.until(lambda: list(broker.home.glob("history.db.corrupt-*")), "it is set aside")
    broker.until(lambda: recorded_or_none(broker) == 300, "it is rebuilt from the stream")


def test_a_damaged_file_is_a_gap_that_says_so(broker: Stack) -> None:
    broker.paths.history.write_bytes(b"this is no history" * 1000)
    add(broker, life(1))
    broker.start_recorder()
    broker.until(lambda: recorded_or_none(broker) == 1, "it is rebuilt from the stream")
    with History(broker.paths.history) as history:
        assert [gap.reason.partition(" (")[0] for gap in history.gaps()] == ["the file was damaged"]


def test_a_file_that_is_moved_away_is_begun_anew_from_the_stream(broker: Stack, tmp_path: Path) -> None:
    add(broker, life(1))
    broker.start_recorder()
    broker.until(lambda: recorded_or_none(broker) == 1, "it is recorded")
    moved = broker.paths.history.replace(tmp_path / "moved.db")
    add(broker, life(2))
    broker.until(lambda: recorded_or_none(broker) == 2, "the new file has both")
    with History(moved) as history:
        assert history.count() == 1


def test_a_file_that_may_not_grow_is_trouble_that_passes(broker: Stack) -> None:
    add(broker, [data for number in range(3000) for data in life(number)])
    recorder = broker.start("-c", LIMITED, "-A", "config.celery_config")
    said = broker.until(lambda: find_trouble(broker.redis), "it says what is wrong")
    assert said.startswith("the history can't be written")
    recorder.send_signal(signal.SIGUSR1)
    broker.until(lambda: recorded_or_none(broker) == 3000, "it goes on", 60)
    broker.until(lambda: find_trouble(broker.redis) is None, "the trouble is over")


def test_a_folder_that_can_not_be_written_is_waited_for(broker: Stack) -> None:
    in_the_way = lock_path(broker.paths.history)
    in_the_way.mkdir()
    add(broker, life(1))
    broker.start_recorder()
    said = broker.until(lambda: find_trouble(broker.redis), "it says what is wrong")
    assert said.startswith("the history can't be written")
    in_the_way.rmdir()
    broker.until(lambda: recorded_or_none(broker) == 1, "it records")
    broker.until(lambda: find_trouble(broker.redis) is None, "the trouble is over")


LIMITED = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
signal.signal(signal.SIGUSR1, lambda *_: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard)))
from celery_nexus.history.recorder.recorder import main
main()
"""


def recorded_or_none(stack: Stack) -> Any:
    try:
        return recorded(stack)
    except Exception:  # noqa: BLE001  (until the recorder has replaced it, the file is none)
        return None


def test_what_was_cut_from_the_stream_is_a_gap(broker: Stack) -> None:
    recorder = broker.start_recorder()
    add(broker, life(1))
    broker.until(lambda: recorded(broker) == 1, "it records")
    recorder.terminate()
    recorder.wait(10)
    add(broker, life(2) + life(3))
    broker.redis.xtrim("nexus:events", maxlen=4, approximate=False)
    broker.start_recorder()
    broker.until(lambda: recorded(broker) == 2, "it goes on")
    source = broker.history
    assert [(gap.missed, gap.reason) for gap in source.gaps()] == [(4, "the stream was cut")]
    source.close()


def test_a_stream_that_was_made_anew_is_recorded_from_its_start(broker: Stack) -> None:
    recorder = broker.start_recorder()
    broker.redis.xadd("nexus:events", {"d": life(1)[0]}, id="9999999999999-0")
    broker.until(lambda: recorded(broker, "") == 1, "it records")
    recorder.terminate()
    recorder.wait(10)
    broker.redis.delete("nexus:events")
    add(broker, life(2))
    broker.start_recorder()
    broker.until(lambda: recorded(broker, "") == 2, "it goes on")


def test_it_says_how_fresh_the_history_is(broker: Stack) -> None:
    source = broker.history
    assert source.lag_s() is None
    recorder = broker.start_recorder()
    broker.until(lambda: (source.lag_s() or 99) < 2, "it is fresh")
    recorder.terminate()
    recorder.wait(10)
    source.close()


def test_what_could_not_be_sent_is_counted_and_the_rest_follows(broker: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celery_nexus.history.capture.stream_writer.MAX_BUFFERED", 10)
    password = broker.paths.broker_password.read_text().strip()
    writer = StreamWriter(f"unix://:{password}@{broker.paths.broker_socket}")
    server = broker.processes[0]
    server.terminate()
    server.wait(10)
    for number in range(4):
        for data in life(number):
            writer.add(orjson.loads(data))
            writer.flush()
    broker.start_broker()
    broker.start_recorder()

    def is_written() -> bool:
        writer.flush()
        return bool(broker.redis.xlen("nexus:events"))

    broker.until(is_written, "the broker is back")
    writer.close()
    broker.until(lambda: recorded(broker) == 3, "the rest is recorded")
    with History(broker.paths.history) as history:
        assert history.meta("dropped_events") == 6
