"""The schedule: what is due when, what became of it, and the keys that change it."""

from __future__ import annotations

from dataclasses import replace

from celery_nexus.rows.schedule import Beat, DayAhead
from nexus_tui.screens.schedule import sum_day
from tests.tui import fakes
from tests.tui.conftest import SMALL, WIDE, opened, shows


async def test_the_schedule_says_when_each_entry_is_due_trouble_first():
    async with opened(fakes.scheduled(), size=WIDE) as pilot:
        await pilot.press("6")
        screen = await shows(pilot, "beat  ● RedBeat: a beat took", "Next 24 h", "collect-garbage", "in 12 s")
        names = ("✗ poll-mailbox", "▲ hourly-digest", "● collect-garbage", "● nightly-report", "∥ old-import")
        assert [screen.index(name) for name in names] == sorted(screen.index(name) for name in names)
        assert "late 3 m" in screen
        assert "paused" in screen


async def test_the_pane_names_the_due_times_that_passed_without_a_run():
    async with opened(fakes.scheduled(), size=WIDE) as pilot:
        await pilot.press("6")
        await shows(pilot, "poll-mailbox")
        await pilot.press("j")
        await shows(pilot, "missed       2 since 2026-03-13 10:42:07  M runs them", "             09:42:07", "FAILURE")


async def test_a_beat_that_is_gone_is_said_on_top():
    stack = fakes.scheduled()
    stack.schedule.told = replace(stack.schedule.told, beats=(Beat("RedBeat", False, "no beat holds redbeat::lock"),))
    async with opened(stack, size=SMALL) as pilot:
        await pilot.press("6")
        await shows(pilot, "✗ RedBeat: no beat holds redbeat::lock")


async def test_an_entry_is_run_now_paused_resumed_and_skipped():
    stack = fakes.scheduled()
    async with opened(stack, size=WIDE) as pilot:
        await pilot.press("6")
        await shows(pilot, "poll-mailbox")
        for key, command, done in (
            ("R", "$ nexus-tui schedule run poll-mailbox", ("run", "poll-mailbox")),
            ("P", "$ nexus-tui schedule pause poll-mailbox", ("pause", "poll-mailbox")),
            ("S", "$ nexus-tui schedule skip poll-mailbox", ("skip", "poll-mailbox")),
        ):
            await pilot.press(key)
            await shows(pilot, command)
            await pilot.press("enter")
            while done not in stack.schedule.done:
                await pilot.pause(0.01)
        await pilot.press("G", "P")
        await shows(pilot, "$ nexus-tui schedule resume old-import")


async def test_missed_runs_are_run_from_where_they_are_seen():
    stack = fakes.scheduled()
    async with opened(stack, size=WIDE) as pilot:
        await pilot.press("6")
        await shows(pilot, "poll-mailbox")
        await pilot.press("j", "M")
        await shows(pilot, "Missed runs of hourly-digest", "run all 2 that were missed", "--missed")
        await pilot.press("enter")
        while len(stack.schedule.done) < 2:
            await pilot.pause(0.01)
        assert stack.schedule.done == [("run", "hourly-digest 08:42"), ("run", "hourly-digest 09:42")]


async def test_what_missed_nothing_says_so():
    async with opened(fakes.scheduled(), size=WIDE) as pilot:
        await pilot.press("6")
        await shows(pilot, "poll-mailbox")
        await pilot.press("M")
        await shows(pilot, "poll-mailbox missed nothing since")
        await pilot.press("j", "j", "j", "M")
        await shows(pilot, "what nightly-report missed is")


async def test_enter_tells_all_of_an_entry_on_a_small_terminal_and_its_keys_work_there():
    async with opened(fakes.scheduled(), size=SMALL) as pilot:
        await pilot.press("6")
        await shows(pilot, "poll-mailbox")
        await pilot.press("j", "enter")
        await shows(pilot, "at minute 45 of every hour", "list         news", "expires      5 m 00 s")
        await pilot.press("P")
        await shows(pilot, "$ nexus-tui schedule pause hourly-digest")


async def test_nothing_is_changed_in_read_only_mode():
    async with opened(fakes.scheduled(), size=WIDE, read_only=True) as pilot:
        await pilot.press("6")
        await shows(pilot, "poll-mailbox")
        await pilot.press("R", "P", "S", "M")
        await pilot.pause()
        assert "nexus-tui schedule" not in await shows(pilot, "poll-mailbox")


async def test_z_leaves_out_what_nothing_is_wrong_with():
    async with opened(fakes.scheduled(), size=WIDE) as pilot:
        await pilot.press("6", "z")
        screen = await shows(pilot, "z shows 3 healthy", "poll-mailbox")
        assert "collect-garbage" not in screen


def test_what_is_due_all_the_time_does_not_hide_the_rest():
    day = DayAhead(fakes.NOW, {"often": [30] * 96, "once": [0] * 95 + [1], "broken": []})
    assert sum_day(day) == ([0] * 95 + [1], 1)
    assert sum_day(replace(day, counts={"often": [30] * 96})) == ([30] * 96, 0)
