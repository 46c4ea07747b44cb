"""Word documents (``.docx .docm .dotx .dotm``), read from their XML: text, figures, pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from workers.errors import TooComplex
from workers.services.documents import graphics, ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.graphics import Warn
from workers.services.documents.job import Job
from workers.services.documents.package_reader import read_package
from workers.services.documents.word import imported_parts, list_numbers
from workers.services.documents.word.story import HEADING_LEVELS, HEADINGS, Story, Surroundings
from workers.services.documents.word.stream import TAGS, read_story
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

_GRAPHICS = ("chart", "chartEx", "diagramData")
_EMBEDDED = ("package", "oleObject", "control")


def process(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Read a Word document inside the sandbox; operations ``extract_text``, ``count_stats``, ``extract_images``."""
    return read_package(payload, progress, "docx", _read)


def _read(archive: Archive, job: Job) -> None:
    job.progress(0, len(job.operations), "text")
    main = ooxml.main_part(archive, MAIN_PART)
    if job.operations & {"extract_text", "count_stats"}:
        stories = read_stories(archive, main, job.warn)
        if "extract_text" in job.operations:
            job.keep_text("\n\n".join(story.text for _, story in stories if story.text))
            job.extra["links"] = graphics.links_result(link for _, story in stories for link in story.links)
            _warn_when_empty(job)
        if "count_stats" in job.operations:
            job.stats = _stats(archive, stories)
    job.progress(len(job.operations), len(job.operations), "done")


def _warn_when_empty(job: Job) -> None:
    if not (job.content or "").strip() and "not_imported" not in job.notes:
        job.warn("no_text", "the document has no text")


def read_stories(archive: Archive, main: str, warn: Warn = graphics.ignore_warning) -> list[tuple[str, Story]]:
    """Read the body, headers, footers, notes and comments: pairs of what and its text, body first.

    Args:
        archive: The package.
        main: Name of its main part.
        warn: Takes the code and words of what can't be read.
    """
    reader = _Document(archive, main, warn)
    stories = [("body", reader.read(main))]
    links = [link for link in ooxml.relationships(archive, main) if link.kind in _STORIES and not link.is_external]
    for kind, name in _STORIES.items():
        targets = dict.fromkeys(link.target for link in links if link.kind == kind)
        stories += [(name, reader.read(target)) for target in targets if target in archive]
    stories[0][1].links += reader.imported_links
    if any(story.counts["removals"] for _, story in stories):
        warn("tracked_changes", "the text is as if the tracked deletions and moves were accepted")
    return stories


class _Document:
    """Reads the parts of one document, with what they link to."""

    def __init__(self, archive: Archive, main: str, warn: Warn, depth: int = 0) -> None:
        self._archive = archive
        self._warn = warn
        self._depth = depth  # of documents that import one another
        self.imported_links: list[graphics.Link] = []
        self._kind = ooxml.content_types(archive)
        self._headings = _heading_styles(archive, main)
        self._numbers = list_numbers.read(archive, main)

    def read(self, part: str) -> Story:
        """Read one part."""
        links = {link.id: link for link in ooxml.relationships(self._archive, part)}
        embedded = [link.target for link in links.values() if link.kind in _EMBEDDED]
        if embedded:
            names = ", ".join(f"{name!a}" for name in embedded[:5])
            self._warn("embedded_files", f"what is embedded is not read, only its picture: {names}")
        outside = {id_: link.target for id_, link in links.items() if link.is_external and link.kind == "hyperlink"}
        around = Surroundings(
            self._headings,
            self._numbers,
            lambda id_: outside.get(id_, ""),
            lambda id_: self._linked(links.get(id_)),
            self._warn,
        )
        return read_story(ooxml.stream(self._archive, part, TAGS), around)

    def _linked(self, link: ooxml.Relationship | None) -> list[str]:
        if link is None or link.is_external or link.target not in self._archive:
            name = f" {link.target[:200]!a}" if link else ""
            self._warn("not_imported", f"a part{name} that is not in the document's file is not read")
            return []
        if link.kind in _GRAPHICS:
            return graphics.read_graphic(self._archive, link.target, self._warn)
        kind = self._kind(link.target)
        return imported_parts.read(self._archive, link.target, kind, self._imported, self._warn)

    def _imported(self, archive: Archive) -> list[str]:
        if self._depth >= imported_parts.MAX_DEPTH:
            raise TooComplex(f"more than {imported_parts.MAX_DEPTH} documents inside of each other")
        main = ooxml.main_part(archive, MAIN_PART)
        inner = _Document(archive, main, self._warn, self._depth + 1)
        story = inner.read(main)
        self.imported_links += [*story.links, *inner.imported_links]
        return story.blocks


def _heading_styles(archive: Archive, main: str) -> frozenset[str]:
    """List the ids of the styles that make a paragraph a heading; in translated documents only their names tell."""
    found: set[str] = set()
    for part in ooxml.list_linked_parts(archive, main, "styles"):
        for event, style in ooxml.stream(archive, part, ("style",)):
            if event == "end":
                if _is_heading_style(style):
                    found.add(ooxml.attribute(style, "styleId") or "")
                style.clear(keep_tail=False)
    return frozenset(found)


def _is_heading_style(style: ooxml.Element) -> bool:
    names = (ooxml.attribute(name, "val") or "" for name in style.iterchildren("{*}name"))
    levels = (
        level for properties in style.iterchildren("{*}pPr") for level in properties.iterchildren("{*}outlineLvl")
    )
    return any(name.lower().startswith(HEADINGS) for name in names) or any(
        ooxml.attribute(level, "val") in HEADING_LEVELS for level in levels
    )


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
