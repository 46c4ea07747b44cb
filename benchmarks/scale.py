"""A large site: 1,000 workers, 200 queues, 5,000 task events a second: ``python -m benchmarks.scale [--json]``.

A process writes the events at that rate for five minutes (``NEXUS_BENCH_SECONDS`` for less), and each worker's
heartbeat to the stream every ten seconds, as workers do; a recorder, a process of its own, follows. At the end the
time until the last event is recorded is measured, and how much of one core the recorder took on the way.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import psutil
import redis

from benchmarks.apparatus.events import NAMES, server
from benchmarks.apparatus.report import Figure, at_least, at_most, run
from celery_nexus.connection.keys import EVENT_STREAM, EVENT_STREAM_LENGTH
from celery_nexus.history.query.history import History

SECONDS = float(os.environ.get("NEXUS_BENCH_SECONDS", "300"))
RATE_PER_S, WORKERS, QUEUES = 5_000, 1_000, 200
HEARTBEAT_EVERY_S = 10.0
IN_HANDS = 2_000
TICK_S = 0.05


def task_events() -> Iterator[dict[str, Any]]:
    """Make events of runs, four each, one in twenty failed, as many runs at once as workers have children."""
    rnd = random.Random(5)
    under_way: deque[dict[str, Any]] = deque()
    number = 0
    while True:
        number += 1
        worker = rnd.randrange(WORKERS)
        base = {"uuid": f"{rnd.getrandbits(32):08x}-5ca1-4000-8000-{number:012x}", "hostname": f"w{worker:04d}@scale"}
        named = base | {"name": f"app.tasks.{NAMES[number % 8]}", "queue": f"queue-{worker % QUEUES:03d}"}
        yield named | {
            "type": "task-sent",
            "priority": 5,
            "args": [number],
            "kwargs": {"page": number % 40, "dpi": 300},
        }
        yield named | {"type": "task-received", "priority": 5, "retries": 0}
        yield base | {"type": "task-started"}
        under_way.append(base)
        if len(under_way) > IN_HANDS:
            ended = under_way.popleft()
            if number % 20:
                yield ended | {"type": "task-succeeded", "runtime": 0.4, "result": "None"}
            else:
                yield ended | {"type": "task-failed", "exception": f"ValueError('page {number % 40}')", "traceback": ""}


def write(client: redis.Redis, seconds: float) -> int:
    """Write events at the rate; returns how many."""
    events, sent, beats = task_events(), 0, 0
    started = time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        pipeline = client.pipeline(transaction=False)
        while sent < passed * RATE_PER_S:
            _add(pipeline, next(events))
            sent += 1
        while beats < passed * WORKERS / HEARTBEAT_EVERY_S:
            beat = {"type": "worker-heartbeat", "hostname": f"w{beats % WORKERS:04d}@scale", "active": 2, "freq": 2.0}
            _add(pipeline, beat)
            beats += 1
        pipeline.execute()
        time.sleep(TICK_S)
    return sent


def _add(pipeline: Any, event: dict[str, Any]) -> None:
    data = orjson.dumps(event | {"timestamp": time.time(), "pid": 1})
    pipeline.execute_command("XADD", EVENT_STREAM, "MAXLEN", "~", EVENT_STREAM_LENGTH, "*", "d", data)


def measure() -> Sequence[Figure]:
    """Measure a recorder on a large site."""
    with server() as (client, socket), tempfile.TemporaryDirectory(prefix="nexus-bench-") as folder:
        path = Path(folder) / "history.db"
        command = [sys.executable, "-m", "benchmarks.ingest", "--record", str(socket), str(path)]
        recorder = subprocess.Popen(command)
        try:
            while not path.exists():
                time.sleep(0.1)
            before, started = _cpu_s(recorder.pid), time.monotonic()
            sent = write(client, SECONDS)
            rate = sent / (time.monotonic() - started)
            lag_s = _lag_s(client, path)
            core = (_cpu_s(recorder.pid) - before) / (time.monotonic() - started)
            memory = psutil.Process(recorder.pid).memory_info().rss / 1e6
            with History(path) as history:
                missed = sum(gap.missed or 0 for gap in history.gaps())
        finally:
            recorder.terminate()
            recorder.wait(30)
    return [
        at_least("events_a_second", [rate], RATE_PER_S * 0.98, unit="1/s"),
        at_most("lag_at_the_end", [lag_s], 2.0, unit="s"),
        at_most("recorder_cores", [core], 1.0, unit="cores"),
        at_most("recorder_memory", [memory], 120, unit="MB"),
        at_most("events_missed", [missed], 0, unit="events"),
    ]


def _lag_s(client: redis.Redis, path: Path) -> float:
    """Wait until everything is recorded; returns how long that took."""
    info: Any = client.xinfo_stream(EVENT_STREAM)
    last, started = info["last-generated-id"].decode(), time.monotonic()
    with History(path) as history:
        while history.meta("cursor") != last:
            time.sleep(0.01)
            if time.monotonic() - started > 120:
                break
    return time.monotonic() - started


def _cpu_s(pid: int) -> float:
    return sum(psutil.Process(pid).cpu_times()[:2])


if __name__ == "__main__":
    run(measure)
