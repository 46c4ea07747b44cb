"""PowerPoint presentations (``.pptx .pptm .potx .potm .ppsx .ppsm``), read from their XML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from workers.services.documents import formats, ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.job import Job
from workers.services.documents.word import keep_media
from workers.services.progress import Progress

MAIN_PART = "ppt/presentation.xml"
MAX_SLIDES = 5000

_SHAPES = {
    "sp": "shape",
    "pic": "picture",
    "grpSp": "group",
    "cxnSp": "connector",
    "graphicFrame": "frame",
    "contentPart": "ink",
}
_FRAMES = {"tbl": "table", "chart": "chart", "relIds": "diagram", "oleObj": "object"}
_TITLES = ("title", "ctrTitle")


@dataclass
class Slide:
    """One slide as it is read.

    Attributes:
        number: Its place in the show, from 1.
        part: Name of its part.
        title: Text of its title placeholder.
        blocks: Its text: paragraphs, table rows, chart titles and names.
        notes: The speaker's notes.
        shapes: How many of each kind.
        layout: Name of its layout.
        is_hidden: Whether the show leaves it out.
    """

    number: int
    part: str
    title: str = ""
    blocks: list[str] = field(default_factory=lambda: [])
    notes: list[str] = field(default_factory=lambda: [])
    shapes: Counter[str] = field(default_factory=lambda: Counter())
    layout: str = ""
    is_hidden: bool = False

    def text(self) -> str:
        """Write the slide as the text file has it."""
        notes = ["", "Notes:", *self.notes] if self.notes else []
        return "\n".join([f"Slide {self.number}", *self.blocks, *notes])

    def structure(self) -> dict[str, Any]:
        """Describe the slide for the result."""
        return {
            "slide": self.number,
            "title": self.title,
            "layout": self.layout,
            "hidden": self.is_hidden,
            "shapes": dict(self.shapes),
            "has_notes": bool(self.notes),
            "characters": sum(map(len, self.blocks)),
        }


def process(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Read a presentation inside the sandbox: ``extract_text``, ``analyze_structure``, ``extract_images``."""
    job = Job.of(payload, progress)
    with job.file:
        formats.require(job.file, "pptx")
        with Archive(job.file) as archive:
            archive.refuse_doctypes()
            _read(archive, job)
    return job.result("pptx")


def _read(archive: Archive, job: Job) -> None:
    main = ooxml.main_part(archive, MAIN_PART)
    presentation = ooxml.parse(archive, main)
    parts = list(_slide_parts(archive, main, presentation))
    if len(parts) > MAX_SLIDES:
        job.warn("slides_skipped", f"only the first {MAX_SLIDES} of {len(parts)} slides were read")
        del parts[MAX_SLIDES:]
    slides: list[Slide] = []
    for number, part in enumerate(parts, 1):
        slides.append(read_slide(archive, number, part))
        job.progress(number, len(parts), f"slide {number}")
    if "extract_text" in job.operations:
        job.keep_text("\n\n".join(slide.text() for slide in slides))
        if not any(slide.blocks or slide.notes for slide in slides):
            job.warn("no_text", "no slide has text")
    if "analyze_structure" in job.operations:
        job.extra["structure"] = {"size": _size(presentation), "slides": [slide.structure() for slide in slides]}
    job.stats = _stats(archive, slides)
    job.extra["properties"] = ooxml.properties(archive)
    if "extract_images" in job.operations:
        keep_media(archive, job)


def _slide_parts(archive: Archive, main: str, presentation: ooxml.Element) -> Iterator[str]:
    """Name the slides' parts in the order of the show."""
    by_id = {link.id: link.target for link in ooxml.relationships(archive, main) if link.kind == "slide"}
    for entry in presentation.iter("{*}sldId"):
        for key, value in entry.attrib.items():
            if key.endswith("}id") and by_id.get(value, "") in archive:
                yield by_id[value]


