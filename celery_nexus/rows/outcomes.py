"""Rows of an action: its plan, and the outcome for each target."""

from __future__ import annotations

from dataclasses import dataclass

MANY = 100
"""More targets than this are confirmed by a name or a number, not by one key."""


@dataclass(frozen=True, slots=True)
class TargetOutcome:
    """What happened to one target.

    Attributes:
        target: Run id, queue or program.
        done: Whether the change was made.
        message: What happened, in one line: ``moved to priority 0``, ``had already started``.
        is_missing: Whether the target does not exist (the command line then exits 4).
        counts: Of a change of many messages at once: how many were ``changed``, had ``started``, were ``kept``.
    """

    target: str
    done: bool
    message: str
    is_missing: bool = False
    counts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action really did, target by target.

    Attributes:
        targets: One for each target.
        undo: Token that takes it back (``nexus-tui undo TOKEN``); empty when nothing can.
    """

    targets: tuple[TargetOutcome, ...]
    undo: str = ""

    @property
    def done(self) -> bool:
        """Whether every target was changed."""
        return all(target.done for target in self.targets)

    @property
    def message(self) -> str:
        """One line for a notice: the only target's message, or how many were changed and what the others said."""
        if len(self.targets) == 1:
            return f"{self.targets[0].target}: {self.targets[0].message}"
        changed = sum(target.done for target in self.targets)
        others = sorted({target.message for target in self.targets if not target.done})
        return f"{changed} of {len(self.targets)} done" + (f"; {'; '.join(others)}" if others else "")
