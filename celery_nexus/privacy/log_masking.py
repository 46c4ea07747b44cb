"""Masking of secrets in logs of Celery and libraries.

Celery prints the body and the headers of messages that it can't take. Here it prints how many arguments they have
and what those are called: of a task that nobody knows, nobody knows which of them are private. It also prints
results, which hold texts of documents and reports: here only how long a run took.
"""

from __future__ import annotations

import json
import logging
from typing import Any, cast

from celery.app import trace
from celery.signals import after_setup_logger, after_setup_task_logger
from celery.worker.consumer import consumer

from celery_nexus.privacy.masking import mask_text
from celery_nexus.privacy.program_log import mask_logger


@after_setup_logger.connect
@after_setup_task_logger.connect
def mask_handlers(logger: logging.Logger, **_: Any) -> None:
    """Put the filter before every handler of a logger that Celery has set up."""
    mask_logger(logger)


def describe_body(message: Any, body: Any) -> str:
    """Say of a message's body what can be said without its values."""
    raw = cast("str | bytes", message.body)
    size = f"{len(raw)} bytes, values not logged"
    try:
        args, kwargs = cast("tuple[list[Any], dict[str, Any]]", json.loads(raw)[:2])
        names = ", ".join(sorted(kwargs)) or "none"
        return f"{len(args)} arguments by position, by name: {mask_text(names, 500)} ({size})"
    except (ValueError, TypeError, LookupError, RecursionError):
        return f"({size})"


def _quieten_celery() -> None:
    """Exchange what Celery prints of messages and results; ``%.0s`` takes an argument and prints nothing."""
    module: Any = consumer
    module.dump_body = describe_body
    module.UNKNOWN_TASK_ERROR = "Discarded a message of the unregistered task %s: %s%.0s%.0s"
    module.INVALID_TASK_ERROR = "Discarded a message that is no valid task (%s): %s"
    module.MESSAGE_DECODE_ERROR = "Can't decode a message: %.200r [type:%r encoding:%r]%.0s: %s"
    module.MESSAGE_REPORT = "{0} {{content_type:{1} content_encoding:{2} delivery_info:{3}}}"
    tracing: Any = trace
    tracing.LOG_SUCCESS = "Task %(name)s[%(id)s] succeeded in %(runtime)ss"


_quieten_celery()
