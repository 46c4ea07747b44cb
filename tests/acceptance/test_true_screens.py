"""The dashboard beside sources that are really broken: what it can't know any more is not drawn as fresh."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from celery_nexus.paths import Paths
from tests.harness.places import BIN
from tests.harness.stack import RunningStack
from tests.harness.terminal import Screen
from tests.harness.waiting import wait_until


@pytest.fixture
def screen(stack: RunningStack) -> Iterator[Screen]:
    """The dashboard on a terminal."""
    with Screen([str(BIN / "nexus-tui")], stack.environment) as opened:
        opened.shows("5/5 workers", "every source fresh", within_s=60)
        yield opened


def test_a_recorder_that_hangs_is_told_in_the_dashboard_and_by_status(stack: RunningStack, screen: Screen) -> None:
    with hanging(pid_of(stack, "recorder")):
        assert stack.nexus("submit", "workers.maintenance_tasks.health_check").code == 0
        screen.shows("the recorder gave no sign of life", "1 of 4 sources silent")
        screen.type("3")
        screen.shows("nothing is recorded")
        assert "the recorder gave no sign of life" in stack.nexus("status").out
    screen.shows("every source fresh")


def test_a_history_that_was_moved_is_not_drawn_as_an_empty_one(stack: RunningStack, screen: Screen) -> None:
    history = Paths.of(stack.home).history
    aside = history.with_suffix(".aside")
    with hanging(pid_of(stack, "recorder")):
        history.rename(aside)
        try:
            screen.shows("there is no history at")
            with Screen([str(BIN / "nexus-tui"), "--view", "tasks"], stack.environment) as another:
                another.shows("there is no history at")
                assert "No runs yet" not in another.text
        finally:
            aside.rename(history)
    screen.shows("every source fresh")


def test_a_history_that_is_moved_away_is_built_anew_beside_it(stack: RunningStack, screen: Screen) -> None:
    history = Paths.of(stack.home).history
    assert stack.nexus("submit", "workers.maintenance_tasks.health_check", "--wait").code == 0
    before = stack.nexus("tasks", "--json").json
    history.rename(history.with_suffix(".aside"))
    wait_until(history.exists)
    wait_until(lambda: len(stack.nexus("tasks", "--json").json) >= len(before) > 0)
    screen.shows("every source fresh")


def test_rates_stay_known_when_an_action_was_asked_for(stack: RunningStack, screen: Screen) -> None:
    screen.type("2")
    screen.shows(r"default_queue +0 .* \d+\.\d +\d+\.\d ")
    screen.type("G", "D")
    screen.shows("nexus-tui purge default_queue")
    screen.type("\r")
    screen.shows("was empty")
    assert "?" not in next(line for line in screen.text.splitlines() if "default_queue" in line)


def test_workers_of_a_dead_broker_are_unknown_and_not_green(stack: RunningStack, screen: Screen) -> None:
    with hanging(pid_of(stack, "broker")):
        screen.shows(r"▲ \?/5 workers", r"\? unknown", "sources silent")
        assert "● healthy" not in screen.text
    screen.shows("5/5 workers", "every source fresh", within_s=60)


@contextmanager
def hanging(pid: int) -> Generator[None]:
    """Stop a process in the middle of what it does, and let it go on."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def pid_of(stack: RunningStack, program: str) -> int:
    """Find the process of a program."""
    rows = wait_until(lambda: stack.nexus("programs", "--json").json)
    return next(row["pid"] for row in rows if row["name"] == program)
