"""The base of tasks that read either a text or a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from celery_nexus.runtime.task import NexusTask
from celery_nexus.task_errors import InvalidArgument


class DocumentTask(NexusTask):
    """A task that reads either a text or a file."""

    abstract = True

    def check(self, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
        """Check arguments also against each other."""
        checked = super().check(args, kwargs)
        if (checked["text"] is None) == (checked["file_path"] is None):
            raise InvalidArgument("text: give either text or file_path")
        if (checked["analysis_type"] == "answer") != (checked["question"] is not None):
            raise InvalidArgument("question: belongs to analysis_type answer, which needs it")
        return checked
