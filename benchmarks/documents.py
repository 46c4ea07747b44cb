"""Documents beside the usual libraries: PDF, XLSX and DOCX reading, bombs, and what the sandbox costs.

``python -m benchmarks.documents [--json]``. Both sides of a ratio run in turn, in fresh processes, on the same
files, which are made first.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

RUNS = 3
PDF_PAGES = 100
SHEET_ROWS = 100_000
SHEET_COLUMNS = 10
DOCX_PAGES = 500
PARAGRAPHS_A_PAGE = 12
SANDBOX_FILES = 40
SENTENCE = "The quick brown fox jumps over the lazy dog while numbers such as 1,234.56 pass by. "


@dataclass(frozen=True)
class Figure:
    """One measured figure and what it is held against."""

    value: float
    goal: str
    holds: bool
    peer: str
    unit: str
    spread: tuple[float, float]
    runs: int


def make_pdf(path: Path) -> None:
    """Write a PDF of plain pages."""
    from reportlab.pdfgen import canvas

    page = canvas.Canvas(str(path))
    for number in range(PDF_PAGES):
        for line in range(50):
            page.drawString(40, 800 - 15 * line, f"{number}.{line} {SENTENCE}")
        page.showPage()
    page.save()


def make_xlsx(path: Path) -> None:
    """Write a workbook of numbers, texts and truths."""
    import xlsxwriter

    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, [f"column {index}" for index in range(SHEET_COLUMNS)])
        for row in range(1, SHEET_ROWS + 1):
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


def pdf_ours(path: Path) -> int:
    """Characters of a PDF's text, through the reader that the task uses."""
    import pypdfium2

    from workers.services.documents import pdf_text

    return sum(len("".join(text.split())) for text in pdf_text.read_pages(pypdfium2.PdfDocument(path)).texts)


def pdf_peer(path: Path) -> int:
    """Characters of a PDF's text, through pypdf."""
    import pypdf

    return sum(len("".join(page.extract_text().split())) for page in pypdf.PdfReader(path).pages)


def xlsx_ours(path: Path) -> int:
    """Cells of an analysed workbook, through the code that the task runs."""
    import gc

    from workers.services.documents import figures, workbook

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

    from workers.services.documents import figures

    cells = 0
    for sheet in openpyxl.load_workbook(path, read_only=True, data_only=True).worksheets:
        header, *body = sheet.iter_rows(values_only=True)
        for index, column in enumerate(zip(*body, strict=True)):
            filled: list[Any] = [value for value in column if value is not None]
            cells += len(filled) + 1
            figures.describe(index, str(header[index]), filled, len(body))
    return cells


def docx_ours(path: Path) -> int:
    """Characters of a Word document's text, through the reader that the task uses."""
    from workers.services.documents import word
    from workers.services.documents.archive import Archive

    with path.open("rb") as file, Archive(file) as archive:
        archive.refuse_doctypes()
        return sum(len("".join(story.text.split())) for _, story in word.read_stories(archive, word.MAIN_PART))


def docx_peer(path: Path) -> int:
    """Characters of the same text, through python-docx."""
    import docx

    document = docx.Document(str(path))
    found = sum(len("".join(paragraph.text.split())) for paragraph in document.paragraphs)
    for table in document.tables:
        for row in table.rows:
            found += sum(len("".join(cell.text.split())) for cell in row.cells)
    return found


SIDES: dict[str, Callable[[Path], int]] = {
    "pdf_ours": pdf_ours,
    "pdf_peer": pdf_peer,
    "xlsx_ours": xlsx_ours,
    "xlsx_peer": xlsx_peer,
    "docx_ours": docx_ours,
    "docx_peer": docx_peer,
}


_LIBRARIES = {
    "pdf": "pypdf pypdfium2",
    "xlsx": "openpyxl python_calamine fastexcel polars",
    "docx": "docx lxml.etree",
}


def measure_here(side: str, path: Path) -> None:
    """Run one side once and print its CPU seconds and what it found; imports are not counted."""
    family = side.partition("_")[0]
    for module in (*_LIBRARIES[family].split(), "workers.services.documents.excel", "workers.services.documents.pdf"):
        __import__(module)
    start = time.process_time()
    found = SIDES[side](path)
    print(json.dumps([time.process_time() - start, found]))


def _measure(side: str, path: Path) -> tuple[float, int]:
    command = [sys.executable, "-m", "benchmarks.documents", "--side", side, str(path)]
    seconds, found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return float(seconds), int(found)


