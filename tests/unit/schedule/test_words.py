"""Schedules in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery import Celery
from celery.schedules import BaseSchedule, crontab, schedule, solar
from django_celery_beat.clockedschedule import clocked
from django_celery_beat.tzcrontab import TzAwareCrontab

from celery_nexus.schedule.words import every_words, spec_words

BERLIN: Any = Celery("shop", set_as_current=False)
BERLIN.conf.timezone = "Europe/Berlin"

CRONTABS: list[tuple[dict[str, Any], str]] = [
    ({}, "every minute"),
    ({"minute": "*/15"}, "every 15 minutes"),
    ({"minute": "*/7"}, "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour"),
    ({"minute": 17}, "at minute 17 of every hour"),
    ({"minute": "0-5"}, "at minutes 0 to 5 of every hour"),
    ({"minute": 0, "hour": 3}, "at 03:00, Europe/Berlin"),
    ({"minute": 0, "hour": 3, "day_of_week": "mon"}, "at 03:00 on Mondays, Europe/Berlin"),
    ({"minute": 5, "hour": "3,15"}, "at 03:05 and 15:05, Europe/Berlin"),
    (
        {"minute": 0, "hour": "8-18", "day_of_week": "mon-fri"},
        "every hour from 08:00 to 18:00 on weekdays, Europe/Berlin",
    ),
    ({"minute": "*/10", "hour": "8-18"}, "every 10 minutes from 08:00 to 18:59, Europe/Berlin"),
    ({"minute": "*", "hour": 5}, "every minute from 05:00 to 05:59, Europe/Berlin"),
    ({"minute": "*/20", "hour": "*/8"}, "every 20 minutes in hours 0, 8 and 16, Europe/Berlin"),
    ({"minute": 0, "hour": 0, "day_of_week": "sat,sun"}, "at 00:00 on Saturdays and Sundays, Europe/Berlin"),
    ({"minute": 0, "hour": 0, "day_of_month": 1}, "at 00:00 on day 1 of the month, Europe/Berlin"),
    (
        {"minute": 0, "hour": 0, "day_of_month": 13, "day_of_week": "fri"},
        "at 00:00 on day 13 of the month if it is a Friday, Europe/Berlin",
    ),
    ({"minute": 0, "hour": 0, "month_of_year": "1,7"}, "at 00:00 in January and July, Europe/Berlin"),
    ({"minute": "*/30", "day_of_week": "sun"}, "every 30 minutes on Sundays, Europe/Berlin"),
]


@pytest.mark.parametrize(("fields", "words"), CRONTABS, ids=[words for _, words in CRONTABS])
def test_a_crontab_is_told_by_its_times_days_and_zone(fields: dict[str, Any], words: str) -> None:
    assert spec_words(crontab(**fields, app=BERLIN)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "every second"),
        (90, "every 90 seconds"),
        (300, "every 5 minutes"),
        (3600, "every hour"),
        (86400, "every day"),
        (1209600, "every 14 days"),
        (0.5, "every 0.5 seconds"),
        (1_000_001, "every 1,000,001 seconds"),
    ],
)
def test_an_interval_is_told_in_its_largest_whole_unit(seconds: float, words: str) -> None:
    assert every_words(seconds) == words


def test_an_interval_that_is_rounded_says_so() -> None:
    assert spec_words(schedule(3600, relative=True, app=BERLIN)) == "every hour, rounded to the clock"


def test_a_crontab_of_django_has_a_zone_of_its_own() -> None:
    tokyo: Any = ZoneInfo("Asia/Tokyo")
    assert spec_words(TzAwareCrontab(minute="0", hour="9", tz=tokyo, app=BERLIN)) == "at 09:00, Asia/Tokyo"


def test_sun_and_single_times_are_told() -> None:
    assert spec_words(solar("dawn_civil", 52.5, -13.4, app=BERLIN)) == "at dawn civil at latitude 52.5, longitude -13.4"
    assert spec_words(clocked(datetime(2026, 6, 1, 12, tzinfo=UTC))) == "once at 2026-06-01T12:00:00+00:00"


def test_a_schedule_of_an_unknown_kind_can_not_paint_the_terminal() -> None:
    class Moon(BaseSchedule):
        def __repr__(self) -> str:
            return "<full \x1b[31mmoon>"

    assert spec_words(Moon(app=BERLIN)) == "<full ␛[31mmoon>"
