"""The public interface for programs: its examples, on a stranger's stock application."""

from __future__ import annotations

import doctest
from collections.abc import Callable

import pytest

import celery_nexus
from celery_nexus import client
from celery_nexus.client.changer import NexusChanger
from celery_nexus.client.reader import NexusReader
from celery_nexus.errors import Invalid, Refused
from tests.harness.waiting import wait_until
from tests.integration.foreign.conftest import Shop


def test_each_example_is_true(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop({"beat_schedule": {"add up": {"task": "shop.add", "schedule": 60.0, "args": [1, 2]}}})
    nexus = celery_nexus.connect(shop.app)
    names = {"nexus": nexus, "run": None}
    runner = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL | doctest.ELLIPSIS)
    for name in public_methods():
        method = getattr(client.Nexus, name)
        for example in doctest.DocTestFinder(recurse=False).find(method, name, globs=names):
            example.globs = names
            runner.run(example, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0


def test_every_public_method_has_an_example_that_is_run() -> None:
    without = [name for name in public_methods() if ">>> " not in (getattr(client.Nexus, name).__doc__ or "")]
    assert without == []


def public_methods() -> list[str]:
    """Methods in the order of the source, in which their examples follow one another."""
    halves = (NexusReader, NexusChanger)
    return [name for half in halves for name, value in vars(half).items() if callable(value) and name[0] != "_"]


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
