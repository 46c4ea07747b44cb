"""Glyphs: bars by priority, sparklines, progress bars."""

from __future__ import annotations

from collections.abc import Sequence

from nexus_tui.widgets.lines import Line

EIGHTHS = " ▁▂▃▄▅▆▇█"


def _dots_in_ascii(dots: int) -> str:
    """Choose what stands for a braille character: by whether its dots are in the upper half, the lower, or both."""
    upper, lower = bool(dots & 0b00011011), bool(dots & 0b11100100)
    return {(False, False): " ", (True, False): "'", (False, True): ".", (True, True): ":"}[upper, lower]


ASCII = str.maketrans(
    {
        **dict(zip("▁▂▃▄▅▆▇█", "._-=+*%#", strict=True)),
        **dict.fromkeys("─━╌", "-"),
        **dict.fromkeys("│┃┊▏▕▎▊▌▐▍▋▉", "|"),
        **{chr(0x2800 + dots): _dots_in_ascii(dots) for dots in range(256)},
        **dict.fromkeys("┌┐└┘╭╮╰╯├┤┬┴┼╸╺┏┓┗┛", "+"),
        **dict.fromkeys("▔▀", "^"),
        **dict.fromkeys("●•◉■", "*"),
        **dict.fromkeys("○◌□", "o"),
        **{
            "░": "-",
            "▒": ":",
            "▓": "%",
            "✗": "x",
            "✓": "v",
            "▲": "^",
            "△": "^",
            "▼": "v",
            "▶": ">",
            "▸": ">",
            "◀": "<",
        },
        **{"∥": "=", "·": ".", "…": "~", "→": ">", "←": "<", "↑": "^", "↓": "v", "␛": "^", "“": '"', "”": '"'},
        **{"’": "'", "‘": "'", "×": "x", "≥": ">", "≤": "<", "–": "-", "—": "-", "⭘": "o", "↵": "<", "⏎": "<"},
    }
)
"""Replacements of our glyphs on a terminal without UTF-8; all one cell wide."""


def priority_bars(by_priority: Sequence[int], look: str) -> Line:
    """Draw waiting messages by priority, 0 left: ``▕█▁    ▂    ▏``, the tallest bar the fullest priority."""
    top = max(by_priority, default=0)
    bars = "".join(_bar(value, top) for value in by_priority)
    return (("▕", "rule"), (bars, look), ("▏", "rule"))


def spark(values: Sequence[int], width: int, look: str) -> Line:
    """Draw the last ``width`` values as a sparkline, from zero to their greatest; nothing while all are zero."""
    top = max(values, default=0)
    if not top:
        return ((" " * width, "dim"),)
    shown = _squeeze(values, width)
    line = "".join(EIGHTHS[max(1, -(-value * 8 // top))] for value in shown)
    return ((line.rjust(width), look),)


def progress_bar(done: int, total: int | None, width: int = 10) -> Line:
    """Draw how far something is: ``████████░░``; only dots when the total is unknown."""
    if not total:
        return (("·" * width, "dim"),)
    full = min(max(done * width // total, 0), width)
    return (("█" * full, "accent"), ("░" * (width - full), "rule"))


def life_bar(waited_s: float, ran_s: float, width: int, look: str) -> Line:
    """Draw a run's wait and its work by their share of its life: ``├───┤▓▓▓▓``."""
    whole = waited_s + ran_s
    if whole <= 0:
        return (("·" * width, "dim"),)
    waiting = round(width * waited_s / whole)
    waiting = min(max(waiting, 1 if waited_s else 0), width - (1 if ran_s else 0))
    wait = "─" * waiting if waiting < 2 else f"├{'─' * (waiting - 2)}┤"
    return ((wait, "dim"), ("▓" * (width - waiting), look))


def _bar(value: int, top: int) -> str:
    return EIGHTHS[-(-value * 8 // top)] if value > 0 and top else " "


def _squeeze(values: Sequence[int], width: int) -> list[int]:
    """Take the maximum of each of ``width`` equal stretches; the newest stays last."""
    if len(values) <= width:
        return list(values)
    return [max(values[index * len(values) // width : (index + 1) * len(values) // width]) for index in range(width)]
