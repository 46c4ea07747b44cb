"""Draining workers and restarting their programs, as one action."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from celery_nexus.actions.workers import drained_restart
from celery_nexus.actions.workers.drained_restart import DrainRestart
from celery_nexus.rows.workers import Worker
from tests.tui import fakes


class Busy(fakes.FakeControl):
    """Workers of which one holds less each time somebody looks."""

    def __init__(self, rows: tuple[Worker, ...], held: list[int]) -> None:
        super().__init__(rows)
        self._held: Iterator[int] = iter(held)
        self.cancelled: list[tuple[str, bool]] = []

    def set_consuming(self, queue: str, workers: list[str], *, consume: bool) -> tuple[str, ...]:
        self.cancelled.append((queue, consume))
        return tuple(workers)

    def workers(self) -> tuple[Worker, ...]:
        held = next(self._held, None)
        return self.rows if held is None else tuple(replace(row, active=held, reserved=0) for row in self.rows)


class Restarted(fakes.FakeSupervisor):
    def restart(self, name: str) -> str:
        self.done.append(("restart", name))
        return "restarted"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drained_restart, "LOOK_EVERY_S", 0.0)


def stack_of(program: str | None, held: list[int]) -> tuple[fakes.Fakes, Busy, Restarted]:
    stack = fakes.busy()
    [row] = [row for row in stack.control.rows if row.name == "email@web1"]
    control, supervisor = Busy((replace(row, program=program),), held), Restarted(stack.supervisor.rows)
    stack.control, stack.supervisor = control, supervisor
    if program is None:
        supervisor.rows = ()
    return stack, control, supervisor


def test_a_worker_takes_nothing_more_finishes_and_is_restarted_with_progress() -> None:
    stack, control, supervisor = stack_of("workers:email", [3, 3, 2, 1, 0])
    heard: list[str] = []

    def hear(worker: str, obeys: bool, told: str) -> None:
        heard.append(told)

    outcome = DrainRestart(("email@web1",), heard=hear).run(stack.sources())
    assert control.cancelled == [("email_queue", False)]
    assert heard == ["still holds 3", "still holds 2", "still holds 1"]
    assert supervisor.done == [("restart", "workers:email")]
    assert (outcome.done, outcome.message) == (True, "email@web1: finished what it held; restarted")


def test_one_that_does_not_finish_in_time_is_not_restarted() -> None:
    stack, _, supervisor = stack_of("workers:email", [2] * 10_000)
    outcome = DrainRestart(("email@web1",), within_s=0.001).run(stack.sources())
    assert (outcome.done, supervisor.done) == (False, [])
    assert "still holds 2" in outcome.message
    assert "not restarted, and takes nothing until it is" in outcome.message


def test_a_worker_without_a_program_here_is_only_drained_and_that_is_said() -> None:
    stack, control, supervisor = stack_of(None, [4])
    outcome = DrainRestart(("email@web1",)).run(stack.sources())
    assert (outcome.done, supervisor.done, control.cancelled) == (True, [], [("email_queue", False)])
    assert "finishes 4; restart it where it was started: no program here" in outcome.message


def test_who_cancels_ends_the_wait_and_nothing_is_restarted() -> None:
    stack, _, supervisor = stack_of("workers:email", [2] * 10_000)
    sources = stack.sources()

    def cancel(worker: str, obeys: bool, told: str) -> None:
        assert sources.steps.note == "waits for email@web1, which holds 2"
        sources.steps.stop("cancelled")

    outcome = DrainRestart(("email@web1",), heard=cancel).run(sources)
    assert (outcome.done, supervisor.done) == (False, [])
    assert "cancelled while it still held 2: not restarted" in outcome.message
    assert [row.target for row in sources.steps.rows] == ["email@web1"]


def test_after_a_cancel_no_other_worker_is_restarted_either() -> None:
    stack, _, supervisor = stack_of("workers:email", [])
    sources = stack.sources()
    sources.steps.stop("cancelled")
    outcome = DrainRestart(("email@web1",)).run(sources)
    assert supervisor.done == []
    assert "not restarted: cancelled; it takes nothing until it is" in outcome.message
