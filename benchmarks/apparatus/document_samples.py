"""Documents for the benchmark of documents, made anew each time: plain ones of each kind, a book, and bombs."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

PDF_PAGES = 100
SHEET_ROWS = 100_000
SHEET_COLUMNS = 10
DOCX_PAGES = 500
PPTX_SLIDES = 200
BOOK_WORDS = 60_000
PARAGRAPHS_A_PAGE = 12
SENTENCE = "The quick brown fox jumps over the lazy dog while numbers such as 1,234.56 pass by. "


def make_pdf(path: Path) -> None:
    """Write a PDF of plain pages."""
    from reportlab.pdfgen import canvas

    page = canvas.Canvas(str(path))
    for number in range(PDF_PAGES):
        for line in range(50):
            page.drawString(40, 800 - 15 * line, f"{number}.{line} {SENTENCE}")
        page.showPage()
    page.save()


def make_xlsx(path: Path, rows: int = SHEET_ROWS) -> None:
    """Write a workbook of numbers, texts and truths."""
    import xlsxwriter

    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, [f"column {index}" for index in range(SHEET_COLUMNS)])
        for row in range(1, rows + 1):
            values = [row, row * 1.5, f"name {row % 1000}", row % 7, "x", row / 3, row % 2 == 0, "abc", -row, row**2]
            sheet.write_row(row, 0, values)


def make_docx(path: Path) -> None:
    """Write a document of paragraphs with a few runs each, and a table now and then."""
    import docx

    document = docx.Document()
    for number in range(DOCX_PAGES):
        for _ in range(PARAGRAPHS_A_PAGE):
            paragraph = document.add_paragraph(SENTENCE)
            paragraph.add_run(f"bold {number} ").bold = True
            paragraph.add_run(SENTENCE * 2)
        if number % 25 == 0:
            table = document.add_table(5, 4)
            for cell in table._cells:  # pyright: ignore[reportPrivateUsage]
                cell.text = "cell"
    document.save(str(path))


def make_bombs(folder: Path) -> list[Path]:
    """Write small files that would unpack to a gigabyte, or to a billion pixels."""
    import zlib

    import docx
    import openpyxl
    from PIL import Image

    docx.Document().save(str(folder / "bomb.docx"))
    openpyxl.Workbook().save(folder / "bomb.xlsx")
    for name, part in (("bomb.docx", "word/big.xml"), ("bomb.xlsx", "xl/worksheets/sheet2.xml")):
        with (
            zipfile.ZipFile(folder / name, "a", zipfile.ZIP_DEFLATED) as archive,
            archive.open(part, "w", force_zip64=True) as member,
        ):
            for _ in range(1024):
                member.write(bytes(1 << 20))
    target = io.BytesIO()
    Image.new("RGB", (1, 1)).save(target, "PNG")
    data = bytearray(target.getvalue())
    data[16:24] = (40_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (folder / "bomb.png").write_bytes(bytes(data))
    return [folder / "bomb.docx", folder / "bomb.xlsx", folder / "bomb.png"]


def make_pptx(path: Path) -> None:
    """Write a presentation of titles, bullets and a table on each slide."""
    import pptx
    from pptx.util import Inches

    show: Any = pptx.Presentation()
    for number in range(PPTX_SLIDES):
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text = f"Slide {number}"
        slide.placeholders[1].text = "\n".join([SENTENCE] * 6)
        table = slide.shapes.add_table(4, 4, 0, 0, Inches(4), Inches(2)).table
        for row in range(4):
            for column in range(4):
                table.cell(row, column).text = f"cell {row} {column}"
    show.save(str(path))


def make_png(path: Path) -> None:
    """Write a picture of twelve million pixels with some noise in it."""
    from PIL import Image

    Image.effect_noise((400, 300), 60).resize((4000, 3000)).convert("RGB").save(path, "PNG", compress_level=1)


def make_jpeg(path: Path) -> None:
    """Write a photo of twelve million pixels."""
    from PIL import Image

    Image.effect_noise((400, 300), 60).resize((4000, 3000)).convert("RGB").save(path, "JPEG", quality=90)


def make_book(path: Path) -> None:
    """Write a book, its words broken with hyphens where a line ends: the language reference that Python carries."""
    from pydoc_data.topics import topics

    from reportlab.pdfgen import canvas

    words = " ".join(" ".join(text.split()) for text in topics.values()).encode("latin-1", "ignore").decode("latin-1")
    lines = _broken_lines(words.split()[:BOOK_WORDS], 80)
    page = canvas.Canvas(str(path))
    for number, line in enumerate(lines):
        page.drawString(50, 790 - 14 * (number % 52), line)
        if number % 52 == 51:
            page.showPage()
    page.save()


def _broken_lines(words: list[str], width: int) -> list[str]:
    lines, line = list[str](), ""
    for word in words:
        left = width - len(line) - 2
        if len(line) + len(word) < width:
            line = f"{line} {word}".strip()
        elif word.isalpha() and word.islower() and len(word) >= 7 and 3 <= left <= len(word) - 3:
            lines.append(f"{line} {word[:left]}-")
            line = word[left:]
        else:
            lines.append(line)
            line = word
    return [*lines, line]
