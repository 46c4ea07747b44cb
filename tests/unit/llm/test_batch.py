"""Batches: an outcome for each request, and nothing paid for twice."""

from __future__ import annotations

from typing import Any

from tests.harness.llm_server import LlmServer, Mood
from workers.errors import NotConfigured
from workers.services.llm.batch import BatchRun, Item, run_batch
from workers.services.llm.kept import Kept, KeptHere
from workers.services.llm.models import Voice

VOICE = Voice("openai", "model-x", timeout_s=10)


def items(*prompts: str) -> list[Item]:
    return [Item(index, None, VOICE.question(prompt)) for index, prompt in enumerate(prompts)]


def run(batch: list[Item], kept: Kept, **options: Any) -> BatchRun:
    settings: dict[str, Any] = {"parallel": 1} | options
    return run_batch(batch, kept, "task-1", **settings)


def statuses(done: BatchRun) -> list[str]:
    assert done.result
    return [outcome["status"] for outcome in done.result["results"]]


def test_each_request_has_its_own_outcome_in_order(double: LlmServer):
    double.moods = {"two": [Mood(status=400)]}
    batch = [*items("one", "two", "three"), Item(3, "mine", NotConfigured("no key"))]
    done = run(batch, KeptHere(), parallel=4)
    assert statuses(done) == ["succeeded", "failed", "succeeded", "failed"]
    assert done.result
    assert done.result["stats"] == {"total": 4, "succeeded": 2, "failed": 2, "unknown": 0}
    assert done.result["usage"]["total_tokens"] == 24
    assert [outcome.get("error", {}).get("code") for outcome in done.result["results"]] == [
        None, "provider_refused", None, "not_configured",
    ]  # fmt: skip


def test_a_rate_limit_ends_the_run_and_the_next_one_goes_on(double: LlmServer):
    kept = KeptHere()
    double.moods = {"two": [Mood(status=429, headers=(("retry-after", "7"),))]}
    batch = items("one", "two", "three")
    first = run(batch, kept)
    assert (first.result, first.left, first.wait_s) == (None, 2, 7)
    assert statuses(run(batch, kept)) == ["succeeded"] * 3
    assert double.bill == {"one": 1, "two": 1, "three": 1}


def test_a_request_that_keeps_failing_is_given_up_after_four_tries(double: LlmServer):
    kept = KeptHere()
    double.moods = {"one": [Mood(status=500)] * 10}
    batch = items("one")
    assert [run(batch, kept).left for _ in range(4)] == [1, 1, 1, 0]
    assert statuses(run(batch, kept)) == ["failed"]
    assert len(double.requests) == 4


def test_a_request_under_way_when_the_worker_was_killed_is_reported_and_not_sent_again(double: LlmServer):
    kept = KeptHere()
    batch = items("one", "two")
    kept.claim(batch[0].name)
    assert statuses(run(batch, kept)) == ["unknown", "succeeded"]
    assert double.bill == {"two": 1}


def test_a_request_under_way_when_the_worker_was_killed_is_sent_again_if_wished(double: LlmServer):
    kept = KeptHere()
    batch = items("one")
    kept.claim(batch[0].name)
    assert statuses(run(batch, kept, after_kill="ask_again")) == ["succeeded"]


def test_a_changed_request_is_asked_anew(double: LlmServer):
    kept = KeptHere()
    run(items("one"), kept)
    run(items("uno"), kept)
    assert double.bill == {"one": 1, "uno": 1}


def test_requests_carry_a_key_of_task_and_index(double: LlmServer):
    run(items("one", "two"), KeptHere())
    assert [headers["idempotency-key"] for _, headers, _ in double.requests] == ["task-1-0", "task-1-1"]


def test_a_run_without_time_left_settles_at_least_one_request(double: LlmServer):
    done = run(items("one", "two"), KeptHere(), budget_s=-1)
    assert (done.left, done.advanced, done.wait_s) == (1, True, 0)


def test_progress_counts_settled_requests(double: LlmServer):
    seen: list[tuple[int, int | None]] = []
    run(items("one", "two"), KeptHere(), progress=lambda done, total, note="": seen.append((done, total)))
    assert seen == [(0, 2), (1, 2), (2, 2)]
