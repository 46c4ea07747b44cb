"""Lines for what goes with a worksheet's cells in every format: printed headers and footers, links, prompts."""

from __future__ import annotations

import re
from collections.abc import Iterable

from workers.services.documents.sheets.cells import column_letters

_PRINT_CODE = re.compile(r'&(?:(&)|"[^"]*"|K(?:[0-9A-Fa-f]{6}|[0-9]{2}[+-][0-9]{3})|[0-9]{1,3}|[A-Za-z])')
"""Codes of headers and footers (ECMA-376, 18.3.1.46): places, fonts, colours, page numbers."""


def header_lines(texts: Iterable[str]) -> list[str]:
    """Read the words of headers and footers, each once, without their codes."""
    plain = (" ".join(_PRINT_CODE.sub(_literal, text).split()) for text in texts)
    return list(dict.fromkeys(filter(None, plain)))


def _literal(match: re.Match[str]) -> str:
    return match[1] or " "


def link_line(cells: str, address: str, place: str = "", tip: str = "") -> str:
    """Write a link: its cells, where it leads (address, place in it), and the tip that is shown over it.

    Returns:
        Nothing for a link to a place in the same workbook that shows no tip.
    """
    tip = " ".join(tip.split())
    target = address + (f"#{place}" if address and place else "")
    if not target:
        return f"{cells}: {tip}" if tip else ""
    return f"{cells}: {target}" + (f" ({tip})" if tip and tip != target else "")


def prompt_line(cells: str, title: str, words: str) -> str:
    """Write what a spreadsheet program shows when one of these cells is chosen; nothing when it says nothing."""
    said = " ".join(" ".join((title, words)).split())
    return f"{cells}: {said}" if said else ""


def cell_range(first_row: int, last_row: int, first_column: int, last_column: int) -> str:
    """Name a range of cells, rows and columns counted from 0: ``B2``, ``B2:C7``."""
    first = f"{column_letters(first_column + 1)}{first_row + 1}"
    last = f"{column_letters(last_column + 1)}{last_row + 1}"
    return first if first == last else f"{first}:{last}"
