"""Rows of entries: when an entry is sent next, whether it is late, what was missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from celery import Celery
from celery.schedules import crontab, schedule
from django_celery_beat.clockedschedule import clocked

from celery_nexus.rows.runs import Run
from celery_nexus.rows.schedule import MissedRuns, ScheduleEntry
from celery_nexus.schedule.entries import Facts, Turn, find_turn, make_entry
from celery_nexus.schedule.recorded import Coverage, is_sent_twice, judge_missed, may_hide_runs
from celery_nexus.schedule.stored import CONDITION, StoredEntry

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SHOP: Any = Celery("shop", set_as_current=False)
EVERY_TEN: Any = schedule(600, app=SHOP)
DAILY: Any = crontab(minute="0", hour="3", app=SHOP)
ALL_DAY = Coverage(NOON - timedelta(days=1), NOON)


def stored(when: Any = EVERY_TEN, **more: Any) -> StoredEntry:
    return StoredEntry("tick", "shop.tick", when, **more)


def runs(*minutes_ago: float) -> list[Run]:
    """Runs that were sent so long before noon, newest first."""
    moments = [NOON - timedelta(minutes=ago) for ago in sorted(minutes_ago)]
    return [Run(f"run-{number}", "shop.tick", "SUCCESS", sent_at=at) for number, at in enumerate(moments)]


def row(entry: StoredEntry, **facts: Any) -> ScheduleEntry:
    return make_entry(entry, Facts("RedBeat", [], {}, "celery", **facts), NOON)


def missed(entry: StoredEntry, found: list[Run], covered: Coverage = ALL_DAY, **more: Any) -> MissedRuns:
    return judge_missed(entry, found, covered, NOON - timedelta(hours=2), **more)


def test_the_next_due_time_follows_the_last_run() -> None:
    assert find_turn(stored(), NOON - timedelta(minutes=4), NOON) == Turn(NOON + timedelta(minutes=6))


def test_an_entry_that_beat_did_not_send_is_late() -> None:
    assert find_turn(stored(), NOON - timedelta(minutes=25), NOON) == Turn(NOON - timedelta(minutes=15), 900.0)


def test_beat_may_take_half_a_minute() -> None:
    assert find_turn(stored(), NOON - timedelta(minutes=10, seconds=20), NOON).late_s is None


def test_a_store_that_notes_runs_late_is_given_the_time() -> None:
    last_at = NOON - timedelta(minutes=12)
    assert find_turn(stored(), last_at, NOON, 180.0) == Turn(NOON + timedelta(minutes=8))
    assert find_turn(stored(), last_at, NOON).late_s == 120.0


def test_of_an_interval_nobody_knows_when_it_was_sent_the_next_time_is_not_known() -> None:
    assert find_turn(stored(), None, NOON) == Turn()
    assert find_turn(stored(DAILY), None, NOON) == Turn(datetime(2026, 6, 2, 3, tzinfo=UTC))


def test_nothing_is_due_before_its_begin_after_its_end_or_a_second_time() -> None:
    later = NOON + timedelta(days=3)
    assert find_turn(stored(DAILY, not_before=later), None, NOON).next_at == datetime(2026, 6, 5, 3, tzinfo=UTC)
    assert find_turn(stored(not_before=later), NOON, NOON).next_at == later
    assert find_turn(stored(DAILY, ends_at=NOON + timedelta(hours=1)), NOON, NOON) == Turn()
    assert find_turn(stored(DAILY, is_one_off=True, runs=1), NOON, NOON) == Turn()


def test_a_single_time_that_passed_unsent_is_late() -> None:
    once = stored(clocked(NOON - timedelta(hours=1)), is_one_off=True, runs=0)
    assert find_turn(once, None, NOON) == Turn(NOON - timedelta(hours=1), 3600.0)


def test_a_skipped_due_time_is_no_run_and_the_next_one_follows_it() -> None:
    skipped = NOON + timedelta(minutes=6)
    found = row(stored(last_at=skipped, runs=8))
    assert (found.last_at, found.next_at, found.next_words(NOON)) == (
        None,
        NOON + timedelta(minutes=16),
        "in 16 m 00 s",
    )


def test_an_entry_that_never_ran_has_no_last_run() -> None:
    assert row(stored(last_at=NOON - timedelta(minutes=1), runs=0)).last_at is None


def test_what_is_paused_is_neither_due_nor_late() -> None:
    found = row(stored(last_at=NOON - timedelta(days=1), is_enabled=False))
    assert (found.next_at, found.late_s, found.next_words(NOON)) == (None, None, "paused")


def test_the_history_tells_of_a_last_run_that_the_store_did_not_note() -> None:
    found = row(stored(), runs=runs(4, 14), is_current=True)
    assert (found.last_at, found.next_at) == (NOON - timedelta(minutes=4), NOON + timedelta(minutes=6))


def test_an_old_history_makes_nothing_late() -> None:
    assert row(stored(), runs=runs(300), is_current=False).late_s is None


def test_a_task_that_is_not_there_is_the_entrys_problem() -> None:
    assert row(stored(), is_known=False).problem == "the application has no task shop.tick"


def test_a_schedule_that_raises_is_the_entrys_problem() -> None:
    class Broken(schedule):
        def remaining_estimate(self, last_run_at: datetime) -> timedelta:
            raise ValueError("no such planet")

    found = row(stored(Broken(60, app=SHOP), last_at=NOON))
    assert (found.problem, found.next_words(NOON)) == ("its schedule can't be used: no such planet", "?")


def test_due_times_without_runs_are_missed() -> None:
    found = missed(stored(), runs(5, 45, 55, 65, 75, 85, 95, 105, 115))
    assert (found.count, found.due_at) == (3, tuple(NOON - timedelta(minutes=ago) for ago in (35, 25, 15)))


def test_nothing_before_the_first_run_of_a_new_entry_is_missed() -> None:
    assert missed(stored(), runs(5, 15)).count == 0


def test_only_what_the_history_covers_is_missed() -> None:
    found = missed(stored(last_at=NOON - timedelta(days=2)), [], Coverage(NOON - timedelta(minutes=15), NOON))
    assert (found.due_at, found.since) == ((NOON - timedelta(minutes=10),), NOON - timedelta(minutes=15))
    assert missed(stored(), runs(5), Coverage(None, None)).unknown == "nothing was recorded"


def test_nothing_that_was_due_while_it_was_paused_is_missed() -> None:
    found = missed(stored(), runs(5, 65, 75), counted_from=NOON - timedelta(minutes=12))
    assert found.count == 0


def test_nothing_is_missed_by_an_entry_that_is_sent_only_when_there_is_something_to_do() -> None:
    entry = stored(options={CONDITION: {"some-set": 0}})
    assert missed(entry, runs(5, 115)).unknown == "a due time passes without a run when there is nothing to do"


def test_two_runs_at_each_of_the_last_due_times_are_of_two_beats() -> None:
    assert is_sent_twice(stored(), runs(1, 4, 11, 14, 21, 24, 31, 34, 41, 44), ALL_DAY)
    nightly = [hours * 60 + more for hours in (9, 33, 57, 81, 105) for more in (0, -0.1)]
    week = Coverage(NOON - timedelta(days=7), NOON)
    assert is_sent_twice(stored(DAILY), runs(*nightly), week)


def test_a_run_by_hand_is_no_second_beat() -> None:
    assert not is_sent_twice(stored(), runs(1, 4, 11, 21, 31, 41, 51, 61, 71), ALL_DAY)


def test_where_only_workers_tell_of_runs_what_waits_may_have_been_sent() -> None:
    received = [Run("run", "shop.tick", "SUCCESS", received_at=NOON)]
    assert may_hide_runs(received, 3)
    assert may_hide_runs([], 3)
    assert not may_hide_runs(received, 0)
    assert not may_hide_runs(runs(5), 3)
