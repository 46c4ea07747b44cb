"""Logs of all programs as one: narrowed, searched, read back to their beginning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from celery_nexus.stack import log_view, log_window
from nexus_tui.widgets.log_page import LogPage
from tests.tui import fakes
from tests.tui.conftest import SMALL, WIDE, opened, shows, the_app


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
        await pilot.press("o", "ampersand", *"SENT", "enter")
        assert "Ready to accept" not in await shows(pilot, "&SENT", "beat sent a")


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


@pytest.fixture
def long_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> fakes.Fakes:
    """A program that wrote a thousand lines, of which a few fill a block."""
    monkeypatch.setattr(log_window, "BLOCK_BYTES", 4000)
    monkeypatch.setattr(log_view, "ENOUGH_LINES", 50)
    stack = with_logs(tmp_path)
    with (tmp_path / "beat.log").open("w") as file:
        for number in range(1000):
            file.write(f"2026-03-14 09:{number // 60:02}:{number % 60:02},000 INFO line-{number:03}\n")
    return stack


async def test_a_search_finds_what_is_far_from_the_end_and_goes_on_from_there(long_log: fakes.Fakes):
    async with opened(long_log, size=SMALL) as pilot:
        await pilot.press("8")
        await shows(pilot, "line-999", "following")
        await pilot.press("slash", *"line-30", "enter")
        assert "line-999" not in await shows(pilot, "line-309")
        await pilot.press("N")
        await shows(pilot, "line-308")
        for number in range(307, 299, -1):
            await pilot.press("N")
            await shows(pilot, f"INFO line-{number}")
        await shows(pilot, "line-295")
        await pilot.press("slash", *"-nowhere", "enter")
        await shows(pilot, "no line with line-30-nowhere")


async def test_n_submits_a_run_while_nothing_is_searched_for(long_log: fakes.Fakes):
    async with opened(long_log, size=WIDE) as pilot:
        await pilot.press("8")
        await shows(pilot, "line-999")
        await pilot.press("n")
        await shows(pilot, "process_pdf")


async def test_one_reads_back_to_the_first_line_and_g_follows_the_end_again(long_log: fakes.Fakes):
    async with opened(long_log, size=WIDE) as pilot:
        await pilot.press("8")
        await shows(pilot, "line-999")
        page = the_app(pilot).screen.query_one(LogPage)
        for _ in range(100):
            await pilot.press("g")
            await pilot.pause(0.02)
            if page.top == 0 and the_app(pilot).screen.value.view.is_first:  # type: ignore[attr-defined]
                break
        await pilot.press("g")
        assert "following" not in await shows(pilot, "line-000")
        await pilot.press("G")
        await shows(pilot, "line-999", "following")


async def test_what_is_written_while_one_reads_back_moves_nothing(long_log: fakes.Fakes, tmp_path: Path):
    async with opened(long_log, size=WIDE) as pilot:
        await pilot.press("8")
        await shows(pilot, "line-999")
        await pilot.press("pageup", "pageup")
        await shows(pilot, "line-93")
        page = the_app(pilot).screen.query_one(LogPage)
        before = page._lines[1]
        with (tmp_path / "beat.log").open("a") as file:
            file.write("2026-03-14 10:42:05,000 INFO another\n")
        await pilot.press("r")
        await pilot.pause(0.3)
        assert page._lines[1] == before


async def test_a_click_on_a_chip_shows_one_program(tmp_path: Path):
    async with opened(with_logs(tmp_path), size=WIDE) as pilot:
        await pilot.press("8")
        await shows(pilot, "Ready to accept")
        await pilot.click("#programs", offset=(8, 0))
        assert "Ready to accept" not in await shows(pilot, "Logs · beat", "beat sent a")


async def test_l_on_a_worker_shows_what_its_program_wrote(tmp_path: Path):
    stack = with_logs(tmp_path)
    async with opened(stack, size=WIDE) as pilot:
        await pilot.press("5", "tab", "l")
        assert "Ready to accept" not in await shows(pilot, "Logs · beat", "beat sent a")


async def test_l_on_a_failure_shows_what_was_written_about_its_latest_run(tmp_path: Path):
    stack = with_logs(tmp_path)
    with (tmp_path / "beat.log").open("a") as file:
        file.write(f"2026-03-14 10:42:04,000 INFO Task a[{stack.history.groups[0].latest_id}] received\n")
    async with opened(stack, size=WIDE) as pilot:
        await pilot.press("4")
        await shows(pilot, "RateLimited")
        await pilot.press("l")
        assert "Ready to accept" not in await shows(pilot, f"Task a[{stack.history.groups[0].latest_id}] received")
