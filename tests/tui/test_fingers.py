"""Safe under fingers: a key is about the row that was seen, keys keep their order, no question answers itself."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from celery_nexus.actions.workers.programs import StopProgram
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from nexus_tui.screens.dialogs.confirm import ConfirmScreen
from nexus_tui.terminal.driver import KeyParser
from nexus_tui.widgets.tables.table import Table
from tests.tui import fakes
from tests.tui.conftest import opened, screen_text, shows, the_app
from tests.tui.test_table import _TableApp, rows


def typed_at_once(pilot: Pilot[None], *keys: str) -> None:
    """Send keys as they come in one piece, all of them before the first is acted on."""
    for key in keys:
        character = {"enter": "\r", "escape": "\x1b"}.get(key, key)
        the_app(pilot).post_message(events.Key(key if len(key) > 1 else _character_to_key(key), character))


async def test_a_key_is_about_the_row_that_was_painted_not_about_one_that_came_since():
    app = _TableApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.show(rows(100, 50), total=100)
        await pilot.pause()
        app.table.show(rows(103, 50), total=103)
        assert app.table.targets() == ("r100",)
        await pilot.pause()
        assert app.table.targets() == ("r103",)


async def test_down_goes_to_the_row_below_the_one_that_was_painted():
    app = _TableApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.show(rows(100, 50), total=100)
        await pilot.pause()
        app.table.show(rows(103, 50), total=103)
        app.table.action_move(1)
        assert app.table.targets() == ("r99",)
        await pilot.pause()
        assert app.table.targets() == ("r99",)
        app.table.show(rows(110, 50), total=110)
        assert app.table.targets() == ("r99",)


async def test_a_mark_is_on_the_row_that_was_painted():
    app = _TableApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.show(rows(100, 50), total=100)
        await pilot.pause()
        app.table.show(rows(103, 50), total=103)
        app.table.action_mark()
        assert list(app.table.marks) == ["r100"]


async def test_a_row_that_went_is_still_what_a_key_is_about_until_another_is_painted():
    app = _TableApp(follows=False)
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.show(["a", "b", "c"])
        app.table.focus()
        await pilot.press("j")
        app.table.show(["a", "c"])
        assert app.table.targets() == ("b",)
        await pilot.pause()
        assert app.table.targets() == ("c",)


async def test_five_hundred_runs_a_second_do_not_move_the_cursor_off_its_run():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("3", "j", "j")
        table = pilot.app.screen.query_one("#rows", Table)
        for number in range(4):
            for new in range(250):
                stack.history.add(fakes.a_run(10_000 + 250 * number + new))
            await pilot.press("r")
            await shows(pilot, f"+{250 * (number + 1):,} new")
            assert table.targets() == (fakes.run_id(3),)
        await pilot.press("K")
        await shows(pilot, f"Revoke run {fakes.run_id(3)}")


async def test_a_later_key_waits_for_the_earlier_one():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("2", "j", "enter")
        await shows(pilot, "user0@example.org")
        typed_at_once(pilot, "j", "j", "K")
        await shows(pilot, f"$ nexus-tui revoke {fakes.run_id(1002)}")


async def test_a_key_after_escape_is_about_the_screen_that_escape_leads_to():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("3", "j", "j", "enter")
        await shows(pilot, "Traceback")
        typed_at_once(pilot, "escape", "j", "K")
        await shows(pilot, f"$ nexus-tui revoke {fakes.run_id(4)}")


async def test_what_was_typed_before_the_question_could_be_read_answers_nothing():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("2", "j", "enter")
        await shows(pilot, "user0@example.org")
        for answer in ("enter", "y"):
            typed_at_once(pilot, "K", answer)
            await shows(pilot, "$ nexus-tui revoke")
            assert isinstance(pilot.app.screen, ConfirmScreen)
            await pilot.press("escape")
        assert stack.broker.changed == []
        typed_at_once(pilot, "K")
        await shows(pilot, "$ nexus-tui revoke")
        await pilot.press("y")
        await shows(pilot, "revoked before it started")


async def test_a_yes_means_nothing_to_the_screen_below_the_question():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("3", "j")
        below = pilot.app.screen
        await pilot.press("K")
        await shows(pilot, "$ nexus-tui revoke")
        await pilot.pause(0.3)
        await pilot.press("y")
        await shows(pilot, "revo")
        await pilot.pause()
        assert pilot.app.screen is below


async def test_the_question_names_task_state_age_and_arguments():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("3", "j", "K")
        told = (
            "file_tasks.process_pdf",
            "▶ STARTED",
            "sent 2 m ago",
            "runs for 1 m 58 s",
            'file_path="report-2.pdf"',
        )
        await shows(pilot, *told)
        await pilot.press("escape", "2", "j", "enter")
        await shows(pilot, "user0@example.org")
        await pilot.press("K")
        told = ("email_tasks.send_email", "waits at place 0, priority 0", "sent 2 m ago", 'to="user0@example.org"')
        await shows(pilot, "Revoke run", *told)


async def test_the_question_about_many_names_the_first_and_counts_the_others_by_state():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("3", "asterisk")
        await shows(pilot, "59 marked")
        await pilot.press("K")
        await shows(
            pilot, "Revoke 59 runs", "○ PENDING", "▶ STARTED", "✗ FAILURE", "and 56 more: 55 SUCCESS, 1 REVOKED"
        )


class Slow:
    """A program that does not stop until it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.end = threading.Event()
        monkeypatch.setattr(StopProgram, "run", self.run)

    def run(self, _sources: Any) -> Outcome:
        self.end.wait(60)
        return Outcome((TargetOutcome("broker", True, "stopped at last"),))


