"""What every message gets when it is published: a priority, and the time."""

from __future__ import annotations

import time
from typing import Any

from celery.signals import before_task_publish

from celery_nexus.connection.keys import SENT_AT_HEADER
from celery_nexus.queues import DEFAULT_PRIORITY


@before_task_publish.connect
def _complete(headers: dict[str, Any] | None = None, properties: dict[str, Any] | None = None, **_: Any) -> None:
    # app.send_task and `celery call` ignore task_default_priority; without one a message would count as 0, the first.
    if properties is not None and properties.get("priority") is None:
        properties["priority"] = DEFAULT_PRIORITY
    if headers is not None:
        headers[SENT_AT_HEADER] = time.time()
