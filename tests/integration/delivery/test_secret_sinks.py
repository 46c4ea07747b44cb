"""A secret that is submitted reaches the task, and no other place where somebody may look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.delivery import keys

SECRET = "hunter2Correct9Horse"
POSITIONAL = ("ann", SECRET)
NAMED: dict[str, Any] = {
    "how": f"curl -u ann:{SECRET} https://example.org",
    "azure": f"AccountName=shop;AccountKey={SECRET};EndpointSuffix=core.windows.net",
    "words": ["mysqldump", "--password", SECRET, "shop"],
    "pairs": [["user", "ann"], ["api_key", SECRET]],
    "headers": {"Authorization": f"Bearer {SECRET}"},
    "inner": json.dumps({"password": SECRET}),
}


def nexus(stack: Any, *arguments: str) -> str:
    """Run a command and return all that it prints."""
    done = stack.nexus(*arguments)
    return str(done.out + done.err)


def everything(stack: Any) -> dict[str, bytes]:
    """Read every key of the broker, and every file of the home that is no message's own."""
    found: dict[str, bytes] = {}
    for key in stack.client.scan_iter():
        found[key.decode()] = b"" if stack.client.type(key) == b"none" else stack.client.dump(key) or b""
    for path in Path(stack.home).rglob("*"):
        if path.is_file() and "broker" not in path.relative_to(stack.home).parts:
            found[str(path)] = path.read_bytes()
    return found


def submit(stack: Any, name: str, *args: Any, **kwargs: Any) -> str:
    """Publish by name, as a client does that does not have our code."""
    return str(stack.producer.send_task(name, args, kwargs, priority=5).id)


def failed(stack: Any, run_id: str) -> bool:
    return b'"FAILURE"' in (stack.client.get(f"celery-task-meta-{run_id}") or b"")


@pytest.fixture
def ended(stack: Any) -> str:
    """The id of a run that was retried and failed, its history written."""
    stack.run("-m", "celery_nexus.history.recorder", "-A", "config.celery_config", log="recorder.log")
    stack.worker()
    run_id = submit(stack, "t.login", *POSITIONAL, **NAMED)
    stack.until(lambda: failed(stack, run_id))
    stack.until(lambda: "FAILURE" in nexus(stack, "task", run_id))
    return run_id


def test_no_log_event_record_or_history_holds_it_and_none_holds_a_terminal_command(stack: Any, ended: str) -> None:
    assert stack.count("logged in") == 2
    assert "logging in" in stack.log("w")
    assert "\x1b" not in stack.log("w")
    assert [name for name, data in everything(stack).items() if SECRET.encode() in data] == []
    told = nexus(stack, "task", ended) + nexus(stack, "tasks", "--json") + nexus(stack, "failures")
    assert "ann: {'password': ***}" in told
    assert SECRET not in told
    meta = json.loads(stack.client.get(f"celery-task-meta-{ended}"))
    assert meta["args"] == ["ann", "***"]
    assert meta["kwargs"]["words"] == ["mysqldump", "--password", "***", "shop"]


def test_messages_that_wait_and_dead_letters_are_shown_without_it(stack: Any) -> None:
    run_id = submit(stack, "t.nobody", **NAMED, password=SECRET)
    assert "curl -u ann:***" in nexus(stack, "queues", "default_queue")
    assert SECRET not in nexus(stack, "queues", "default_queue") + nexus(stack, "queues", "default_queue", "--json")
    worker = stack.worker()
    stack.until(lambda: stack.client.zcard(keys.DEAD) == 1)
    worker.kill()
    told = nexus(stack, "dead-letters", "show", run_id) + nexus(stack, "dead-letters", "show", run_id, "--json")
    assert "mysqldump" in told
    assert SECRET not in told
    assert '"raw_base64": null' in told
    assert '"raw_base64": "ey' in nexus(stack, "dead-letters", "show", run_id, "--reveal", "--json")


def test_workers_show_a_running_one_without_it(stack: Any) -> None:
    stack.client.set("hold", 1)
    stack.worker()
    submit(stack, "t.login", *POSITIONAL, **NAMED)
    stack.until(lambda: stack.count("logged in") == 1)
    shown = stack.python("-m", "celery", "-A", "delivery_tasks", "inspect", "active")
    assert "t.login" in shown.out
    assert SECRET not in shown.out + shown.err
