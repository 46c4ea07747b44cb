"""What a reader of a Word document sees is in its text, once, or a warning names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.documents import Read
from tests.unit.files import hostile, packages
from tests.unit.files.hostile import save
from tests.unit.files.packages import CHART_LINES, paragraph, run

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
Text = Callable[..., str]
CHUNK = '<w:altChunk r:id="c"/>'


@pytest.fixture
def text(uploads: Path, read: Read) -> Text:
    """Read a body of a Word document as text."""

    def of(body: str, **package: Any) -> str:
        save(uploads, "x.docx", packages.word(body, **package))
        return read("word", "x.docx", ["extract_text"])["content"]

    return of


def tracked(kind: str, inside: str = "") -> str:
    return f'<w:{kind} w:id="1" w:author="A">{inside}</w:{kind}>'


def test_a_moved_clause_is_read_where_it_went(text: Text) -> None:
    away = paragraph(f"<w:pPr><w:rPr>{tracked('moveFrom')}</w:rPr></w:pPr>{tracked('moveFrom', run('the clause'))}")
    body = paragraph(run("first")) + away + paragraph(run("last")) + paragraph(tracked("moveTo", run("the clause")))
    assert text(body) == "first\nlast\nthe clause"


def test_a_deleted_paragraph_end_joins_two_paragraphs(text: Text) -> None:
    ended = paragraph(f"<w:pPr><w:rPr>{tracked('del')}</w:rPr></w:pPr>{run('one ')}")
    assert text(ended + paragraph(run("line"))) == "one line"


def test_deleted_rows_and_cells_are_left_out(text: Text) -> None:
    cell = "<w:tc>{}" + paragraph(run("{}")) + "</w:tc>"
    rows = f"<w:tr>{cell.format('', 'kept')}{cell.format('<w:tcPr>' + tracked('cellDel') + '</w:tcPr>', 'cut')}</w:tr>"
    gone = f"<w:tr><w:trPr>{tracked('del')}</w:trPr>{cell.format('', 'gone')}</w:tr>"
    assert text(f"<w:tbl>{rows}{gone}</w:tbl>") == "kept"


def test_tracked_changes_are_said(uploads: Path, read: Read) -> None:
    save(uploads, "x.docx", packages.word(paragraph(tracked("del") + run("a"))))
    assert read("word", "x.docx")["notes"] == {
        "tracked_changes": "the text is as if the tracked deletions and moves were accepted"
    }


RTF = rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\*\generator x;}\uc1 in rich \b text \b0\u8364?\'e9\par next}"
MHT = b"MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>in a page</p>"


@pytest.mark.parametrize(
    ("name", "kind", "content", "lines"),
    [
        ("c.html", "text/html", b"<html><head><title>no</title></head><p>one</p><ul><li>two</ul></html>", "one\ntwo"),
        ("c.xhtml", "application/xhtml+xml", b"<html><body><table><tr><td>a</td><td>b</td></tr></table></body></html>",
         "a\tb"),
        ("c.html", "text/html", "<p>caf\u00e9".encode("cp1252"), "caf\u00e9"),
        ("c.txt", "text/plain", b"first\nsecond", "first\nsecond"),
        ("c.rtf", "application/rtf", RTF, "in rich text €é\nnext"),
        ("c.mht", "message/rfc822", MHT, "in a page"),
        ("c.docx", DOCX, hostile.document("in a document"), "in a document"),
        ("c.dat", "application/rtf", RTF, "in rich text €é\nnext"),
    ],
)  # fmt: skip
def test_an_imported_part_is_read_where_it_stands(text: Text, name: str, kind: str, content: bytes, lines: str) -> None:
    body = paragraph(run("before")) + CHUNK + paragraph(run("after"))
    package = {"links": {"c": ("aFChunk", name)}, "parts": {f"word/{name}": content}}
    assert text(body, **package, defaults={name.partition(".")[2]: kind}) == f"before\n{lines}\nafter"


@pytest.mark.parametrize("content", [b"\x00\x01binary", b"PK\x03\x04 no archive"])
def test_an_imported_part_that_cannot_be_read_is_named(uploads: Path, read: Read, content: bytes) -> None:
    package = packages.word(CHUNK, {"c": ("aFChunk", "c.bin")}, {"word/c.bin": content})
    save(uploads, "x.docx", package)
    result = read("word", "x.docx", ["extract_text"])
    assert "no_text" not in result["warnings"]
    assert "'word/c.bin'" in result["notes"]["not_imported"]


def test_documents_that_import_each_other_without_end_are_cut(uploads: Path, read: Read) -> None:
    inner = hostile.document("innermost")
    for _ in range(6):
        inner = packages.word(CHUNK, {"c": ("aFChunk", "c.docx")}, {"word/c.docx": inner})
    save(uploads, "x.docx", inner)
    assert "3 documents inside of each other" in read("word", "x.docx", ["extract_text"])["notes"]["not_imported"]


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ('<w:sym w:font="Wingdings" w:char="F0FE"/>', "☑"),
        ('<w:sym w:font="Wingdings" w:char="F0A8"/>', "☐"),
        ('<w:sym w:font="Wingdings 2" w:char="F053"/>', "☒"),
        ('<w:sym w:font="Symbol" w:char="F0B3"/>', "≥"),
        ('<w:sym w:font="Symbol" w:char="F061"/>', "α"),
        ('<w:rPr><w:rFonts w:ascii="Wingdings"/></w:rPr><w:t>\uf0fe</w:t>', "☑"),
        ('<w:rPr><w:rFonts w:ascii="Wingdings" w:hAnsi="Wingdings"/></w:rPr><w:t>J</w:t>', "☺"),
        ('<w:sym w:font="Arial" w:char="2603"/>', "☃"),
    ],
)
def test_symbols_become_unicode(text: Text, xml: str, expected: str) -> None:
    assert text(paragraph(f"<w:r>{xml}</w:r>")) == expected


def test_a_symbol_without_unicode_is_named(uploads: Path, read: Read) -> None:
    save(uploads, "x.docx", packages.word(paragraph('<w:r><w:sym w:font="Webdings" w:char="F0FF"/></w:r>')))
    result = read("word", "x.docx", ["extract_text"])
    assert (result["content"], result["notes"]["symbols"]) == (
        "\ufffd",
        "the symbol 0xff of the font 'Webdings' has no Unicode character",
    )


def field(data: str, result: str = "", code: str = "") -> str:
    mark = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    begin = f'<w:r><w:fldChar w:fldCharType="begin"><w:ffData>{data}</w:ffData></w:fldChar></w:r>'
    instruction = f"<w:r><w:instrText>{code}</w:instrText></w:r>"
    return f"{begin}{instruction}{mark.format('separate')}{result}{mark.format('end')}"


CHOICES = '<w:listEntry w:val="Austria"/><w:listEntry w:val="Belgium"/>'


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (field("<w:checkBox><w:default w:val='0'/><w:checked/></w:checkBox>", code="FORMCHECKBOX"), "☒"),
        (field("<w:checkBox><w:default w:val='1'/></w:checkBox>"), "☒"),
        (field("<w:checkBox><w:default w:val='1'/><w:checked w:val='0'/></w:checkBox>"), "☐"),
        (field(f"<w:ddList><w:result w:val='1'/>{CHOICES}</w:ddList>", code="FORMDROPDOWN"), "Belgium"),
        (field(f"<w:ddList>{CHOICES}</w:ddList>"), "Austria"),
        (field(f"<w:ddList><w:result w:val='1'/>{CHOICES}</w:ddList>", run("Belgium")), "Belgium"),
        (field("<w:textInput/>", run("SMITH")), "SMITH"),
        (field("", run("shown"), code="HYPERLINK x"), "shown"),
    ],
)
def test_fields_show_their_values(text: Text, xml: str, expected: str) -> None:
    assert text(paragraph(xml)) == expected


def test_a_field_inside_of_anothers_code_is_not_seen(text: Text) -> None:
    mark = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'.format
    inner = mark("begin") + mark("separate") + run("1") + mark("end")
    outer = mark("begin") + "<w:r><w:instrText>IF </w:instrText></w:r>" + inner + mark("separate") + run("yes")
    assert text(paragraph(outer + mark("end"))) == "yes"


def drawing(inside: str, alt: str = "") -> str:
    properties = f'<wp:docPr id="1" name="x" descr="{alt}"/>'
    graphic = f"<a:graphic><a:graphicData>{inside}</a:graphicData></a:graphic>"
    return f"<w:r><w:drawing><wp:inline>{properties}{graphic}</wp:inline></w:drawing></w:r>"


def test_a_charts_title_axis_series_and_data_are_read(text: Text) -> None:
    package = {"links": {"c": ("chart", "../charts/one.xml")}, "parts": {"charts/one.xml": packages.chart()}}
    assert text(paragraph(drawing('<c:chart r:id="c"/>')), **package).splitlines() == CHART_LINES


def test_a_chart_without_its_data_is_named(uploads: Path, read: Read) -> None:
    empty = f"<c:chartSpace {packages.NAMESPACES}><c:chart><c:plotArea><c:ser/></c:plotArea></c:chart></c:chartSpace>"
    body = paragraph(drawing('<c:chart r:id="c"/>') + run("text"))
    save(uploads, "x.docx", packages.word(body, {"c": ("chart", "c.xml")}, {"word/c.xml": empty}))
    assert "'word/c.xml' keeps no copy of its data" in read("word", "x.docx", ["extract_text"])["notes"]["chart_data"]


def test_smart_art_is_read(text: Text) -> None:
    package = {"links": {"d": ("diagramData", "data.xml")}, "parts": {"word/data.xml": packages.diagram("Plan", "Do")}}
    assert text(paragraph(drawing('<dgm:relIds r:dm="d"/>')), **package) == "Plan\nDo\n"


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (drawing("", "A red barn"), "[A red barn]"),
        (drawing('<pic:pic><pic:nvPicPr><pic:cNvPr descr="A red barn"/></pic:nvPicPr></pic:pic>', "A red barn"),
         "[A red barn]"),
        (drawing("", "photo.png"), ""),
        ('<w:r><w:pict><v:shape alt="A barn"><v:textpath string="DRAFT"/></v:shape></w:pict></w:r>', "[A barn]DRAFT"),
    ],
)  # fmt: skip
def test_what_a_picture_shows_is_said(text: Text, xml: str, expected: str) -> None:
    assert text(paragraph(xml + run("."))) == f"{expected}."


def test_the_older_alternative_is_read_when_the_newer_says_nothing(text: Text) -> None:
    box = f"<v:textbox><w:txbxContent>{paragraph(run('box'))}</w:txbxContent></v:textbox>"
    choice, older = (
        '<mc:Choice Requires="wps"><wps:wsp/></mc:Choice>',
        f"<mc:Fallback><w:pict>{box}</w:pict></mc:Fallback>",
    )
    both = f"<mc:AlternateContent>{choice}{older}</mc:AlternateContent>"
    assert text(paragraph(f"<w:r>{both}</w:r>")) == "box\n"


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ("<m:r><m:t>E=m</m:t></m:r><m:sSup><m:e><m:r><m:t>c</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup>",
         "E=mc^2"),
        ("<m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f>", "(a+b)/2"),
        ("<m:rad><m:deg/><m:e><m:r><m:t>n</m:t></m:r></m:e></m:rad>", "√(n)"),
        ("<m:d><m:dPr><m:begChr m:val='['/><m:endChr m:val=']'/></m:dPr><m:e><m:r><m:t>x</m:t></m:r></m:e></m:d>",
         "[x]"),
    ],
)  # fmt: skip
def test_equations_are_read(text: Text, xml: str, expected: str) -> None:
    assert text(paragraph(f"<m:oMath>{xml}</m:oMath>")) == expected


def test_ruby_is_read_with_its_base(text: Text) -> None:
    assert text(
        paragraph(f"<w:r><w:ruby><w:rt>{run('kan')}</w:rt><w:rubyBase>{run('漢')}</w:rubyBase></w:ruby></w:r>")
    ) == ("漢(kan)")


def test_dates_that_change_by_themselves_are_named(uploads: Path, read: Read) -> None:
    save(uploads, "x.docx", packages.word(paragraph("<w:r><w:t>on </w:t><w:dayLong/></w:r>")))
    assert read("word", "x.docx", ["extract_text"])["warnings"] == ["date_fields"]


def test_what_is_embedded_is_named(uploads: Path, read: Read) -> None:
    links = {"e": ("package", "embeddings/table.xlsx")}
    save(uploads, "x.docx", packages.word(paragraph(run("a")), links, {"word/embeddings/table.xlsx": b"x"}))
    assert "'word/embeddings/table.xlsx'" in read("word", "x.docx", ["extract_text"])["notes"]["embedded_files"]


def test_parts_are_found_by_links_and_not_by_folders(uploads: Path, read: Read) -> None:
    main = f"<w:document {packages.NAMESPACES}><w:body>{paragraph(run('body'))}</w:body></w:document>"
    header = f"<w:hdr {packages.NAMESPACES}>{paragraph(run('header'))}</w:hdr>"
    parts: dict[str, str | bytes] = {
        "a/main.bin": main, "b/h.part": header, "xl/decoy.xml": "<x/>", "xl/more.xml": "<x/>",
        "a/_rels/main.bin.rels": packages.relationships({"h": ("header", "../b/h.part")}),
        "pictures/p.q": b"\x89PNG\r\n\x1a\n",
    }  # fmt: skip
    save(uploads, "x.docx", packages.package("a/main.bin", "word", parts, {"q": "image/png"}))
    result = read("word", "x.docx")
    assert (result["content"], len(result["outputs"]["images"])) == ("body\n\nheader", 1)


@pytest.mark.parametrize(
    ("kind", "paragraph_properties", "warnings"),
    [
        ("decimal", '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>', ["list_numbers"]),
        ("upperRoman", '<w:pStyle w:val="Counted"/>', ["list_numbers"]),
        ("bullet", '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>', []),
        ("decimal", '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="0"/></w:numPr>', []),
        ("decimal", "", []),
    ],
)
def test_numbers_that_word_counts_are_said(
    uploads: Path, read: Read, kind: str, paragraph_properties: str, warnings: list[str]
) -> None:
    level = f'<w:lvl w:ilvl="0"><w:numFmt w:val="{kind}"/><w:lvlText w:val="Article %1."/></w:lvl>'
    lists = f'<w:abstractNum w:abstractNumId="7">{level}</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="7"/>'
    style = '<w:style w:styleId="Counted"><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
    parts: dict[str, str | bytes] = {
        "word/numbering.xml": f"<w:numbering {packages.NAMESPACES}>{lists}</w:num></w:numbering>",
        "word/styles.xml": f"<w:styles {packages.NAMESPACES}>{style}</w:styles>",
    }
    links = {"n": ("numbering", "numbering.xml"), "s": ("styles", "styles.xml")}
    body = paragraph(f"<w:pPr>{paragraph_properties}</w:pPr>{run('clause')}")
    save(uploads, "x.docx", packages.word(body, links, parts))
    result = read("word", "x.docx", ["extract_text"])
    assert (result["content"], result["warnings"]) == ("clause", warnings)
