"""Fields of a small table, and filters held against its rows in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from celery_nexus.filters.parser import All, Any_, Compare, Node, Not, Text, parse
from celery_nexus.filters.texts import OPERATORS, text_matches
from celery_nexus.filters.vocabulary import Vocabulary


class Kind(Enum):
    """How a field is compared."""

    NAME = "queue"
    """A text that begins with the value, as names of queues and workers do."""

    TEXT = "task"
    """A text that contains the value."""

    NUMBER = "number"
    DURATION = "duration"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class Field:
    """What filters and sorting know of a row.

    Attributes:
        name: Its name in filters.
        kind: How it is compared.
        read: What it is of a row: None for unknown, several texts for a list; by default the attribute of its name.
        is_shown: Whether the table shows it: free text is looked for there.
    """

    name: str
    kind: Kind = Kind.TEXT
    read: Callable[[Any], Any] | None = None
    is_shown: bool = True

    def value_of(self, row: Any) -> Any:
        """Return what it is of a row."""
        return getattr(row, self.name) if self.read is None else self.read(row)

    def texts_of(self, row: Any) -> Iterator[str]:
        """Yield its texts of a row; none where it is unknown."""
        value = self.value_of(row)
        for each in cast("Sequence[Any]", value) if isinstance(value, tuple | list) else (value,):
            if each not in (None, ""):
                yield str(each)

    @property
    def is_text(self) -> bool:
        """Whether it is compared as a text."""
        return self.kind in (Kind.NAME, Kind.TEXT)


def vocabulary_of(fields: Sequence[Field]) -> Vocabulary:
    """Say what filters of these fields may name."""

    def names(*kinds: Kind) -> tuple[str, ...]:
        return tuple(field.name for field in fields if field.kind in kinds)

    return Vocabulary(names(Kind.NAME, Kind.TEXT), names(Kind.DURATION), names(Kind.NUMBER), names(Kind.SIZE))


def matcher_of(text: str, fields: Sequence[Field]) -> Callable[[Any], bool]:
    """Make what tells whether a row matches a filter.

    Raises:
        FilterError: The filter can't be understood; says where and why.
    """
    node = parse(text, vocabulary=vocabulary_of(fields))
    known = {field.name: field for field in fields}
    return lambda row: _holds(node, row, known)


def _holds(node: Node, row: Any, known: dict[str, Field]) -> bool:
    match node:
        case All(parts):
            return all(_holds(part, row, known) for part in parts)
        case Any_(parts):
            return any(_holds(part, row, known) for part in parts)
        case Not(part):
            return not _holds(part, row, known)
        case Compare(name, sign, value):
            found = known[name].value_of(row)
            return found is not None and OPERATORS[sign](found, value)
        case Text("", values):
            texts = (
                text for field in known.values() if field.is_text and field.is_shown for text in field.texts_of(row)
            )
            return any(text_matches("", text, values) for text in texts)
        case Text(name, values):
            field = known[name]
            return any(text_matches(field.kind.value, text, values) for text in field.texts_of(row))
        case _:
            raise AssertionError(f"{node} is of runs only")
