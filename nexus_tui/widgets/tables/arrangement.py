"""Filter and order of a table whose rows are all at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

from celery_nexus.filters.table import Field, matcher_of
from nexus_tui.widgets.tables.columns import Column

HEALTHY = 2
"""Weight of what nothing is wrong with."""

ALL_HEALTHY = "Nothing is wrong: z shows what is healthy"
"""Text of a list whose rows are all healthy, and so left out."""

NOTHING_MATCHES = "Nothing here matches: / changes the filter, Esc in it shows everything"

MOST_VALUES = 500
"""Most values of a field that are offered."""


class Arrangement:
    """What a table leaves out, and what comes first: trouble, or what the operator sorts by.

    Args:
        columns: Those of the table; their fields can be filtered and sorted by.
        weigh: How bad a row is, 0 the worst, :data:`HEALTHY` nothing; None: all stay as the source gives them.
        more: Fields without a column of their own.

    Attributes:
        fields: What can be filtered by.
        text: The filter.
        by: The field that is sorted by; None for trouble first.
        reverse: Whether the other way round.
        hides_healthy: Whether rows that nothing is wrong with are left out.
    """

    def __init__(
        self, columns: Sequence[Column], weigh: Callable[[Any], int] | None = None, more: Sequence[Field] = ()
    ) -> None:
        own = {column.field.name: column.field for column in columns if column.field is not None}
        self.fields = (*own.values(), *more)
        self.text = ""
        self.by: Field | None = None
        self.reverse = False
        self.hides_healthy = False
        self.weigh = weigh
        self._names = tuple(own)
        self._matches: Callable[[Any], bool] | None = None

    # What the operator wants

    def filter_by(self, text: str) -> None:
        """Leave out what doesn't match.

        Raises:
            FilterError: The filter can't be understood; the one before stays.
        """
        self._matches = matcher_of(text, self.fields) if text.strip() else None
        self.text = text.strip()

    def sort_by_next(self) -> None:
        """Sort by the next column; after the last as at first."""
        names = ["", *self._names]
        self.sort_by(names[(names.index(self.by.name if self.by else "") + 1) % len(names)])

    def sort_by(self, name: str) -> None:
        """Sort by a field, numbers from the greatest; by the one that is sorted by, the other way round.

        Raises:
            KeyError: There is no such field.
        """
        known = {field.name: field for field in self.fields}
        field = known[name] if name else None
        is_again = field is not None and field is self.by
        self.by, self.reverse = field, (not self.reverse if is_again else field is not None and not field.is_text)

    # What becomes of rows

    def apply(self, rows: Sequence[Any]) -> list[Any]:
        """Choose and sort rows; what is unknown comes last, what is as bad stays as the source gave it."""
        shown = list(rows) if self._matches is None else [row for row in rows if self._matches(row)]
        weigh = self.weigh
        if weigh is not None and self.hides_healthy:
            shown = [row for row in shown if weigh(row) < HEALTHY]
        if self.by is None:
            ordered = shown[::-1] if self.reverse else shown
            return ordered if weigh is None else sorted(ordered, key=weigh, reverse=self.reverse)
        keys = [(_key(self.by.value_of(row)), row) for row in shown]
        known = sorted((pair for pair in keys if pair[0] is not None), key=lambda pair: pair[0], reverse=self.reverse)
        return [row for _, row in known] + [row for key, row in keys if key is None]

    def note(self, rows: Sequence[Any]) -> str:
        """Say in a panel's title what is sorted by and how many rows are left out as healthy; empty when neither is."""
        return " · ".join(filter(None, (self.words, self._describe_hidden(rows))))

    def explain_nothing(self, rows: Sequence[Any], empty: str) -> str:
        """Say why nothing is shown: ``empty`` when there are no rows."""
        if not rows:
            return empty
        return NOTHING_MATCHES if self.text else ALL_HEALTHY

    def count_values(self, name: str, rows: Sequence[Any]) -> list[tuple[str, int | None]]:
        """Count the values of a text field, the most frequent first; none of a field that is compared as a number.

        Where each is there once, as names are, counts say nothing and are None.
        """
        field = next((field for field in self.fields if field.name == name and field.is_text), None)
        if field is None:
            return []
        counted = Counter(text for row in rows for text in field.texts_of(row))
        are_many = counted.total() > len(counted)
        return [(value, count if are_many else None) for value, count in counted.most_common(MOST_VALUES)]

    @property
    def words(self) -> str:
        """Say what it is sorted by; empty for trouble first."""
        if self.by is None:
            return "reversed" if self.reverse else ""
        return f"by {self.by.name} {'↓' if self.reverse else '↑'}"

    def _describe_hidden(self, rows: Sequence[Any]) -> str:
        weigh = self.weigh
        hidden = sum(weigh(row) == HEALTHY for row in rows) if weigh is not None and self.hides_healthy else 0
        return f"z shows {hidden} healthy" if hidden else ""


def _key(value: Any) -> Any:
    """Make what is sorted by of a value: texts whatever their case, lists by their first; None stays unknown."""
    if isinstance(value, tuple | list):
        return " ".join(map(str, cast("Sequence[Any]", value))).casefold()
    return value.casefold() if isinstance(value, str) else value
