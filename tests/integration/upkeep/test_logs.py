"""What a worker's log holds when secrets, prompts and letters go through it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.harness.waiting import wait_until
from tests.integration.upkeep.conftest import Stack, end

KEY = "sk-ant-CANARY-0123456789abcdef"
PASSWORD = "canary-hunter2-password"
PROMPT = "CANARY-PROMPT about the merger"
LETTER = "CANARY-LETTER, dear reader"


def log_of(stack: Stack) -> str:
    return (stack.paths.home / "programs.log").read_text()


def fail(stack: Stack, task: str, queue: str, **kwargs: Any) -> None:
    sent: Any = stack.app.send_task(task, kwargs=kwargs, queue=queue)
    sent.get(timeout=60, propagate=False)


@pytest.fixture
def elsewhere(stack: Stack) -> Iterator[str]:
    """A queue that a worker with stock delivery takes from."""
    process = stack.worker("elsewhere", "stock@%h", NEXUS_DELIVERY="stock")
    yield "elsewhere"
    end(process)


def test_a_dead_letter_is_logged_without_its_content(stack: Stack, client: redis.Redis) -> None:
    secrets = {"prompt": PROMPT, "api_key": KEY, "body": LETTER}
    stack.app.send_task("workers.lost.task", args=[PASSWORD], kwargs=secrets, queue="default_queue")
    client.lpush("default_queue", json.dumps({"letter": LETTER, "key": KEY}))
    wait_until(lambda: "unknown task: NotRegistered: 'workers.lost.task'" in log_of(stack))
    wait_until(lambda: ": malformed: " in log_of(stack))
    assert [word for word in (PROMPT, KEY, LETTER, PASSWORD) if word in log_of(stack)] == []


def test_an_unregistered_task_is_logged_by_the_names_of_its_arguments(
    stack: Stack, client: redis.Redis, elsewhere: str
) -> None:
    secrets = {"prompt": PROMPT, "api_key": KEY, "body": LETTER}
    stack.app.send_task("workers.gone.task", args=[PASSWORD], kwargs=secrets, queue=elsewhere)
    wait_until(lambda: "unregistered task 'workers.gone.task'" in log_of(stack))
    log = log_of(stack)
    assert "1 arguments by position, by name: api_key, body, prompt" in log
    assert [word for word in (PROMPT, KEY, LETTER, PASSWORD) if word in log] == []


def test_a_message_that_is_no_task_is_logged_without_its_content(
    stack: Stack, client: redis.Redis, elsewhere: str
) -> None:
    properties = {"delivery_mode": 2, "delivery_info": {"exchange": "", "routing_key": elsewhere},
                  "priority": 0, "body_encoding": "base64", "delivery_tag": "odd"}  # fmt: skip
    odd = {"body": base64.b64encode(json.dumps({"letter": LETTER, "key": KEY}).encode()).decode(),
           "content-type": "application/json", "content-encoding": "utf-8", "headers": {"argsrepr": PROMPT},
           "properties": properties}  # fmt: skip
    before = len(log_of(stack))
    client.lpush(elsewhere, json.dumps(odd))
    wait_until(lambda: "values not logged" in log_of(stack)[before:])
    assert [word for word in (PROMPT, KEY, LETTER) if word in log_of(stack)] == []


def test_no_family_logs_secrets_prompts_or_letters(stack: Stack, client: redis.Redis) -> None:
    mail = {"to_email": "a@example.org", "subject": "About it", "body": f"{LETTER} password={PASSWORD}"}
    stack.run("workers.email_tasks.send_email", **mail)
    fail(stack, "workers.email_tasks.send_email", "email_queue", **{**mail, "to_email": f"no address {KEY}"})
    fail(stack, "workers.ai_tasks.claude_completion", "ai_queue", prompt=f"{PROMPT} {KEY}")
    fail(stack, "workers.ai_tasks.claude_completion", "ai_queue", prompt=PROMPT, api_key=KEY)
    records = [{"name": "database", "password": PASSWORD, "note": f"the key is {KEY}"}]
    stack.run("workers.report_tasks.generate_analytics_report", data={"records": records})
    fail(stack, "workers.report_tasks.export_data", "reports_queue", records=records, format=KEY)
    (stack.paths.home / "uploads").mkdir(exist_ok=True)
    (stack.paths.home / "uploads" / "secret.pdf").write_text(f"%PDF-1.4 {KEY}")
    fail(stack, "workers.file_tasks.process_pdf", "file_processing_queue", file_path="secret.pdf", operations=[KEY])
    fail(stack, "workers.file_tasks.process_pdf", "file_processing_queue", file_path=f"{KEY}.pdf")
    fail(stack, "workers.maintenance_tasks.cleanup_old_results", "default_queue", token=KEY)
    log = wait_until(lambda: log_of(stack) if "workers.maintenance_tasks.cleanup_old_results[" in log_of(stack) else "")
    assert "send_email[" in log
    assert [word for word in (KEY, PASSWORD, PROMPT, LETTER) if word in log] == []
