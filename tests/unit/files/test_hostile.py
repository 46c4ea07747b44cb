"""Hostile and broken documents end in one typed error, or in a result, and never take long."""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pypdf
import pytest
from PIL import Image

from celery_nexus.task_errors import Corrupt, DocumentError, TooLarge, UnsupportedFormat
from tests.harness.documents import Read
from tests.unit.files import hostile
from tests.unit.files.hostile import save
from workers.errors import Encrypted, TooComplex, UnsafeXml

LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><l>&b;</l>"""
XXE = b"""<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><w:document
 xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>&x;</w:t></w:r></w:p>
</w:body></w:document>"""


@pytest.mark.parametrize(
    ("kind", "package", "part"),
    [
        ("word", hostile.document, "word/document.xml"),
        ("word", hostile.document, "word/unused.xml"),
        ("excel", hostile.workbook, "xl/sharedStrings.xml"),
    ],
)
@pytest.mark.parametrize("content", [LAUGHS, XXE, XXE.decode().encode("utf-16"), b" " * (1 << 20) + XXE])
def test_a_doctype_in_any_part_is_refused(
    uploads: Path, read: Read, kind: str, package: Callable[[], bytes], part: str, content: bytes
) -> None:
    save(uploads, "x", hostile.with_part(package(), part, content))
    with pytest.raises(UnsafeXml, match="declares a DOCTYPE"):
        read(kind, "x")


@pytest.mark.parametrize("part", ["word/media/image1.png", "word/extra.xml"])
def test_a_zip_bomb_is_refused_by_its_directory(uploads: Path, read: Read, part: str) -> None:
    save(uploads, "x.docx", hostile.bomb(hostile.document(), part, 20))
    with pytest.raises(TooLarge, match="as a ZIP bomb does"):
        read("word", "x.docx")


def test_more_than_200_mb_unpacked_is_refused(uploads: Path, read: Read) -> None:
    save(uploads, "x.docx", hostile.bomb(hostile.document(), "word/media/x.png", 201))
    with pytest.raises(TooLarge, match="201 MB unpacked; at most 200 MB"):
        read("word", "x.docx")


@pytest.mark.parametrize("count", [10_001, 66_000])
def test_too_many_members_are_refused(uploads: Path, read: Read, count: int) -> None:
    save(uploads, "x.docx", hostile.many_members(count))
    with pytest.raises(TooLarge, match="members; at most 10000"):
        read("word", "x.docx")


@pytest.mark.parametrize("kind", ["word", "excel"])
def test_a_directory_that_lies_about_a_size_is_found_out(uploads: Path, read: Read, kind: str) -> None:
    package, part = (hostile.document(), "word/x.xml") if kind == "word" else (hostile.workbook(), "xl/x.xml")
    save(uploads, "x", hostile.lying_directory(package, part))
    with pytest.raises((Corrupt, TooLarge)):
        read(kind, "x")


def test_overlapping_members_are_refused(uploads: Path, read: Read) -> None:
    data = bytearray(hostile.document())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        first = archive.infolist()[0].header_offset
    at = data.rindex(b"PK\x01\x02")
    data[at + 42 : at + 46] = (first + 4).to_bytes(4, "little")
    save(uploads, "x.docx", bytes(data))
    with pytest.raises(Corrupt, match="overlaps"):
        read("word", "x.docx")


@pytest.mark.parametrize("kind", ["word", "excel", "powerpoint"])
def test_an_office_document_with_a_password_is_encrypted(uploads: Path, read: Read, kind: str) -> None:
    save(uploads, "x", hostile.encrypted_package())
    with pytest.raises(Encrypted, match="has a password"):
        read(kind, "x")


@pytest.mark.parametrize(
    ("kind", "content", "found"),
    [
        ("word", hostile.ole2("WordDocument"), "an old binary Word document"),
        ("powerpoint", hostile.ole2("PowerPoint Document"), "an old binary PowerPoint presentation"),
        ("word", hostile.ole2("Other"), "an OLE2 container"),
        ("word", b"", "an empty file"),
        ("word", b"<!DOCTYPE html><html></html>", "an HTML page"),
        ("word", b"{\\rtf1 }", "a Rich Text document"),
        ("word", b"%PDF-1.7\n", "a PDF, expected a Word document; process_pdf reads it"),
        ("excel", b"a;b\n1;2\n", "plain text"),
        ("pdf", b"\x89PNG\r\n\x1a\n", "a PNG image, expected a PDF; process_image reads it"),
        (
            "image",
            b"%!PS-Adobe-3.0 EPSF-3.0\n",
            "an image of the kind Encapsulated PostScript (EPS), expected an image",
        ),
        ("image", b"8BPS\0\x01", "an image of the kind Adobe Photoshop (PSD)"),
        ("image", b"words", "plain text, expected an image"),
        ("word", os.urandom(0) + bytes(range(256)) * 8, "unknown binary data"),
        ("word", hostile.workbook(), "an Excel workbook, expected a Word document; process_excel_file reads it"),
    ],
)
def test_other_content_is_named(uploads: Path, read: Read, kind: str, content: bytes, found: str) -> None:
    save(uploads, "x.docx", content)
    with pytest.raises(UnsupportedFormat) as caught:
        read(kind, "x.docx")
    assert f"x.docx: the content is {found}" in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["word", "excel"])
def test_a_truncated_office_document_is_corrupt(uploads: Path, read: Read, kind: str, share: float) -> None:
    data = hostile.document() if kind == "word" else hostile.workbook()
    save(uploads, "x", data[: int(len(data) * share)])
    with pytest.raises(Corrupt):
        read(kind, "x")


@pytest.mark.parametrize("kind", ["word", "excel", "powerpoint"])
def test_broken_xml_is_corrupt(uploads: Path, read: Read, kind: str) -> None:
    package, part = {
        "word": (hostile.document(), "word/document.xml"),
        "excel": (hostile.workbook(), "xl/workbook.xml"),
        "powerpoint": (hostile.with_part(hostile.document(), "ppt/a.xml", b""), "ppt/presentation.xml"),
    }[kind]
    save(uploads, "x", hostile.with_part(package, part, b"<broken"))
    with pytest.raises(DocumentError):
        read(kind, "x")


def test_a_grid_span_of_a_hundred_million_is_just_a_cell(uploads: Path, read: Read) -> None:
    cell = '<w:tc><w:tcPr><w:gridSpan w:val="100000000"/></w:tcPr><w:p><w:r><w:t>wide</w:t></w:r></w:p></w:tc>'
    save(uploads, "x.docx", hostile.word_body(f"<w:tbl><w:tr>{cell}</w:tr></w:tbl>"))
    assert read("word", "x.docx")["content"] == "wide"


def test_elements_nested_without_end_are_too_complex(uploads: Path, read: Read) -> None:
    save(uploads, "x.docx", hostile.word_body("<w:tbl><w:tr><w:tc>" * 5000 + "</w:tc></w:tr></w:tbl>" * 5000))
    with pytest.raises((TooComplex, Corrupt)):
        read("word", "x.docx")


def _cell(reference: str, value: int) -> str:
    row = "".join(filter(str.isdigit, reference))
    return f'<row r="{row}"><c r="{reference}"><v>{value}</v></c></row>'


def test_two_far_corners_are_two_cells(uploads: Path, read: Read) -> None:
    save(uploads, "x.xlsx", hostile.sheet_data(f"<sheetData>{_cell('A1', 1)}{_cell('XFD1048576', 2)}</sheetData>"))
    sheet = read("excel", "x.xlsx")["sheets"][0]
    assert (sheet["used_range"], sheet["cells"]) == ("A1:XFD1048576", 2)
    assert [column["sum"] for column in sheet["column_figures"]] == [1, 2]


def test_a_row_number_beyond_every_sheet_does_not_hang(uploads: Path, read: Read) -> None:
    save(uploads, "x.xlsx", hostile.sheet_data(f"<sheetData>{_cell('A1', 1)}{_cell('B999999999', 2)}</sheetData>"))
    assert read("excel", "x.xlsx")["sheets"][0]["cells"] == 2


def test_a_cell_that_claims_a_row_beyond_every_sheet_is_read_where_it_stands(uploads: Path, read: Read) -> None:
    save(
        uploads, "x.xlsx", hostile.sheet_data('<sheetData><row r="5"><c r="C2147483648"><v>2</v></c></row></sheetData>')
    )
    assert read("excel", "x.xlsx")["sheets"][0]["cells"] == 1


def test_merged_cells_and_dimensions_claim_nothing(uploads: Path, read: Read) -> None:
    merges = '<mergeCell ref="A1:XFD1048576"/>' * 1000
    xml = f'<dimension ref="A1:XFD1048576"/><sheetData>{_cell("A1", 1)}</sheetData><mergeCells>{merges}</mergeCells>'
    save(uploads, "x.xlsx", hostile.sheet_data(xml))
    assert read("excel", "x.xlsx")["sheets"][0]["used_range"] == "A1:A1"


def test_more_cells_than_five_million_are_refused(uploads: Path, read: Read) -> None:
    row = "<row>" + "<c ><v>1</v></c>" * 1000 + "</row>"
    package = hostile.sheet_data("<sheetData>" + row * 5001 + "</sheetData>")
    stored = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as old, zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    save(uploads, "x.xlsx", stored.getvalue())
    with pytest.raises(TooLarge, match="more than 5000000 cells"):
        read("excel", "x.xlsx")


@pytest.mark.parametrize(("width", "height"), [(13_000, 13_000), (100_000, 100_000), (50_000, 1001)])
def test_an_image_bomb_is_refused_by_its_header(uploads: Path, read: Read, width: int, height: int) -> None:
    save(uploads, "x.png", hostile.claimed_png(width, height))
    with pytest.raises(TooLarge, match="pixels; at most 50 million"):
        read("image", "x.png")


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_a_truncated_image_is_corrupt(uploads: Path, read: Read, form: str, share: float) -> None:
    target = io.BytesIO()
    Image.effect_noise((200, 200), 50).convert("RGB").save(target, form)
    save(uploads, "x", target.getvalue()[: int(len(target.getvalue()) * share)])
    with pytest.raises(Corrupt):
        read("image", "x")


def _pdf(objects: list[str], root: int = 1) -> bytes:
    body = b"%PDF-1.4\n"
    offsets: list[int] = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    head = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    return body + f"{head}trailer\n<</Size {len(objects) + 1}/Root {root} 0 R>>\nstartxref\n{len(body)}\n%%EOF".encode()


@pytest.mark.parametrize(
    "objects",
    [
        ["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[2 0 R]/Count 1>>"],
        ["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 99999999>>", "<</Type/Pages/Kids[2 0 R]>>"],
        ["<</Type/Catalog/Pages 2 0 R/Outlines 3 0 R>>", "<</Type/Pages/Kids[5 0 R]/Count 1>>",
         "<</First 4 0 R/Last 4 0 R>>", "<</Title(loop)/Next 4 0 R/First 4 0 R/Parent 3 0 R>>",
         "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"],
        ["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
         "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
         "<</Length 3/Filter[" + "/FlateDecode" * 500 + "]>>\nstream\nabc\nendstream"],
        ["<</Type/Catalog/Pages 1 0 R>>"],
    ],
)  # fmt: skip
def test_loops_and_filter_chains_in_a_pdf_end(uploads: Path, read: Read, objects: list[str]) -> None:
    save(uploads, "x.pdf", _pdf(objects))
    with contextlib.suppress(Corrupt, TooLarge):
        assert read("pdf", "x.pdf")["content"].strip() == ""


def test_a_pdf_with_a_password_is_encrypted(uploads: Path, read: Read) -> None:
    save(uploads, "x.pdf", _protected("secret"))
    with pytest.raises(Encrypted):
        read("pdf", "x.pdf")


def test_a_pdf_with_an_empty_password_is_read(uploads: Path, read: Read) -> None:
    save(uploads, "x.pdf", _protected(""))
    result = read("pdf", "x.pdf")
    assert (result["stats"]["pages"], result["metadata"]["encrypted"]) == (1, True)


def _protected(password: str) -> bytes:
    writer = pypdf.PdfWriter()
    writer.add_blank_page(100, 100)
    writer.encrypt(password, "owner", algorithm="AES-256")
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


@pytest.mark.parametrize(
    "content", [b"%PDF-1.7\n", b"%PDF-1.7\n" + bytes(5000), b"%PDF-1.4\ntrailer<</Size 2000000000>>"]
)
def test_a_pdf_without_pages_is_corrupt(uploads: Path, read: Read, content: bytes) -> None:
    save(uploads, "x.pdf", content)
    with pytest.raises(Corrupt):
        read("pdf", "x.pdf")


def test_a_file_beyond_200_mb_is_refused(uploads: Path, read: Read) -> None:
    with (uploads / "x.pdf").open("wb") as file:
        file.truncate(201 << 20)
    with pytest.raises(TooLarge, match="201 MB"):
        read("pdf", "x.pdf")


@pytest.mark.parametrize(
    "name", ["line\nbreak.docx", "\x1b[31mred.docx", "rtl\u202efdp.docx", "x" * 250 + ".docx", "b\udcff"]
)
def test_odd_names_are_processed_and_shown_escaped(uploads: Path, read: Read, name: str) -> None:
    (uploads / name).write_bytes(hostile.document("odd"))
    result = read("word", name)
    assert result["content"] == "odd"
    assert result["file"].isprintable()
    assert Path(result["outputs"]["text_file"]).read_text() == "odd"


def packed(data: bytes) -> float:
    import zlib

    return len(data) / len(zlib.compress(data, 6))


def test_an_honest_sheet_that_packs_to_less_than_a_hundredth_is_read(uploads: Path, read: Read) -> None:
    cells = '<c t="inlineStr"><is><t>the same words in every cell of this sheet</t></is></c>' * 10
    rows = "".join(f'<row r="{number}">{cells}</row>' for number in range(1, 14_001))
    sheet = f"<sheetData>{rows}</sheetData>"
    assert (len(sheet) > 10 << 20, 100 < packed(sheet.encode()) < 400) == (True, True)
    save(uploads, "x.xlsx", hostile.sheet_data(sheet))
    assert read("excel", "x.xlsx", ["calculate"])["stats"]["cells"] == 140_000


FOREIGN = ("Error", "Exception", "PDFium", "pdfium", "libxml", "zlib", "Errno", "Traceback", "panic")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("pdf", b"%PDF-1.7\n" + bytes(5000)),
        ("word", b"PK\x03\x04 cut short"),
        ("word", hostile.document()[:-200]),
        ("excel", hostile.ole2("Workbook")),
        ("excel", hostile.workbook()[:-200]),
        ("word", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600)),
        ("image", b"\x89PNG\r\n\x1a\n" + bytes(60)),
        ("image", b"GIF89a" + bytes(40)),
        ("powerpoint", hostile.with_part(hostile.document(), "word/document.xml", b"<broken")),
    ],
)
def test_errors_are_in_words_that_a_person_understands(uploads: Path, read: Read, kind: str, content: bytes) -> None:
    save(uploads, "x", content)
    with pytest.raises(DocumentError) as caught:
        read(kind, "x")
    assert [word for word in FOREIGN if word in str(caught.value)] == []
