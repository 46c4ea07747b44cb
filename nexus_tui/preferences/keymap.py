"""Keys that the user chose herself, in her ``keys.toml``.

::

    [keys]
    revoke = "X"
    filter = ["/", "ctrl+f"]
    freeze = []                  # no key

``nexus-tui keys`` writes every name with its usual keys. Dialogs and prompts keep theirs.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, cast

from textual.binding import Binding, BindingsMap
from textual.keys import Keys, _character_to_key  # pyright: ignore[reportPrivateUsage]

from celery_nexus.rows.text import safe_text
from celery_nexus.user_files import find_line, split_syntax_error, suggest
from nexus_tui.preferences.user_files import config_path

Keymap = Mapping[str, tuple[str, ...]]
"""Keys by name of what they do."""

_RESERVED = frozenset({"escape", "ctrl+c", "ctrl+z", "ctrl+m", "ctrl+i", "ctrl+j"})
"""Keys that always go back, explain how to leave or suspend, and those that a terminal sends as Enter and Tab."""

_NAMES = frozenset(
    {key.value for key in Keys if not key.value.startswith("<")}
    | {_character_to_key(character) for character in string.printable if character.isprintable()}
    | {f"f{number}" for number in range(1, 25)}
)
_PREFIX = re.compile(r"(?:ctrl\+|shift\+)*")


class _Chosen:
    """One dashboard a process has one user: widgets are made without being told of her keys each time."""

    keymap: Keymap = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class KeysFile:
    """The user's keys.

    Attributes:
        keymap: What she chose; nothing where the file is wrong: it is used as a whole or not at all.
        problems: What is wrong, each with its line.
    """

    keymap: Keymap = field(default_factory=dict[str, tuple[str, ...]])
    problems: tuple[str, ...] = ()


def name_of(textual_action: str) -> str:
    """Name what a binding does: ``revoke`` for ``offer('revoke')``, ``view-queues``, ``move-back-1``."""
    name, _, arguments = textual_action.rpartition(".")[2].partition("(")
    words = [word.replace("-", "back ") for word in re.findall(r"[-\w]+", arguments)]
    return "-".join(words if name == "offer" else [name, *words]).replace("_", "-").replace(" ", "-")


def use_keymap(keymap: Keymap) -> None:
    """Let widgets that are made from now on have these keys."""
    _Chosen.keymap = keymap


def rebind(bindings: BindingsMap) -> BindingsMap:
    """Put the user's keys in the place of the usual ones."""
    if not _Chosen.keymap:
        return bindings
    found: dict[str, list[Binding]] = {}
    for binding in apply_keymap([binding for _, binding in bindings], _Chosen.keymap):
        found.setdefault(binding.key, []).append(binding)
    return BindingsMap.from_keys(found)


def apply_keymap(bindings: Iterable[Binding], keymap: Keymap) -> Iterator[Binding]:
    """Yield bindings with the user's keys."""
    moved = set[str]()
    for binding in bindings:
        name = name_of(binding.action)
        if name not in keymap or binding.system:
            yield binding
        elif name not in moved:
            moved.add(name)
            yield from (replace(binding, key=key) for key in keymap[name])


def read_keys(places: Mapping[str, list[Binding]]) -> KeysFile:
    """Read the user's file; without one all keys are the usual ones.

    Args:
        places: Every screen with all bindings that are active in it.
    """
    path = config_path("keys.toml")
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        return KeysFile()
    except (OSError, UnicodeDecodeError) as error:
        return KeysFile(problems=(f"{path} can't be read: {safe_text(error, 200)}",))
    keymap, problems = parse_keys(text, places)
    told = tuple(f"{path.name} line {line}: {words}" for line, words in problems)
    return KeysFile({} if told else keymap, told)


