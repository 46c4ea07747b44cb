"""The public interface for programs has every change."""

from __future__ import annotations

import inspect
import re

import pytest

from celery_nexus import client
from celery_nexus.actions.base import Action
from celery_nexus.actions.registry import ACTIONS


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
def test_every_action_is_a_method_of_its_commands_name(action: type[Action]) -> None:
    method = getattr(client.Nexus, re.sub(r"\W+", "_", action.command_name))
    assert inspect.signature(method).return_annotation in ("Outcome", "Submitted")
