"""Short names of tasks: ``process_word_document`` for ``workers.file_tasks.process_word_document``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from celery_nexus.errors import Invalid, NotFound


def resolve_task(name: str, known: Iterable[str]) -> str:
    """Return the full name of the task that a name means: its own, or its last parts when no other task ends so.

    Raises:
        NotFound: No task is called so; names one that is near.
        Invalid: Several are; lists them.
    """
    names = sorted(set(known))
    if name in names:
        return name
    found = [full for full in names if full.endswith(f".{name}")] if name else []
    if len(found) > 1:
        raise Invalid(f"task {name!r} is ambiguous: {', '.join(found)}")
    if found:
        return found[0]
    last = {full.rpartition(".")[2]: full for full in names}
    near = difflib.get_close_matches(name.rpartition(".")[2], list(last), n=1, cutoff=0.6)
    hint = f"did you mean {last[near[0]]}?" if near else "see them with: nexus-tui submit --list"
    raise NotFound(f"no task {name!r}; {hint}")