def ratio(name: str, path: Path, goal: float, peer: str) -> Figure:
    """Compare ours with a peer in turn; both must find the same amount, ours at least as much."""
    ratios: list[float] = []
    is_complete = True
    for _ in range(RUNS):
        ours, found = _measure(f"{name}_ours", path)
        theirs, expected = _measure(f"{name}_peer", path)
        ratios.append(theirs / ours)
        is_complete &= found >= expected
    value = statistics.median(ratios)
    holds = value >= goal and is_complete
    return Figure(round(value, 2), f">= {goal:g}", holds, peer, "times", _spread(ratios), RUNS)


def bombs(folder: Path) -> dict[str, Figure]:
    """Time and memory until each bomb is refused, in the sandbox as a task would."""
    from workers.errors import TooLarge
    from workers.services import sandbox
    from workers.services.documents import Roots, dispatch, process

    roots = Roots(folder, folder / "out")
    files = make_bombs(folder)
    _warm(roots, folder)
    seconds: list[float] = []
    for _ in range(RUNS):
        for path in files:
            start = time.perf_counter()
            try:
                process(dispatch.process, path.name, [], roots)
            except TooLarge:
                seconds.append(time.perf_counter() - start)
            else:
                raise RuntimeError(f"{path.name} was not refused")
    sandbox.close()  # only what ended is counted in the children's peak
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    worst = max(seconds)
    return {
        "bomb_refused_s": Figure(round(worst, 3), "< 1", worst < 1, "", "s, worst", _spread(seconds), len(seconds)),
        "bomb_refused_mb": Figure(round(peak), "< 200", peak < 200, "", "MB, peak", (peak, peak), len(seconds)),
    }


def sandbox_cost(folder: Path) -> Figure:
    """What the sandbox adds to one small file: the same reader in a child and in this process."""
    from workers.services.documents import Roots, process, word
    from workers.services.progress import no_progress
    from workers.services.storage import OutputFolder

    roots = Roots(folder, folder / "out")
    _warm(roots, folder)
    out = OutputFolder(roots.outputs, roots.outputs / "direct", folder / "small.docx")
    payload = {
        "uploads": str(folder), "path": "small.docx", "outputs": str(out.root), "folder": str(out.path),
        "token": out.token, "operations": ["count_stats"], "options": {}, "wall_s": 25.0,
    }  # fmt: skip
    costs: list[float] = []
    for _ in range(SANDBOX_FILES):
        start = time.perf_counter()
        process(word.process, "small.docx", ["count_stats"], roots)
        between = time.perf_counter()
        word.process(payload, no_progress)
        costs.append(1000 * (2 * between - start - time.perf_counter()))
    value = statistics.median(costs)
    return Figure(round(value, 1), "< 60", value < 60, "same reader, no sandbox", "ms", _spread(costs), SANDBOX_FILES)


def _warm(roots: Any, folder: Path) -> None:
    """Start the zygote; a worker does so with its first file."""
    import docx

    from workers.services.documents import process, word

    docx.Document().save(str(folder / "small.docx"))
    process(word.process, "small.docx", ["count_stats"], roots)


def _spread(values: list[float]) -> tuple[float, float]:
    return round(min(values), 3), round(max(values), 3)


def measure() -> dict[str, Figure]:
    """Measure everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = bombs(folder)
        figures["sandbox_ms"] = sandbox_cost(folder)
        for kind, make, goal, peer in (
            ("pdf", make_pdf, 3, f"pypdf, text of {PDF_PAGES} pages"),
            ("xlsx", make_xlsx, 5, f"openpyxl read-only, {SHEET_ROWS} rows analysed"),
            ("docx", make_docx, 2, f"python-docx, text of {DOCX_PAGES} pages"),
        ):
            path = folder / f"sample.{kind}"
            make(path)
            figures[f"{kind}_speed"] = ratio(kind, path, goal, peer)
    return figures


def main() -> None:
    """Print the table, or with ``--json`` one object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--side", nargs=2, metavar=("SIDE", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        measure_here(arguments.side[0], Path(arguments.side[1]))
        return
    figures = measure()
    if arguments.json:
        print(json.dumps({name: asdict(figure) for name, figure in figures.items()}))
        return
    print(f"{'figure':18} {'value':>8} {'goal':>7}  {'':6} {'spread':>20}  against")
    for name, figure in figures.items():
        verdict = "holds" if figure.holds else "FAILS"
        spread = f"{figure.spread[0]:g} … {figure.spread[1]:g}"
        print(f"{name:18} {figure.value:>8} {figure.goal:>7}  {verdict:6} {spread:>20}  {figure.peer} ({figure.unit})")


if __name__ == "__main__":
    main()
