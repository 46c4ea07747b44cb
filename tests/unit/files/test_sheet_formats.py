"""Binary and OpenDocument workbooks: errors, times before zero, comments, and parts that lie elsewhere."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.harness.documents import Read
from tests.unit.files import packages
from tests.unit.files.hostile import save
from workers.services.documents.sheets.odd_cells import unpack_number

SPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {"office": "office", "table": "table", "text": "text", "draw": "drawing",
                         "svg": "svg-compatible"}.items()
)  # fmt: skip


def record(kind: int, body: bytes = b"") -> bytes:
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    return head + bytes([len(body)]) + body


def text(words: str) -> bytes:
    return struct.pack("<I", len(words)) + words.encode("utf-16-le")


def cell(kind: int, column: int, body: bytes, style: int = 0) -> bytes:
    return record(kind, struct.pack("<II", column, style) + body)


def row(number: int, *cells: bytes) -> bytes:
    return record(0, struct.pack("<I", number - 1) + bytes(13)) + b"".join(cells)


STYLES = (
    record(44, struct.pack("<H", 170) + text("[h]:mm"))
    + record(617)
    + record(47, struct.pack("<HH", 0, 0) + bytes(12))
    + record(47, struct.pack("<HH", 0, 170) + bytes(12))
    + record(47, struct.pack("<HH", 0, 14) + bytes(12))
    + record(618)
)
SHEET = (
    row(1, cell(7, 0, struct.pack("<I", 1)), cell(6, 1, text("day")), cell(6, 2, text("note")))
    + row(2, cell(5, 0, struct.pack("<d", -0.5), 1), cell(2, 1, struct.pack("<I", 42000 << 2 | 2), 2))
    + row(3, cell(9, 0, struct.pack("<d", 1.25) + bytes(2), 1), cell(3, 1, b"\x2a"), cell(4, 2, b"\1"))
    + row(5, cell(11, 0, b"\x07" + bytes(2)))
)
SHOWN = "Sheet S\ndelay\tday\tnote\n-12:00:00\t2014-12-27\n30:00:00\t#N/A\ttrue\n#DIV/0!\nB3: ask Ada"


def binary(folder: str) -> bytes:
    """A binary workbook below a folder."""
    comments = record(635, struct.pack("<IIIII", 0, 2, 2, 1, 1) + bytes(16)) + record(637, b"\0" + text("ask Ada"))
    links = {"s": ("worksheet", "sheets/one.bin"), "t": ("sharedStrings", "sharedStrings.bin"),
             "y": ("styles", "styles.bin")}  # fmt: skip
    parts: dict[str, str | bytes] = {
        f"{folder}/workbook.bin": record(153, bytes(12)) + record(156, bytes(8) + text("s") + text("S")),
        f"{folder}/_rels/workbook.bin.rels": packages.relationships(links),
        f"{folder}/sharedStrings.bin": record(19, b"\0" + text("other")) + record(19, b"\0" + text("delay")),
        f"{folder}/styles.bin": STYLES,
        f"{folder}/sheets/one.bin": record(129) + record(145) + SHEET + record(146) + record(130),
        f"{folder}/sheets/_rels/one.bin.rels": packages.relationships({"c": ("comments", "../comments.bin")}),
        f"{folder}/comments.bin": comments,
    }
    return packages.package(f"{folder}/workbook.bin", "xlsb", parts)


@pytest.mark.parametrize("folder", ["xl", "word"], ids=["where they usually lie", "elsewhere"])
def test_a_binary_workbook_is_read_wherever_its_parts_lie(uploads: Path, read: Read, folder: str) -> None:
    save(uploads, "x.xlsb", binary(folder))
    result = read("excel", "x.xlsb", ["analyze"])
    assert (result["format"], result["content"]) == ("xlsb", SHOWN)
    assert result["sheets"][0]["annotations"] == ["B3: ask Ada"]
    assert result["stats"]["error_cells"] == 2


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(42 << 2 | 2, 42), (0x100000000 - (42 << 2) | 2, -42), (1234 << 2 | 3, 12.34), (0x3FF80000, 1.5)],
)
def test_a_number_packed_into_four_bytes(raw: int, expected: float) -> None:
    assert unpack_number(raw) == expected


def open_sheet(uploads: Path, rows: str, shapes: str = "", **parts: str) -> str:
    table = f'<table:table table:name="S"><table:shapes>{shapes}</table:shapes>{rows}</table:table>'
    content = f"<office:document-content {SPACES} xmlns:calcext='urn:c' xmlns:x='urn:x'><office:body>"
    content += f"<office:spreadsheet>{table}</office:spreadsheet></office:body></office:document-content>"
    members: dict[str, str | bytes] = {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "META-INF/manifest.xml": "<manifest/>",
        "content.xml": content,
    }
    save(uploads, "x.ods", packages.zipped(members | parts))
    return "x.ods"


def time_cell(value: str, inside: str = "") -> str:
    return f'<table:table-cell office:value-type="time" office:time-value="{value}">{inside}</table:table-cell>'


@pytest.mark.parametrize(
    ("value", "expected"),
    [("-PT12H30M00S", "-12:30:00"), ("PT30H00M00S", "30:00:00"), ("PT06H00M00S", "06:00:00"),
     ("P2DT1H", "49:00:00"), ("-PT00H00M00.5S", "-0:00:00.5")],
)  # fmt: skip
def test_times_of_an_open_document_are_those_of_the_sheet(uploads: Path, read: Read, value: str, expected: str) -> None:
    name = open_sheet(uploads, f"<table:table-row>{time_cell(value)}</table:table-row>")
    assert read("excel", name, ["analyze"])["content"] == f"Sheet S\n{expected}"


def test_repeated_errors_of_an_open_document_are_each_counted(uploads: Path, read: Read) -> None:
    kind = 'table:number-columns-repeated="2" table:formula="x" calcext:value-type="error"'
    cells = f"<table:table-cell/><table:table-cell {kind}><text:p>#REF!</text:p></table:table-cell>"
    row = f'<table:table-row table:number-rows-repeated="2">{cells}</table:table-row>'
    assert read("excel", open_sheet(uploads, row), ["analyze"])["stats"]["error_cells"] == 4


def test_comments_shapes_and_charts_of_an_open_document_are_read(uploads: Path, read: Read) -> None:
    note = "<office:annotation><text:p>ask</text:p><text:p>Ada</text:p></office:annotation>"
    row = f"<table:table-row><table:table-cell/>{time_cell('PT01H', note)}</table:table-row>"
    shapes = (
        "<draw:custom-shape><text:p>in a shape</text:p></draw:custom-shape><draw:frame><draw:text-box>"
        "<text:p>in a box</text:p></draw:text-box><svg:desc>a red barn</svg:desc></draw:frame>"
        '<draw:frame><draw:object x:href="./Object 1"/></draw:frame>'
    )
    cells = "".join(f"<table:table-cell><text:p>{word}</text:p></table:table-cell>" for word in ("apples", "3"))
    chart = f"<x {SPACES}><text:p>Sales</text:p><table:table-row>{cells}</table:table-row></x>"
    name = open_sheet(uploads, row, shapes, **{"Object 1/content.xml": chart})
    result = read("excel", name, ["analyze"])
    expected = ["in a shape", "in a box", "[a red barn]", "Sales", "apples\t3", "B1: ask Ada"]
    assert (result["sheets"][0]["annotations"], result["warnings"]) == (expected, [])


def test_a_chart_that_is_missing_is_named(uploads: Path, read: Read) -> None:
    shape = '<draw:frame><draw:object x:href="./Object 7"/></draw:frame>'
    row = f"<table:table-row>{time_cell('PT01H')}</table:table-row>"
    assert "'./Object 7'" in read("excel", open_sheet(uploads, row, shape), ["analyze"])["notes"]["chart_data"]
