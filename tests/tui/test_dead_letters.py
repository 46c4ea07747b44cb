"""Dead letters: named on Pulse, told with their message, put back or dropped."""

from __future__ import annotations

from tests.tui import fakes
from tests.tui.conftest import SMALL, WIDE, opened, screen_text, shows


async def test_pulse_names_what_was_set_aside_and_enter_shows_it():
    async with opened(fakes.with_dead_letters(), size=WIDE) as pilot:
        await shows(pilot, "✗ dead letters", "2 set aside", "1 poisoned, 1 malformed; the last 4 m ago")
        await pilot.press("shift+tab", "enter")
        await shows(pilot, "Dead letters", "✗ poisoned", "starts       its worker died on files@web1", '{"to": "ada"}')


async def test_text_of_a_dead_letter_is_not_obeyed():
    async with opened(fakes.with_dead_letters(), size=WIDE) as pilot:
        await pilot.press("4", "d")
        await shows(pilot, "[b]no[/b] JSON: ␛[31m…")
        assert "\x1b" not in screen_text(pilot)


async def test_a_dead_letter_is_put_back_or_dropped():
    stack = fakes.with_dead_letters()
    async with opened(stack, size=SMALL) as pilot:
        await pilot.press("colon", *"dead-letters", "enter")
        await shows(pilot, "✗ poisoned")
        await pilot.press("R")
        await shows(pilot, "$ nexus-tui dead-letters retry 7-0")
        await pilot.press("enter")
        await shows(pilot, "back in its queue")
        while "poisoned" in screen_text(pilot):
            await pilot.pause(0.02)
        await pilot.press("D")
        await shows(pilot, "$ nexus-tui dead-letters drop 6-0")
        await pilot.press("enter")
        await shows(pilot, "Nothing was set aside")
        assert stack.letters.done == [("retry", "7-0"), ("drop", "6-0")]
