"""Export of what a screen shows, for every screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

from textual import work
from textual.binding import Binding, BindingType
from textual.screen import Screen

from celery_nexus.errors import SourceError
from celery_nexus.exports.cells import clean
from celery_nexus.rows import moment
from nexus_tui.screens.frame.host import Host
from nexus_tui.view_export import write_csv, write_export, write_json
from nexus_tui.widgets.tables.table import Table


class ExportingScreen(Screen[None]):
    """A screen whose rows and picture can be written to a file."""

    view: ClassVar[str] = ""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("e", "export", "export this view", show=False)]

    def find_exported(self) -> Table | None:
        """Return the table that is exported: the one in focus, else the first."""
        if isinstance(self.focused, Table):
            return self.focused
        return next(iter(self.query(Table)), None)

    def read_exported(self, table: Table) -> Sequence[Any]:
        """Read the rows that match, at most ``MOST_ROWS``; runs in a thread. By default those that are at hand."""
        return table.loaded

    def action_export(self) -> None:
        """Write the rows or the picture of this view to a file."""
        from nexus_tui.screens.dialogs.formats import FormatsScreen

        table = self.find_exported()

        def go_on(kind: str | None) -> None:
            if kind == "svg":
                self.call_after_refresh(self._export_picture)
            elif kind is not None and table is not None:
                self._export_rows(table, kind)

        self.app.push_screen(FormatsScreen(has_rows=table is not None), go_on)

    def _export_picture(self) -> None:
        self._write("svg", clean(self.app.export_screenshot()), "the picture")

    @work(thread=True, group="export")
    def _export_rows(self, table: Table, kind: str) -> None:
        try:
            rows = self.read_exported(table)
        except SourceError as error:
            self._tell(f"not exported: {error}", "error")
            return
        text = write_json(rows) if kind == "json" else write_csv(table.columns, table.draw_cells, rows)
        self._write(kind, text, f"{len(rows):,} rows")

    def _write(self, kind: str, text: str, what: str) -> None:
        try:
            path = write_export(self.view or "view", kind, text, moment.now())
        except OSError as error:
            self._tell(f"not exported: {error}", "error")
            return
        self._tell(f"{what} written to {path}", "information")

    def _tell(self, text: str, severity: str) -> None:
        self.app.call_later(cast(Host, self.app).tell, text, severity=severity)
