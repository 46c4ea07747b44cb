"""PDF reports in other scripts: drawn when some font can, told when none can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen

from workers.services.reports import fonts, machine_fonts
from workers.services.reports.analytics import Wishes, analyse
from workers.services.reports.delivery import deliver
from workers.services.storage import OutputFolder


@pytest.fixture
def square(tmp_path: Path) -> Path:
    """A font with cubic outlines whose 漢 is a black square; nothing else is in it."""
    builder: Any = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder([".notdef", "space", "kan"])
    builder.setupCharacterMap({0x20: "space", 0x6F22: "kan"})
    shapes = {name: T2CharStringPen(1000, None) for name in (".notdef", "space", "kan")}
    pen = shapes["kan"]
    for move, point in (("moveTo", (0, 0)), ("lineTo", (0, 800)), ("lineTo", (900, 800)), ("lineTo", (900, 0))):
        getattr(pen, move)(point)
    pen.closePath()
    builder.setupCFF("Square", {}, {name: shape.getCharString() for name, shape in shapes.items()}, {})
    builder.setupHorizontalMetrics(dict.fromkeys(shapes, (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Square", "styleName": "Regular", "psName": "Square"})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    path = tmp_path / "square.otf"
    builder.save(path)
    return path


def titled(folder: Path, title: str) -> tuple[pdfium.PdfDocument, list[str]]:
    report = analyse({"records": [{"name": "plain", "amount": 3}]}, "summary", Wishes(title))
    made = deliver(report, "pdf", OutputFolder(folder, folder / "out", source=folder))
    return pdfium.PdfDocument(made["outputs"]["file"]), made["warnings"]


def first_line(document: pdfium.PdfDocument) -> str:
    return document[0].get_textpage().get_text_range().splitlines()[0]


@pytest.mark.parametrize("title", ["Ελληνικά и кириллица", "½ × 3 ≤ π → ∞", "Ծանոթ ქართული", "☎ ✓ ♥"])
def test_what_the_own_font_has_is_drawn_without_a_word(tmp_path: Path, title: str) -> None:
    document, warnings = titled(tmp_path, title)
    assert (first_line(document), warnings) == (title, [])


def test_right_to_left_text_is_turned_and_its_letters_joined(tmp_path: Path) -> None:
    typesetter = fonts.Typesetter(["سلام", "שלום 12"])
    assert typesetter.markup("سلام") == "\ufee1\ufefc\ufeb3"
    assert typesetter.markup("שלום 12") == "12 םולש"
    assert typesetter.missing == ""


def test_long_right_to_left_text_is_read_from_its_first_line(tmp_path: Path) -> None:
    words = "אחת שתיים שלוש ארבע"
    lines = fonts.Typesetter([words]).markup(words, width=60, size=10).split("<br/>")
    assert [line[::-1] for line in lines] == ["אחת שתיים", "שלוש ארבע"]


def test_a_font_of_the_machine_is_used_for_what_the_own_one_lacks(
    tmp_path: Path, square: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_fonts, "_files", lambda: [square])
    machine_fonts.choose_fonts.cache_clear()
    document, warnings = titled(tmp_path, "漢漢漢")
    assert (first_line(document), warnings) == ("漢漢漢", [])
    picture = document[0].render(scale=1).to_pil().convert("L")
    dark = sum(picture.crop((36, 30, 100, 110)).histogram()[:64])
    assert dark > 500  # three squares of about 16 × 14 points


def test_what_no_font_has_is_told_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_fonts, "_files", lambda: [])
    machine_fonts.choose_fonts.cache_clear()
    document, warnings = titled(tmp_path, "Bericht 漢字")
    assert first_line(document) == "Bericht \ufffd\ufffd"
    assert len(warnings) == 1
    assert warnings[0].startswith("2 characters can't be drawn with the fonts of this machine and appear as \ufffd: ")
    assert "U+5B57, U+6F22" in warnings[0]


def test_a_broken_font_is_passed_over(tmp_path: Path, square: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(square.read_bytes()[:300])
    (tmp_path / "empty.otf").write_bytes(b"")
    monkeypatch.setattr(machine_fonts, "_files", lambda: [broken, tmp_path / "empty.otf", square])
    machine_fonts.choose_fonts.cache_clear()
    assert titled(tmp_path, "漢")[1] == []
