"""Lines of styled spans, drawn without markup; only changed cells reach the terminal.

A span is a text and a look (a role of :mod:`nexus_tui.theme`, several joined by ``+``). No widget of ours
ever hands a plain string to Textual, which would parse it as markup.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from nexus_tui import theme
from nexus_tui.preferences.keymap import rebind

Span = tuple[str, str]
Line = tuple[Span, ...]

BLANK: Line = ()


def width_of(line: Line) -> int:
    """Count the cells of a line."""
    return sum(cell_len(text) for text, _ in line)


def fit(line: Line, width: int, *, right: bool = False) -> Line:
    """Cut a line to a width with ``…``, or fill it up with spaces."""
    length = width_of(line)
    if length == width:
        return line
    if length < width:
        gap: Span = (" " * (width - length), "plain")
        return (gap, *line) if right else (*line, gap)
    if width <= 0:
        return BLANK
    kept: list[Span] = []
    room = width - 1
    for text, look in line:
        cells = cell_len(text)
        if cells > room:
            kept.append((set_cell_size(text, room), look))
            kept.append(("…", "dim"))
            break
        kept.append((text, look))
        room -= cells
    return tuple(kept)


def pad(text: str, width: int) -> str:
    """Cut a safe text to so many cells, or fill it up with spaces: wide characters take two, combining ones none."""
    return set_cell_size(text, width)


def put_beside(left: Sequence[Line], right: Sequence[Line], width: int) -> list[Line]:
    """Put lines right of others that are cut or filled up to a width."""
    rows = max(len(left), len(right))
    pairs = zip([*left, *[BLANK] * (rows - len(left))], [*right, *[BLANK] * (rows - len(right))], strict=True)
    return [(*fit(one, width), *other) for one, other in pairs]


def with_look(line: Line, look: str) -> Line:
    """Lay a look over every span of a line."""
    return tuple((text, f"{own}+{look}") for text, own in line)


class LineView(Widget):
    """A widget that is a list of lines, and repaints only the cells that changed.

    Subclasses implement :meth:`build`; call :meth:`redraw` after anything changed.
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._bindings = rebind(self._bindings)
        self._lines: list[Line] = []
        self._styles_of_look: dict[str, Style] = {}
        self._style_key: object = None

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Make the visible lines, at most ``height``, each at most ``width`` cells."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Build the lines anew and repaint the cells that differ from what is on the screen."""
        width, height = self.size
        if not width or not height:
            return
        lines = list(self.build(width, height))[:height]
        lines += [BLANK] * (height - len(lines))
        before, self._lines = self._lines, lines
        if len(before) != len(lines):
            self.refresh()
            return
        regions = [
            Region(start, y, length, 1)
            for y, (old, new) in enumerate(zip(before, lines, strict=True))
            if old != new
            for start, length in find_changed_cells(old, new, width)
        ]
        if regions:
            self.refresh(*regions)
        else:
            self.note_painted()

    def note_painted(self) -> None:
        """Learn that what was built last is on the screen: for widgets whose keys depend on it."""

    def render_line(self, y: int) -> Strip:
        """Turn line ``y`` into styled segments."""
        self.note_painted()
        base = self.rich_style
        key = (self.app.theme, base)
        if key != self._style_key:
            self._styles_of_look, self._style_key = {}, key
        line = self._lines[y] if y < len(self._lines) else BLANK
        segments = [Segment(text, self._style(look, base)) for text, look in line if text]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def on_resize(self, _event: events.Resize) -> None:
        """Build again for the new size."""
        self._lines = []
        self.redraw()

    def _style(self, look: str, base: Style) -> Style:
        found = self._styles_of_look.get(look)
        if found is None:
            roles = theme.looks(self.app.theme)
            found = base
            for role in look.split("+"):
                found += roles.get(role, roles["plain"])
            self._styles_of_look[look] = found
        return found


def find_changed_cells(old: Line, new: Line, width: int) -> list[tuple[int, int]]:
    """Find the stretches (start, length) where two lines differ.

    Lines of the same columns are compared column by column, others from both ends.
    """
    spans = _by_column(old, new)
    if spans is not None:
        return spans
    start = 0
    for before, after in zip(old, new, strict=False):
        if before != after:
            break
        start += cell_len(after[0])
    return [(start, max(width - start, 1))] if start < width else []


def _by_column(old: Line, new: Line) -> list[tuple[int, int]] | None:
    if len(old) != len(new):
        return None
    stretches: list[tuple[int, int]] = []
    start = 0
    for before, after in zip(old, new, strict=True):
        length = cell_len(after[0])
        if before != after:
            if cell_len(before[0]) != length:
                return None
            stretches.append((start, length))
        start += length
    return stretches
