"""Themes that can be read by everybody: contrast of every role, and states that are told apart."""

from __future__ import annotations

from itertools import combinations

import pytest

from nexus_tui import theme

TEXTS = ("plain", "dim", "strong", "accent", "good", "warn", "bad")


def palette(name: str) -> dict[str, str]:
    return theme._colours(name)  # pyright: ignore[reportPrivateUsage]


def luminance(colour: str) -> float:
    """Compute it as WCAG 2 does (https://www.w3.org/TR/WCAG22/#dfn-relative-luminance)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", theme.THEME_NAMES)
def test_every_text_has_the_contrast_of_wcag_aa_on_background_and_surface(name: str) -> None:
    colours = palette(name)
    low = [
        (role, ground, round(contrast(colours[role], colours[ground]), 2))
        for role in TEXTS
        for ground in ("background", "surface")
        if contrast(colours[role], colours[ground]) < 4.5
    ]
    assert low == []


@pytest.mark.parametrize("name", theme.THEME_NAMES)
def test_every_text_can_be_read_on_the_row_of_the_cursor(name: str) -> None:
    colours = palette(name)
    assert [role for role in TEXTS if contrast(colours[role], colours["cursor"]) < 3.0] == []


@pytest.mark.parametrize("name", theme.THEME_NAMES)
def test_focus_and_states_have_hues_of_their_own(name: str) -> None:
    colours = palette(name)
    roles = ("accent", "good", "warn", "bad")
    assert [pair for pair in combinations(roles, 2) if colours[pair[0]] == colours[pair[1]]] == []
