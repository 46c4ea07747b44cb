"""The page of all commands and keys, ``docs/commands.md``: ``python -m nexus_tui.cli.reference`` writes it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from textual.binding import Binding

from celery_nexus.actions.base import Action
from celery_nexus.actions.declaration import Key
from celery_nexus.actions.registry import ACTIONS
from nexus_tui.cli import cli
from nexus_tui.cli.sections import sections
from nexus_tui.cli.shared import add_change_options, add_common_options
from nexus_tui.places import screens_with_keys
from nexus_tui.screens.bases.base import NexusScreen
from nexus_tui.screens.frame.offers import is_offer
from nexus_tui.widgets.tables.table import Table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"

_HEAD = """\
# Commands and keys

Written by `python -m nexus_tui.cli.reference` from what actions, commands and screens declare.
A test fails when it is old.

"""


def page() -> str:
    """Write the whole page."""
    lines = [*_keys(), *_options_of_all(), *_commands()]
    return _HEAD + "\n".join(lines).rstrip() + "\n"


# Keys


def _keys() -> Iterator[str]:
    places = _places()
    yield from ("## Keys that change something", "", "Each asks first. Read-only mode takes them away.", "")
    changes = [
        (f"`{key.key}`", key.words, places[f"offer('{key.name}')", key.words][1], ", ".join(_choices(key)))
        for key in dict.fromkeys(action.key for action in ACTIONS)
        if key
    ]
    yield from _table(("key", "does", "in", "commands"), changes)
    yield from ("", "## Keys that look", "")
    looks = [
        (", ".join(keys), words, place) for (action, words), (keys, place) in places.items() if not is_offer(action)
    ]
    yield from _table(("key", "does", "in"), looks)
    yield ""


def _places() -> dict[tuple[str, str], tuple[list[str], str]]:
    """Tell of each Textual action and its words the keys, and in which views they do it."""
    everywhere, found = _bindings(NexusScreen), dict[tuple[str, str], dict[str, list[str]]]()
    own = {name: _bindings(screen, but=everywhere) for name, screen in screens_with_keys().items()}
    for place, bindings in {"every view": everywhere, "tables": _bindings(Table), **own}.items():
        for key, action, words in bindings:
            found.setdefault((action, words), {}).setdefault(_sign(key), []).append(place)
    return {
        does: (list(keys), ", ".join(dict.fromkeys(place for places in keys.values() for place in places)))
        for does, keys in found.items()
    }


def _bindings(screen: type, but: Sequence[tuple[str, str, str]] = ()) -> list[tuple[str, str, str]]:
    """Collect key, Textual action and words of the bindings of a class, and of ours that it inherits, but some."""
    classes = [each for each in screen.__mro__ if each.__module__.startswith("nexus_tui")]
    declared = [row for each in classes for row in each.__dict__.get("BINDINGS", ())]
    found = [(row.key, row.action, row.description) for row in Binding.make_bindings(declared)]
    return [row for row in found if row not in but]


def _choices(key: Key) -> Iterator[str]:
    actions = [action for action in ACTIONS if action.key == key]
    for action in actions:
        choice = f"`{action.choice_key}` " if len(actions) > 1 and action.choice_key else ""
        yield f"{choice}[{action.command_name}](#{action.command_name.replace(' ', '-')})"


def _sign(key: str) -> str:
    signs = {
        "question_mark": "?",
        "colon": ":",
        "slash": "/",
        "ampersand": "&",
        "minus": "-",
        "asterisk": "*",
        "backslash": "\\",
    }
    return f"`{signs.get(key, key)}`"


# Commands


def _options_of_all() -> Iterator[str]:
    shared, own = _parameters(add_common_options), _parameters(add_change_options)
    yield from ("## Options of every command", "")
    yield from _parameter_table(shared.values())
    yield from ("", "## Options of every change", "")
    yield from _parameter_table(row for name, row in own.items() if name not in shared)
    yield ""


def _commands() -> Iterator[str]:
    context = click.Context(cli, info_name="nexus-tui")
    hidden = {*_parameters(add_change_options), "help"}
    for section, names in sections().items():
        yield from (f"## {section}", "")
        for name in names:
            command = cli.get_command(context, name)
            if command is not None:
                yield from _command(command, name, context, hidden)


def _command(command: click.Command, name: str, parent: click.Context, hidden: set[str]) -> Iterator[str]:
    context = click.Context(command, info_name=name.rsplit(maxsplit=1)[-1], parent=parent)
    action = next((action for action in ACTIONS if action.command_name == name), None)
    yield from (f"### {name}", "", f"`{' '.join((context.command_path, *command.collect_usage_pieces(context)))}`", "")
    yield from ((command.help or "").strip(), "")
    if action is not None:
        undo = "[undo](#undo) takes it back for a day." if action.can_be_undone else "It can't be undone."
        yield from (_key_words(action) + undo, "")
    own = [parameter for parameter in command.params if parameter.name not in hidden]
    if own:
        yield from (*_parameter_table(own), "")
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        yield from _command(each, f"{name} {each.name}", context, hidden)


def _key_words(action: type[Action]) -> str:
    if action.key is None:
        return ""
    shares = [other for other in ACTIONS if other.key == action.key and other.choice_key]
    then = f", then `{action.choice_key}`" if len(shares) > 1 and action.choice_key else ""
    return f"Key `{action.key.key}`{then}. "


def _parameters(decorate: object) -> dict[str, click.Parameter]:
    """Name what a decorator adds to every command."""
    command = click.command("any")(decorate(lambda *_: None))  # type: ignore[operator]
    return {parameter.name or "": parameter for parameter in command.params}


def _parameter_table(parameters: Iterable[click.Parameter]) -> Iterator[str]:
    rows: list[tuple[str, str]] = []
    for parameter in parameters:
        if isinstance(parameter, click.Option):
            value = "" if parameter.is_flag else f" {parameter.metavar or parameter.make_metavar(click.Context(cli))}"
            default = f" ({parameter.default} when left out)" if parameter.show_default and parameter.default else ""
            rows.append((f"`{', '.join(reversed(parameter.opts))}{value}`", f"{parameter.help or ''}{default}"))
        elif parameter.help:
            rows.append((f"`{parameter.make_metavar(click.Context(cli))}`", parameter.help))
    return _table(("", ""), rows) if rows else iter(())


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def main() -> None:
    """Write the page into the documentation."""
    PAGE.write_text(page())


if __name__ == "__main__":
    sys.exit(main())
