"""Counters that go on growing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from celery_nexus.metrics.totals import YearTotals
from celery_nexus.rows.history import RunTotals


def minute(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp() // 60)  # type: ignore[arg-type]


@dataclass
class Past:
    """A history with a run of one second in each of some minutes; notes what it was asked."""

    runs: list[int]
    asked: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def totals(self, first_minute: int, end_minute: int) -> list[RunTotals]:
        self.asked.append((first_minute, end_minute))
        count = sum(first_minute <= at < end_minute for at in self.runs)
        return [RunTotals("a.b", "celery", "SUCCESS", count, (), ((1.0, count),))] if count else []


def count(totals: YearTotals, *when: int) -> int:
    found = totals.read(minute(*when) * 60.0)
    return found["a.b", "celery", "SUCCESS"].count if found else 0


def test_everything_since_the_year_began_is_counted_and_nothing_before() -> None:
    past = Past([minute(2025, 12, 31, 23, 59), minute(2026, 1, 1), minute(2026, 3, 4, 5, 6), minute(2026, 3, 5)])
    found = YearTotals(past).read(minute(2026, 3, 5, 12) * 60.0)
    tally = found["a.b", "celery", "SUCCESS"]
    assert (tally.count, tally.ran) == (3, Counter({1.0: 3}))


def test_past_days_are_added_up_once() -> None:
    past = Past([minute(2026, 1, 1), minute(2026, 3, 4, 5, 6)])
    totals = YearTotals(past)
    assert [count(totals, 2026, 3, 5, 12), count(totals, 2026, 3, 5, 13)] == [2, 2]
    today = minute(2026, 3, 5)
    assert past.asked == [
        (minute(2026, 1, 1), today),
        (today, minute(2026, 3, 5, 12) + 1),
        (today, minute(2026, 3, 5, 13) + 1),
    ]


def test_what_comes_late_around_midnight_is_counted() -> None:
    past = Past([])
    totals = YearTotals(past)
    assert count(totals, 2026, 3, 5, 0, 30) == 0
    past.runs.append(minute(2026, 3, 4, 23, 59))
    assert count(totals, 2026, 3, 5, 1) == 1
    assert count(totals, 2026, 3, 5, 9) == 1


def test_a_new_year_begins_at_zero() -> None:
    past = Past([minute(2026, 5, 1)])
    totals = YearTotals(past)
    assert count(totals, 2026, 12, 31, 23, 59) == 1
    past.runs.append(minute(2027, 1, 1))
    assert count(totals, 2027, 1, 1) == 1


def test_what_was_handed_out_is_not_changed_by_the_next_reading() -> None:
    past = Past([minute(2026, 1, 2)])
    totals = YearTotals(past)
    first = totals.read(minute(2026, 3, 1) * 60.0)
    past.runs.append(minute(2026, 3, 1))
    totals.read(minute(2026, 3, 1, 1) * 60.0)
    assert first["a.b", "celery", "SUCCESS"].count == 1
