"""Words of PDF pages made whole: hyphens at the ends of lines, and ligatures that their font gives no Unicode for.

A PDF has glyphs at places. Whether a hyphen at a line's end belongs to the word is told by the rest of the text, where
the word may stand on one line; a glyph without Unicode by the words that it could complete.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

HYPHEN = "\ufffe"
"""Mark of pdfium for a hyphen at the end of a line, the line end itself left out."""

UNMAPPED = "\x1a"
"""Stands for a glyph that its font maps to nothing."""

UNKNOWN = "\ufffd"

_LAST_WORD_BACKWARDS = re.compile(r"(?:[^\W_]|['’\-])*")
_FIRST_WORD = re.compile(r"(?:[^\W_]|['’])*")
_LONGEST_WORD = 64
"""Characters before a hyphen that are looked at."""
_UNICODE_HYPHEN = "‐".encode()
_SIGNS = {lead: re.compile(lead + b".") for lead in (b"\xe2\x80", b"\xc2")}
"""By their first bytes: quotes, dashes, ellipses (U+2000 to U+203F), and the signs of Latin-1 (U+0080 to U+00BF)."""
_ONLY_WORDS = re.sub(rb"[^a-z\x80-\xff-]", b" ", bytes(range(256)).lower())
"""Small letters, and spaces for what stands between words."""
_SOFT_HYPHEN = "\u00ad"
_FIRST = frozenset(
    ("well", "self", "non", "ill", "half", "cross", "high", "low", "long", "short", "full", "part", "so", "one",
     "two", "three", "four", "five", "six", "ten", "first", "second", "third", "all", "ever", "ex", "anti",
     "pre", "post", "open", "real", "old", "new", "hard", "best", "better", "large", "small", "single",
     "double", "multi", "state", "built", "mother", "father", "brother", "sister", "vice", "far", "free",
     "fast", "deep", "world", "user", "e")
)  # fmt: skip
"""First words of compounds that are written with a hyphen."""
_SECOND = frozenset(
    ("based", "free", "like", "known", "term", "time", "level", "style", "wide", "type", "defined", "friendly",
     "specific", "oriented", "driven", "aware", "only", "of", "in", "up", "by", "to", "law", "old", "year",
     "size", "scale", "quality", "down", "off", "on", "out", "called", "made", "sided", "handed", "mail",
     "century", "day", "the", "and", "art")
)  # fmt: skip
"""Second ones."""

_GLYPHS = r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)"
"""Codes that a font without Unicode leaves: pdfium gives them as they are."""
_GLYPH_BYTES = bytes((*range(1, 9), 11, 12, *range(14, 32), 0x7F))
_LATER_GLYPH = re.compile(rb"\xc2[\x80-\x9f]")
_GLYPH = re.compile(_GLYPHS)
_WORD_WITH_GLYPH = re.compile(rf"[^\W\d_]*(?:{_GLYPHS})(?:[^\W\d_]|{_GLYPHS})*")
_VOWELS = frozenset("aeiouyäöüéèàAEIOUYÄÖÜ")
_TEX_CODES = {
    "\x0b": "ff", "\x0c": "fi", "\x0d": "fl", "\x0e": "ffi", "\x0f": "ffl",
    "\x1b": "ff", "\x1c": "fi", "\x1d": "fl", "\x1e": "ffi", "\x1f": "ffl",
}  # fmt: skip
"""Places of ligatures in the usual fonts of TeX: the encodings OT1 and T1."""
_STEMS = {
    "ffi": "difficult office officer official efficien sufficien coefficient affirm traffic suffix affinity effici "
    "diffic",
    "ffl": "waffle baffle shuffle raffle muffle affluen effluen affliction ruffle offline",
    "ff": "differ effect offer affect suffer staff coffee buffer effort cliff stuff affair cutoff diffus afford "
    "offset tariff stiff sheriff bluff offen schiff griff treff",
    "fi": "first find field define final figure file fine fill five fish firm finger fire profit specific scientific "
    "significan benefi confirm config satisf classif identif certif finish finan infinit defin magnifi modifi "
    "verif simplifi justifi notifi clarifi artifi pacific terrific prolific finden film",
    "fl": "flow float floor flat flag flight flower influen reflect conflict flexib inflation flood fluid flux flame "
    "leaflet fleet fluctuat auflage fläche pflicht pflanz",
    "ft": "after left often soft shift draft gift craft schrift haft lift",
    "tt": "better little letter matter attempt attend button written bottom pattern attack setting getter pretty",
    "Th": "The This There Then They These Those That Through Their Than Thus Though Think Three Third",
    "ti": "action nation station function section condition position information relation question motion",
}
"""Ligature → beginnings and middles of words that have it."""


class Words:
    """The words of a document, by which broken ones are mended.

    Args:
        pages: The text of its pages, as pdfium gives it.
    """

    def __init__(self, pages: Sequence[str]) -> None:
        self._known: Counter[str] = Counter()
        self._ligatures: dict[str, str] = {}
        self.unknown = 0
        """Characters that stay without Unicode."""
        whole = "\n".join(pages)
        data = whole.encode("utf-8", "replace")
        if _has_glyph(data):
            self._ligatures = _ligatures_of(whole)
        if HYPHEN in whole:
            parts = ((first.lower(), second.lower()) for first, second, _ in _breaks(whole))
            forms = {form for one, other in parts for form in (f"{one}-{other}", one + other)}
            if not "".join(forms).replace("’", "").isascii():  # capitals of ASCII are made small where they are counted
                data = whole.lower().encode("utf-8", "replace")
            self._known = _counts(data, forms)

    def mend(self, page: str) -> str:
        """Make a page's words whole."""
        if HYPHEN in page:
            page = self._joined(page)
        if _SOFT_HYPHEN in page:
            page = page.replace(f"{_SOFT_HYPHEN}\r\n", "").replace(_SOFT_HYPHEN, "")
        return _WORD_WITH_GLYPH.sub(self._with_ligatures, page) if self._ligatures else page

    def _joined(self, page: str) -> str:
        """Put a page together that is cut at its hyphens, each of them kept or dropped."""
        whole = [page.partition(HYPHEN)[0]]
        for first, second, after in _breaks(page):
            whole += ("-" if self._has_hyphen(first.lower(), second.lower(), second) else "", after)
        return "".join(whole)

    def _has_hyphen(self, first: str, second: str, written: str) -> bool:
        """Tell whether two parts of a word keep the hyphen between them."""
        with_hyphen, without = self._known[f"{first}-{second}"], self._known[first + second]
        if with_hyphen or without:
            return with_hyphen > without
        if not first or not second or not first[-1].isalpha() or not written[0].islower() or "-" in first:
            return True
        return first in _FIRST or second in _SECOND

    def _with_ligatures(self, match: re.Match[str]) -> str:
        word = match[0]
        for glyph in dict.fromkeys(_GLYPH.findall(word)):
            letters = _by_stem(word, glyph) or (self._ligatures[glyph] if _is_word(word) else UNKNOWN)
            self.unknown += word.count(glyph) if letters == UNKNOWN else 0
            word = word.replace(glyph, letters)
        return word


