"""The AI tasks in a real worker, on a real broker, against a local provider."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from celery.result import AsyncResult

from tests.harness.llm_server import LlmServer, Mood, llm_server
from tests.harness.processes import begin_worker, clean_environment, end, start
from tests.harness.servers import Broker
from tests.harness.stack import environment
from tests.harness.stack import run as nexus
from tests.harness.waiting import wait_until
from workers.errors import NotConfigured

KEY_CANARY = "sk-ant-CANARYKEY0123456789"
PROMPT_CANARY = "CANARYPROMPT"
ANSWER_CANARY = "CANARYANSWER"

pytestmark = pytest.mark.usefixtures("worker")


@dataclass
class Worker:
    """A worker of the AI queue and its log."""

    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """End the worker and its children as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)


def start_ai_worker(broker: Broker, server: LlmServer, log: Path) -> Worker:
    environment = clean_environment(
        NEXUS_HOME=str(broker.home),
        NEXUS_DELIVERY="stock",  # what a killed worker held comes back when a test says so
        ANTHROPIC_API_KEY=KEY_CANARY,
        ANTHROPIC_BASE_URL=server.url,
    )
    words = ("-Q", "ai_queue", "-c", "2", "-l", "DEBUG")
    told: dict[str, Any] = {"environment": environment, "log": log, "is_leader": True}
    process = begin_worker("config.celery_config", *words, node="ai@test", **told)
    wait_until(
        lambda: unlimited() or (process.poll() is not None and pytest.fail(log.read_text()[-2000:])), timeout_s=60
    )
    return Worker(process, log)


def unlimited() -> bool:
    """Take the family's rate limit off the running worker; False while it doesn't answer."""
    from config.celery_config import celery_app
    from workers import ai_tasks

    tasks = (ai_tasks.claude_completion, ai_tasks.batch_ai_requests, ai_tasks.chat_completion)
    replies = [celery_app.control.rate_limit(task.name, "0", reply=True, timeout=2, limit=1) for task in tasks]
    return all(replies)


@pytest.fixture(scope="module")
def server() -> Iterator[LlmServer]:
    with llm_server() as running:
        running.answer = lambda _body: f"This is {ANSWER_CANARY} speaking"
        yield running


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ai") / "worker.log"


@pytest.fixture(scope="module")
def worker(broker: Broker, server: LlmServer, log: Path) -> Iterator[Worker]:
    running = start_ai_worker(broker, server, log)
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        running.process.wait(60)


def dump(broker: Broker) -> dict[str, str]:
    """Everything in the broker, by key."""
    client = redis.Redis.from_url(broker.url, decode_responses=True, encoding_errors="replace")
    readers: dict[str, Callable[[str], Any]] = {
        "string": client.get,
        "hash": client.hgetall,
        "list": lambda key: client.lrange(key, 0, -1),
        "set": client.smembers,
        "zset": lambda key: client.zrange(key, 0, -1),
        "stream": client.xrange,
        "none": lambda _key: "",  # gone since it was listed
    }
    keys: list[str] = list(client.scan_iter())
    return {key: str(readers[str(client.type(key))](key)) for key in keys}