def read_slide(archive: Archive, number: int, part: str) -> Slide:
    """Read one slide with its notes, layout, charts and diagrams."""
    root = ooxml.parse(archive, part)
    slide = Slide(number, part, is_hidden=root.get("show") in ("0", "false"))
    tree = next(root.iter("{*}spTree"), root)
    for element in tree.iter("{*}AlternateContent"):
        for fallback in list(element.iterchildren("{*}Fallback")):
            element.remove(fallback)
    _read_shapes(tree, slide)
    _read_text(tree, slide.blocks)
    for linked in ooxml.linked(archive, part, "chart", "chartEx", "diagramData", "comments"):
        slide.blocks += _texts(ooxml.parse(archive, linked))
    for linked in ooxml.linked(archive, part, "notesSlide"):
        slide.notes += _notes(ooxml.parse(archive, linked))
    for linked in ooxml.linked(archive, part, "slideLayout"):
        slide.layout = next((name.get("name") or "" for name in ooxml.parse(archive, linked).iter("{*}cSld")), "")
    return slide


def _read_shapes(tree: ooxml.Element, slide: Slide) -> None:
    for element in tree.iterdescendants():
        name = ooxml.local(element)
        if name in _SHAPES and name != "graphicFrame":
            slide.shapes[_SHAPES[name]] += 1
        elif name in _FRAMES:
            slide.shapes[_FRAMES[name]] += 1
        if name == "sp" and not slide.title and _placeholder(element) in _TITLES:
            slide.title = " ".join(_texts(element))


def _placeholder(shape: ooxml.Element) -> str | None:
    mark = next(shape.iter("{*}ph"), None)
    return None if mark is None else (mark.get("type") or "body")


def _read_text(tree: ooxml.Element, blocks: list[str]) -> None:
    """Read paragraphs outside of tables, and a line with tabs for each table row, in document order."""
    for element in tree.iterdescendants("{*}p", "{*}tr"):
        if ooxml.local(element) == "tr":
            cells = (" ".join(_texts(cell)) for cell in element.iterchildren("{*}tc"))
            blocks.append("\t".join(cells))
        elif next(element.iterancestors("{*}tc"), None) is None:
            blocks += _nonempty([_paragraph(element)])


def _texts(element: ooxml.Element) -> list[str]:
    return _nonempty([_paragraph(paragraph) for paragraph in element.iter("{*}p")] or [_paragraph(element)])


def _nonempty(lines: list[str]) -> list[str]:
    return [line for line in lines if line.strip()]


def _paragraph(element: ooxml.Element) -> str:
    """Join the runs, fields and line breaks of a paragraph; ``text`` is a comment's, ``v`` a chart label's."""
    pieces: list[str] = []
    for part in element.iter("{*}t", "{*}br", "{*}text", "{*}tab"):
        name = ooxml.local(part)
        pieces.append({"br": "\n", "tab": "\t"}.get(name) or part.text or "")
    return "".join(pieces)


def _notes(root: ooxml.Element) -> list[str]:
    """Read the notes' own text, without the slide number, date and header that their page repeats."""
    lines: list[str] = []
    for shape in root.iter("{*}sp"):
        if _placeholder(shape) not in ("sldNum", "dt", "hdr", "ftr", "sldImg"):
            lines += _texts(shape)
    return lines


def _size(presentation: ooxml.Element) -> dict[str, int]:
    """Slide size in EMU (914,400 an inch)."""
    size = next(presentation.iter("{*}sldSz"), None)
    figures = {} if size is None else {"width_emu": size.get("cx"), "height_emu": size.get("cy")}
    return {name: int(value) for name, value in figures.items() if value and value.lstrip("-").isdecimal()}


def _stats(archive: Archive, slides: list[Slide]) -> dict[str, Any]:
    shapes = sum((slide.shapes for slide in slides), Counter[str]())
    text = "\n".join(block for slide in slides for block in (*slide.blocks, *slide.notes))
    return {
        "slides": len(slides),
        "hidden_slides": sum(slide.is_hidden for slide in slides),
        "slides_with_notes": sum(bool(slide.notes) for slide in slides),
        "words": len(text.split()),
        "characters": len(text),
        "shapes": sum(shapes.values()),
        "tables": shapes["table"],
        "charts": shapes["chart"],
        "pictures": shapes["picture"],
        "groups": shapes["group"],
        "images": len(ooxml.media(archive)),
        "layouts": dict(Counter(slide.layout for slide in slides if slide.layout)),
    }