def parse_keys(text: str, places: Mapping[str, list[Binding]]) -> tuple[Keymap, list[tuple[int, str]]]:
    """Parse and check a file's text; return the keys, and what is wrong with the line of each."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, words = split_syntax_error(error)
        return {}, [(line or text.count("\n") + 1, words)]
    except RecursionError:
        return {}, [(1, "nested too deeply")]
    known = _collect_usual_keys(places)
    keymap: dict[str, tuple[str, ...]] = {}
    problems = [
        (find_line(text, table), f"{safe_text(table, 60)} is not [keys]") for table in document if table != "keys"
    ]
    rows: Any = document.get("keys", {})
    for name, value in cast("dict[str, Any]", rows).items() if isinstance(rows, dict) else ():
        wrong = _explain_wrong_name(name, known) or _explain_wrong_keys(value, known[name])
        if wrong:
            problems.append((find_line(text, "keys", name), wrong))
        else:
            keymap[name] = tuple(_normalize(key) for key in ([value] if isinstance(value, str) else value))
    if not problems:
        problems = [(find_line(text, "keys", name), words) for name, words in find_conflicts(keymap, places)]
    return keymap, problems


def find_conflicts(keymap: Keymap, places: Mapping[str, list[Binding]]) -> list[tuple[str, str]]:
    """Find keys that would do two things in one place: the name in the file, and what is wrong."""
    found: dict[tuple[str, str], str] = {}
    for place, bindings in places.items():
        by_key: dict[str, set[str]] = {}
        for binding in apply_keymap(bindings, keymap):
            by_key.setdefault(binding.key, set()).add(name_of(binding.action))
        for key, names in by_key.items():
            chosen = sorted(name for name in names if name in keymap)
            if len(names) > 1 and chosen:
                others = " and ".join(sorted(names - {chosen[-1]}))
                words = f"{key} is the key of {others} as well ({place}): choose another one, or move that, too"
                found.setdefault((chosen[-1], key), words)
    return [(name, words) for (name, _), words in found.items()]


def write_keys(places: Mapping[str, list[Binding]]) -> str:
    """Write every name, its usual keys, and what it does, as lines of a file that change nothing yet."""
    keys = _collect_usual_keys(places)
    words = {name_of(binding.action): binding.description for bindings in places.values() for binding in bindings}
    lines = [f"# Names and usual keys; what you change goes into {config_path('keys.toml')} without its #", "[keys]"]
    width = max(map(len, keys))
    for name in sorted(keys):
        shown = ", ".join(f'"{key}"' for key in keys[name])
        lines.append(f"# {name:<{width}} = [{shown}]  # {words[name]}")
    return "\n".join(lines) + "\n"


def _collect_usual_keys(places: Mapping[str, list[Binding]]) -> dict[str, list[str]]:
    """Collect the keys of each name that can be changed."""
    keys: dict[str, list[str]] = {}
    for binding in (binding for bindings in places.values() for binding in bindings if not binding.system):
        usual = keys.setdefault(name_of(binding.action), [])
        if binding.key not in usual:
            usual.append(binding.key)
    return keys


def _explain_wrong_name(name: str, known: Collection[str]) -> str:
    if name in known:
        return ""
    return f"nothing is called {safe_text(name, 60)!r}{suggest(name, known)}: nexus-tui keys lists the names"


def _explain_wrong_keys(value: object, usual: Sequence[str]) -> str:
    keys = cast("list[object]", value) if isinstance(value, list) else [value]
    for key in keys:
        if not isinstance(key, str) or not _is_key(key):
            return f"{safe_text(key, 30)!r} is no key: write x, X, /, f5, ctrl+f, pageup, or a list of them"
        if _normalize(key) in _RESERVED and key not in usual:
            return f"{key} keeps its meaning"
    return ""


def _is_key(key: str) -> bool:
    plain = key[len((_PREFIX.match(key) or [""])[0]) :]
    return (len(key) == 1 and key.isprintable()) or plain in _NAMES or (plain != key and len(plain) == 1)


def _normalize(key: str) -> str:
    return _character_to_key(key) if len(key) == 1 else key
