"""What recording costs, beside Flower's and Celery's event state: ``python -m benchmarks.ingest [--json]``.

Each side runs in a process of its own, in turn, on the same events as its own workers send them: ours reads our stream
into SQLite with all indexes and aggregates; the peers receive Celery's pub/sub events into memory. What a process does
once, before its first events, counts for none of them. ``--steps`` prints instead what the
recorder's time goes to.
"""

from __future__ import annotations

import gc
import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import redis

from benchmarks.apparatus.events import fill_stream, publish, server
from benchmarks.apparatus.lacks import INSTALL, NotMeasured, finish_child, is_installed
from benchmarks.apparatus.report import Figure, at_most, run
from celery_nexus.history.recorder.recorder import GC_THRESHOLD, Recorder
from celery_nexus.history.store.aggregates import Aggregates
from celery_nexus.history.store.store import Store

TASKS = 50_000
RUNS = 3
PEERS = {"flower": ("Flower 2.2", 1 / 6), "celery": ("celery.events.state.State", 1 / 3)}
"""Module, name and goal of each."""


def consume_ours(socket: str, expected: int) -> dict[str, float]:
    """Record what is in the stream; returns CPU seconds and the memory that the process holds.

    The first batch, for which libraries are loaded and the file is made, does not count: peers are ready, too, when
    they begin to count.
    """
    with tempfile.TemporaryDirectory(prefix="nexus-bench-") as folder:
        recorder = Recorder(redis.Redis(unix_socket_path=socket, socket_timeout=10), Path(folder) / "history.db")
        gc.set_threshold(*GC_THRESHOLD)
        first = events = recorder.step()
        started = time.process_time()
        while events < expected:
            events += recorder.step()
        cpu_s = time.process_time() - started
    return {"cpu_s": cpu_s, "events": events - first, "rss": psutil.Process().memory_info().rss}


def steps_of(socket: str, expected: int) -> dict[str, float]:
    """Record what is in the stream; returns the microseconds of CPU an event of each step."""
    spent: defaultdict[str, float] = defaultdict(float)

    def timed(step: str, owner: Any, name: str) -> None:
        plain = getattr(owner, name)

        def wrapper(*args: Any, **options: Any) -> Any:
            started = time.process_time()
            try:
                return plain(*args, **options)
            finally:
                spent[step] += time.process_time() - started

        setattr(owner, name, wrapper)

    timed("reading the stream", Recorder, "_read")
    timed("finding the run and applying the event", Store, "_merge")
    timed("writing rows", Store, "_write_runs")
    timed("writing aggregates", Aggregates, "write")
    timed("making and joining segments", Store, "tidy")
    total = consume_ours(socket, expected)
    spent["decoding, cursor, commit, upkeep"] = total["cpu_s"] - sum(spent.values())
    return {step: seconds / total["events"] * 1e6 for step, seconds in spent.items()}


def run_steps(tasks: int) -> None:
    """Print what the recorder's time goes to."""
    with server() as (client, socket):
        count = fill_stream(client, tasks, time.time() - tasks / 500)
        steps = _result(_child("--consume", "steps", str(socket), str(count)))
    for step, microseconds in sorted(steps.items(), key=lambda row: -row[1]):
        print(f"{microseconds:6.1f} µs  {step}")
    print(f"{sum(steps.values()):6.1f} µs  together, of {count:,} events")


def consume_peer(socket: str, peer: str) -> dict[str, float]:
    """Receive events into a peer's state until the end is published; says ``ready`` first."""
    from celery import Celery
    from celery.events import EventReceiver
    from celery.events.state import State

    app = Celery("bench", broker=f"redis+socket://{socket}")
    if peer == "flower":
        importlib.import_module("flower.command")  # declares the options that its events need
        from flower.events import EventsState

        state: Any = EventsState(max_tasks_in_memory=10**6, max_workers_in_memory=5000)
    else:
        state = State(max_tasks_in_memory=10**6)
    events, started = 0, 0.0

    def on_event(event: dict[str, Any]) -> None:
        nonlocal events, started
        started = started or time.process_time()
        if event["type"] == "bench-end":
            receiver.should_stop = True
            return
        events += 1
        state.event(event)

    def on_ready(*_: Any, **__: Any) -> None:
        print("ready", flush=True)

    with app.connection_for_read() as connection:
        receiver: Any = EventReceiver(connection, handlers={"*": on_event}, app=app)
        receiver.on_consume_ready = on_ready
        receiver.capture(limit=None, timeout=None, wakeup=False)
    return {"cpu_s": time.process_time() - started, "events": events, "rss": psutil.Process().memory_info().rss}


def _child(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.ingest", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _result(child: subprocess.Popen[str]) -> dict[str, float]:
    return json.loads(finish_child(child).splitlines()[-1])


def run_ours(tasks: int) -> dict[str, float]:
    """Measure our recorder."""
    with server() as (client, socket):
        count = fill_stream(client, tasks, time.time() - tasks / 500)
        return _result(_child("--consume", "ours", str(socket), str(count)))


def run_peer(peer: str, tasks: int) -> dict[str, float]:
    """Measure a peer; the server's limit on slow subscribers is off, so that it sees everything."""
    with server("client-output-buffer-limit pubsub 0 0 0") as (client, socket):
        child = _child("--consume", peer, str(socket), "0")
        assert child.stdout is not None
        if child.stdout.readline():  # nothing comes from a peer that could not start
            time.sleep(0.5)
            publish(client, tasks, time.time() - tasks / 500)
        return _result(child)


def measure() -> Sequence[Figure | NotMeasured]:
    """Measure what recording costs, the sides in turn."""
    peers = [peer for peer in PEERS if is_installed(peer)]
    sides: dict[str, list[dict[str, float]]] = {side: [] for side in ("ours", *peers)}
    for _ in range(RUNS):
        sides["ours"].append(run_ours(TASKS))
        for peer in peers:
            sides[peer].append(run_peer(peer, TASKS))
    cpu_us = {side: [row["cpu_s"] / row["events"] * 1e6 for row in rows] for side, rows in sides.items()}
    figures: list[Figure | NotMeasured] = []
    for peer, (name, goal) in PEERS.items():
        figure = f"cpu_per_event_against_{peer}"
        if peer not in cpu_us:
            figures.append(NotMeasured(figure, f"{name}; {INSTALL}"))
            continue
        ratios = [ours / theirs for ours, theirs in zip(cpu_us["ours"], cpu_us[peer], strict=True)]
        figures.append(at_most(figure, ratios, goal, peer=name))
    memory = [row["rss"] / 1e6 for row in sides["ours"]]
    absolute = [at_most(f"cpu_per_event_of_{side}", values, 1000, unit="us") for side, values in cpu_us.items()]
    return [*figures, *absolute, at_most("recorder_memory", memory, 120, unit="MB")]


def main() -> None:
    """Run the benchmark, or, for it, one side."""
    match sys.argv[1:]:
        case ["--consume", "ours", socket, expected]:
            print(json.dumps(consume_ours(socket, int(expected))))
        case ["--consume", "steps", socket, expected]:
            print(json.dumps(steps_of(socket, int(expected))))
        case ["--steps"]:
            run_steps(TASKS)
        case ["--consume", peer, socket, _]:
            print(json.dumps(consume_peer(socket, peer)))
        case ["--record", socket, path]:
            Recorder(redis.Redis(unix_socket_path=socket, socket_timeout=10), Path(path)).run()
        case [] | ["--json"]:
            run(measure)
        case unknown:
            sys.exit(f"unknown arguments: {' '.join(unknown)}")


if __name__ == "__main__":
    main()
