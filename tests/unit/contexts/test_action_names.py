"""The names that a context may allow are those of the actions that there are."""

from __future__ import annotations

import dataclasses
import inspect
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, cast

import pytest

import nexus_tui.actions
from nexus_tui.actions.base import Action
from nexus_tui.actions.names import ACTION_NAMES, name_of
from nexus_tui.cli.sections import SECTIONS


def kinds() -> list[type[Action]]:
    """Every action that can be made."""
    modules = [import_module(f"nexus_tui.actions.{module.name}") for module in iter_modules(nexus_tui.actions.__path__)]
    found = {kind for module in modules for kind in vars(module).values() if inspect.isclass(kind)}
    return sorted(
        (
            kind
            for kind in found
            if issubclass(kind, Action) and not inspect.isabstract(kind) and not kind.__name__.startswith("_")
        ),
        key=lambda kind: kind.__name__,
    )


def example(kind: type[Action]) -> Action:
    """Make one; what it needs is any text or list of them."""
    needed = [field for field in dataclasses.fields(cast("Any", kind)) if _is_needed(field)]
    values: dict[str, Any] = {
        field.name: ("x",) if "tuple" in str(field.type) else _VALUES.get(field.name, "x") for field in needed
    }
    return kind(**values)


_VALUES = {"count": 1, "priority": 1, "due_at": None, "minimum": 1, "maximum": 2, "soft_s": 1.0, "hard_s": 2.0}


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_an_action_can_be_allowed(kind: type[Action]) -> None:
    assert name_of(example(kind).recorded) in ACTION_NAMES


def test_each_name_is_that_of_a_command() -> None:
    assert {name for names in SECTIONS.values() for name in names.split()} >= ACTION_NAMES
