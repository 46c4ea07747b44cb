"""Runs to come in each quarter of an hour of the next day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery
from celery.schedules import crontab, schedule

from celery_nexus.schedule.day_ahead import SLICE, SLICES, count_day, slice_of
from celery_nexus.schedule.due import due_times, next_due
from celery_nexus.schedule.stored import StoredEntry

NOW = datetime(2026, 3, 14, 10, 42, 7, tzinfo=UTC)


def count(when: Any, next_at: datetime | None, now: datetime = NOW, **fields: Any) -> tuple[int, ...]:
    return count_day(StoredEntry("entry", "task", when, **fields), next_at, now)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu"])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"minute": "*/7"},
        {"minute": "0,20", "hour": "3,10,23"},
        {"minute": "5", "hour": "*/4", "day_of_week": "sun"},
        {"minute": "59", "day_of_month": "15"},
    ],
)
def test_a_crontab_is_counted_as_beat_would_send_it(fields: dict[str, Any], zone: str):
    app = Celery(set_as_current=False)
    app.conf.update(timezone=zone)
    when = crontab(**fields, app=app)
    first = next_due(when, NOW)
    assert first is not None
    expected = [0] * SLICES
    start = slice_of(NOW)
    for due in due_times(when, NOW, start + SLICES * SLICE - timedelta(seconds=1)):
        expected[(due - start) // SLICE] += 1
    assert count(when, first) == tuple(expected)


def test_what_is_due_every_second_is_counted_by_division():
    counts = count(schedule(timedelta(seconds=1)), NOW + timedelta(seconds=1))
    assert counts[0] == 172  # 10:42:08 to 10:44:59
    assert counts[1] == counts[95] == 900


def test_what_is_due_every_two_hours_is_in_every_eighth_slice():
    counts = count(schedule(timedelta(hours=2)), datetime(2026, 3, 14, 11, 0, tzinfo=UTC))
    assert [place for place, number in enumerate(counts) if number] == list(range(2, 96, 8))


def test_what_is_late_is_sent_at_once():
    counts = count(crontab(minute=0, hour=3, app=Celery(set_as_current=False)), NOW - timedelta(hours=1))
    assert (counts[0], sum(counts)) == (1, 2)


def test_nothing_of_a_paused_entry_is_to_come():
    assert sum(count(schedule(60), NOW, is_enabled=False)) == 0


def test_nothing_of_an_entry_that_is_over_is_to_come():
    assert sum(count(schedule(60), None, ends_at=NOW)) == sum(count(None, None, is_one_off=True, runs=1)) == 0


def test_what_is_sent_once_is_counted_once():
    counts = count(None, NOW + timedelta(hours=1), is_one_off=True)
    assert [place for place, number in enumerate(counts) if number] == [4]


def test_nothing_is_said_of_what_cannot_be_computed():
    assert count(None, None) == ()
    assert count(schedule(60), None) == ()
    assert count(object(), NOW + timedelta(minutes=1)) == ()


def test_nothing_is_to_come_after_its_end():
    counts = count(schedule(900), NOW + timedelta(minutes=15), ends_at=NOW + timedelta(minutes=65))
    assert sum(counts) == 4
