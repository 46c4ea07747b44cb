"""Queue surgery on a million real Celery messages: finding, changing, purging, and what other clients feel of it.

A server of its own (the embedded broker's binary) in a temporary folder; every figure beside its peer in the same run.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import redis
from celery import Celery

from benchmarks.report import Figure, at_least, at_most, run
from config.broker_url import BrokerUrl
from config.paths import Paths
from config.settings import embedded_password
from nexus_tui.models.selection import Frozen, Selection
from nexus_tui.sources.broker import BrokerSource
from nexus_tui.sources.broker.edits import Delete, Edit, MoveTo, Reprioritise
from nexus_tui.sources.control import ControlSource

MESSAGES = int(os.environ.get("NEXUS_BENCH_MESSAGES", "1000000"))
QUEUE = "email_queue"
RUNS = 5
MAX_STALL_S = 0.020
MIN_STALL_RATIO = 40.0

ONE_SCAN = """
for index, message in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if string.find(message, ARGV[1], 1, true) then return index end
end
return false
"""
"""What finding would be in one script: the peer of our stalls."""


def measure() -> Sequence[Figure]:
    """Measure finding, changing and purging in a queue of a million messages."""
    with tempfile.TemporaryDirectory(prefix="nxb") as home, _server(home) as url:
        client = redis.Redis.from_url(url.redis_py, socket_timeout=60)
        ids = _fill(client)
        source = BrokerSource(url)
        figures = [*_finding(client, source, url, ids), *_changing(client, source, ids)]
        figures += _selecting(client, source)
        figures += [*_reading(client, source), *_beside_consumers(client, source)]
        return [*figures, *_asking_workers(client, url, home)]


def _finding(client: redis.Redis, source: BrokerSource, url: BrokerUrl, ids: list[str]) -> list[Figure]:
    ratios: list[float] = []
    for number in range(RUNS):
        wanted = ids[len(ids) * (number + 5) // (RUNS + 5)]
        peer_s = _timed(lambda wanted=wanted: _client_scan(client, wanted))
        ratios.append(_timed(lambda wanted=wanted: source.find(wanted)) / peer_s)
    last = ids[-1]
    ours_s = _longest_stall(url, lambda: source.find(last))
    scan_s = _longest_stall(url, lambda: client.eval(ONE_SCAN, 1, f"{QUEUE}:5", "no such id"))
    _scan_s.append(scan_s)
    return [
        at_most("find one id / best client-side scan", ratios, 1.2, peer="LRANGE in chunks of 5,000"),
        at_most("longest stall of another client while finding", [ours_s], MAX_STALL_S, unit="s"),
        at_least("stall of one Lua scan / ours", [scan_s / ours_s], MIN_STALL_RATIO, peer=f"one scan: {scan_s:.2f} s"),
    ]


_scan_s: list[float] = []
"""How long one Lua scan held up others, for the figures after it."""


def _selecting(client: redis.Redis, source: BrokerSource) -> list[Figure]:
    """Move, delete and purge by filter: a sixteenth of everything each time, at every depth."""
    client.sadd("_kombu.binding.default_queue", "default_queue::default_queue")
    stalls: list[float] = []
    for digit, edit in (("a", MoveTo("default_queue")), ("b", Reprioritise(7)), ("c", Delete())):
        frozen = source.freeze(Selection(QUEUE, f"id:{digit}*"))
        token = source.undoable("messages", "benchmark")
        stalls.append(_longest_stall(source.url, partial(_apply, source, frozen, edit, token)))
    return [
        at_most(
            "longest stall of another client while moving, changing, deleting by filter", stalls, MAX_STALL_S, unit="s"
        ),
        at_least(
            "stall of one Lua scan / ours while changing by filter",
            [scan_s / stall_s for scan_s in _scan_s for stall_s in stalls],
            MIN_STALL_RATIO,
            peer=f"one scan: {_scan_s[0]:.2f} s",
        ),
    ]


def _apply(source: BrokerSource, frozen: Frozen, edit: Edit, token: str) -> None:
    progress = source.apply_all(frozen, edit, undo=token)
    if progress.changed != frozen.count:
        raise RuntimeError(f"{edit}: {progress}")


def _beside_consumers(client: redis.Redis, source: BrokerSource) -> list[Figure]:
    """Change 10,000 priorities while four consumers take: each message must be taken once."""
    queue, count = "reports_queue", 10_000
    ids = [str(uuid.uuid4()) for _ in range(count)]
    client.lpush(f"{queue}:5", *map(_message, ids))
    stop = threading.Event()
    taken: list[bytes] = []

    def consume() -> None:
        own = redis.Redis.from_url(source.url.redis_py)
        keys = list(source.layout.keys(queue))
        while (found := own.brpop(keys, timeout=0.2)) or not stop.is_set():
            if found:
                taken.append(bytes(found[1]))  # pyright: ignore[reportArgumentType]
            time.sleep(0.002)

    consumers = [threading.Thread(target=consume) for _ in range(4)]
    for consumer in consumers:
        consumer.start()
    changed = 0
    for place in range(count):
        page = source.messages(queue, limit=1, offset=place * 7 % 50)
        changed += sum(source.change_priority(message, place % 10, front=place % 2 == 0).done for message in page)
    stop.set()
    for consumer in consumers:
        consumer.join()
    seen = Counter(json.loads(raw)["headers"]["id"] for raw in taken)
    lost = sum(run_id not in seen for run_id in ids)
    return [
        at_least("priorities changed beside four consumers", [changed], 1.0, unit="changes"),
        at_most("lost of 10,000 beside four consumers", [lost], 0, unit="messages"),
        at_most("taken twice", [sum(count > 1 for count in seen.values())], 0, unit="messages"),
    ]


def _changing(client: redis.Redis, source: BrokerSource, ids: list[str]) -> list[Figure]:
    ratios: list[float] = []
    for number in range(RUNS * 4):
        ours, theirs = (source.find(ids[2000 + 40 * number + offset], queue=QUEUE, priority=5) for offset in (0, 20))
        if ours is None or theirs is None:
            raise RuntimeError("a message is not where it was put")
        peer_s = _timed(lambda raw=theirs.raw: client.lrem(f"{QUEUE}:5", -1, raw))  # type: ignore[misc]
        ratios.append(_timed(lambda message=ours: source.change_priority(message, 0)) / peer_s)
    return [at_most("change priority, id known / a bare LREM of it", ratios, 1.3, peer="LREM")]


def _reading(client: redis.Redis, source: BrokerSource) -> list[Figure]:
    names = [f"queue_{number}" for number in range(50)]
    pipeline = client.pipeline(transaction=False)
    for place, name in enumerate(names):
        pipeline.rpush(f"{name}:{place % 10}" if place % 10 else name, *[_message(str(uuid.uuid4()))] * 3)
    pipeline.execute()
    fifty = BrokerSource(source.url, queues=names, declared=names)
    fifty.queues()
    refresh = [_timed(fifty.queues) for _ in range(RUNS * 4)]
    purged = _longest_stall(source.url, lambda: source.purge(QUEUE, undo="bench"))
    return [
        at_most("one refresh of 50 queues × 10 priorities", refresh, 0.010, unit="s"),
        at_most("longest stall of another client while purging all", [purged], MAX_STALL_S, unit="s"),
    ]


def _asking_workers(client: redis.Redis, url: BrokerUrl, home: str) -> list[Figure]:
    """Refresh everything known of five workers, beside Celery's own questions one after the other."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}
    environment["NEXUS_HOME"] = home
    names = [f"w{number}@bench" for number in range(5)]
    base = [sys.executable, "-m", "celery", "-A", "config.celery_config", "worker", "-Q", "default_queue", "-c", "1"]
    quiet: dict[str, Any] = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    workers = [subprocess.Popen([*base, "-n", name, "-l", "ERROR"], **quiet) for name in names]
    try:
        control = ControlSource(url)
        for _ in range(600):
            for name in names:  # as their event writer does
                client.hset("nexus:workers", name, json.dumps({"timestamp": time.time()}))
            if sum(row.verdict != "silent" for row in control.workers()) == len(names):
                break
            time.sleep(0.2)
        ours = [_timed(control.workers) for _ in range(RUNS * 4)]
        inspect = Celery(broker=url.kombu).control.inspect()
        questions = (inspect.stats, inspect.active, inspect.reserved, inspect.active_queues)
        stock_s = sum(_timed(question) for question in questions)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(60)
    peer = f"stock in sequence: {stock_s:.2f} s"
    return [at_most("refresh of everything known of 5 workers", ours, 0.030, unit="s", peer=peer)]