async def test_what_runs_is_shown_and_leaving_asks_and_says_what_becomes_of_it(monkeypatch: pytest.MonkeyPatch):
    slow = Slow(monkeypatch)
    async with opened(fakes.busy()) as pilot:
        await pilot.press("5", "tab", "S", "x")
        await shows(pilot, "$ nexus-tui stop")
        await pilot.press("enter")
        await shows(pilot, "▶ nexus-tui stop beat · for ")
        await pilot.press("q")
        await shows(pilot, "Leave? An action still runs:", "nexus-tui stop beat", "what was done stays done")
        await pilot.press("escape")
        assert not pilot.app._exit
        slow.end.set()
        await shows(pilot, "stopped at last")
        await pilot.press("q")
        assert pilot.app._exit


async def test_leaving_for_certain_tells_what_runs_and_does_not_wait_for_long(monkeypatch: pytest.MonkeyPatch):
    slow = Slow(monkeypatch)
    monkeypatch.setattr("nexus_tui.asking.ENDS_WITHIN_S", 0.1)
    async with opened(fakes.busy()) as pilot:
        await pilot.press("5", "tab", "S", "x")
        await shows(pilot, "$ nexus-tui stop")
        await pilot.press("enter")
        await shows(pilot, "▶ nexus-tui stop")
        await pilot.press("colon", *"quit", "enter")
        await shows(pilot, "Leave?")
        await pilot.press("enter")
        assert the_app(pilot).jobs[0].steps.is_stopped
        for _ in range(100):
            await pilot.pause(0.02)
            if pilot.app._exit:
                break
        assert pilot.app._exit
    slow.end.set()


async def test_of_several_marked_queues_none_is_purged_or_paused():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("2", "space", "space", "D")
        await shows(pilot, "2 queues are marked")
        await pilot.press("P")
        assert "$ nexus-tui" not in screen_text(pilot)
    assert stack.broker.changed == []


async def test_marked_workers_of_which_one_has_no_program_are_left_alone():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("5")
        await shows(pilot, "default@web1")
        await pilot.press("asterisk", "S")
        await shows(pilot, "Nothing is done to the 5 marked")


