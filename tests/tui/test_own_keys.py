"""Keys of the user's file in the dashboard, and clicks on the footer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nexus_tui.preferences.keymap import use_keymap
from nexus_tui.widgets.chrome import KeyBar
from tests.tui import fakes
from tests.tui.conftest import opened, screen_text, shows


@pytest.fixture(autouse=True)
def usual_keys_again() -> Iterator[None]:
    yield
    use_keymap({})


def write(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "config" / "nexus"
    folder.mkdir(parents=True)
    (folder / "keys.toml").write_text(text)


async def test_a_key_of_the_file_works_and_is_in_footer_and_help(tmp_path: Path) -> None:
    write(tmp_path, '[keys]\npurge = "X"\nsort = "ctrl+o"\n')
    async with opened(fakes.busy()) as pilot:
        await pilot.press("2")
        await shows(pilot, "X purge", "^o sort")
        await pilot.press("ctrl+o")
        await shows(pilot, "by queue ↑")
        await pilot.press("D")
        assert "Purge" not in screen_text(pilot)
        await pilot.press("X")
        await shows(pilot, "Purge ai_queue", "Delete all 1,204 messages that wait in ai_queue?")
        await pilot.press("escape", "question_mark")
        await shows(pilot, "X                 purge")


async def test_a_conflict_is_told_with_its_line_and_the_usual_keys_hold(tmp_path: Path) -> None:
    write(tmp_path, '[keys]\npurge = "P"\n')
    async with opened(fakes.busy()) as pilot:
        await shows(pilot, "keys.toml line 2: P is the key of", "the usual keys")
        await pilot.press("2", "D")
        await shows(pilot, "Purge ai_queue")


async def test_a_click_on_a_key_in_the_footer_does_what_the_key_does() -> None:
    async with opened(fakes.busy()) as pilot:
        await pilot.press("2")
        await shows(pilot, "D purge")
        footer = pilot.app.screen.query_one(KeyBar)
        line = "".join(text for text, _ in footer._lines[0])
        await pilot.click(footer, offset=(line.index("D purge") + 2, 0))
        await shows(pilot, "Purge ai_queue")
