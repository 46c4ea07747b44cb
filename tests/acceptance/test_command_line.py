"""The command line as scripts use it: shapes, exit codes, one line of error."""

from __future__ import annotations

import docx
import pytest

from config.queues import QUEUES
from tests.harness.stack import RunningStack
from tests.harness.waiting import wait_until

HEALTH = "workers.maintenance_tasks.health_check"
WORD = "workers.file_tasks.process_word_document"
QUEUE_FIELDS = {
    "name", "waiting", "by_priority", "in_flight", "delayed", "oldest_age_s", "in_per_s",
    "out_per_s", "consumers", "paused",
}  # fmt: skip
RUN_FIELDS = {
    "id", "task", "state", "queue", "priority", "worker", "sent_at", "received_at", "started_at", "finished_at",
    "waited_s", "ran_s", "retries", "args", "kwargs", "result", "error", "traceback",
}  # fmt: skip
WORKER_FIELDS = {
    "name", "verdict", "reason", "queues", "pool", "concurrency", "active", "reserved", "processed", "cpu_percent",
    "rss_bytes", "heartbeat_at", "program",
}  # fmt: skip


def test_queues_lists_the_registry_with_ten_priorities_each(stack: RunningStack) -> None:
    rows = stack.nexus("queues", "--json").json
    assert [row["name"] for row in rows][: len(QUEUES)] == [spec.name for spec in QUEUES]
    for row in rows:
        assert set(row) >= QUEUE_FIELDS
        assert len(row["by_priority"]) == 10


def test_a_queue_shows_its_messages_in_run_order(stack: RunningStack) -> None:
    assert stack.nexus("stop", "default", "--yes").code == 0
    try:
        levels = (5, 0, 9, 5)
        ids = [submitted(stack, "--priority", str(level)) for level in levels]
        shown = stack.nexus("queues", "default_queue", "--json").json
        mine = [message for message in shown["messages"] if message["id"] in ids]
        assert [message["id"] for message in mine] == [ids[1], ids[0], ids[3], ids[2]]
        assert [message["priority"] for message in mine] == [0, 5, 5, 9]
        assert {"id", "task", "priority", "age_s", "args", "kwargs"} <= set(mine[0])
        assert 0 <= mine[0]["age_s"] < 120
        moved = stack.nexus("priority", ids[2], "0", "--front", "--yes", "--json")
        assert [(row["target"], row["done"]) for row in moved.json] == [(ids[2], True)]
        assert moved.json[0]["message"] == "moved to the front of priority 0"
        assert stack.nexus("queues", "default_queue", "--json").json["messages"][0]["id"] == ids[2]
        assert stack.nexus("revoke", *ids, "--yes").code == 0
        left = stack.nexus("queues", "default_queue", "--json").json["messages"]
        assert not {message["id"] for message in left} & set(ids)
    finally:
        assert stack.nexus("start", "default", "--yes").code == 0
    wait_until(lambda: all(state(stack, run_id) == "REVOKED" for run_id in ids))


def test_workers_are_named_with_their_program_and_verdict(stack: RunningStack) -> None:
    rows = wait_until(lambda: [r for r in stack.nexus("workers", "--json").json if r["program"]])
    assert {row["program"] for row in rows} == {spec.program for spec in QUEUES}
    for row in rows:
        assert set(row) >= WORKER_FIELDS
    one = stack.nexus("workers", "email", "--json").json
    assert (one["program"], one["queues"], one["concurrency"]) == ("workers:email", ["email_queue"], 4)


def test_submit_wait_gives_the_result(stack: RunningStack) -> None:
    document = docx.Document()
    document.add_paragraph("three little words")
    document.save(str(stack.home / "uploads" / "words.docx"))
    done = stack.nexus("submit", WORD, "--kwargs", '{"file_path": "words.docx"}', "--wait", "--json")
    assert done.code == 0, done.err
    assert set(done.json) == {"id", "task", "queue", "priority", "state", "result"}
    assert done.json["result"]["outputs"]["stats"]["words"] == 3
    run = wait_until(lambda: (shown := stack.nexus("task", done.json["id"][:13], "--json")).code == 0 and shown.json)
    assert isinstance(run, dict)
    assert set(run) >= RUN_FIELDS
    run = wait_until(lambda: (row := stack.nexus("task", done.json["id"], "--json").json)["finished_at"] and row)
    assert (run["state"], run["queue"], run["priority"]) == ("SUCCESS", "file_processing_queue", 5)
    assert run["kwargs"] == {"file_path": "words.docx"}
    assert run["sent_at"] <= run["received_at"] <= run["started_at"] <= run["finished_at"]


