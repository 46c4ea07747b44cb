"""Queue surgery on a million real Celery messages: finding, changing, purging, and what other clients feel of it.

A server of its own (the embedded broker's binary) in a temporary folder; every figure beside its peer in the same run.
``python -m benchmarks.queue_surgery find refresh`` measures only these pieces; ``NEXUS_BENCH_MESSAGES`` says of how
many messages.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import redis
from celery import Celery

from benchmarks.apparatus.broker import fill, message_of, server
from benchmarks.apparatus.report import Figure, at_least, at_most, run
from celery_nexus.broker import BrokerSource
from celery_nexus.broker.edit.edits import Delete, Edit, MoveTo, Reprioritise
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.control.source import ControlSource
from celery_nexus.queues import priority_key
from celery_nexus.rows.audit import Restored
from celery_nexus.rows.selection import Frozen, Selection
from workers.deployment import CODE

MESSAGES = int(os.environ.get("NEXUS_BENCH_MESSAGES", "1000000"))
QUEUE = "email_queue"
RUNS = 5
MAX_STALL_S = 0.020
MIN_STALL_RATIO = 40.0
SETTLE_S = 5.0
"""Workers that just started greet each other; what is measured is how they answer afterwards."""

ONE_SCAN = """
for index, message in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if string.find(message, ARGV[1], 1, true) then return index end
end
return false
"""
"""What finding would be in one script: the peer of our stalls."""


@dataclass(frozen=True)
class Bench:
    """A server of its own, and what the pieces measure on it.

    Attributes:
        url: The server.
        home: Its folder.
        client: A plain connection to it.
        source: Ours.
        ids: Ids of the messages that wait in ``QUEUE``, the next to run first; empty when no piece needs them.
    """

    url: BrokerUrl
    home: str
    client: redis.Redis
    source: BrokerSource
    ids: list[str]

    @cached_property
    def scan_s(self) -> float:
        """How long one Lua scan of everything holds up others: the peer of our stalls."""
        return _longest_stall(self.url, lambda: self.client.eval(ONE_SCAN, 1, priority_key(QUEUE, 5), "no such id"))

    def stalls(self, doing: str, stalls_s: list[float]) -> list[Figure]:
        """Compare what others waited while we worked with both of its goals."""
        ratios = [self.scan_s / stall_s for stall_s in stalls_s]
        return [
            at_most(f"longest stall of another client while {doing}", stalls_s, MAX_STALL_S, unit="s"),
            at_least(
                f"stall of one Lua scan / ours while {doing}",
                ratios,
                MIN_STALL_RATIO,
                peer=f"one scan: {self.scan_s:.2f} s",
            ),
        ]


def find(bench: Bench) -> list[Figure]:
    """Find an id of which the history knows nothing."""
    ratios: list[float] = []
    for number in range(RUNS):
        wanted = bench.ids[len(bench.ids) * (number + 5) // (RUNS + 5)]
        peer_s = _timed(lambda wanted=wanted: _client_scan(bench.client, wanted))
        ratios.append(_timed(lambda wanted=wanted: bench.source.find(wanted)) / peer_s)
    last = bench.ids[-1]
    stalls = [_longest_stall(bench.url, lambda: bench.source.find(last)) for _ in range(RUNS)]
    figure = at_most("find one id / best client-side scan", ratios, 1.2, peer="LRANGE in chunks of 5,000")
    return [figure, *bench.stalls("finding", [max(stalls)])]


def change(bench: Bench) -> list[Figure]:
    """Change the priority of a run that the history knows."""
    ratios: list[float] = []
    source = bench.source
    for number in range(RUNS * 4):
        ours, theirs = (source.find(bench.ids[2000 + 40 * number + more], queue=QUEUE, priority=5) for more in (0, 20))
        if ours is None or theirs is None:
            raise RuntimeError("a message is not where it was put")
        peer_s = _timed(lambda raw=theirs.raw: bench.client.lrem(priority_key(QUEUE, 5), -1, raw))  # type: ignore[misc]
        ratios.append(_timed(lambda message=ours: source.apply(message, Reprioritise(0))) / peer_s)
    return [at_most("change priority, id known / a bare LREM of it", ratios, 1.3, peer="LREM")]


def move_many(bench: Bench) -> list[Figure]:
    """Move by filter, and take it back."""
    bench.client.sadd("_kombu.binding.default_queue", "default_queue::default_queue")
    return _many(bench, "moving by filter", "a", MoveTo("default_queue"))


def prioritise_many(bench: Bench) -> list[Figure]:
    """Change priorities by filter, and take it back."""
    return _many(bench, "changing priority by filter", "b", Reprioritise(7))


def delete_many(bench: Bench) -> list[Figure]:
    """Delete by filter, and take it back."""
    return _many(bench, "deleting by filter", "c", Delete())


def _many(bench: Bench, doing: str, digit: str, edit: Edit) -> list[Figure]:
    """Change a sixteenth of everything, at every depth, and bring it back."""
    frozen: list[Frozen] = []
    freeze = partial(bench.source.freeze, Selection(QUEUE, f"id:{digit}*"))
    finding_s = _longest_stall(bench.url, lambda: frozen.append(freeze()))
    token = bench.source.announce_undo("messages", "benchmark")
    changing_s = _longest_stall(bench.url, partial(_apply, bench.source, frozen[0], edit, token))
    back_s = _longest_stall(bench.url, partial(_take_back, bench.source, frozen[0].count))
    return [
        *bench.stalls(doing, [max(finding_s, changing_s)]),
        *bench.stalls(f"taking back {doing}", [back_s]),
        at_most(f"out of place after taking back {doing}", [_displaced(bench)], 0, unit="messages"),
    ]


def _take_back(source: BrokerSource, count: int) -> None:
    restored = source.restore(source.list_undoables()[0])
    if restored != Restored(count):
        raise RuntimeError(f"taking back {count}: {restored}")


def _displaced(bench: Bench) -> int:
    """Count messages that are not where they were when the queue was filled."""
    wrong, step = 0, 5000
    for start in range(0, len(bench.ids), step):
        rows: Any = bench.client.lrange(priority_key(QUEUE, 5), -start - step, -start - 1)
        ids = [json.loads(raw)["headers"]["id"] for raw in reversed(rows)]
        wanted = bench.ids[start : start + step]
        wrong += sum(got != wanted for got, wanted in zip(ids, wanted, strict=False)) + abs(len(ids) - len(wanted))
    return wrong


def _apply(source: BrokerSource, frozen: Frozen, edit: Edit, token: str) -> None:
    progress = source.apply_all(frozen, edit, undo=token)
    if progress.changed != frozen.count:
        raise RuntimeError(f"{edit}: {progress}")


def purge(bench: Bench) -> list[Figure]:
    """Purge all."""
    token = bench.source.announce_undo("purge", "benchmark", QUEUE)
    stall_s = _longest_stall(bench.url, lambda: bench.source.purge(QUEUE, undo=token))
    restore = partial(bench.source.restore, bench.source.list_undoables()[0])
    return bench.stalls("purging all, and taking it back", [max(stall_s, _longest_stall(bench.url, restore))])


def consumers(bench: Bench) -> list[Figure]:
    """Change 10,000 priorities while four consumers take: each message must be taken once."""
    queue, waiting, wanted = "reports_queue", 60_000, 10_000
    source = bench.source
    ids = [str(uuid.uuid4()) for _ in range(waiting)]
    for start in range(0, waiting, 5000):
        bench.client.lpush(priority_key(queue, 5), *map(message_of, ids[start : start + 5000]))
    stop = threading.Event()
    taken: list[bytes] = []

    def consume() -> None:
        own = redis.Redis.from_url(source.url.redis_py)
        keys = list(source.layout.keys(queue))
        while (found := own.brpop(keys, timeout=0.2)) or not stop.is_set():
            if found:
                taken.append(bytes(found[1]))  # pyright: ignore[reportArgumentType]
            time.sleep(0.0 if stop.is_set() else 0.004)

    threads = [threading.Thread(target=consume) for _ in range(4)]
    for thread in threads:
        thread.start()
    changed = tried = 0
    while changed < wanted and tried < waiting:
        page = source.messages(queue, limit=1, offset=tried * 7 % 50)
        changed += sum(source.apply(message, Reprioritise(tried % 10, tried % 2 == 0)).done for message in page)
        tried += 1
    meanwhile = len(taken)
    stop.set()
    for thread in threads:
        thread.join()
    seen = Counter(json.loads(raw)["headers"]["id"] for raw in taken)
    lost = sum(run_id not in seen for run_id in ids)
    beside = f"of {waiting:,} that waited consumers took {meanwhile:,} meanwhile"
    return [
        at_least("priorities changed beside four consumers", [changed], wanted, unit="changes", peer=beside),
        at_most("lost beside four consumers", [lost], 0, unit="messages"),
        at_most("taken twice beside four consumers", [sum(n > 1 for n in seen.values())], 0, unit="messages"),
    ]


def refresh(bench: Bench) -> list[Figure]:
    """Read 50 queues."""
    names = [f"queue_{number}" for number in range(50)]
    pipeline = bench.client.pipeline(transaction=False)
    for place, name in enumerate(names):
        pipeline.rpush(f"{name}:{place % 10}" if place % 10 else name, *[message_of(str(uuid.uuid4()))] * 3)
    pipeline.execute()
    fifty = BrokerSource(bench.url, queues=names, declared=names)
    fifty.queues()
    took = [_timed(fifty.queues) for _ in range(RUNS * 20)]
    return [at_most("one refresh of 50 queues × 10 priorities", took, 0.010, unit="s")]


def workers(bench: Bench) -> list[Figure]:
    """Refresh everything known of five workers, beside Celery's own questions one after the other."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}
    environment["NEXUS_HOME"] = bench.home
    names = [f"w{number}@bench" for number in range(5)]
    base = [sys.executable, "-m", "celery", "-A", "config.celery_config", "worker", "-Q", "default_queue", "-c", "1"]
    quiet: dict[str, Any] = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen([*base, "-n", name, "-l", "ERROR"], **quiet) for name in names]
    try:
        control = ControlSource(bench.url, code=CODE)
        until = time.monotonic() + 120
        while sum(row.verdict != "silent" for row in control.workers()) < len(names):
            if time.monotonic() > until:
                raise RuntimeError("five workers did not start")
            time.sleep(0.2)
        time.sleep(SETTLE_S)
        took: list[float] = []
        for _ in range(RUNS * 10):
            started = time.perf_counter()
            rows = control.workers()
            took.append(time.perf_counter() - started)
            if sum(row.verdict != "silent" for row in rows) < len(names):
                raise RuntimeError("not everybody answered")
            time.sleep(0.2)
        inspect = Celery(broker=bench.url.kombu).control.inspect()
        questions = (inspect.stats, inspect.active, inspect.reserved, inspect.active_queues)
        stock_s = sum(_timed(question) for question in questions)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)
    peer = f"stock in sequence: {stock_s:.2f} s"
    return [at_most("refresh of everything known of 5 workers", took, 0.030, unit="s", peer=peer)]


