"""Arguments of a run as history and messages have them, and whether they are as submitted."""

from __future__ import annotations

import re
from typing import Any, cast

from celery_nexus.rows.runs import Run

_LEFT_OUT = re.compile(r"\*\*\*|^‹.*›$|… \([\d,]+ more characters\)$", re.DOTALL)


def is_whole(value: Any) -> bool:
    """Tell whether an argument from the history is what was submitted: neither masked, nor private, nor cut."""
    if isinstance(value, str):
        return not _LEFT_OUT.search(value)
    if isinstance(value, list):
        return all(map(is_whole, cast("list[Any]", value)))
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value)
        return "…" not in pairs and all(map(is_whole, pairs.values()))
    return True


def find_obstacle(run: Run, args: list[Any] | None = None, kwargs: dict[str, Any] | None = None) -> str:
    """Say why an ended run can't be run again; empty when it can.

    Args:
        run: The run, as the history knows it.
        args: Positional arguments that replace all of its own; None keeps them.
        kwargs: Keyword arguments that replace those of the same name; None keeps all.
    """
    if not run.is_final:
        return f"has not ended ({run.state})"
    if run.task is None or not isinstance(run.args, list) or not isinstance(run.kwargs, dict):
        return "its arguments are not known: submit it anew"
    if args is None and not is_whole(run.args):
        return "its arguments are not kept in full: give them with --args"
    named = {**cast("dict[str, Any]", run.kwargs), **(kwargs or {})}
    if lacking := [name for name, value in named.items() if not is_whole({name: value})]:
        return f"not kept in full: {', '.join(lacking)}; give them with --kwargs"
    return ""
