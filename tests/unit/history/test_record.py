"""How events change a run: late ones, double ones, and ones in the wrong order."""

import itertools
from typing import Any

import pytest

from celery_nexus.history.errors import BadEvent
from celery_nexus.history.store.run_record import RunRecord

T = 1_800_000_000.0


def event(kind: str, at: float, **fields: Any) -> dict[str, Any]:
    return {"type": f"task-{kind}", "uuid": "a", "hostname": "w@h", "timestamp": T + at, **fields}


SENT = event("sent", 0, name="mail", queue="q", priority=3, args=[1], kwargs={}, retries=0)
RECEIVED = event("received", 1, name="mail", retries=0)
STARTED = event("started", 2)
SUCCEEDED = event("succeeded", 5, result="'ok'", runtime=2.5)


def run_of(*events: dict[str, Any]) -> RunRecord:
    run = RunRecord("a")
    for item in events:
        run.apply(dict(item))
    return run


def test_the_order_of_arrival_does_not_matter() -> None:
    for order in itertools.permutations((SENT, RECEIVED, STARTED, SUCCEEDED)):
        run = run_of(*order)
        assert (run.state, run.task, run.queue, run.priority, run.worker) == ("SUCCESS", "mail", "q", 3, "w@h")
        assert (run.sent_at, run.received_at, run.started_at, run.finished_at) == (T, T + 1, T + 2, T + 5)
        assert (run.waited_s, run.ran_s) == (2.0, 2.5)
        assert [entry[1] for entry in run.life] == ["sent", "received", "started", "succeeded"]
        assert sorted(run.done) == [("SENT", T), ("SUCCESS", T + 5)]


def test_an_event_that_comes_twice_counts_once() -> None:
    run = run_of(SENT, SENT, SUCCEEDED, SUCCEEDED)
    assert len(run.life) == 2
    assert run.done == [("SENT", T), ("SUCCESS", T + 5)]


def test_a_retry_is_a_retry_until_it_is_received_again() -> None:
    retried = event("retried", 3, exception="Timeout('x')", traceback="")
    again = event("sent", 2.9, name="mail", queue="q", retries=1)
    run = run_of(SENT, RECEIVED, STARTED, retried, again)
    assert (run.state, run.retries, run.sent_at) == ("RETRY", 1, T)
    run.apply(event("received", 10, name="mail", retries=1))
    run.apply(event("started", 11))
    run.apply(event("succeeded", 12, result="1", runtime=1.0))
    assert (run.state, run.retries, run.started_at, run.waited_s) == ("SUCCESS", 1, T + 11, 2.0)
    assert [entry[1] for entry in run.life].count("retried") == 1


def test_a_run_that_failed_and_runs_again_is_open_again() -> None:
    run = run_of(SENT, STARTED, event("failed", 3, exception="ValueError('x')", traceback=""), event("started", 9))
    assert (run.state, run.finished_at, run.ran_s) == ("STARTED", None, None)


def test_a_success_is_never_undone_by_a_second_delivery() -> None:
    run = run_of(SENT, STARTED, SUCCEEDED, event("received", 20, name="mail"), event("started", 21))
    assert (run.state, run.started_at, run.finished_at) == ("SUCCESS", T + 2, T + 5)


def test_a_name_is_learned_from_received_when_sent_is_missing() -> None:
    assert run_of(RECEIVED).task == "mail"


def test_a_delayed_run_waits_from_its_time_on() -> None:
    sent = dict(SENT, eta="2027-01-15T08:00:01+00:00")
    assert run_of(sent, STARTED).waited_s == pytest.approx(1.0)


def test_progress_is_kept_while_it_runs_and_not_after() -> None:
    run = run_of(SENT, STARTED, event("progress", 3, done=3, total=None, note="page 3 of ?"))
    assert run.progress == "3 null page 3 of ?"
    assert not run_of(SENT, STARTED, SUCCEEDED).apply(event("progress", 6, done=9, total=9))


@pytest.mark.parametrize("at", [None, "soon", float("nan"), float("inf"), -1, True, 1e20, [1]])
def test_an_event_without_a_time_is_refused(at: Any) -> None:
    with pytest.raises(BadEvent):
        RunRecord("a").apply({"type": "task-started", "uuid": "a", "timestamp": at})


def test_a_long_life_keeps_its_beginning_and_its_end() -> None:
    run = run_of(SENT, *(event("received", number, name="mail") for number in range(1, 400)))
    assert len(run.life) == 100
    assert (run.life[0][1], run.life[-1][0]) == ("sent", T + 399)


def test_the_end_of_a_run_counts_though_its_publisher_s_clock_is_an_hour_ahead() -> None:
    for end, state in (("failed", "FAILURE"), ("revoked", "REVOKED"), ("succeeded", "SUCCESS")):
        run = run_of(event("sent", 3600, name="mail"), RECEIVED, STARTED)
        assert (run.state, run.state_at) == ("STARTED", T + 2)
        run.apply(event(end, 3))
        assert (run.state, run.state_at) == (state, T + 3)


def test_the_end_of_a_run_counts_though_its_worker_s_clock_went_back_meanwhile() -> None:
    for end, state in (("failed", "FAILURE"), ("revoked", "REVOKED"), ("succeeded", "SUCCESS")):
        run = run_of(SENT, RECEIVED, STARTED, event(end, -3600))
        assert (run.state, run.finished_at) == (state, T - 3600)


def test_an_older_failure_does_not_replace_a_newer_end() -> None:
    run = run_of(SENT, STARTED, event("revoked", 9), event("failed", 5))
    assert run.state == "REVOKED"
