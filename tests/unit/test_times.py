"""Times in messages: with any zone, and without one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from celery.utils.time import maybe_make_aware
from dateutil.parser import isoparse

from celery_nexus.delivery import validation
from celery_nexus.history.store.event_fields import iso_time
from celery_nexus.times import parse_time

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture(params=["America/New_York", "Asia/Shanghai", "UTC"], autouse=True)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The machine's own zone, which must not matter."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-28T12:00:00+00:00",
        "2026-11-28T12:00:00Z",
        "2026-11-28T07:00:00-05:00",
        "2026-11-28T20:00:00.000000+08:00",
        "2026-11-28T17:45:00+05:45",
        "2026-11-28T12:00:00",
    ],
)
def test_every_spelling_of_a_moment_is_that_moment_as_celery_reads_it(text: str) -> None:
    assert parse_time(text) == NOON
    assert validation.due_at({"eta": text}) == iso_time(text) == NOON.timestamp()
    assert maybe_make_aware(isoparse(text)) == NOON


@pytest.mark.parametrize("text", ["soon", "", None, 5, "9999-99-99", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_none(text: object) -> None:
    assert parse_time(text) is None
