from __future__ import annotations

import csv
import html
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]
from lxml import html as lxml_html
from openpyxl.utils.escape import unescape

from celery_nexus.exports.cells import Changes, is_formula, scalar, truncate
from celery_nexus.task_errors import Corrupt, InvalidArgument, UnsupportedFormat
from workers.errors import PathNotAllowed
from workers.services.exports import sources
from workers.services.exports.export import export
from workers.services.progress import ignore_progress
from workers.services.storage import OutputFolder

HOSTILE = [
    *("=1+1", "=cmd|'/C calc'!A0", '=HYPERLINK("http://example.org","x")', "+1+1", "-1+1", "-cmd", "@SUM(A1)", "@x"),
    *("\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "\u00a0=1+1", "＝1+1", "＋1", "－1+A1", "＠x", "{=1+1}", "=", "-", "--1"),
    *("\x1b[31mred", "nul\x00inside", "\x9b31m", "bell\x07", "\ud800lone", "a\udfffb", "\ufffe", "\u202eevil"),
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "]]>", "&amp;", '"quoted"', "it's", "a,b;c\td"),
    *("line\nbreak", "carriage\rreturn", "_x0041_", "😀" * 3),
]

PLAIN = ["-5", "+5", "-3.25", "1e5", "50%", "", "ordinary", "a=b", "1-1"]


def folder(tmp_path: Path) -> OutputFolder:
    return OutputFolder(tmp_path / "out", tmp_path / "out" / "run", source=tmp_path / "out")


def run(tmp_path: Path, records: Any, format_: str, columns: list[str] | None = None) -> tuple[Path, dict[str, Any]]:
    if isinstance(records, list):
        records = sources.Listed(records)
    answer = export(records, format_, folder(tmp_path), columns, tmp_path / "tmp", ignore_progress)
    return Path(answer["outputs"]["file"]), answer


def cleaned(text: str) -> Any:
    return scalar(text, Changes())


def hostile_records() -> list[dict[str, Any]]:
    return [{"text": text, "number": -index} for index, text in enumerate(HOSTILE)]


def test_there_are_forty_hostile_strings() -> None:
    assert len(HOSTILE) >= 40


@pytest.mark.parametrize("text", PLAIN)
def test_numbers_and_ordinary_text_are_no_formulas(text: str) -> None:
    assert not is_formula(text)


@pytest.mark.parametrize(("format_", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_no_cell_of_a_text_table_starts_a_formula(tmp_path: Path, format_: str, delimiter: str) -> None:
    path, answer = run(tmp_path, hostile_records(), format_)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file, delimiter=delimiter))
    assert rows[0] == ["text", "number"]
    assert [row[0].removeprefix("'") for row in rows[1:]] == [cleaned(text).removeprefix("'") for text in HOSTILE]
    assert not [row[0] for row in rows[1:] if row[0].lstrip()[:1] in set("=+-@＝＋－＠") and row[0]]
    assert [row[1] for row in rows[1:4]] == ["0", "-1", "-2"]
    assert answer["stats"]["neutralised_cells"] == sum(is_formula(cleaned(text)) for text in HOSTILE)


def test_no_cell_of_a_workbook_is_a_formula(tmp_path: Path) -> None:
    path, _ = run(tmp_path, hostile_records(), "xlsx")
    sheet = openpyxl.load_workbook(path).active
    assert sheet is not None
    cells = [row[0] for row in sheet.iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} == {"s"}
    assert [unescape(str(cell.value)) for cell in cells] == [cleaned(text) for text in HOSTILE]
    assert sheet["B4"].value == -2


@pytest.mark.parametrize("format_", ["json", "jsonl"])
def test_json_holds_the_text_and_no_broken_character(tmp_path: Path, format_: str) -> None:
    path, _ = run(tmp_path, hostile_records(), format_)
    text = path.read_text("ascii")
    rows = json.loads(text) if format_ == "json" else [json.loads(line) for line in text.splitlines()]
    assert [row["text"] for row in rows] == [cleaned(text) for text in HOSTILE]


def test_parquet_gives_the_text_back(tmp_path: Path) -> None:
    path, _ = run(tmp_path, hostile_records(), "parquet")
    table = pq.read_table(path)
    assert table.column("text").to_pylist() == [cleaned(text) for text in HOSTILE]
    assert table.column("number").to_pylist() == [-index for index in range(len(HOSTILE))]


