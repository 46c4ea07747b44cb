"""Fonts of this machine: which of them have certain characters, and those characters cut out for a PDF."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

MAX_FONTS = 2000
"""Fonts of the machine that are looked at."""

_COLOURED = {"CBDT", "COLR", "SVG ", "sbix"}
"""Tables of fonts that draw in colour, which a PDF's text can't."""
_ERROR_EM = 0.001
"""Largest error of a converted outline."""


@dataclass(frozen=True)
class Fallback:
    """A font, and the characters that are taken from it."""

    path: Path
    characters: frozenset[str]

    @property
    def name(self) -> str:
        """Name it by what is in it: two reports with other characters have two fonts."""
        text = f"{self.path}\n{''.join(sorted(self.characters))}"
        return f"Nexus-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@lru_cache(maxsize=8)
def choose_fonts(lacking: frozenset[str]) -> tuple[Fallback, ...]:
    """Choose fonts of the machine: each time the one that has most of what is still lacking."""
    taken: list[Fallback] = []
    left = lacking
    found = {path: characters(path) & left for path in _files()} if lacking else {}
    while left and found:
        best = max(found, key=lambda path: (len(found[path] & left), path.name))
        has = found.pop(best) & left
        if not has:
            break
        taken.append(Fallback(best, has))
        left -= has
    return tuple(taken)


def _files() -> list[Path]:
    from matplotlib import font_manager

    manager: Any = font_manager
    return [Path(path) for path in sorted(manager.findSystemFonts(fontext="ttf"))[:MAX_FONTS]]


@lru_cache(maxsize=4 * MAX_FONTS)
def characters(path: Path) -> frozenset[str]:
    """List the characters that a font has; none when it draws in colour or can't be read."""
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with path.open("rb") as file, cast("Any", TTFont)(file, fontNumber=0, lazy=True) as font:
            tables = set(font.keys())
            if tables & _COLOURED or not tables & {"glyf", "CFF "}:
                return frozenset()
            return frozenset(map(chr, font.getBestCmap() or ()))
    except (TTLibError, OSError, ValueError, KeyError, AssertionError, IndexError):
        return frozenset()


def register(font: Fallback) -> None:
    """Make a font known to ReportLab, once."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    metrics: Any = pdfmetrics
    if font.name in metrics.getRegisteredFontNames():
        return
    metrics.registerFont(TTFont(font.name, _embeddable(font)))
    metrics.registerFontFamily(font.name, normal=font.name, bold=font.name, italic=font.name, boldItalic=font.name)


def _embeddable(wanted: Fallback) -> io.BytesIO:
    """Cut a font down to its wanted characters, with TrueType outlines, as ReportLab takes no others."""
    from fontTools import subset
    from fontTools.ttLib import TTFont

    options = cast("Any", subset).Options(layout_features=[], notdef_outline=True, name_IDs=["*"], hinting=False)
    font: Any = cast("Any", TTFont)(wanted.path, fontNumber=0)
    cutter = cast("Any", subset).Subsetter(options)
    cutter.populate(text="".join(wanted.characters) + " ")
    cutter.subset(font)
    if "CFF " in font:
        _to_truetype(font)
    target = io.BytesIO()
    font.save(target)
    target.seek(0)
    return target


def _to_truetype(font: Any) -> None:
    """Exchange a font's cubic outlines for quadratic ones."""
    from fontTools.pens.cu2quPen import Cu2QuPen
    from fontTools.pens.ttGlyphPen import TTGlyphPen
    from fontTools.ttLib import newTable

    glyphs, order = font.getGlyphSet(), font.getGlyphOrder()
    font["loca"], font["glyf"] = newTable("loca"), newTable("glyf")
    font["glyf"].glyphOrder, font["glyf"].glyphs = order, {}
    for name in order:
        pen: Any = TTGlyphPen(None)
        max_error = font["head"].unitsPerEm * _ERROR_EM
        glyphs[name].draw(cast("Any", Cu2QuPen)(pen, max_error, reverse_direction=True))
        font["glyf"].glyphs[name] = pen.glyph()
    del font["CFF "]
    if "VORG" in font:
        del font["VORG"]
    maxp = font["maxp"]
    maxp.tableVersion = 0x00010000
    zeros = ("maxTwilightPoints", "maxStorage", "maxFunctionDefs", "maxInstructionDefs", "maxStackElements",
             "maxSizeOfInstructions", "maxComponentElements")  # fmt: skip
    vars(maxp).update(dict.fromkeys(zeros, 0), maxZones=1)
    font.sfntVersion = "\000\001\000\000"