def _client_scan(client: redis.Redis, wanted: str, chunk: int = 5000) -> int:
    needle, end = wanted.encode(), -1
    while True:
        rows: Any = client.lrange(f"{QUEUE}:5", end - chunk + 1, end)
        for place, raw in enumerate(rows):
            if needle in raw:
                return place
        if len(rows) < chunk:
            raise RuntimeError("not found")
        end -= chunk


def _longest_stall(url: BrokerUrl, work: Callable[[], Any]) -> float:
    """Longest answer of a PING in another process while ``work`` runs."""
    code = (
        "import redis, sys, time\n"
        "client = redis.Redis.from_url(sys.argv[1], socket_timeout=60); client.ping()\n"
        "print('ready', flush=True); longest = 0.0\n"
        "import select\n"
        "while not select.select([sys.stdin], [], [], 0)[0]:\n"
        "    started = time.perf_counter(); client.ping(); longest = max(longest, time.perf_counter() - started)\n"
        "    time.sleep(0.0005)\n"
        "print(longest)\n"
    )
    command = [sys.executable, "-c", code, url.redis_py]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as pinger:
        if pinger.stdout is None or pinger.stdin is None:
            raise RuntimeError("no pipes")
        pinger.stdout.readline()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        pinger.stdin.write("end\n")
        pinger.stdin.flush()
        return float(pinger.stdout.readline())


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _fill(client: redis.Redis) -> list[str]:
    ids = [str(uuid.uuid4()) for _ in range(MESSAGES)]
    for start in range(0, MESSAGES, 5000):
        client.lpush(f"{QUEUE}:5", *[_message(run_id) for run_id in ids[start : start + 5000]])
    return ids


