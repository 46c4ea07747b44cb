"""Word documents (``.docx .docm .dotx .dotm``), read from their XML: text, figures, pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from workers.services.documents import formats, ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.job import Job
from workers.services.progress import Progress

MAIN_PART = "word/document.xml"

_STORIES = {
    "header": "headers",
    "footer": "footers",
    "footnotes": "footnotes",
    "endnotes": "endnotes",
    "comments": "comments",
}
"""Parts beside the body: kind of the link to them → what the result calls them."""

_BREAKS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_TAGS = ("p", "t", *_BREAKS, "tbl", "tr", "tc", "txbxContent", "Fallback", "pStyle", "outlineLvl", "drawing", "pict")
_CONTAINERS = ("tc", "txbxContent")
_HEADINGS = ("heading", "title")
_HEADING_LEVELS = frozenset("012345678")
"""Outline levels (ECMA-376, 17.3.1.20); 9 is plain text."""


@dataclass
class Story:
    """The text of one part: blocks are paragraphs and table rows."""

    blocks: list[str] = field(default_factory=lambda: [])
    counts: Counter[str] = field(default_factory=lambda: Counter())

    @property
    def text(self) -> str:
        """The blocks, a line each."""
        return "\n".join(self.blocks)


def process(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Read a Word document inside the sandbox; operations ``extract_text``, ``count_stats``, ``extract_images``."""
    job = Job.of(payload, progress)
    with job.file:
        formats.require(job.file, "docx")
        with Archive(job.file) as archive:
            archive.refuse_doctypes()
            _read(archive, job)
    return job.result("docx")


def _read(archive: Archive, job: Job) -> None:
    job.progress(0, len(job.operations), "text")
    main = ooxml.main_part(archive, MAIN_PART)
    if job.operations & {"extract_text", "count_stats"}:
        stories = read_stories(archive, main)
        if "extract_text" in job.operations:
            job.keep_text("\n\n".join(story.text for _, story in stories if story.text))
            _warn_when_empty(job)
        if "count_stats" in job.operations:
            job.stats = _stats(archive, stories)
    job.extra["properties"] = ooxml.properties(archive)
    if "extract_images" in job.operations:
        keep_media(archive, job)
    job.progress(len(job.operations), len(job.operations), "done")


def _warn_when_empty(job: Job) -> None:
    if not (job.content or "").strip():
        job.warn("no_text", "the document has no text")


def keep_media(archive: Archive, job: Job) -> None:
    """Write a package's embedded pictures."""
    job.outputs["images"] = []
    for name in ooxml.media(archive):
        if not job.keep_image(archive.read(name), name):
            return


def read_stories(archive: Archive, main: str) -> list[tuple[str, Story]]:
    """Read the body, headers, footers, notes and comments: pairs of what and its text, body first."""
    headings = _heading_styles(archive, main)
    stories = [("body", read_story(archive, main, headings))]
    links = [link for link in ooxml.relationships(archive, main) if link.kind in _STORIES and not link.is_external]
    for kind, name in _STORIES.items():
        targets = dict.fromkeys(link.target for link in links if link.kind == kind)
        stories += [(name, read_story(archive, target, headings)) for target in targets if target in archive]
    return stories


def _heading_styles(archive: Archive, main: str) -> frozenset[str]:
    """List the ids of the styles that make a paragraph a heading; in translated documents only their names tell."""
    found: set[str] = set()
    for part in ooxml.linked(archive, main, "styles"):
        style = ""
        for event, element in ooxml.stream(archive, part, ("style", "name", "outlineLvl")):
            name, value = ooxml.local(element), ooxml.attribute(element, "val") or ""
            if event == "start" and name == "style":
                style = ooxml.attribute(element, "styleId") or ""
            elif event == "start" and (
                value.lower().startswith(_HEADINGS) if name == "name" else value in _HEADING_LEVELS
            ):
                found.add(style)
            elif event == "end" and name == "style":
                _forget(element)
    return frozenset(found)


