"""Due times without a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from celery_nexus.schedule.missed import DueTime, Sent, find_missed_by_clock, find_missed_by_interval, match_due

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def minutes(*numbers: float) -> list[datetime]:
    return [NOON + timedelta(minutes=number) for number in numbers]


def sent(*numbers: float, is_exact: bool = True) -> list[Sent]:
    return [Sent(moment, is_exact) for moment in minutes(*numbers)]


def by_interval(runs: list[Sent], since: float, until: float) -> tuple[datetime, ...]:
    moments = minutes(since, until)
    return find_missed_by_interval(timedelta(minutes=10), runs, *moments).due_at


def test_nothing_is_missed_when_each_due_time_has_its_run() -> None:
    assert find_missed_by_clock(minutes(0, 10, 20), sent(0.01, 10.01, 20.01)).count == 0


def test_a_due_time_without_a_run_is_missed() -> None:
    found = find_missed_by_clock(minutes(0, 10, 20, 30), sent(0, 30))
    assert (found.count, found.due_at) == (2, tuple(minutes(10, 20)))


def test_a_late_run_is_for_the_last_of_the_due_times_before_it() -> None:
    assert find_missed_by_clock(minutes(0, 10, 20, 30), sent(0, 24, 30)).due_at == tuple(minutes(10))


def test_the_last_due_time_may_still_be_sent() -> None:
    assert find_missed_by_clock(minutes(0, 10), sent(0)).count == 0


def test_a_run_is_not_early_because_two_clocks_differ_by_a_moment() -> None:
    assert find_missed_by_clock(minutes(0, 10, 20), sent(-0.01, 9.99, 20)).count == 0


def test_runs_that_workers_received_late_were_sent_for_the_due_times_before() -> None:
    assert find_missed_by_clock(minutes(0, 10, 20, 30, 40), sent(0, 31, 31.01, 31.02, is_exact=False)).count == 0


def test_runs_that_were_sent_by_hand_make_up_for_nothing() -> None:
    assert find_missed_by_clock(minutes(0, 10, 20, 30), sent(0, 20, 21, 22, 30)).due_at == tuple(minutes(10))


def test_only_the_latest_hundred_are_named() -> None:
    found = find_missed_by_clock(minutes(*range(202)), [])
    assert (found.count, found.due_at) == (201, tuple(minutes(*range(101, 201))))


def test_an_interval_counts_from_each_run() -> None:
    assert by_interval(sent(3, 13.1, 23.2), 3, 25) == ()


def test_an_interval_missed_as_many_as_fit_between_two_runs() -> None:
    assert by_interval(sent(0, 45), 0, 50) == tuple(minutes(10, 20, 30))


def test_an_interval_that_is_no_longer_sent_missed_all_but_the_last() -> None:
    assert by_interval(sent(0), 0, 35) == tuple(minutes(10, 20))


def test_an_interval_forgives_what_was_received_late() -> None:
    assert by_interval(sent(0, 41, 41.01, 41.02, 41.03, is_exact=False), 0, 42) == ()


def test_each_due_time_is_told_when_it_was_sent_and_what_was_recorded_then() -> None:
    found = match_due(minutes(0, 10, 20, 30), minutes(40)[0], minutes(10.5, 21, 41), NOON + timedelta(minutes=5))
    assert found == [
        DueTime(NOON, None, is_recorded=False),
        DueTime(NOON + timedelta(minutes=10), NOON + timedelta(minutes=10.5)),
        DueTime(NOON + timedelta(minutes=20), NOON + timedelta(minutes=21)),
        DueTime(NOON + timedelta(minutes=30), None),
    ]
