"""Masking where Celery itself prints or stores arguments: worker requests and result records.

Named by ``NexusTask.Request`` and by the application's result backend; see :mod:`celery_nexus.privacy.arguments`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from billiard.exceptions import WorkerLostError
from celery.backends.redis import RedisBackend, SentinelBackend
from celery.worker.request import Request

from celery_nexus.delivery.ends.results import PatientResults
from celery_nexus.privacy.arguments import mask_arguments, print_received_arguments
from celery_nexus.privacy.masking import mask, mask_text
from celery_nexus.task_errors import Crashed

if TYPE_CHECKING:
    RequestBase = Any
    ResultsBase = Any
    SentinelResultsBase = object
else:  # Celery's stubs leave out what is overridden here.
    RequestBase = Request
    ResultsBase = RedisBackend
    SentinelResultsBase = SentinelBackend


MAX_TRACEBACK = 100_000
"""Longest traceback of a record, in characters."""


class PrivateRequest(RequestBase):
    """A request whose printed arguments keep secrets and private ones out, whoever sent the message."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        shown = print_received_arguments(self.task, self.args, self.kwargs, (self._argsrepr, self._kwargsrepr))
        self._argsrepr, self._kwargsrepr = shown
        self.request_dict["argsrepr"], self.request_dict["kwargsrepr"] = shown

    def info(self, safe: bool = False) -> dict[str, Any]:
        """Describe the run for ``inspect``; secrets and private arguments stay out even where all is asked for."""
        described = cast("dict[str, Any]", super().info(safe))
        if not safe:
            described["args"], described["kwargs"] = mask_arguments(self.task, self.args, self.kwargs)
        return described

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Handle a failed run; that of a dead process says so with the code of our own errors."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)  # billiard may wrap it with its traceback
        if isinstance(error, WorkerLostError) and not str(error).startswith(Crashed.code):
            error.args = (f"{Crashed.code}: the process of this run died ({error})",)
        return cast("Any", super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok))


class PrivateResults(PatientResults, ResultsBase):
    """The Redis result backend; what its records hold beside results keeps secrets and private arguments out.

    That is the arguments (``result_extended``), the words of an error and its traceback. What a task returned is its
    caller's and stays as it is.
    """

    def _get_result_meta(self, *args: Any, **options: Any) -> dict[str, Any]:
        meta = cast("dict[str, Any]", super()._get_result_meta(*args, **options))
        if isinstance(meta.get("kwargs"), Mapping):
            task = self.app.tasks.get(meta.get("name") or "")
            meta["args"], meta["kwargs"] = mask_arguments(task, meta["args"], meta["kwargs"])
        if isinstance(meta.get("traceback"), str):
            meta["traceback"] = mask_text(meta["traceback"], MAX_TRACEBACK)
        if meta["status"] in self.EXCEPTION_STATES and isinstance(meta["result"], dict):
            told = cast("dict[str, Any]", meta["result"])
            meta["result"] = told | {"exc_message": mask(told.get("exc_message"))}
        return meta


class PrivateSentinelResults(PrivateResults, SentinelResultsBase):
    """The same on the server that Sentinels name."""
