"""Spaces between the words of a PDF's page, told by where its glyphs stand.

pdfium guesses them from the widths of fonts, and fails where a font has no space of its own, as in what groff makes:
"is written" becomes "iswritten", and a kerned "revoke" becomes "rev oke". Asking for each glyph's place takes twice as
long as reading the text, so a few stretches of a document are looked at first, and its pages only when those show
that its spaces are wrong.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, cast

import pypdfium2.raw as _raw

pdfium = cast("Any", _raw)

_SAMPLED_PAGES = 8
_SAMPLE = 400
"""Characters of a page that are looked at first."""
_MOST_CHARACTERS = 1_500_000
"""Characters whose places are asked for, which takes three seconds."""
_SPACES_TRIED = 12
_WORDS_A_FAULT = 150
_WIDE = 0.15
"""Smallest gap that parts two words, in heights of a line; poppler takes a tenth of the font's size."""
_NARROW = 0.05
_LOOSE_NEIGHBOURS = 3
"""Gaps around one that are wide too, where letters are spaced out on purpose."""
_BEFORE_WORDS = frozenset(".,;:!?)]’”»")


@dataclass
class Spacing:
    """Whether the spaces of a document can be trusted, which its first pages tell.

    Args:
        pages: Number of the document's pages.

    Attributes:
        is_doubtful: Whether wrong ones were found.
        is_cut: Whether there were more characters than are looked at.
    """

    pages: int
    is_doubtful: bool = False
    is_cut: bool = False
    _words: int = 0
    _faults: int = 0
    _asked: int = 0
    _unit: Any = field(default_factory=lambda: pdfium.FS_RECTF())

    def look(self, reader: Any, text: str, index: int) -> None:
        """Look at a stretch of a page, if it is one of those that tell."""
        every = max(1, self.pages // _SAMPLED_PAGES)
        if self.is_doubtful or index % every or not _has_generated_spaces(reader, text):
            return
        start = max(0, (len(text) - _SAMPLE) // 2)
        self._words += text.count(" ", start, start + _SAMPLE)
        self._faults += sum(1 for _ in self._corrections(reader, text, start, min(len(text), start + _SAMPLE)))
        self.is_doubtful = self._faults * _WORDS_A_FAULT > self._words

    def mend(self, reader: Any, text: str) -> str:
        """Put the spaces of a page where its glyphs have gaps."""
        if self._asked + len(text) > _MOST_CHARACTERS:
            self.is_cut = True
            return text
        self._asked += len(text)
        pieces: list[str] = []
        done = 0
        for at, is_missing in self._corrections(reader, text, 0, len(text)):
            pieces += (text[done:at], " " if is_missing else "")
            done = at if is_missing else at + 1
        return "".join([*pieces, text[done:]])

    def _corrections(self, reader: Any, text: str, start: int, end: int) -> Iterator[tuple[int, bool]]:
        """Give the places of missing spaces (true), before which one belongs, and of those that are none (false)."""
        boxes = [self._box(reader, index) for index in range(start, end)]
        gaps = [_gap(one, other) for one, other in pairwise(boxes)]
        for at, gap in enumerate(gaps):
            char, after, beyond = text[start + at], text[start + at + 1], text[start + at + 2 : start + at + 3]
            if after.isalpha():
                is_word = char.isalpha() or char in _BEFORE_WORDS
                if is_word and gap > _WIDE and not _is_loose(gaps, at):
                    yield start + at + 1, True
            elif after == " " and char.isalpha() and beyond.isalpha():
                width = _gap(boxes[at], boxes[at + 2]) if at + 2 < len(boxes) else _WIDE
                if -_WIDE < width < _NARROW:
                    yield start + at + 1, False

    def _box(self, reader: Any, index: int) -> tuple[float, float, float, float]:
        box = self._unit
        if not pdfium.FPDFText_GetLooseCharBox(reader, index, ctypes.byref(box)):
            return (0.0, 0.0, 0.0, 0.0)
        return (box.left, box.right, box.bottom, box.top)


def _gap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """Measure the way from one glyph to the next on its line, in heights of the line; 0 for one on another line."""
    height = one[3] - one[2]
    middle = (other[2] + other[3]) / 2
    return (other[0] - one[1]) / height if height > 0 and one[2] < middle < one[3] else 0.0


def _is_loose(gaps: list[float], at: int) -> bool:
    around = (*gaps[max(0, at - _LOOSE_NEIGHBOURS) : at], *gaps[at + 1 : at + 1 + _LOOSE_NEIGHBOURS])
    return sum(gap > _WIDE for gap in around) >= _LOOSE_NEIGHBOURS


def _has_generated_spaces(reader: Any, text: str) -> bool:
    """Tell whether the first spaces inside of lines are pdfium's own guesses."""
    at = -1
    for _ in range(_SPACES_TRIED):
        at = text.find(" ", at + 1)
        if at < 0:
            return False
        if pdfium.FPDFText_IsGenerated(reader, at) == 1:
            return True
    return False
