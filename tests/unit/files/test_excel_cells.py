"""Cells that readers get wrong: errors, dates of both calendars, times before zero; and what stands beside them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.comments import Comment

from tests.harness.documents import Read
from tests.unit.files import packages
from tests.unit.files.hostile import save
from workers.services.documents.archive import Archive
from workers.services.documents.sheets import odd_cells, workbook
from workers.services.documents.sheets.cells import ErrorCell, as_text
from workers.services.documents.sheets.sparse_sheet import SparseSheet

SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SERIALS = [0.5, 1, 59, 61, 42000.75, -0.5, -1.25, 2958465, 2958466, 1e10]
ERRORS = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>rate</t></is></c></row><row r="2"><c r="A2"><v>20</v></c></row>'
    '<row r="3"><c r="A3" t="e"><f>1/0</f><v>#DIV/0!</v></c></row>'
    '<row r="4"><c r="A4" t="e"><v>#N/A</v></c></row>'
)


def book(
    rows: str,
    *,
    format_: str = "14",
    properties: str = "",
    folder: str = "xl",
    more: dict[str, str | bytes] | None = None,
) -> bytes:
    """A workbook whose cell style 1 has this number format."""
    sheet = '<sheet name="S" sheetId="1" r:id="s"/>'
    code = '<numFmts><numFmt numFmtId="170" formatCode="[h]:mm"/></numFmts>'
    styles = f'{code}<cellXfs><xf numFmtId="0"/><xf numFmtId="{format_}"/></cellXfs>'
    links = {"s": ("worksheet", "data/one.xml"), "y": ("styles", "styles.xml")}
    parts: dict[str, str | bytes] = {
        f"{folder}/workbook.xml": (
            f'<workbook xmlns="{SHEET}" xmlns:r="{packages.REL}">{properties}<sheets>{sheet}</sheets></workbook>'
        ),
        f"{folder}/_rels/workbook.xml.rels": packages.relationships(links),
        f"{folder}/styles.xml": f'<styleSheet xmlns="{SHEET}">{styles}</styleSheet>',
        f"{folder}/data/one.xml": f'<worksheet xmlns="{SHEET}"><sheetData>{rows}</sheetData></worksheet>',
    }
    return packages.package(f"{folder}/workbook.xml", "xl", parts | (more or {}))


def serials() -> str:
    return "".join(f'<row r="{n}"><c r="A{n}" s="1"><v>{value}</v></c></row>' for n, value in enumerate(SERIALS, 1))


@pytest.mark.parametrize("operations", [["analyze"], ["analyze", "convert", "calculate"]])
def test_errors_are_counted_as_errors_and_said(uploads: Path, read: Read, operations: list[str]) -> None:
    save(uploads, "x.xlsx", book(ERRORS))
    result = read("excel", "x.xlsx", operations)
    column = result["sheets"][0]["column_figures"][0]
    assert (column["types"], column["nulls"], column["sum"]) == ({"number": 1, "error": 2}, 0, 20)
    assert result["content"] == "Sheet S\nrate\n20\n#DIV/0!\n#N/A"
    assert result["stats"]["error_cells"] == 2
    assert result["notes"] == {"error_cells": "2 cells show errors and count in no figure ('S': 1 × #DIV/0!, 1 × #N/A)"}


def test_errors_are_written_and_counted_apart(uploads: Path, read: Read) -> None:
    save(uploads, "x.xlsx", book(ERRORS))
    named = {"errors": "errors(rate)", "count": "count(rate)", "nulls": "nulls(rate)", "mean": "mean(rate)"}
    result = read("excel", "x.xlsx", ["convert", "calculate"], calculations=named)
    assert Path(result["outputs"]["csv_file"]).read_text().split() == ["rate", "20", "#DIV/0!", "#N/A"]
    assert result["calculations"] == {"errors": 2, "count": 1, "nulls": 0, "mean": 20}


@pytest.mark.parametrize(
    "rows",
    [
        ERRORS.replace(' t="e"', " t='e'"),
        ERRORS.replace("<c ", "<x:c ").replace("</c>", "</x:c>").replace("<row", f'<row xmlns:x="{SHEET}"'),
        ERRORS.replace('r="A3" t="e"', 't="e" r="A3"'),
    ],
    ids=["other quotes", "prefixed", "other order"],
)
def test_errors_are_found_however_they_are_written(uploads: Path, read: Read, rows: str) -> None:
    save(uploads, "x.xlsx", book(rows))
    assert read("excel", "x.xlsx", ["analyze"])["stats"]["error_cells"] == 2


def test_an_error_in_a_row_of_its_own_stands_in_its_place() -> None:
    odd: Any = {2: {1: ErrorCell("#N/A")}, 5: {0: ErrorCell("#REF!")}}
    rows: Any = iter([(1, ["a"]), (3, ["c"])])
    assert list(odd_cells.overlay(rows, odd)) == [
        (1, ["a"]), (2, ["", "#N/A"]), (3, ["c"]), (5, ["#REF!"]),
    ]  # fmt: skip


def test_a_large_sheet_with_errors_has_them_where_they_stand(uploads: Path, read: Read) -> None:
    rows = "".join(
        f'<row r="{n}"><c r="A{n}"><v>{n}</v></c><c r="B{n}" t="e"><f>NA()</f><v>#N/A</v></c></row>' if n % 500 == 0
        else f'<row r="{n}"><c r="A{n}"><v>{n}</v></c><c r="B{n}"><v>1</v></c></row>'
        for n in range(1, 30_001)
    )  # fmt: skip
    save(uploads, "x.xlsx", book(rows))
    column = read("excel", "x.xlsx", ["analyze"])["sheets"][0]["column_figures"][1]
    assert (column["types"], column["nulls"]) == ({"number": 29_940, "error": 60}, 0)


CALENDARS = {
    "1900": "",
    "1904": '<workbookPr date1904="1"/>',
    "1904 with another element of its name": '<workbookPr date1904="true"/><x:workbookPr xmlns:x="urn:x" other="1"/>',
}


@pytest.mark.parametrize("properties", CALENDARS.values(), ids=CALENDARS)
@pytest.mark.parametrize("format_", ["14", "20", "22", "170"])
def test_every_reader_gives_the_same_dates(uploads: Path, properties: str, format_: str) -> None:
    name = save(uploads, "x.xlsx", book(serials(), format_=format_, properties=properties))
    with (uploads / name).open("rb") as file:
        quick = [values[0] for _, values in workbook.sheets(file, "xlsx")[0].rows()]
        with Archive(file) as archive:
            own = [values[0] for _, values in SparseSheet(archive).rows("xl/data/one.xml")]
    assert quick == own


@pytest.mark.parametrize("properties", CALENDARS.values(), ids=CALENDARS)
def test_a_large_workbook_has_the_same_days_as_a_small_one(
    uploads: Path, properties: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "COLUMNAR_CELLS", 1)
    rows = "".join(f'<row r="{n}"><c r="A{n}" s="1"><v>{100 + n}</v></c></row>' for n in range(1, 30))
    name = save(uploads, "x.xlsx", book(rows, properties=properties))
    with (uploads / name).open("rb") as file:
        sheet = workbook.sheets(file, "xlsx")[0]
        table = sheet.table()
        first = next(sheet.rows())[1][0]
    assert first == (dt.date(1904, 4, 11) if properties else dt.date(1900, 4, 10))
    assert (table is None) == bool(properties)
    earliest = next(iter(table.descriptions()))["earliest"] if table else "1900-04-10"
    assert earliest == "1900-04-10"


@pytest.mark.parametrize(
    ("serial", "format_", "expected"),
    [("-0.5", "20", "-12:00:00"), ("-0.5", "170", "-12:00:00"), ("1.25", "170", "30:00:00"),
     ("-1.75", "14", "-42:00:00"),
     ("0.25", "20", "06:00:00"), ("60", "14", "1900-02-28"), ("3000000", "14", "3000000")],
)  # fmt: skip
def test_times_are_written_as_the_sheet_shows_them(
    uploads: Path, read: Read, serial: str, format_: str, expected: str
) -> None:
    rows = f'<row r="1"><c r="A1" s="1"><v>{serial}</v></c></row>'
    save(uploads, "x.xlsx", book(rows, format_=format_))
    assert read("excel", "x.xlsx", ["analyze"])["content"] == f"Sheet S\n{expected}"


def test_a_span_keeps_its_fraction() -> None:
    assert as_text(dt.timedelta(hours=1, milliseconds=-250)) == "0:59:59.75"


def test_a_workbook_whose_parts_lie_elsewhere_is_read(uploads: Path, read: Read) -> None:
    texts = f'<sst xmlns="{SHEET}"><si><t>shared</t></si></sst>'
    links = {"s": ("worksheet", "data/one.xml"), "t": ("sharedStrings", "texts.xml"), "y": ("styles", "styles.xml")}
    more: dict[str, str | bytes] = {
        "ppt/texts.xml": texts, "ppt/_rels/workbook.xml.rels": packages.relationships(links), "word/decoy.xml": "<x/>",
    }  # fmt: skip
    rows = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" s="1"><v>42000</v></c></row>'
    save(uploads, "x.xlsx", book(rows, folder="ppt", more=more))
    assert read("excel", "x.xlsx", ["analyze"])["content"] == "Sheet S\nshared\t2014-12-27"


def test_shared_texts_that_lie_elsewhere_are_read(uploads: Path, read: Read) -> None:
    links = {"s": ("worksheet", "data/one.xml"), "t": ("sharedStrings", "../texts.xml"), "y": ("styles", "styles.xml")}
    more: dict[str, str | bytes] = {
        "texts.xml": f'<sst xmlns="{SHEET}"><si><t>shared</t></si></sst>',
        "xl/_rels/workbook.xml.rels": packages.relationships(links),
    }
    save(uploads, "x.xlsx", book('<row r="1"><c r="A1" t="s"><v>0</v></c></row>', more=more))
    assert read("excel", "x.xlsx", ["analyze"])["content"] == "Sheet S\nshared"


def test_comments_text_boxes_and_charts_of_a_sheet_are_read(uploads: Path, read: Read) -> None:
    made = openpyxl.Workbook()
    sheet: Any = made.active
    sheet.title = "S"
    sheet.append(["a", 1])
    sheet["B1"].comment = Comment("please check", "A")
    made.save(uploads / "x.xlsx")
    result = read("excel", "x.xlsx", ["analyze"])
    assert result["sheets"][0]["annotations"] == ["B1: please check"]
    drawing = (
        f'<d:x xmlns:d="urn:d" {packages.NAMESPACES}><a:p><a:r><a:t>in a box</a:t></a:r></a:p><c:chart r:id="c"/></d:x>'
    )
    more: dict[str, str | bytes] = {
        "xl/data/_rels/one.xml.rels": packages.relationships({"d": ("drawing", "../d.xml")}),
        "xl/d.xml": drawing, "xl/_rels/d.xml.rels": packages.relationships({"c": ("chart", "c.xml")}),
        "xl/c.xml": packages.chart(),
    }  # fmt: skip
    save(uploads, "y.xlsx", book('<row r="1"><c r="A1"><v>1</v></c></row>', more=more))
    lines = read("excel", "y.xlsx", ["analyze"])["content"].splitlines()
    assert lines == ["Sheet S", "1", "in a box", *packages.CHART_LINES]


def test_words_on_check_boxes_and_buttons_are_read(uploads: Path, read: Read) -> None:
    shape = (
        "<v:shape><v:textbox><div><font>{}</font></div></v:textbox>"
        '<x:ClientData ObjectType="{}"><x:Anchor>1,1</x:Anchor></x:ClientData></v:shape>'
    )
    shapes = shape.format("I agree<br>fully", "Checkbox") + shape.format("a<br>comment", "Note")
    more: dict[str, str | bytes] = {
        "xl/data/_rels/one.xml.rels": packages.relationships({"v": ("vmlDrawing", "../old.vml")}),
        "xl/old.vml": f'<xml xmlns:v="urn:v" xmlns:x="urn:x">{shapes}</xml>',
    }
    save(uploads, "y.xlsx", book('<row r="1"><c r="A1"><v>1</v></c></row>', more=more))
    assert read("excel", "y.xlsx", ["analyze"])["sheets"][0]["annotations"] == ["I agree fully"]


def test_formulas_without_a_stored_result_are_said(uploads: Path, read: Read) -> None:
    cells = (
        '<c r="A1"><f>1+1</f><v>2</v></c><c r="B1"><f>1+1</f><v></v></c><c r="C1"><f>A1</f><v/></c>'
        '<c r="D1" t="str"><f>""</f><v></v></c><c r="E1"><f t="shared" si="0"/></c>'
    )
    save(uploads, "x.xlsx", book(f'<row r="1">{cells}</row>'))
    assert read("excel", "x.xlsx", ["analyze"])["notes"]["formulas"].startswith("3 formulas have no result")


def test_headers_and_footers_of_printed_pages_are_read(uploads: Path, read: Read) -> None:
    made = openpyxl.Workbook()
    sheet: Any = made.active
    sheet["A1"] = 1
    sheet.oddHeader.center.text = "Top & secret"
    sheet.oddFooter.right.text = "Page &P of &N"
    made.save(uploads / "x.xlsx")
    assert read("excel", "x.xlsx", ["analyze"])["sheets"][0]["annotations"] == ["Top & secret", "Page of"]
