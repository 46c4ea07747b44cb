"""Requests that print no secrets, and those of a batch's runs, which count a part that a lost child had not counted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from billiard.einfo import ExceptionInfo
from billiard.exceptions import WorkerLostError
from celery import states

from celery_nexus.delivery.ends.private_records import PrivateRequest
from celery_nexus.delivery.worker import request as request_module
from celery_nexus.delivery.worker.batch_request import BatchItemRequest
from tests.unit.delivery.one_run import Run

LOST = WorkerLostError("signal 9")


def lost(error: BaseException) -> Any:
    with pytest.raises(type(error)) as raised:
        raise error
    return ExceptionInfo((raised.type, raised.value, raised.tb))


# Private requests


def test_what_a_producer_printed_of_its_arguments_is_printed_anew() -> None:
    secret = {"password": "hunter2"}
    run = Run(kind=PrivateRequest, argsrepr="()", kwargsrepr=repr(secret), body=([], secret, {}))
    assert "hunter2" not in run.request.kwargsrepr
    assert run.request.kwargsrepr == run.request.request_dict["kwargsrepr"]
    assert run.request.argsrepr == run.request.request_dict["argsrepr"]


def test_a_worker_that_is_asked_tells_no_secret_either() -> None:
    run = Run(kind=PrivateRequest, body=(["a"], {"password": "hunter2"}, {}))
    assert "hunter2" not in str(run.request.info())
    assert run.request.info()["args"] == ["a"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (WorkerLostError("signal 9"), "crashed: the process of this run died (signal 9)"),
        (WorkerLostError("crashed: said before"), "crashed: said before"),
        (ValueError("wrong"), "wrong"),
    ],
)
def test_a_lost_process_is_called_by_the_code_of_our_errors(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    run = Run(kind=PrivateRequest)
    run.request.on_failure(lost(error))
    assert str(error) == words


# Runs of a batch


class Backend:
    """Results of runs; notes the parts that are counted."""

    def __init__(self, status: str) -> None:
        self.stored = {"status": status, "result": 7}
        self.counted: list[Any] = []

    def get_task_meta(self, run_id: str) -> dict[str, Any]:
        assert run_id == "r1"
        return self.stored

    def on_chord_part_return(self, context: Any, state: str, result: Any) -> None:
        self.counted.append((context.id, state, result))


@pytest.mark.parametrize(
    ("status", "error", "counted"),
    [
        (states.SUCCESS, LOST, [("r1", states.SUCCESS, 7)]),
        (states.STARTED, LOST, []),
        (states.SUCCESS, ValueError("of the task"), []),
    ],
)
def test_a_part_whose_child_died_after_its_success_is_counted(
    monkeypatch: pytest.MonkeyPatch, status: str, error: Exception, counted: list[Any]
) -> None:
    run, backend = Run(kind=BatchItemRequest), Backend(status)
    handled: list[Any] = []
    monkeypatch.setattr(
        request_module.Request, "on_failure", lambda _self, _info, **options: handled.append(options) or "handled"
    )
    run.request._task = SimpleNamespace(backend=backend, ignore_result=False)
    assert run.request.on_failure(lost(error), send_failed_event=False, return_ok=True) == "handled"
    assert handled == [{"send_failed_event": False, "return_ok": True}]
    assert backend.counted == counted
