"""Lines of the programs' logs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

LEVELS: tuple[Level, ...] = ("DEBUG", "INFO", "WARNING", "ERROR")
"""The least important first."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a program's log, safe for the screen.

    Attributes:
        at: When it was written (aware), or the line before that tells; None when none does.
        program: Whose log it is.
        level: How important it is; a line that does not say is as the one before.
        text: The line as it stands there, secrets masked.
    """

    at: datetime | None
    program: str
    level: Level
    text: str
