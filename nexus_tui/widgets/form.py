"""Form of a task's arguments, generated from its signature."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Select

from celery_nexus.rows.catalog import TaskParameter
from celery_nexus.rows.text import compact, safe_text
from nexus_tui.widgets.choices import Choices
from nexus_tui.widgets.chrome import OneLine
from nexus_tui.widgets.fields import SafeInput

LEFT_OUT = object()
"""Value of a field that was left empty: the task's own default is used."""

_MAX_SUGGESTED = 2000


class BadField(Exception):
    """A field's text can't be read; the message says why."""


class Field(Vertical):
    """One argument: its name and type, something to type or choose in, its help or what is wrong with it.

    Args:
        parameter: What the signature says.
        value: What to begin with; :data:`LEFT_OUT` for nothing.
        uploads: The folder that paths are below; None when they may be anywhere.
    """

    DEFAULT_CSS = """
    Field { height: auto; margin: 0 0 1 0; }
    Field OneLine { background: transparent; }
    Field Input { border: none; height: 1; padding: 0 1; background: $background; }
    Field Input:focus { border: none; background: $panel; }
    Field Select { height: auto; }
    """

    def __init__(self, parameter: TaskParameter, value: Any, uploads: Path | None) -> None:
        super().__init__()
        self.parameter = parameter
        self._value = value
        self._uploads = uploads

    def compose(self) -> ComposeResult:
        """Make head, field and the line under it."""
        yield OneLine(id="head")
        yield self._editor()
        yield OneLine(id="foot")

    def on_mount(self) -> None:
        """Write head and help."""
        row = self.parameter
        needed = ("  required", "warn") if row.required else (f"  default {compact(row.default) or 'none'}", "dim")
        head = ((safe_text(row.name), "strong"), (f"  {safe_text(row.type_label)}", "accent"), needed)
        self.query_one("#head", OneLine).show(head)
        self.complain("")

    def complain(self, problem: str) -> None:
        """Say what is wrong, or the help when nothing is."""
        foot = self.query_one("#foot", OneLine)
        if problem:
            foot.show(((f"▲ {safe_text(problem, 500)}", "bad"),))
        else:
            has_place = self.parameter.kind == "path" and self._uploads is not None
            place = f" Below {safe_text(self._uploads)}." if has_place else ""
            foot.show(((safe_text(self.parameter.help) + place, "dim"),))

    def value(self) -> Any:
        """Return what was entered, or :data:`LEFT_OUT`.

        Raises:
            BadField: It is not JSON where JSON is expected.
        """
        editor = self.editor
        if isinstance(editor, Select):
            return LEFT_OUT if editor.is_blank() else cast("Any", editor).value
        if isinstance(editor, Choices):
            if self.parameter.kind == "choices":
                return editor.chosen or LEFT_OUT
            ticked = bool(editor.chosen)
            return LEFT_OUT if ticked == self.parameter.default else ticked
        return self._typed(cast(Input, editor).value)

    @property
    def editor(self) -> Widget:
        """The widget that is typed or chosen in."""
        return self.query_one("#editor")

    def _typed(self, text: str) -> Any:
        if not text.strip():
            return LEFT_OUT
        if self.parameter.kind == "json":
            try:
                return json.loads(text)
            except json.JSONDecodeError as error:
                if self.parameter.type_label.startswith("text or "):
                    return text
                raise BadField(f"not JSON: {error.msg} at character {error.pos + 1}") from None
        if self.parameter.kind in ("integer", "number"):
            try:
                return int(text) if self.parameter.kind == "integer" else float(text)
            except ValueError:
                return text  # the task's own check says what is wrong
        return text

    def _editor(self) -> Widget:
        row, value = self.parameter, self._value
        if row.kind == "boolean":
            return Choices(["yes"], ["yes"] if (row.default if value is LEFT_OUT else value) else [], id="editor")
        if row.kind == "choice":
            options = [(Content(safe_text(choice)), choice) for choice in row.choices]
            start = {} if value not in row.choices else {"value": value}
            return Select(options, prompt="left out", allow_blank=True, id="editor", compact=True, **start)
        if row.kind == "choices":
            chosen = cast("list[str]", value) if isinstance(value, list) else []
            return Choices(row.choices, chosen, id="editor")
        suggester = PathSuggester(self._uploads or Path()) if row.kind == "path" else None
        return SafeInput(
            self._text(value), id="editor", suggester=suggester, select_on_focus=False, password=row.is_secret
        )

    def _text(self, value: Any) -> str:
        if value is LEFT_OUT or value is None:
            return ""
        if self.parameter.kind == "json" or not isinstance(value, str):
            return safe_text(json.dumps(value, ensure_ascii=False, default=str))
        return safe_text(value)


class PathSuggester(Suggester):
    """Completes paths of files below a folder."""

    def __init__(self, root: Path) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._root = root

    async def get_suggestion(self, value: str) -> str | None:
        """Return the first file or folder that begins so."""
        return await asyncio.to_thread(self._first, value)

    def _first(self, value: str) -> str | None:
        head, _, start = value.rpartition("/")
        folder = (self._root / head).resolve()
        if not folder.is_relative_to(self._root.resolve()):
            return None
        try:
            entries = sorted(folder.iterdir())[:_MAX_SUGGESTED]
        except OSError:
            return None
        for entry in entries:
            if entry.name.startswith(start) and not entry.name.startswith("."):
                name = f"{head}/{entry.name}" if head else entry.name
                shown = name + ("/" if entry.is_dir() else "")
                return shown if shown.isprintable() else None
        return None


def collect(fields: Mapping[str, Field]) -> tuple[dict[str, Any], dict[str, str]]:
    """Read all fields: what was entered by name, and what is wrong by name."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, field in fields.items():
        try:
            value = field.value()
        except BadField as bad:
            problems[name] = str(bad)
            continue
        if value is not LEFT_OUT:
            values[name] = value
    return values, problems
