"""The table: a cursor that stays on its row, marks by id, a million rows, changed cells only."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import App, ComposeResult
from textual.geometry import Region

from nexus_tui.widgets.lines import find_changed_cells, fit, width_of
from nexus_tui.widgets.tables.columns import Column
from nexus_tui.widgets.tables.table import Table


class _TableApp(App[None]):
    def __init__(self, *, follows: bool = True) -> None:
        super().__init__()
        self.wanted: list[int] = []
        columns = (Column("ID", 8), Column("N", 6, right=True))
        self.table = Table(
            columns,
            lambda item: (((item, "plain"),), ((str(len(item)), "dim"),)),
            str,
            title="Rows",
            empty="Nothing",
            follows=follows,
        )

    def compose(self) -> ComposeResult:
        yield self.table

    def on_table_wanted(self, event: Table.Wanted) -> None:
        self.wanted.append(event.offset)


def rows(first: int, count: int) -> list[str]:
    """Name rows ``first`` downwards, newest first."""
    return [f"r{number}" for number in range(first, first - count, -1)]


def lines(table: Table) -> Sequence[str]:
    """Read the table's drawn lines."""
    return ["".join(text for text, _ in line).rstrip() for line in table._lines]


async def test_following_the_top_shows_new_rows_at_once():
    app = _TableApp()
    async with app.run_test(size=(40, 12)):
        app.table.show(rows(100, 50), total=100)
        app.table.show(rows(103, 50), total=103)
        assert lines(app.table)[2].split() == ["▸", "r103", "4"]


async def test_the_cursor_stays_on_its_row_and_counts_what_is_new():
    app = _TableApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.show(rows(100, 50), total=100)
        app.table.focus()
        await pilot.press("j", "j")
        app.table.show(rows(137, 80), total=137)
        assert app.table.current == "r98"
        assert "+37 new" in lines(app.table)[0]
        assert lines(app.table)[4].startswith("▸ r98"), "at the same height of the screen"


async def test_going_to_the_top_follows_again():
    app = _TableApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.show(rows(100, 50), total=100)
        app.table.focus()
        await pilot.press("j", "g")
        app.table.show(rows(101, 50), total=101)
        assert app.table.current == "r101"
        assert app.table.new_rows == 0


async def test_the_cursor_of_a_table_that_does_not_stream_stays_by_id_when_rows_are_sorted_anew():
    app = _TableApp(follows=False)
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.show(["b", "a", "c"])
        app.table.focus()
        await pilot.press("j")
        app.table.show(["c", "b", "a"])
        assert app.table.current == "a"


async def test_a_million_rows_ask_only_for_what_is_visible():
    app = _TableApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.show(rows(1_000_000, 200), total=1_000_000)
        app.table.focus()
        await pilot.press("G")
        await pilot.pause()
        assert app.table.cursor == 999_999
        assert app.wanted
        assert app.wanted[-1] > 999_000
        offset = app.wanted[-1]
        app.table.show(rows(1_000_000 - offset, 200), offset=offset, total=1_000_000)
        assert app.table.current == "r1"
        assert lines(app.table)[-1].split() == ["▸", "r1", "2"]


async def test_marks_are_ids_and_targets_are_the_marked_ones():
    app = _TableApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.show(rows(10, 10))
        app.table.focus()
        await pilot.press("space", "j", "space")
        app.table.show(rows(11, 5))
        assert app.table.targets() == ("r10", "r8")
        await pilot.press("backslash")
        assert app.table.targets() == (app.table.current,)


async def test_only_changed_cells_are_repainted():
    app = _TableApp(follows=False)
    async with app.run_test(size=(40, 12)):
        app.table.show(["aa", "bb", "cc"])
        painted: list[Region] = []
        app.table.refresh = lambda *regions, **_options: painted.extend(regions)  # type: ignore[method-assign]
        app.table.show(["aa", "bx", "cc"])
        assert painted == [Region(2, 3, 2, 1)]
        painted.clear()
        app.table.show(["aa", "bx", "cc"])
        assert painted == []


async def test_an_empty_table_says_what_to_do():
    app = _TableApp()
    async with app.run_test(size=(40, 12)):
        app.table.show([])
        assert lines(app.table)[1] == "  Nothing"


def test_changed_cells_of_lines_of_other_columns_reach_to_the_end():
    assert find_changed_cells((("ab", "x"), ("cd", "x")), (("ab", "x"), ("c", "x")), 10) == [(2, 8)]


def test_wide_characters_count_as_two_cells():
    line = fit((("日本語", "plain"),), 5)
    assert "".join(text for text, _ in line) == "日本…"
    assert width_of(line) == 5