PIECES: dict[str, Callable[[Bench], list[Figure]]] = {
    piece.__name__: piece
    for piece in (
        find,
        move_many,
        prioritise_many,
        delete_many,
        change,
        consumers,
        refresh,
        purge,
        workers,
    )
}
ON_MANY = frozenset({"find", "move_many", "prioritise_many", "delete_many", "change", "purge"})
"""Pieces that work on the messages of ``QUEUE``, in the order in which they may follow each other."""


def measure() -> Sequence[Figure]:
    """Measure finding, changing and purging in a queue of a million messages; name pieces to measure only those."""
    named = [word for word in sys.argv[1:] if not word.startswith("-")]
    if unknown := set(named) - set(PIECES):
        raise SystemExit(f"no piece {', '.join(sorted(unknown))}; there are {', '.join(PIECES)}")
    chosen = [name for name in PIECES if not named or name in named]
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="nxb") as home, server(home) as url:
        client = redis.Redis.from_url(url.redis_py, socket_timeout=60)
        ids = fill(client, QUEUE, MESSAGES) if ON_MANY.intersection(chosen) else []
        bench = Bench(url, home, client, BrokerSource(url, code=CODE), ids)
        for name in chosen:
            figures += PIECES[name](bench)
    return figures


def _client_scan(client: redis.Redis, wanted: str, chunk: int = 5000) -> int:
    needle, end = wanted.encode(), -1
    while True:
        rows: Any = client.lrange(priority_key(QUEUE, 5), end - chunk + 1, end)
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


if __name__ == "__main__":
    run(measure)
