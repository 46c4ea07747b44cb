"""Filters, order and completion of tables and commands, by keys and clicks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from celery_nexus.rows.broker import QueueStats
from nexus_tui.app import NexusApp
from nexus_tui.widgets.prompt import Prompt
from nexus_tui.widgets.tables.table import Table
from tests.tui import fakes
from tests.tui.conftest import WIDE, settle, shows


def rows(pilot: Pilot[Any], selector: str = "#rows") -> list[str]:
    table = pilot.app.screen.query_one(selector, Table)
    found = (table.row_at(index) for index in range(table.total or 0))
    return [row.id for row in found if row]


async def wait_for(pilot: Pilot[Any], is_so: Callable[[], bool]) -> None:
    for _ in range(200):
        if is_so():
            return
        await pilot.pause(0.05)
    raise AssertionError(rows(pilot))


def typed(pilot: Pilot[Any]) -> str:
    return pilot.app.screen.query_one(Prompt).query_one(Input).value


async def test_a_filter_narrows_the_list_while_it_is_typed_and_esc_shows_all_again() -> None:
    async with NexusApp(fakes.busy().sources(), view="queues").run_test(size=WIDE) as pilot:
        await settle(pilot)
        everything = rows(pilot)
        await pilot.press("slash", *"waiting:>40")
        assert rows(pilot) == ["ai_queue", "file_processing_queue"]
        await shows(pilot, "Queues /waiting:>40 2 of 5")
        await pilot.press("escape")
        assert rows(pilot) == everything


async def test_what_is_seen_in_a_row_can_be_typed() -> None:
    async with NexusApp(fakes.busy().sources(), view="queues").run_test(size=WIDE) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"no cons", "enter")
        assert rows(pilot) == ["ai_queue"]


async def test_a_mistake_keeps_the_prompt_open_and_is_named_there() -> None:
    async with NexusApp(fakes.busy().sources(), view="queues").run_test(size=WIDE) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"memory:>1GB", "enter")
        await shows(pilot, "no field 'memory'; fields are queue, worker, verdict, oldest")
        assert pilot.app.screen.query_one(Prompt).is_open


async def test_tab_completes_field_and_value_and_up_brings_the_filter_back() -> None:
    async with NexusApp(fakes.busy().sources(), view="workers").run_test(size=WIDE) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"verd", "tab", *"si", "tab", "enter")
        assert rows(pilot) == ["default@web1"]
        await pilot.press("slash", "escape", "slash", "up")
        assert typed(pilot) == "verdict:silent"


async def test_a_filter_of_pulse_is_that_of_the_panel_in_focus() -> None:
    async with NexusApp(fakes.busy().sources()).run_test(size=WIDE) as pilot:
        await settle(pilot)
        everything = rows(pilot, "#queues")
        pilot.app.screen.query_one("#workers").focus()
        await pilot.press("slash", *"email", "enter")
        assert rows(pilot, "#workers") == ["email@web1"]
        assert rows(pilot, "#queues") == everything


async def test_a_click_on_a_head_sorts_by_its_column_and_another_turns_the_order_round() -> None:
    async with NexusApp(fakes.busy().sources(), view="queues").run_test(size=WIDE) as pilot:
        await settle(pilot)
        table = pilot.app.screen.query_one("#rows", Table)
        queues: dict[str, QueueStats] = {queue.name: queue for queue in table.given}
        head = ("".join(text for text, _ in table._lines[1]).index("WAITING"), 1)
        await pilot.click(table, offset=head)
        assert [queues[name].waiting for name in rows(pilot)] == [1204, 48, 31, 12, 0]
        await shows(pilot, "WAITING↓")
        await pilot.click(table, offset=head)
        assert [queues[name].waiting for name in rows(pilot)] == [0, 12, 31, 48, 1204]


@pytest.mark.parametrize(
    ("line", "awaited"),
    [("sort oldest", "by oldest ↓"), ("sort size", "sort by one of queue, waiting"), ("email_queue", "12 waiting")],
)
async def test_a_command_sorts_or_goes_to_a_queue_by_its_name(line: str, awaited: str) -> None:
    async with NexusApp(fakes.busy().sources(), view="queues").run_test(size=WIDE) as pilot:
        await settle(pilot)
        await pilot.press("colon", *line, "enter")
        await shows(pilot, awaited)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("q", "u", "e", "tab"), "queues"),
        ((*"worker em", "tab"), "worker email@web1"),
        ((*"theme sa", "tab"), "theme nexus-safe"),
    ],
)
async def test_tab_completes_commands_and_names(keys: tuple[str, ...], line: str) -> None:
    async with NexusApp(fakes.busy().sources(), view="queues").run_test(size=WIDE) as pilot:
        await settle(pilot)
        await pilot.press("colon", *keys)
        assert typed(pilot) == line


async def test_messages_of_a_queue_are_searched_and_all_of_them_can_be_marked() -> None:
    stack = fakes.busy()
    waiting = [fakes.a_message(n, "email_queue", task="shop.rare" if n % 50 == 7 else "shop.often") for n in range(300)]
    stack.broker.waiting["email_queue"] = waiting
    async with NexusApp(stack.sources(), view="queues").run_test(size=WIDE) as pilot:
        await settle(pilot)
        await pilot.press("colon", *"email_queue", "enter", "slash", *"task:rare", "enter")
        wanted = [message.id for message in waiting if message.task == "shop.rare"]
        await wait_for(pilot, lambda: rows(pilot) == wanted)
        await pilot.press("asterisk")
        assert list(pilot.app.screen.query_one("#rows", Table).marks) == wanted


async def test_a_filter_is_saved_by_name_and_used_again_from_the_list():
    async with NexusApp(fakes.busy().sources(), view="queues").run_test(size=WIDE) as pilot:
        await settle(pilot)
        everything = rows(pilot)
        await pilot.press("slash", *"waiting:>40", "enter", "colon", *"save much", "enter")
        await pilot.press("slash", "escape")
        assert rows(pilot) == everything
        await pilot.press("f")
        await shows(pilot, "much  waiting:>40")
        await pilot.press("enter")
        await wait_for(pilot, lambda: rows(pilot) == ["ai_queue", "file_processing_queue"])
        await pilot.press("f", "d", "escape", "colon", *"filter much", "enter")
        await shows(pilot, "saved are none yet")
