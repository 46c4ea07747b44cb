"""Publication of a message into another application's queue, byte for byte as its own clients would.

Nothing is declared and no binding touched: the message goes by the default exchange, whose routing key is the queue.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import redis

from celery_nexus.delivery.layout import Layout
from celery_nexus.errors import Invalid
from celery_nexus.extras import require
from celery_nexus.serializers import formats

OLD_PROTOCOL = 1


@dataclass(frozen=True)
class Publication:
    """What is to be published.

    Attributes:
        task: Name of the task.
        args: Positional arguments.
        kwargs: Keyword arguments.
        queue: Where it goes.
        priority: 0 first … 9 last.
        kind: Content type of its body.
        protocol: Celery's task protocol, 1 or 2.
        eta: Not before this time (aware), or None.
        lineage: Ids of the first run of its workflow and of the run that it follows, or None.
        headers: Further headers.
        expires_s: It is thrown away when it was not started so many seconds from now; None: never.
    """

    task: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    queue: str
    priority: int
    kind: str
    protocol: int = 2
    eta: datetime | None = None
    lineage: tuple[str, str] | None = None
    headers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    expires_s: float | None = None


def publish(client: redis.Redis, layout: Layout, publication: Publication) -> str:
    """Put a message into the list that the application's workers read; return the new run's id.

    Raises:
        Invalid: Its arguments can't be written in the application's format.
    """
    run_id = str(uuid.uuid4())
    client.lpush(layout.key(publication.queue, publication.priority), _message(run_id, publication))
    return run_id


def due_at(countdown_s: float | None, eta: datetime | None) -> datetime | None:
    """Turn a countdown into a time."""
    if countdown_s is not None:
        return datetime.now(UTC) + timedelta(seconds=countdown_s)
    return eta


def _message(run_id: str, publication: Publication) -> bytes:
    require("celery", "a message to another application")
    from celery import Celery

    eta = None if publication.eta is None else publication.eta.astimezone(UTC)
    root_id, parent_id = publication.lineage or (None, None)
    # It writes a message's parts, and is connected to nothing.
    writer = cast("Any", Celery("nexus", set_as_current=False).amqp)
    write = writer.as_task_v1 if publication.protocol == OLD_PROTOCOL else writer.as_task_v2
    made = write(
        run_id,
        publication.task,
        list(publication.args),
        dict(publication.kwargs),
        eta=eta.isoformat() if eta else None,
        expires=publication.expires_s,
        root_id=root_id,
        parent_id=parent_id,
    )
    try:
        body, encoding = formats.write(publication.kind, made.body)
    except ValueError as error:
        raise Invalid(f"the arguments can't be written as this application's messages are: {error}") from None
    told = {
        "body": base64.b64encode(body).decode(),
        "content-encoding": encoding,
        "content-type": publication.kind,
        "headers": {**made.headers, **publication.headers},
        "properties": {
            **made.properties,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": publication.queue},
            "priority": publication.priority,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }
    return json.dumps(told).encode()
