"""Charts as pictures: SVG for pages, PNG for documents."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workers.services.reports.content import Chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#010203"
"""Stands for the page's text colour until the SVG is finished; matplotlib knows no ``currentColor``."""

PALETTE = ("#3b82c4", "#e08b3e", "#4ea36b", "#b65fb0", "#c8534f", "#8a8f98")
SIZE = (7.2, 3.0)
PNG_DPI = 150
MAX_TICKS = 12

HIGHEST = 1e300
"""Values beyond are drawn as this one: margins above them would overflow."""

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "nexus",
    "text.parse_math": False,  # a label such as "$5" is no formula
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_PROLOG = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)


def svg(chart: Chart) -> str:
    """Draw a chart as an SVG element that takes the page's text colour."""
    text = _save(chart, INK, "svg").decode("utf-8", "replace")
    return _METADATA.sub("", _PROLOG.sub("", text, count=1)).replace(INK, "currentColor")


def png(chart: Chart, fonts: Sequence[str] = ()) -> bytes:
    """Draw a chart on white, with characters that the usual font lacks from other files of fonts."""
    return _save(chart, "#222222", "png", fonts)


def _save(chart: Chart, ink: str, format_: str, fonts: Sequence[str] = ()) -> bytes:
    import matplotlib as mpl

    colours = dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), ink)
    rc: Any = {**_STYLE, **colours, "font.family": ["DejaVu Sans", *_families(fonts)]}
    context = mpl.rc_context(rc)
    buffer = io.BytesIO()
    with context, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)  # a script that the font lacks
        figure: Any = _figure(chart)
        metadata = {"Date": None} if format_ == "svg" else {}
        figure.savefig(buffer, format=format_, transparent=format_ == "svg", dpi=PNG_DPI, metadata=metadata)
    return buffer.getvalue()


def _families(fonts: Sequence[str]) -> list[str]:
    """Make fonts known to matplotlib by their files."""
    from matplotlib import font_manager

    manager: Any = font_manager.fontManager
    known = {entry.fname: entry.name for entry in manager.ttflist}
    for path in fonts:
        if path not in known:
            manager.addfont(path)
            known[path] = manager.ttflist[-1].name
    return [known[path] for path in fonts]


def _figure(chart: Chart) -> Figure:
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    for index, (name, values) in enumerate(chart.series):
        colour = PALETTE[index % len(PALETTE)]
        heights = [float("nan") if value is None else max(-HIGHEST, min(HIGHEST, value)) for value in values]
        if chart.kind == "line":
            axes.plot(range(len(heights)), heights, color=colour, label=name, marker="o" if len(heights) == 1 else "")
        else:
            width = 0.8 / len(chart.series)
            axes.bar([at + index * width for at in range(len(heights))], heights, width, color=colour, label=name)
    if chart.kind == "bar":
        _start_at_zero(axes, chart)
    step = max(1, -(-len(chart.labels) // MAX_TICKS))
    at = range(0, len(chart.labels), step)
    axes.set_xticks(list(at), [chart.labels[index] for index in at], rotation=30, ha="right")
    axes.set_title(chart.title, loc="left")
    axes.grid(axis="y", alpha=0.25)
    if len(chart.series) > 1:
        axes.legend(frameon=False)
    return figure


def _start_at_zero(axes: Any, chart: Chart) -> None:
    """Let bars begin at zero, so that their lengths compare."""
    values = [value for _, series in chart.series for value in series if value is not None]
    if min(values, default=0) >= 0:
        axes.set_ylim(bottom=0)
    elif max(values) <= 0:
        axes.set_ylim(top=0)