async def test_a_message_is_moved_to_any_of_many_queues_and_to_none_by_enter_alone():
    stack = fakes.busy()
    stack.broker.rows += tuple(QueueStats(f"team-{number}", 0, (0,) * 10) for number in range(40))
    async with opened(stack) as pilot:
        await pilot.press("2", "j", "enter")
        await shows(pilot, "user0@example.org")
        await pilot.press("M")
        await shows(pilot, "Move run", "45 of 45", "Choose one")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, ConfirmScreen)
        await pilot.press("slash", *"team-39", "enter", "down")
        await shows(pilot, f"$ nexus-tui move {fakes.run_id(1000)} team-39")
        await pilot.press("enter")
        await shows(pilot, "moved to team-39")


async def test_the_menu_of_a_worker_by_hand_has_no_default():
    stack = fakes.busy()
    stack.control.rows = (replace(stack.control.rows[1], program=None, pid=99),)
    stack.supervisor.rows = ()
    async with opened(stack) as pilot:
        await pilot.press("5")
        await shows(pilot, "files@web1")
        await pilot.press("S")
        await shows(pilot, "drain", "Choose one")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, ConfirmScreen)
    assert stack.control.ordered == []


async def test_enter_on_a_failure_shows_its_runs_also_when_a_run_is_open():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("3", "enter")
        await shows(pilot, "Timeline")
        await pilot.press("4")
        await shows(pilot, "RateLimited")
        await pilot.press("enter")
        await shows(pilot, '/state:failure age:<24h error:"RateLimited"')
        assert "Timeline" not in screen_text(pilot)


@pytest.mark.parametrize("size", [(120, 40), (200, 260)])
async def test_a_frozen_table_fills_the_rows_that_are_looked_at(size: tuple[int, int]):
    stack = fakes.busy()
    stack.history.rows = [fakes.a_run(number) for number in range(1, 1001)]
    async with opened(stack, size) as pilot:
        await pilot.press("3")
        await shows(pilot, "of 1,000")
        await pilot.press("p", "G")
        await shows(pilot, "frozen", fakes.run_id(1000)[:8])
        assert "  · " not in screen_text(pilot)


async def test_a_long_queue_that_got_shorter_shows_its_end():
    stack = fakes.busy()
    stack.broker.rows = (replace(stack.broker.rows[0], waiting=5000),)
    stack.broker.waiting["email_queue"] = [fakes.a_message(number, "email_queue") for number in range(5000)]
    async with opened(stack) as pilot:
        await pilot.press("2", "j", "enter")
        await shows(pilot, "of 5,000")
        await pilot.press("G")
        await shows(pilot, "user4999@example.org")
        stack.broker.waiting["email_queue"] = stack.broker.waiting["email_queue"][:40]
        stack.broker.rows = (replace(stack.broker.rows[0], waiting=40),)
        await pilot.press("r")
        await shows(pilot, "user39@example.org")


def keys(text: str) -> list[str]:
    """Parse what a terminal sends."""
    parser = KeyParser()
    found = [*parser.feed(text)]
    parser._timeout_time = 0.0 if parser._timeout_time is not None else None
    return [event.key for event in [*found, *parser.tick()] if isinstance(event, events.Key)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1bK", ["escape", "K"]),
        ("\x1bf", ["escape", "f"]),
        ("\x1b\r", ["escape", "enter"]),
        ("\x1b:q", ["escape", "colon", "q"]),
        ("\x1b\x1b[B", ["escape", "down"]),
        ("\x1b[A", ["up"]),
        ("\x1bOP", ["f1"]),
        ("\x1b", ["escape"]),
        ("\x1bO", ["escape", "O"]),
    ],
)
def test_escape_and_a_key_in_one_piece_are_two_keys(text: str, expected: list[str]):
    assert keys(text) == expected
