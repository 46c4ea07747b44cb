"""Declaration of an action: its key, section, arguments and options."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Section(StrEnum):
    """What a command is about; the help of the command line lists commands by it, in this order."""

    STACK = "The stack"
    LOOK = "Look"
    MESSAGES = "Runs and messages"
    QUEUES = "Queues"
    WORKERS = "Workers"
    SCHEDULE = "The schedule"
    PAST = "The past"
    ELSEWHERE = "Another application"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the dashboard that offers one action, or several to choose from.

    Attributes:
        key: As Textual names it: upper case, since it changes the world.
        name: The screen's method behind it is called ``offer_NAME``.
        words: What footer, palette and ``?`` call it.
        in_footer: Whether the footer shows it.
    """

    key: str
    name: str
    words: str
    in_footer: bool = False


@dataclass(frozen=True, slots=True)
class Argument:
    """A word of an action's command, by its place.

    Attributes:
        name: The action's field.
        metavar: How usage and help write it: ``QUEUE``, ``[ID]…``.
        help: What it says, for operators.
        type: What it is read as.
        is_required: Whether the command is wrong without it.
        is_many: Whether it takes all words that no other argument takes.
        default: The field's value without it.
    """

    name: str
    metavar: str
    help: str
    type: type = str
    is_required: bool = True
    is_many: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Option:
    """An option of an action's command.

    Attributes:
        flag: ``--front``.
        name: The action's field.
        help: What it says, for operators.
        metavar: How help writes its value; empty when it has none.
        type: What its value is read as.
        is_repeated: Whether it may be given several times.
        default: The field's value without it.
    """

    flag: str
    name: str
    help: str
    metavar: str = ""
    type: type = str
    is_repeated: bool = False
    default: Any = None


PROGRAM_KEY = Key("S", "program", "start, stop, restart", in_footer=True)
"""Key that offers the actions on a program, and the orders to its worker."""

REMEMBER = Option(
    "--remember", "remember", "Obey it again after a restart (Nexus' own workers); else it holds until then."
)
