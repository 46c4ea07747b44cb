"""Beat's scheduler: RedBeat, with slots that are neither lost nor run twice.

RedBeat notes a run before it publishes it: a beat killed in between loses the slot. Here the message goes out
first, under an id made of the entry's name and its last run, and the note follows: a beat killed in between
publishes the same id once more, which tasks that must not repeat themselves recognise.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from celery.beat import SchedulingError
from kombu.exceptions import OperationalError
from redbeat import RedBeatScheduler
from redbeat.schedulers import get_redis  # pyright: ignore[reportUnknownVariableType]
from redis import RedisError

from celery_nexus.schedule.stored import CONDITION

SLOTS = uuid.UUID("5c1f2a54-5b7e-5a39-9a55-0c6a4b0f7d11")
"""Namespace of the ids."""

_NO_CONNECTION = (OperationalError, RedisError, OSError)


def slot_id(entry: Any) -> str:
    """Name the run that an entry is due for: the same until the entry's run is noted."""
    last = entry.last_run_at.isoformat() if entry.last_run_at else "never"
    return str(uuid.uuid5(SLOTS, f"{entry.name}\n{last}"))


class SlotScheduler(RedBeatScheduler):  # pyright: ignore[reportUntypedBaseClass]
    """Publishes a due run under its slot's id, then notes it. What is paused stays so when beat starts anew."""

    keeps_pauses = True
    """Said to whoever pauses an entry, see :mod:`celery_nexus.schedule.redbeat_store`."""

    def update_from_dict(self, dict_: dict[str, Any]) -> None:
        """Write the entries of the settings, which RedBeat would enable again."""
        paused = [name for name in dict_ if (entry := self._stored(name)) is not None and not entry.enabled]
        super().update_from_dict(dict_)
        for name in paused:
            entry = self._stored(name)
            entry.enabled = False
            entry.save()

    def _stored(self, name: str) -> Any:
        kind: Any = self.Entry
        try:
            return kind.from_key(kind.generate_key(self.app, name), app=self.app)
        except KeyError:
            return None

    def maybe_due(self, entry: Any, **kwargs: Any) -> Any:
        """Publish an entry whose time has come; one that has nothing to do is noted as run."""
        condition = entry.options.get(CONDITION)
        if condition:
            is_due, next_s = entry.is_due()
            if is_due and not self._anything_due(condition):
                self.reserve(entry)
                return next_s
        return super().maybe_due(entry, **kwargs)

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        """Publish; what can't be published for want of a connection stays due, any other failure is noted as run."""
        options = entry.options
        entry.options = {"task_id": slot_id(entry), **options}
        entry.options.pop(CONDITION, None)
        try:
            sent = super().apply_async(entry, producer=producer, advance=False, **kwargs)
        except SchedulingError as error:
            if advance and not isinstance(error.__context__, _NO_CONNECTION):
                self.reserve(entry)
            raise
        finally:
            entry.options = options
        if advance:
            self.reserve(entry)
        return sent

    def _anything_due(self, condition: Mapping[str, float]) -> bool:
        now = time.time()
        pipeline = get_redis(self.app).pipeline(transaction=False)
        for key, seconds in condition.items():
            pipeline.zcount(key, "-inf", now - seconds)
        try:
            return any(pipeline.execute())
        except _NO_CONNECTION:
            return True  # publishing will say what is wrong
