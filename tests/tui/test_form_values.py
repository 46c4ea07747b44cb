"""What is typed into a form's field becomes the value that the task gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from celery_nexus.rows.catalog import TaskParameter
from nexus_tui.widgets.form import BadField, Field


def _typed(type_label: str, text: str) -> Any:
    row = TaskParameter("to_email", "json", type_label, True, None, (), "")
    return Field(row, None, Path("/nonexistent"))._typed(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("jo@example.org", "jo@example.org"), ('["a@example.org", "b@example.org"]', ["a@example.org", "b@example.org"])],
)
def test_where_text_or_a_list_is_possible_text_needs_no_quotes(text: str, value: Any) -> None:
    assert _typed("text or list of text", text) == value


def test_where_only_json_is_possible_anything_else_is_refused() -> None:
    with pytest.raises(BadField, match="not JSON"):
        _typed("JSON object", "jo@example.org")
