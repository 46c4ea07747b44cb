from __future__ import annotations

import csv
import json
import re
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import docx
import openpyxl
import pypdfium2 as pdfium
import pytest
from lxml import html as lxml_html

from celery_nexus.task_errors import InvalidArgument
from workers.services.reports import charts, trend
from workers.services.reports.analytics import ReportType, Wishes, analyse
from workers.services.reports.content import Chart, Grid, Limit, spell_cell
from workers.services.reports.delivery import RENDERERS, ReportFormat, deliver
from workers.services.reports.paper import slices
from workers.services.reports.table import as_time, tabulate
from workers.services.reports.workbook import sheet_name
from workers.services.storage import OutputFolder

SALES = [
    {"day": "2026-03-01", "region": "north", "amount": 10, "paid": True},
    {"day": "2026-03-02", "region": "south", "amount": 30.5, "paid": False},
    {"day": "2026-03-04", "region": "north", "amount": -2, "paid": True},
    {"day": "2026-03-04T18:30:00+02:00", "region": None, "amount": None},
]

HOSTILE = [
    {"": 1, "^.*$": 2, "*": 3, "records": 4, "__proto__": 5, "a\x1b[31m": "x", "=1+1": "=cmd|'/C calc'!A0"},
    {"": "mixed", "^.*$": 10**400, "*": float("nan"), "records": {"deep": {"er": [1]}}, "=1+1": "<script>x</script>"},
    {"^.*$": -1.5, "*": float("inf"), "bar\ud800": "\ud800$x^2$ \\frac{", "=1+1": "| pipe\nline *bold*"},
    {},
]

PICTURE = 3
"""PDFium's number of an image object."""

TYPES = ("summary", "detailed", "trend", "comparison")


def make(tmp_path: Path, records: Any, report_type: str, format_: str, **wishes: Any) -> tuple[Path, dict[str, Any]]:
    report = analyse({"records": records}, cast("ReportType", report_type), Wishes(**wishes))
    folder = OutputFolder(tmp_path, tmp_path / "run", source=tmp_path)
    answer = deliver(report, cast("ReportFormat", format_), folder)
    return Path(answer["outputs"]["file"]), answer


@pytest.mark.parametrize("records", [[], SALES, HOSTILE, [{"a": None}]], ids=["none", "sales", "hostile", "nulls"])
@pytest.mark.parametrize("report_type", TYPES)
def test_every_type_of_any_records_is_written(tmp_path: Path, records: Any, report_type: str) -> None:
    for format_ in ("html", "csv", "json", "md"):
        path, answer = make(tmp_path, records, report_type, format_)
        assert path.stat().st_size > 0
        json.dumps(answer, allow_nan=False).encode()


@pytest.mark.parametrize("format_", ["pdf", "xlsx", "docx"])
def test_hostile_records_are_written_in_office_formats(tmp_path: Path, format_: str) -> None:
    path, _ = make(tmp_path, HOSTILE, "detailed", format_, title="\x1b[31m\ud800\x00title")
    assert path.stat().st_size > 0


def test_a_summary_describes_numbers(tmp_path: Path) -> None:
    _, answer = make(tmp_path, SALES, "summary", "json")
    amount = answer["stats"]["columns"]["amount"]
    assert amount == {
        **{"kind": "number", "count": 3, "missing": 1, "distinct": 3, "sum": 38.5, "mean": 12.8333333333},
        **{"min": -2.0, "median": 10.0, "p95": 28.45, "max": 30.5, "std": 16.4342122821},
    }


def test_a_summary_describes_texts_and_dates(tmp_path: Path) -> None:
    _, answer = make(tmp_path, SALES, "summary", "json")
    columns = answer["stats"]["columns"]
    assert columns["region"]["most_frequent"] == "north"
    assert columns["region"]["most_frequent_count"] == 2
    assert (columns["day"]["min"], columns["day"]["max"]) == ("2026-03-01", "2026-03-04T16:30:00Z")


