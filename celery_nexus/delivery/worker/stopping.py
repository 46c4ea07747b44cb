"""Warm shutdown that waits for running tasks, and for nothing else.

Celery 5.7 sleeps through its whole ``worker_soft_shutdown_timeout`` in the signal's handler as soon as one run is
active: the event loop stands still, so nobody sees the run end. Here the handler only notes the signal. The loop goes
on, takes nothing new, and hands over to Celery's own stop once no child has a run any more, or the time is over.
"""

# Celery's worker has no complete stubs: what its attributes are is unknown.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

import redis
from celery.apps import worker as celery_worker
from celery.signals import worker_shutting_down
from celery.utils.log import get_logger
from celery.worker import state

from celery_nexus.delivery.worker.leaving import Leaving
from celery_nexus.installation import broker_of

IS_TICKING_S = 2.0
"""Age of the loop's last round from which it counts as waiting for a broker; a stop is then left to Celery at once."""

_celery_worker: Any = celery_worker
SOFT_SIGNALS = (signal.SIGQUIT, *((signal.SIGTERM,) if _celery_worker.REMAP_SIGTERM == "SIGQUIT" else ()))
"""Signals after which Celery waits for what runs."""

logger = get_logger(__name__)


class SoftStop:
    """One worker's way to its end.

    Args:
        controller: The worker, whose pool has child processes and whose signal handlers are installed.
        is_owing: Tells whether an acknowledgement could not be sent yet.
    """

    def __init__(self, controller: Any, is_owing: Callable[[], bool]) -> None:
        self._controller = controller
        self._timeout_s = float(controller.app.conf.worker_soft_shutdown_timeout)
        self._ticked_at = 0.0
        self._celerys_wait: Callable[[], None] = controller.wait_for_soft_shutdown
        self._ends_at: float | None = None
        self._hand_over: Callable[[], None] | None = None
        self._is_waiting = False
        self._has_waited = False
        url = broker_of(controller.app).redis_py
        self._leaving = Leaving(url, lambda: _is_at_rest() and not is_owing(), self._timeout_s)

    def install(self) -> None:
        """Take the place of Celery's handlers; they are called when the wait is over."""
        worker_shutting_down.connect(self._begin_to_leave, weak=False)
        self._controller.wait_for_soft_shutdown = self._wait
        for number in SOFT_SIGNALS:
            signal.signal(number, self._handler(number, signal.getsignal(number)))

    def watch(self, hub: Any) -> None:
        """Come round with the worker's event loop; to be called again after a reconnect."""
        hub.on_tick.add(self._tick)

    def leave(self) -> None:
        """Leave a stop that is under way to Celery: the event loop has ended with its connection."""
        self._ticked_at = 0.0
        self._end()

    def _handler(self, number: signal.Signals, celerys: Any) -> Callable[..., None]:
        def stop(*_: Any) -> None:
            self._leaving.begin()
            if self._ends_at is None and time.monotonic() - self._ticked_at < IS_TICKING_S:
                self._ends_at = time.monotonic() + self._timeout_s
                self._hand_over = lambda: celerys(number, None)
                return
            self._has_waited = self._ends_at is not None  # asked again: nothing is waited for
            if self._has_waited:
                self._leaving.hurry()
            self._hand_over = None
            celerys(number, None)

        return stop

    def _begin_to_leave(self, **_: Any) -> None:
        self._leaving.begin()

    def _wait(self) -> None:
        if not self._has_waited:
            self._celerys_wait()

    def _tick(self) -> None:
        now = time.monotonic()
        self._ticked_at = now
        if self._hand_over is None or self._ends_at is None:
            return
        if not self._is_waiting:
            self._is_waiting = True
            self._take_no_more()
        if _is_at_rest() or now >= self._ends_at:
            self._has_waited = True
            self._end()
            state.maybe_shutdown()  # ends the loop here: what it would wait for next is closed

    def _end(self) -> None:
        hand_over, self._hand_over = self._hand_over, None
        if hand_over is not None:
            hand_over()

    def _take_no_more(self) -> None:
        logger.warning("stopping: what runs may go on for %g s", self._timeout_s)
        consumer = self._controller.consumer
        self._controller.semaphore.clear()  # what waits for a free child goes back to its queue
        try:
            consumer.task_consumer.cancel()
        except (redis.RedisError, OSError) as error:
            logger.warning("the broker does not answer: %s", error)


def _is_at_rest() -> bool:
    """Tell whether no run is with a child, or on its way to one."""
    return all(request._apply_result is None for request in tuple(state.reserved_requests))
