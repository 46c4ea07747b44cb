"""What a pool of child processes is told beyond what Celery tells it, with a real pool."""

from __future__ import annotations

import os
from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

import pytest
from celery.concurrency.asynpool import AsynPool
from kombu.asynchronous import Hub

from celery_nexus.delivery.worker import children

LOOPS = 10_000


@pytest.fixture
def hub() -> Generator[Any]:
    loop: Any = Hub()
    yield loop
    loop.close()


@pytest.fixture
def pool(hub: Hub) -> Generator[Any]:
    """A pool of one idle child, served by an event loop that only these tests move on."""
    processes: Any = AsynPool(processes=1, threads=False)
    processes.register_with_event_loop(hub)
    _go_on(hub, lambda: processes._all_inqueues)
    yield SimpleNamespace(_pool=processes)
    processes.terminate()
    processes.join()
    for queue in [queue for queues in processes._queues for queue in queues if queue]:
        queue.close()


def _go_on(hub: Hub, is_reached: Any) -> None:
    rounds = hub.create_loop()
    for _ in range(LOOPS):
        if is_reached():
            return
        next(rounds)
    raise AssertionError("the event loop did not get there")


def test_an_idle_child_gets_its_run_before_the_event_loop_goes_on(hub: Hub, pool: Any) -> None:
    job = pool._pool.apply_async(os.getpid)
    assert job._write_to is None
    children.write_now(pool)
    assert job._write_to is pool._pool._pool[0]
    _go_on(hub, job.ready)
    assert job.get() == pool._pool._pool[0].pid


def test_a_busy_child_is_left_alone(pool: Any) -> None:
    pool._pool.apply_async(os.getpid)
    children.write_now(pool)
    waiting = pool._pool.apply_async(os.getpid)
    children.write_now(pool)
    assert waiting._write_to is None
    assert list(pool._pool.outbound_buffer) == [waiting]


def test_a_pool_without_child_processes_has_nothing_to_write() -> None:
    children.write_now(SimpleNamespace())
    children.write_now(SimpleNamespace(_pool=SimpleNamespace()))
