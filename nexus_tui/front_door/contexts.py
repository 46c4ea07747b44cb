"""Named brokers and applications of a user: her file of contexts parsed, validated, and its variables expanded.

::

    [prod]
    broker = "rediss://:${PROD_REDIS_PASSWORD}@redis.example.com:6379/0"
    colour = "red"
    production = true                  # starts read-only; :unlock opens it for a while
    allow = ["retry", "revoke", "undo"]

A value of a variable is never part of an error or a listing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.errors import BrokerUrlError, ConfigError
from celery_nexus.rows.text import safe_text
from celery_nexus.user_files import VARIABLE, find_line, split_syntax_error, suggest
from nexus_tui.preferences.user_files import config_path

COLOURS = ("red", "yellow", "green", "blue", "magenta", "cyan")

KEYS: dict[str, tuple[type, str]] = {
    "broker": (str, 'a text: "redis://host:6379/0"'),
    "app": (str, 'a text: "shop.celery:app"'),
    "prefix": (str, 'a text: the application\'s global_keyprefix, "shop:"'),
    "colour": (str, f"one of {', '.join(COLOURS)}"),
    "production": (bool, "true or false"),
    "read_only": (bool, "true or false"),
    "allow": (list, 'a list of commands: ["retry", "undo"]'),
}
"""Keys of a context: the type of each, and that type in words."""

EXAMPLE = '[local]\nbroker = "redis://localhost:6379/0"'

_STAND_IN = "1"
"""Placeholder of every variable while an address is checked: fit for a name, a password and a port."""


@dataclass(frozen=True, slots=True)
class Context:
    """One context, as the file says it: its texts still have their ``${VARIABLES}``.

    Attributes:
        name: What it is called after ``--context``.
        broker: URL of the broker; None for the application's own.
        app: The Celery application, as ``-A`` takes it; None for whatever is on the broker.
        prefix: The application's ``global_keyprefix``; None for all that are there.
        colour: One of :data:`COLOURS`, or empty.
        production: Whether it starts read-only until it is unlocked.
        read_only: Whether it can't be unlocked.
        allow: Names of the only commands that may change something; None for all.
    """

    name: str
    broker: str | None = None
    app: str | None = None
    prefix: str | None = None
    colour: str = ""
    production: bool = False
    read_only: bool = False
    allow: tuple[str, ...] | None = None

    @property
    def shown_colour(self) -> str:
        """Its colour; without one that is red for production."""
        return self.colour or ("red" if self.production else "cyan")

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of its variables, in their order."""
        texts = (text for text in (self.broker, self.app, self.prefix) if text)
        return tuple(dict.fromkeys(name for text in texts for name in VARIABLE.findall(text)))

    def list_missing_variables(self, environment: Mapping[str, str]) -> tuple[str, ...]:
        """Name the variables that are not set, or empty."""
        return tuple(name for name in self.variables if not environment.get(name))

    def expand_variables(self, environment: Mapping[str, str]) -> Context:
        """Put the variables' values in their places.

        In the login and the options of a URL they are encoded: a password is set as it is, whatever characters it has.

        Raises:
            ConfigError: A variable is not set.
        """
        missing = self.list_missing_variables(environment)
        if missing:
            names = " and ".join(missing)
            are = "variables {} that are" if len(missing) > 1 else "variable {} that is"
            raise ConfigError(
                f"context {safe_text(self.name, 60)} needs the {are.format(names)} not set: export it first"
            )
        return self.with_values(environment)

    def with_values(self, values: Mapping[str, str]) -> Context:
        """Put values in the places of the variables that they name."""

        def plain(text: str | None) -> str | None:
            return text and VARIABLE.sub(lambda found: values[found[1]], text)

        broker = self.broker and _expand_url(self.broker, values)
        return replace(self, broker=broker, app=plain(self.app), prefix=plain(self.prefix))


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the file.

    Attributes:
        context: Name of the context; empty when it is about the whole file.
        line: Line in the file; None when it has none.
        text: What is wrong, and what is allowed.
    """

    context: str
    line: int | None
    text: str

    def __str__(self) -> str:
        place = "" if self.line is None else f"line {self.line}: "
        return place + self.text


@dataclass(frozen=True, slots=True)
class ContextsFile:
    """All contexts of a user.

    Attributes:
        path: The file.
        exists: Whether there is one.
        contexts: By name, in their order; those with a problem are among them.
        problems: What is wrong, in the order of lines.
    """

    path: Path
    exists: bool
    contexts: Mapping[str, Context]
    problems: tuple[Problem, ...] = ()

    def get(self, name: str) -> Context:
        """Return a context that has no problem.

        Raises:
            ConfigError: There is none of that name, or something is wrong with it.
        """
        if not self.exists:
            example = EXAMPLE.replace("\n", "  ")
            raise ConfigError(f"no context {safe_text(name, 60)!r}: there is no file {self.path}; begin one: {example}")
        wrong = [problem for problem in self.problems if problem.context in ("", name)]
        if wrong:
            raise ConfigError("\n".join(f"{problem} ({self.path})" for problem in wrong))
        if name not in self.contexts:
            known = ", ".join(safe_text(known, 60) for known in self.contexts) or "none"
            meant = suggest(name, self.contexts)
            raise ConfigError(f"no context {safe_text(name, 60)!r}{meant} in {self.path}: there are {known}")
        return self.contexts[name]


def contexts_path() -> Path:
    """Return the user's file of contexts."""
    return config_path("contexts.toml")


