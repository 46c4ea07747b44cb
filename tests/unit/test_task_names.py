"""A unique end of a task's name is enough; an ambiguous one lists what it could be."""

from __future__ import annotations

import re

import pytest

from celery_nexus.errors import Invalid, NotFound
from celery_nexus.rows.task_names import resolve_task

KNOWN = ("workers.file_tasks.process_pdf", "workers.email_tasks.send", "shop.tasks.send", "plain")


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("process_pdf", "workers.file_tasks.process_pdf"),
        ("file_tasks.process_pdf", "workers.file_tasks.process_pdf"),
        ("email_tasks.send", "workers.email_tasks.send"),
        ("plain", "plain"),
        ("shop.tasks.send", "shop.tasks.send"),
    ],
)
def test_the_unique_end_of_a_name_means_its_task(name: str, full: str) -> None:
    assert resolve_task(name, KNOWN) == full


def test_an_ambiguous_name_lists_its_tasks() -> None:
    with pytest.raises(Invalid, match=r"task .send. is ambiguous: shop\.tasks\.send, workers\.email_tasks\.send"):
        resolve_task("send", KNOWN)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("proces_pdf", "did you mean workers.file_tasks.process_pdf?"),
        ("ocess_pdf", "did you mean workers.file_tasks.process_pdf?"),
        ("xyz", "see them with: nexus-tui submit --list"),
        ("", "see them with: nexus-tui submit --list"),
    ],
)
def test_an_unknown_name_says_what_is_near(name: str, hint: str) -> None:
    with pytest.raises(NotFound, match=re.escape(f"no task {name!r}; {hint}")):
        resolve_task(name, KNOWN)
