"""What recording costs, beside Flower's and Celery's event state: ``python -m benchmarks.ingest [--json] [--tasks N]``.

Each side runs in a process of its own, in turn, on the same events: ours reads our stream into SQLite with all
indexes and aggregates; the peers receive Celery's pub/sub events into memory.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import redis

from benchmarks.events import fill_stream, publish, server
from nexus_tui.sources.history import HistorySource
from workers.history.recorder import Recorder
from workers.history.writer import STREAM, StreamWriter

RATE_PER_S = 2_000
VISIBLE_FOR_S = 10


def consume_ours(socket: str, expected: int) -> dict[str, float]:
    """Record what is in the stream; returns CPU seconds and the memory that the process holds."""
    with tempfile.TemporaryDirectory(prefix="nexus-bench-") as folder:
        recorder = Recorder(redis.Redis(unix_socket_path=socket, socket_timeout=10), Path(folder) / "history.db")
        started, events = time.process_time(), 0
        while events < expected:
            events += recorder.step()
        cpu_s = time.process_time() - started
    return {"cpu_s": cpu_s, "events": events, "rss": psutil.Process().memory_info().rss}


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
    return subprocess.Popen([sys.executable, "-m", "benchmarks.ingest", *arguments], stdout=subprocess.PIPE, text=True)


def _result(child: subprocess.Popen[str]) -> dict[str, float]:
    output, _ = child.communicate(timeout=600)
    return json.loads(output.strip().splitlines()[-1])


def run_ours(tasks: int) -> dict[str, float]:
    """Measure our recorder."""
    with server() as (client, socket):
        count = fill_stream(client, tasks, time.time() - tasks / 500)
        return _result(_child("--consume", "ours", str(socket), str(count)))


def run_peer(peer: str, tasks: int) -> dict[str, float]:
    """Measure a peer; the server's limit on slow subscribers is off, so that it sees everything."""
    with server("--client-output-buffer-limit", "pubsub 0 0 0") as (client, socket):
        child = _child("--consume", peer, str(socket), "0")
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.5)
        publish(client, tasks, time.time() - tasks / 500)
        return _result(child)


def visible_after() -> list[float]:
    """Feed a recorder at a steady rate; return how many seconds each run took from the stream to a reader's query."""
    with server() as (_, socket), tempfile.TemporaryDirectory(prefix="nexus-bench-") as folder:
        path = Path(folder) / "history.db"
        child = _child("--record", str(socket), str(path))
        try:
            return _watch(StreamWriter(f"unix://{socket}"), HistorySource(path))
        finally:
            child.terminate()
            child.communicate(timeout=20)


def _watch(writer: StreamWriter, source: HistorySource) -> list[float]:
    written: dict[str, float] = {}
    delays: dict[str, float] = {}
    started, version = time.monotonic(), -1
    while time.monotonic() - started < VISIBLE_FOR_S + 3:
        now = time.monotonic()
        wanted = int((min(now - started, VISIBLE_FOR_S)) * RATE_PER_S / 4)
        for number in range(len(written), wanted):
            for kind in ("sent", "received", "started", "succeeded"):
                fields = {
                    "uuid": f"run-{number}",
                    "hostname": "w@h",
                    "timestamp": time.time(),
                    "name": "t",
                    "runtime": 0.1,
                }
                writer.add({"type": f"task-{kind}", **fields})
            written[f"run-{number}"] = time.monotonic()
        writer.flush()
        if (latest := source.version()) != version:
            version = latest
            for run in source.runs(limit=500):
                delays.setdefault(run.id, time.monotonic() - written[run.id])
        time.sleep(0.02)
    return [delays.get(id_, float("inf")) for id_ in written]


def figures(tasks: int, runs: int) -> dict[str, dict[str, Any]]:
    """Measure everything, the sides in turn."""
    sides: dict[str, list[dict[str, float]]] = {"ours": [], "flower": [], "celery": []}
    for _ in range(runs):
        sides["ours"].append(run_ours(tasks))
        sides["flower"].append(run_peer("flower", tasks))
        sides["celery"].append(run_peer("celery", tasks))
    each = {side: [row["cpu_s"] / row["events"] * 1e6 for row in rows] for side, rows in sides.items()}
    found: dict[str, dict[str, Any]] = {}
    for peer, goal, name in (("flower", 1 / 6, "Flower 2.2"), ("celery", 1 / 3, "celery.events.state")):
        ratios = [ours / theirs for ours, theirs in zip(each["ours"], each[peer], strict=True)]
        found[f"cpu_per_event_against_{peer}"] = _figure(ratios, goal, name, "ratio")
    found["cpu_per_event"] = _figure(each["ours"], None, "", "µs")
    memory = [row["rss"] / 1e6 for row in sides["ours"]]
    found["recorder_memory"] = _figure(memory, 120, "", "MB")
    delays = sorted(visible_after())
    found["stream_to_visible_p95"] = _figure([delays[int(len(delays) * 0.95)]], 1.0, "", "s")
    return found


def _figure(values: list[float], goal: float | None, peer: str, unit: str) -> dict[str, Any]:
    value = statistics.median(values)
    return {
        "value": round(value, 4),
        "goal": goal if goal is None else round(goal, 4),
        "holds": None if goal is None else value <= goal,
        "peer": peer,
        "unit": unit,
        "spread": round(max(values) - min(values), 4),
        "runs": len(values),
    }


def print_table(found: dict[str, dict[str, Any]]) -> None:
    """Print figures for people."""
    for name, row in found.items():
        goal = "" if row["goal"] is None else f"goal {row['goal']:g} {'holds' if row['holds'] else 'MISSED'}"
        print(f"{name:<36} {row['value']:>10.4g} {row['unit']:<6} {goal:<22} {row['peer']}")


def main() -> None:
    """Run the benchmark, or one side of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--tasks", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--consume", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--record", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.consume:
        side, socket, expected = options.consume
        print(json.dumps(consume_ours(socket, int(expected)) if side == "ours" else consume_peer(socket, side)))
    elif options.record:
        socket, path = options.record
        Recorder(redis.Redis(unix_socket_path=socket, socket_timeout=10), Path(path), STREAM).run()
    else:
        found = figures(options.tasks, options.runs)
        print(json.dumps(found)) if options.json else print_table(found)


if __name__ == "__main__":
    main()
