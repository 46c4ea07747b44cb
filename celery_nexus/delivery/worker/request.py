"""Request of a run, from fetch to end: permission to start, and the consequences of failed starts."""

# Celery's Request has no complete stubs: what its methods return is unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import redis
from celery.exceptions import TaskRevokedError, WorkerLostError
from celery.utils.log import get_logger
from celery.worker import state as _state

from celery_nexus.delivery import running
from celery_nexus.delivery.ends.private_records import PrivateRequest
from celery_nexus.delivery.keys import FetchedTag
from celery_nexus.delivery.leases import rescue
from celery_nexus.delivery.worker import children

logger = get_logger(__name__)
state: Any = _state  # the stubs know an older Celery

_Request: Any = PrivateRequest


def _telling_first(succeed: Callable[..., Any]) -> Callable[..., Any]:
    def succeed_then_acknowledge(self: Any, *args: Any, **options: Any) -> Any:
        with self.acknowledge_after():
            return succeed(self, *args, **options)

    return succeed_then_acknowledge


def _asking_first(hand_over: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(hand_over)
    def execute_using_pool(self: Request, pool: Any, **options: Any) -> Any:
        self._waits_in_pool = not (pool.uses_semaphore or pool.signal_safe)
        self._pool_is_green = pool.is_green
        if not self._waits_in_pool and not self.revoked() and not self.may_start():
            raise TaskRevokedError(self.id)  # frees the child
        handed_over = hand_over(self, pool, **options)
        children.write_now(pool)
        return handed_over

    return execute_using_pool


def _dropped(is_green: bool) -> BaseException:
    if is_green:
        from greenlet import GreenletExit

        return GreenletExit()
    return TaskRevokedError("given to others")


class Request(_Request):
    """A request that asks before it starts, and counts the starts that came to nothing."""

    _lost = "rejected"
    _is_telling = _is_owed = False

    def __init_subclass__(cls, **options: Any) -> None:
        """Ask before each hand-over, tell before each acknowledgement: Celery's class of a task has its own methods."""
        super().__init_subclass__(**options)
        hand_over, succeed = cls.__dict__.get("execute_using_pool"), cls.__dict__.get("on_success")
        if hand_over is not None:
            cls.execute_using_pool = _asking_first(hand_over)
        if succeed is not None:
            cls.on_success = _telling_first(succeed)

    def on_accepted(self, pid: int, time_accepted: float) -> None:
        """Note that the run starts; ask now if it waited for a free thread of the pool."""
        if self._waits_in_pool and not self.may_start():
            raise _dropped(self._pool_is_green)
        super().on_accepted(pid, time_accepted)

    def may_start(self) -> bool:
        """Note the start in the broker; drop the run when others have its message by now."""
        tag = self._message.delivery_tag
        if not isinstance(tag, FetchedTag):
            return True
        in_flight = self._message.channel.in_flight
        try:
            if in_flight.start(tag):
                return True
            logger.error("%s is dropped: it was given to others while this worker did not answer", self)
        except (redis.RedisError, OSError) as error:
            logger.warning("%s goes back to its queue: whether it is still ours is unknown: %s", self, error)
            in_flight.restore_later(tag)
        self.acknowledged = True
        self._message.channel.qos.forget(tag)
        state.task_ready(self)
        return False

    @property
    def is_handed_over(self) -> bool:
        """Whether the pool was given the run, and it has not ended."""
        return self._is_fetched and self._message.delivery_tag in self._message.channel.in_flight.handed_over

    def forget_start(self) -> None:
        """Note that the pool dropped the run: it did not start."""
        self._message.channel.in_flight.forget_start(self._message.delivery_tag)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self._eta is not None and self._is_fetched:
            self._eta = running.on_this_clock(self._eta)  # Celery's timer goes by this host's clock

    def on_success(self, failed__retval__runtime: Any, **options: Any) -> Any:
        """Deal with a run that ended: its end is told first, and then its message is forgotten."""
        with self.acknowledge_after():
            return super().on_success(failed__retval__runtime, **options)

    @contextmanager
    def acknowledge_after(self) -> Generator[None]:
        """Acknowledge after what follows, which tells of the end: Celery does so the other way round."""
        self._is_telling = True
        try:
            yield
        finally:
            self._is_telling = False
            if self._is_owed:
                self._is_owed = self.acknowledged = False
                self.acknowledge()

    def acknowledge(self) -> None:
        """Forget the message; of processes here and now, so that the next start takes the acknowledgement along."""
        if self._is_telling and not self.acknowledged and self._is_fetched:
            self._is_owed = self.acknowledged = True
        elif not self.acknowledged and self._is_fetched and self._message.channel.in_flight.call_soon is not None:
            self._message.ack_log_error(logger, self._connection_errors)
            self.acknowledged = True
        else:
            super().acknowledge()

    @property
    def _is_fetched(self) -> bool:
        return isinstance(self._message.delivery_tag, FetchedTag)

    def maybe_expire(self) -> bool | None:
        """Tell whether the run has expired, by the broker's clock, and revoke it then."""
        if not (self._is_fetched and self.expires):
            return super().maybe_expire()
        if running.now() <= self.expires.timestamp():
            return None
        state.revoked.add(self.id)
        return True

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Deal with a failed run."""
        error = exc_info.exception
        error = getattr(error, "exc", error)  # billiard's ExceptionWithTraceback
        self._lost = "child" if isinstance(error, WorkerLostError | SystemExit | KeyboardInterrupt) else "rejected"
        try:
            with self.acknowledge_after():
                return super().on_failure(exc_info, send_failed_event, return_ok)
        except MemoryError:
            # Celery raises it in the worker and leaves the message in flight; the child stored the failure and lives.
            self.send_event("task-failed", exception=repr(error), traceback=exc_info.traceback)
            self.acknowledge()
            return None

    def reject(self, requeue: bool = False) -> None:
        """Drop the message or put it back; a start that came to nothing is counted first."""
        tag = self._message.delivery_tag
        if not isinstance(tag, FetchedTag):
            super().reject(requeue=requeue)
            return
        if self.acknowledged:
            return
        if not requeue:
            self.send_event("task-rejected", requeue=False)
            self.acknowledge()
            return
        self.acknowledged = True
        try:
            self._give_up_or_restore(tag)
        except (redis.RedisError, OSError) as error:
            logger.warning("%s stays in flight until the broker is back: %s", self, error)

    def _give_up_or_restore(self, tag: FetchedTag) -> None:
        in_flight = self._message.channel.in_flight
        raw = in_flight.get(tag)
        if raw is None:
            return
        progress = in_flight.progress(tag)
        restored = rescue.give_up_or_restore(self._app, in_flight, tag, raw, lost=self._lost, progress=progress)
        self._message.channel.qos.forget(tag)
        if restored:
            self.send_event("task-rejected", requeue=True)
