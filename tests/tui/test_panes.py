"""Panes beside lists, what needs an operator, and curves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from textual.widget import Widget

from nexus_tui.widgets.detail import Detail
from nexus_tui.widgets.table import Table
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


def with_logs(folder: Path) -> fakes.Fakes:
    """Two programs that wrote in turn, one of them an error."""
    stack = fakes.busy()
    written = {
        "beat": ["2026-03-14 10:42:01,500 INFO beat sent a", "2026-03-14 10:42:03,000 ERROR beat \x1b[31mfailed"],
        "broker": ["7:M 14 Mar 2026 10:42:02.000 * Ready to accept connections"],
    }
    for name, lines in written.items():
        (folder / f"{name}.log").write_text("".join(f"{line}\n" for line in lines))
    stack.supervisor.rows = tuple(
        replace(row, log=str(folder / f"{row.name}.log")) for row in stack.supervisor.rows if row.name in written
    )
    return stack


async def test_logs_of_all_programs_are_merged_by_time(tmp_path: Path):
    async with opened(with_logs(tmp_path), size=WIDE) as pilot:
        await pilot.press("8")
        screen = await shows(pilot, "beat sent a", "Ready to accept", "failed")
        assert screen.index("beat sent a") < screen.index("Ready to accept") < screen.index("failed")
        assert "\x1b" not in screen


async def test_logs_are_narrowed_to_a_level_a_program_and_a_word(tmp_path: Path):
    async with opened(with_logs(tmp_path), size=WIDE) as pilot:
        await pilot.press("8")
        await shows(pilot, "Ready to accept")
        await pilot.press("l")
        assert "beat sent a" not in await shows(pilot, "≥ WARNING", "failed")
        await pilot.press("l", "l", "o", "o")
        assert "beat sent a" not in await shows(pilot, "broker", "Ready to accept")
        await pilot.press("o", "slash", *"SENT", "enter")
        assert "Ready to accept" not in await shows(pilot, "/SENT", "beat sent a")


async def test_l_on_a_run_shows_the_lines_about_it_alone(tmp_path: Path):
    stack = with_logs(tmp_path)
    run_id = stack.history.rows[1].id
    with (tmp_path / "beat.log").open("a") as file:
        file.write(f"2026-03-14 10:42:04,000 INFO Task a[{run_id}] received\n")
    async with opened(stack, size=WIDE) as pilot:
        await pilot.press("3", "j", "l")
        assert "Ready to accept" not in await shows(pilot, f"Task a[{run_id}] received")


async def test_without_programs_the_logs_say_where_they_are():
    async with opened(fakes.idle(), size=WIDE) as pilot:
        await pilot.press("8")
        await shows(pilot, "No logs: Supervisor does not run; nexus-tui up starts the stack")


async def test_logs_that_grow_are_read_again(tmp_path: Path):
    async with opened(with_logs(tmp_path), size=WIDE) as pilot:
        await pilot.press("8")
        await shows(pilot, "Ready to accept")
        with (tmp_path / "beat.log").open("a") as file:
            file.write("2026-03-14 10:42:05,000 INFO beat sent another\n")
        await shows(pilot, "beat sent another")