def test_html_shows_markup_as_text_and_forbids_scripts(tmp_path: Path) -> None:
    path, _ = run(tmp_path, hostile_records(), "html")
    page = path.read_text("utf-8")
    assert "default-src &#x27;none&#x27;" in html.escape(page) or "default-src 'none'" in page
    root = lxml_html.fromstring(page.encode())
    assert root.xpath("//script | //img") == []
    shown = [cell.text_content() for cell in root.xpath("//tbody/tr/td[1]")]
    assert "<script>alert(1)</script>" in shown
    assert len(shown) == len(HOSTILE)


def test_xml_is_well_formed_and_gives_the_text_back(tmp_path: Path) -> None:
    path, _ = run(tmp_path, [*hostile_records(), {"text": None}], "xml")
    root = etree.parse(path).getroot()
    values = [field.text or "" for field in root.xpath("record/field[@name='text']")]
    assert values[:-1] == [cleaned(text) for text in HOSTILE]
    assert root.xpath("count(record/field[@null='true'])") == 2


@pytest.mark.parametrize("format_", ["csv", "tsv", "json", "jsonl", "xlsx", "parquet", "html", "xml"])
def test_no_records_make_an_empty_file_of_the_format(tmp_path: Path, format_: str) -> None:
    path, answer = run(tmp_path, [], format_)
    assert answer["stats"]["rows"] == 0
    assert path.stat().st_size == answer["stats"]["bytes"]


@pytest.mark.parametrize("format_", ["csv", "json", "xlsx", "parquet", "html", "xml"])
def test_odd_values_and_names_are_written_in_every_format(tmp_path: Path, format_: str) -> None:
    records = [
        {"a": 1, "b\x1b": float("nan"), "": {"deep": [1, "x"]}, "a ": 10**30},
        {"a": "text", "=1+1": True, "A": -0.5, "<b>": float("-inf")},
        {},
    ]
    _, answer = run(tmp_path, records, format_)
    assert answer["stats"]["rows"] == 3
    assert answer["stats"]["columns"] == 7
    assert answer["stats"]["not_finite_cells"] == 2


def test_nested_values_stay_objects_in_json_and_become_json_text_elsewhere(tmp_path: Path) -> None:
    records = [{"a": {"b": [1, None]}}]
    path, _ = run(tmp_path, records, "json")
    assert json.loads(path.read_text()) == records
    path, _ = run(tmp_path, records, "csv")
    assert path.read_text("utf-8-sig").splitlines()[1] == '"{""b"": [1, null]}"'


@pytest.mark.parametrize("format_", ["json", "csv"])
def test_values_nested_without_end_are_written(tmp_path: Path, format_: str) -> None:
    value: Any = 1
    for _ in range(5000):
        value = [value]
    path, _ = run(tmp_path, [{"a": value}], format_)
    assert "nested too deep" in path.read_text()


def test_a_csv_file_starts_with_its_first_column(tmp_path: Path) -> None:
    path, _ = run(tmp_path, [{"ä": "ö"}], "csv")
    assert path.read_bytes() == "ä\r\nö\r\n".encode()


def test_a_cell_too_long_for_a_workbook_is_cut_and_told(tmp_path: Path) -> None:
    path, answer = run(tmp_path, [{"a": "x" * 40_000, "b": "y" * 32_767, "c": "😀" * 20_000}], "xlsx")
    sheet = openpyxl.load_workbook(path).active
    assert sheet is not None
    assert [len(str(cell.value).encode("utf-16-le")) // 2 for cell in sheet[2]] == [32_767, 32_767, 32_767]
    assert answer["stats"]["cut_cells"] == 2
    assert answer["warnings"] == ["2 cells were longer than a cell can hold and were cut"]


def test_cutting_never_halves_a_character() -> None:
    assert truncate("a😀😀", Changes(), limit=4) == "a😀…"


def test_whole_numbers_that_a_double_would_change_stay_exact(tmp_path: Path) -> None:
    path, _ = run(tmp_path, [{"a": 2**53 + 1}, {"a": -(10**20)}], "xlsx")
    sheet = openpyxl.load_workbook(path).active
    assert sheet is not None
    assert [sheet["A2"].value, sheet["A3"].value] == ["9007199254740993", "-100000000000000000000"]


def test_columns_are_chosen_and_ordered(tmp_path: Path) -> None:
    path, _ = run(tmp_path, [{"a": 1, "b": 2, "c": 3}], "csv", ["c", "a"])
    assert path.read_text("utf-8-sig").splitlines() == ["c,a", "3,1"]


def test_a_column_that_no_record_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="no record has x; there are: a"):
        run(tmp_path, [{"a": 1}], "csv", ["x"])


