"""What an operator can do: one class per action, with its key, words, question and deed in one place.

After ``from nexus_tui import actions``, a module is loaded when it is first named (``actions.runs.Revoke``): the
dashboard opens before any of them is needed.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nexus_tui.actions import again, events, limits, messages, pools, programs, queues, runs, workers

__all__ = ["again", "events", "limits", "messages", "pools", "programs", "queues", "runs", "workers"]


def __getattr__(name: str) -> ModuleType:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")
