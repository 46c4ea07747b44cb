"""What poppler reads of drawn fonts, said words and vertical columns is in our text."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.harness.documents import Read
from tests.harness.programs import program
from tests.integration.documents import odd_pdfs


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[^\W\d_]+", text))


def poppler(path: Path) -> str:
    command = [program("pdftotext", "poppler-utils"), str(path), "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("h", "a", "t", "adieresis"), "hat thaä"),
        (("A", "B", "C", "D"), "ABC CABD"),
        (("g1", "g2", "g3", "g4"), "ABC CABD"),
    ],
)
@pytest.mark.parametrize("is_packed", [False, True])
def test_letters_of_a_drawn_font_are_those_that_its_glyphs_name(
    uploads: Path, read: Read, names: tuple[str, ...], expected: str, is_packed: bool
) -> None:
    path = uploads / "drawn.pdf"
    odd_pdfs.page(path, odd_pdfs.DRAWN, odd_pdfs.drawn_font(*names), odd_pdfs.GLYPH)
    if is_packed:
        plain = path.rename(uploads / "plain.pdf")
        command = [program("qpdf", "qpdf"), "--object-streams=generate", str(plain), str(path)]
        subprocess.run(command, check=True, timeout=60)
    assert words(read("pdf", "drawn.pdf")["content"]) == words(poppler(path)) == words(expected)


def test_what_a_pdf_says_instead_of_what_it_shows_is_read(uploads: Path, read: Read) -> None:
    odd_pdfs.page(uploads / "said.pdf", odd_pdfs.SAID, odd_pdfs.LATIN)
    theirs = words(poppler(uploads / "said.pdf")) - words("pur chase")
    assert words(read("pdf", "said.pdf")["content"]) == theirs + words("purchase")


@pytest.mark.parametrize(
    ("face", "texts"),
    [
        ("HeiseiMin-W3", ("縦書きの日本語一", "縦書きの日本語二")),
        ("STSong-Light", ("竖排中文文字一", "竖排中文文字二")),
        ("HYSMyeongJo-Medium", ("세로쓰기한국어一", "세로쓰기한국어二")),
    ],
)
def test_vertical_columns_in_a_font_that_is_not_there_are_read(
    uploads: Path, read: Read, face: str, texts: tuple[str, str]
) -> None:
    odd_pdfs.columns(uploads / "columns.pdf", face, *texts)
    result = read("pdf", "columns.pdf")
    assert words(result["content"]) == words(" ".join(texts))
    assert result["warnings"] == ["vertical_text"]
    program("pdftotext", "poppler-utils")
    theirs = words(poppler(uploads / "columns.pdf"))
    assert not theirs or theirs == words(result["content"])  # nothing without poppler-data
