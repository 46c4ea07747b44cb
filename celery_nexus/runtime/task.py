"""The base of every task: checked arguments, retries by the queue's policy, compressed large bodies."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from celery import Task as CeleryTask

from celery_nexus.installation import queues_of
from celery_nexus.privacy.arguments import print_arguments, refuse_placeholders
from celery_nexus.queues import RetryPolicy
from celery_nexus.runtime import arguments
from celery_nexus.task_errors import TaskError, TransientError

COMPRESS_FROM_BYTES = 64 * 1024
MAX_RETRY_AFTER_S = 15 * 60
"""Longest wait that another side's ``Retry-After`` can ask for."""

if TYPE_CHECKING:
    Task = CeleryTask[Any, Any]
else:
    Task = CeleryTask  # generic in the stubs only


class NexusTask(Task):
    """A task that checks its arguments at submit and at start, and retries what can pass by itself."""

    abstract = True
    Request = "celery_nexus.delivery.ends.private_records:PrivateRequest"

    throws = (TaskError,)
    """Expected: logged in one line, without a traceback."""

    internal = False
    """Whether only other tasks and beat publish it: forms and listings leave it out."""

    private_arguments: tuple[str, ...] = ()
    """Arguments that stay out of logs, events, the history and result records; see ``privacy/arguments.py``."""

    private_result = False
    """Whether the result stays out of logs, events and the history; it is in the result backend alone."""

    def check(self, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
        """Check arguments as the worker would; see :func:`celery_nexus.runtime.arguments.validate`."""
        refuse_placeholders(self, args, kwargs)
        return arguments.validate(self.run, args or (), kwargs or {})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Check the arguments, then run."""
        if not self._is_checked:
            return self.run(*args, **kwargs)
        checked = self.check(args, kwargs)
        try:
            return self.run(**checked)
        except TransientError as error:
            raise self.retry(exc=error, countdown=self._retry_delay_s(error)) from error

    def apply_async(self, args: Any = None, kwargs: Any = None, *positional: Any, **options: Any) -> Any:
        """Check the arguments and publish a message.

        Raises:
            TaskError: The arguments are wrong; nothing was queued.
        """
        if self._is_checked:
            self.check(args, kwargs)
        if "compression" not in options and _size(args) + _size(kwargs) > COMPRESS_FROM_BYTES:
            options["compression"] = "gzip"
        options["argsrepr"], options["kwargsrepr"] = print_arguments(self, args, kwargs)
        return super().apply_async(args, kwargs, *positional, **options)

    @property
    def _is_checked(self) -> bool:
        # Celery's own tasks (chord_unlock …) share this base and have signatures that only it understands;
        # a signature that takes anything has nothing to check against.
        return not self.name.startswith("celery.") and not arguments.takes_anything(self.run)

    def _retry_delay_s(self, error: TransientError) -> float:
        spec = queues_of(self.app).of_task(self.name)
        policy = spec.retry if spec else RetryPolicy(max_retries=3, delay_s=10, exponential=True)
        if error.retry_after_s is not None:
            return min(error.retry_after_s, MAX_RETRY_AFTER_S)
        if not policy.exponential:
            return policy.delay_s
        delay = min(policy.delay_s * 2**self.request.retries, policy.max_delay_s)
        return delay * random.uniform(0.75, 1.25)  # noqa: S311  (jitter, no secret)


def _size(value: Any) -> int:
    """Roughly how many bytes a JSON value takes, without encoding it."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value)
        return sum(_size(key) + _size(item) for key, item in pairs.items())
    if isinstance(value, list | tuple):
        return sum(_size(item) for item in cast("Sequence[Any]", value))
    return 8
