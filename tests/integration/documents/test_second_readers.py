"""What a second program shows of a document is in ours: LibreOffice and poppler beside us, on the same files."""

from __future__ import annotations

import csv
import io
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.harness.documents import Read
from tests.harness.programs import program
from tests.integration.documents import second_samples, smart_art
from tests.integration.documents.office_suite import Conversion, Suite


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[^\W\d_]{2,}", text))


def poppler(name: str, *arguments: str | Path) -> str:
    command = [program(name, "poppler-utils"), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture(scope="module")
def printed(suite: Suite, uploads: Path) -> Path:
    """The samples, and what LibreOffice makes of them: pages, tables, workbooks of other formats."""
    (uploads / "parts.docx").write_bytes(second_samples.word())
    second_samples.show(uploads / "charts.pptx")
    second_samples.cells(uploads / "cells.xlsx")
    smart_art.write(uploads / "diagram.pptx", "Planning", "Building", "Checking")
    second_samples.linked_cells(uploads / "linked.xlsx")
    suite.make(
        [
            Conversion(str(uploads / "parts.docx"), "parts.pdf", "writer_pdf_Export"),
            Conversion(str(uploads / "charts.pptx"), "charts.pdf", "impress_pdf_Export"),
            Conversion(str(uploads / "cells.xlsx"), "cells.csv", "Text - txt - csv (StarCalc)"),
            Conversion(str(uploads / "cells.xlsx"), "cells.xls", "MS Excel 97"),
            Conversion(str(uploads / "cells.xlsx"), "cells.ods", "calc8"),
            Conversion(str(uploads / "diagram.pptx"), "diagram.pdf", "impress_pdf_Export"),
            Conversion(str(uploads / "linked.xlsx"), "linked.pdf", "calc_pdf_Export"),
            Conversion(str(uploads / "linked.xlsx"), "linked.xls", "MS Excel 97"),
            Conversion(str(uploads / "linked.xlsx"), "linked.ods", "calc8"),
        ]
    )
    return uploads


@pytest.mark.parametrize(
    ("kind", "name", "struck"), [("word", "parts.docx", "moved clause"), ("powerpoint", "charts.pptx", "")]
)
def test_each_word_that_libreoffice_prints_is_in_our_text(
    printed: Path, read: Read, kind: str, name: str, struck: str
) -> None:
    theirs = words(poppler("pdftotext", (printed / name).with_suffix(".pdf"), "-"))
    ours = words(read(kind, name)["content"])
    assert len(theirs) > 10
    assert theirs - ours == words(struck)  # which it prints crossed out


def test_the_words_of_a_diagram_are_those_that_libreoffice_draws(printed: Path, read: Read) -> None:
    theirs = words(poppler("pdftotext", printed / "diagram.pdf", "-"))
    assert theirs == words("Planning Building Checking")
    assert words(read("powerpoint", "diagram.pptx", ["extract_text"])["content"]) - words("Slide") == theirs


def test_what_libreoffice_does_not_print_is_in_our_text_too(printed: Path, read: Read) -> None:
    content = read("word", "parts.docx")["content"]
    assert [content.count(some) for some in ("moved clause", "[a chart of sales]", "α")] == [1, 1, 1]
    assert "speak slowly" in read("powerpoint", "charts.pptx")["content"]


def test_cells_are_those_of_libreoffice(printed: Path, read: Read) -> None:
    theirs = list(csv.reader(io.StringIO((printed / "cells.csv").read_text())))
    result = read("excel", "cells.xlsx", formats=["csv"])
    ours = list(csv.reader(io.StringIO(Path(result["outputs"]["csv_file"]).read_text())))
    assert [[cell.lower() for cell in row if cell] for row in theirs if any(row)] == [
        [cell.lower() for cell in row if cell] for row in ours if any(row)
    ]


@pytest.mark.parametrize("name", ["cells.xls", "cells.ods"])
def test_cells_and_comments_are_the_same_in_every_format(printed: Path, read: Read, name: str) -> None:
    content = read("excel", "cells.xlsx", ["analyze"])["content"]
    assert read("excel", name, ["analyze"])["content"] == content
    assert "1904-04-10\t-12:00:00\t#N/A\tcard" in content
    assert "D2: ask Ada" in content


LINKED = ["B2:B4: Amount Between one and nine", "A2: https://shop.example/a?b=1&c=2", "A3: mailto:ada@example.org"]


@pytest.mark.parametrize("ending", ["xlsx", "xls", "ods"])
def test_headers_links_and_prompts_are_those_of_libreoffice(printed: Path, read: Read, ending: str) -> None:
    result = read("excel", f"linked.{ending}", ["analyze"])
    lines = result["sheets"][0]["annotations"]
    assert (lines[0], [line for line in lines if line in LINKED]) == ("Top & secret", LINKED)
    assert "https://formula.example/f" in result["content"] or "1 links" in result["notes"]["links"]
    theirs = words(poppler("pdftotext", printed / "linked.pdf", "-"))
    assert {"secret", "Sheet"} <= theirs.keys()
    assert theirs - words(result["content"]) <= words("formula link")  # which only a program that calculates shows


def test_each_word_that_poppler_reads_in_a_paper_is_in_our_text(uploads: Path, read: Read) -> None:
    second_samples.paper(uploads / "second.pdf")
    result = read("pdf", "second.pdf")
    theirs = words(poppler("pdftotext", uploads / "second.pdf", "-"))
    assert {"purchase", "different", "SMITHFILLED", "Belgium", "FREETEXTNOTE", "turned"} <= theirs.keys()
    assert theirs - words(result["content"]) == Counter()
    about = dict(line.split(":", 1) for line in poppler("pdfinfo", uploads / "second.pdf").splitlines())
    assert (int(about["Pages"]), about["Title"].strip(), about["Form"].strip()) == (
        result["metadata"]["pages"], result["metadata"]["info"]["Title"], result["metadata"]["form"],
    )  # fmt: skip
    pictures = poppler("pdfimages", "-list", uploads / "second.pdf").splitlines()[2:]
    assert len(pictures) == len(result["outputs"]["images"]) == 2
