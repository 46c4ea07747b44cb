"""What can be submitted, and submitting it: the Celery application, imported when it is first needed."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from celery_nexus.catalog.task_names import resolve_task
from celery_nexus.errors import Invalid, NotFound, SourceError, Unreachable
from celery_nexus.queues import DEFAULT_PRIORITY, PRIORITIES
from celery_nexus.rows.catalog import Submitted, TaskParameter, TaskType
from config.queues import spec_of_task

if TYPE_CHECKING:
    from celery import Celery

    from celery_nexus.runtime.arguments import Parameter

MAX_MESSAGE_BYTES = 1024 * 1024
"""A larger message is refused: give tasks a path, not the content."""


class CatalogSource:
    """The task types of our own application; see :class:`.foreign_catalog.ForeignCatalog` for others."""

    @cached_property
    def app(self) -> Celery:
        """The application, imported at first use (about half a second)."""
        from config.celery_config import celery_app

        celery_app.loader.import_default_modules()
        return celery_app

    def task_types(self) -> tuple[TaskType, ...]:
        """List the task types that can be submitted, by name."""
        names = sorted(name for name, task in self._tasks.items() if not _is_hidden(name, task))
        return tuple(self.task_type(name) for name in names)

    def task_type(self, name: str) -> TaskType:
        """Describe one task type from its signature and docstring.

        Raises:
            NotFound: No task has that name.
        """
        from celery_nexus.runtime import arguments

        task = self._task(name)
        return TaskType(
            name=name,
            queue=self.queue_of(name),
            summary=arguments.summary(task.run),
            help=task.run.__doc__ or "",
            parameters=tuple(_parameter(row) for row in arguments.parameters(task.run)),
        )

    def full_name(self, name: str) -> str:
        """Return the full name of the task that a name means: its own, or the unique end of one.

        Raises:
            NotFound: No task is called so; names one that is near.
            Invalid: Several are; lists them.
        """
        if name in self._tasks:
            return name
        return resolve_task(name, [known for known, task in self._tasks.items() if not _is_hidden(known, task)])

    def check(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Check arguments as the worker will.

        Raises:
            NotFound: No task has that name.
            Invalid: Names the argument, what is wrong and what would be right.
        """
        from celery_nexus.task_errors import TaskError

        task = self._task(name)
        try:
            task.check(args, kwargs)
        except TaskError as error:
            raise Invalid(str(error)) from None

    def submit(
        self,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        *,
        priority: int | None = None,
        countdown_s: float | None = None,
        eta: datetime | None = None,
        queue: str | None = None,
        lineage: tuple[str, str] | None = None,
    ) -> Submitted:
        """Check the arguments and publish a message; it is in Redis when this returns.

        Args:
            name: Task name.
            args: Positional arguments.
            kwargs: Keyword arguments.
            priority: 0 first … 9 last; None is the default.
            countdown_s: Not before so many seconds have passed.
            eta: Not before this time (aware).
            queue: Where it goes; None goes by the routes.
            lineage: Ids of the first run of its workflow and of the run that it follows.

        Raises:
            NotFound: No task or queue has that name.
            Invalid: Wrong arguments, priority, time or size.
            Unreachable: The broker can't be reached or refuses; nothing was queued.
        """
        self.check(name, args, kwargs)
        check_options(priority, countdown_s, eta)
        check_size(args, kwargs)
        self._check_queue(queue)
        task = self._task(name)
        level = DEFAULT_PRIORITY if priority is None else priority
        options: dict[str, Any] = {"priority": level, "countdown": countdown_s, "eta": eta, "retry": False}
        if queue is not None:
            options["queue"] = queue
        if lineage is not None:
            options["root_id"], options["parent_id"] = lineage
        with self._broker_errors("nothing was queued"):
            result = task.apply_async(list(args), dict(kwargs), **options)
        return Submitted(id=str(result.id), task=name, queue=queue or self.queue_of(name), priority=level)

    def queue_of(self, name: str) -> str:
        """Name the queue to which runs of a task go by themselves."""
        spec = spec_of_task(name)
        return spec.name if spec else str(self.app.conf.task_default_queue)

    def uses_priorities(self) -> bool:
        """Tell whether a run without a priority has to be asked for one: ours get the default."""
        return False

    def wait(self, run_id: str, timeout_s: float | None = None) -> tuple[str, Any]:
        """Wait for a run's end and return its state and its result, or its error as ``Type: message``.

        Raises:
            SourceError: It had not ended within ``timeout_s`` seconds.
            Unreachable: The result backend can't be reached.
        """
        from celery.exceptions import TimeoutError as ResultTimeout

        result = self.app.AsyncResult(run_id)
        with self._broker_errors(f"the run {run_id} goes on without us"):
            try:
                value: Any = cast("Any", result).get(timeout=timeout_s, propagate=False)
            except ResultTimeout:
                place = f"celery-task-meta-{run_id} at {cast('Any', self.app).backend.as_uri()}"
                raise SourceError(
                    f"{run_id} had not ended after {timeout_s:g} s; it goes on. Its result is looked for in {place}"
                ) from None
            state = str(result.state)
        if state == "SUCCESS":
            return state, value
        from celery_nexus.privacy.masking import mask_text

        return state, mask_text(f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else str(value))

    @property
    def _tasks(self) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", self.app.tasks)

    def _task(self, name: str) -> Any:
        return self._tasks[self.full_name(name)]

    def _check_queue(self, queue: str | None) -> None:
        if queue is not None and queue not in self.app.amqp.queues:
            raise NotFound(f"no queue {queue!r}; there are {', '.join(sorted(self.app.amqp.queues))}")

    @contextmanager
    def _broker_errors(self, consequence: str) -> Generator[None]:
        from kombu.exceptions import OperationalError
        from redis.exceptions import RedisError

        try:
            yield
        except (OperationalError, RedisError, OSError) as error:
            from config.settings import settings

            raise Unreachable(
                f"{consequence}: the broker at {settings().broker.masked} did not accept it ({error})"
            ) from None


