"""Documents beside the usual libraries: reading of each kind, words of PDFs, bombs, the sandbox, a mixed batch.

``python -m benchmarks.documents [--json]``. Both sides of a ratio run in turn, in fresh processes, on the same
files, which are made first.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.apparatus.document_readers import SIDES, pdf_ours
from benchmarks.apparatus.document_samples import (
    DOCX_PAGES,
    PDF_PAGES,
    PPTX_SLIDES,
    SHEET_ROWS,
    make_bombs,
    make_book,
    make_docx,
    make_jpeg,
    make_pdf,
    make_png,
    make_pptx,
    make_xlsx,
)  # fmt: skip
from benchmarks.apparatus.lacks import run_child

RUNS = 3
RATIO_RUNS = 5
COMPLETE = 0.998
"""Share of a peer's characters that ours must find: hyphens at the ends of lines are not among ours."""
MIXED_ROWS = 10_000
SANDBOX_FILES = 40


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


_LIBRARIES = {
    "pdf": "pypdf pypdfium2",
    "xlsx": "openpyxl python_calamine fastexcel polars",
    "docx": "docx lxml.etree",
    "pptx": "pptx lxml.etree",
    "png": "PIL.Image PIL.PngImagePlugin workers.services.images",
    "jpeg": "PIL.Image PIL.JpegImagePlugin PIL.PngImagePlugin workers.services.images",
    "book": "pypdf pypdfium2",
}


def measure_here(side: str, path: Path) -> None:
    """Run one side once and print its CPU seconds and what it found; imports are not counted."""
    family = side.partition("_")[0]
    readers = ("sheets.excel", "pdf.text", "word.document", "powerpoint")
    ours = [f"workers.services.documents.{name}" for name in readers]
    for module in (*_LIBRARIES[family].split(), *ours):
        __import__(module)
    start = time.process_time()
    found = SIDES[side](path)
    seconds = time.process_time() - start
    print(json.dumps([seconds, len("".join(found.split())) if isinstance(found, str) else found]))


def _measure(side: str, path: Path) -> tuple[float, int]:
    command = [sys.executable, "-m", "benchmarks.documents", "--side", side, str(path)]
    seconds, found = json.loads(run_child(command))
    return float(seconds), int(found)


def ratio(name: str, path: Path, goal: float, peer: str) -> Figure:
    """Compare ours with a peer in turn, each at its best; both must find the same amount, ours at least as much.

    What else the machine does makes a run only longer, so the shortest of each side says what the work takes.
    """
    ours: list[float] = []
    theirs: list[float] = []
    is_complete = True
    for _ in range(RATIO_RUNS):
        seconds, found = _measure(f"{name}_ours", path)
        ours.append(seconds)
        seconds, expected = _measure(f"{name}_peer", path)
        theirs.append(seconds)
        is_complete &= found >= COMPLETE * expected
    value = min(theirs) / min(ours)
    holds = value >= goal and is_complete
    ratios = [one / other for one, other in zip(theirs, ours, strict=True)]
    return Figure(round(value, 2), f">= {goal:g}", holds, peer, "times", _spread(ratios), RATIO_RUNS)


def bombs(folder: Path) -> dict[str, Figure]:
    """Time and memory until each bomb is refused, in the sandbox as a task would."""
    from celery_nexus.task_errors import TooLarge
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
    from workers.services.documents import Roots, process
    from workers.services.documents.word import document as word
    from workers.services.progress import ignore_progress
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
        word.process(payload, ignore_progress)
        costs.append(1000 * (2 * between - start - time.perf_counter()))
    value = statistics.median(costs)
    return Figure(round(value, 1), "< 60", value < 60, "same reader, no sandbox", "ms", _spread(costs), SANDBOX_FILES)


def words_of_pdf(folder: Path) -> Figure | None:
    """Share of pdftotext's words that our text of a hyphenated book has; None without poppler."""
    import re
    from collections import Counter

    if not shutil.which("pdftotext"):
        return None
    path = folder / "book.pdf"
    make_book(path)
    theirs = subprocess.run(["pdftotext", str(path), "-"], check=True, capture_output=True, text=True).stdout
    wanted, found = (Counter(re.findall(r"[^\W\d_]{2,}", text)) for text in (theirs, pdf_ours(path)))
    share = 100 * (1 - (wanted - found).total() / wanted.total())
    return Figure(round(share, 3), ">= 99.5", share >= 99.5, "pdftotext, a hyphenated book", "%", (share, share), 1)


def mixed_batch(folder: Path) -> Figure:
    """Documents a minute that two cores process: everything of a mix of all kinds, by the processor time it takes."""
    from workers.services import sandbox
    from workers.services.documents import Roots, dispatch, process

    roots = Roots(folder, folder / "out")
    _warm(roots, folder)
    sandbox.close()
    make_xlsx(folder / "small.xlsx", MIXED_ROWS)
    names = ("sample.docx", "small.xlsx", "sample.pptx", "sample.pdf", "sample.png")
    rates: list[float] = []
    for _ in range(RUNS):
        before = _used_s()
        for name in names:
            process(dispatch.process, name, [], roots)
        sandbox.close()  # only what ended is counted
        rates.append(60 * 2 * len(names) / (_used_s() - before))
    value = statistics.median(rates)
    return Figure(round(value), ">= 150", value >= 150, "", "documents/min", _spread(rates), RUNS)


def _used_s() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _warm(roots: Any, folder: Path) -> None:
    """Start the zygote; a worker does so with its first file."""
    import docx

    from workers.services.documents import process
    from workers.services.documents.word import document as word

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
            ("pdf", make_pdf, 4, f"pypdf, text of {PDF_PAGES} pages"),
            ("book", make_book, 4, "pypdf, a book with hyphens, words made whole"),
            ("xlsx", make_xlsx, 6, f"openpyxl read-only, {SHEET_ROWS} rows analysed"),
            ("docx", make_docx, 4, f"python-docx, text of {DOCX_PAGES} pages"),
            ("pptx", make_pptx, 2, f"python-pptx, text of {PPTX_SLIDES} slides"),
            ("png", make_png, 0.8, "Pillow alone, a thumbnail of a picture"),
            ("jpeg", make_jpeg, 0.8, "Pillow alone, a thumbnail of a photo"),
        ):
            path = folder / f"sample.{kind}"
            make(path)
            figures[f"{kind}_speed"] = ratio(kind, path, goal, peer)
        words = words_of_pdf(folder)
        if words:
            figures["pdf_words"] = words
        figures["mixed_batch"] = mixed_batch(folder)
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
    if "pdf_words" not in figures:
        print("pdf_words: not measured, this machine lacks pdftotext (poppler-utils)")
    for name, figure in figures.items():
        verdict = "holds" if figure.holds else "FAILS"
        spread = f"{figure.spread[0]:g} … {figure.spread[1]:g}"
        print(f"{name:18} {figure.value:>8} {figure.goal:>7}  {verdict:6} {spread:>20}  {figure.peer} ({figure.unit})")


if __name__ == "__main__":
    main()
