"""Bindings of keys that offer actions, generated from their declarations."""

from __future__ import annotations

from textual.binding import Binding

from celery_nexus.actions.base import Action


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
    """Tell whether a binding's action changes the world: read-only mode takes those."""
    return textual_action.partition("(")[0] == "offer"
