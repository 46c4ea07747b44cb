"""Colours: one palette a theme, by role, from which Textual's themes and the looks of drawn text follow."""

from __future__ import annotations

from functools import lru_cache

from rich.style import Style
from textual.theme import Theme

DEFAULT_THEME = "nexus-dark"

_ROLES = (
    *("background", "surface", "panel", "plain", "dim", "strong", "accent", "good", "warn", "bad", "cursor"),
    *("cyan", "green", "magenta", "yellow", "blue"),
)

_PALETTES: dict[str, tuple[bool, str]] = {
    "nexus-dark": (
        True,
        "#10141a #171c24 #2a3340 #c7d0db #7b8a9d #f0f4f8 #5fb3f0 #7fc98b #e5b567 #f0716d #26384d "
        "#5ec4cf #86c98d #c792ea #d9b968 #7aa6f5",
    ),
    "nexus-light": (
        False,
        "#fbfbf8 #f0f0ea #c9ccd0 #2b323b #5c6672 #000000 #0b62b8 #1f7a35 #9a5b00 #b3261e #cfe2f5 "
        "#006d77 #2f6f2f #7b3aa6 #7a5a00 #1f4fb5",
    ),
    # Okabe and Ito's palette: told apart with every common kind of colour blindness
    "nexus-safe": (
        True,
        "#0e1116 #161b22 #30363d #d0d7de #7d8894 #ffffff #56b4e9 #1fb58c #f0e442 #e2711d #243447 "
        "#56b4e9 #1fb58c #cc79a7 #f0e442 #4f94d8",
    ),
}

_BASIC = {"bad": 1, "good": 2, "green": 2, "warn": 3, "yellow": 3, "magenta": 5, "accent": 6, "cyan": 6, "blue": 6}
"""Roles' colours among a terminal's eight; blue is hardly seen on black, and cyan stands for it."""

CHIP_COLOURS = {name: name for name in ("yellow", "green", "blue", "magenta", "cyan")} | {"red": "bad"}
"""Roles of the colours that a context may have."""

_HIGHLIGHTS = ("cursor", "accent", "good", "warn", "bad")
"""Roles that, as a background, mark what is chosen."""

THEME_NAMES = tuple(_PALETTES)


def themes() -> list[Theme]:
    """Make Textual's themes of the palettes."""
    return [_theme(name) for name in THEME_NAMES]


def looks(name: str) -> dict[str, Style]:
    """Return the style of each role in a theme, foregrounds only but for ``cursor``, ``unfocused`` and ``tab``."""
    return _looks(name if name in _PALETTES else DEFAULT_THEME)


def basic_colour(colour: str) -> int | None:
    """Return the number (0 to 7) of the terminal's colour for one of a palette (``#f0716d``); None for its own."""
    return _basic_colours().get(colour)


def is_highlight(colour: str) -> bool:
    """Tell whether a background marks what is chosen."""
    return colour in _highlights()


@lru_cache(maxsize=1)
def _basic_colours() -> dict[str, int]:
    return {_colours(name)[role]: number for name in THEME_NAMES for role, number in _BASIC.items()}


@lru_cache(maxsize=1)
def _highlights() -> frozenset[str]:
    return frozenset(_colours(name)[role] for name in THEME_NAMES for role in _HIGHLIGHTS)


@lru_cache(maxsize=8)
def _colours(name: str) -> dict[str, str]:
    return dict(zip(_ROLES, _PALETTES[name][1].split(), strict=True))


@lru_cache(maxsize=8)
def _looks(name: str) -> dict[str, Style]:
    colours = _colours(name)
    found = {role: Style(color=colours[role]) for role in _ROLES}
    found["cursor"] = Style(bgcolor=colours["cursor"], bold=True)
    found["unfocused"] = Style(bgcolor=colours["surface"])
    found["strong"] = Style(color=colours["strong"], bold=True)
    found["rule"] = Style(color=colours["panel"])
    found["mark"] = Style(color=colours["warn"], bold=True)
    chips = {f"chip-{colour}": role for colour, role in CHIP_COLOURS.items()}
    found |= {chip: Style(color=colours[role], reverse=True, bold=True) for chip, role in chips.items()}
    found["tab"] = Style(color=colours["background"], bgcolor=colours["accent"], bold=True)
    return found


def _theme(name: str) -> Theme:
    c = _colours(name)
    return Theme(
        name=name,
        dark=_PALETTES[name][0],
        primary=c["accent"],
        secondary=c["blue"],
        accent=c["accent"],
        success=c["good"],
        warning=c["warn"],
        error=c["bad"],
        foreground=c["plain"],
        background=c["background"],
        surface=c["surface"],
        panel=c["panel"],
        variables={
            "block-cursor-background": c["cursor"],
            "block-cursor-foreground": c["strong"],
            "block-cursor-text-style": "bold",
            "border": c["accent"],
            "border-blurred": c["panel"],
        },
    )
