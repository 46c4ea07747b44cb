"""Columns that stay aligned with wide, combining and right-to-left characters."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from celery_nexus.rows.text import safe_text
from nexus_tui.screens.panes.details import describe_arguments
from nexus_tui.widgets.lines import fit, pad, width_of

NAMES = ["plain", "語彙の名前", "e\u0301te\u0301", "שלום", "مرحبا", "👍🏽 ok", "ｗｉｄｅ"]


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_is_as_wide_as_its_column(name: str) -> None:
    assert width_of(fit(((safe_text(name), "plain"),), 9)) == 9
    assert width_of(fit(((safe_text(name), "plain"),), 9, right=True)) == 9
    assert cell_len(pad(safe_text(name), 6)) == 6


def test_names_of_facts_are_as_wide_whatever_script_they_are_in() -> None:
    lines = describe_arguments([], dict.fromkeys(NAMES, 1))
    assert {cell_len(line[0][0]) for line in lines} == {14}