def test_a_trend_counts_and_adds_up_by_day_without_gaps(tmp_path: Path) -> None:
    _, answer = make(tmp_path, SALES, "trend", "csv")
    rows = list(csv.reader(Path(answer["outputs"]["csv_file"]).read_text("utf-8-sig").splitlines()))
    assert rows == [
        ["day", "records", "amount: sum", "amount: mean"],
        ["2026-03-01", "1", "10.0", "10.0"],
        ["2026-03-02", "1", "30.5", "30.5"],
        ["2026-03-03", "0", "0.0", ""],
        ["2026-03-04", "2", "-2.0", "-2.0"],
    ]
    assert answer["stats"]["change"]["amount"]["change_percent"] == -120.0


@pytest.mark.parametrize(
    ("first", "last", "unit"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T05:00:00Z", "hour"),
        ("2026-01-01", "2026-12-31", "week"),
        ("2020-01-01", "2026-12-31", "month"),
        ("0001-01-01", "9999-12-31", "year"),
    ],
)
def test_the_bucket_of_a_trend_fits_its_span(tmp_path: Path, first: str, last: str, unit: str) -> None:
    _, answer = make(tmp_path, [{"at": first}, {"at": last}], "trend", "json")
    assert answer["stats"]["bucket"] == unit


def test_a_trend_without_dates_follows_the_order_and_says_so(tmp_path: Path) -> None:
    _, answer = make(tmp_path, [{"n": n} for n in range(90)], "trend", "json")
    assert answer["stats"]["buckets"] == trend.PARTS
    assert answer["stats"]["change"]["n"]["slope"] == 9.0
    assert answer["warnings"] == ["no column holds ISO dates: the trend follows the order of the records"]


def test_a_comparison_puts_groups_side_by_side(tmp_path: Path) -> None:
    _, answer = make(tmp_path, SALES, "comparison", "json", group_by="region")
    assert answer["stats"]["by_group"] == [
        {"region": "north", "records": 2, "share_percent": 50.0, "amount: sum": 8.0, "amount: mean": 4.0},
        {"region": "(none)", "records": 1, "share_percent": 25.0, "amount: sum": 0.0, "amount: mean": None},
        {"region": "south", "records": 1, "share_percent": 25.0, "amount: sum": 30.5, "amount: mean": 30.5},
    ]
    assert answer["stats"]["spread"][0]["highest"] == "south"


def test_a_comparison_chooses_the_column_with_the_fewest_values(tmp_path: Path) -> None:
    _, answer = make(tmp_path, [{"a": x, "b": x[0]} for x in ("xu", "xv", "yw", "yu")], "comparison", "json")
    assert answer["stats"]["group_by"] == "b"


def test_a_column_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(InvalidArgument, match="group_by: no column x; there are: day, region, amount, paid"):
        analyse({"records": SALES}, "comparison", Wishes(group_by="x"))
    with pytest.raises(InvalidArgument, match="date_field: region holds text"):
        analyse({"records": SALES}, "trend", Wishes(date_field="region"))


@pytest.mark.parametrize("data", [{}, {"records": "text"}, {"records": {"a": 1}}, None])
def test_data_without_records_is_refused(data: Any) -> None:
    with pytest.raises(InvalidArgument, match="a list of objects in `records`"):
        analyse(data, "summary", Wishes())


def test_a_record_that_is_no_object_is_named() -> None:
    with pytest.raises(InvalidArgument, match=r"data\.records\[1\]: expected an object .* got text"):
        analyse({"records": [{}, "x"]}, "summary", Wishes())


def test_objects_in_objects_become_dotted_columns() -> None:
    assert tabulate([{"a": {"b": {"c": 1}}, "d": [1, {"e": 2}]}]).kinds == {"a.b.c": "number", "d": "text"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-02-30", None),
        ("2026", None),
        ("20260301", None),
        ("2026-03-01T12:00:00.123456789+05:30", "2026-03-01T06:30:00.123456+00:00"),
        ("2026-03-01 12:00Z", "2026-03-01T12:00:00+00:00"),
        ("9999-12-31T23:59:59-14:00", None),
    ],
)
def test_iso_dates_are_recognised(text: str, found: str | None) -> None:
    moment = as_time(text)
    assert (moment.isoformat() if moment else None) == found


