"""Documents of every kind that the tasks read, made here for the demonstration: good ones and broken ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_WORDS = [
    "queue",
    "worker",
    "message",
    "priority",
    "retry",
    "result",
    "signal",
    "stream",
    "ledger",
    "parcel",
    "harbour",
    "lantern",
    "meadow",
    "copper",
    "granite",
    "willow",
    "ember",
    "quartz",
    "thistle",
    "orchard",
    "anchor",
    "beacon",
    "cinder",
    "drift",
    "falcon",
    "gable",
]
_REGIONS = ("north", "south", "east", "west")


@dataclass(frozen=True)
class Samples:
    """Names of the sample files below the upload root, good and broken."""

    good: Mapping[str, str]
    broken: Mapping[str, str]


def make(folder: Path, seed: int = 1) -> Samples:
    """Write the samples into a folder and name them by kind, relative to the folder's parent.

    Args:
        folder: Where they go; made when it is missing.
        seed: The same seed gives the same contents.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)  # noqa: S311  (filler text, no secret)
    makers: dict[str, Callable[[Path, random.Random], None]] = {
        "report.docx": _word,
        "sales.xlsx": _excel,
        "talk.pptx": _powerpoint,
        "manual.pdf": _pdf,
        "chart.png": _image,
    }
    for name, maker in makers.items():
        if not (folder / name).exists():
            maker(folder / name, chance)
    (folder / "torn.docx").write_bytes((folder / "report.docx").read_bytes()[:2000])
    (folder / "renamed.pdf").write_text("This is no PDF at all.\n")
    (folder / "empty.xlsx").write_bytes(b"")
    place = folder.name
    return Samples(
        good={Path(name).suffix[1:]: f"{place}/{name}" for name in makers},
        broken={name.rpartition(".")[2]: f"{place}/{name}" for name in ("torn.docx", "renamed.pdf", "empty.xlsx")},
    )


def records(count: int, seed: int = 1) -> list[dict[str, object]]:
    """Make sales records: day, region, units and amount."""
    chance = random.Random(seed)  # noqa: S311
    return [
        {
            "day": f"2026-{1 + index // 28 % 12:02}-{1 + index % 28:02}",
            "region": chance.choice(_REGIONS),
            "units": chance.randint(1, 40),
            "amount": round(chance.uniform(5, 900), 2),
        }
        for index in range(count)
    ]


def _sentence(chance: random.Random) -> str:
    return " ".join(chance.choices(_WORDS, k=chance.randint(6, 14))).capitalize() + "."


def _word(path: Path, chance: random.Random) -> None:
    import docx

    document = docx.Document()
    document.add_heading("Quarterly report", 1)
    for _ in range(120):
        document.add_paragraph(" ".join(_sentence(chance) for _ in range(4)))
    document.save(str(path))


def _excel(path: Path, chance: random.Random) -> None:
    import xlsxwriter

    rows = records(20_000, chance.randint(1, 1000))
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Sales")
        sheet.write_row(0, 0, list(rows[0]))
        for number, row in enumerate(rows, 1):
            sheet.write_row(number, 0, list(row.values()))


def _powerpoint(path: Path, chance: random.Random) -> None:
    import pptx

    show = pptx.Presentation()
    for number in range(12):
        slide = show.slides.add_slide(show.slide_layouts[1])
        title = slide.shapes.title
        if title is not None:
            title.text = f"Slide {number + 1}"
        slide.placeholders[1].text_frame.text = _sentence(chance)  # type: ignore[attr-defined]
    show.save(str(path))


def _pdf(path: Path, chance: random.Random) -> None:
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), pagesize=A4)
    for page in range(200):
        canvas.drawString(72, 780, f"Page {page + 1}")
        for line in range(40):
            canvas.drawString(72, 750 - 16 * line, _sentence(chance))
        canvas.showPage()
    canvas.save()


def _image(path: Path, chance: random.Random) -> None:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (1600, 1000), "white")
    draw = ImageDraw.Draw(image)
    for column in range(40):
        height = chance.randint(50, 900)
        draw.rectangle((column * 40, 1000 - height, column * 40 + 30, 1000), fill=(40, 90 + column * 3, 160))
    image.save(path)
