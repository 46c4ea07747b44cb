"""The road of a person's first five minutes, walked in the dashboard itself on a running stack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import docx
import pytest

from tests.harness.places import BIN
from tests.harness.stack import RunningStack
from tests.harness.terminal import ENTER, PAGE_UP, Screen
from tests.harness.waiting import wait_until

HEALTH = "workers.maintenance_tasks.health_check"


@pytest.fixture(params=[(120, 40), (80, 24)], ids=["120x40", "80x24"])
def screen(stack: RunningStack, request: pytest.FixtureRequest) -> Iterator[Screen]:
    """The dashboard on a terminal."""
    opened = Screen([str(BIN / "nexus-tui")], stack.environment, request.param)
    try:
        opened.shows("5/5 workers", within_s=60)
        yield opened
    finally:
        opened.process.kill()
        opened.close()


def test_five_queues_and_five_workers_are_alive(screen: Screen) -> None:
    screen.shows("email_queue", "file_processing_queue", "ai_queue", "reports_queue", "default_queue")
    screen.type("5")
    screen.shows(*(rf"{family}@\S+ +● (healthy|busy)" for family in ("ai", "default", "email", "files", "reports")))


def test_a_word_document_is_submitted_watched_and_read(stack: RunningStack, screen: Screen) -> None:
    write_report(stack.home / "uploads" / "report.docx")
    screen.type("n")
    screen.shows("Submit a task", "ai_tasks.analyze_document")
    screen.type(*"word", ENTER)
    screen.shows("file_path")
    screen.type(*"report.docx", ENTER)
    screen.shows("nexus-tui submit workers.file_tasks.process_word_document")
    screen.type(ENTER)
    screen.shows("queued in file_processing_queue", "Timeline", "✓ SUCCESS")
    screen.type("G")
    screen.shows('"warnings"')
    while "The quick brown fox" not in screen.text:
        first = re.findall(r"Run (\d+)–", screen.shows(r"Run \d+–\d+ of"))[0]
        assert first != "1", screen.text
        screen.type(PAGE_UP)
        screen.hides(rf"Run {first}–")
        screen.read(0.2)  # the rest of the page


def test_waiting_runs_are_revoked_and_moved_to_the_front(stack: RunningStack, screen: Screen) -> None:
    assert stack.nexus("stop", "beat", "--yes").code == 0  # it would add rows of its own
    wait_until(lambda: not waiting(stack))
    assert stack.nexus("stop", "workers:default", "--yes").code == 0
    try:
        first, second, third = (submitted(stack) for _ in range(3))
        screen.type(":queue default_queue", ENTER)
        screen.shows(first[:8], second[:8], third[:8])
        screen.type("g", "K")
        screen.shows(rf"nexus-tui revoke {first}")
        screen.type(ENTER)
        screen.hides(rf"{first[:8]}.*health_check")
        screen.type("G", "B")
        screen.shows(r"priority")
        screen.type("f")
        screen.shows(rf"nexus-tui priority {third} 0 --front")
        screen.type(ENTER)
        wait_until(lambda: [m["id"] for m in waiting(stack)][:2] == [third, second])
    finally:
        assert stack.nexus("start", "workers:default", "beat", "--yes").code == 0
    assert wait_until(lambda: state(stack, third) == "SUCCESS" and state(stack, second) == "SUCCESS")
    assert state(stack, first) == "REVOKED"


def test_a_worker_is_stopped_and_started(stack: RunningStack, screen: Screen) -> None:
    screen.type("5")
    screen.shows(r"ai@\S+ +● (healthy|busy)")
    open_menu_of_ai(screen)
    screen.type("x", ENTER)
    try:
        screen.shows(r"ai@\S+ +\S* ?stopped", within_s=60)
        wait_until(lambda: program_state(stack, "workers:ai") == "STOPPED")
        open_menu_of_ai(screen)
        screen.type("s", ENTER)
        screen.shows(r"ai@\S+ +● healthy", within_s=60)
        wait_until(lambda: program_state(stack, "workers:ai") == "RUNNING")  # a second after its start
    finally:
        stack.nexus("start", "workers:ai", "--yes")


def test_leaving_says_how_to_stop_the_stack(screen: Screen) -> None:
    screen.type("q")
    assert screen.close() == 0
    assert "The stack goes on running" in screen.text


def test_a_broker_that_goes_away_is_drawn_and_comes_back(stack: RunningStack, screen: Screen) -> None:
    screen.shows("every source fresh")
    assert stack.nexus("stop", "broker", "--yes").code == 0
    try:
        screen.shows("silent since|broker .* does not answer|stale")
    finally:
        assert stack.nexus("start", "broker", "--yes").code == 0
    screen.shows("every source fresh", "5/5 workers", within_s=60)


def open_menu_of_ai(screen: Screen) -> None:
    """Press S on the first worker; a key that comes while the row turns from a node into a program is pressed again."""
    for _ in range(5):
        screen.type("g", "S")
        try:
            screen.shows("nexus-tui start workers:ai", within_s=5)
        except AssertionError:
            continue
        return
    screen.shows("nexus-tui start workers:ai", within_s=1)


def submitted(stack: RunningStack) -> str:
    return stack.nexus("submit", HEALTH, "--json").json["id"]


def waiting(stack: RunningStack) -> list[dict]:
    return stack.nexus("queues", "default_queue", "--json").json["messages"]


def state(stack: RunningStack, run_id: str) -> str:
    shown = stack.nexus("task", run_id, "--json")
    return shown.json["state"] if shown.code == 0 else ""


def program_state(stack: RunningStack, name: str) -> str:
    return next(row["state"] for row in stack.nexus("programs", "--json").json if row["name"] == name)


def write_report(path: Path) -> None:
    document = docx.Document()
    document.add_heading("Report", 1)
    document.add_paragraph("The quick brown fox jumps over the lazy dog.")
    document.save(str(path))
