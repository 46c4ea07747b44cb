"""PowerPoint presentations (``.pptx .pptm .potx .potm .ppsx .ppsm``), read from their XML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from workers.services.documents import equations, graphics, ooxml, symbols
from workers.services.documents.archive import Archive
from workers.services.documents.graphics import Warn
from workers.services.documents.job import Job
from workers.services.documents.package_reader import read_package
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
_SHOWN = tuple(f"{{*}}{name}" for name in ("p", "tr", "cNvPr", "chart", "relIds", "oleObj"))
_BREAKS = {"br": "\n", "tab": "\t"}
_TITLES = ("title", "ctrTitle")


@dataclass
class Slide:
    """One slide as it is read.

    Attributes:
        number: Its place in the show, from 1.
        part: Name of its part.
        title: Text of its title placeholder.
        blocks: Its text: paragraphs, table rows, charts with their data, alternative texts, comments.
        notes: The speaker's notes.
        links: What is clicked, and where it leads.
        shapes: How many of each kind.
        layout: Name of its layout.
        layout_part: The layout's part.
        is_hidden: Whether the show leaves it out.
    """

    number: int
    part: str
    title: str = ""
    blocks: list[str] = field(default_factory=lambda: [])
    notes: list[str] = field(default_factory=lambda: [])
    links: list[graphics.Link] = field(default_factory=lambda: [])
    shapes: Counter[str] = field(default_factory=lambda: Counter())
    layout: str = ""
    layout_part: str = ""
    is_hidden: bool = False

    def text(self) -> str:
        """Write the slide as the text file has it."""
        notes = ["", "Notes:", *self.notes] if self.notes else []
        hidden = " (hidden)" if self.is_hidden else ""
        return "\n".join([f"Slide {self.number}{hidden}", *self.blocks, *notes])

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
    return read_package(payload, progress, "pptx", _read)


def _read(archive: Archive, job: Job) -> None:
    main = ooxml.main_part(archive, MAIN_PART)
    presentation = ooxml.parse(archive, main)
    parts = list(_slide_parts(archive, main, presentation))
    if len(parts) > MAX_SLIDES:
        job.warn("slides_skipped", f"only the first {MAX_SLIDES} of {len(parts)} slides were read")
        del parts[MAX_SLIDES:]
    slides: list[Slide] = []
    reader = _Slides(archive, job.warn)
    for number, part in enumerate(parts, 1):
        slides.append(reader.read(number, part))
        job.progress(number, len(parts), f"slide {number}")
    if "extract_text" in job.operations:
        texts = [slide.text() for slide in slides]
        background = _background(archive, slides, job.warn)
        if background:
            texts.append("\n".join(["On every slide", *background]))
        job.keep_text("\n\n".join(texts))
        job.extra["links"] = graphics.links_result(link for slide in slides for link in slide.links)
        if not any(slide.blocks or slide.notes for slide in slides):
            job.warn("no_text", "no slide has text")
    if "analyze_structure" in job.operations:
        job.extra["structure"] = {"size": _size(presentation), "slides": [slide.structure() for slide in slides]}
    job.stats = _stats(archive, slides)


def _slide_parts(archive: Archive, main: str, presentation: ooxml.Element) -> Iterator[str]:
    """Name the slides' parts in the order of the show."""
    by_id = {link.id: link.target for link in ooxml.relationships(archive, main) if link.kind == "slide"}
    for entry in presentation.iter("{*}sldId"):
        for key, value in entry.attrib.items():
            if key.endswith("}id") and by_id.get(value, "") in archive:
                yield by_id[value]


def read_slides(archive: Archive, main: str) -> list[Slide]:
    """Read every slide in the order of the show."""
    parts = _slide_parts(archive, main, ooxml.parse(archive, main))
    reader = _Slides(archive, graphics.ignore_warning)
    return [reader.read(number, part) for number, part in enumerate(parts, 1)]


@dataclass(frozen=True)
class _Slides:
    """Reads slides with their notes, layouts, comments, charts and diagrams."""

    archive: Archive
    warn: Warn
    layouts: dict[str, str] = field(default_factory=lambda: {})

    def read(self, number: int, part: str) -> Slide:
        """Read one slide."""
        root = ooxml.parse(self.archive, part)
        slide = Slide(number, part, is_hidden=root.get("show") in ("0", "false"))
        tree = next(root.iter("{*}spTree"), root)
        for element in list(tree.iter("{*}AlternateContent")):
            if element.find("{*}Choice") is not None:
                for fallback in list(element.iterchildren("{*}Fallback")):
                    element.remove(fallback)
        links = ooxml.relationships(self.archive, part)
        _count_shapes(tree, slide)
        slide.blocks += _Shapes(self.archive, {link.id: link for link in links}, self.warn).lines(tree)
        slide.links += _links(tree, links)
        for linked in ooxml.targets(self.archive, links, "comments"):
            slide.blocks += _comments(ooxml.parse(self.archive, linked))
        for linked in ooxml.targets(self.archive, links, "notesSlide"):
            notes = ooxml.parse(self.archive, linked)
            slide.notes += _notes(notes)
            slide.links += _links(notes, ooxml.relationships(self.archive, linked))
        for linked in ooxml.targets(self.archive, links, "slideLayout"):
            slide.layout, slide.layout_part = self._layout_name(linked), linked
        return slide

    def _layout_name(self, part: str) -> str:
        if part not in self.layouts:
            names = (item.get("name") or "" for item in ooxml.parse(self.archive, part).iter("{*}cSld"))
            self.layouts[part] = next(names, "")
        return self.layouts[part]


_COUNTED = tuple(f"{{*}}{name}" for name in (*_SHAPES, *_FRAMES) if name != "graphicFrame")


