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


class Processes:
    """A pool's processes; notes what is done about the end of one."""

    def __init__(self, alive: list[str]) -> None:
        self._pool = alive
        self.done: list[Any] = []

    def _event_process_exit(self, _hub: Any, process: str) -> None:
        self.done.append(("announced", process))

    def maintain_pool(self) -> None:
        self.done.append("maintained")


class Clock:
    """An event loop that only knows what is to be done later."""

    def __init__(self) -> None:
        self.later: list[Any] = []

    def call_later(self, seconds: float, do: Any, *args: Any) -> None:
        assert seconds == children.LOOK_AGAIN_S
        self.later.append((do, args))

    def go_on(self) -> None:
        due, self.later = self.later, []
        for do, args in due:
            do(*args)


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


def test_a_child_that_could_not_be_collected_yet_is_looked_for_again() -> None:
    pool, hub = Processes(["lost", "other"]), Clock()
    children.watch(SimpleNamespace(_pool=pool))
    pool._event_process_exit(hub, "lost")
    assert pool.done == [("announced", "lost")]
    hub.go_on()
    pool._pool.remove("lost")
    hub.go_on()
    assert pool.done == [("announced", "lost"), "maintained"]
    assert hub.later == []


def test_a_child_that_was_collected_at_once_is_not() -> None:
    pool, hub = Processes(["other"]), Clock()
    children.watch(SimpleNamespace(_pool=pool))
    pool._event_process_exit(hub, "lost")
    assert (pool.done, hub.later) == ([("announced", "lost")], [])


def test_a_child_that_stays_is_given_up_after_two_seconds() -> None:
    pool, hub = Processes(["lost"]), Clock()
    children.watch(SimpleNamespace(_pool=pool))
    pool._event_process_exit(hub, "lost")
    rounds = 0
    while hub.later:
        hub.go_on()
        rounds += 1
    assert pool.done.count("maintained") == children.LOOKS == 100
    assert rounds * children.LOOK_AGAIN_S == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(
    "pool", [SimpleNamespace(), SimpleNamespace(_pool=None), SimpleNamespace(_pool=SimpleNamespace())]
)
def test_a_pool_without_child_processes_is_not_watched(pool: Any) -> None:
    children.watch(pool)
    assert not children.has_processes(pool)


def job(*, accepted: bool = False, written: bool | None = True, pid: int | None = None) -> Any:
    """A run that a pool was given; ``written`` says whether to a child that lives, or to none."""
    child = None if written is None else SimpleNamespace(_is_alive=lambda: written)
    return SimpleNamespace(_accepted=accepted, _write_to=child, _worker_pid=pid)


def test_what_a_child_has_got_is_kept_while_celery_empties_the_pool() -> None:
    jobs = {
        "written": job(), "begun meanwhile": job(pid=7), "accepted": job(accepted=True),
        "waits": job(written=None), "of a dead child": job(written=False),
    }  # fmt: skip
    pool = SimpleNamespace(_pool=SimpleNamespace(_cache=jobs))
    with children.keep_written(pool):
        kept = {name for name, one in jobs.items() if one._accepted}
    assert kept == {"written", "begun meanwhile", "accepted"}
    assert {name for name, one in jobs.items() if one._accepted} == {"begun meanwhile", "accepted"}


def test_what_was_kept_is_as_it_was_also_after_an_error() -> None:
    jobs = {1: job()}
    with (
        pytest.raises(OSError, match="cut"),
        children.keep_written(SimpleNamespace(_pool=SimpleNamespace(_cache=jobs))),
    ):
        raise OSError("cut")
    assert not jobs[1]._accepted


def test_a_pool_holds_a_run_while_it_knows_its_very_job() -> None:
    one, other = SimpleNamespace(_job=1), SimpleNamespace(_job=1)
    pool = SimpleNamespace(_pool=SimpleNamespace(_cache={1: one}))
    assert children.holds(pool, SimpleNamespace(_apply_result=lambda: one))
    assert not children.holds(pool, SimpleNamespace(_apply_result=lambda: other))
    assert not children.holds(pool, SimpleNamespace(_apply_result=lambda: None))
    assert not children.holds(pool, SimpleNamespace(_apply_result=None))