def test_a_page_has_charts_and_no_way_to_run_or_load_anything(tmp_path: Path) -> None:
    path, _ = make(tmp_path, [*HOSTILE, *SALES], "detailed", "html", title="<b>Title</b> & more")
    page = path.read_text("utf-8")
    root = lxml_html.fromstring(page.encode())
    policy = root.xpath("string(//meta[@http-equiv='Content-Security-Policy']/@content)")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert root.xpath("string(//h1)") == "<b>Title</b> & more"
    assert root.xpath("//script | //link | //iframe | //img | //object | //*[@onload or @onerror]") == []
    assert len(root.xpath("//*[local-name()='svg']")) >= 2
    assert "#010203" not in page
    assert "\x1b" not in page
    hrefs = re.findall(r'href="([^"]*)"', page)
    assert not [href for href in hrefs if not href.startswith("#")]


def test_markup_in_a_label_stays_text_in_a_chart(tmp_path: Path) -> None:
    records = [{"kind": "<script>alert(1)</script>"}, {"kind": "<script>alert(1)</script>"}, {"kind": "$x_"}]
    path, _ = make(tmp_path, records, "comparison", "html")
    root = lxml_html.fromstring(path.read_bytes())
    assert root.xpath("//*[local-name()='script']") == []
    texts = [text.strip() for text in root.xpath("//*[local-name()='svg']//text()")]
    assert "<script>alert(1)</script>" in texts
    assert "$x_" in texts


def test_a_pdf_opens_and_holds_text_and_charts(tmp_path: Path) -> None:
    path, _ = make(tmp_path, SALES, "summary", "pdf", title="Übersicht <Ω> Отчёт")
    document = pdfium.PdfDocument(path)
    text = "".join(page.get_textpage().get_text_range() for page in document)
    pictures = [item for page in document for item in page.get_objects([PICTURE])]
    document.close()
    assert "Übersicht <Ω> Отчёт" in text
    assert "most_frequent" in text
    assert len(pictures) >= 2


def test_a_workbook_has_native_charts_and_no_formula(tmp_path: Path) -> None:
    path, _ = make(tmp_path, [*SALES, *HOSTILE], "detailed", "xlsx", title="=1+1")
    with zipfile.ZipFile(path) as archive:
        assert [name for name in archive.namelist() if name.startswith("xl/charts/chart")]
    book = openpyxl.load_workbook(path)
    assert book["Overview"]["A1"].value == "=1+1"
    types = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert "f" not in types


def test_a_word_document_has_tables_and_pictures(tmp_path: Path) -> None:
    path, _ = make(tmp_path, SALES, "summary", "docx")
    document = docx.Document(str(path))
    assert document.tables[0].cell(1, 0).text == "amount"
    assert len(document.inline_shapes) >= 2


def test_markdown_keeps_tables_whole(tmp_path: Path) -> None:
    path, _ = make(tmp_path, [{"a": "x | y\n*z* <b>", "b": 1}], "detailed", "md")
    assert "| x \\| y \\*z\\* \\<b\\> | 1 |" in path.read_text()


def test_rows_that_are_not_shown_are_told(tmp_path: Path) -> None:
    _, answer = make(tmp_path, [{"n": n} for n in range(5001)], "detailed", "md")
    assert answer["warnings"] == ["Records: 5000 of 5001 rows are shown; xlsx, csv and json hold all"]


def test_fewer_rows_of_a_wide_table_are_shown() -> None:
    wide = Grid(tuple(map(str, range(50))), ((0,) * 50,) * 1000)
    assert Limit(rows=500, cells=10_000).rows_of(wide) == 200
    assert Limit(rows=500, cells=100_000).rows_of(wide) == 500


def test_wide_tables_go_on_below_with_their_first_column() -> None:
    wide = Grid(tuple("abcdefghijklmn"), (tuple(range(14)),))
    parts = list(slices(wide, Limit(rows=10, cells=1000)))
    assert ["".join(part.columns) for part in parts] == ["abcdefg", "ahijklm", "an"]


