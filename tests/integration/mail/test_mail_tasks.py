"""The mail tasks as people call them: through the queue, by a real worker, to a real SMTP server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from celery_nexus.runtime import arguments
from celery_nexus.task_errors import InvalidArgument
from tests.harness.processes import clean_environment, end, start_worker
from tests.harness.servers import Broker
from tests.harness.waiting import wait_until
from tests.integration.mail.conftest import Mailbox, serving
from workers import email_tasks, mail_runs
from workers.errors import FileMissing, MailRefused, PathNotAllowed
from workers.services.mail.bulk import Unfinished

WAIT_S = 60


@pytest.fixture(scope="module")
def server() -> Iterator[Mailbox]:
    with serving() as mailbox:
        yield mailbox


@pytest.fixture(scope="module")
def worker(broker: Broker, server: Mailbox) -> Iterator[None]:
    variables = {"NEXUS_HOME": str(broker.home), "NEXUS_SMTP_URL": f"smtp://127.0.0.1:{server.port}"}
    told: dict[str, Any] = {"environment": clean_environment(**variables), "log": broker.home / "mail-worker.log"}
    process = start_worker("config.celery_config", "-Q", "email_queue", "-c", "2", node="mail-test@%h", **told)
    yield
    end(process, 30)


@pytest.fixture
def inbox(server: Mailbox, worker: None) -> Mailbox:
    server.mood.rcpt.clear()
    server.taken.clear()
    return server


def _in(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def _result(run: Any) -> Any:
    return run.get(timeout=WAIT_S)


def test_an_email_goes_through_the_queue(inbox: Mailbox, broker: Broker) -> None:
    (broker.home / "uploads").mkdir(exist_ok=True)
    (broker.home / "uploads" / "note.txt").write_text("attached")
    run = email_tasks.send_email.delay(
        "Jo <jo@example.org>", "Hello", "Text", html_body="<p>x</p>", attachments=["note.txt"]
    )
    result = _result(run)
    assert (result["outcome"], result["accepted"]) == ("sent", ["jo@example.org"])
    assert inbox.messages[0]["Message-ID"] == result["message_id"] == f"<{run.id}.nexus@localhost>"
    assert [part.get_filename() for part in inbox.messages[0].iter_attachments()] == ["note.txt"]


def test_the_same_task_id_delivered_twice_sends_once(inbox: Mailbox) -> None:
    task_id = uuid4().hex
    kwargs = {"to_email": "a@example.org", "subject": "once", "body": "x"}
    run = email_tasks.send_email.apply_async(kwargs=kwargs, task_id=task_id)
    first = _result(run)
    run.forget()  # a second result would not replace the first
    again = email_tasks.send_email.apply_async(kwargs=kwargs, task_id=task_id)
    assert _result(again) == first
    assert len(inbox.taken) == 1


def test_a_refusal_for_now_is_retried_later(inbox: Mailbox) -> None:
    inbox.mood.rcpt["a@example.org"] = "450 greylisted"
    run = email_tasks.send_email.delay("a@example.org", "x", "y")
    wait_until(lambda: run.state == "RETRY", "the retry", WAIT_S)
    assert "450 greylisted" in str(run.result)


def test_a_refusal_for_good_fails_the_run_with_the_servers_words(inbox: Mailbox) -> None:
    inbox.mood.rcpt["a@example.org"] = "550 no such user"
    with pytest.raises(MailRefused, match="550 no such user"):
        _result(email_tasks.send_email.delay("a@example.org", "x", "y"))


def test_a_batch_goes_through_the_queue(inbox: Mailbox) -> None:
    run = email_tasks.send_bulk_emails.delay(
        recipients=["a@example.org", {"to_email": "b@example.org", "context": {"name": "Bo"}}, "bad"],
        template="welcome",
        context={"name": "you", "product": "Nexus"},
    )
    result = _result(run)
    assert [item["outcome"] for item in result["results"]] == ["sent", "sent", "refused"]
    assert [message["Subject"] for message in inbox.messages] == ["Welcome to Nexus, you", "Welcome to Nexus, Bo"]


def test_a_notification_goes_through_the_queue(inbox: Mailbox) -> None:
    context = {"task_name": "x.y", "task_id": "7", "error": "it <broke>"}
    assert _result(email_tasks.send_notification.delay("a@example.org", "task_failed", context))["outcome"] == "sent"
    assert inbox.messages[0]["Subject"] == "Failed: x.y"


def test_a_scheduled_email_is_sent_once_however_often_beat_looks(inbox: Mailbox) -> None:
    scheduled = _result(email_tasks.send_scheduled_email.delay("a@example.org", "later", "x", send_at=_in(1.5)))
    assert scheduled["state"] == "waiting"
    assert inbox.taken == []

    def look() -> bool:
        email_tasks.send_due_emails.delay()
        email_tasks.send_due_emails.delay()
        return bool(inbox.taken)

    wait_until(look, "the scheduled mail", WAIT_S)
    sent = email_tasks.celery_app.AsyncResult(scheduled["task_id"])
    assert _result(sent)["outcome"] == "sent"
    assert len(inbox.taken) == 1


def test_a_time_in_the_past_means_now(inbox: Mailbox) -> None:
    scheduled = _result(email_tasks.send_scheduled_email.delay("a@example.org", "late", "x", send_at=_in(-3600)))
    assert scheduled["state"] == "queued"
    wait_until(lambda: inbox.taken, "the late mail", WAIT_S)


def test_a_scheduled_email_is_listed_changed_and_cancelled(inbox: Mailbox) -> None:
    scheduled = _result(email_tasks.send_scheduled_email.delay("a@example.org", "weeks", "x", send_at=_in(21 * 86400)))
    schedule_id = scheduled["schedule_id"]
    new_time = _in(22 * 86400)
    changed = _result(email_tasks.change_scheduled_email.delay(schedule_id, send_at=new_time, subject="more weeks"))
    assert (changed["subject"], changed["send_at"]) == ("more weeks", new_time)
    listed = _result(email_tasks.list_scheduled_emails.delay())["scheduled"]
    assert [(item["schedule_id"], item["subject"]) for item in listed] == [(schedule_id, "more weeks")]
    assert _result(email_tasks.cancel_scheduled_email.delay(schedule_id))["state"] == "cancelled"
    assert _result(email_tasks.list_scheduled_emails.delay())["scheduled"] == []


# Refused before anything is queued


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"to_email": "a@b, evil@c"}, "to_email: "),
        ({"to_email": ["a@example.org", "bad"]}, "to_email: 'bad'"),
        ({"subject": "x\r\nBcc: e@example.org"}, "subject: .*line break"),
        ({"cc": "x y"}, "cc: "),
        ({"from_email": "a@b, c@d"}, "from_email: "),
        ({"body": None}, "body: "),
        ({"priority": 3}, "priority: no such argument"),
    ],
)
def test_wrong_arguments_are_refused_where_they_are_submitted(kwargs: dict[str, Any], words: str) -> None:
    right = {"to_email": "a@example.org", "subject": "s", "body": "b"}
    with pytest.raises(InvalidArgument, match=words):
        email_tasks.send_email.delay(**(right | kwargs))


@pytest.mark.parametrize(("name", "error"), [("gone.txt", FileMissing), ("../broker.password", PathNotAllowed)])
def test_attachments_are_checked_where_they_are_submitted(name: str, error: type[Exception]) -> None:
    with pytest.raises(error, match="attachments: "):
        email_tasks.send_email.delay("a@example.org", "s", "b", attachments=[name])


def test_a_time_without_a_zone_is_refused_where_it_is_submitted() -> None:
    with pytest.raises(InvalidArgument, match=r"send_at: .*has no time zone"):
        email_tasks.send_scheduled_email.delay("a@example.org", "s", "b", send_at="2030-01-31T09:00:00")


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"recipients": ["a@example.org"]},
        {"recipients": ["a@example.org"], "subject": "s"},
        {"recipients": [], "template": "welcome"},
        {"messages": []},
        {"messages": [{"to_email": "a", "subject": "s", "body": "b"}], "recipients": ["a@example.org"]},
        {"recipients": ["a@example.org"], "template": "welcome", "body": "b"},
    ],
)
def test_a_batch_of_nothing_or_of_two_kinds_is_refused(kwargs: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        email_tasks.send_bulk_emails.delay(**kwargs)


def test_a_missing_value_of_a_template_is_refused_where_it_is_submitted() -> None:
    with pytest.raises(InvalidArgument, match="'product' is missing"):
        email_tasks.send_notification.delay("a@example.org", "welcome", {"name": "Jo"})


def test_a_change_of_nothing_is_refused_where_it_is_submitted() -> None:
    with pytest.raises(InvalidArgument, match="nothing to change"):
        email_tasks.change_scheduled_email.delay("some-id")


def test_called_directly_without_a_server_mail_goes_to_the_outbox(broker: Broker) -> None:
    result = email_tasks.send_email("a@example.org", "s", "b")
    assert result["outcome"] == "outbox"
    assert result["outputs"]["eml_file"].startswith(str(broker.home / "outbox"))


def test_a_batch_that_needs_more_time_goes_on_in_a_run_of_the_same_id(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def slow(post: Any, drafts: Any, key: str, *rest: Any, **options: Any) -> dict[str, Any]:
        calls.append(key)
        if len(calls) < 6:
            raise Unfinished(len(calls), 6)
        return {"outcome": "sent"}

    monkeypatch.setattr(mail_runs, "send_all", slow)
    run = email_tasks.send_bulk_emails.apply(kwargs={"recipients": ["a@example.org"], "subject": "s", "body": "b"})
    assert run.get() == {"outcome": "sent"}
    assert calls == [run.id] * 6


def test_every_argument_of_every_task_has_help() -> None:
    tasks = [task for name, task in email_tasks.celery_app.tasks.items() if name.startswith("workers.email_tasks.")]
    assert len(tasks) == 8
    silent = [(task.name, row.name) for task in tasks for row in arguments.parameters(task.run) if not row.help]
    assert silent == []
