"""The rules file: TOML with a table for each rule and each channel; every mistake has its line and its reason.

::

    [rule.depth]
    kind = "depth"
    above = 500
    clears = 300
    for = "2m"
    queues = ["mail_*"]
    channels = ["ops"]

    [channel.ops]
    type = "webhook"
    url = "https://hooks.example.com/${HOOK_TOKEN}"
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from celery_nexus.alerts.channels.spec import ChannelSpec
from celery_nexus.alerts.keys import CHANNEL_KEYS, RULE_KEYS, SECRET_KEYS, SLO_KEYS, Key
from celery_nexus.alerts.kinds import BY_NAME
from celery_nexus.alerts.rules import DEFAULTS, Rule
from celery_nexus.errors import SourceError
from celery_nexus.queues import QueueSlo
from celery_nexus.rows.text import safe_text
from celery_nexus.user_files import VARIABLE, find_line, split_syntax_error, suggest

TABLES = ("rule", "channel", "slo")
_DEFAULTS = {rule.name: rule for rule in DEFAULTS}


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a rules file: where, and what would be right."""

    line: int | None
    text: str

    def __str__(self) -> str:
        return self.text if self.line is None else f"line {self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What a rules file says, and the rules that are there without one.

    Attributes:
        rules: Every rule, those that are off, too.
        channels: Every channel.
        mistakes: What is wrong, in the order of lines; rules and channels with one are left out.
        levels: Service levels, by queue.
    """

    rules: tuple[Rule, ...] = DEFAULTS
    channels: tuple[ChannelSpec, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    levels: Mapping[str, QueueSlo] = field(default_factory=dict[str, QueueSlo])

    @property
    def on(self) -> tuple[Rule, ...]:
        """The rules that are looked at."""
        return tuple(rule for rule in self.rules if rule.is_on)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(channel.name for channel in self.channels)


def read_rules(path: Path) -> RuleSet:
    """Read a rules file; without one the usual rules hold, and nobody is told.

    Raises:
        SourceError: The file can't be read.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return RuleSet()
    except OSError as error:
        raise SourceError(f"can't read {path}: {error.strerror or error}") from None
    try:
        return parse_rules(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return RuleSet(mistakes=(Mistake(raw.count(b"\n", 0, error.start) + 1, "this is no UTF-8 text"),))


def parse_rules(text: str) -> RuleSet:
    """Parse and check a file's text; what is wrong is in the result, whatever is right can be used."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return RuleSet(mistakes=(Mistake(*split_syntax_error(error)),))
    except RecursionError:
        return RuleSet(mistakes=(Mistake(None, "lists or tables are nested too deeply"),))
    reader = _Reader(text, document)
    rules = {**_DEFAULTS, **reader.rules()}
    for name in reader.wrong_rules:  # what was meant is not known: the usual rule would be another
        rules.pop(name, None)
    channels, levels = reader.channels(), reader.levels()
    return RuleSet(tuple(rules.values()), channels, reader.list_mistakes(), levels)


class _Reader:
    """Reads a document's tables, and collects what is wrong with them."""

    def __init__(self, text: str, document: Mapping[str, Any]) -> None:
        self._text = text
        self._document = document
        self._mistakes: list[Mistake] = []
        self.wrong_rules: set[str] = set()
        for name in document:
            if name not in TABLES:
                tables = ", ".join(f"[{table}.NAME]" for table in TABLES)
                shown = safe_text(name, 60)
                self._note(f"{shown!r} is not known{suggest(name, TABLES)}: allowed are {tables}", name)

    def list_mistakes(self) -> tuple[Mistake, ...]:
        return tuple(sorted(self._mistakes, key=lambda mistake: mistake.line or 0))

    def rules(self) -> dict[str, Rule]:
        found: dict[str, Rule] = {}
        for name, table in self._tables("rule"):
            rule = self._rule(name, table)
            if rule is None:
                self.wrong_rules.add(name)
            else:
                found[name] = rule
        return found

    def channels(self) -> tuple[ChannelSpec, ...]:
        found = (self._channel(name, table) for name, table in self._tables("channel"))
        return tuple(channel for channel in found if channel is not None)

    def levels(self) -> dict[str, QueueSlo]:
        found: dict[str, QueueSlo] = {}
        for name, table in self._tables("slo"):
            values = self._values("slo", name, table, SLO_KEYS)
            if "starts_within" not in table:
                words = SLO_KEYS["starts_within"].words
                self._note(f"[slo.{safe_text(name, 60)}] has no starts_within: {words}", "slo", name)
            elif values is not None:
                found[name] = QueueSlo(**values)
        return found

    def _tables(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        tables: object = self._document.get(kind, {})
        if not isinstance(tables, dict):
            self._note(f"{kind} is no table: write [{kind}.NAME] with its keys below", kind)
            return
        for name, table in cast("dict[str, object]", tables).items():
            if isinstance(table, dict):
                yield name, cast("dict[str, Any]", table)
            else:
                self._note(f"{safe_text(name, 60)} is no {kind}: write [{kind}.NAME] with its keys below", kind, name)

    def _rule(self, name: str, table: dict[str, Any]) -> Rule | None:
        usual = _DEFAULTS.get(name)
        values = self._values("rule", name, table, RULE_KEYS)
        if values is None:
            return None
        kind = values.get("kind", usual and usual.kind)
        if kind is None:
            self._note(f"[rule.{safe_text(name, 60)}] has no kind: one of {', '.join(BY_NAME)}", "rule", name)
            return None
        fields: dict[str, Any] = {"name": name, **_fields_of(usual, kind), **values, "kind": kind}
        rule = Rule(**fields)
        wrong = [*self._wrong_bounds(rule), *self._unknown_channels(rule)]
        for key, text in wrong:
            self._note(f"[rule.{safe_text(name, 60)}] {text}", "rule", name, key)
        return None if wrong else rule

    def _channel(self, name: str, table: dict[str, Any]) -> ChannelSpec | None:
        type_ = table.get("type")
        if not isinstance(type_, str) or type_ not in CHANNEL_KEYS:
            known = ", ".join(CHANNEL_KEYS)
            shown = (
                "no type" if type_ is None else f"a wrong type {safe_text(type_, 30)!r}{suggest(type_, CHANNEL_KEYS)}"
            )
            self._note(
                f"[channel.{safe_text(name, 60)}] has {shown}: allowed are {known}",
                "channel",
                name,
                *(("type",) if type_ is not None else ()),
            )
            return None
        keys = CHANNEL_KEYS[type_]
        values = self._values("channel", name, table, keys)
        missing = [key for key, allowed in keys.items() if allowed.is_required and key not in table]
        for key in missing:
            self._note(f"[channel.{safe_text(name, 60)}] has no {key}: {keys[key].words}", "channel", name)
        return None if values is None or missing else ChannelSpec(name, type_, table)

    def _values(
        self, table_kind: str, name: str, table: dict[str, Any], keys: Mapping[str, Key]
    ) -> dict[str, Any] | None:
        """Read the values of a table by their fields; None when one is wrong."""
        values: dict[str, Any] = {}
        is_right = True
        for key, value in table.items():
            text = _wrong(key, value, keys)
            if text:
                is_right = False
                self._note(f"[{table_kind}.{safe_text(name, 60)}] {text}", table_kind, name, key)
            else:
                values[keys[key].field or key] = keys[key].read(value)
        return values if is_right else None

    def _wrong_bounds(self, rule: Rule) -> Iterator[tuple[str, str]]:
        kind = BY_NAME[rule.kind]
        if kind.is_a_fact and (rule.above is not None or rule.clears is not None):
            yield "above", f"{rule.kind} is so or is not: it has no threshold; allowed are for, queues, channels …"
        elif rule.clears is not None and rule.clears > kind.bounds(rule)[0]:
            yield "clears", f"clears at {rule.clears:g}, which is above its threshold of {kind.bounds(rule)[0]:g}"

    def _unknown_channels(self, rule: Rule) -> Iterator[tuple[str, str]]:
        told: object = self._document.get("channel", {})
        known = tuple(cast("dict[str, object]", told)) if isinstance(told, dict) else ()
        for name in rule.channels or ():
            if name not in known:
                there = ", ".join(safe_text(each, 60) for each in known) or "none: write [channel.NAME]"
                yield "channels", f"no channel {safe_text(name, 60)!r}{suggest(name, known)}; there are {there}"

    def _note(self, text: str, *keys: str) -> None:
        self._mistakes.append(Mistake(find_line(self._text, *keys), text))


def _fields_of(usual: Rule | None, kind: str) -> dict[str, Any]:
    """Take over what the usual rule of the same name and kind says."""
    if usual is None or usual.kind != kind:
        return {}
    return {"for_s": usual.for_s, "severity": usual.severity}


def _wrong(key: str, value: object, keys: Mapping[str, Key]) -> str:
    """Say what is wrong with a key or its value; empty when nothing is."""
    if key not in keys:
        return f"has a wrong key {safe_text(key, 60)!r}{suggest(key, keys)}: allowed are {', '.join(keys)}"
    if isinstance(value, str) and "${" in VARIABLE.sub("", value):
        return f"{key} has a ${{ that names no variable: write ${{NAME}}, of letters, digits and _"
    if not keys[key].accepts(value):
        shown = "" if key in SECRET_KEYS else f" = {safe_text(value, 60)!r}"
        return f"{key}{shown} can't be used: {keys[key].words}"
    return ""
