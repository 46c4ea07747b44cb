"""A broker of its own for a measurement, filled with real messages of Celery."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import redis

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.queues import priority_key
from tests.harness.servers import embedded_broker, embedded_url


def fill(client: redis.Redis, queue: str, count: int) -> list[str]:
    """Publish messages of priority 5 and return their ids, the next to run first."""
    ids = [str(uuid.uuid4()) for _ in range(count)]
    for start in range(0, count, 5000):
        client.lpush(priority_key(queue, 5), *[message_of(run_id) for run_id in ids[start : start + 5000]])
    return ids


_BODY = base64.b64encode(
    json.dumps([[], {"to": ["ada@example.org"], "subject": "news", "body": "x" * 80}, {}]).encode()
)


def message_of(run_id: str, queue: str = "email_queue") -> str:
    """Write a message as Celery does."""
    headers = {
        "lang": "py", "task": "workers.email_tasks.send_email", "id": run_id, "shadow": None, "eta": None,
        "expires": None, "group": None, "group_index": None, "retries": 0, "timelimit": [None, None],
        "root_id": run_id, "parent_id": None, "argsrepr": "()", "kwargsrepr": "{}", "origin": "gen1@example",
        "ignore_result": False, "replaced_task_nesting": 0, "stamped_headers": None, "stamps": {},
        "nexus_sent_at": 1700000000.0,
    }  # fmt: skip
    properties = {
        "correlation_id": run_id, "reply_to": str(uuid.uuid4()), "delivery_mode": 2,
        "delivery_info": {"exchange": queue, "routing_key": queue}, "priority": 5,
        "body_encoding": "base64", "delivery_tag": str(uuid.uuid4()),
    }  # fmt: skip
    return json.dumps({
        "body": _BODY.decode(), "content-encoding": "utf-8", "content-type": "application/json",
        "headers": headers, "properties": properties,
    })  # fmt: skip


@contextmanager
def server(home: str) -> Generator[BrokerUrl]:
    """Run the embedded broker without its file, in a folder of its own."""
    with embedded_broker(Path(home)) as broker, redis.Redis.from_url(broker.url) as client:
        client.config_set("appendonly", "no")
        client.config_set("busy-reply-threshold", 0)  # the one long scan is to hold others up, not to refuse them
        yield embedded_url(Path(home))