def test_submit_wait_of_a_failing_run_exits_1_with_its_error(stack: RunningStack) -> None:
    (stack.home / "uploads" / "empty.docx").write_bytes(b"")
    failed = stack.nexus("submit", WORD, "--kwargs", '{"file_path": "empty.docx"}', "--wait", "--json")
    assert failed.code == 1
    assert failed.json["state"] == "FAILURE"
    assert "unsupported_format" in failed.json["error"] or "corrupt" in failed.json["error"]
    rows = wait_until(lambda: stack.nexus("tasks", "state:failure", "--json").json)
    assert failed.json["id"] in [row["id"] for row in rows]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["submit", "no.such.task"], 4, "no task 'no.such.task'"),
        (["submit", "proces_pdf"], 4, "did you mean workers.file_tasks.process_pdf?"),
        (["submit", "process_pdf"], 2, "file_path: missing"),
        (["submit", WORD], 2, "file_path: missing"),
        (["submit", WORD, "--kwargs", '{"file_path": 3}'], 2, "file_path"),
        (["submit", HEALTH, "--kwargs", '{"mode": 1}'], 2, "mode: no such argument"),
        (["submit", WORD, "--kwargs", '{"file_path": "../secret"}'], 2, "path_not_allowed"),
        (["submit", WORD, "--kwargs", '{"file_path": "/etc/passwd"}'], 2, "path_not_allowed"),
        (["submit", WORD, "--kwargs", '{"file_path": "gone.docx"}'], 2, "not_found"),
        (["submit", WORD, "--kwargs", "{"], 2, "--kwargs is not JSON"),
        (["submit", WORD, "--kwargs", "[]"], 2, "--kwargs must be an object"),
        (["submit", HEALTH, "--priority", "10"], 2, "outside 0 (first) … 9 (last)"),
        (["submit", HEALTH, "--queue", "nowhere"], 4, "no queue 'nowhere'"),
        (["submit", HEALTH, "--eta", "tomorrow"], 2, "no ISO 8601 time"),
        (["submit", HEALTH, "--eta", "2030-01-01T00:00:00"], 2, "has no zone"),
        (["queues", "nowhere"], 4, "no queue 'nowhere'"),
        (["workers", "nobody"], 4, "no worker 'nobody'"),
        (["task", "ffffffff-ffff"], 4, "ffffffff-ffff"),
        (["tasks", "state:"], 2, ""),
        (["priority", "abc", "high", "--yes"], 2, "'high' is no priority"),
        (["stop", "workers:nobody", "--yes"], 4, ""),
        (["stop", "workers:ai"], 5, "not confirmed"),
        (["--read-only", "stop", "workers:ai", "--yes"], 5, "read-only"),
        (["submit", HEALTH, "--read-only"], 5, "read-only"),
        (["queues", "--broker", "redis://127.0.0.1:1/0"], 3, "redis://127.0.0.1:1/0"),
        (["frobnicate"], 2, "frobnicate"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_what_can_not_be_done_is_said_with_its_exit_code(
    stack: RunningStack, arguments: list[str], code: int, words: str
) -> None:
    refused = stack.nexus(*arguments)
    assert refused.code == code, refused.err
    assert words in refused.err + refused.out
    assert "Traceback" not in refused.err


def test_a_run_that_nobody_knows_can_not_be_revoked(stack: RunningStack) -> None:
    unknown = "ffffffff"
    refused = stack.nexus("revoke", unknown, "--yes", "--json")
    assert refused.code == 4
    assert refused.json == [{"target": unknown, "done": False, "message": "no such run"}]


def test_config_names_each_setting_with_its_source_and_masks_secrets(stack: RunningStack) -> None:
    settings = stack.nexus("config", "--json", NEXUS_SMTP_URL="smtp://bob:hunter2@localhost").json
    assert settings["home"] == {"value": str(stack.home), "source": "environment NEXUS_HOME"}
    assert settings["upload_root"] == {"value": str(stack.home / "uploads"), "source": "default"}
    assert "hunter2" not in str(settings)
    assert ":***@" in settings["redis_url"]["value"]


def submitted(stack: RunningStack, *options: str) -> str:
    return stack.nexus("submit", HEALTH, "--json", *options).json["id"]


def state(stack: RunningStack, run_id: str) -> str:
    shown = stack.nexus("task", run_id, "--json")
    return shown.json["state"] if shown.code == 0 else ""
