"""A stream of events as five workers make them, in Celery's wire form and in ours, and a server to send it through."""

from __future__ import annotations

import ast
import base64
import json
import random
import time
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import redis

from celery_nexus.connection.keys import EVENT_STREAM
from tests.harness.servers import run_server

Event = dict[str, Any]

NAMES = (
    "extract_text",
    "ocr_page",
    "thumbnail",
    "send_report",
    "crm_contact",
    "invoice_pdf",
    "update_index",
    "cleanup",
)
TRACEBACK = (
    'Traceback (most recent call last):\n  File "/srv/app/.venv/lib/python3.11/site-packages/celery/app/trace.py", line'
    " 564, in trace_task\n    R = retval = fun(*args, **kwargs)\n"
    '  File "/srv/app/tasks.py", line 28, in extract\n    raise ValueError(f"cannot read page {page} of {path}")\n'
    "ValueError: cannot read page 0 of /srv/inbox/contract-000000.pdf\n"
)
IN_HANDS = 20
"""Runs that are under way at once."""


def batches(tasks: int, start_at: float, seed: int = 7) -> Iterator[tuple[str, list[Event]]]:
    """Make the events of some runs: routing key and the events of one message of Celery.

    Four events a run, one in twenty fails; workers put one to three task events into a message (as measured on a
    real worker), and send a heartbeat every thousand runs.
    """
    rnd = random.Random(seed)
    workers = [_Worker(f"docs{number}@node-{number:02d}", rnd) for number in range(5)]
    open_runs: list[tuple[_Worker, str, int]] = []
    for number in range(tasks):
        at = start_at + number / 500
        id_ = str(uuid.UUID(int=rnd.getrandbits(128), version=4))
        common = {
            "uuid": id_, "name": f"app.tasks.{NAMES[int(rnd.random() ** 2 * 8)]}", "root_id": id_, "parent_id": None,
            "args": f"('/srv/inbox/contract-{number:06d}.pdf',)", "retries": 0, "eta": None, "expires": None,
            "kwargs": f"{{'page': {number % 40}, 'language': 'en', 'dpi': 300}}",
        }  # fmt: skip
        sent = {"queue": "documents", "exchange": "", "routing_key": "documents"}
        yield "task.sent", [_event("task-sent", "gen311@web", number + 1, at, common | sent)]
        worker = rnd.choice(workers)
        yield from worker.add("task-received", at + 0.004, common)
        open_runs.append((worker, id_, number))
        while len(open_runs) > (IN_HANDS if number < tasks - 1 else 0):
            yield from _ended(*open_runs.pop(0), at)
        if number % 1000 == 0:
            for each in workers:
                yield "worker.heartbeat", [each.heartbeat(at)]
    for worker in workers:
        yield from worker.flush()


def _ended(worker: _Worker, id_: str, number: int, at: float) -> Iterator[tuple[str, list[Event]]]:
    yield from worker.add("task-started", at + 0.01, {"uuid": id_})
    worker.processed += 1
    if number % 20 == 0:
        error = "ValueError('cannot read page 0 of /srv/inbox/contract-000000.pdf')"
        yield from worker.add("task-failed", at + 0.05, {"uuid": id_, "exception": error, "traceback": TRACEBACK})
    else:
        result = f"{{'path': '/srv/inbox/contract-{number:06d}.pdf', 'page': {number % 40}, 'chars': 1834}}"
        yield from worker.add("task-succeeded", at + 0.05, {"uuid": id_, "runtime": 0.04, "result": result})


