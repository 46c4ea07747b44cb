"""The page about reliability is what the program makes of the figures."""

from __future__ import annotations

from benchmarks.faults import table


def test_the_page_is_written_from_the_figures() -> None:
    assert table.PAGE.read_text() == table.page(table.figures())
