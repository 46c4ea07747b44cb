"""Due times of a schedule, in time zones that change their clocks, and of schedules with clocks of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery
from celery.schedules import crontab, schedule, solar
from django_celery_beat.clockedschedule import clocked
from redbeat.schedules import rrule

from celery_nexus.schedule.due import due_times, find_due, next_due, period_of, start_of_grid

BERLIN: Any = Celery("shop", set_as_current=False)
BERLIN.conf.timezone = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def due(when: Any, after: str, until: str) -> list[str]:
    return [moment.isoformat(timespec="minutes") for moment in due_times(when, at(after), at(until))]


def test_a_daily_time_that_the_clocks_leap_over_is_due_when_they_have() -> None:
    daily = crontab(minute=30, hour=2, app=BERLIN)
    assert due(daily, "2026-03-28T00:00Z", "2026-03-30T12:00Z") == [
        "2026-03-28T01:30+00:00",
        "2026-03-29T01:30+00:00",
        "2026-03-30T00:30+00:00",
    ]


def test_a_daily_time_that_comes_twice_is_due_once() -> None:
    daily = crontab(minute=30, hour=2, app=BERLIN)
    assert due(daily, "2026-10-24T12:00Z", "2026-10-26T12:00Z") == ["2026-10-25T00:30+00:00", "2026-10-26T01:30+00:00"]


def test_of_an_hour_that_comes_twice_a_crontab_takes_the_first_as_beat_does() -> None:
    hourly = crontab(minute=0, app=BERLIN)
    assert due(hourly, "2026-10-24T23:30Z", "2026-10-25T03:00Z") == [
        "2026-10-25T00:00+00:00",
        "2026-10-25T02:00+00:00",
        "2026-10-25T03:00+00:00",
    ]


def test_an_interval_does_not_know_of_clocks() -> None:
    hourly = schedule(3600, app=BERLIN)
    assert due(hourly, "2026-10-24T23:10Z", "2026-10-25T02:30Z") == [
        "2026-10-25T00:10+00:00",
        "2026-10-25T01:10+00:00",
        "2026-10-25T02:10+00:00",
    ]


def test_the_due_time_is_the_moment_when_celery_itself_calls_the_entry_due() -> None:
    when = crontab(minute="*/20", hour="8-9", day_of_week="mon-fri", app=BERLIN)
    last = at("2026-03-27T08:40Z")
    found = next_due(when, last)
    assert found is not None
    assert found == at("2026-03-30T06:00Z")
    for moment, is_due in ((found - timedelta(seconds=1), False), (found, True)):
        told = crontab(minute="*/20", hour="8-9", day_of_week="mon-fri", app=BERLIN, nowfun=lambda now=moment: now)
        assert told.is_due(last).is_due is is_due


def test_a_schedule_whose_own_clock_is_ahead_is_due_so_much_earlier() -> None:
    ahead = crontab(minute=0, hour=12, app=BERLIN, nowfun=lambda: datetime.now(UTC) + timedelta(hours=2))
    assert due(ahead, "2026-06-01T00:00Z", "2026-06-01T23:00Z") == ["2026-06-01T08:00+00:00"]


def test_a_clock_that_tells_the_same_time_in_another_zone_changes_nothing() -> None:
    same = crontab(minute=0, hour=12, app=BERLIN, nowfun=lambda: datetime.now().astimezone())
    assert due(same, "2026-06-01T00:00Z", "2026-06-01T23:00Z") == ["2026-06-01T10:00+00:00"]


def test_a_time_of_the_sun_is_found_day_by_day() -> None:
    assert due(solar("sunset", 52.5, 13.4, app=BERLIN), "2026-06-01T00:00Z", "2026-06-02T23:59Z") == [
        "2026-06-01T19:19+00:00",
        "2026-06-02T19:20+00:00",
    ]


def test_a_single_time_is_due_once() -> None:
    once = clocked(at("2026-06-01T12:00Z"), app=BERLIN)
    assert due(once, "2026-01-01T00:00Z", "2027-01-01T00:00Z") == ["2026-06-01T12:00+00:00"]
    assert next_due(once, at("2026-06-01T12:00Z")) is None


def test_a_rule_that_ends_is_not_due_after_its_end() -> None:
    twice = rrule("DAILY", dtstart=at("2026-06-01T06:00Z"), count=2, app=BERLIN)
    assert due(twice, "2026-05-01T00:00Z", "2026-07-01T00:00Z") == ["2026-06-01T06:00+00:00", "2026-06-02T06:00+00:00"]


def test_an_interval_of_nothing_is_never_due_here() -> None:
    assert list(due_times(schedule(0, app=BERLIN), at("2026-06-01T00:00Z"), at("2027-06-01T00:00Z"))) == []


def test_ten_thousand_due_times_are_enough() -> None:
    second = schedule(1, app=BERLIN)
    assert len(list(due_times(second, at("2026-01-01T00:00Z"), at("2026-12-01T00:00Z")))) == 10_000


@pytest.mark.parametrize(
    ("when", "period"),
    [
        (schedule(300, app=BERLIN), timedelta(minutes=5)),
        (schedule(3600, relative=True, app=BERLIN), None),
        (crontab(app=BERLIN), None),
        (schedule(0, app=BERLIN), None),
    ],
)
def test_what_waits_after_each_run_has_a_period(when: Any, period: timedelta | None) -> None:
    assert period_of(when) == period


def test_an_interval_is_counted_from_its_last_run_into_any_window() -> None:
    every = schedule(600, app=BERLIN)
    last = at("2026-06-01T12:03Z")
    assert start_of_grid(every, last, at("2026-06-01T15:00Z")) == at("2026-06-01T14:53Z")
    assert start_of_grid(every, last, at("2026-06-01T09:00Z")) == at("2026-06-01T08:53Z")
    assert start_of_grid(every, None, at("2026-06-01T09:00Z")) == at("2026-06-01T09:00Z")


def test_both_ends_of_a_window_are_in_it() -> None:
    every, noon = schedule(600, app=BERLIN), at("2026-06-01T12:00Z")
    window = (noon, noon + timedelta(minutes=20))
    assert find_due(every, None, *window) == [noon, noon + timedelta(minutes=10), noon + timedelta(minutes=20)]
    assert find_due(every, noon - timedelta(minutes=4), *window) == [
        noon + timedelta(minutes=6),
        noon + timedelta(minutes=16),
    ]
    assert len(find_due(crontab(minute="*/10", app=BERLIN), None, *window)) == 3
