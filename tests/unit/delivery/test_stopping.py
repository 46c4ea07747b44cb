"""How a worker ends: it waits for what runs, no longer than it may, and not for a broker that is silent."""

from __future__ import annotations

import math
import signal
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from celery import Celery

from celery_nexus.delivery.worker import inline_stopping, leaving, stopping
from celery_nexus.delivery.worker.inline_stopping import InlineStop
from celery_nexus.delivery.worker.leaving import PATIENCE_S, Leaving
from celery_nexus.delivery.worker.stopping import IS_TICKING_S, SoftStop

GRACE_S = 10.0


class Ended(Exception):
    """Stands for the end of the process, or of a test's patience."""


class Worker:
    """A worker with a clock, of which one run is with a child."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[Any] = []
        self.now = 100.0
        self.runs: list[Any] = [SimpleNamespace(_apply_result="of the pool")]
        self.problem: Exception | None = None
        self.tick: Any = None
        app = Celery("t", broker="redis://localhost/0", set_as_current=False)
        app.conf.worker_soft_shutdown_timeout = GRACE_S
        self.controller: Any = SimpleNamespace(
            app=app,
            hostname="w",
            pool=SimpleNamespace(),
            consumer=SimpleNamespace(task_consumer=SimpleNamespace(cancel=self._cancel)),
            semaphore=SimpleNamespace(clear=lambda: self.done.append("nothing waits for a child")),
            wait_for_soft_shutdown=lambda: self.done.append("Celery's wait"),
        )
        monkeypatch.setattr(stopping.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(stopping.state, "reserved_requests", self.runs)
        monkeypatch.setattr(stopping.state, "maybe_shutdown", lambda: self.done.append("the loop ends"))
        monkeypatch.setattr(stopping.worker_shutting_down, "connect", lambda *_, **__: None)
        monkeypatch.setattr(stopping.signal, "signal", lambda *_: None)
        monkeypatch.setattr(stopping, "Leaving", self._leaving)
        self.stop = SoftStop(self.controller, lambda: False)
        self.stop.install()
        self.stop.watch(SimpleNamespace(on_tick=SimpleNamespace(add=self._note_tick)))
        self.handle = self.stop._handler(signal.SIGQUIT, lambda *_: self.done.append("Celery's stop"))

    def _note_tick(self, tick: Any) -> None:
        self.tick = tick

    def _cancel(self) -> None:
        self.done.append("nothing more is taken")
        if self.problem is not None:
            raise self.problem

    def _leaving(self, *_: Any) -> Any:
        return SimpleNamespace(begin=lambda: None, hurry=lambda: self.done.append("hurry"))


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    return Worker(monkeypatch)


# With child processes


def test_a_stop_takes_nothing_more_and_waits_for_what_runs(worker: Worker) -> None:
    worker.tick()
    worker.handle()
    assert worker.done == []
    for _ in range(3):
        worker.tick()
    assert worker.done == ["nothing waits for a child", "nothing more is taken"]


def test_it_is_celerys_as_soon_as_nothing_runs_and_celery_waits_no_more(worker: Worker) -> None:
    worker.tick()
    worker.handle()
    worker.tick()
    worker.runs.clear()
    worker.tick()
    worker.controller.wait_for_soft_shutdown()
    worker.tick()
    assert worker.done[2:] == ["Celery's stop", "the loop ends"]


def test_what_waits_in_the_worker_is_not_waited_for(worker: Worker) -> None:
    worker.runs.clear()
    worker.runs.append(SimpleNamespace(_apply_result=None))
    worker.tick()
    worker.handle()
    worker.tick()
    assert worker.done[2:] == ["Celery's stop", "the loop ends"]


def test_what_runs_longer_than_it_may_is_left_to_celery(worker: Worker) -> None:
    worker.tick()
    worker.handle()
    worker.now += GRACE_S - 0.1
    worker.tick()
    assert "Celery's stop" not in worker.done
    worker.now += 0.1
    worker.tick()
    assert worker.done[2:] == ["Celery's stop", "the loop ends"]


def test_a_second_signal_waits_for_nothing(worker: Worker) -> None:
    worker.tick()
    worker.handle()
    worker.handle()
    worker.controller.wait_for_soft_shutdown()
    worker.tick()
    assert worker.done == ["hurry", "Celery's stop"]


def test_a_stop_while_the_loop_stands_still_is_celerys_at_once(worker: Worker) -> None:
    worker.tick()
    worker.now += IS_TICKING_S
    worker.handle()
    worker.controller.wait_for_soft_shutdown()
    assert worker.done == ["Celery's stop", "Celery's wait"]


def test_a_stop_just_before_that_waits(worker: Worker) -> None:
    worker.tick()
    worker.now += IS_TICKING_S - 0.1
    worker.handle()
    assert worker.done == []


def test_a_stop_under_way_is_celerys_when_the_connection_is_lost(worker: Worker) -> None:
    worker.tick()
    worker.handle()
    worker.stop.leave()
    worker.stop.leave()
    assert worker.done == ["Celery's stop"]


@pytest.mark.parametrize("problem", [redis.ConnectionError("away"), OSError("away")])
def test_a_broker_that_does_not_answer_keeps_no_stop_up(
    worker: Worker, problem: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    worker.problem = problem
    worker.runs.clear()
    worker.tick()
    worker.handle()
    worker.tick()
    assert worker.done[2:] == ["Celery's stop", "the loop ends"]
    assert "the broker does not answer: away" in caplog.text


# Without a broker


class Watch:
    """The watch over a silent broker, on a clock that goes on by what is slept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.answers, self.at_rest = 0.0, iter(()), True
        self.problem: Exception | None = None
        self.asked: list[float] = []
        monkeypatch.setattr(leaving.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(leaving.time, "sleep", self._sleep)
        monkeypatch.setattr(leaving, "_answers", self._answers)
        monkeypatch.setattr(leaving, "end_process", self._end)
        monkeypatch.setattr(leaving.threading, "Thread", lambda **_: SimpleNamespace(start=lambda: None))
        self.leaving = Leaving("redis://localhost", self._is_at_rest, GRACE_S)
        self.leaving.begin()

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now > 60:
            raise Ended

    def _answers(self, _url: str) -> bool:
        return self.now in self.asked

    def _is_at_rest(self) -> bool:
        if self.problem is not None:
            raise self.problem
        return self.at_rest

    def _end(self) -> None:
        raise SystemExit

    def left_at(self) -> float | None:
        """When the process ended; None when it never did."""
        try:
            self.leaving._watch()
        except SystemExit:
            return self.now
        except Ended:
            return None
        raise AssertionError("the watch ended by itself")


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


def test_a_silent_broker_is_given_its_time(watch: Watch) -> None:
    assert watch.left_at() == PATIENCE_S


def test_a_broker_that_answers_is_waited_for(watch: Watch) -> None:
    watch.asked = [number * 0.5 for number in range(200)]
    assert watch.left_at() is None


def test_silence_counts_anew_after_an_answer(watch: Watch) -> None:
    watch.asked = [1.5]
    assert watch.left_at() == 2.0 + PATIENCE_S


def test_what_runs_may_go_on_for_its_time(watch: Watch) -> None:
    watch.at_rest = False
    assert watch.left_at() == GRACE_S


def test_who_is_told_to_hurry_waits_for_nothing_that_runs(watch: Watch) -> None:
    watch.at_rest = False
    watch.leaving.hurry()
    watch.leaving.begin()
    assert watch.left_at() == PATIENCE_S


def test_runs_that_change_while_they_are_looked_at_are_looked_at_again(watch: Watch) -> None:
    watch.problem = RuntimeError("Set changed size during iteration")
    assert watch.left_at() == GRACE_S


# In the process itself


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> Any:
    worker = Worker(monkeypatch)
    monkeypatch.setattr(inline_stopping.running, "begin_to_leave", lambda: worker.done.append("leaving"))
    stop: Any = InlineStop(worker.controller, lambda: False, lambda: None)
    stop.done = worker.done
    return stop


@pytest.mark.parametrize(
    ("numbers", "ends_at"),
    [
        ((signal.SIGTERM,), math.inf),
        ((signal.SIGINT,), math.inf),
        ((signal.SIGTERM, signal.SIGTERM), math.inf),
        ((signal.SIGQUIT,), 100 + GRACE_S),
        ((signal.SIGINT, signal.SIGINT), 100 + GRACE_S),
        ((signal.SIGTERM, signal.SIGINT), 100 + GRACE_S),
        ((signal.SIGQUIT, signal.SIGQUIT), 0.0),
        ((signal.SIGINT, signal.SIGINT, signal.SIGINT), 0.0),
    ],
)
def test_each_signal_says_how_long_what_runs_may_go_on(
    inline: Any, monkeypatch: pytest.MonkeyPatch, numbers: tuple[signal.Signals, ...], ends_at: float
) -> None:
    monkeypatch.setattr(inline_stopping, "SOFT_SIGNALS", (signal.SIGQUIT,))
    for number in numbers:
        inline._note(number, None)
    assert inline._ends_at == ends_at
    assert inline._first is numbers[0]
    assert inline.done == ["leaving"]


@pytest.mark.parametrize(
    ("active", "is_owing", "is_at_rest"),
    [((), False, True), (("run",), False, False), ((), True, False), (("run",), True, False)],
)
def test_it_is_at_rest_when_nothing_runs_and_nothing_is_owed(
    inline: Any, monkeypatch: pytest.MonkeyPatch, active: tuple[str, ...], is_owing: bool, is_at_rest: bool
) -> None:
    monkeypatch.setattr(inline_stopping.state, "active_requests", set(active))
    inline._is_owing = lambda: is_owing
    assert inline._is_at_rest() is is_at_rest


def test_what_waits_for_a_thread_is_not_started_any_more(inline: Any) -> None:
    asked: list[Any] = []
    inline._controller.pool.executor = SimpleNamespace(shutdown=lambda **options: asked.append(options))
    inline._drop_queued()
    assert asked == [{"wait": False, "cancel_futures": True}]
    del inline._controller.pool.executor
    inline._drop_queued()
