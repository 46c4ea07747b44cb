"""A large site on one server: bound queues with messages, and workers that are answers of one process.

The process speaks Celery's remote control for all of them, and holds the connections that they would have.
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from benchmarks.apparatus.broker import message_of
from tests.harness.processes import clean_environment

TOPIC = "/0.celery.pidbox"
ANSWERS: dict[str, Any] = {"ping": {"ok": "pong"}, "reserved": [], "active": [], "conf": {}, "registered": []}
FILL_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Site:
    """How large a site is.

    Attributes:
        queues: How many are bound.
        workers: How many answer.
        messages: How many wait in each queue.
        held: How many messages workers hold.
        connections: How many more connections each worker has.
    """

    queues: int
    workers: int
    messages: int = 5
    held: int = 0
    connections: int = 0

    def fill(self, client: Any) -> None:
        """Bind the queues and the workers' mailboxes, put messages into each queue, and some into workers' hands."""
        pipeline = client.pipeline(transaction=False)
        for number in range(self.queues):
            queue = name_queue(number)
            pipeline.sadd(f"_kombu.binding.{queue}", "\x06\x16".join((queue, "", queue)))
            if self.messages:
                pipeline.lpush(queue, *(message_of(f"{number}-{message}", queue) for message in range(self.messages)))
            if number % FILL_AT_ONCE == 0:
                pipeline.execute()
        for number in range(self.held):
            queue = name_queue(number % self.queues)
            held = json.dumps([json.loads(message_of(f"held-{number}", queue)), queue, queue])
            pipeline.hset("unacked", f"tag-{number}", held)
            pipeline.zadd("unacked_index", {f"tag-{number}": 1_700_000_000 + number})
            if number % FILL_AT_ONCE == 0:
                pipeline.execute()
        names = (f"\x06\x16\x06\x16{name_worker(number)}.celery.pidbox" for number in range(self.workers))
        pipeline.sadd("_kombu.binding.celery.pidbox", *names)
        pipeline.execute()

    @contextmanager
    def answering(self, place: Path) -> Generator[None]:
        """Let its workers answer, in a process of their own."""
        told = [str(place), str(self.workers), str(self.queues), str(self.connections)]
        process = subprocess.Popen([sys.executable, "-m", "benchmarks.apparatus.site", *told], env=clean_environment())
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def name_queue(number: int) -> str:
    """Name a queue."""
    return f"queue{number:04d}"


def name_worker(number: int) -> str:
    """Name a worker."""
    return f"worker{number:04d}@site"


def answer_for_all(place: str, workers: int, queues: int, connections: int) -> None:
    """Be workers that answer remote control, until this process is ended."""
    client: Any = redis.Redis(unix_socket_path=place)
    listeners = [speak(place, f"PSUBSCRIBE {TOPIC}") for _ in range(workers - 1)]  # Redis counts who hears a question
    others = [speak(place, "BRPOP other 0" if number % 2 else "PING") for number in range(workers * connections)]
    assert len(listeners) + len(others) == workers * (1 + connections) - 1
    heard: Any = client.pubsub(ignore_subscribe_messages=True)
    heard.psubscribe(TOPIC)
    for message in heard.listen():
        if not message["data"]:
            continue
        told = json.loads(base64.b64decode(json.loads(message["data"])["body"]))
        if told.get("reply_to"):
            names = told["destination"] or [name_worker(number) for number in range(workers)]
            client.lpush(told["reply_to"]["routing_key"], *(reply_to(told, name, queues) for name in names))


def speak(place: str, words: str) -> socket.socket:
    """Open a connection, say one thing, and do nothing more."""
    made = socket.socket(socket.AF_UNIX)
    made.connect(place)
    made.sendall(f"{words}\r\n".encode())
    return made


def reply_to(told: dict[str, Any], name: str, queues: int) -> str:
    """Write a worker's answer as kombu does."""
    number = int(name.removeprefix("worker").partition("@")[0])
    taken = [{"name": name_queue(queue)} for queue in range(number % queues, queues, 1_000)]
    pool = {"max-concurrency": 4, "processes": [number * 10 + child for child in range(4)]}
    stats = {"pid": number + 1000, "uptime": 99, "prefetch_count": 16, "pool": pool, "total": {"shop.add": 7}}
    answer = {**ANSWERS, "active_queues": taken, "stats": stats}.get(told["method"], {})
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


if __name__ == "__main__":
    answer_for_all(sys.argv[1], *map(int, sys.argv[2:]))
