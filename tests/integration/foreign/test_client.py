"""The public interface for programs: its examples, on a stranger's stock application."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from typing import Any

import pytest

import celery_nexus
from celery_nexus import client
from celery_nexus.client.alert_changes import AlertChanges
from celery_nexus.client.changing import Changing
from celery_nexus.client.message_changes import MessageChanges
from celery_nexus.client.queue_changes import QueueChanges
from celery_nexus.client.reader import NexusReader
from celery_nexus.client.schedule_changes import ScheduleChanges
from celery_nexus.client.worker_changes import WorkerChanges
from celery_nexus.errors import Invalid, Refused
from tests.harness.waiting import wait_until
from tests.integration.foreign.conftest import Shop

WITHOUT_WORKER = (NexusReader, Changing, MessageChanges, QueueChanges, ScheduleChanges, AlertChanges)
SCHEDULE = {"beat_schedule": {"add up": {"task": "shop.add", "schedule": 60.0, "args": [1, 2]}}}


def test_each_example_is_true(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop(SCHEDULE)
    assert run_examples(WITHOUT_WORKER, nexus=celery_nexus.connect(shop.app), run=None) == 0


def test_each_example_of_orders_is_true(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop(None, "-P", "prefork", "-c", "2")
    shop.start()
    try:
        wait_until(lambda: shop.is_ready, "the worker is ready")
        assert run_examples((WorkerChanges,), nexus=celery_nexus.connect(shop.app), worker=shop.name) == 0
    finally:
        shop.stop()


def run_examples(parts: tuple[type, ...], **names: Any) -> int:
    """Run the examples in the order of the source, in which they follow one another; return how many are false."""
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for name in public_methods(parts):
        method = getattr(client.Nexus, name)
        for example in doctest.DocTestFinder(recurse=False).find(method, name, globs=names):
            example.globs = names
            runner.run(example, clear_globs=False)
    return runner.summarize(verbose=False).failed


def test_every_public_method_has_an_example_that_is_run() -> None:
    names = public_methods((*WITHOUT_WORKER, WorkerChanges))
    assert {*names, "close"} == {name for name in dir(client.Nexus) if name[0] != "_"}
    assert [name for name in names if ">>> " not in (getattr(client.Nexus, name).__doc__ or "")] == []


def public_methods(parts: tuple[type, ...]) -> list[str]:
    return [name for part in parts for name, value in vars(part).items() if callable(value) and name[0] != "_"]


def test_an_applications_own_workers_run_what_is_submitted(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    shop.start()
    try:
        with celery_nexus.connect(shop.url) as nexus:
            wait_until(lambda: any(row.verdict == "healthy" or row.queues for row in nexus.workers()), "it answers")
            run = nexus.submit("shop.add", [20, 22])
            wait_until(lambda: "add 20 22" in shop.runs(), "it ran")
            assert nexus.message(run.id) is None
    finally:
        shop.stop()


def test_nothing_is_changed_read_only(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    with celery_nexus.connect(shop.app, read_only=True) as nexus:
        with pytest.raises(Refused, match="read-only"):
            nexus.submit("shop.add", [1, 2])
        with pytest.raises(Refused, match="read-only"):
            nexus.purge("celery")
    assert shop.census() == set()


def test_an_application_says_which_its_keys_are(open_shop: Callable[..., Shop]) -> None:
    with pytest.raises(Invalid, match="an application says which its keys are"):
        celery_nexus.connect(open_shop().app, prefix="x")
