"""A scrape of a large site: 200 queues and 300 workers, beside Flower's ``/metrics`` on the same broker.

The workers are answers of one process that speaks Celery's remote control for all of them; each queue holds messages.
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import redis

from benchmarks.broker import message_of
from benchmarks.report import Figure, at_most, run
from tests.harness.ports import free_port
from tests.harness.processes import clean_environment
from tests.harness.servers import run_server
from tests.harness.waiting import wait_until

BIN = Path(sys.executable).parent
QUEUES, WORKERS, RUNS = 200, 300, 15
INTERVAL_S = 15.0
GOAL_S, GOAL_CORE = 0.2, 0.01
TOPIC = "/0.celery.pidbox"
ANSWERS: dict[str, Any] = {"ping": {"ok": "pong"}, "reserved": [], "active": [], "conf": {}, "registered": []}


def answer_for_all(place: str) -> None:
    """Be 300 workers that answer remote control, until this process is ended."""
    client: Any = redis.Redis(unix_socket_path=place)
    listeners = [listen(place) for _ in range(WORKERS - 1)]  # Redis counts who hears a question
    assert len(listeners) == WORKERS - 1
    heard: Any = client.pubsub(ignore_subscribe_messages=True)
    heard.psubscribe(TOPIC)
    for message in heard.listen():
        if not message["data"]:
            continue
        told = json.loads(base64.b64decode(json.loads(message["data"])["body"]))
        if told.get("reply_to"):
            names = told["destination"] or [name_of(number) for number in range(WORKERS)]
            replies = [reply_to(told, name) for name in names]
            client.lpush(told["reply_to"]["routing_key"], *replies)


def listen(place: str) -> socket.socket:
    """Listen to remote control, and do nothing."""
    made = socket.socket(socket.AF_UNIX)
    made.connect(place)
    made.sendall(f"PSUBSCRIBE {TOPIC}\r\n".encode())
    return made


def name_of(number: int) -> str:
    """Name a worker."""
    return f"worker{number:03d}@site"


def reply_to(told: dict[str, Any], name: str) -> str:
    """Write a worker's answer as kombu does."""
    number = int(name[6:9])
    queue = {"name": f"queue{number % QUEUES:03d}"}
    pool = {"max-concurrency": 4, "processes": [number * 10 + child for child in range(4)]}
    stats = {"pid": number + 1000, "uptime": 99, "prefetch_count": 16, "pool": pool, "total": {"shop.add": 7}}
    answer = {**ANSWERS, "active_queues": [queue], "stats": stats}.get(told["method"], {})
    body = base64.b64encode(json.dumps({name: answer}).encode()).decode()
    return json.dumps(
        {
            "body": body,
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {"ticket": told["ticket"]},
            "properties": {"body_encoding": "base64"},
        }
    )


def fill(client: Any) -> None:
    """Bind the queues and the workers' mailboxes, and put messages into each queue."""
    for number in range(QUEUES):
        queue = f"queue{number:03d}"
        client.sadd(f"_kombu.binding.{queue}", "\x06\x16".join((queue, "", queue)))
        client.lpush(queue, *(message_of(f"{number}-{message}", queue) for message in range(5)))
    names = (f"\x06\x16\x06\x16{name_of(number)}.celery.pidbox" for number in range(WORKERS))
    client.sadd("_kombu.binding.celery.pidbox", *names)


@contextmanager
def started(command: Sequence[str], url: str) -> Generator[psutil.Process]:
    """Run a program that serves ``/metrics``, and wait until it does."""
    process = subprocess.Popen(command, env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _serves(url), f"{command[0]} serves")
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _serves(url: str) -> bool:
    try:
        scrape(url)
    except OSError:
        return False
    return True


def scrape(url: str) -> tuple[float, str]:
    """Read a page once; return the seconds it took, and the page."""
    before = time.perf_counter()
    with urllib.request.urlopen(url, timeout=30) as page:
        text = page.read().decode()
    return time.perf_counter() - before, text


def cpu_s(process: psutil.Process) -> float:
    """Processor time of a process and its children."""
    family = [process, *process.children(recursive=True)]
    return sum(sum(each.cpu_times()[:2]) for each in family)


def measure() -> Sequence[Figure]:
    """Measure scrapes of a large site beside Flower's."""
    with run_server() as server:
        fill(server.client)
        responder = [sys.executable, "-m", "benchmarks.metrics", "--answer", str(server.socket)]
        workers = subprocess.Popen(responder, env=clean_environment())
        try:
            ours, ours_core = _ours(server.socket)
            theirs = _flower(server.socket)
        finally:
            workers.terminate()
            workers.wait(30)
    peer = f"Flower's /metrics ({min(theirs):.3f} s, without queues and with the workers whose events it saw)"
    return [
        at_most("scrape", ours, GOAL_S, unit="s", peer=peer),
        at_most("cores_at_15_s_interval", [ours_core], GOAL_CORE, unit="cores"),
    ]


def _ours(place: Path) -> tuple[list[float], float]:
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    command = [str(BIN / "nexus-tui"), "-b", f"unix://{place}?db=0", "metrics", "--serve", str(port)]
    with started(command, url) as process:
        wait_until(lambda: scrape(url)[1].count("nexus_worker_concurrency{") == WORKERS, "all workers are there")
        taken = [scrape(url)[0] for _ in range(RUNS)]
        before, since = cpu_s(process), time.monotonic()
        for _ in range(3):
            time.sleep(INTERVAL_S)
            scrape(url)
        return taken, (cpu_s(process) - before) / (time.monotonic() - since)


def _flower(place: Path) -> list[float]:
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    command = [str(BIN / "celery"), "-b", f"redis+socket://{place}", "flower", f"--port={port}", "--address=127.0.0.1"]
    with started(command, url):
        return [scrape(url)[0] for _ in range(RUNS)]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--answer"]:
        answer_for_all(sys.argv[2])
    else:
        run(measure)
