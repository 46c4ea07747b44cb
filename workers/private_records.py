"""Where Celery itself prints or stores arguments: its worker's requests and its result records.

Named by ``NexusTask.Request`` and by the application's result backend; see :mod:`workers.privacy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from billiard.exceptions import WorkerLostError
from celery.backends.redis import RedisBackend, SentinelBackend
from celery.worker.request import Request

from workers.delivery.results import PatientResults
from workers.errors import Crashed
from workers.privacy import private_arguments, private_reprs, without_private

if TYPE_CHECKING:
    RequestBase = Any
    ResultsBase = Any
    SentinelResultsBase = object
else:  # Celery's stubs leave out what is overridden here.
    RequestBase = Request
    ResultsBase = RedisBackend
    SentinelResultsBase = SentinelBackend


class PrivateRequest(RequestBase):
    """A request whose printed arguments keep private ones out, whoever sent the message."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        shown = private_reprs(self.task, self.args, self.kwargs)
        if shown:
            self._argsrepr, self._kwargsrepr = shown
            self.request_dict["argsrepr"], self.request_dict["kwargsrepr"] = shown

    def info(self, safe: bool = False) -> dict[str, Any]:
        """Describe the run for ``inspect``; private arguments stay out even where all is asked for."""
        described = cast("dict[str, Any]", super().info(safe))
        if not safe and private_arguments(self.task):
            described["args"], described["kwargs"] = without_private(self.task, self.args, self.kwargs)
        return described

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Handle a failed run; that of a dead process says so with the code of our own errors."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)  # billiard may wrap it with its traceback
        if isinstance(error, WorkerLostError) and not str(error).startswith(Crashed.code):
            error.args = (f"{Crashed.code}: the process of this run died ({error})",)
        return cast("Any", super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok))


class PrivateResults(PatientResults, ResultsBase):
    """The Redis result backend; the arguments that ``result_extended`` stores keep private ones out."""

    def _get_result_meta(self, *args: Any, **options: Any) -> dict[str, Any]:
        meta = cast("dict[str, Any]", super()._get_result_meta(*args, **options))
        task = self.app.tasks.get(meta.get("name") or "")
        if private_arguments(task) and isinstance(meta.get("kwargs"), Mapping):
            meta["args"], meta["kwargs"] = without_private(task, meta["args"], meta["kwargs"])
        return meta


class PrivateSentinelResults(PrivateResults, SentinelResultsBase):
    """The same on the server that Sentinels name."""