def test_a_completion_leaves_no_key_prompt_or_answer_in_logs_events_and_records(
    broker: Broker, server: LlmServer, log: Path
):
    from workers.ai_tasks import claude_completion

    run = claude_completion.delay(f"Please {PROMPT_CANARY} now", system=f"{PROMPT_CANARY} rules", max_tokens=50)
    result = run.get(timeout=30)
    wait_until(lambda: f"{run.id}] succeeded" in log.read_text())
    found = dump(broker)

    assert result["content"] == f"This is {ANSWER_CANARY} speaking"
    assert result["usage"] == {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
    assert server.requests[-1][1]["authorization"] == f"Bearer {KEY_CANARY}"
    record = json.loads(found[f"celery-task-meta-{run.id}"])
    assert record["args"] == ["‹private, 23 characters›"]
    assert record["kwargs"] == {"system": "‹private, 18 characters›", "max_tokens": 50}
    for canary in (KEY_CANARY, PROMPT_CANARY):
        assert [key for key, value in found.items() if canary in value] == []
        assert canary not in log.read_text()
    holding_answer = {key for key, value in found.items() if ANSWER_CANARY in value}
    assert holding_answer == {f"celery-task-meta-{run.id}", f"nexus:ai:answers:{run.id}"}
    assert ANSWER_CANARY not in log.read_text()


def test_inspect_and_events_show_no_prompt_of_a_message_by_a_foreign_sender(broker: Broker, server: LlmServer):
    from config.celery_config import celery_app

    server.moods["slow one"] = [Mood(wait_s=3)]
    run = celery_app.send_task("workers.ai_tasks.claude_completion", [f"{PROMPT_CANARY} slow one"], queue="ai_queue")
    active: list[Any] = []

    def is_active() -> bool:
        replies = celery_app.control.broadcast("active", reply=True, timeout=2, limit=1) or []
        active[:] = [item for reply in replies for items in reply.values() for item in items if item["id"] == run.id]
        return bool(active)

    wait_until(is_active)
    assert active[0]["args"] == ["‹private, 21 characters›"]
    run.get(timeout=30)
    wait_until(lambda: [key for key, value in dump(broker).items() if PROMPT_CANARY in value] == [])


def test_a_rate_limit_is_waited_for_by_celery_and_not_by_a_child(server: LlmServer):
    from workers.ai_tasks import claude_completion

    server.moods["limited"] = [Mood(status=429, kind="rate_limit_error", headers=(("retry-after", "2"),))]
    run = claude_completion.delay("limited")
    wait_until(lambda: run.state == "RETRY")
    assert run.get(timeout=30)["content"].startswith("This is")
    assert server.bill["limited"] == 1
    assert AsyncResult(run.id).retries == 1


def test_a_streaming_answer_shows_its_progress_on_the_command_line(broker: Broker, server: LlmServer, log: Path):
    from workers.ai_tasks import claude_completion

    server.moods["drip"] = [Mood(text="word " * 200, drip_s=1.5)]  # in five pieces
    command = ("-m", "celery_nexus.history.recorder", "-A", "config.celery_config")
    recorder = start(*command, environment=environment(broker.home), log=log.with_name("recorder.log"))
    try:
        run = claude_completion.delay("drip")
        seen: list[Any] = []

        def has_progress() -> bool:
            shown = nexus(broker.home, "nexus-tui", "task", run.id, "--json")
            seen[:] = [shown.json["progress"]] if shown.code == 0 and shown.json.get("progress") else []
            return bool(seen)

        wait_until(has_progress)
        assert 200 <= seen[0]["done"] <= 1000
        assert seen[0]["total"] is None
        assert "characters" in seen[0]["note"]
        run.get(timeout=30)
    finally:
        end(recorder)


def test_a_task_delivered_again_after_its_end_is_not_paid_again(server: LlmServer):
    from workers.ai_tasks import chat_completion

    messages = [{"role": "user", "content": "once only"}]
    first = chat_completion.apply_async((messages,), task_id="delivered-twice").get(timeout=30)
    AsyncResult("delivered-twice").forget()
    again = chat_completion.apply_async((messages,), task_id="delivered-twice").get(timeout=30)
    assert again == first
    assert server.bill["once only"] == 1


def test_a_provider_without_a_key_fails_at_once_and_names_the_variable():
    from workers.ai_tasks import openai_completion

    with pytest.raises(NotConfigured, match="OPENAI_API_KEY"):
        openai_completion.delay("hello").get(timeout=30)


def test_a_batch_killed_in_the_middle_is_not_paid_twice(broker: Broker, server: LlmServer, worker: Worker):
    from workers.ai_tasks import batch_ai_requests

    prompts = [f"item {number}" for number in range(8)]
    server.moods["item 4"] = [Mood(wait_s=60)]
    batch_ai_requests.apply_async((prompts,), {"parallel": 1}, task_id="killed-batch")
    wait_until(lambda: [body for _, _, body in server.requests if body["messages"][-1]["content"] == "item 4"])
    worker.kill()
    replacement = start_ai_worker(broker, server, worker.log)
    worker.process = replacement.process
    result = batch_ai_requests.apply_async((prompts,), {"parallel": 1}, task_id="killed-batch").get(timeout=60)

    statuses = [outcome["status"] for outcome in result["results"]]
    assert statuses == ["succeeded"] * 4 + ["unknown"] + ["succeeded"] * 3
    asked = [body["messages"][-1]["content"] for _, _, body in server.requests]
    assert [asked.count(prompt) for prompt in prompts] == [1] * 8