_BODY = base64.b64encode(
    json.dumps([[], {"to": ["ada@example.org"], "subject": "news", "body": "x" * 80}, {}]).encode()
)


def _message(run_id: str) -> str:
    headers = {
        "lang": "py", "task": "workers.email_tasks.send_email", "id": run_id, "shadow": None, "eta": None,
        "expires": None, "group": None, "group_index": None, "retries": 0, "timelimit": [None, None],
        "root_id": run_id, "parent_id": None, "argsrepr": "()", "kwargsrepr": "{}", "origin": "gen1@example",
        "ignore_result": False, "replaced_task_nesting": 0, "stamped_headers": None, "stamps": {},
        "nexus_sent_at": 1700000000.0,
    }  # fmt: skip
    properties = {
        "correlation_id": run_id, "reply_to": str(uuid.uuid4()), "delivery_mode": 2,
        "delivery_info": {"exchange": QUEUE, "routing_key": QUEUE}, "priority": 5,
        "body_encoding": "base64", "delivery_tag": str(uuid.uuid4()),
    }  # fmt: skip
    return json.dumps({
        "body": _BODY.decode(), "content-encoding": "utf-8", "content-type": "application/json",
        "headers": headers, "properties": properties,
    })  # fmt: skip


@contextmanager
def _server(home: str) -> Generator[BrokerUrl]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}
    environment["NEXUS_HOME"] = home
    paths = Paths.of(Path(home))
    url = BrokerUrl.for_socket(paths.broker_socket, embedded_password(paths))
    server = subprocess.Popen(
        [sys.executable, "-m", "workers.embedded_broker"], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        client = redis.Redis.from_url(url.redis_py)
        for _ in range(200):
            try:
                client.ping()
                break
            except redis.RedisError:
                time.sleep(0.05)
        client.config_set("appendonly", "no")
        client.config_set("busy-reply-threshold", 0)  # the one long scan is to hold others up, not to refuse them
        yield url
    finally:
        server.terminate()
        server.wait(60)


if __name__ == "__main__":
    run(measure)
