"""Words of PDFs are whole: hyphens at line ends, ligatures without Unicode; form values and notes are read."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pypdf
import pytest
from PIL import Image
from pypdf.annotations import FreeText, Text
from pypdf.generic import DictionaryObject, NameObject, NumberObject, TextStringObject
from reportlab.pdfgen import canvas

from tests.harness.documents import Read
from workers.services.documents.pdf.words import HYPHEN, Words


def mended(*pages: str) -> str:
    words = Words(pages)
    return "\f".join(words.mend(page) for page in pages)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (f"a pur{HYPHEN}chase", "a purchase"),
        (f"a well{HYPHEN}known case", "a well-known case"),
        (f"a rule{HYPHEN}based one", "a rule-based one"),
        (f"an Anglo{HYPHEN}American", "an Anglo-American"),
        (f"state-of-the{HYPHEN}art", "state-of-the-art"),
        (f"a road{HYPHEN}map; the roadmap", "a roadmap; the roadmap"),
        (f"a dog{HYPHEN}eared page is dog-eared", "a dog-eared page is dog-eared"),
        (f"Lily{HYPHEN}Pond is LilyPond", "LilyPond is LilyPond"),
        (f"pages 3{HYPHEN}5", "pages 3-5"),
        (f"alone {HYPHEN} there", "alone - there"),
        ("soft\u00adware, hard\u00ad\r\nware", "software, hardware"),
    ],
)
def test_a_hyphen_at_a_lines_end_stays_when_the_word_has_it(page: str, expected: str) -> None:
    assert mended(page) == expected


def test_the_whole_document_tells_how_a_word_is_written() -> None:
    assert mended(f"the data{HYPHEN}set", "one dataset", f"the key{HYPHEN}set", "a key-set") == (
        "the dataset\fone dataset\fthe key-set\fa key-set"
    )


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("di\x0eculties of the o\x0ece", "difficulties of the office"),
        ("the \x02rst \x02eld, a speci\x02c pro\x02le", "the first field, a specific profile"),
        ("di\x01erent e\x01ects, a ski\x01", "different effects, a skiff"),
        ("\x03ow and in\x03uence and re\x03ect", "flow and influence and reflect"),
        ("a Wol\x0bian", "a Wolffian"),
        ("1\x0e2", "1\ufffd2"),
        ("de\x0cne", "define"),
        ("con\rict", "conflict"),
    ],
)
def test_a_ligature_without_unicode_is_told_by_the_words_it_completes(page: str, expected: str) -> None:
    assert mended(page) == expected


def with_font(text: bytes) -> bytes:
    """A PDF whose font has codes without Unicode."""
    content = b"BT /F 12 Tf 72 700 Td (" + text + b") Tj ET"
    font = f"<</Type/Font/Subtype/Type1/BaseFont/ABCDEF+X/FirstChar 0/LastChar 255/Widths[{'500 ' * 256}]>>"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d>>\nstream\n%s\nendstream" % (len(content), content),
        font.encode(),
    ]
    body = b"%PDF-1.4\n"
    offsets: list[int] = []
    for number, item in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, item)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = b"trailer\n<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(body)
    return body + b"xref\n0 6\n0000000000 65535 f \n" + table + end


@pytest.mark.parametrize("code", [rb"\002", rb"\003", rb"\016", rb"\000", rb"\224"])
def test_a_font_without_unicode_gives_whole_words(uploads: Path, read: Read, code: bytes) -> None:
    (uploads / "x.pdf").write_bytes(with_font(b"The di" + code + b"culties of an o" + code + b"ce"))
    assert read("pdf", "x.pdf", ["extract_text"])["content"] == "The difficulties of an office"


def test_glyphs_without_unicode_are_said(uploads: Path, read: Read) -> None:
    (uploads / "x.pdf").write_bytes(with_font(rb"x \021\022 y"))
    result = read("pdf", "x.pdf", ["extract_text"])
    assert result["content"] == "x \ufffd\ufffd y"
    assert result["notes"]["unmapped_glyphs"].startswith("2 glyphs have no Unicode in their fonts")


def test_a_word_broken_over_lines_is_read_whole(uploads: Path, read: Read) -> None:
    page = canvas.Canvas(str(uploads / "x.pdf"))
    for at, line in enumerate(["They decided to pur-", "chase a well-", "known estate"]):
        page.drawString(72, 700 - 14 * at, line)
    page.save()
    assert read("pdf", "x.pdf", ["extract_text"])["content"] == "They decided to purchase a well-known estate"


@pytest.fixture
def form(uploads: Path) -> str:
    """A form of every kind of field, made by reportlab."""
    page = canvas.Canvas(str(uploads / "form.pdf"))
    page.drawString(72, 750, "A form")
    fields = page.acroForm
    fields.textfield(name="surname", value="SMITH", x=72, y=700)
    fields.textfield(name="empty", value="", x=72, y=670)
    fields.textfield(name="code", value="hidden words", x=72, y=640, fieldFlags="password")
    fields.checkbox(name="agree", checked=True, x=72, y=610)
    fields.checkbox(name="letters", checked=False, x=72, y=580)
    fields.choice(name="country", value="Belgium", options=["Austria", "Belgium"], x=72, y=550)
    fields.listbox(name="colour", value="red", options=["red", "blue"], x=72, y=450)
    fields.radio(name="size", value="small", selected=False, x=72, y=400)
    fields.radio(name="size", value="large", selected=True, x=92, y=400)
    page.save()
    return "form.pdf"


def test_the_values_of_a_form_are_read(form: str, read: Read) -> None:
    result = read("pdf", form)
    assert result["form"] == {
        "surname": "SMITH", "empty": "", "code": "(password)", "agree": "Yes", "letters": "Off", "country": "Belgium",
        "colour": "red", "size": "large",
    }  # fmt: skip
    lines = result["content"].splitlines()
    assert lines[0] == "A form"
    assert set(lines[1:]) == {
        "surname: SMITH", "code: (password)", "agree: Yes", "country: Belgium", "colour: red", "size: large",
    }  # fmt: skip
    assert result["metadata"]["form"] == "AcroForm"


def noted(add: Callable[[pypdf.PdfWriter], object]) -> bytes:
    """A PDF of one empty page with what ``add`` puts on it."""
    writer = pypdf.PdfWriter()
    writer.add_blank_page(200, 200)
    add(writer)
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


BOX = (10, 10, 90, 90)


@pytest.mark.parametrize(
    ("note", "line"),
    [
        (Text(rect=BOX, text="a sticky note"), "Note: a sticky note"),
        (FreeText(rect=BOX, text="free text"), "free text"),
    ],
)
def test_notes_and_free_text_are_read(uploads: Path, read: Read, note: DictionaryObject, line: str) -> None:
    (uploads / "x.pdf").write_bytes(noted(lambda writer: writer.add_annotation(0, note)))
    result = read("pdf", "x.pdf", ["extract_text"])
    assert (result["content"], result["warnings"]) == (line, [])


def test_a_hidden_note_is_not_read(uploads: Path, read: Read) -> None:
    note = Text(rect=BOX, text="nobody sees this")
    note[NameObject("/F")] = NumberObject(2)
    (uploads / "x.pdf").write_bytes(noted(lambda writer: writer.add_annotation(0, note)))
    assert read("pdf", "x.pdf", ["extract_text"])["content"] == ""


def test_a_stamp_that_is_only_drawn_is_said(uploads: Path, read: Read) -> None:
    stamp = Text(rect=BOX, text="")
    stamp[NameObject("/Subtype")] = NameObject("/Stamp")
    stamp[NameObject("/Contents")] = TextStringObject("")
    (uploads / "x.pdf").write_bytes(noted(lambda writer: writer.add_annotation(0, stamp)))
    assert "page 1 is only drawn" in read("pdf", "x.pdf", ["extract_text"])["notes"]["annotations"]


def test_attached_files_are_named(uploads: Path, read: Read) -> None:
    (uploads / "x.pdf").write_bytes(noted(lambda writer: writer.add_attachment("figures.xlsx", b"x")))
    assert read("pdf", "x.pdf", ["extract_text"])["notes"]["attachments"] == (
        "1 attached files are not read: 'figures.xlsx'"
    )


def test_scanned_pages_among_others_are_named(uploads: Path, read: Read) -> None:
    page = canvas.Canvas(str(uploads / "x.pdf"))
    page.drawString(72, 700, "text")
    page.showPage()
    for _ in range(2):
        page.drawInlineImage(Image.effect_noise((60, 60), 50), 10, 10)
        page.showPage()
    page.showPage()
    page.save()
    result = read("pdf", "x.pdf", ["extract_text"])
    assert result["notes"] == {"pages_without_text": "pages 2, 3: pictures without text, as in scans; OCR is needed"}


def test_the_data_of_an_xfa_form_is_read_and_said(uploads: Path, read: Read) -> None:
    (uploads / "x.pdf").write_bytes(noted(_add_xfa))
    result = read("pdf", "x.pdf", ["extract_text"])
    assert (result["content"], result["warnings"]) == ("surname: SMITH", ["xfa"])


def _add_xfa(writer: pypdf.PdfWriter) -> None:
    from pypdf.generic import ArrayObject, StreamObject

    packet = StreamObject()
    packet.set_data(b"<x:datasets xmlns:x='urn:x'><x:data><form><surname>SMITH</surname></form></x:data></x:datasets>")
    parts = ArrayObject([TextStringObject("datasets"), writer._add_object(packet)])
    form = DictionaryObject({NameObject("/XFA"): parts, NameObject("/Fields"): ArrayObject()})
    writer.root_object[NameObject("/AcroForm")] = form


def test_a_word_in_capitals_tells_how_one_in_small_letters_is_written() -> None:
    pages = ["CO-OPERATE and ÜBER-ALL", f"co{HYPHEN}operate, über{HYPHEN}all"]
    assert Words(pages).mend(pages[1]) == "co-operate, über-all"
    plain = ["SOMEWHERE", f"some{HYPHEN}where"]
    assert Words(plain).mend(plain[1]) == "somewhere"
