"""When a recurring report runs next: its next slot in UTC after its last run, whatever the time of day is here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from celery.schedules import crontab, schedule

from config.celery_config import celery_app
from workers.recurring import next_run


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A host's time zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cron(text: str) -> crontab:
    minute, hour, day, month, weekday = text.split()
    return crontab(minute, hour, weekday, day, month, app=celery_app)


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    ("when", "last", "now", "following"),
    [
        ("30 6 * * *", "2026-11-28T06:30:00", "2026-11-28T12:00:00", "2026-11-29T06:30:00"),
        ("30 6 * * *", "2026-11-28T06:30:00", "2026-11-29T06:29:59", "2026-11-29T06:30:00"),
        ("*/15 * * * *", "2026-11-28T06:45:00", "2026-11-28T06:59:00", "2026-11-28T07:00:00"),
        # Nights in which clocks change, in Europe and in America: a slot of UTC is neither missed nor moved
        ("30 1 * * *", "2026-03-28T01:30:00", "2026-03-28T20:00:00", "2026-03-29T01:30:00"),
        ("30 2 * * *", "2026-10-24T02:30:00", "2026-10-24T23:00:00", "2026-10-25T02:30:00"),
        ("30 6 * * *", "2026-03-07T06:30:00", "2026-03-07T20:00:00", "2026-03-08T06:30:00"),
        # Both day and weekday: the first Monday that is a 1st, not every 1st and every Monday
        ("0 0 1 * mon", "2026-11-28T00:00:00", "2026-11-28T00:00:00", "2027-02-01T00:00:00"),
        ("0 0 29 2 *", "2026-11-28T00:00:00", "2026-11-28T00:00:00", "2028-02-29T00:00:00"),
    ],
)
def test_a_cron_report_runs_at_its_next_slot(when: str, last: str, now: str, following: str) -> None:
    assert next_run(cron(when), at(last), at(now)) == at(following)


@pytest.mark.usefixtures("zone")
def test_it_stays_the_same_while_time_passes_and_never_moves_backwards() -> None:
    last = at("2026-11-28T06:30:00")
    for when in (cron("30 6 * * *"), schedule(timedelta(hours=24), app=celery_app)):
        seen = [next_run(when, last, last + timedelta(minutes=minutes)) for minutes in range(0, 1440, 97)]
        assert set(seen) == {at("2026-11-29T06:30:00")}


def test_an_overdue_one_runs_now() -> None:
    now = at("2026-12-05T10:00:00")
    assert next_run(cron("30 6 * * *"), at("2026-11-28T06:30:00"), now) == now
    assert next_run(schedule(timedelta(hours=1), app=celery_app), at("2026-11-28T06:30:00"), now) == now


def test_a_last_run_may_be_told_in_any_zone() -> None:
    last = at("2026-11-28T06:30:00").astimezone(timezone(timedelta(hours=9)))
    assert next_run(cron("30 6 * * *"), last, at("2026-11-28T12:00:00")) == at("2026-11-29T06:30:00")
