"""No key of a screen does two things, whatever has the focus; keys that change the world are of one kind."""

from __future__ import annotations

import string
from collections import Counter

import pytest
from textual.binding import Binding
from textual.widget import Widget

from celery_nexus.actions.base import Action
from celery_nexus.actions.registry import ACTIONS
from nexus_tui.app import NexusApp
from nexus_tui.places import screens_with_keys
from nexus_tui.screens.bases.base import NexusScreen
from nexus_tui.screens.bases.operations import program_choices, worker_choices
from nexus_tui.screens.dialogs.confirm import ConfirmScreen
from nexus_tui.screens.frame.offers import is_offer
from nexus_tui.widgets.reader import Reader
from nexus_tui.widgets.tables.table import Table
from tests.tui import fakes

SCREENS = screens_with_keys()


def bound(kind: type) -> list[Binding]:
    """Every binding that a class declares or inherits from ours, also of a key that another one hides."""
    ours = [each for each in kind.__mro__ if each.__module__.startswith("nexus_tui")]
    return list(Binding.make_bindings(row for each in ours for row in each.__dict__.get("BINDINGS", ())))


def keys(kind: type) -> set[str]:
    return {binding.key for binding in bound(kind)}


@pytest.mark.parametrize("screen", SCREENS.values(), ids=SCREENS)
def test_no_key_of_a_screen_is_bound_twice(screen: type[NexusScreen]) -> None:
    counted = Counter(binding.key for binding in (*bound(screen), *bound(NexusApp)))
    assert [key for key, count in counted.items() if count > 1] == []


@pytest.mark.parametrize("widget", [Table, Reader])
@pytest.mark.parametrize("screen", SCREENS.values(), ids=SCREENS)
def test_no_key_of_a_screen_is_one_of_the_table_or_text_in_it(screen: type[NexusScreen], widget: type[Widget]) -> None:
    assert keys(screen) & keys(widget) == set()


@pytest.mark.parametrize("screen", SCREENS.values(), ids=SCREENS)
def test_upper_case_changes_the_world_and_lower_case_looks(screen: type[NexusScreen]) -> None:
    changes = {binding.key for binding in bound(screen) if is_offer(binding.action)}
    assert changes - {"n"} == {key for key in keys(screen) if key in string.ascii_uppercase}


@pytest.mark.parametrize("screen", SCREENS.values(), ids=SCREENS)
def test_every_key_that_changes_the_world_is_that_of_an_action_and_is_answered(screen: type[NexusScreen]) -> None:
    declared = {f"offer('{action.key.name}')": action.key for action in ACTIONS if action.key}
    for binding in bound(screen):
        if is_offer(binding.action):
            key = declared[binding.action]
            assert (binding.key, binding.description, binding.show) == (key.key, key.words, key.in_footer)
            assert callable(getattr(screen, f"offer_{key.name}"))


def test_every_key_of_an_action_is_offered_somewhere() -> None:
    offered = {binding.action for screen in SCREENS.values() for binding in bound(screen)}
    assert {f"offer('{action.key.name}')" for action in ACTIONS if action.key} <= offered


def test_actions_behind_one_key_are_told_apart_by_keys_of_their_own() -> None:
    choices = Counter((action.key, action.choice_key) for action in ACTIONS if action.key and action.choice_key)
    assert [pair for pair, count in choices.items() if count > 1] == []


@pytest.mark.parametrize("action", [action for action in ACTIONS if action.choice_key], ids=lambda row: row.__name__)
def test_no_key_of_a_choice_is_one_of_the_dialog(action: type[Action]) -> None:
    assert action.choice_key not in keys(ConfirmScreen) | {"y", "/"}


def test_no_two_choices_of_a_worker_with_its_program_have_one_key() -> None:
    [worker] = [row for row in fakes.busy().control.workers() if row.name == "files@web1"]
    queues = [f"queue {number}" for number in range(20)]
    choices = [*program_choices([worker.program or ""]), *worker_choices(worker, queues)]
    counted = Counter(choice.key for choice in choices if choice.key)
    assert [key for key, count in counted.items() if count > 1] == []
    assert not set(counted) & (keys(ConfirmScreen) | {"y", "/"})