def read_story(archive: Archive, part: str, headings: frozenset[str] = frozenset()) -> Story:
    """Read one part: a line for each paragraph, a line with tabs for each table row, nested tables inside."""
    reader = _StoryReader(headings)
    for event, element in ooxml.stream(archive, part, _TAGS):
        name = ooxml.local(element)
        if event == "start":
            reader.start(name, element)
        else:
            reader.end(name, element)
    return reader.story


class _StoryReader:
    """Builds a story from the events of a part's XML, keeping no more of the tree than the open elements."""

    def __init__(self, headings: frozenset[str]) -> None:
        self.story = Story()
        self._headings = headings
        self._heads: list[bool] = []  # of the open paragraphs
        self._blocks = [self.story.blocks]  # of the open containers, outermost first
        self._cells: list[list[str]] = []  # of the open rows
        self._runs: list[list[str]] = []  # of the open paragraphs
        self._skipped = 0

    def start(self, name: str, element: ooxml.Element) -> None:
        if name == "Fallback":  # says again what the Choice beside it says
            self._skipped += 1
        elif self._skipped:
            return
        elif name == "p":
            self._runs.append([])
            self._heads.append(False)
        elif name == "tr":
            self._cells.append([])
        elif name in _CONTAINERS:
            self._blocks.append([])
        elif name in ("pStyle", "outlineLvl") and self._heads:
            self._heads[-1] |= self._is_heading(name, ooxml.attribute(element, "val") or "")

    def end(self, name: str, element: ooxml.Element) -> None:
        if name == "Fallback":
            self._skipped -= 1
        elif not self._skipped:
            self._close(name, element)
        if name in ("p", "tr", "tbl"):
            _forget(element)

    def _close(self, name: str, element: ooxml.Element) -> None:
        if name == "t":
            self._add(element.text or "")
        elif name in _BREAKS:
            if ooxml.local(element.getparent()) != "tabs":  # a tab stop's definition, no tab
                self._add(_BREAKS[name])
        elif name == "p" and self._runs:
            self.story.counts["paragraphs"] += 1
            self.story.counts["headings"] += self._heads.pop()
            self._blocks[-1].append("".join(self._runs.pop()))
        elif name == "tc" and len(self._blocks) > 1:
            cell = " ".join(block.replace("\n", " ") for block in self._blocks.pop() if block)
            (self._cells[-1] if self._cells else self._blocks[-1]).append(cell)
        elif name == "txbxContent" and len(self._blocks) > 1:
            self._close_text_box()
        elif name == "tr" and self._cells:
            self._blocks[-1].append("\t".join(self._cells.pop()))
        elif name in ("tbl", "drawing", "pict"):
            self.story.counts[name] += 1

    def _close_text_box(self) -> None:
        self.story.counts["text_boxes"] += 1
        blocks = self._blocks.pop()
        self._blocks[-1] += blocks

    def _is_heading(self, name: str, value: str) -> bool:
        if name == "outlineLvl":
            return value in _HEADING_LEVELS
        return value in self._headings or value.lower().startswith(_HEADINGS)

    def _add(self, text: str) -> None:
        if self._runs:
            self._runs[-1].append(text)


def _forget(element: ooxml.Element) -> None:
    """Free what was read: the element's content, and the siblings before it."""
    element.clear(keep_tail=False)
    while element.getprevious() is not None:
        del element.getparent()[0]


def _stats(archive: Archive, stories: list[tuple[str, Story]]) -> dict[str, Any]:
    counts = sum((story.counts for _, story in stories), Counter[str]())
    text = "\n".join(story.text for _, story in stories)
    words = text.split()
    return {
        "paragraphs": stories[0][1].counts["paragraphs"],
        "words": len(words),
        "characters": sum(len(line) for line in text.splitlines()),
        "characters_without_spaces": sum(map(len, words)),
        "lines": sum(1 for line in _lines(stories) if line.strip()),
        "headings": counts["headings"],
        "tables": counts["tbl"],
        "text_boxes": counts["text_boxes"],
        "images": len(ooxml.media(archive)),
        **{name: sum(kind == name for kind, _ in stories) for name in _STORIES.values()},
    }


def _lines(stories: list[tuple[str, Story]]) -> Iterator[str]:
    for _, story in stories:
        yield from story.text.splitlines()
