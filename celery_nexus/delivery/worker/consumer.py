"""Celery's consumer with message validation: no message ends the worker."""

# Celery's Consumer has no complete stubs: what its methods return is unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import redis
from celery.exceptions import NotRegistered
from celery.utils.imports import symbol_by_name
from celery.utils.log import get_logger
from celery.worker import state as _state
from celery.worker.consumer import Consumer as CeleryConsumer
from celery.worker.request import Request as CeleryRequest
from kombu.exceptions import ContentDisallowed, DecodeError
from vine import promise as vine_promise

from celery_nexus.delivery import validation
from celery_nexus.delivery.ends.ending import carry_out_what_can_be
from celery_nexus.delivery.ends.private_records import PrivateRequest
from celery_nexus.delivery.keys import FetchedTag
from celery_nexus.delivery.worker import children
from celery_nexus.delivery.worker.request import Request

logger = get_logger(__name__)
state: Any = _state  # the stubs know an older Celery

MAX_RECONNECT_PAUSE_S = 2
REFUSED_PAUSE_S = 1.0
MAX_CHANCES = 3
"""Most attempts to take a well-formed message before it is dead-lettered: it would come back for ever."""

MAX_REMEMBERED = 1_000
"""Most messages whose failed attempts are counted."""

_Consumer: Any = CeleryConsumer


class Consumer(_Consumer):
    """Makes dead letters of what Celery would discard, or would die of; obeys orders in the order they came in."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._orders: deque[Callable[[], Any]] = deque()
        self._failures: Counter[str] = Counter()
        super().__init__(*args, **options)

    def update_strategies(self) -> None:
        """Prepare each task; all go by our rules for lost runs, whatever class their requests have."""
        for task in self.app.tasks.values():
            task.Request = _with_our_rules(symbol_by_name(task.Request))
        super().update_strategies()

    def call_soon(self, p: Any, *args: Any, **options: Any) -> Any:
        """Do something in the next round of the event loop, after what was asked for before.

        kombu 5.7 keeps what it is to do in a set: two orders about one queue would be obeyed in either order.
        """
        if not self.hub:
            return super().call_soon(p, *args, **options)
        self._orders.append(partial(p, *args, **options))
        return self.hub.call_soon(self._obey)

    def _obey(self) -> None:
        while self._orders:
            order = self._orders.popleft()
            try:
                order()
            except (redis.ConnectionError, redis.TimeoutError, OSError):
                raise
            except Exception:  # outermost guard: no order must ever end a worker
                logger.exception("can't obey %r", order)

    def add_task_queue(self, queue: Any, *args: Any, **options: Any) -> None:
        """Consume from one more queue; one that can't be consumed from is not tried again at the next connection."""
        try:
            super().add_task_queue(queue, *args, **options)
        except (redis.ConnectionError, redis.TimeoutError, OSError):
            raise
        except Exception:
            self.app.amqp.queues.deselect([queue])
            raise

    def create_task_handler(self, promise: Any = vine_promise) -> Callable[[Any], Any]:
        """Make the callback for messages."""
        handle: Callable[[Any], Any] = super().create_task_handler(promise)

        def handle_guarded(message: Any) -> Any:
            try:
                validation.check_payload(message.payload, message.headers)
            except (
                validation.Malformed,
                ContentDisallowed,
                DecodeError,
                ValueError,
                TypeError,
                RecursionError,
            ) as problem:
                self.set_aside(message, "malformed", problem)
                return None
            try:
                return handle(message)
            except (redis.ConnectionError, redis.TimeoutError, OSError):
                raise
            except Exception as problem:  # outermost guard: one message must never end a worker
                if message.acknowledged:
                    raise
                logger.exception("Celery can't take a message")
                self._give_another_chance(message, problem)
                return None

        return handle_guarded

    def _give_another_chance(self, message: Any, problem: Exception) -> None:
        """Put back a message that is well-formed and yet could not be taken: the fault need not be its own."""
        run_id = str(message.headers.get("id") or message.delivery_tag)
        self._failures[run_id] += 1
        if self._failures[run_id] >= MAX_CHANCES:
            del self._failures[run_id]
            self.set_aside(message, "poisoned", problem)
            return
        if len(self._failures) > MAX_REMEMBERED:
            self._failures.clear()
        message.reject(requeue=True)

    def ensure_connected(self, conn: Any) -> Any:
        """Connect; while the broker is away, try every 2 s (Celery's pauses grow to half a minute)."""
        conn.ensure_connection = partial(
            conn.ensure_connection, interval_start=0.5, interval_step=0.5, interval_max=MAX_RECONNECT_PAUSE_S
        )
        return super().ensure_connected(conn)

    def on_connection_error_after_connected(self, exc: BaseException) -> None:
        """Give up the connection; a broker that answers with errors is left alone for a moment."""
        super().on_connection_error_after_connected(exc)
        if isinstance(exc, redis.ResponseError):  # Celery would be back, and refused again, within milliseconds
            logger.warning("the broker refuses: %s", exc)
            time.sleep(REFUSED_PAUSE_S)

    def on_close(self) -> None:
        """Forget what can't go on without the connection that was lost: what no child has got is put back."""
        if not children.has_processes(self.pool):
            super().on_close()
            return
        ours = [request for request in tuple(state.reserved_requests) if isinstance(request, Request)]
        handed_over = [request for request in ours if request.is_handed_over]
        with children.keep_written(self.pool):
            super().on_close()
        for request in handed_over:
            if children.holds(self.pool, request):
                state.task_reserved(request)
            else:
                request.forget_start()

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Set aside what can't be decoded; control messages are dropped."""
        self.set_aside(message, "malformed", exc)

    def on_unknown_message(self, body: Any, message: Any) -> None:
        """Set aside what names no task."""
        self.set_aside(message, "malformed", ValueError("no task"))

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Set aside what Celery finds invalid."""
        self.set_aside(message, "malformed", exc)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Set aside a run of a task that this worker does not know: it may be there after the next deployment."""
        name = str(message.headers.get("task") or exc)
        self.set_aside(message, "unknown task", NotRegistered(name))

    def set_aside(self, message: Any, reason: str, problem: Exception) -> None:
        """Make a message a dead letter, and let its run end as FAILURE: now, or as soon as that can be done."""
        tag = message.delivery_tag
        if not isinstance(tag, FetchedTag):
            logger.error("dropped a malformed message: %s", problem)
            return
        channel = message.channel
        detail = str(problem) if isinstance(problem, validation.Malformed) else f"{type(problem).__name__}: {problem}"
        raw = channel.in_flight.client.hget(channel.in_flight.key, tag)
        run_id, task = validation.run_of(validation.decode_loosely(raw or b""))
        channel.in_flight.set_aside(tag, reason, detail, id=run_id, task=task)
        channel.qos.forget(tag)
        carry_out_what_can_be(self.app, channel.in_flight.client, channel.in_flight.prefix)


@cache
def _with_our_rules(kind: type[Any]) -> type[Any]:
    """Make a class of requests that keeps what a task's own class does, on top of ours."""
    if issubclass(kind, Request):
        return kind
    return Request if kind in (CeleryRequest, PrivateRequest) else type(kind.__name__, (kind, Request), {})
