"""Word documents are read whole: body, tables, headers, notes, comments, text boxes, pictures."""

from __future__ import annotations

import io
from pathlib import Path

import docx
import pytest
from PIL import Image

from tests.harness.documents import Read
from tests.unit.files import hostile
from tests.unit.files.hostile import WORD, save

REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def _picture() -> io.BytesIO:
    target = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(target, "PNG")
    target.seek(0)
    return target


@pytest.fixture
def letter(uploads: Path) -> str:
    document = docx.Document()
    document.core_properties.title = "A letter"
    document.add_heading("Größe", level=1)
    document.add_paragraph("first line").add_run("\tafter a tab\nsecond line")
    table = document.add_table(2, 2)
    for index, text in enumerate(["A1", "B1", "A2", "B2"]):
        table.cell(index // 2, index % 2).text = text
    table.cell(1, 1).add_table(1, 1).cell(0, 0).text = "nested"
    section = document.sections[0]
    section.header.paragraphs[0].text = "the header"
    section.footer.paragraphs[0].text = "the footer"
    document.add_comment(document.paragraphs[1].runs, text="a comment", author="A", initials="A")
    document.add_picture(_picture())
    document.save(str(uploads / "letter.docx"))
    return "letter.docx"


def test_text_of_all_parts_is_read_in_order(letter: str, read: Read) -> None:
    result = read("word", letter, ["extract_text"])
    expected = "Größe\nfirst line\tafter a tab\nsecond line\nA1\tB1\nA2\tB2 nested\n"
    assert result["content"].startswith(expected)
    for text in ("the header", "the footer", "a comment"):
        assert text in result["content"].splitlines()
    assert Path(result["outputs"]["text_file"]).read_text(encoding="utf-8") == result["content"]


def test_counts_are_right(letter: str, read: Read) -> None:
    stats = read("word", letter, ["count_stats"])["outputs"]["stats"]
    wanted = {"tables": 2, "headings": 1, "images": 1, "headers": 1, "footers": 1, "comments": 1}
    assert {name: stats[name] for name in wanted} == wanted
    assert stats["words"] == 19


def test_pictures_are_written(letter: str, read: Read) -> None:
    images = read("word", letter, ["extract_images"])["outputs"]["images"]
    with Image.open(images[0]) as image:
        assert (len(images), image.size) == (1, (30, 20))


def test_properties_are_read(letter: str, read: Read) -> None:
    assert read("word", letter)["properties"]["title"] == "A letter"


def test_only_what_was_asked_for_is_done(letter: str, read: Read) -> None:
    result = read("word", letter, ["count_stats"])
    assert set(result["outputs"]) == {"stats"}
    assert "content" not in result


def test_a_text_box_is_read_once(uploads: Path, read: Read) -> None:
    box = "<w:txbxContent><w:p><w:r><w:t>in the box</w:t></w:r></w:p></w:txbxContent>"
    mc = "http://schemas.openxmlformats.org/markup-compatibility/2006"
    choice = f'<mc:AlternateContent xmlns:mc="{mc}"><mc:Choice Requires="wps">{box}</mc:Choice>'
    body = f"<w:p><w:r><w:t>outside</w:t>{choice}<mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r></w:p>"
    save(uploads, "x.docx", hostile.word_body(body))
    assert read("word", "x.docx")["content"] == "in the box\noutside"


@pytest.mark.parametrize(("part", "kind"), [("footnotes", "footnote"), ("endnotes", "endnote")])
def test_notes_are_read(uploads: Path, read: Read, part: str, kind: str) -> None:
    notes = f'<w:{part} xmlns:w="{WORD}"><w:{kind}><w:p><w:r><w:t>a note</w:t></w:r></w:p></w:{kind}></w:{part}>'
    links = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="n" Type="{REL}/{part}" Target="{part}.xml"/></Relationships>'
    )
    package = hostile.with_part(hostile.document("body"), f"word/{part}.xml", notes.encode())
    save(uploads, "x.docx", hostile.with_part(package, "word/_rels/document.xml.rels", links.encode()))
    assert read("word", "x.docx")["content"] == "body\n\na note"


def test_deleted_text_is_not_read(uploads: Path, read: Read) -> None:
    body = "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t>there</w:t></w:r></w:ins></w:p>"
    save(uploads, "x.docx", hostile.word_body(body))
    assert read("word", "x.docx")["content"] == "there"


@pytest.mark.parametrize("form", ["template.main+xml", "macroEnabled.main+xml", "macroEnabledTemplate.main+xml"])
def test_templates_and_macro_documents_are_read(uploads: Path, read: Read, form: str) -> None:
    import zipfile

    package = hostile.document("a template")
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        types = archive.read("[Content_Types].xml").replace(b"document.main+xml", form.encode())
    save(uploads, "x.dotm", hostile.with_part(package, "[Content_Types].xml", types))
    assert read("word", "x.dotm")["content"] == "a template"


def test_the_strict_flavour_is_read(uploads: Path, read: Read) -> None:
    strict = "http://purl.oclc.org/ooxml/wordprocessingml/main"
    xml = f'<w:document xmlns:w="{strict}"><w:body><w:p><w:r><w:t>strict</w:t></w:r></w:p></w:body></w:document>'
    save(uploads, "x.docx", hostile.with_part(hostile.document(), "word/document.xml", xml.encode()))
    assert read("word", "x.docx")["content"] == "strict"


def test_a_document_without_text_says_so(uploads: Path, read: Read) -> None:
    save(uploads, "x.docx", hostile.word_body("<w:p/>"))
    assert read("word", "x.docx")["warnings"] == ["no_text"]


def test_the_same_request_twice_leaves_the_same_files(letter: str, read: Read, outputs: Path) -> None:
    first = read("word", letter)
    before = sorted(outputs.rglob("*"))
    assert read("word", letter) == first
    assert sorted(outputs.rglob("*")) == before
