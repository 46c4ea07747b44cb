"""Both sides of the benchmark of documents: the readers that the tasks use, and their peers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def pdf_ours(path: Path) -> str:
    """A PDF's text, through the reader that the task uses."""
    import pypdfium2

    from workers.services.documents.pdf import text as pdf_text

    return "\n".join(pdf_text.read_pages(pypdfium2.PdfDocument(path)).texts)


def pdf_peer(path: Path) -> str:
    """A PDF's text, through pypdf."""
    import pypdf

    return "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)


def xlsx_ours(path: Path) -> int:
    """Cells of an analysed workbook, through the code that the task runs."""
    import gc

    from workers.services.documents.sheets import figures, workbook

    gc.disable()  # as in the sandbox's children
    cells = 0
    with path.open("rb") as file:
        for sheet in workbook.sheets(file, "xlsx"):
            found = sheet.table() or figures.Grid(list(sheet.rows()))
            cells += found.extent["cells"]
            list(found.descriptions())
    return cells


def xlsx_peer(path: Path) -> int:
    """Cells of the same analysis, on openpyxl's read-only mode."""
    import openpyxl

    from workers.services.documents.sheets import figures

    cells = 0
    for sheet in openpyxl.load_workbook(path, read_only=True, data_only=True).worksheets:
        header, *body = sheet.iter_rows(values_only=True)
        for index, column in enumerate(zip(*body, strict=True)):
            filled: list[Any] = [value for value in column if value is not None]
            cells += len(filled) + 1
            figures.describe(index, str(header[index]), filled, len(body))
    return cells


def docx_ours(path: Path) -> str:
    """A Word document's text, through the reader that the task uses."""
    from workers.services.documents.archive import Archive
    from workers.services.documents.word import document as word

    with path.open("rb") as file, Archive(file) as archive:
        archive.refuse_doctypes()
        return "\n".join(story.text for _, story in word.read_stories(archive, word.MAIN_PART))


def docx_peer(path: Path) -> str:
    """The same text, through python-docx."""
    import docx

    document = docx.Document(str(path))
    found = [paragraph.text for paragraph in document.paragraphs]
    found += [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join(found)


def pptx_ours(path: Path) -> str:
    """A presentation's text, through the reader that the task uses."""
    from workers.services.documents import powerpoint
    from workers.services.documents.archive import Archive

    with path.open("rb") as file, Archive(file) as archive:
        archive.refuse_doctypes()
        return "\n".join(slide.text() for slide in powerpoint.read_slides(archive, powerpoint.MAIN_PART))


def pptx_peer(path: Path) -> str:
    """The same text, through python-pptx."""
    import pptx

    found: list[str] = []
    shapes: Any = (shape for slide in pptx.Presentation(str(path)).slides for shape in slide.shapes)
    for shape in shapes:
        if shape.has_text_frame:
            found.append(shape.text_frame.text)
        elif shape.has_table:
            found += [cell.text for row in shape.table.rows for cell in row.cells]
    return "\n".join(found)


def image_ours(path: Path) -> int:
    """Pixels of a thumbnail, with all that our copies keep."""
    from workers.services import images
    from workers.services.progress import ignore_progress

    out = path.parent / "thumbnails"
    payload = {
        "uploads": str(path.parent), "path": path.name, "outputs": str(out), "folder": str(out / "x"),
        "token": "0" * 8, "operations": ["thumbnail"], "options": {}, "wall_s": 25.0,
    }  # fmt: skip
    size = images.process(payload, ignore_progress)["stats"]["thumbnail"]
    return size["width"] * size["height"]


def image_peer(path: Path) -> int:
    """Pixels of a thumbnail, by Pillow alone."""
    from PIL import Image

    with Image.open(path) as image:
        image.thumbnail((256, 256), Image.Resampling.LANCZOS)
        image.save(path.with_suffix(".small.png"))
        return image.width * image.height


SIDES: dict[str, Callable[[Path], int | str]] = {
    "pdf_ours": pdf_ours,
    "pdf_peer": pdf_peer,
    "xlsx_ours": xlsx_ours,
    "xlsx_peer": xlsx_peer,
    "docx_ours": docx_ours,
    "docx_peer": docx_peer,
    "pptx_ours": pptx_ours,
    "pptx_peer": pptx_peer,
    "png_ours": image_ours,
    "png_peer": image_peer,
    "jpeg_ours": image_ours,
    "jpeg_peer": image_peer,
    "book_ours": pdf_ours,
    "book_peer": pdf_peer,
}
