"""Reliable delivery, history and diagnosis for any Celery application on Redis or Valkey.

::

    from celery import Celery
    import celery_nexus

    app = Celery("shop", broker="redis://localhost/0")
    celery_nexus.install(app)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celery_nexus.client import connect
    from celery_nexus.installer import install
    from celery_nexus.queues import AlertThresholds, QueueSpec, RetryPolicy
    from celery_nexus.rows.selection import Selection

__all__ = ["AlertThresholds", "QueueSpec", "RetryPolicy", "Selection", "connect", "install"]

_PLACES = {
    "connect": "celery_nexus.client",
    "install": "celery_nexus.installer",
    "Selection": "celery_nexus.rows.selection",
    **dict.fromkeys(("AlertThresholds", "QueueSpec", "RetryPolicy"), "celery_nexus.queues"),
}


def __getattr__(name: str) -> Any:
    """Import what needs Celery or Redis when it is asked for: who watches a broker may not have the one."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
