"""Completion of filters and commands while they are typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[^\s()]*\Z")
_FIELD = re.compile(r"-?([A-Za-z_][A-Za-z_0-9]*):")
_QUOTED = re.compile(r"-?([A-Za-z_][A-Za-z_0-9]*):(?:[^\s,()\"]*,)*\"([^\"]*)\Z")
_NEEDS_QUOTES = re.compile(r"[\s(),]")

Values = Callable[[str], Iterable[tuple[str, int | None]]]
"""Values of a field, each with how often it is there, as far as that is known."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to go on: what is shown, how often it is there, and the whole text with it."""

    word: str
    text: str
    count: int | None = None


Complete = Callable[[str], Sequence[Candidate]]
"""Offers ways to go on from a text whose end is typed at."""


def complete_filter(text: str, fields: Sequence[str], values: Values) -> list[Candidate]:
    """Offer fields, and behind a field its values: those that begin as what is typed before those that contain it."""
    quoted = _QUOTED.search(text)
    if quoted:
        return _offer_values(text[: quoted.start(2) - 1], quoted[2], values(quoted[1].lower()))
    start = _find_word(text)
    word = text[start:]
    field = _FIELD.match(word)
    if field is None or field[1].lower() not in fields:
        sign = "-" if word.startswith("-") else ""
        begun = word.removeprefix("-").lower()
        return [Candidate(f"{name}:", f"{text[:start]}{sign}{name}:") for name in fields if name.startswith(begun)]
    value_at = max(word.rfind(","), field.end() - 1) + 1
    return _offer_values(text[: start + value_at], word[value_at:], values(field[1].lower()))


def complete_words(text: str, start: int, words: Iterable[str]) -> list[Candidate]:
    """Offer words for what was typed from ``start`` on: those that begin so before those that contain it."""
    return _choose(text[:start], text[start:], ((word, word, None) for word in words))


def _find_word(text: str) -> int:
    found = _WORD.search(text)
    return found.start() if found else len(text)


def _offer_values(before: str, typed: str, values: Iterable[tuple[str, int | None]]) -> list[Candidate]:
    usable = ((value, _quote(value), count) for value, count in values if '"' not in value)
    return _choose(before, typed, usable)


def _choose(before: str, typed: str, words: Iterable[tuple[str, str, int | None]]) -> list[Candidate]:
    """Choose what matches; what a terminal would obey or not show is no way to go on."""
    begun, within = list[Candidate](), list[Candidate]()
    wanted = typed.casefold()
    for word, written, count in words:
        folded = word.casefold()
        if wanted in folded and word.isprintable():
            (begun if folded.startswith(wanted) else within).append(Candidate(word, before + written, count))
    return begun + within


def _quote(value: str) -> str:
    return f'"{value}"' if _NEEDS_QUOTES.search(value) else value
