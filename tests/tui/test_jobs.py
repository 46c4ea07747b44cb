"""Jobs: every action is a row while it works and after, with progress, a way to end it, and results."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from celery_nexus.actions.again import RunAgain
from celery_nexus.errors import SourceError
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.sources import Sources
from tests.tui import fakes
from tests.tui.conftest import SMALL, WIDE, opened, screen_text, shows, the_app


class Slow:
    """A retry of three runs that looks at the next one when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.next = threading.Semaphore(0)
        self.ended = threading.Event()
        monkeypatch.setattr(RunAgain, "run", lambda _action, sources: self.run(sources))

    def run(self, sources: Sources) -> Outcome:
        steps = sources.steps
        steps.begin(3)
        for number in range(3):
            while not steps.is_stopped and not self.next.acquire(timeout=0.02):
                pass
            is_done = not steps.is_stopped and number != 1
            told = "runs again" if is_done else f"not run: {steps.why or 'its task is not known'}"
            steps.add(TargetOutcome(f"run-{number}", is_done, told))
        self.ended.set()
        return Outcome(tuple(steps.rows))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    """Let a retry take its time."""
    return Slow(monkeypatch)


async def retry(pilot: Any) -> None:
    """Run a failed run again, and open the jobs."""
    await pilot.press("3", "j", "j")
    await shows(pilot, "▸ ✗ FAILURE")
    await pilot.press("R")
    await shows(pilot, "$ nexus-tui retry")
    await pilot.press("enter")
    await pilot.press("0")


async def test_a_job_shows_how_far_it_is_and_keeps_its_results(slow: Slow):
    async with opened(fakes.busy(), size=WIDE) as pilot:
        await retry(pilot)
        await shows(pilot, "▶ working", "0/3", "jobs · 1 at work")
        slow.next.release()
        await shows(pilot, "1/3", "✓ run-0  runs again")
        slow.next.release(2)
        told = ("▲ partly done", "3/3", "2 done, 1 not done", "✗ run-1  not run: its task is not known")
        screen = await shows(pilot, *told)
        assert screen.index("✗ run-1") < screen.index("✓ run-0")


async def test_a_job_is_cancelled_and_says_what_was_done(slow: Slow):
    async with opened(fakes.busy(), size=WIDE) as pilot:
        await retry(pilot)
        await shows(pilot, "0/3")
        slow.next.release()
        await shows(pilot, "1/3")
        await pilot.press("x")
        await shows(pilot, "⊘ cancelled", "✓ run-0  runs again", "✗ run-2  not run: cancelled")
        await pilot.press("x")
        await shows(pilot, "It has ended: nothing is left to cancel")


async def test_the_results_are_copied_a_line_each(slow: Slow):
    async with opened(fakes.busy(), size=SMALL) as pilot:
        slow.next.release(3)
        await retry(pilot)
        await shows(pilot, "partly done")
        await pilot.press("c")
        await shows(pilot, "copied 3 results")
        assert the_app(pilot).clipboard.splitlines()[1] == "run-1\tnot done\tnot run: its task is not known"


async def test_enter_shows_every_target_on_a_small_terminal(slow: Slow):
    async with opened(fakes.busy(), size=SMALL) as pilot:
        slow.next.release(3)
        await retry(pilot)
        await shows(pilot, "partly done")
        await pilot.press("enter")
        await shows(pilot, "✗ run-1  not run: its task is not known", "command      nexus-tui retry")


async def test_the_screen_goes_on_while_a_job_works(slow: Slow):
    async with opened(fakes.busy(), size=WIDE) as pilot:
        await retry(pilot)
        await shows(pilot, "▶ working")
        await pilot.press("2")
        await shows(pilot, "ai_queue", "▶ nexus-tui retry", "0/3")
        slow.next.release(3)
        await shows(pilot, "2 of 3 done")
        assert slow.ended.is_set()


async def test_what_could_not_be_done_is_a_job_with_its_problem(monkeypatch: pytest.MonkeyPatch):
    def refuse(_action: Any, _sources: Any) -> Outcome:
        raise SourceError("the broker does not answer")

    monkeypatch.setattr(RunAgain, "run", refuse)
    async with opened(fakes.busy(), size=WIDE) as pilot:
        await pilot.press("colon", *"jobs", "enter")
        await shows(pilot, "Nothing was changed from here yet")
        await pilot.press("escape")
        await retry(pilot)
        await shows(pilot, "✗ failed", "problem      the broker does not answer")


async def test_a_question_that_is_not_answered_leaves_no_job():
    async with opened(fakes.busy(), size=WIDE) as pilot:
        await pilot.press("2", "D")
        await shows(pilot, "$ nexus-tui purge")
        await pilot.press("enter")
        await shows(pilot, "Type ai_queue")
        await pilot.press("escape", "0")
        await shows(pilot, "Nothing was changed from here yet")
        assert "purge" not in screen_text(pilot)
