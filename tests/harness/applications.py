"""The Celery application of the test process, on another broker for a while."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from celery import Celery
from kombu import pools


@contextmanager
def application_on(url: str) -> Generator[Celery]:
    """Let this process's own application use another broker, and then again the one of its settings.

    Args:
        url: kombu's spelling of the broker's address.
    """
    from config.celery_config import celery_app

    before = (celery_app.conf.broker_url, celery_app.conf.result_backend)
    point_at(celery_app, url, url)
    celery_app.set_current()
    try:
        yield celery_app
    finally:
        point_at(celery_app, *before)


def close_results(app: Celery) -> None:
    """Close an application's connections for results."""
    backend: Any = app.backend
    # A result that is collected later would connect anew, to end its subscription at a broker that is gone.
    backend.result_consumer.subscribed_to.clear()
    backend.result_consumer.stop()
    backend.client.close()


def point_at(app: Any, broker: str, results: str) -> None:
    """Let an application use another broker and result backend from now on, by connections that are new.

    Args:
        app: It.
        broker: kombu's spelling of the broker's address.
        results: kombu's spelling of the result backend's.
    """
    if app._backend is not None:
        close_results(app)
    app.conf.update(broker_url=broker, result_backend=results)
    # What is made once of a connection or an address.
    app._pool = app.amqp._producer_pool = app._backend_cache = None
    vars(app._local).pop("backend", None)
    pools.reset()