def test_a_record_that_is_no_object_is_named_by_its_index(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"records\[1\]: expected an object .* got a list"):
        run(tmp_path, [{"a": 1}, [1]], "csv")
    assert not list(tmp_path.rglob("*.part"))


def test_numbers_of_a_text_table_become_numbers_but_codes_with_zeros_stay(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("n,code,n\n-5,007,1.5\n12,123,\n")
    path, _ = run(tmp_path, sources.from_file(tmp_path, "in.csv"), "json")
    assert json.loads(path.read_text()) == [
        {"n": -5, "code": "007", "n (2)": 1.5},
        {"n": 12, "code": "123", "n (2)": None},
    ]


def test_json_lines_are_read_with_big_numbers_and_empty_lines(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('\ufeff{"a": 123456789012345678901234567890}\n\n{"a": NaN}\n')
    path, answer = run(tmp_path, sources.from_file(tmp_path, "in.jsonl"), "csv")
    assert path.read_text("utf-8-sig").splitlines() == ["a", "123456789012345678901234567890", '""']
    assert answer["warnings"] == ["1 cells were NaN or infinite and are empty now"]


@pytest.mark.parametrize("line", ["[1]", "{broken", "[" * 100_000])
def test_a_line_that_is_no_object_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "in.jsonl").write_text('{"a": 1}\n' + line + "\n")
    with pytest.raises(Corrupt, match="line 2: no JSON"):
        run(tmp_path, sources.from_file(tmp_path, "in.jsonl"), "csv")


def test_other_files_and_paths_outside_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormat, match=r"\.jsonl, \.ndjson, \.csv and \.tsv"):
        sources.from_file(tmp_path, "in.docx")
    with pytest.raises(PathNotAllowed):
        run(tmp_path, sources.from_file(tmp_path, "../x.csv"), "csv")


@pytest.mark.parametrize(
    ("values", "type_", "first"),
    [
        (["2026-03-01T12:00:00+02:00", "2026-03-02T00:00:00Z"], "timestamp[us, tz=UTC]",
         datetime(2026, 3, 1, 10, tzinfo=UTC)),
        (["2026-03-01 12:00", "2026-03-02 00:00:00.5"], "timestamp[us]", datetime(2026, 3, 1, 12)),
        (["2026-03-01", None], "date32[day]", date(2026, 3, 1)),
        (["2026-03-01", "soon"], "string", "2026-03-01"),
        (["2026-03-01T12:00:00Z", "2026-03-01T12:00:00"], "string", "2026-03-01T12:00:00Z"),
        (["2026-02-30", "2026-02-28"], "string", "2026-02-30"),
    ],
)  # fmt: skip
def test_times_are_times_in_parquet(tmp_path: Path, values: list[Any], type_: str, first: Any) -> None:
    path, _ = run(tmp_path, [{"at": value} for value in values], "parquet")
    table = pq.read_table(path)
    assert str(table.schema.field("at").type) == type_
    assert table.column("at")[0].as_py() == first


def test_times_of_a_text_table_are_times_too(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("at,n\n2026-03-01T12:00:00Z,1\n,2\n")
    path, _ = run(tmp_path, sources.from_file(tmp_path, "in.csv"), "parquet")
    assert pq.read_table(path).column("at").to_pylist() == [datetime(2026, 3, 1, 12, tzinfo=UTC), None]


@pytest.mark.parametrize("format_", ["csv", "json", "xlsx", "html", "xml"])
def test_times_stay_as_they_were_written_elsewhere(tmp_path: Path, format_: str) -> None:
    path, _ = run(tmp_path, [{"at": "2026-03-01T12:00:00+02:00"}], format_)
    data = path.read_bytes()
    if format_ == "xlsx":
        sheet: Any = openpyxl.load_workbook(path).active
        assert sheet["A2"].value == "2026-03-01T12:00:00+02:00"
    else:
        assert b"2026-03-01T12:00:00+02:00" in data
