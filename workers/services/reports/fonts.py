"""Text of every script on paper: the font that comes along, fonts of this machine for what it lacks, right-to-left.

What no font has is shown as U+FFFD, and :attr:`Typesetter.missing` tells it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast
from xml.sax.saxutils import escape

from workers.services.reports import machine_fonts

FAMILY = "Nexus"
"""DejaVu Sans, which matplotlib brings: Latin, Greek, Cyrillic, Arabic, Hebrew, symbols."""

REPLACEMENT = "\ufffd"
_UNDRAWN = {"Cc", "Cf", "Zl", "Zp"}
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")


class Typesetter:
    """Sets a report's texts.

    Args:
        texts: All of them; only what they hold is embedded.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        register_family()
        lacking = {char for text in texts for char in set(join_arabic(text)) if not _is_drawn(char)}
        self._fallbacks = machine_fonts.choose_fonts(frozenset(lacking))
        self._font_of = {char: font.name for font in self._fallbacks for char in font.characters}
        for font in self._fallbacks:
            machine_fonts.register(font)
        self.missing = "".join(sorted(lacking - self._font_of.keys()))

    @property
    def paths(self) -> list[str]:
        """Files of the fonts that were taken from the machine."""
        return [str(font.path) for font in self._fallbacks]

    def markup(self, text: str, width: float = 0, size: float = 9) -> str:
        """Spell text as ReportLab's markup, each character in a font that has it.

        Args:
            text: Plain text.
            width: Points; lines of right-to-left text are broken here, because they are turned one by one.
            size: Points of the font.
        """
        lines = [part for line in text.split("\n") for part in self._lines(line, width, size)]
        return "<br/>".join("".join(map(self._run, _runs(line, self._font))) for line in lines)

    def _lines(self, line: str, width: float, size: float) -> Iterator[str]:
        if not _RIGHT_TO_LEFT.search(line):
            yield line
            return
        from bidi import get_display

        base = "R" if _starts_right(line) else "L"
        for part in _wrapped(join_arabic(line), width, size):
            yield cast("str", get_display(part, base_dir=base))

    def _font(self, char: str) -> str:
        return self._font_of.get(char, "")

    def _run(self, run: tuple[str, str]) -> str:
        font, text = run
        if font:
            return f'<font name="{font}">{escape(text)}</font>'
        return escape("".join(char if _is_drawn(char) else REPLACEMENT for char in text))


def note(missing: str) -> list[str]:
    """Say what could not be drawn; nothing when all was."""
    if not missing:
        return []
    some = ", ".join(f"U+{ord(char):04X}" for char in missing[:8]) + (", …" if len(missing) > 8 else "")
    return [
        f"{len(missing)} characters can't be drawn with the fonts of this machine and appear as {REPLACEMENT}: {some};"
        " install a font that has them (Debian: fonts-noto-cjk, fonts-noto-core), or take html or xlsx"
    ]


def join_arabic(text: str) -> str:
    """Join Arabic letters; other text stays."""
    if not _RIGHT_TO_LEFT.search(text):
        return text
    import arabic_reshaper

    return arabic_reshaper.reshape(text)


@lru_cache(maxsize=1)
def register_family() -> None:
    """Make the font that comes along known to ReportLab."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    metrics: Any = pdfmetrics
    metrics.registerFont(TTFont(FAMILY, str(_own_font("DejaVuSans.ttf"))))
    metrics.registerFont(TTFont(f"{FAMILY}-Bold", str(_own_font("DejaVuSans-Bold.ttf"))))
    bold = f"{FAMILY}-Bold"
    metrics.registerFontFamily(FAMILY, normal=FAMILY, bold=bold, italic=FAMILY, boldItalic=bold)


def _own_font(name: str) -> Path:
    import matplotlib as mpl

    return Path(str(mpl.get_data_path())) / "fonts" / "ttf" / name


def _is_drawn(char: str) -> bool:
    """Tell whether the regular and the bold face have a character, or nothing is to be drawn."""
    return char in _own_characters() or unicodedata.category(char) in _UNDRAWN


@lru_cache(maxsize=1)
def _own_characters() -> frozenset[str]:
    return machine_fonts.characters(_own_font("DejaVuSans.ttf")) & machine_fonts.characters(
        _own_font("DejaVuSans-Bold.ttf")
    )


def _runs(line: str, font_of: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Cut a line where the font changes: pairs of a font's name, empty for our own, and text."""
    start = 0
    for at in range(1, len(line) + 1):
        if at == len(line) or font_of(line[at]) != font_of(line[start]):
            yield font_of(line[start]), line[start:at]
            start = at


def _wrapped(line: str, width: float, size: float) -> Sequence[str]:
    """Break a line of joined letters at spaces, in reading order."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    measure = cast("Any", stringWidth)
    lines = [""]
    for word in line.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and width and measure(longer, FAMILY, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _starts_right(line: str) -> bool:
    strong = (unicodedata.bidirectional(char) for char in line)
    return next((kind for kind in strong if kind in ("L", "R", "AL")), "L") != "L"
