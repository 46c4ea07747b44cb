"""Questions to a history of a million runs: ``python -m benchmarks.history [--json]``.

Building the file takes some minutes; ``NEXUS_BENCH_RUNS`` makes a smaller one. Each filter is asked for its first
page of 100 as the dashboard asks, by a process of its own, whose memory is measured.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.report import Figure, at_most, run
from config.queues import QUEUES
from workers.history.queries import History
from workers.history.store import Store

RUNS_IN_FILE = int(os.environ.get("NEXUS_BENCH_RUNS", "1_000_000"))
REPEATS = 5
DAYS = 29
GOAL_S = 0.05
MEMORY_MB = 120

BY_COLUMN = (
    "", "state:failure", "state:started", "queue:ai", "task:translate", "task:*pdf*", "worker:ai@*", "runtime:>30s",
    "runtime:<1ms", "waited:>5s", "waited:>5m", "age:<1h", "age:>28d", "retries:>0", "priority:0", "priority:3",
    "-state:success", "-state:success queue:reports", "state:failure queue:ai", "queue:email priority:0",
    "(state:retry OR retries:>1)", "(queue:ai OR queue:email) state:failure", "state:failure age:>20d", "id:abc",
    "parent:abc", "worker:nobody", "verdict:lost", "runtime:>30s queue:ai", "-error:ValueError state:failure",
)  # fmt: skip
BY_TEXT = ("args.user_id=42", "args.user_id=none", "error:Timeout", "error:nothing", '"quarter"', '"no such text"')


def fill(path: Path, count: int) -> None:
    """Write runs over a month: eight tasks, three per cent failed, some retried."""
    store = Store(path)
    rnd = random.Random(3)
    started_at = time.time() - DAYS * 86400
    batch: list[dict[str, Any]] = []
    for number in range(count):
        batch.extend(_life(rnd, number, started_at + number * DAYS * 86400 / count))
        if len(batch) > 5000:
            store.write(batch)
            batch.clear()
    store.write(batch)
    store.connection.execute("pragma wal_checkpoint(truncate)")
    store.close()


def _life(rnd: random.Random, number: int, at: float) -> Iterator[dict[str, Any]]:
    spec = QUEUES[int(rnd.random() ** 1.5 * len(QUEUES))]
    base = {"uuid": str(uuid.UUID(int=rnd.getrandbits(128), version=4)), "hostname": f"{spec.family}@host{number % 4}"}
    names = ("translate_text", "process_pdf", "send_email", "health_check")
    kwargs = {"user_id": rnd.randrange(50_000), "subject": f"Report {number % 997} of the quarter"}
    yield base | {
        "type": "task-sent", "timestamp": at, "name": f"{spec.module}.{rnd.choice(names)}", "queue": spec.name,
        "priority": rnd.choice((0, 5, 5, 5, 9)), "args": [f"contract-{number:07d}.pdf"], "kwargs": kwargs,
    }  # fmt: skip
    start, ran_s, chance = at + rnd.expovariate(2), rnd.lognormvariate(-1, 1.5), rnd.random()
    yield base | {"type": "task-started", "timestamp": start}
    error = {"exception": f"{rnd.choice(('ValueError', 'ReadTimeout', 'Corrupt'))}('cannot read page {number % 50}')"}
    if chance < 0.03:
        yield base | error | {"type": "task-failed", "timestamp": start + ran_s, "traceback": ""}
        return
    if chance < 0.05:
        yield base | error | {"type": "task-retried", "timestamp": start + ran_s / 2}
    yield base | {"type": "task-succeeded", "timestamp": start + ran_s, "runtime": ran_s, "result_json": '{"pages":7}'}


def ask(path: Path) -> dict[str, Any]:
    """Ask every filter for its first page; return the seconds of each, and the memory that was needed."""
    seconds: dict[str, list[float]] = {}
    with History(path) as history:
        for _ in range(REPEATS):
            for text in BY_COLUMN:
                seconds.setdefault(text, []).append(_timed(history, text))
        rss = psutil.Process().memory_info().rss
        for text in BY_TEXT:
            seconds[text] = [_timed(history, text)]
    return {"seconds": seconds, "rss": rss}


def _timed(history: History, text: str) -> float:
    started = time.perf_counter()
    history.runs(text, limit=100)
    return time.perf_counter() - started


def measure() -> Sequence[Figure]:
    """Measure the filters of the language over the runs of a month."""
    with tempfile.TemporaryDirectory(prefix="nexus-bench-") as folder:
        path = Path(folder) / "history.db"
        fill(path, RUNS_IN_FILE)
        command = [sys.executable, "-m", "benchmarks.history", "--ask", str(path)]
        answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    by_column = sorted(one for text in BY_COLUMN for one in answer["seconds"][text])
    by_text = sorted(one for text in BY_TEXT for one in answer["seconds"][text])
    return [
        at_most("first_page_p95", [by_column[int(len(by_column) * 0.95)]], GOAL_S, unit="s"),
        at_most("first_page_of_text_p95", [by_text[int(len(by_text) * 0.95)]], GOAL_S, unit="s"),
        at_most("reader_memory", [answer["rss"] / 1e6], MEMORY_MB, unit="MB"),
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ask"]:
        print(json.dumps(ask(Path(sys.argv[2]))))
    else:
        run(measure)