def _count_shapes(tree: ooxml.Element, slide: Slide) -> None:
    for element in tree.iter(*_COUNTED):
        name = ooxml.local_name(element)
        slide.shapes[_SHAPES.get(name) or _FRAMES[name]] += 1
        if name == "sp" and not slide.title and _placeholder(element) in _TITLES:
            slide.title = " ".join(_texts(element))


def _placeholder(shape: ooxml.Element) -> str | None:
    mark = next(shape.iter("{*}ph"), None)
    return None if mark is None else (mark.get("type") or "body")


@dataclass(frozen=True)
class _Shapes:
    """Reads what shapes show, in the order of the slide's tree."""

    archive: Archive
    links: dict[str, ooxml.Relationship]
    warn: Warn

    def lines(self, tree: ooxml.Element) -> list[str]:
        """Read paragraphs, table rows, alternative texts, charts and diagrams."""
        found: list[str] = []
        elements: Iterator[ooxml.Element] = tree.iter(*_SHOWN)
        for element in elements:
            name = ooxml.local_name(element)
            if name == "p":
                found.append(_paragraph(element))
            elif name == "tr":
                found.append("\t".join([" ".join(_texts(cell)) for cell in element.iterchildren("{*}tc")]))
                inside = sum(1 for _ in element.iter(*_SHOWN)) - 1
                next(islice(elements, inside, inside), None)  # which the row has read
            elif name == "cNvPr":
                words = graphics.alt_text(element)
                found.append(f"[{words}]" if words else "")
            elif name == "oleObj":
                object_ = element.get("progId")
                self.warn("embedded_files", f"what is embedded is not read, only its picture: {object_!a}")
            else:
                found += self._linked(ooxml.attribute(element, "dm") or ooxml.attribute(element, "id") or "")
        return _nonempty(found)

    def _linked(self, id_: str) -> list[str]:
        link = self.links.get(id_)
        if link is None or link.is_external or link.target not in self.archive:
            self.warn("chart_data", "a chart or diagram whose part is missing in the file is not read")
            return []
        return graphics.read_graphic(self.archive, link.target, self.warn)


def _texts(element: ooxml.Element) -> list[str]:
    return _nonempty([_paragraph(paragraph) for paragraph in element.iter("{*}p")])


def _nonempty(lines: list[str]) -> list[str]:
    return [line for line in lines if line.strip()]


def _paragraph(element: ooxml.Element) -> str:
    """Join the runs, fields, equations and line breaks of a paragraph."""
    pieces: list[str] = []
    for part in element:
        name = ooxml.local_name(part)
        if name in ("oMath", "oMathPara"):
            pieces.append(equations.spell(part))
        elif name == "t":
            pieces.append(_characters(element, part.text or ""))
        elif name in _BREAKS:
            pieces.append(_BREAKS[name])
        elif name not in ("pPr", "rPr", "endParaRPr"):
            pieces.append(_paragraph(part))
    return "".join(pieces)


def _characters(run: ooxml.Element, text: str) -> str:
    """Spell text in a symbol font, such as Wingdings, as Unicode."""
    if text.isascii():
        return text
    font = next((item.get("typeface") or "" for item in run.iterfind("{*}rPr/{*}sym")), "")
    private = range(0xF020, 0xF100)
    return "".join(symbols.spell(font, ord(char)) if ord(char) in private else char for char in text)


def _links(tree: ooxml.Element, relationships: list[ooxml.Relationship]) -> list[graphics.Link]:
    """Read the links of texts and shapes to the outside; neighbouring runs that lead to one address are one link."""
    outside = {link.id: link.target for link in relationships if link.is_external and link.kind == "hyperlink"}
    found: list[graphics.Link] = []
    last_run = None
    for link in tree.iter("{*}hlinkClick") if outside else ():
        address = outside.get(ooxml.attribute(link, "id") or "", "")
        owner = link.getparent()
        run = owner.getparent() if ooxml.local_name(owner) == "rPr" else None
        shown = graphics.alt_text(owner) if run is None else "".join(text.text or "" for text in run.iterfind("{*}t"))
        if run is not None and last_run is not None and last_run.getnext() is run and found[-1][1] == address:
            shown = found.pop()[0] + shown
        found.append((shown, address))
        last_run = run
    return found


def _comments(root: ooxml.Element) -> list[str]:
    """Read comments: of old ones their text, of threaded ones every answer."""
    found = [" ".join((text.text or "").split()) for text in root.iter("{*}text") if len(text) == 0]
    return _nonempty(found) or _texts(root)


def _notes(root: ooxml.Element) -> list[str]:
    """Read the notes' own text, without the slide number, date and header that their page repeats."""
    lines: list[str] = []
    for shape in root.iter("{*}sp"):
        if _placeholder(shape) not in ("sldNum", "dt", "hdr", "ftr", "sldImg"):
            lines += _texts(shape)
    return lines


def _background(archive: Archive, slides: list[Slide], warn: Warn) -> list[str]:
    """Read what the slides' layouts and masters show on every slide: shapes that are no placeholders."""
    layouts = dict.fromkeys(slide.layout_part for slide in slides if slide.layout_part)
    masters = (part for layout in layouts for part in ooxml.list_linked_parts(archive, layout, "slideMaster"))
    lines: list[str] = []
    for part in dict.fromkeys((*masters, *layouts)):
        tree = next(ooxml.parse(archive, part).iter("{*}spTree"), None)
        for shape in () if tree is None else list(tree.iter("{*}sp")):
            if _placeholder(shape) is not None:
                shape.getparent().remove(shape)
        links = {link.id: link for link in ooxml.relationships(archive, part)}
        lines += [] if tree is None else _Shapes(archive, links, warn).lines(tree)
    return list(dict.fromkeys(lines))


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
