"""Demonstration work of ``nexus-tui demo``: every family, some slow, some failing, some scheduled."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from celery import Celery

from config.settings import settings

if TYPE_CHECKING:
    from workers.services.samples import Samples

FOLDER = "demo"
"""Below the upload root: the documents that the demonstration makes for itself."""

_MAIL = "workers.email_tasks."
_FILES = "workers.file_tasks."
_AI = "workers.ai_tasks."
_REPORTS = "workers.report_tasks."
_UPKEEP = "workers.maintenance_tasks."
_LETTERS = ("ada", "grace", "edsger", "barbara", "alan", "margaret")

Shape = Callable[[], tuple[str, Any]]
"""Sends one piece of work; returns what it is in words, and its result."""


def shapes(app: Celery, chance: random.Random) -> Sequence[tuple[Shape, int]]:
    """Make the documents, and return what can be sent, and how often compared to each other.

    Raises:
        OSError: The documents can't be made.
    """
    from workers.services import samples

    return _Work(app, chance, samples.make(settings().uploads / FOLDER, chance.randrange(2**32))).shapes()


class _Work:
    def __init__(self, app: Celery, chance: random.Random, documents: Samples) -> None:
        self._app = app
        self._chance = chance
        self._samples = documents

    def shapes(self) -> list[tuple[Shape, int]]:
        return [
            (self._document, 8),
            (self._broken_document, 2),
            (self._mail, 6),
            (self._bulk_mail, 1),
            (self._wrong_mail, 1),
            (self._scheduled_mail, 1),
            (self._report, 4),
            (self._question, 2),
            (self._health, 1),
            (self._later, 2),
            (self._chain, 1),
            (self._group, 1),
            (self._chord, 1),
        ]

    def _task(self, name: str, **kwargs: Any) -> Any:
        task: Any = self._app.tasks[name]
        return task.si(**kwargs)

    def _start(self, name: str, priority: int | None = None, **kwargs: Any) -> Any:
        level = self._chance.choice((2, 5, 5, 5, 8)) if priority is None else priority
        return self._task(name, **kwargs).apply_async(priority=level, retry=False)

    def _document(self) -> tuple[str, Any]:
        kind, path = self._chance.choice(list(self._samples.good.items()))
        return f"a document: {path}", self._start(_FILES + _READERS[kind], file_path=path)

    def _broken_document(self) -> tuple[str, Any]:
        kind, path = self._chance.choice(list(self._samples.broken.items()))
        return f"a broken document, which fails: {path}", self._start(_FILES + _READERS[kind], file_path=path)

    def _mail(self) -> tuple[str, Any]:
        to = f"{self._chance.choice(_LETTERS)}@example.org"
        body = "This message was made by the demonstration."
        return f"a mail to {to}", self._start(_MAIL + "send_email", to_email=to, subject="Hello", body=body)

    def _bulk_mail(self) -> tuple[str, Any]:
        messages = [
            {"to_email": f"{name}+{number}@example.org", "subject": f"Issue {number}", "body": "News."}
            for number in range(100)
            for name in _LETTERS
        ]
        return f"{len(messages)} mails at once", self._start(_MAIL + "send_bulk_emails", messages=messages)

    def _wrong_mail(self) -> tuple[str, Any]:
        kwargs: dict[str, Any] = {"to_email": "ada@example.org", "template": "welcome", "context": {}}
        # Without its template's variables this would be refused here: it is sent as a foreign program would.
        result = self._app.send_task(_MAIL + "send_notification", kwargs=kwargs, retry=False)
        return "a notification without its variables, which fails", result

    def _scheduled_mail(self) -> tuple[str, Any]:
        at = datetime.now(UTC) + timedelta(seconds=self._chance.randint(20, 120))
        name = _MAIL + "send_scheduled_email"
        when = at.isoformat(timespec="seconds")
        body = "This was scheduled."
        result = self._start(name, to_email="alan@example.org", subject="Later", body=body, send_at=when)
        return f"a mail for {at:%H:%M:%S} UTC", result

    def _report(self) -> tuple[str, Any]:
        from workers.services.samples import records

        kind = self._chance.choice(("summary", "detailed", "trend", "comparison"))
        format_ = self._chance.choice(("html", "pdf", "xlsx", "docx", "md"))
        data = {"records": records(self._chance.randint(50, 400), self._chance.randint(1, 1000))}
        name = _REPORTS + "generate_analytics_report"
        return f"a {kind} report as {format_}", self._start(name, data=data, report_type=kind, format=format_)

    def _question(self) -> tuple[str, Any]:
        result = self._start(_AI + "chat_completion", messages=[{"role": "user", "content": "Say hello."}])
        return "a question to a model, which fails without a key", result

    def _health(self) -> tuple[str, Any]:
        return "a health check", self._start(_UPKEEP + "health_check", priority=0)

    def _later(self) -> tuple[str, Any]:
        seconds = self._chance.randint(5, 60)
        task = self._task(_UPKEEP + "monitor_queue_sizes")
        return f"a look at the queues, in {seconds} s", task.apply_async(countdown=seconds, retry=False)

    def _chain(self) -> tuple[str, Any]:
        from celery import chain

        good = self._samples.good
        steps = [
            self._task(_FILES + "process_excel_file", file_path=good["xlsx"]),
            self._task(_REPORTS + "export_data", records=[{"region": "north", "units": 3}], format="csv"),
            self._task(_MAIL + "send_email", to_email="grace@example.org", subject="Done", body="The chain is done."),
        ]
        return "a chain: sheet, export, mail", chain(*steps).apply_async(retry=False)

    def _group(self) -> tuple[str, Any]:
        from celery import group

        path = self._samples.good["png"]
        widths = (100, 200, 400, 800)
        tasks = [
            self._task(_FILES + "process_image", file_path=path, operations=["resize"], width=width) for width in widths
        ]
        return f"a group: one picture in {len(widths)} sizes", group(*tasks).apply_async(retry=False)

    def _chord(self) -> tuple[str, Any]:
        from celery import chord

        readers = [self._task(_FILES + _READERS[kind], file_path=path) for kind, path in self._samples.good.items()]
        body = self._task(_MAIL + "send_email", to_email="ada@example.org", subject="All read", body="All are read.")
        return f"a chord: {len(readers)} documents, then a mail", chord(readers)(body)


_READERS = {
    "docx": "process_word_document",
    "xlsx": "process_excel_file",
    "pptx": "process_powerpoint",
    "pdf": "process_pdf",
    "png": "process_image",
}
