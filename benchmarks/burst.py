"""What is lost of a full-speed burst of events over pub/sub: ``python -m benchmarks.burst [--json]``.

200,000 events of 50,000 runs, in the messages that Celery 5.7's workers publish, against a server with its default
limits. Ours is the child process that the dashboard runs; beside it, in turn, Flower and Celery's stock receiver
``celery events --dump``. ``NEXUS_BENCH_TASKS`` makes a smaller burst.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import redis

from benchmarks.apparatus.events import batches, server, wire_form
from benchmarks.apparatus.lacks import INSTALL, NotMeasured, is_installed
from benchmarks.apparatus.report import Figure, at_most, run
from celery_nexus.history.query.history import History
from celery_nexus.history.store.schema import lock_path

TASKS = int(os.environ.get("NEXUS_BENCH_TASKS", "50_000"))
RUNS = 3
PIPELINE = 500
QUIET_FOR_S = 8.0
"""A receiver that has got nothing more for so long is done."""

PATIENCE_S = 240.0
FLOWER_PORT = 15_556


def burst(path: Path, tasks: int) -> int:
    """Write the commands that publish the events; returns how many task events there are."""
    count, start_at = 0, time.time() - tasks / 500
    with path.open("wb") as file:
        for routing_key, events in batches(tasks, start_at):
            channel, message = f"/0.celeryev/{routing_key}".encode(), wire_form(routing_key, events)
            file.write(
                b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(channel), channel, len(message), message)
            )
            count += sum(event["type"].startswith("task-") for event in events)
    return count


def publish(socket: Path, commands: Path) -> float:
    """Publish at full speed; returns the seconds that it took."""
    connection: Any = redis.UnixDomainSocketConnection(path=str(socket), socket_timeout=60)
    connection.connect()
    sock = connection._sock
    size = commands.stat().st_size
    wanted = sum(chunk.count(b"\r\nPUBLISH\r\n") for chunk in [commands.read_bytes()])
    replies = 0

    def read_replies() -> None:
        nonlocal replies
        while replies < wanted and (data := sock.recv(1 << 20)):
            replies += data.count(b":")

    reader = threading.Thread(target=read_replies)
    reader.start()
    started = time.perf_counter()
    with commands.open("rb") as file:
        while file.tell() < size:
            sock.sendall(file.read(1 << 16))
    reader.join()
    return time.perf_counter() - started


def settled(count: Callable[[], int], wanted: int) -> int:
    """Wait until a receiver has everything, or has got nothing more for a while; returns what it has."""
    last, changed_at, ends_at = -1, time.monotonic(), time.monotonic() + PATIENCE_S
    while time.monotonic() < ends_at:
        now = count()
        if now >= wanted:
            break
        if now != last:
            last, changed_at = now, time.monotonic()
        elif time.monotonic() - changed_at > QUIET_FOR_S and last > 0:
            break
        time.sleep(0.25)
    return count()


@contextmanager
def ended(process: subprocess.Popen[Any]) -> Generator[None]:
    """End a process at last."""
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def subscribed(client: redis.Redis) -> None:
    """Wait until somebody listens."""
    ends_at = time.monotonic() + 60
    while not any(int(row.get("psub", 0)) for row in client.client_list()) and time.monotonic() < ends_at:
        time.sleep(0.1)
    time.sleep(1.0)


def ours(socket: Path, client: redis.Redis, folder: Path, commands: Path, wanted: int) -> dict[str, float]:
    """Measure our child process: what it recorded, and the most memory that it needed."""
    path = folder / "history.db"
    told = {"url": f"unix://{socket}?db=0", "database": 0, "prefix": "", "path": str(path), "place": "the benchmark"}
    command = [sys.executable, "-m", "celery_nexus.history.recorder.pubsub"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with ended(child), History(path) as history:
        assert child.stdin is not None
        child.stdin.write(json.dumps(told).encode() + b"\n")
        child.stdin.flush()
        subscribed(client)
        took_s = publish(socket, commands)
        published_at = time.time()
        while lock_path(path).stat().st_mtime < published_at and time.time() < published_at + PATIENCE_S:
            time.sleep(0.1)  # its time is when everything that had come was recorded
        behind_s, peak = time.time() - published_at, _peak_rss(child.pid)
        return {"seen": recorded(history), "publish_s": took_s, "behind_s": behind_s, "peak_rss": peak}


def recorded(history: History) -> int:
    """Count the events that the history holds: every one is a transition in the life of its run."""
    question = "select coalesce(sum(json_array_length(events)), 0) from life"
    return history.ask(lambda connection: int(connection.execute(question).fetchone()[0]), 0)


def _peak_rss(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        match = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(match[1]) * 1024 if match else 0
    return int(psutil.Process(pid).memory_info().rss)


def flower(socket: Path, client: redis.Redis, folder: Path, commands: Path, wanted: int) -> dict[str, float]:
    """Measure Flower by its own counter of events."""
    command = [sys.executable, "-m", "celery", f"--broker=redis+socket://{socket}", "flower"]
    command += [f"--port={FLOWER_PORT}", "--address=127.0.0.1", "--max-tasks=1000000"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}

    def count() -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{FLOWER_PORT}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        mine = [line for line in lines if line.startswith("flower_events_total") and "task-" in line]
        return int(sum(float(line.rpartition(" ")[2]) for line in mine))

    with ended(subprocess.Popen(command, **quiet)):
        subscribed(client)
        took_s = publish(socket, commands)
        return {"seen": settled(count, wanted), "publish_s": took_s}


def dump(socket: Path, client: redis.Redis, folder: Path, commands: Path, wanted: int) -> dict[str, float]:
    """Measure ``celery events --dump`` by the lines that it prints."""
    command = [sys.executable, "-m", "celery", f"--broker=redis+socket://{socket}", "events", "--dump"]
    output = folder / "dump"

    def count() -> int:
        return len(re.findall(rb"\] task ", output.read_bytes()))

    with output.open("wb") as file, ended(subprocess.Popen(command, stdout=file, stderr=subprocess.DEVNULL)):
        subscribed(client)
        took_s = publish(socket, commands)
        return {"seen": settled(count, wanted), "publish_s": took_s}


SIDES = {"ours": ours, "flower": flower, "dump": dump}


def measure() -> Sequence[Figure | NotMeasured]:
    """Measure the loss of each receiver, in turn, on the same burst."""
    sides = {name: side for name, side in SIDES.items() if name != "flower" or is_installed("flower")}
    lost: dict[str, list[float]] = {name: [] for name in sides}
    ours_peak: list[float] = []
    with tempfile.TemporaryDirectory(prefix="nexus-burst-") as folder:
        commands = Path(folder) / "commands"
        wanted = burst(commands, TASKS)
        for number in range(RUNS):
            for name, side in sides.items():
                place = Path(folder) / f"{name}-{number}"
                place.mkdir()
                with server() as (client, socket):
                    row = side(socket, client, place, commands, wanted)
                lost[name].append(100 * (1 - row["seen"] / wanted))
                if name == "ours":
                    ours_peak.append(row["peak_rss"] / 1e6)
                print(f"{name}: {row}", file=sys.stderr)
    return [
        at_most("burst_lost", lost["ours"], 0, unit="%"),
        at_most("burst_lost_by_flower", lost["flower"], 100, peer="Flower 2.2", unit="%")
        if "flower" in lost
        else NotMeasured("burst_lost_by_flower", f"Flower 2.2; {INSTALL}"),
        at_most("burst_lost_by_celery_events_dump", lost["dump"], 100, peer="celery events --dump", unit="%"),
        at_most("burst_recorder_memory", ours_peak, 120, unit="MB"),
    ]


if __name__ == "__main__":
    run(measure)
