"""A run's workflow: on its page as a strip, behind ``x`` as a tree whose lines can be revoked and run again."""

from __future__ import annotations

from tests.tui import fakes
from tests.tui.conftest import SMALL, WIDE, opened, shows

TREE = ("3", "j", "j", "x")


async def test_the_page_of_a_run_has_its_workflow_in_a_strip():
    async with opened(fakes.in_a_workflow(), SMALL) as pilot:
        await pilot.press("3", "j", "j", "enter")
        await shows(pilot, "✓ export_customers ─▶ chord of 98 ✗ 1 ▶ 1 ✓ 96", "⊘ merge_pages", "x opens it")


async def test_a_run_without_a_workflow_has_no_strip():
    async with opened(fakes.busy(), WIDE) as pilot:
        await pilot.press("3", "j", "j", "enter")
        assert "Workflow" not in await shows(pilot, "Traceback")


async def test_the_tree_says_what_never_runs_and_why():
    async with opened(fakes.in_a_workflow()) as pilot:
        await pilot.press(*TREE)
        screen = await shows(pilot, "merge_pages")
        (line,) = [line for line in screen.splitlines() if "merge_pages" in line]
        assert "never runs" in line and "render_page 00000003 failed" in line


async def test_the_cursor_begins_on_the_run_that_it_was_opened_from():
    async with opened(fakes.in_a_workflow()) as pilot:
        await pilot.press(*TREE)
        screen = await shows(pilot, "merge_pages")
        assert next(line for line in screen.splitlines() if line.startswith("▸")).rstrip().endswith("00000003")


async def test_a_line_or_the_whole_can_be_revoked():
    async with opened(fakes.in_a_workflow()) as pilot:
        await pilot.press(*TREE)
        await shows(pilot, "merge_pages")
        await pilot.press("j", "K")
        await shows(pilot, "revoke 1 run of this line", "$ nexus-tui revoke 00280000-page")


async def test_where_nothing_of_a_line_goes_on_the_whole_is_offered():
    async with opened(fakes.in_a_workflow()) as pilot:
        await pilot.press(*TREE)
        await shows(pilot, "merge_pages")
        await pilot.press("K")
        await shows(pilot, "revoke 1 run of the whole workflow")


async def test_what_failed_can_be_run_again_alone():
    async with opened(fakes.in_a_workflow()) as pilot:
        await pilot.press(*TREE)
        await shows(pilot, "merge_pages")
        await pilot.press("R")
        await shows(pilot, "run 1 run of this line again", "does not follow the new run")


async def test_enter_on_equal_siblings_lists_their_runs():
    async with opened(fakes.in_a_workflow()) as pilot:
        await pilot.press(*TREE)
        await shows(pilot, "merge_pages")
        await pilot.press("j", "j", "enter")
        await shows(pilot, "group:9f31c2d0-group state:success")


async def test_nothing_is_offered_read_only():
    async with opened(fakes.in_a_workflow(), read_only=True) as pilot:
        await pilot.press(*TREE)
        await shows(pilot, "merge_pages")
        await pilot.press("K")
        assert "of this line" not in await shows(pilot, "merge_pages")
