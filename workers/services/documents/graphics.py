"""Texts of charts, diagrams (SmartArt), pictures and links in Office documents, each as lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, zip_longest

from workers.services.documents import ooxml
from workers.services.documents.archive import Archive

MAX_POINTS = 10_000
"""Points of a series that are written."""

MAX_LINKS = 10_000

Link = tuple[str, str]
"""Text of a link, and the outside address that it leads to."""

_FILE_NAME = re.compile(r"\S+\.(?:png|jpe?g|gif|bmp|tiff?|emf|wmf|svg|webp)", re.IGNORECASE)
Warn = Callable[[str, str], None]
"""Takes the code and words of a warning."""


def ignore_warning(_code: str, _words: str) -> None:
    """Warn nobody."""


def alt_text(element: ooxml.Element) -> str:
    """Return what a picture's or shape's properties say it shows; a bare file name says nothing."""
    words = (element.get("descr") or element.get("title") or "").strip()
    return "" if _FILE_NAME.fullmatch(words) else " ".join(words.split())


def links_result(links: Iterable[Link]) -> list[dict[str, str]]:
    """Write links for the result, each once, with what is clicked and where it leads."""
    plain = ((" ".join(shown.split()), address) for shown, address in links if address)
    return [{"text": shown, "address": address} for shown, address in dict.fromkeys(islice(plain, MAX_LINKS))]


def read_graphic(archive: Archive, part: str, warn: Warn) -> list[str]:
    """Read a chart's or diagram's part; what it lacks becomes a warning."""
    root = ooxml.parse(archive, part)
    name = ooxml.local_name(root)
    if name == "dataModel":
        return _paragraphs(root)
    lines = _extended_chart(root) if _is_extended(root) else _chart(root)
    if not any("\t" in line for line in lines):
        warn("chart_data", f"the chart {part!a} keeps no copy of its data; its figures are not in the text")
    return lines


def _is_extended(root: ooxml.Element) -> bool:
    return next(root.iter("{*}chartData"), None) is not None


def _chart(root: ooxml.Element) -> list[str]:
    """Read titles, then a table: categories down, a series a column."""
    lines = [" ".join(_paragraphs(title)) or _cached_text(title) for title in root.iter("{*}title")]
    by_categories: dict[tuple[str, ...], list[tuple[str, list[str]]]] = {}
    for series in root.iter("{*}ser"):
        categories = tuple(_points(series, "cat", "xVal"))
        columns = by_categories.setdefault(categories, [])
        columns.append((_series_name(series), _points(series, "val", "yVal")))
        sizes = _points(series, "bubbleSize")
        if sizes:
            columns.append(("size", sizes))
    for categories, columns in by_categories.items():
        lines += _table(categories, columns)
    for element in root.iter("{*}dLbl", "{*}userShapes"):
        lines += _paragraphs(element)
    return [line for line in lines if line.strip()]


def _series_name(series: ooxml.Element) -> str:
    name = next(series.iterchildren("{*}tx"), None)
    return "" if name is None else _cached_text(name)


def _cached_text(element: ooxml.Element) -> str:
    return " ".join(value.text or "" for value in element.iter("{*}v"))


def _table(categories: tuple[str, ...], columns: list[tuple[str, list[str]]]) -> Iterator[str]:
    if not any(values for _, values in columns):
        yield from (name for name, _ in columns if name)
        return
    yield "\t".join(["", *(name for name, _ in columns)])
    for cells in zip_longest(categories, *(values for _, values in columns), fillvalue=""):
        yield "\t".join(cells)


def _points(series: ooxml.Element, *names: str) -> list[str]:
    """Return the cached points of a series' first dimension of these names, in place; levels are joined by a space."""
    for name in names:
        for dimension in series.iterchildren(f"{{*}}{name}"):
            levels = list(dimension.iter("{*}lvl")) or [dimension]
            return _joined([_numbered(level) for level in levels])
    return []


def _joined(levels: list[dict[int, str]]) -> list[str]:
    """Put the levels of categories side by side, the outermost first."""
    length = min(max((max(level, default=-1) for level in levels), default=-1) + 1, MAX_POINTS)
    return [" ".join(level[at] for level in reversed(levels) if at in level) for at in range(length)]


def _numbered(level: ooxml.Element) -> dict[int, str]:
    found: dict[int, str] = {}
    for point in level.iter("{*}pt"):
        index = point.get("idx") or str(len(found))
        value = next((item.text for item in point.iterchildren("{*}v")), point.text)
        if index.isdecimal() and len(index) < 9:
            found[int(index)] = " ".join((value or "").split())
    return found


def _extended_chart(root: ooxml.Element) -> list[str]:
    """Read a chart of Office 2016's kinds (treemap, waterfall …): its titles, series and data."""
    lines = [" ".join(_paragraphs(title)) for title in root.iter("{*}title")]
    lines += [_cached_text(tx) for series in root.iter("{*}series") for tx in series.iterchildren("{*}tx")]
    for data in root.iter("{*}data"):
        dimensions = data.iterchildren("{*}strDim", "{*}numDim")
        columns = [_joined([_numbered(level) for level in item.iterchildren("{*}lvl")]) for item in dimensions]
        lines += ["\t".join(cells) for cells in zip_longest(*columns, fillvalue="")]
    return [line for line in lines if line.strip()]


def _paragraphs(element: ooxml.Element) -> list[str]:
    lines = ["".join(text.text or "" for text in part.iter("{*}t")) for part in element.iter("{*}p")]
    return [line for line in lines if line.strip()]
