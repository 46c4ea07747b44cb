"""Private arguments: what is said of them instead of their values."""

from __future__ import annotations

from typing import Any, cast

import pytest

from celery_nexus.privacy.arguments import mask_positions, print_arguments, private_text, without_private
from celery_nexus.task_errors import InvalidArgument
from workers.ai_tasks import batch_ai_requests
from workers.ai_tasks import claude_completion as declared

claude_completion = cast("Any", declared)


def test_private_values_are_replaced_by_their_size_and_others_stay():
    shown = without_private(claude_completion, ("a secret prompt",), {"model": "m", "system": "rules"})
    assert shown == (["‹private, 15 characters›"], {"model": "m", "system": "‹private, 5 characters›"})


def test_positions_of_a_bound_task_are_counted_without_self():
    assert without_private(batch_ai_requests, (["abc"], "claude"), {}) == (["‹private, 7 characters›", "claude"], {})


def test_empty_values_are_no_secret():
    assert [private_text(value) for value in (None, "", [])] == [None, "", []]


def test_printed_arguments_hold_no_private_value():
    args, kwargs = print_arguments(claude_completion, ("CANARY",), {"system": "CANARY", "max_tokens": 5})
    assert "CANARY" not in args + kwargs
    assert "'max_tokens': 5" in kwargs


@pytest.mark.parametrize(
    ("args", "kwargs"), [(("‹private, 1,234 characters›",), {}), (("Hi",), {"system": "‹private, 12 characters›"})]
)
def test_a_run_copied_from_a_record_without_its_private_arguments_is_refused(args: tuple[Any, ...], kwargs: Any):
    with pytest.raises(InvalidArgument, match="was kept private"):
        claude_completion.check(args, kwargs)


def test_a_prompt_may_speak_of_private_characters():
    assert claude_completion.check(("What means ‹private, 12 characters›?",), {})["max_tokens"] is None


def test_a_position_is_secret_when_the_signature_calls_it_so():
    class Login:
        def run(self, user: str, password: str, token: str = "") -> None: ...

    assert mask_positions(cast("Any", Login()), ["ada", "hunter2"]) == ["ada", "***"]
    assert mask_positions(cast("Any", Login()), ["ada", "x", "y", "z"]) == ["ada", "***", "***", "z"]
