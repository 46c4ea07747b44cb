"""Fields that filters may name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Fields that filters of a table may name.

    Attributes:
        texts: Those that are compared as texts.
        durations: In seconds.
        numbers: Those of runs are whole.
        sizes: In bytes.
        is_of_runs: Whether ``state:`` and ``args.NAME`` are known as well.
    """

    texts: tuple[str, ...]
    durations: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    is_of_runs: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field."""
        own = (*self.texts, *self.durations, *self.numbers, *self.sizes)
        return ("state", *own) if self.is_of_runs else own

    @property
    def words(self) -> str:
        """The fields in words."""
        return ", ".join(self.fields) + (" and args.NAME" if self.is_of_runs else "")

    def describe_quantity(self, field: str) -> str:
        """Say what a field takes that is compared as a number; empty for the others."""
        if field in self.durations:
            return "a duration like 30s or 5m"
        if field in self.sizes:
            return "a size like 200kB or 1.5GB"
        if field not in self.numbers:
            return ""
        return "a whole number" if self.is_of_runs else "a number"


RUN_FIELDS = Vocabulary(
    texts=("task", "queue", "worker", "error", "id", "root", "parent", "group", "verdict"),
    durations=("runtime", "waited", "age"),
    numbers=("retries", "priority"),
    is_of_runs=True,
)
"""Fields of runs, and of the messages that wait to become some."""