class _Worker:
    def __init__(self, hostname: str, rnd: random.Random) -> None:
        self.hostname = hostname
        self.processed = 0
        self._rnd = rnd
        self._clock = 0
        self._events: list[Event] = []
        self._wanted = 1

    def add(self, kind: str, at: float, fields: Event) -> Iterator[tuple[str, list[Event]]]:
        self._clock += 1
        self._events.append(_event(kind, self.hostname, self._clock, at, fields))
        if len(self._events) >= self._wanted:
            yield from self.flush()

    def flush(self) -> Iterator[tuple[str, list[Event]]]:
        if self._events:
            yield "task.multi", self._events
        self._events = []
        self._wanted = self._rnd.choices((1, 2, 3), (40, 33, 27))[0]

    def heartbeat(self, at: float) -> Event:
        self._clock += 1
        fields = {"freq": 2.0, "active": 4, "processed": self.processed, "loadavg": [1.4, 0.7, 0.3]}
        software = {"sw_ident": "py-celery", "sw_ver": "5.7.0", "sw_sys": "Linux"}
        return _event("worker-heartbeat", self.hostname, self._clock, at, fields | software)


def _event(kind: str, hostname: str, clock: int, at: float, fields: Event) -> Event:
    return {"hostname": hostname, "utcoffset": 0, "pid": 1, "clock": clock, **fields, "timestamp": at, "type": kind}


def wire_form(routing_key: str, events: list[Event]) -> bytes:
    """Encode a message as Celery's Redis transport publishes it."""
    body = events if routing_key == "task.multi" else events[0]
    properties = {
        "delivery_mode": 1, "delivery_info": {"exchange": "celeryev", "routing_key": routing_key}, "priority": 0,
        "body_encoding": "base64", "delivery_tag": str(uuid.uuid4()),
    }  # fmt: skip
    envelope = {
        "body": base64.b64encode(json.dumps(body).encode()).decode(), "content-encoding": "utf-8",
        "content-type": "application/json", "headers": {"hostname": events[0]["hostname"]}, "properties": properties,
    }  # fmt: skip
    return json.dumps(envelope).encode()


@contextmanager
def server(*lines: str) -> Generator[tuple[redis.Redis, Path]]:
    """Run a Valkey of our own on a unix socket, configured by some lines."""
    with run_server(*lines) as running:
        yield running.client, running.socket


def stream_form(event: Event) -> Event | None:
    """Return an event as our workers and publishers write it; None for one that they don't write into the stream.

    Arguments are JSON and come once, with what is sent; what is received has the facts of its message instead
    (:mod:`celery_nexus.history.capture.dispatcher`).
    """
    match event["type"]:
        case "task-sent":
            arguments = {name: ast.literal_eval(event[name]) for name in ("args", "kwargs")}
            left_out = ("exchange", "routing_key")
            return {k: v for k, v in event.items() if k not in left_out} | arguments | {"priority": 5, "group": None}
        case "task-received":
            facts = {"queue": "documents", "priority": 5, "group": None, "sent_at": event["timestamp"] - 0.004}
            return {name: value for name, value in event.items() if name not in ("args", "kwargs")} | facts
        case "worker-heartbeat":
            return None
        case _:
            return event


def fill_stream(client: redis.Redis, tasks: int, start_at: float) -> int:
    """Put the events into our stream; returns how many."""
    count = 0
    pipeline = client.pipeline(transaction=False)
    for _, events in batches(tasks, start_at):
        for event in filter(None, map(stream_form, events)):
            pipeline.execute_command("XADD", EVENT_STREAM, "*", "d", orjson.dumps(event))
            count += 1
        if len(pipeline) >= 2000:
            pipeline.execute()
    pipeline.execute()
    return count


def publish(client: redis.Redis, tasks: int, start_at: float) -> int:
    """Publish the events on Celery's channels, then an end; returns how many."""
    count = 0
    pipeline = client.pipeline(transaction=False)
    for routing_key, events in batches(tasks, start_at):
        pipeline.publish(f"/0.celeryev/{routing_key}", wire_form(routing_key, events))
        count += len(events)
        if len(pipeline) >= 500:
            pipeline.execute()
    pipeline.execute()
    end = _event("bench-end", "end@bench", 1, time.time(), {})
    client.publish("/0.celeryev/bench.end", wire_form("bench.end", [end]))
    return count
