"""Panes beside lists, what needs an operator, and curves."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widget import Widget

from nexus_tui.app import NexusApp
from nexus_tui.screens.tasks import TasksScreen
from nexus_tui.widgets.detail import Detail
from nexus_tui.widgets.tables.table import Table
from tests.tui import fakes
from tests.tui.conftest import SMALL, WIDE, opened, screen_text, shows, the_app


def _detail(pilot) -> Widget:
    return the_app(pilot).screen.query_one("#detail", Detail)


async def test_the_pane_goes_with_the_cursor():
    async with opened(fakes.busy(), size=WIDE) as pilot:
        await pilot.press("3", "j")
        await shows(pilot, "812/1,000 pages")
        await pilot.press("j")
        screen = await shows(pilot, "error        RateLimited: rate_limited: the provider asks to wait 20 s")
        assert "812/1,000 pages" not in screen


async def test_the_pane_is_drawn_once_when_its_list_changes(monkeypatch: pytest.MonkeyPatch):
    drawn: list[str] = []
    describe = TasksScreen.describe

    def note(screen: TasksScreen, item: Any, now: Any) -> Any:
        drawn.append(item.id)
        return describe(screen, item, now)

    monkeypatch.setattr(TasksScreen, "describe", note)
    monkeypatch.setattr(NexusApp, "_tick", lambda app: None)  # each second
    stack = fakes.busy()
    async with opened(stack, size=WIDE) as pilot:
        await pilot.press("3")
        await shows(pilot, "PENDING")
        the_app(pilot)._feeds.stop()  # their changes draw every screen, too
        screen = the_app(pilot).screen
        assert isinstance(screen, TasksScreen)
        for feed in screen.own_feeds():
            feed.stop()
        await pilot.pause(1.0)
        drawn.clear()
        table = screen.query_one("#rows", Table)
        table.post_message(Table.Aimed(table))  # as a list does that was drawn anew
        await pilot.pause(0.1)
        assert drawn == []
        await pilot.press("j")
        await pilot.pause(0.1)
        assert drawn.count(table.current.id) == 1


async def test_a_small_terminal_has_the_list_alone():
    async with opened(fakes.busy(), size=SMALL) as pilot:
        await pilot.press("3")
        await shows(pilot, "PENDING")
        assert not _detail(pilot).display


async def test_on_a_wide_terminal_the_pane_stands_beside_the_list():
    async with opened(fakes.busy(), size=(200, 60)) as pilot:
        await pilot.press("3")
        await shows(pilot, "PENDING", "file_path    report-1.pdf")
        table = the_app(pilot).screen.query_one("#rows", Table)
        assert _detail(pilot).region.x > table.region.right - 1
        assert _detail(pilot).region.y == table.region.y


async def test_the_keys_stay_with_the_list():
    async with opened(fakes.busy(), size=WIDE) as pilot:
        await pilot.press("3", "tab")
        await shows(pilot, "PENDING")
        assert the_app(pilot).screen.focused is the_app(pilot).screen.query_one("#rows", Table)


async def test_the_pane_of_a_queue_has_what_is_next_to_run():
    async with opened(fakes.busy(), size=WIDE) as pilot:
        await pilot.press("2", "j")
        await shows(pilot, "taken by     email@web1", "next         0 email_tasks.send_email", 'to="user0@example.org"')


async def test_pulse_says_first_what_needs_an_operator_and_enter_says_why():
    async with opened(fakes.busy(), size=WIDE) as pilot:
        screen = await shows(pilot, "Needs you", "✗ ai_queue", "no consumer")
        assert screen.index("Needs you") < screen.index("Ended a minute") < screen.index("Queues ─")
        await pilot.press("shift+tab", "enter")
        await shows(pilot, "Why · ai_queue")


async def test_pulse_has_no_such_panel_while_all_is_well():
    stack = fakes.idle()
    stack.supervisor.rows = tuple(row for row in stack.supervisor.rows if row.state == "RUNNING")
    async with opened(stack, size=WIDE) as pilot:
        await shows(pilot, "Nothing runs", "healthy")
        assert "Needs you" not in screen_text(pilot)


async def test_stats_draw_how_the_times_of_a_task_went():
    async with opened(fakes.busy(), size=WIDE) as pilot:
        await pilot.press("7")
        await shows(pilot, "email_tasks.send_email · seconds from start to end", "━ p95", "━ p50", "5.7 s│")


async def test_the_audit_takes_back_the_change_under_its_cursor():
    stack = fakes.audited()
    async with opened(stack, size=WIDE) as pilot:
        await pilot.press("9")
        await shows(pilot, "2 of 3 done", "✗ 00000003  had already started", "undo     U, or nexus-tui undo t1")
        await pilot.press("U")
        await shows(pilot, "Take back", "nexus-tui undo t1")
        await pilot.press("escape", "j", "U")
        await shows(pilot, "This change can't be taken back")
