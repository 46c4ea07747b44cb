"""Entries of django-celery-beat, read and changed through the application's own Django.

Each question is asked in a thread of its own with a connection of its own, so that it may come from a program with an
event loop, and leaves nothing open. Beat sees a change within seconds: it looks at ``PeriodicTasks`` at each tick.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from celery_nexus.errors import SourceError
from celery_nexus.rows.schedule import Beat
from celery_nexus.schedule.due import SCHEDULE_ERRORS
from celery_nexus.schedule.stored import NAME_HEADER, StoredEntry, StoredPage

if TYPE_CHECKING:
    from celery import Celery

SOURCE = "django-celery-beat"

_APPLICATION = "django_celery_beat"
_SYNC_S = 180.0
"""Longest time until beat writes what it sent into the table (``Scheduler.sync_every``)."""

_OPTIONS = ("queue", "exchange", "routing_key", "priority")
_KINDS = ("interval", "crontab", "solar", "clocked")

Answer = TypeVar("Answer")


def is_installed() -> bool:
    """Tell whether this process has a Django with django-celery-beat among its applications."""
    import sys

    if "django" not in sys.modules:
        return False
    from django.apps import apps  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

    return bool(cast("Any", apps).ready and cast("Any", apps).is_installed(_APPLICATION))


class DjangoStore:
    """The rows of ``PeriodicTask``.

    Args:
        app: The application.
    """

    source = SOURCE
    notes_late_s = _SYNC_S

    def __init__(self, app: Celery) -> None:
        self._app = app

    def page(self, limit: int) -> StoredPage:
        """Read entries by name; without the table, say how it is made."""

        def question(model: Any) -> StoredPage:
            rows = model.objects.select_related(*_KINDS).order_by("name")
            return StoredPage([self._entry(row) for row in rows[:limit]], rows.count())

        try:
            return self._ask(question)
        except SourceError as error:
            return StoredPage(problem=f"{SOURCE}: {error}")

    def find(self, name: str) -> StoredEntry | None:
        """Read one entry."""

        def question(model: Any) -> StoredEntry | None:
            row = model.objects.select_related(*_KINDS).filter(name=name).first()
            return None if row is None else self._entry(row)

        return self._ask(question)

    def names(self, limit: int) -> Sequence[str]:
        """Name entries."""
        return self._ask(lambda model: list(model.objects.order_by("name").values_list("name", flat=True)[:limit]))

    def obstacle(self, name: str, change: str) -> str:
        """Say nothing: its entries can be changed."""
        del name, change
        return ""

    def set_enabled(self, entry: StoredEntry, now: datetime, *, is_enabled: bool) -> str:
        """Change the row, and tell beat; what is enabled again counts from now."""
        more = {"last_run_at": _stored_time(now)} if is_enabled else {}
        self._change(entry, {"enabled": is_enabled, **more})
        return "resumed" if is_enabled else "paused"

    def skip(self, entry: StoredEntry, due_at: datetime, then_at: datetime | None) -> None:
        """Let it start with the due time after; ``start_time`` is what beat itself never writes over.

        A crontab begins a second before: beat looks for its first due time after that.
        """
        if then_at is None:
            self._change(entry, {"enabled": False})
            return
        is_crontab = hasattr(entry.when, "_orig_minute")
        self._change(entry, {"start_time": _stored_time(then_at - timedelta(seconds=1 if is_crontab else 0))})

    def beat(self, now: datetime) -> Beat | None:
        """Say nothing: beat leaves no sign of itself in the tables."""
        del now
        return None

    def _change(self, entry: StoredEntry, values: dict[str, Any]) -> None:
        def change(model: Any) -> None:
            from django_celery_beat.models import PeriodicTasks  # pyright: ignore

            model.objects.filter(pk=entry.handle).update(**values)
            cast("Any", PeriodicTasks).update_changed()

        self._ask(change)

    def _ask(self, question: Callable[[Any], Answer]) -> Answer:
        """Ask a question of the model ``PeriodicTask``, in a thread with a connection of its own.

        Raises:
            SourceError: The database does not answer, or has no such table.
        """
        with ThreadPoolExecutor(1, "django-celery-beat") as thread:
            return thread.submit(_answer, question).result()

    def _entry(self, row: Any) -> StoredEntry:
        when, problem = self._schedule(row)
        args, kwargs, headers, unread = _arguments(row)
        problem = problem or unread
        options = {name: getattr(row, name) for name in _OPTIONS if getattr(row, name) is not None}
        if row.expires_ is not None:
            options["expires"] = row.expires_
        options["headers"] = {**headers, NAME_HEADER: row.name}
        return StoredEntry(
            row.name,
            row.task,
            when,
            args,
            kwargs,
            options,
            is_enabled=bool(row.enabled),
            last_at=_aware(row.last_run_at),
            runs=int(row.total_run_count),
            not_before=_aware(row.start_time),
            ends_at=_aware(row.expires),
            is_one_off=bool(row.one_off),
            problem=problem,
            unsendable=unread,
            handle=row.pk,
        )

    def _schedule(self, row: Any) -> tuple[Any, str]:
        from celery.schedules import ParseException
        from django.core.exceptions import ObjectDoesNotExist  # pyright: ignore

        if all(getattr(row, f"{kind}_id") is None for kind in _KINDS):
            return None, "has no schedule: one of interval, crontab, solar and clocked must be set"
        try:
            when = row.schedule
            when.app = self._app
        except (*SCHEDULE_ERRORS, ParseException, cast("type[Exception]", ObjectDoesNotExist)) as error:
            return None, f"its schedule can't be used: {error}"
        return when, ""


def _answer(question: Callable[[Any], Answer]) -> Answer:
    from django.core.exceptions import ImproperlyConfigured  # pyright: ignore
    from django.db import DatabaseError, InterfaceError, connections  # pyright: ignore
    from django_celery_beat.models import PeriodicTask  # pyright: ignore

    refused = cast("tuple[type[Exception], ...]", (DatabaseError, InterfaceError, ImproperlyConfigured))
    try:
        return question(PeriodicTask)
    except refused as error:
        raise SourceError(
            f"its tables can't be read: {' '.join(str(error).split())}; "
            f"when they were never made: python manage.py migrate {_APPLICATION}"
        ) from None
    finally:
        cast("Any", connections).close_all()


def _arguments(row: Any) -> tuple[list[Any], dict[str, Any], dict[str, Any], str]:
    """Read arguments and headers, and say what is wrong with them."""
    try:
        args, kwargs, headers = (
            json.loads(row.args or "[]"),
            json.loads(row.kwargs or "{}"),
            json.loads(row.headers or "{}"),
        )
    except ValueError as error:
        return [], {}, {}, f"its arguments are no JSON: {error}; beat disables it"
    if not isinstance(args, list) or not isinstance(kwargs, dict) or not isinstance(headers, dict):
        return [], {}, {}, "its arguments are no array and object: beat fails to send it"
    return cast("list[Any]", args), cast("dict[str, Any]", kwargs), cast("dict[str, Any]", headers), ""


def _aware(moment: datetime | None) -> datetime | None:
    """Return a time of the tables; a bare one (``USE_TZ`` is off) is of Django's zone, as Django has it."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        from django.utils import timezone  # pyright: ignore

        moment = cast("datetime", cast("Any", timezone).make_aware(moment))
    return moment.astimezone(UTC)


def _stored_time(moment: datetime) -> datetime:
    """Return a time as the tables take it."""
    from django.conf import settings  # pyright: ignore
    from django.utils import timezone  # pyright: ignore

    if cast("Any", settings).USE_TZ:
        return moment
    return cast("datetime", cast("Any", timezone).make_naive(moment))
