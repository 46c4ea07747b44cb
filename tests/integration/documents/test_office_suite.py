"""Documents that LibreOffice made, and ours that LibreOffice opens."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from PIL import Image

from celery_nexus.task_errors import UnsupportedFormat
from tests.harness.documents import Read
from tests.integration.documents.office_sources import SENTENCE
from tests.integration.documents.office_suite import Conversion, Suite
from workers.errors import Encrypted
from workers.services.exports.export import export
from workers.services.exports.sources import Listed
from workers.services.progress import ignore_progress
from workers.services.reports.analytics import Wishes, analyse
from workers.services.reports.delivery import ReportFormat, deliver
from workers.services.storage import OutputFolder

LETTER = f"""Quarterly letter
{SENTENCE}
first point
second point
Item\tAmount\tPrice
apples\t3\t1.50
together\t4.50"""

HOSTILE = ["=1+1", "+1+1", "@SUM(1)", "-2+3", "{=1+1}", "\t=1+1", '=HYPERLINK("http://example.org")', "plain"]
REPORTS: dict[ReportFormat, str] = {
    "docx": "writer_pdf_Export",
    "xlsx": "calc_pdf_Export",
    "html": "writer_web_pdf_Export",
}


@pytest.mark.parametrize("ending", ["docx", "dotx", "docm"])
def test_a_letter_is_read_with_table_notes_header_and_picture(suite: Suite, read: Read, ending: str) -> None:
    result = read("word", f"letter.{ending}")
    assert result["content"].startswith(LETTER)
    for words in ("Words of the header", "Words of the footer", "The words of a footnote."):
        assert words in result["content"]
    counted = {name: result["stats"][name] for name in ("headings", "tables", "footnotes", "headers", "images")}
    assert counted == {"headings": 1, "tables": 1, "footnotes": 1, "headers": 1, "images": 1}
    assert (result["properties"]["title"], result["properties"]["creator"]) == ("A title", "Ada Example")
    with Image.open(result["outputs"]["images"][0]) as picture:
        assert picture.size == (40, 20)


@pytest.mark.parametrize("ending", ["xlsx", "xltx", "xlsm", "xls", "ods"])
def test_a_workbook_gives_the_same_figures_in_every_format(suite: Suite, read: Read, ending: str) -> None:
    result = read("excel", f"orders.{ending}", calculations={"total": "sum(Orders!Amount)"})
    orders, far = result["sheets"]
    by_name = {column["name"]: column for column in orders["column_figures"]}
    assert by_name["Amount"]["types"] == {"number": 4}
    assert (by_name["Amount"]["min"], by_name["Amount"]["sum"]) == (-1, 13)  # the formula's 6.5 among them
    assert (by_name["Day"]["earliest"], by_name["Paid"]["types"]) == ("2026-03-31", {"boolean": 3})
    assert result["calculations"] == {"total": 13}
    assert (far["hidden"], far["used_range"], far["cells"]) == (True, "A60001:IV60001", 2)
    assert "'=1+1" in Path(result["outputs"]["csv_file"]).read_text()


@pytest.mark.parametrize("ending", ["pptx", "potx", "ppsx"])
def test_a_presentation_is_read_with_notes_and_picture(suite: Suite, read: Read, ending: str) -> None:
    result = read("powerpoint", f"show.{ending}")
    assert result["content"] == f"Slide 1\nWhere we stand\n\nNotes:\nSpeak slowly here.\n\nSlide 2\n{SENTENCE}"
    assert (result["stats"]["slides"], result["stats"]["pictures"]) == (2, 1)
    assert len(result["outputs"]["images"]) == 1


@pytest.mark.parametrize(
    ("name", "pages", "words"),
    [("letter.pdf", 1, "Grüße aus Žilina, 漢字 und €."), ("orders.pdf", 1, "plums -1"), ("show.pdf", 2, "Where we")],
)
def test_a_pdf_is_read_with_text_and_metadata(suite: Suite, read: Read, name: str, pages: int, words: str) -> None:
    result = read("pdf", name)
    assert words in result["content"]
    assert (result["metadata"]["pages"], result["metadata"]["info"]["Author"]) == (pages, "Ada Example")


@pytest.mark.parametrize(("kind", "name"), [("word", "docx"), ("excel", "xlsx"), ("powerpoint", "pptx")])
def test_a_document_with_a_password_is_encrypted(suite: Suite, read: Read, kind: str, name: str) -> None:
    with pytest.raises(Encrypted, match="has a password"):
        read(kind, f"secret.{name}")


@pytest.mark.parametrize(
    ("kind", "name", "found"),
    [
        ("word", "letter.doc", "an old binary Word document"),
        ("word", "letter.rtf", "a Rich Text document"),
        ("word", "letter.odt", "an OpenDocument text"),
        ("powerpoint", "show.ppt", "an old binary PowerPoint presentation"),
        ("powerpoint", "show.odp", "an OpenDocument presentation"),
        ("word", "orders.ods", "an OpenDocument spreadsheet"),
    ],
)
def test_other_formats_are_named_by_their_content(suite: Suite, read: Read, kind: str, name: str, found: str) -> None:
    with pytest.raises(UnsupportedFormat, match=f"the content is {found}"):
        read(kind, name)


@pytest.fixture(scope="module")
def opened(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export and reports of ours as LibreOffice reads them: the workbook as CSV, the reports as PDF."""
    root = tmp_path_factory.mktemp("ours", numbered=True)
    folder = OutputFolder(root, root / "out", source=root)
    exported = export(Listed([{"text": text} for text in HOSTILE]), "xlsx", folder, None, root, ignore_progress)
    conversions = [Conversion(exported["outputs"]["file"], "back.csv", "Text - txt - csv (StarCalc)")]
    records = [{"region": name, "amount": amount} for name, amount in (("north", 3), ("south", 5), ("north", 7))]
    report = analyse({"records": records}, "comparison", Wishes("The year in figures"))
    for format_, filter_ in REPORTS.items():
        made = deliver(report, format_, folder)["outputs"]["file"]
        conversions.append(Conversion(made, f"report-{format_}.pdf", filter_))
    suite.make(conversions)
    return suite.made


def test_an_exported_workbook_opens_there_and_runs_no_formula(opened: Path) -> None:
    rows = list(csv.reader(io.StringIO((opened / "back.csv").read_text())))
    assert [row[0] for row in rows] == ["text", *HOSTILE]


@pytest.mark.parametrize("format_", REPORTS)
def test_a_report_opens_there(opened: Path, read: Read, format_: str) -> None:
    content = read("pdf", f"report-{format_}.pdf")["content"]
    assert "The year in figures" in content
    assert "south" in content
