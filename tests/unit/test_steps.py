"""Steps of a change: how far it is, and how it ends early."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from celery_nexus.actions.again import RunAgain
from celery_nexus.changes.targets import Target, change_each
from celery_nexus.rows.outcomes import TargetOutcome
from celery_nexus.steps import Steps
from nexus_tui.cli.progress import describe_progress, show_progress
from tests.tui import fakes


def test_progress_says_how_many_at_which_rate(monkeypatch: pytest.MonkeyPatch):
    clock = [100.0]
    monkeypatch.setattr("celery_nexus.steps.time.monotonic", lambda: clock[0])
    steps = Steps()
    assert describe_progress(steps) == "counts …"
    steps.begin(1204)
    assert describe_progress(steps) == "0 of 1,204"
    clock[0] += 2.0
    steps.advance(602)
    assert (steps.rate_per_s, steps.rest_s) == (301.0, 2.0)
    assert describe_progress(steps) == "602 of 1,204 · 301/s · 2.0 s left"
    steps.note = "looks through the queue"
    clock[0] += 100.0
    steps.go_on()
    assert (steps.note, steps.rate_per_s) == ("", None)
    clock[0] += 1.0
    steps.advance(301)
    assert (steps.rate_per_s, steps.rest_s) == (301.0, 1.0)
    steps.advance(-301)
    steps.note = "waits for the canary"
    steps.stop("cancelled")
    assert describe_progress(steps) == "602 of 1,204 · waits for the canary · ends after the step at hand"


def test_what_is_cancelled_leaves_the_other_targets_alone():
    sources = fakes.busy().sources()

    def change(target: Target) -> TargetOutcome:
        sources.steps.stop("cancelled")
        return TargetOutcome(target.id, True, "changed")

    outcome = change_each(sources, ("a" * 36, "b" * 36, "c" * 36), change)
    assert [(row.done, row.message) for row in outcome.targets] == [
        (True, "changed"), (False, "not done: cancelled"), (False, "not done: cancelled"),
    ]  # fmt: skip
    assert (sources.steps.done, sources.steps.total) == (1, 3)


def test_the_canary_tells_what_it_waits_for_and_ends_when_it_is_cancelled():
    stack = fakes.busy()
    sources = stack.sources()
    ids = tuple(run.id for run in stack.history.rows if run.state == "SUCCESS")[:3]
    canceller = threading.Thread(target=_cancel_at, args=(sources.steps, "waits for the canary: 0 of 1 ended well"))
    canceller.start()
    outcome = RunAgain(ids, canary=True).run(sources)
    canceller.join(10)
    assert [row.done for row in outcome.targets] == [True, False, False]
    assert outcome.targets[2].message == "not run: cancelled before its turn came"


def _cancel_at(steps: Steps, note: str) -> None:
    for _ in range(1000):
        if steps.note == note:
            steps.stop("cancelled")
            return
        steps.wait(0.01)


def test_the_first_interrupt_ends_a_change_after_its_step_and_the_second_at_once(capsys: pytest.CaptureFixture[str]):
    before = signal.getsignal(signal.SIGINT)
    steps = Steps()
    with show_progress(steps):
        os.kill(os.getpid(), signal.SIGINT)
        assert steps.wait(10)
        assert steps.why == "interrupted"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert "Ctrl+C again ends it at once" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before
