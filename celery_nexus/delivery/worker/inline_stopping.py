"""Shutdown of workers whose runs share their process: threads, greenlets, solo.

Celery 5.7 obeys a signal inside the signal's handler: it sleeps there and cancels runs there. In these pools the
handler interrupts whatever runs at the moment: a run of a solo pool ends as FAILURE by an error of the pool, a greenlet
that is about to hand a message over gets an error that is not its own. Here the handler only notes the signal, and a
thread (which is a greenlet in pools of those) waits for the runs.
"""

# Celery's worker has no complete stubs: what its attributes are is unknown.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from celery.signals import worker_shutting_down
from celery.utils.log import get_logger
from celery.worker import state

from celery_nexus.delivery import running
from celery_nexus.delivery.worker.leaving import Leaving, end_process
from celery_nexus.delivery.worker.stopping import SOFT_SIGNALS
from celery_nexus.installation import broker_of

SIGNALS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)
LOOK_EVERY_S = 0.05

logger = get_logger(__name__)


class InlineStop:
    """One worker's way to its end.

    SIGTERM and the first SIGINT wait for what runs; SIGQUIT, the second SIGINT, and SIGTERM under
    ``REMAP_SIGTERM=SIGQUIT`` for ``worker_soft_shutdown_timeout`` at most; one of these again, not at all. What still
    runs then goes back to its queue.

    Args:
        controller: The worker, whose signal handlers are installed.
        is_owing: Tells whether an acknowledgement could not be sent yet.
        give_back: Puts back what this worker holds.
    """

    def __init__(self, controller: Any, is_owing: Callable[[], bool], give_back: Callable[[], None]) -> None:
        self._controller = controller
        self._timeout_s = float(controller.app.conf.worker_soft_shutdown_timeout)
        self._is_owing = is_owing
        self._give_back = give_back
        self._ends_at = math.inf
        self._first: signal.Signals | None = None
        self._asked = threading.Event()

    def install(self) -> None:
        """Take the place of Celery's handlers."""
        threading.Thread(target=self._wait, daemon=True).start()
        for number in SIGNALS:
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: Any) -> None:
        is_soft = number in SOFT_SIGNALS or (number == signal.SIGINT and self._first is not None)
        if is_soft:
            ends_at = time.monotonic() + self._timeout_s
            self._ends_at = ends_at if self._ends_at == math.inf else 0.0
        if self._first is None:
            self._first = signal.Signals(number)
            running.begin_to_leave()
            self._asked.set()

    def _wait(self) -> None:
        self._asked.wait()
        number = self._first or signal.SIGTERM
        how = "Warm" if self._ends_at == math.inf else "Soft"
        worker_shutting_down.send(sender=self._controller.hostname, sig=number.name, how=how, exitcode=0)
        limit = "until it ends" if self._ends_at == math.inf else f"for {self._timeout_s:g} s"
        logger.warning("stopping: what runs may go on %s", limit)
        self._drop_queued()
        Leaving(broker_of(self._controller.app).redis_py, self._is_at_rest, self._timeout_s).begin()
        while time.monotonic() < self._ends_at:
            if self._is_at_rest():
                state.should_stop = 0  # Celery's own stop follows; it waits for a run that began at this moment
            time.sleep(LOOK_EVERY_S)
        logger.warning("%d runs go back to their queues", len(state.active_requests))
        self._give_back()
        end_process()

    def _drop_queued(self) -> None:
        """Start nothing that waits for a thread: it goes back to its queue at the end."""
        executor = getattr(self._controller.pool, "executor", None)
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)

    def _is_at_rest(self) -> bool:
        return not state.active_requests and not self._is_owing()
