"""Where the links of documents lead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pptx
import pytest
from reportlab.pdfgen import canvas

from tests.harness.documents import Read
from tests.unit.files import packages
from tests.unit.files.hostile import save
from tests.unit.files.packages import paragraph, run

ADDRESS = "https://shop.example/?a=1&b=2"
MARK = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'


def code(text: str) -> str:
    return f"<w:r><w:instrText>{text}</w:instrText></w:r>"


@pytest.mark.parametrize(
    ("xml", "shown"),
    [
        (f'<w:hyperlink r:id="h">{run("the ")}{run("shop")}</w:hyperlink>', "the shop"),
        (MARK.format("begin") + code(" HYPER") + code('LINK "https://shop.example/?a=1&amp;b=2" \\o "tip" ')
         + MARK.format("separate") + run("the shop") + MARK.format("end"), "the shop"),
        ('<w:fldSimple w:instr="HYPERLINK https://shop.example/?a=1&amp;b=2">' + run("the shop") + "</w:fldSimple>",
         "the shop"),
        ('<w:r><w:drawing><wp:docPr id="1" name="x"><a:hlinkClick r:id="h"/></wp:docPr></w:drawing></w:r>', ""),
    ],
    ids=["an element", "a field", "a simple field", "a picture"],
)  # fmt: skip
def test_a_link_of_a_word_document_leads_there(uploads: Path, read: Read, xml: str, shown: str) -> None:
    outside = ADDRESS.replace("&", "&amp;") + '" TargetMode="External'
    save(uploads, "x.docx", packages.word(paragraph(run("see ") + xml), {"h": ("hyperlink", outside)}))
    result = read("word", "x.docx")
    assert result["links"] == [{"text": shown, "address": ADDRESS}]
    assert result["content"] == f"see {shown}"


def test_a_link_to_a_place_inside_of_the_document_leads_nowhere_else(uploads: Path, read: Read) -> None:
    inside = f'<w:hyperlink w:anchor="_Toc1">{run("chapter")}</w:hyperlink>'
    field = MARK.format("begin") + code(' HYPERLINK \\l "_Toc1" ') + MARK.format("separate") + run("two")
    save(uploads, "x.docx", packages.word(paragraph(inside + field + MARK.format("end"))))
    assert read("word", "x.docx")["links"] == []


def test_a_link_of_an_imported_page_stands_behind_its_words(uploads: Path, read: Read) -> None:
    page = b'<html><body><p><a href="https://shop.example">the shop</a> and <a href="#top">up</a></p></body></html>'
    links = {"h": ("aFChunk", "page.html")}
    made = packages.word('<w:altChunk r:id="h"/>', links, {"word/page.html": page}, {"html": "text/html"})
    save(uploads, "x.docx", made)
    assert read("word", "x.docx")["content"] == "the shop <https://shop.example> and up"


def test_links_of_slides_lead_there(uploads: Path, read: Read) -> None:
    made: Any = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[6])
    words = slide.shapes.add_textbox(0, 0, 9, 9).text_frame.paragraphs[0]
    for text in ("the ", "shop", " and more"):
        words.add_run().text = text
    for at in (0, 1):
        words.runs[at].hyperlink.address = ADDRESS
    slide.shapes.add_textbox(0, 0, 9, 9).click_action.hyperlink.address = "mailto:ada@example.org"
    made.save(str(uploads / "x.pptx"))
    expected = [("the shop", ADDRESS), ("", "mailto:ada@example.org")]
    assert [tuple(link.values()) for link in read("powerpoint", "x.pptx")["links"]] == expected


def test_links_of_a_pdf_lead_there(uploads: Path, read: Read) -> None:
    page = canvas.Canvas(str(uploads / "x.pdf"))
    for at, address in enumerate([ADDRESS, "mailto:ada@example.org", ADDRESS]):
        page.drawString(50, 700 - 30 * at, "here")
        page.linkURL(address, (50, 690 - 30 * at, 100, 715 - 30 * at))
        page.showPage()
    page.drawString(50, 700, "the end")
    page.bookmarkPage("end")
    page.linkAbsolute("up", "end", (50, 690, 100, 715))
    page.save()
    expected = [{"page": 1, "address": ADDRESS}, {"page": 2, "address": "mailto:ada@example.org"}]
    assert read("pdf", "x.pdf", ["extract_text"])["links"] == expected
