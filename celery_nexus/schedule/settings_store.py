"""Entries of an application's own settings: ``beat_schedule``, and what ``add_periodic_task`` adds to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from celery_nexus.errors import Refused
from celery_nexus.rows.schedule import Beat
from celery_nexus.schedule.due import SCHEDULE_ERRORS
from celery_nexus.schedule.stored import StoredEntry, StoredPage

if TYPE_CHECKING:
    from celery import Celery

SOURCE = "beat_schedule"

_ADVICE = (
    "its entries are code that beat reads when it starts: change it there, or let RedBeat "
    "(celery beat -S redbeat.RedBeatScheduler) or django-celery-beat keep the schedule, whose entries can be {change}"
)


class SettingsStore:
    """The entries of ``beat_schedule``.

    Args:
        app: The application.
    """

    source = SOURCE
    notes_late_s = 0.0

    def __init__(self, app: Celery) -> None:
        self._app = app

    def page(self, limit: int) -> StoredPage:
        """Read entries in the order in which they are written."""
        told = self._told()
        return StoredPage([self._entry(name, told[name]) for name in list(told)[:limit]], len(told))

    def find(self, name: str) -> StoredEntry | None:
        """Read one entry."""
        told = self._told()
        return self._entry(name, told[name]) if name in told else None

    def names(self, limit: int) -> Sequence[str]:
        """Name the entries."""
        return list(self._told())[:limit]

    def obstacle(self, name: str, change: str) -> str:
        """Say that nobody can tell beat."""
        return f"{name} is kept in {SOURCE} and can't be {change} from outside; {_ADVICE.format(change=change)}"

    def set_enabled(self, entry: StoredEntry, now: datetime, *, is_enabled: bool) -> str:
        """Refuse: nobody can tell beat."""
        del now
        raise Refused(self.obstacle(entry.name, "resumed" if is_enabled else "paused"))

    def skip(self, entry: StoredEntry, due_at: datetime, then_at: datetime | None) -> None:
        """Refuse: nobody can tell beat."""
        del due_at, then_at
        raise Refused(self.obstacle(entry.name, "skipped"))

    def beat(self, now: datetime) -> Beat | None:
        """Say nothing: beat keeps its notes in a file of its own."""
        del now
        return None

    def _told(self) -> Mapping[str, Any]:
        told: Any = cast("Any", self._app.conf).beat_schedule
        if not isinstance(told, Mapping):
            return {}
        return {str(name): value for name, value in cast("Mapping[Any, Any]", told).items()}

    def _entry(self, name: str, told: Any) -> StoredEntry:
        if not isinstance(told, Mapping) or not cast("Mapping[str, Any]", told).get("task"):
            return StoredEntry(
                name, "", problem=f"is no entry: it needs task and schedule; beat ends with an error ({SOURCE})"
            )
        fields = cast("Mapping[str, Any]", told)
        when, problem = make_schedule(fields.get("schedule"), self._app, is_rounded=bool(fields.get("relative")))
        unsendable = _wrong_type(fields)
        return StoredEntry(
            name,
            str(fields["task"]),
            when,
            args=list(_typed(fields, "args", Sequence)),
            kwargs=dict(_typed(fields, "kwargs", Mapping)),
            options=dict(_typed(fields, "options", Mapping)),
            problem=problem or unsendable,
            unsendable=unsendable,
        )


_TYPES = (("args", Sequence, "a list"), ("kwargs", Mapping, "a dict"), ("options", Mapping, "a dict"))


def _typed(fields: Mapping[str, Any], name: str, kind: type) -> Any:
    """Return a field of an entry; nothing when it is of another type."""
    value: Any = fields.get(name)
    return value if isinstance(value, kind) and not isinstance(value, str) else ()


def _wrong_type(fields: Mapping[str, Any]) -> str:
    """Say which field beat can't send; empty when it can send all."""
    for name, kind, words in (
        ("args", Sequence, "a list"),
        ("kwargs", Mapping, "a dict"),
        ("options", Mapping, "a dict"),
    ):
        value: Any = fields.get(name)
        if value and (isinstance(value, str) or not isinstance(value, kind)):
            return f"its {name} are of type {type(value).__name__}, not {words}: beat fails to send it"
    return ""


def make_schedule(told: Any, app: Celery | None, *, is_rounded: bool = False) -> tuple[Any, str]:
    """Make a schedule object of what an entry says: seconds, a timedelta, or one of Celery's objects.

    Returns:
        The object and "", or None and what is wrong.
    """
    from celery.schedules import maybe_schedule

    if told is None or isinstance(told, str | bool):
        return None, f"its schedule is {told!r}, not seconds, a timedelta or one of celery.schedules"
    try:
        when: Any = maybe_schedule(told, is_rounded, app=app)
        every: Any = getattr(when, "run_every", None)
        if not callable(getattr(when, "remaining_estimate", None)):
            return None, f"its schedule is of type {type(when).__name__}, not one of celery.schedules"
    except SCHEDULE_ERRORS as error:
        return None, f"its schedule can't be used: {error}"
    if isinstance(every, timedelta) and every <= timedelta(0):
        return None, f"is due every {every.total_seconds():g} seconds: beat sends it without a pause"
    return when, ""
