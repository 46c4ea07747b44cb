"""Rates of a queue, from what waits and from its workers' counters."""

from __future__ import annotations

from celery_nexus.broker.read.rates import Memory, Shares, Taken, rates


def test_nothing_is_said_before_two_seconds_have_passed() -> None:
    memory = Memory()
    assert rates(memory, 100.0, 50, Taken(("a",), 10)) == (None, None)
    assert rates(memory, 101.0, 60, Taken(("a",), 12)) == (None, None)


def test_out_is_what_workers_took_and_in_is_that_and_the_change() -> None:
    memory = Memory()
    rates(memory, 100.0, 50, Taken(("a",), 10))
    assert rates(memory, 110.0, 30, Taken(("a",), 60)) == (3.0, 5.0)


def test_a_purge_is_no_negative_income() -> None:
    memory = Memory()
    rates(memory, 100.0, 5000, Taken(("a",), 10))
    assert rates(memory, 110.0, 0, Taken(("a",), 10)) == (0.0, 0.0)


def test_without_consumers_everything_that_comes_stays() -> None:
    memory = Memory()
    rates(memory, 100.0, 0, Taken((), 0))
    assert rates(memory, 104.0, 20, Taken((), 0)) == (5.0, 0.0)


def test_a_restarted_or_another_worker_begins_anew() -> None:
    memory = Memory()
    rates(memory, 100.0, 50, Taken(("a",), 900))
    assert rates(memory, 110.0, 50, Taken(("a",), 3)) == (None, None)
    assert rates(memory, 120.0, 50, Taken(("a", "b"), 70)) == (None, None)


def test_only_the_last_quarter_of_a_minute_counts() -> None:
    memory = Memory()
    said = [rates(memory, 100.0 + second, 0, Taken(("a",), 1000 if second > 30 else 0)) for second in range(60)]
    assert said[-1] == (0.0, 0.0)


def test_a_worker_of_several_queues_tells_nothing_of_one() -> None:
    consumers = {"q": ("a",), "other": ("a", "b")}
    assert Shares(consumers, {"a": 5, "b": 7}).count_taken("q") is None


def test_a_worker_without_heartbeats_tells_nothing() -> None:
    assert Shares({"q": ("a", "b")}, {"a": 5}).count_taken("q") is None
    assert Shares(None, {"a": 5}).count_taken("q") is None


def test_workers_of_one_queue_are_added_up() -> None:
    assert Shares({"q": ("b", "a")}, {"a": 5, "b": 7}).count_taken("q") == Taken(("a", "b"), 12)
