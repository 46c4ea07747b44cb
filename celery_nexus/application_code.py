"""Knowledge of an application's code, as far as it is imported here: its declared queues and its tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from celery_nexus.queues import NO_QUEUES, QueueRegistry

if TYPE_CHECKING:
    from celery import Celery

RESULT_EXPIRES_S = 24 * 3600
"""Celery's default of ``result_expires``."""

CHORD_EXPIRES_S = 30 * 24 * 3600
"""Time to live of a chord's counter after its last member: a pause, a backlog or a stopped stack does no harm."""


class ApplicationCode:
    """What readers know of an application beyond its broker; of one whose code is not here, nothing.

    Args:
        queues: What it declared of its queues.
        load: Imports the application; None when its code is not here. Called once, when its tasks are first needed:
            who looks at queue lengths does not wait for it.
        result_expires_s: Seconds that it keeps a result; None for ever.
        chord_expires_s: Seconds that it keeps what a chord counts; None for ever.
    """

    def __init__(
        self,
        queues: QueueRegistry = NO_QUEUES,
        load: Callable[[], Celery] | None = None,
        *,
        result_expires_s: int | None = RESULT_EXPIRES_S,
        chord_expires_s: int | None = RESULT_EXPIRES_S,
    ) -> None:
        self.queues = queues
        self.result_expires_s = result_expires_s
        self.chord_expires_s = chord_expires_s
        self._load = load

    @property
    def is_here(self) -> bool:
        """Whether the application can be imported."""
        return self._load is not None

    @cached_property
    def app(self) -> Celery:
        """The application with its tasks, imported at first use.

        Raises:
            LookupError: Its code is not here.
        """
        if self._load is None:
            raise LookupError("the application's code is not here")
        return self._load()

    def list_settings(self) -> dict[str, Any]:
        """List the settings of the application that are not Celery's defaults; of those that Celery does not know, and
        of what holds arguments, only the names. Secrets are in it.

        Raises:
            LookupError: Its code is not here.
        """
        from celery.app.defaults import NAMESPACES, flatten

        conf: Any = self.app.conf
        known = {name for name, _ in flatten(NAMESPACES)}
        changed = dict(conf.table(with_defaults=False, censored=False))
        changed.pop("deprecated_settings", None)  # Celery's own note
        settings: dict[str, Any] = {}
        for name, value in sorted(changed.items()):
            if name not in known:
                settings.setdefault("own", []).append(name)
            elif name == "beat_schedule":
                settings[name] = sorted(map(str, value))
            else:
                settings[name] = _to_json(value)
        return settings

    def app_of(self, task: str) -> Celery | None:
        """Return the application when it has a task of this name.

        An application that declared its queues is not imported for a task of another module.
        """
        if self._load is None or (len(self.queues) and self.queues.of_task(task) is None):
            return None
        return self.app if self._find(task) is not None else None

    def _find(self, task: str) -> Any:
        return self.app.tasks.get(task) or self.queues.of_task(task)


def _to_json(value: Any) -> Any:
    """Copy a setting as JSON; what is no JSON as it describes itself."""
    if isinstance(value, dict):
        return {str(key): _to_json(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_to_json(item) for item in cast("Iterable[Any]", value)]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


NO_CODE = ApplicationCode()
"""Stands for the code of an application of which only the broker's address is known."""
