"""What goes with a worksheet's cells: printed headers and footers, links, prompts."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.worksheet.datavalidation import DataValidation

from tests.harness.documents import Read
from tests.unit.files import packages
from tests.unit.files.hostile import save
from tests.unit.files.test_sheet_formats import SPACES, record, row, text
from workers.services.documents.sheets.cell_extras import header_lines, link_line
from workers.services.documents.sheets.record_links import read_link

URL = bytes.fromhex("e0c9ea79f9bace118c8200aa004ba90b")
FILE = bytes.fromhex("0303000000000000c000000000000046")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ('&L&"Arial,Bold"&12Draft&RPage &P of &N', "Draft Page of"), ("R&&D && sales", "R&D & sales"),
        ("&KFF0000red &K01+049theme", "red theme"), ("&C&A", ""),
    ],
)  # fmt: skip
def test_a_header_is_its_words(header: str, words: str) -> None:
    assert header_lines([header]) == ([words] if words else [])


@pytest.mark.parametrize(
    ("link", "line"),
    [
        (("https://a.example", "", ""), "A1: https://a.example"),
        (("b.xlsx", "Sheet2!C3", "see there"), "A1: b.xlsx#Sheet2!C3 (see there)"),
        (("", "Sheet2!C3", ""), ""),
        (("", "Sheet2!C3", "see there"), "A1: see there"),
    ],
)
def test_a_link_says_where_it_leads(link: tuple[str, str, str], line: str) -> None:
    assert link_line("A1", *link) == line


def test_links_and_prompts_of_a_workbook_are_read(uploads: Path, read: Read) -> None:
    made = openpyxl.Workbook()
    sheet: Any = made.active
    sheet["A1"], sheet["A2"] = "shop", '=HYPERLINK(B1&"x","made up")'
    sheet["A1"].hyperlink = "https://shop.example/?a=1&b=2"
    link: Any = sheet["A1"].hyperlink
    link.tooltip = "to the shop"
    for shown, cells in ((True, "B1:B9"), (False, "C1")):
        rule = DataValidation("whole", promptTitle="Amount", prompt=f"of {cells}", showInputMessage=shown)
        rule.add(cells)
        sheet.add_data_validation(rule)
    made.save(uploads / "x.xlsx")
    result = read("excel", "x.xlsx", ["analyze"])
    lines = ["B1:B9: Amount of B1:B9", "A1: https://shop.example/?a=1&b=2 (to the shop)"]
    assert result["sheets"][0]["annotations"] == lines
    assert result["notes"]["links"].startswith("the addresses of 1 links are computed by formulas")


def test_headers_links_and_prompts_of_a_binary_workbook_are_read(uploads: Path, read: Read) -> None:
    none = struct.pack("<I", 0xFFFFFFFF)
    rule = struct.pack("<IIIIII", 1 << 18, 1, 1, 8, 1, 1) + none * 2 + text("Amount") + text("one to nine")
    link = struct.pack("<IIII", 0, 0, 0, 0) + text("l") + none + text("to the shop") + none
    cells = row(1) + record(64, rule) + record(494, link) + record(479, bytes(2) + text("&CDraft") + none * 5)
    parts: dict[str, str | bytes] = {
        "xl/workbook.bin": record(153, bytes(12)) + record(156, bytes(8) + text("s") + text("S")),
        "xl/_rels/workbook.bin.rels": packages.relationships({"s": ("worksheet", "worksheets/sheet1.bin")}),
        "xl/worksheets/sheet1.bin": record(129) + record(145) + cells + record(146) + record(130),
        "xl/worksheets/_rels/sheet1.bin.rels": packages.relationships({"l": ("hyperlink", "https://shop.example")})
        .replace("/>", ' TargetMode="External"/>'),
    }  # fmt: skip
    save(uploads, "x.xlsb", packages.package("xl/workbook.bin", "xlsb", parts))
    lines = ["B2:B9: Amount one to nine", "A1: https://shop.example (to the shop)", "Draft"]
    assert read("excel", "x.xlsb", ["analyze"])["sheets"][0]["annotations"] == lines


def wide(words: str) -> bytes:
    return struct.pack("<I", len(words) + 1) + (words + "\0").encode("utf-16-le")


def bare(words: str) -> bytes:
    return (words + "\0").encode("utf-16-le")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (struct.pack("<II", 2, 0x03) + URL + struct.pack("<I", 36) + bare("http://a.example/"),
         ("http://a.example/", "")),
        (struct.pack("<II", 2, 0x19) + wide("shown") + URL + struct.pack("<I", 24) + bare("https://a.b") + wide("S!A1"),
         ("https://a.b", "S!A1")),
        (struct.pack("<II", 2, 0x101) + wide("\\\\server\\a"), ("\\\\server\\a", "")),
        (struct.pack("<II", 2, 0x01) + FILE + struct.pack("<HI", 1, 6) + b"b.xls\0" + bytes(24) + bytes(4),
         ("../b.xls", "")),
        (struct.pack("<II", 2, 0x08) + wide("Sheet2!A1"), ("", "Sheet2!A1")),
        (b"\x02", ("", "")),
    ],
)  # fmt: skip
def test_a_link_of_an_old_workbook_is_read(body: bytes, found: tuple[str, str]) -> None:
    assert read_link(body) == found


def test_headers_links_and_prompts_of_an_open_document_are_read(uploads: Path, read: Read) -> None:
    page = "<style:header{}><style:region-left><text:p>{}</text:p></style:region-left></style:header>"
    style, link = "xmlns:style='urn:style'", "xmlns:xlink='urn:xlink'"
    hidden = " style:display='false'"
    pages = page.format("", "Draft <text:sheet-name>???</text:sheet-name>") + page.format(hidden, "not shown")
    masters = f"<style:master-page style:name='P'>{pages}</style:master-page>"
    rule = (
        '<table:help-message table:title="Amount" table:display="true"><text:p>one to nine</text:p>'
        "</table:help-message>"
    )
    checked = "table:content-validation-name='v'"
    cells = (
        "<table:table-row><table:table-cell><text:p><text:a xlink:href='https://shop.example'>shop</text:a></text:p>"
        f"</table:table-cell><table:table-cell {checked}/></table:table-row>"
        f"<table:table-row table:number-rows-repeated='8'><table:table-cell/><table:table-cell {checked}/>"
        "</table:table-row>"
    )
    content = (
        f"<office:document-content {SPACES} {style} {link}><office:automatic-styles>"
        "<style:style style:name='ta' style:master-page-name='P'/></office:automatic-styles><office:body>"
        f"<office:spreadsheet><table:content-validations><table:content-validation table:name='v'>{rule}"
        "</table:content-validation></table:content-validations>"
        f"<table:table table:name='S' table:style-name='ta'>{cells}</table:table></office:spreadsheet></office:body>"
        "</office:document-content>"
    )
    members: dict[str, str | bytes] = {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": content,
        "META-INF/manifest.xml": "<manifest/>",
        "styles.xml": f"<office:document-styles {SPACES} {style}>{masters}</office:document-styles>",
    }  # fmt: skip
    save(uploads, "x.ods", packages.zipped(members))
    lines = ["Draft", "B1:B9: Amount one to nine", "A1: https://shop.example"]
    assert read("excel", "x.ods", ["analyze"])["sheets"][0]["annotations"] == lines
