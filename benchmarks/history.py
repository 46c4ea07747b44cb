"""Questions to a history of a million runs: ``python -m benchmarks.history [--json]``.

Building the file takes some minutes; it is kept in the temporary folder for the next time. ``NEXUS_BENCH_RUNS`` makes
a smaller one. A process of its own asks each filter for its first page of 100, in two ways: with the dashboard's budget
of time, after which a page says how far it looked, and to the end. ``--kinds`` prints each filter's own times.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import redis

from benchmarks.apparatus.events import fill_stream, server
from benchmarks.apparatus.lacks import run_child
from benchmarks.apparatus.report import Figure, at_least, at_most, run
from celery_nexus.history.query.history import History
from celery_nexus.history.recorder.recorder import Recorder
from celery_nexus.history.store.schema import VERSION
from celery_nexus.history.store.store import Store
from config.queues import QUEUES
from tests.harness.terminal import Terminal

RUNS_IN_FILE = int(os.environ.get("NEXUS_BENCH_RUNS", "1_000_000"))
REPEATS = 5
DAYS = 29
GOAL_S = 0.05
BUDGET_S = 0.04
MEMORY_MB = 120
ANSWERED = 0.9
"""Share of filters whose first page is whole within the budget."""

FILTERS: dict[str, tuple[str, ...]] = {
    "all and state": (
        "", "state:failure", "state:started", "state:rejected", "state:success", "state:fail,retry", "-state:success",
        "-state:success,failure", "-(state:success,failure,pending,retry,revoked,started)",
    ),
    "names": (
        "queue:ai", "queue:ai,email", "queue:*queue", "queue:nothing", "-queue:email", "task:translate", "task:*pdf*",
        "task:?nothing*", "-task:translate -task:process -task:send -task:health", "worker:ai@host2", "worker:ai@*",
        "worker:nobody", "-worker:ai -worker:email",
    ),
    "durations": (
        "runtime:>30s", "runtime:>=10m", "runtime:<1ms", "runtime:<=2ms", "runtime:=1s", "runtime:>10h",
        "-runtime:<25s", "waited:>5s", "waited:>=5m", "waited:<1ms", "waited:<=0", "waited:=2s", "-waited:<4500ms",
    ),
    "numbers": (
        "retries:>0", "retries:>=1", "retries:>9", "retries:<1", "retries:<=0", "retries:=1", "-retries:0",
        "priority:0",
        "priority:>5", "priority:<5", "priority:>=9", "priority:<=3", "priority:3",
        "-priority:0 -priority:5 -priority:9",
    ),
    "age": (
        "age:<1h", "age:>28d", "age:<1s", "age:<=2d", "age:>=28.9d", "age:=10d", "age:>28d state:failure",
        "age:>20d runtime:>20s", "-age:<28d priority:0", "age:>14d age:<15d error:Corrupt",
    ),
    "ids": (
        "id:abc", "id:a", "id:nothing", "id:*abcd", "id:*nothing", "id:*abcd*", "id:0?f*42", "-id:0,1,2,3,4,5,6,7,8,9",
        "root:abc", "root:a", "root:nothing", "root:*abcd", "-root:*", "parent:abc", "parent:*abcd", "parent:*abc?",
        "group:a", "group:*abcd", "group:nothing", "-group:*e*", "verdict:lost", "verdict:*heartbeat*",
        "verdict:nothing",
    ),
    "together": (
        "-state:success queue:reports", "state:failure queue:ai", "queue:email priority:0", "runtime:>30s queue:ai",
        "(state:retry OR retries:>1)", "(queue:ai OR queue:email) state:failure", "(id:abc OR runtime:>40s)",
        "state:failure priority:0 retries:>0", "task:translate queue:email worker:email@host3 waited:>4s",
        "id:a state:pending", "parent:* state:failure", "(error:Timeout OR runtime:>1m) -queue:ai",
    ),
    "errors": (
        "error:Timeout", "error:nothing", "error:\"page 49\"", "error:report", "error:Read*49", "error:x*y",
        "-error:ValueError state:failure", "error:ValueError,Corrupt queue:ai", "error:*", "-error:* state:failure",
    ),
    "arguments, equal": (
        "args.user_id=42", "args.user_id:42", "args.user_id=none", "args.user_id=50001", "args.user_id=4?2",
        "args.0=contract-0000001.pdf", "args.0=contract-1*", "args.0=*000001.pdf", "args.1=x", "args.page=42",
        "args.subject=\"Report 5 of the quarter\"", "args.subject=\"Report 1\"", "args.subject=*nothing*",
        "args.subject=*x*", "args.options.dpi=600", "args.options.dpi=601", "args.options.languages.0=fr",
        "args.note=*zq*",
        "args.user_id=42 state:failure", "(args.user_id=42 OR args.user_id=43)", "-args.user_id=42 state:failure",
    ),
    "arguments, compared": (
        "args.user_id!=42", "args.user_id>49000", "args.user_id>=49999", "args.user_id<3", "args.user_id<=0",
        "args.user_id>50000", "args.nothing>5", "args.nothing!=5", "args.subject>Z", "args.subject>=\"Report 99\"",
        "args.subject<\"Report 0\"", "args.subject<=\"Report 1 of the quarter\"", "args.subject!=x",
        "args.0>contract-0999990",
        "args.0<contract-0000009", "args.options.dpi>300", "args.options.dpi<0", "args.options>x",
        "-args.user_id<49990",
        "args.user_id>49990 queue:ai", "-args.0<contract-0999990",
    ),
    "free text": (
        "quarter", "\"no such text\"", "contract-0000001", "54321", "\"report 996 of\"", "\"the report\"", "zq", "~",
        "a", "quar*ter", "x*y*z", "report*nothing", "timeout", "\"page 49\" queue:ai", "quarter state:failure",
        "(54321 OR 12345)", "abcd", "\"\\\"user_id\\\":77,\"", "translate_text", "ünï",
    ),
    "free text, negated": (
        "-contract-0999999", "-quarter", "-quarter state:failure", "-pages state:success", "-e",
        "-\"report 9\" -\"report 1\"",
        "-contract", "-timeout state:failure",
    ),
}  # fmt: skip
"""By kind: every field with each of its operators, for runs that are many, few, and none."""

WORDS = 4_000
"""Different words in the notes that some runs have as an argument."""


def fill(path: Path, count: int) -> None:
    """Write runs over a month: eight tasks, three per cent failed, some retried, a tenth called by others."""
    store = Store(path)
    rnd = random.Random(3)
    started_at = time.time() - DAYS * 86400
    batch: list[dict[str, Any]] = []
    for number in range(count):
        batch.extend(_life(rnd, number, started_at + number * DAYS * 86400 / count))
        if len(batch) > 5000:
            store.write(batch)
            while store.tidy():
                pass
            batch.clear()
    store.write(batch)
    rows = store.connection.execute("select id from run where state = 2 order by key limit 50").fetchall()
    store.set_verdicts({row[0]: "lost?: no heartbeat of its worker" for row in rows})
    store.connection.execute("pragma wal_checkpoint(truncate)")
    store.close()


def _life(rnd: random.Random, number: int, at: float) -> Iterator[dict[str, Any]]:
    spec = QUEUES[int(rnd.random() ** 1.5 * len(QUEUES))]
    base = {"uuid": _id(rnd), "hostname": f"{spec.family}@host{number % 4}"}
    start, ran_s, chance = at + rnd.expovariate(2), rnd.lognormvariate(-1, 1.5), rnd.random()
    yield base | {
        "type": "task-sent", "timestamp": at, "queue": spec.name, "priority": rnd.choice((0, 5, 5, 5, 9)),
        "name": f"{spec.module}.{rnd.choice(('translate_text', 'process_pdf', 'send_email', 'health_check'))}",
        "args": [f"contract-{number:07d}.pdf"], "kwargs": _arguments(rnd, number), **_family(rnd),
    }  # fmt: skip
    if number % 10_000 == 7:
        return
    yield base | {"type": "task-started", "timestamp": start}
    error = {"exception": f"{rnd.choice(('ValueError', 'ReadTimeout', 'Corrupt'))}('cannot read page {number % 50}')"}
    if number % 10_000 == 9:
        return
    if chance < 0.03:
        yield base | error | {"type": "task-failed", "timestamp": start + ran_s, "traceback": ""}
        return
    if chance < 0.05:
        yield base | error | {"type": "task-retried", "timestamp": start + ran_s / 2}
    yield base | {"type": "task-succeeded", "timestamp": start + ran_s, "runtime": ran_s, "result_json": '{"pages":7}'}


def _id(rnd: random.Random) -> str:
    return str(uuid.UUID(int=rnd.getrandbits(128), version=4))


def _arguments(rnd: random.Random, number: int) -> dict[str, Any]:
    arguments: dict[str, Any] = {"user_id": rnd.randrange(50_000), "subject": f"Report {number % 997} of the quarter"}
    if number % 3 == 0:
        arguments["options"] = {"dpi": rnd.choice((150, 300, 600)), "languages": [rnd.choice(("en", "fr", "de"))]}
    if number % 4 == 0:
        arguments["note"] = " ".join(f"w{rnd.randrange(WORDS):x}" for _ in range(6))
    return arguments


def _family(rnd: random.Random) -> dict[str, Any]:
    if rnd.random() > 0.1:
        return {}
    parent = _id(rnd)
    return {"parent_id": parent, "root_id": parent} | ({"group": _id(rnd)} if rnd.random() < 0.5 else {})


def ask(path: Path) -> dict[str, Any]:
    """Ask every filter for its first page; return the seconds of each, and the memory that was needed."""
    whole: dict[str, list[float]] = {}
    hasty: dict[str, list[float]] = {}
    answered: dict[str, bool] = {}
    with History(path) as history:
        for text in (text for texts in FILTERS.values() for text in texts):
            for _ in range(REPEATS):
                started = time.perf_counter()
                page = history.page(text, 100, budget_s=BUDGET_S)
                hasty.setdefault(text, []).append(time.perf_counter() - started)
                answered[text] = page.is_complete
            for _ in range(REPEATS):
                started = time.perf_counter()
                history.runs(text, 100)
                whole.setdefault(text, []).append(time.perf_counter() - started)
    return {"whole": whole, "hasty": hasty, "answered": answered, "rss": psutil.Process().memory_info().rss}


def record(path: Path, socket: str, expected: int) -> float:
    """Record what is in a stream into a file that has a million runs; return the memory that this needs, in MB."""
    recorder = Recorder(redis.Redis(unix_socket_path=socket, socket_timeout=10), path)
    events = 0
    while events < expected:
        events += recorder.step()
    return psutil.Process().memory_info().rss / 1e6


def _recorder_memory(path: Path) -> float:
    with server() as (client, socket), tempfile.TemporaryDirectory(prefix="nexus-bench-") as folder:
        copy = shutil.copy(path, folder)
        expected = fill_stream(client, 20_000, time.time() - 40)
        return float(json.loads(_child("--record", str(copy), str(socket), str(expected))))


def _dashboard_memory(path: Path) -> float:
    """Return the memory of a dashboard in MB, after its Tasks view was asked for what is rare."""
    with server() as (_, socket), tempfile.TemporaryDirectory(prefix="nexus-bench-") as home:
        (Path(home) / "history.db").symlink_to(path)
        environment = {**os.environ, "NEXUS_HOME": home, "NEXUS_REDIS_URL": f"unix://{socket}", "LANG": "C.UTF-8"}
        with Terminal([str(Path(sys.executable).parent / "nexus-tui")], environment) as terminal:
            terminal.seconds_until("email_queue")
            for keys in ("3", *(f"/{text}\r" for text in ("54321", "args.user_id=42", "error:nothing", "id:*abcd"))):
                terminal.press(keys)
                terminal.read(4.0)
                terminal.press("\x1b")
                terminal.read(1.0)
            return psutil.Process(terminal.process.pid).memory_info().rss / 1e6


def _child(*arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks.history", *arguments]
    return run_child(command)


def filled() -> Path:
    """Return a history of a month, made or found."""
    path = Path(tempfile.gettempdir()) / f"nexus-bench-{VERSION}" / f"history-{RUNS_IN_FILE}.db"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    is_old = path.exists() and time.time() - path.stat().st_ctime > 12 * 3600
    if not path.exists() or is_old:  # its runs are so old that filters by age would find nothing
        being_made = path.with_suffix(f".{os.getpid()}")
        fill(being_made, RUNS_IN_FILE)
        being_made.replace(path)
    return path


def measure() -> Sequence[Figure]:
    """Measure the filters of the language over the runs of a month."""
    path = filled()
    answer = json.loads(_child("--ask", str(path)))
    if "--kinds" in sys.argv:
        _print_kinds(answer)
    every = [text for texts in FILTERS.values() for text in texts]
    hasty = sorted(one for text in every for one in answer["hasty"][text])
    whole = sorted(one for text in every for one in answer["whole"][text])
    answered = sum(answer["answered"].values()) / len(every)
    return [
        at_most("first_page_p95", [_p95(whole)], GOAL_S, unit="s"),
        at_most("first_page_with_a_budget_p95", [_p95(hasty)], GOAL_S, unit="s"),
        at_least("first_pages_that_are_whole_within_it", [answered], ANSWERED, unit="share"),
        at_most("reader_memory", [answer["rss"] / 1e6], MEMORY_MB, unit="MB"),
        at_most("dashboard_memory", [_dashboard_memory(path)], MEMORY_MB, unit="MB"),
        at_most("recorder_memory", [_recorder_memory(path)], MEMORY_MB, unit="MB"),
        at_most("bytes_a_run", [path.stat().st_size / RUNS_IN_FILE], 1_000, unit="bytes"),
    ]


def _p95(times: list[float]) -> float:
    return times[int(len(times) * 0.95)]


def _print_kinds(answer: dict[str, Any]) -> None:
    for kind, texts in FILTERS.items():
        times = sorted(one for text in texts for one in answer["whole"][text])
        print(
            f"{kind}: p50 {times[len(times) // 2] * 1e3:.1f} ms, p95 {_p95(times) * 1e3:.1f}, max {times[-1] * 1e3:.1f}"
        )
        for text in texts:
            whole, hasty = (max(answer[side][text]) * 1e3 for side in ("whole", "hasty"))
            print(
                f"    {text or '(all)':55} {whole:8.1f} ms{'' if answer['answered'][text] else f'  cut at {hasty:.1f}'}"
            )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--ask", file]:
            print(json.dumps(ask(Path(file))))
        case ["--record", file, socket, expected]:
            print(json.dumps(record(Path(file), socket, int(expected))))
        case _:
            run(measure)
