"""Large worksheets are read by columns: with the same figures as row by row, or not at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.harness.documents import Read
from workers.services.documents.sheets import figures, workbook
from workers.services.documents.sheets.workbook import Sheet

NAMES = ["number", "text", "truth", "day", "moment", "time", "span", "sparse"]
START = dt.datetime(2024, 2, 28, 23, 30)


def rows(count: int) -> list[list[Any]]:
    return [
        [
            number / 4,
            f"text {number % 3}",
            number % 2 == 0,
            dt.date(2024, 1, 1) + dt.timedelta(days=number),
            START + dt.timedelta(minutes=number),
            dt.time(number % 24, 30),
            dt.timedelta(hours=30 + number),
            number if number % 5 == 0 else None,
        ]
        for number in range(count)
    ]


def save(path: Path, content: list[list[Any]]) -> None:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    for row in content:
        sheet.append(row)
    book.save(path)


@contextmanager
def sheet_of(path: Path, content: list[list[Any]]) -> Generator[Sheet]:
    save(path, content)
    with path.open("rb") as file:
        yield workbook.sheets(file, "xlsx")[0]


@pytest.fixture(autouse=True)
def small_sheets_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "COLUMNAR_CELLS", 1)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param([NAMES, *rows(60)], id="named"),
        pytest.param([["a", "b", "a"], [1, "x", 2], [2, "y", 3]], id="two of one name"),
        pytest.param([["only a header"]], id="one row"),
        pytest.param([[1, 2.5], [3, 4]], id="no header"),
        pytest.param([[], [], ["late", None, "wide"], [1, None, 2], [], [3, "y", None]], id="empty rows and column"),
        pytest.param([["name"], [1, 2], [3, 4]], id="rows wider than the header"),
        pytest.param([["name", "never"], [1]], id="a named column without cells"),
    ],
)
def test_the_figures_are_those_of_the_rows(content: list[list[Any]], tmp_path: Path) -> None:
    with sheet_of(tmp_path / "book.xlsx", content) as sheet:
        table = sheet.table()
        grid = figures.Grid(list(sheet.rows()))
    assert table is not None
    assert table.extent == grid.extent
    assert table.data_rows == grid.data_rows
    assert list(table.descriptions()) == list(grid.descriptions())
    assert table.preview(3) == grid.preview(3)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param([["mixed"], [1], ["two"]], id="several kinds"),
        pytest.param([["value"], [1], ["N/A"]], id="a text that stands for nothing"),
        pytest.param([["value"], ["a"], [" "]], id="white space"),
        pytest.param([[None, "B"], [None, 1]], id="nothing in column A"),
    ],
)
def test_what_columns_would_not_show_is_read_by_rows(content: list[list[Any]], tmp_path: Path) -> None:
    with sheet_of(tmp_path / "book.xlsx", content) as sheet:
        assert sheet.table() is None


def test_a_large_sheet_is_analysed(uploads: Path, read: Read) -> None:
    save(uploads / "large.xlsx", [NAMES, *rows(1000)])
    result = read("excel", "large.xlsx", ["analyze"])
    sheet = result["sheets"][0]
    assert (sheet["used_range"], sheet["header"], sheet["data_rows"]) == ("A1:H1001", True, 1000)
    assert sheet["column_figures"][7] == {
        "column": "H", "name": "sparse", "types": {"number": 200}, "nulls": 800, "min": 0, "max": 995,
        "sum": 99500, "mean": 497.5,
    }  # fmt: skip
    assert sheet["column_figures"][3]["latest"] == "2026-09-26"
    assert result["content"].splitlines()[2].startswith("0\ttext 0\ttrue\t2024-01-01\t2024-02-28T23:30:00\t00:30:00")
