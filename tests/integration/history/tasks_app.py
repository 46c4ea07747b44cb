"""The application with some tasks that live as tests need: `celery -A tests.integration.history.tasks_app worker`."""

import os
import signal
import time
from typing import Any

from celery_nexus.runtime.progress import RunProgress
from celery_nexus.task_errors import TransientError
from config.celery_config import celery_app

app = celery_app


@celery_app.task(name="lives.echo")
def echo(value: Any = None, password: str = "") -> Any:
    return value


@celery_app.task(name="lives.fail")
def fail(message: str) -> None:
    raise ValueError(message)


@celery_app.task(name="lives.retry", bind=True, max_retries=2)
def retry(self: Any) -> int:
    if self.request.retries == 0:
        raise self.retry(exc=TransientError("not yet"), countdown=0.1)
    return int(self.request.retries)


@celery_app.task(name="lives.progress")
def progress(total: int) -> str:
    tell = RunProgress()
    for done in range(1, total + 1):
        tell(done, total, f"page {done}")
        time.sleep(0.05)
    return "done"


@celery_app.task(name="lives.sleep")
def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


@celery_app.task(name="lives.private", private_arguments=("prompt",), private_result=True)
def private(prompt: str, model: str = "m") -> str:
    return f"answer to {prompt} and much more text that is nobody's business"


@celery_app.task(name="lives.parent")
def parent() -> str:
    return str(echo.delay("child").id)


@celery_app.task(name="lives.crash", acks_late=False)
def crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