def _is_hidden(name: str, task: Any) -> bool:
    return name.startswith("celery.") or bool(getattr(task, "internal", False))


def _parameter(row: Parameter) -> TaskParameter:
    from celery_nexus.privacy.secret_names import is_secret_name

    fields = tuple(map(_parameter, row.fields))
    return TaskParameter(
        row.name, row.kind, row.type_label, row.required, row.default, row.choices, row.help,
        is_secret_name(row.name), fields,
    )  # fmt: skip


def check_options(priority: int | None, countdown_s: float | None, eta: datetime | None) -> None:
    """Make sure that priority and time make sense.

    Raises:
        Invalid: They don't.
    """
    if priority is not None and priority not in PRIORITIES:
        raise Invalid(f"priority {priority} is outside 0 (first) … 9 (last)")
    if countdown_s is not None and eta is not None:
        raise Invalid("give a countdown or a time, not both")
    if countdown_s is not None and not 0 <= countdown_s <= 10 * 365 * 86400:
        raise Invalid(f"countdown {countdown_s:g} is not between 0 and ten years of seconds")
    if eta is not None and eta.tzinfo is None:
        raise Invalid(f"time {eta.isoformat()} has no zone; write it like {datetime.now(UTC):%Y-%m-%dT%H:%M:%S}+00:00")


def check_size(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Make sure that arguments are JSON and small enough for a message.

    Raises:
        Invalid: They are not.
    """
    import orjson

    try:
        size = len(orjson.dumps([list(args), dict(kwargs)]))
    except (TypeError, orjson.JSONEncodeError) as error:
        raise Invalid(f"arguments are not JSON: {error}") from None
    if size > MAX_MESSAGE_BYTES:
        raise Invalid(
            f"arguments take {size:,} bytes, {MAX_MESSAGE_BYTES:,} are allowed: pass a path instead of content"
        )
