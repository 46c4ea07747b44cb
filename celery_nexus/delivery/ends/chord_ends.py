"""Completion of a stuck chord: a member was never counted, or the body never called."""

# Celery's backends have no complete stubs
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
from __future__ import annotations

import logging
from typing import Any

from celery import Celery, states
from celery.app.task import Context
from celery.exceptions import TaskRevokedError

from celery_nexus.delivery.ends.chord_records import ChordRecord

LOST = "lost: it is in no queue, and no worker has it"

logger = logging.getLogger(__name__)


def finish(app: Celery, group: str) -> None:
    """Count the parts that are missing, by what the result backend knows of each, and so call the body or fail it."""
    backend: Any = app.backend
    record: ChordRecord | None = backend.chord_records.read(group)
    if record is None:
        logger.warning("nothing is known of the chord %s: it can't be finished", group)
        return
    if record.size is None:
        backend.set_chord_size(group, len(record.members) or len(record.counted))
    for ids in record.missing:
        _count_part(backend, record, ids[0])
    unknown = (record.size or 0) - len(record.counted) - len(record.missing)
    for number in range(0 if record.members else unknown):  # a plain client published it: nobody knows who is missing
        context = _context(record, f"{group}-lost-{number}", None)
        backend.on_chord_part_return(context, states.REVOKED, TaskRevokedError(LOST))
    for entry in record.counted[:1]:  # all were counted, and who was to call the body died: any part does it
        run_id, _, place = entry.rpartition(":")
        _return_part(backend, record, run_id, int(place) if place.isdecimal() else None)


def _count_part(backend: Any, record: ChordRecord, run_id: str) -> None:
    place = next(number for number, ids in enumerate(record.members) if ids[0] == run_id)
    if backend.get_task_meta(run_id, cache=False).get("status") not in states.READY_STATES:
        backend.store_result(run_id, TaskRevokedError(LOST), states.REVOKED)
    _return_part(backend, record, run_id, place)


def _return_part(backend: Any, record: ChordRecord, run_id: str, place: int | None) -> None:
    meta = backend.get_task_meta(run_id, cache=False)
    backend.on_chord_part_return(_context(record, run_id, place), meta.get("status"), meta.get("result"))


def _context(record: ChordRecord, run_id: str, place: int | None) -> Context:
    return Context({"id": run_id, "group": record.group, "group_index": place, "chord": record.body})
