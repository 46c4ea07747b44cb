"""Cut long texts where a reader would: between paragraphs, else lines, else sentences, else words."""

from __future__ import annotations

import re

_BORDERS = (r"\n[ \t]*\n\s*", r"\n", r"(?<=[.!?…。！？])\s+|(?<=[。！？])", r"\s+")
"""From the best place to cut to the worst."""

_FENCE = re.compile(r"^(```|~~~)", re.M)


def split(text: str, limit: int) -> list[str]:
    """Cut a text into parts of at most ``limit`` characters; joined, they are the text again.

    White space at a border stays at the end of the part before it. A fenced block of code that fits into one part
    is not cut.
    """
    return _pack(_pieces(text, limit, 0), limit)


def _pieces(text: str, limit: int, level: int) -> list[str]:
    """Cut by the border of a level; what is still too long by the next, at last anywhere."""
    if len(text) <= limit:
        return [text] if text else []
    if level == len(_BORDERS):
        return [text[start : start + limit] for start in range(0, len(text), limit)]
    pieces = _cut_after(text, _BORDERS[level])
    if level == 0:
        pieces = _rejoin_fences(pieces, limit)
    return [small for piece in pieces for small in _pieces(piece, limit, level + 1)]


def _cut_after(text: str, border: str) -> list[str]:
    pieces: list[str] = []
    start = 0
    for match in re.finditer(border, text):
        if match.end() > start:
            pieces.append(text[start : match.end()])
            start = match.end()
    return [*pieces, text[start:]] if start < len(text) else pieces


def _rejoin_fences(pieces: list[str], limit: int) -> list[str]:
    joined: list[str] = []
    is_open = False
    for piece in pieces:
        if is_open and len(joined[-1]) + len(piece) <= limit:
            joined[-1] += piece
        else:
            joined.append(piece)
        is_open ^= len(_FENCE.findall(piece)) % 2 == 1
    return joined


def _pack(pieces: list[str], limit: int) -> list[str]:
    """Join neighbours as long as they fit."""
    parts: list[str] = []
    for piece in pieces:
        if parts and len(parts[-1]) + len(piece) <= limit:
            parts[-1] += piece
        else:
            parts.append(piece)
    return parts
