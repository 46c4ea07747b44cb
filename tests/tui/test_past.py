"""Views of the past: figures over a span of time, and the way from them to the runs."""

from dataclasses import replace
from datetime import timedelta

from celery_nexus.filters.parser import parse
from celery_nexus.rows.history import ErrorGroup
from celery_nexus.rows.marks import Mark
from nexus_tui.screens.failures import runs_of
from tests.tui import fakes
from tests.tui.conftest import opened, shows, the_app


async def test_enter_on_a_failure_shows_its_runs() -> None:
    async with opened(fakes.busy()) as pilot:
        await pilot.press("4")
        await shows(pilot, "RateLimited")
        await pilot.press("enter")
        await shows(pilot, '/state:failure age:<24h error:"RateLimited"')


async def test_enter_on_a_task_shows_its_runs() -> None:
    async with opened(fakes.busy()) as pilot:
        await pilot.press("7")
        await shows(pilot, "128,412")
        await pilot.press("j", "enter")
        await shows(pilot, '/age:<24h task:"workers.file_tasks.process_pdf"')


async def test_t_takes_another_span_and_what_is_older_goes() -> None:
    async with opened(fakes.busy()) as pilot:
        await pilot.press("4")
        await shows(pilot, "the last 24h", "MailRefused")
        for span in ("7d", "30d", "1h"):
            await pilot.press("t")
            await shows(pilot, f"the last {span}")
        app = the_app(pilot)
        history = app.sources.history
        history.groups = [group for group in fakes.busy().history.groups if group.count > 1000]  # type: ignore[attr-defined]
        history.number += 1  # type: ignore[attr-defined]
        await pilot.press("r")
        await shows(pilot, "RateLimited")


def test_the_filter_of_a_group_can_be_read_whatever_its_type_is() -> None:
    for kind in ("Timeout", 'a "quoted" one', "back\\slash", "OR", "(", "-x", "*"):
        group = ErrorGroup(kind, "", 1, 0, 0, kind, ('odd "task" (',), "an-id")
        parse(runs_of(group, "24h"))


async def test_a_deployment_is_marked_in_the_charts() -> None:
    stack = fakes.busy()
    stack.history.marked = [Mark(fakes.NOW - timedelta(minutes=ago), "v2.4", "jo") for ago in (720, 30)]
    async with opened(stack, (200, 60)) as pilot:
        await shows(pilot, "┊v2.4")
        await pilot.press("7")
        await shows(pilot, "seconds from start to end", "┊v2.4")


async def test_a_failure_that_is_new_since_a_mark_says_so() -> None:
    stack = fakes.busy()
    stack.history.groups = [replace(stack.history.groups[0], new_since="v2.4")]
    async with opened(stack, (200, 60)) as pilot:
        await pilot.press("4")
        await shows(pilot, "✗ new ", "since v2.4")
