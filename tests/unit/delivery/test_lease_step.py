"""The step of a worker's start that takes its name: what it begins once, what at each connection, and its end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery

from celery_nexus.delivery.leases.lease import RENEW_S
from celery_nexus.delivery.worker import worker as worker_module
from celery_nexus.delivery.worker.worker import LOOK_AGAIN_S, LeaseStep


class Holder:
    """A lease's holder that notes what it is asked."""

    def __init__(self, done: list[Any]) -> None:
        self.done = done
        self.in_flight = SimpleNamespace(
            is_owing=False, call_soon="soon", acknowledge_now=lambda: done.append("acknowledge"), tell_ends=None
        )

    def __getattr__(self, name: str) -> Any:
        def note() -> None:
            self.done.append(name)

        return note


class Stop:
    """A way to the worker's end that notes what it is asked."""

    def __init__(self, name: str, done: list[Any]) -> None:
        self._name, self._done = name, done

    def install(self) -> None:
        self._done.append(f"install {self._name}")

    def watch(self, hub: Any) -> None:
        self._done.append(f"watch {hub.name}")

    def leave(self) -> None:
        self._done.append("leave")


@pytest.fixture
def done() -> list[Any]:
    return []


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch, done: list[Any]) -> Any:
    """A consumer that starts; its pool has child processes unless it is told otherwise."""
    app: Any = Celery("t", set_as_current=False)
    app.events.writer = SimpleNamespace(confirm="confirm")
    monkeypatch.setattr(worker_module, "LeaseHolder", lambda *_: Holder(done))
    monkeypatch.setattr(worker_module, "SoftStop", lambda *_: Stop("soft stop", done))
    monkeypatch.setattr(worker_module, "InlineStop", lambda *_: Stop("inline stop", done))
    monkeypatch.setattr(worker_module.children, "watch", lambda pool: done.append("watch children"))
    monkeypatch.setattr(worker_module.children, "has_processes", lambda pool: pool.has_processes)
    timer = SimpleNamespace(
        call_repeatedly=lambda seconds, do: done.append((seconds, "each", do)) or Timer(done),
        call_after=lambda seconds, do: done.append((seconds, "once", do)),
    )
    channel = SimpleNamespace(in_flight_of=lambda node: done.append(node), in_flight=None, qos=SimpleNamespace())
    return SimpleNamespace(
        app=app, controller=SimpleNamespace(), pool=SimpleNamespace(has_processes=True, num_processes=3),
        hostname="w", hub=SimpleNamespace(name="hub", call_soon="call soon"), timer=timer,
        connection=SimpleNamespace(default_channel=channel),
    )  # fmt: skip


class Timer:
    """What is done again and again, until it is cancelled."""

    def __init__(self, done: list[Any]) -> None:
        self._done = done

    def cancel(self) -> None:
        self._done.append("cancel")


def names(done: list[Any]) -> list[Any]:
    """Leave out what functions timers were given."""
    return [entry[:2] if isinstance(entry, tuple) else entry for entry in done]


def started(parent: Any) -> LeaseStep:
    step = LeaseStep.__new__(LeaseStep)
    step._timer = step._holder = step._stop = None
    step.start(parent)
    return step


EACH_TIME = [(RENEW_S, "each"), "rescue_others", (LOOK_AGAIN_S, "once")]


def test_a_start_takes_the_name_before_anything_else_and_looks_after_others_last(parent: Any, done: list[Any]) -> None:
    started(parent)
    assert names(done) == ["w", "begin", "watch children", "install soft stop", "watch hub", *EACH_TIME]
    channel = parent.connection.default_channel
    assert channel.in_flight.call_soon == "call soon"
    assert channel.in_flight.tell_ends == "confirm"
    assert channel.qos.count_children() == 3


def test_timers_renew_the_lease_and_look_again_after_others(parent: Any, done: list[Any]) -> None:
    started(parent)
    begun = len(done)
    [do() for entry in tuple(done) if isinstance(entry, tuple) for do in entry[2:]]
    assert done[begun:] == ["renew", "rescue_others"]


def test_after_a_reconnect_it_goes_on_with_what_it_holds(parent: Any, done: list[Any]) -> None:
    step = started(parent)
    done.clear()
    parent.connection = SimpleNamespace(default_channel=SimpleNamespace(in_flight=None, qos=SimpleNamespace()))
    step.start(parent)
    assert names(done) == ["resume", "watch hub", *EACH_TIME]
    assert parent.connection.default_channel.in_flight is step._holder.in_flight  # type: ignore[union-attr]


def test_a_pool_without_child_processes_stops_in_the_process_itself(parent: Any, done: list[Any]) -> None:
    parent.pool.has_processes = False
    started(parent)
    assert names(done) == ["w", "begin", "watch children", "install inline stop", *EACH_TIME]
    channel = parent.connection.default_channel
    assert channel.in_flight.call_soon == "soon"
    assert not hasattr(channel.qos, "count_children")


def test_without_our_events_nothing_is_told_of_ends(parent: Any) -> None:
    del parent.app.events.writer
    started(parent)
    assert parent.connection.default_channel.in_flight.tell_ends is None


def test_the_end_acknowledges_leaves_and_renews_no_more(parent: Any, done: list[Any]) -> None:
    step = started(parent)
    done.clear()
    step.stop(parent)
    assert done == ["acknowledge", "leave", "cancel"]
    assert parent.connection.default_channel.in_flight.call_soon is None
    step.stop(parent)
    assert done[3:] == ["acknowledge", "leave"]


def test_a_worker_whose_name_is_anothers_ends_with_its_code(parent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module.state, "should_terminate", None)
    worker_module._end(parent.controller, 69)
    assert (parent.controller.exitcode, worker_module.state.should_terminate) == (69, 69)
