"""Commands typed after ``:`` and in the palette, derived from the views and the bindings of the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from nexus_tui import theme
from nexus_tui.screens.frame.host import Host
from nexus_tui.screens.frame.offers import explain_refusal
from nexus_tui.widgets.completion import Candidate, Complete, complete_words

WORDS = (
    "quit",
    "help",
    "submit",
    "refresh",
    "freeze",
    "theme",
    "queue",
    "worker",
    "run",
    "jobs",
    "dead-letters",
    "alerts",
    "sort",
    "save",
    "filter",
    "context",
    "unlock",
    "lock",
)
"""Commands beside the names of the views."""

_SHORT = {"q": "quit", "ctx": "context"}
"""Usual abbreviations that are no unique beginning."""


class UnknownCommand(Exception):
    """A command line that means nothing, or more than one thing; the message says what there is."""


def resolve(word: str, views: Sequence[str]) -> str:
    """Find the command that a word or its unique beginning means.

    Raises:
        UnknownCommand: There is none, or several.
    """
    known = (*views, *WORDS)
    word = _SHORT.get(word, word)
    if word in known:
        return word
    found = [name for name in known if name.startswith(word)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownCommand(f"{word} is short for {' and '.join(found)}")
    raise UnknownCommand(f"no command {word}; there are {', '.join(known)}")


def complete(text: str, views: Sequence[str], names: Mapping[str, Complete]) -> Sequence[Candidate]:
    """Offer ways to go on from a command line: commands, and behind one the names that it takes.

    Args:
        text: The line.
        views: Names of the views.
        names: By command, what offers them for the rest of the line; ``""``: for a line without a command.
    """
    word, space, rest = text.lstrip().partition(" ")
    if not space:
        return [*complete_words(word, 0, (*views, *WORDS)), *names[""](word)]
    try:
        command = resolve(word, views)
    except UnknownCommand:
        return ()
    offer = names.get(command)
    head = text[: len(text) - len(rest)]
    return [replace(one, text=head + one.text) for one in offer(rest)] if offer else ()


class ScreenCommands(Provider):
    """The palette: every key of the screen below, and the themes."""

    async def discover(self) -> Hits:
        """List everything."""
        for words, help_text, command in self._commands():
            yield DiscoveryHit(Content(words), command, text=words, help=help_text)

    async def search(self, query: str) -> Hits:
        """List what matches."""
        matcher = self.matcher(query)
        for words, help_text, command in self._commands():
            score = matcher.match(words)
            if score > 0:
                yield Hit(score, matcher.highlight(words), command, text=words, help=help_text)

    def _commands(self) -> list[tuple[str, str, Any]]:
        found: dict[str, tuple[str, str, Any]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if not binding.description or binding.system or "command_palette" in binding.action:
                continue
            words = binding.description[:1].upper() + binding.description[1:]
            refusal = explain_refusal(binding.action, cast(Host, self.app).sources)
            help_text = f"key {self.app.get_key_display(binding)}{f' · {refusal}' if refusal else ''}"
            run = partial(self.app.run_action, binding.action, active.node)
            found.setdefault(binding.action, (words, help_text, run))
        rows = list(found.values())
        return rows + [(f"Theme {name}", "colours", partial(self._use, name)) for name in theme.THEME_NAMES]

    def _use(self, name: str) -> None:
        self.app.theme = name