def test_names_of_sheets_fit_and_differ() -> None:
    taken: set[str] = set()
    assert [sheet_name("a/b" * 20, taken), sheet_name("A b" * 20, taken), sheet_name("", taken)] == [
        "a ba ba ba ba ba ba ba ba ba ba",
        "A bA bA bA bA bA bA bA bA  (2)",
        "Table",
    ]


@pytest.mark.parametrize(
    ("cell", "text"),
    [(None, "–"), (True, "yes"), (1234567, "1,234,567"), (-0.00012345, "-0.0001234"), (2.5, "2.50"), (1e300, "1e+300")],
)
def test_numbers_are_spelled_for_people(cell: Any, text: str) -> None:
    assert spell_cell(cell) == text


def test_every_format_has_a_renderer() -> None:
    assert list(RENDERERS) == ["html", "pdf", "xlsx", "docx", "csv", "json", "md"]


def test_bars_begin_at_zero_in_pictures() -> None:
    chart = Chart("c", "bar", ("a", "b"), (("n", (1000.0, 1010.0)),))
    figure = charts._figure(chart)
    assert figure.axes[0].get_ylim()[0] == 0
    below = charts._figure(Chart("c", "bar", ("a",), (("n", (-5.0, -6.0)),)))
    assert below.axes[0].get_ylim()[1] == 0


def test_bars_begin_at_zero_in_workbooks_and_lines_need_not(tmp_path: Path) -> None:
    records = [{"day": f"2026-03-{day:02d}", "kind": kind, "n": 1000 + day} for day in range(1, 9) for kind in "ab"]
    for report_type, minimum in (("comparison", b'<c:min val="0"/>'), ("trend", b"<c:lineChart>")):
        path, _ = make(tmp_path, records, report_type, "xlsx")
        with zipfile.ZipFile(path) as archive:
            assert minimum in archive.read("xl/charts/chart1.xml")


def test_a_wide_table_scrolls_in_its_own_box(tmp_path: Path) -> None:
    path, _ = make(tmp_path, [{f"column {n}": "word" for n in range(60)}], "detailed", "html")
    page = path.read_text("utf-8")
    root = lxml_html.fromstring(page.encode())
    assert all("table" in (table.getparent().get("class") or "") for table in root.xpath("//table"))
    assert ".table { overflow-x: auto; }" in page
    assert "overflow-wrap: break-word; max-width" in page  # else columns shrink to a letter before anything scrolls


def every_six_hours(first: str, last: str) -> list[dict[str, Any]]:
    at, end = datetime.fromisoformat(first), datetime.fromisoformat(last)
    count = int((end - at) / timedelta(hours=6)) + 1
    return [{"at": (at + timedelta(hours=6 * n)).isoformat(), "n": 1} for n in range(count)]


@pytest.mark.parametrize(
    ("first", "last", "partial", "warnings"),
    [
        ("2026-01-07T00:00", "2026-09-30T18:00", ["2026-01-05", "2026-09-28"],
         ["the first and last week are not whole in the data, and are not compared"]),
        ("2026-01-05T00:00", "2026-09-30T18:00", ["2026-09-28"],
         ["the last week is not whole in the data, and is not compared"]),
        ("2026-01-05T00:00", "2026-09-27T18:00", [], []),
    ],
)  # fmt: skip
def test_partial_buckets_are_not_compared(
    tmp_path: Path, first: str, last: str, partial: list[str], warnings: list[str]
) -> None:
    _, answer = make(tmp_path, every_six_hours(first, last), "trend", "json")
    assert (answer["stats"]["partial"], answer["warnings"]) == (partial, warnings)
    change = answer["stats"]["change"]["records"]
    assert (change["first"], change["last"], change["change_percent"]) == (28, 28, 0)


def test_whole_days_of_plain_dates_are_whole(tmp_path: Path) -> None:
    records = [{"day": f"2026-03-{day:02d}"} for day in range(1, 11) for _ in range(50)]
    _, answer = make(tmp_path, records, "trend", "json")
    assert (answer["stats"]["partial"], answer["warnings"]) == ([], [])