def read_contexts(actions: Collection[str], path: Path | None = None) -> ContextsFile:
    """Read the user's contexts; without a file there are none.

    Args:
        actions: Names of the commands that change something.
        path: The file; None for the user's own.

    Raises:
        ConfigError: The file can't be read.
    """
    path = path or contexts_path()
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return ContextsFile(path, False, {})
    except OSError as error:
        raise ConfigError(f"can't read {path}: {error.strerror}") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return ContextsFile(path, True, {}, (Problem("", line, "this is no UTF-8 text"),))
    return parse_contexts(text, actions, path)


def parse_contexts(text: str, actions: Collection[str], path: Path) -> ContextsFile:
    """Parse and validate a file's text; what is wrong is in the result, whatever is right can be used."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return ContextsFile(path, True, {}, (Problem("", *split_syntax_error(error)),))
    except RecursionError:
        return ContextsFile(path, True, {}, (Problem("", None, "lists or tables are nested too deeply"),))
    contexts: dict[str, Context] = {}
    problems: list[Problem] = []
    for name, table in document.items():
        reader = _Table(text, name, actions)
        problems += reader.problems_of(table)
        if isinstance(table, dict):
            contexts[name] = reader.context_of(cast("dict[str, Any]", table))
    problems.sort(key=lambda problem: problem.line or 0)
    return ContextsFile(path, True, contexts, tuple(problems))


class _Table:
    """One table of the file.

    Args:
        text: The file.
        name: The table's name.
        actions: Names of the commands that change something.
    """

    def __init__(self, text: str, name: str, actions: Collection[str]) -> None:
        self._text, self._name, self._actions = text, name, actions
        self._shown = safe_text(name, 60)

    def problems_of(self, table: object) -> Iterator[Problem]:
        """Say what is wrong with it."""
        if not isinstance(table, dict):
            known = self._shown in KEYS
            hint = "begin one with [NAME] above it" if known else "a context is [NAME] with its keys below"
            yield self._problem(f"{self._shown} stands outside of a context: {hint}")
            return
        keys = cast("dict[str, Any]", table)
        if not self._name.strip():
            yield self._problem("a context needs a name")
        if "broker" not in keys and "app" not in keys:
            yield self._problem(f"[{self._shown}] names neither a broker nor an app")
        for key, value in keys.items():
            for text in self._wrong(key, value):
                yield self._problem(f"[{self._shown}] {text}", key)

    def context_of(self, table: Mapping[str, Any]) -> Context:
        """Make a context of what is right."""
        right = {key: value for key, value in table.items() if not any(self._wrong(key, value))}
        if "allow" in right:
            right["allow"] = tuple(right["allow"])
        return Context(self._name, **right)

    def _wrong(self, key: str, value: object) -> Iterator[str]:
        if key not in KEYS:
            yield f"has a wrong key {safe_text(key, 60)!r}{suggest(key, KEYS)}: allowed are {', '.join(KEYS)}"
            return
        kind, words = KEYS[key]
        if type(value) is not kind:
            yield f"{key} must be {words}"
        elif key == "colour" and value not in COLOURS:
            yield f"{key} {safe_text(value, 30)!r} is not known: allowed are {', '.join(COLOURS)}"
        elif key == "allow":
            yield from self._wrong_actions(cast("list[object]", value))
        elif key in ("broker", "app", "prefix"):
            yield from _wrong_text(key, str(value))

    def _wrong_actions(self, names: list[object]) -> Iterator[str]:
        for name in names:
            if name not in self._actions:
                known = ", ".join(sorted(self._actions))
                meant = suggest(name, self._actions)
                yield f"allow: {safe_text(name, 60)!r} changes nothing{meant}: allowed are {known}"

    def _problem(self, text: str, *keys: str) -> Problem:
        return Problem(self._name, find_line(self._text, self._name, *keys), text)


def _wrong_text(key: str, value: str) -> Iterator[str]:
    if key != "prefix" and not value.strip():
        yield f"{key} is empty"
    elif "${" in VARIABLE.sub("", value):
        yield f"{key} has a ${{ that names no variable: write ${{NAME}}, of letters, digits and _"
    elif key == "broker" and not VARIABLE.fullmatch(value):
        try:
            BrokerUrl.parse(_expand_url(value, dict.fromkeys(VARIABLE.findall(value), _STAND_IN)))
        except BrokerUrlError as error:
            yield f"{key}: {error}"


def _expand_url(template: str, values: Mapping[str, str]) -> str:
    """Expand a URL; what is put into its login or its options is encoded, unless it is the whole URL."""
    whole = VARIABLE.fullmatch(template)
    if whole:
        return values[whole[1]]
    login_ends = template.rfind("@")
    query_begins = template.find("?") if "?" in template else len(template)

    def value_of(found: re.Match[str]) -> str:
        is_inside = found.start() < login_ends or found.start() > query_begins
        return quote(values[found[1]], safe="") if is_inside else values[found[1]]

    return VARIABLE.sub(value_of, template)
