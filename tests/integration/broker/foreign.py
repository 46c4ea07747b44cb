"""A Celery application that knows nothing of Nexus: stock separator and priorities, keys with a prefix."""

from __future__ import annotations

import os
import time

from celery import Celery

app = Celery(
    "foreign", broker=os.environ.get("FOREIGN_BROKER"), backend=os.environ.get("FOREIGN_BROKER"), set_as_current=False
)
app.conf.broker_transport_options = {
    "global_keyprefix": "their:",
    "priority_steps": [0, 3, 6, 9],
    "queue_order_strategy": "priority",
}
app.conf.result_backend_transport_options = {"global_keyprefix": "their:"}


@app.task
def nap(seconds: float) -> float:
    """Take some time."""
    time.sleep(seconds)
    return seconds
