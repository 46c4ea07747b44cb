"""Bindings of keys that offer actions, generated from their declarations."""

from __future__ import annotations

from textual.binding import Binding

from celery_nexus.actions.base import Action
from celery_nexus.rows.text import safe_text
from celery_nexus.sources import Sources


def bindings(*actions: type[Action]) -> list[Binding]:
    """Bind the keys of actions, each key once; behind it is ``offer('NAME')``, which asks before anything is done.

    Raises:
        ValueError: An action has no key.
    """
    keys = dict.fromkeys(action.key for action in actions)
    if None in keys:
        raise ValueError(f"no key: {', '.join(action.__name__ for action in actions if action.key is None)}")
    return [Binding(key.key, f"offer('{key.name}')", key.words, show=key.in_footer) for key in keys if key]


def is_offer(textual_action: str) -> bool:
    """Tell whether a binding's action changes the world: read-only mode refuses those."""
    return textual_action.partition("(")[0] == "offer"


def explain_refusal(textual_action: str, sources: Sources) -> str:
    """Say why what a key offers may not be done here; empty when it may, or changes nothing."""
    if not is_offer(textual_action):
        return ""
    if sources.read_only:
        return f"read-only: {safe_text(sources.how_to_write, 200)}"
    if sources.allowed is None:
        return ""
    from celery_nexus.actions.registry import ACTIONS  # loads every action: not before a context asks for it

    names = {action.name() for action in ACTIONS if action.key and f"'{action.key.name}'" in textual_action}
    if names & sources.allowed:
        return ""
    allowed = ", ".join(sorted(sources.allowed)) or "nothing"
    return f"{', '.join(sorted(names))}: not allowed in this context; allowed are {allowed}"
