"""Workbooks: figures, conversions without formulas, calculations."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from celery_nexus.task_errors import InvalidArgument
from tests.harness.documents import Read
from tests.unit.files import hostile
from tests.unit.files.hostile import save


@pytest.fixture
def orders(uploads: Path) -> str:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "Orders"
    rows = [
        ["Name", "Amount", "When", "Paid"],
        ["a", 10, dt.date(2024, 5, 1), True],
        ["b", 2.5, None, False],
        ["c", None, None, None],
    ]
    for row in rows:
        sheet.append(row)
    other = book.create_sheet("Other")
    other["C5"] = 7
    other.sheet_state = "hidden"
    book.save(uploads / "orders.xlsx")
    return "orders.xlsx"


def test_a_column_is_described(orders: str, read: Read) -> None:
    sheet = read("excel", orders, ["analyze"])["sheets"][0]
    assert (sheet["name"], sheet["used_range"], sheet["rows"], sheet["columns"]) == ("Orders", "A1:D4", 4, 4)
    assert sheet["column_figures"][1] == {
        "column": "B", "name": "Amount", "types": {"number": 2}, "nulls": 1, "min": 2.5, "max": 10, "sum": 12.5,
        "mean": 6.25,
    }  # fmt: skip
    assert sheet["column_figures"][2]["earliest"] == "2024-05-01"
    assert sheet["column_figures"][3]["types"] == {"boolean": 2}


def test_a_hidden_sheet_away_from_the_corner_is_described(orders: str, read: Read) -> None:
    sheet = read("excel", orders, ["analyze"])["sheets"][1]
    assert (sheet["name"], sheet["hidden"], sheet["used_range"], sheet["cells"]) == ("Other", True, "C5:C5", 1)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [("sum(Amount)", 12.5), ("mean(Orders!B)", 6.25), ("count('Orders'!Name)", 3), ("MAX(amount)", 10),
     ("nulls(Amount)", 1), ("unique(D)", 2), ("sum(Other!C)", 7), ("median(B:B)", 6.25)],
)  # fmt: skip
def test_a_named_calculation_gives_its_value(orders: str, read: Read, formula: str, expected: float) -> None:
    result = read("excel", orders, ["calculate"], calculations={"figure": formula})
    assert result["calculations"] == {"figure": expected}


@pytest.mark.parametrize("formula", ["sum(Nowhere)", "eval(A)", "sum", "__import__('os')", ""])
def test_a_wrong_calculation_is_named(orders: str, read: Read, formula: str) -> None:
    with pytest.raises(InvalidArgument, match=r"calculations\.figure"):
        read("excel", orders, ["calculate"], calculations={"figure": formula})


def test_without_named_calculations_every_numeric_column_gets_the_usual(orders: str, read: Read) -> None:
    assert read("excel", orders, ["calculate"])["calculations"]["Orders"]["Amount"] == {
        "sum": 12.5, "mean": 6.25, "min": 2.5, "max": 10, "count": 2,
    }  # fmt: skip


def test_sheets_become_csv_json_and_html(orders: str, read: Read) -> None:
    outputs = read("excel", orders, ["convert"])["outputs"]
    with Path(outputs["csv_file"]).open(newline="") as file:
        assert list(csv.reader(file))[1] == ["a", "10", "2024-05-01", "true"]
    assert json.loads(Path(outputs["json_file"]).read_text())["rows"][1] == {
        "row": 2, "values": ["a", 10, "2024-05-01", True],
    }  # fmt: skip
    assert "<tr><td>a<td>10<td>2024-05-01<td>true" in Path(outputs["html_file"]).read_text()
    assert [len(outputs[f"{name}_files"]) for name in ("csv", "json", "html")] == [2, 2, 2]


def test_only_the_formats_asked_for_are_written(orders: str, read: Read) -> None:
    files = read("excel", orders, ["convert"], formats=["csv"])["outputs"]["files"]
    assert [item["format"] for item in files] == ["csv", "csv"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "="])
def test_formula_like_text_is_disarmed_in_csv_and_numbers_stay_numbers(uploads: Path, read: Read, start: str) -> None:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.append(["x", -5])
    sheet["A1"].value = f"{start}cmd|'/c calc'!A1"
    sheet["A1"].data_type = "s"
    book.save(uploads / "x.xlsx")
    outputs = read("excel", "x.xlsx", ["convert"])["outputs"]
    with Path(outputs["csv_file"]).open(newline="") as file:
        assert list(csv.reader(file)) == [[f"'{start}cmd|'/c calc'!A1", "-5"]]


def test_html_is_escaped(uploads: Path, read: Read) -> None:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "<script>"
    sheet["A1"] = "<script>alert(1)</script>"
    book.save(uploads / "x.xlsx")
    page = Path(read("excel", "x.xlsx", ["convert"])["outputs"]["html_file"]).read_text()
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_a_sparse_sheet_reads_like_a_dense_one(uploads: Path, read: Read) -> None:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    values = ["text", 1.5, True, dt.datetime(2024, 2, 29, 12, 30)]
    for index, value in enumerate(values):
        sheet.cell(1, index + 1).value = value
    book.save(uploads / "dense.xlsx")
    sheet["XFD1048576"] = "far"
    book.save(uploads / "sparse.xlsx")
    dense, sparse = (
        json.loads(Path(read("excel", name, ["convert"])["outputs"]["json_file"]).read_text())["rows"][0]
        for name in ("dense.xlsx", "sparse.xlsx")
    )
    assert sparse == dense == {"row": 1, "values": ["text", 1.5, True, "2024-02-29T12:30:00"]}


def test_inline_strings_and_a_missing_reference_are_read(uploads: Path, read: Read) -> None:
    rows = '<row><c t="inlineStr"><is><t>in</t></is></c><c><v>4</v></c></row>'
    save(uploads, "x.xltm", hostile.sheet_data(f"<sheetData>{rows}</sheetData>"))
    assert read("excel", "x.xltm")["content"] == "Sheet Sheet\nin\t4"


def test_the_content_says_how_much_more_the_sheet_has(uploads: Path, read: Read) -> None:
    made = openpyxl.Workbook()
    for row in range(25):
        made.active.append([row] * 52)  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
    made.save(uploads / "x.xlsx")
    lines = read("excel", "x.xlsx", ["analyze"])["content"].splitlines()
    assert (len(lines), lines[-1]) == (22, "… 5 more rows and 2 more columns")
