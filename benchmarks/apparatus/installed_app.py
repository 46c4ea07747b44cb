"""A Django project's application with a task that does nothing, stock or installed, for :mod:`benchmarks.installed`."""

from __future__ import annotations

import os

from celery import Celery

import celery_nexus

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.apparatus.installed_settings")

app = Celery("bench")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
if os.environ["NEXUS_BENCH_SIDE"] == "installed":
    celery_nexus.install(app)


@app.task(name="bench.noop")
def noop(number: int) -> int:
    """Do nothing."""
    return number


def publish(count: int) -> None:
    """Publish so many runs."""
    with app.producer_pool.acquire() as producer:
        for number in range(count):
            noop.apply_async((number,), producer=producer)
