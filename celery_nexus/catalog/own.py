"""Catalog of an application whose code is here; it is imported at first use."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from celery_nexus.application_code import ApplicationCode
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.errors import Invalid, NotFound, SourceError, Unreachable
from celery_nexus.queues import PRIORITIES
from celery_nexus.rows.catalog import Sent, Submitted, TaskType
from celery_nexus.rows.task_names import resolve_task

if TYPE_CHECKING:
    from celery import Celery


MAX_MESSAGE_BYTES = 1024 * 1024
"""A larger message is refused: give tasks a path, not the content."""


class CatalogSource:
    """The task types of an application whose code is here; see :class:`.foreign.ForeignCatalog` for others.

    Args:
        code: Its code, imported at first use.
        url: Its broker.
    """

    def __init__(self, code: ApplicationCode, url: BrokerUrl) -> None:
        self._code = code
        self._url = url

    @property
    def app(self) -> Celery:
        """The application, imported at first use (about half a second)."""
        return self._code.app

    def demonstrate(self, rate_per_s: float, for_s: float | None, seed: int) -> Iterator[Sent]:
        """Send work that the application offers for trying it out, and tell each piece; None: until stopped.

        Raises:
            NotFound: The application offers none.
            SourceError: What the work needs can't be made, or the broker does not accept it.
        """
        from celery_nexus.catalog.demonstration import Demonstration

        return Demonstration(self.app, seed).send(rate_per_s, for_s)

    def task_types(self) -> tuple[TaskType, ...]:
        """List the task types that can be submitted, by name."""
        names = sorted(name for name, task in self._tasks.items() if not _is_hidden(name, task))
        return tuple(self.task_type(name) for name in names)

    def task_type(self, name: str) -> TaskType:
        """Describe one task type from its signature and docstring; the unique end of its name is enough.

        Raises:
            NotFound: No task has that name.
        """
        from celery_nexus.runtime import arguments

        name = self.full_name(name)
        task = self._task(name)
        return TaskType(
            name=name,
            queue=self.queue_of(name),
            time_limit_s=_seconds(task.time_limit, self.app.conf.task_time_limit),
            soft_time_limit_s=_seconds(task.soft_time_limit, self.app.conf.task_soft_time_limit),
            rate_limit=str(task.rate_limit or "") or None,
            summary=arguments.summary(task.run),
            help=task.run.__doc__ or "",
            parameters=arguments.parameters(task.run),
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
            task.check(args, kwargs) if _checks(task) else check_call(task, args, kwargs)
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
        options: dict[str, Any] = {"countdown": countdown_s, "eta": eta, "retry": False}
        if priority is not None:
            options["priority"] = priority
        if queue is not None:
            options["queue"] = queue
        if lineage is not None:
            options["root_id"], options["parent_id"] = lineage
        with self._broker_errors("nothing was queued"):
            result = task.apply_async(list(args), dict(kwargs), **options)
        level = self._priority_of(task) if priority is None else priority
        return Submitted(id=str(result.id), task=name, queue=queue or self.queue_of(name), priority=level)

    def send(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> Submitted:
        """Publish a message with options of Celery's own, as beat does: also of a task that is not known here.

        Args:
            name: Task name.
            args: Positional arguments.
            kwargs: Keyword arguments.
            options: Those of ``apply_async``: queue, priority, headers, expires …

        Raises:
            Invalid: Its task refuses the arguments, or they can't be written.
            Unreachable: The broker can't be reached or refuses; nothing was queued.
        """
        from kombu.exceptions import EncodeError

        from celery_nexus.task_errors import TaskError

        task = self._tasks.get(name)
        try:
            with self._broker_errors("nothing was queued"):
                if task is None:
                    result = self.app.send_task(name, list(args), dict(kwargs), **options)
                else:
                    result = task.apply_async(list(args), dict(kwargs), **options)
        except (TaskError, EncodeError, TypeError) as error:
            raise Invalid(f"{name}: {error}; nothing was queued") from None
        queue: Any = options.get("queue")
        place = str(getattr(queue, "name", None) or queue or self.queue_of(name))
        level = options.get("priority", self._priority_of(task))
        return Submitted(id=str(result.id), task=name, queue=place, priority=level)

    def _priority_of(self, task: Any) -> int | None:
        own: int | None = getattr(task, "priority", None)
        usual: int | None = self.app.conf.task_default_priority
        return usual if own is None else own

    def queue_of(self, name: str) -> str:
        """Name the queue to which runs of a task go by themselves."""
        spec = self._code.queues.of_task(name)
        if spec is not None:
            return spec.name
        task = self._tasks.get(name)
        chosen = {key: value for key in ("queue", "exchange", "routing_key") if (value := getattr(task, key, None))}
        route: Any = self.app.amqp.router.route(chosen, name, (), {}, task)
        queue = route.get("queue")
        return str(getattr(queue, "name", None) or queue or self.app.conf.task_default_queue)

    def uses_priorities(self) -> bool:
        """Tell whether a run without a priority has to be asked for one: an application whose code is here has one."""
        return False

    def wait(self, run: Submitted, timeout_s: float | None = None) -> tuple[str, Any]:
        """Wait for a run's end and return its state and its result, or its error as ``Type: message``.

        Raises:
            SourceError: It had not ended within ``timeout_s`` seconds, or no result of it will be kept.
            Unreachable: The result backend can't be reached.
        """
        from celery.exceptions import TimeoutError as ResultTimeout

        run_id = run.id
        self._check_results(run)
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

    def _check_results(self, run: Submitted) -> None:
        """Make sure that a run leaves a result.

        Raises:
            SourceError: It leaves none, and who waits for it would wait for ever.
        """
        from celery.backends.base import DisabledBackend

        if isinstance(cast("Any", self.app).backend, DisabledBackend):
            why = "the application keeps no results (result_backend)"
        elif self._task(run.task).ignore_result:
            why = f"{run.task} keeps no result (ignore_result)"
        else:
            return
        raise SourceError(f"{run.id} was queued; its end can't be waited for: {why}")

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
            raise Unreachable(f"{consequence}: the broker at {self._url.masked} did not accept it ({error})") from None


def _seconds(own: float | None, usual: float | None) -> float | None:
    return usual if own is None else own


def _checks(task: Any) -> bool:
    """Tell whether a task checks its arguments by their types, as ours do; see :class:`.runtime.task.NexusTask`."""
    return callable(getattr(task, "check", None)) and hasattr(task, "private_arguments")


def check_call(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Make sure that a function can be called so: what a stock task takes, its worker finds out when it runs.

    Raises:
        Invalid: An argument is missing, unknown or given twice.
    """
    import inspect

    try:
        inspect.signature(task.run).bind(*args, **kwargs)
    except TypeError as error:
        parameters = inspect.signature(task.run).parameters.values()
        takes = ", ".join(str(row.replace(annotation=row.empty)) for row in parameters)
        raise Invalid(f"{task.name}: {error}; it takes ({takes})") from None


def _is_hidden(name: str, task: Any) -> bool:
    return name.startswith("celery.") or bool(getattr(task, "internal", False))


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
