"""Actions read from the command lines that mean them, as diagnosis advises them and the audit log keeps them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from celery_nexus.actions.base import Action
from celery_nexus.actions.declaration import Argument, Option
from celery_nexus.actions.registry import ACTIONS
from celery_nexus.errors import Invalid

ADDRESS_OPTIONS = frozenset({"-A", "--app", "-b", "--broker", "--prefix", "--context"})
"""Options that say which broker a command is for; whoever reads it here has that one open."""


def read_command(line: str) -> Action | None:
    """Return the action that a ``nexus-tui …`` line means; None when it is no such line, or changes nothing.

    Raises:
        Invalid: Its words contradict each other.
    """
    try:
        program, *words = shlex.split(line)
    except ValueError:
        return None
    if program != "nexus-tui":
        return None
    words = _without_address(words)
    for action in sorted(ACTIONS, key=lambda each: -len(each.command_name.split())):
        name = action.command_name.split()
        if words[: len(name)] == name:
            given = _read_words(action, words[len(name) :])
            return None if given is None else action.from_command(given)
    return None


def _without_address(words: Sequence[str]) -> list[str]:
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in ADDRESS_OPTIONS:
            next(rest, None)
        else:
            kept.append(word)
    return kept


def _read_words(action: type[Action], words: Sequence[str]) -> dict[str, Any] | None:
    """Read arguments and options; None when a word is not understood."""
    options = {row.flag: row for row in action.parameters if isinstance(row, Option)}
    given: dict[str, Any] = {row.name: () if row.is_repeated else row.default for row in options.values()}
    given |= {row.name: False for row in options.values() if not row.metavar}
    plain: list[str] = []
    rest = iter(words)
    for word in rest:
        option = options.get(word)
        if option is None:
            plain.append(word)
        elif not option.metavar:
            given[option.name] = True
        else:
            value = _read_value(option, next(rest, ""))
            given[option.name] = (*given[option.name], value) if option.is_repeated else value
    named = _read_arguments([row for row in action.parameters if isinstance(row, Argument)], plain)
    return None if named is None else given | named


def _read_arguments(arguments: Sequence[Argument], words: list[str]) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for place, argument in enumerate(arguments):
        behind = sum(row.is_required and not row.is_many for row in arguments[place + 1 :])
        count = max(len(words) - behind, 0) if argument.is_many else min(1, max(len(words) - behind, 0))
        mine, words = words[:count], words[count:]
        if argument.is_required and not mine:
            return None
        values = tuple(_read_value(argument, word) for word in mine)
        found[argument.name] = values if argument.is_many else values[0] if values else argument.default
    return None if words else found


def _read_value(parameter: Argument | Option, word: str) -> Any:
    try:
        return word if parameter.type is str else parameter.type(word)
    except ValueError:
        raise Invalid(f"{parameter.name}: {word!r} is no {parameter.type.__name__}") from None