def _breaks(page: str) -> Iterator[tuple[str, str, str]]:
    """Give the two parts of each broken word, and the text from the second one to the next broken word."""
    for before, after in pairwise(page.split(HYPHEN)):
        yield _last_word(before), _first_word(after), after


def _counts(data: bytes, wanted: set[str]) -> Counter[str]:
    """Count where the wanted words stand whole in a text of small letters, or of both kinds for words in ASCII."""
    data = data.replace(_UNICODE_HYPHEN, b"-")
    for lead, signs in _SIGNS.items():
        data = signs.sub(b" ", data) if lead in data else data
    encoded = {word.encode("utf-8", "replace") for word in wanted}
    found = Counter(filter(encoded.__contains__, data.translate(_ONLY_WORDS).split()))
    return Counter({word.decode(): count for word, count in found.items()})


def _last_word(text: str) -> str:
    match = _LAST_WORD_BACKWARDS.match(text[-1 : -_LONGEST_WORD - 1 : -1])
    return match[0][::-1] if match else ""


def _first_word(text: str) -> str:
    match = _FIRST_WORD.match(text)
    return match[0] if match else ""


def _has_glyph(data: bytes) -> bool:
    """Tell whether a text in UTF-8 has codes of a font without Unicode; much quicker than by their pattern."""
    return (
        len(data.translate(None, _GLYPH_BYTES)) != len(data)
        or data.count(b"\r") != data.count(b"\r\n")
        or (b"\xc2" in data and _LATER_GLYPH.search(data) is not None)
    )


def _ligatures_of(whole: str) -> dict[str, str]:
    """Choose what each glyph without Unicode is: by the words that it completes, then by its place in TeX's fonts."""
    found: dict[str, str] = {}
    words = Counter(_WORD_WITH_GLYPH.findall(whole))
    for glyph in {glyph for word in words for glyph in _GLYPH.findall(word)}:
        votes: Counter[str] = Counter()
        for word, count in words.items():
            letters = _by_stem(word, glyph) if glyph in word else None
            if letters:
                votes[letters] += count
        if votes and (glyph != UNMAPPED or len(votes) == 1):  # which all such glyphs share
            found[glyph] = votes.most_common(1)[0][0]
        else:
            found[glyph] = _TEX_CODES.get(glyph, UNKNOWN)
    return found


def _is_word(text: str) -> bool:
    """Tell a word that lacks a ligature from a formula's or a score's signs: by letters enough, a vowel among them."""
    letters = [char for char in text if char.isalpha()]
    return len(letters) >= 2 and any(char in _VOWELS for char in letters)


def _by_stem(word: str, glyph: str) -> str | None:
    """Find the ligature that makes the longest known stem of a word; None when there is none, or two are as long."""
    plain = word.lower()
    found = ((gap, letters) for gap, letters in _gaps(glyph) if gap in plain)
    fits = sorted(
        ((len(gap), letters) for gap, letters in found if letters != "Th" or plain.startswith(gap)), reverse=True
    )
    best = {letters for length, letters in fits if length == fits[0][0]}
    return best.pop() if len(best) == 1 else None


@lru_cache(maxsize=32)
def _gaps(glyph: str) -> list[tuple[str, str]]:
    """Give the stems with a glyph in place of their ligature, and the ligature."""
    return [
        (stem.lower().replace(letters.lower(), glyph, 1), letters)
        for letters, stems in _STEMS.items()
        for stem in stems.split()
        if letters.lower() in stem.lower()
    ]
