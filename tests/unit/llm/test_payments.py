"""A question that may have been paid is asked again only as declared; what is no answer is named and refused."""

from __future__ import annotations

import gzip
import time
from typing import Any

import pytest

from celery_nexus.task_errors import OutcomeUnknown, TaskError, TransientError
from tests.harness.llm_server import LlmServer, Mood
from tests.unit.llm.conftest import KEY
from workers.errors import BadAnswer, ProviderRefused
from workers.services.llm.asking import ask
from workers.services.llm.batch import Item, run_batch
from workers.services.llm.choices import Provider
from workers.services.llm.kept import KeptHere
from workers.services.llm.questions import Question
from workers.services.llm.several import ask_all, ask_once

VARIABLE = {"claude": "ANTHROPIC_BASE_URL", "openai": "OPENAI_BASE_URL"}
PAGE = b"<!DOCTYPE html><html><head><title>Sign in\n to Proxy</title></head><body>" + b"x" * 5000 + b"</body></html>"
each_provider = pytest.mark.parametrize("provider", ["claude", "openai"])


def question(provider: Provider, prompt: str = "Tell me", timeout_s: float = 10) -> Question:
    return Question(provider, "model-x", ({"role": "user", "content": prompt},), timeout_s=timeout_s)


def failure(provider: Provider, kept: KeptHere | None = None, timeout_s: float = 10) -> TaskError:
    with pytest.raises(TaskError) as caught:
        ask_once(question(provider, timeout_s=timeout_s), kept or KeptHere())
    assert KEY not in str(caught.value)
    return caught.value


@each_provider
@pytest.mark.parametrize("pieces", [1, 4, 5])
def test_a_connection_lost_in_the_middle_of_an_answer_is_final_and_says_that_it_may_be_paid(
    double: LlmServer, provider: Provider, pieces: int
):
    double.script = [Mood(reset_after=pieces)]
    error = failure(provider)
    assert isinstance(error, BadAnswer)
    assert "truncated: the connection to" in str(error)
    assert "may have been paid, so it is not asked again by itself" in str(error)
    assert len(double.requests) == 1


@each_provider
def test_a_question_whose_connection_is_lost_before_an_answer_is_asked_twice_at_most(
    double: LlmServer, provider: Provider
):
    double.script = [Mood(reset=True)] * 4
    kept = KeptHere()
    assert type(failure(provider, kept)) is TransientError
    error = failure(provider, kept)
    assert isinstance(error, OutcomeUnknown)
    assert "asked 2 times, each may have been paid; it is not asked again by itself" in str(error)


@each_provider
def test_a_connection_that_was_never_made_costs_nothing(
    double: LlmServer, provider: Provider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(VARIABLE[provider], "http://127.0.0.1:9")
    kept = KeptHere()
    assert [type(failure(provider, kept)) for _ in range(5)] == [TransientError] * 5


def test_a_question_under_way_when_its_worker_was_killed_is_reported_and_not_asked_again(double: LlmServer):
    kept = KeptHere()
    kept.claim(question("claude").digest)
    error = failure("claude", kept)
    assert isinstance(error, OutcomeUnknown)
    assert "perhaps it was paid" in str(error)
    assert double.requests == []


def test_it_is_asked_again_where_that_is_wanted(double: LlmServer):
    kept = KeptHere(after_kill="ask_again")
    kept.claim(question("claude").digest)
    assert ask_once(question("claude"), kept).content == "Hello from the double"


def test_parts_that_were_answered_before_a_kill_are_taken_up(double: LlmServer):
    kept = KeptHere()
    first, second = question("claude", "one"), question("claude", "two")
    ask_once(first, kept)
    assert len(ask_all([first, second], kept, ends_at=time.monotonic() + 20)) == 2
    assert double.bill == {"one": 1, "two": 1}


def test_a_part_that_comes_twice_is_asked_once(double: LlmServer):
    same = question("claude", "one")
    assert len(ask_all([same, same, same], KeptHere(), ends_at=time.monotonic() + 20)) == 3
    assert double.bill == {"one": 1}


def test_a_refusal_costs_nothing_and_leaves_no_claim(double: LlmServer):
    double.script = [Mood(status=401, kind="authentication_error")]
    kept = KeptHere()
    failure("claude", kept)
    assert ask_once(question("claude"), kept).content == "Hello from the double"


@each_provider
def test_each_question_of_a_task_has_an_idempotency_key_that_its_rerun_repeats(double: LlmServer, provider: Provider):
    double.script = [Mood(status=529), Mood()]
    kept = KeptHere(task_id="task-1")
    failure(provider, kept)
    ask_once(question(provider), kept)
    keys = {headers.get("idempotency-key") for _, headers, _ in double.requests}
    assert keys == {f"task-1-{question(provider).digest[:12]}"}


def test_a_request_of_a_batch_whose_connection_is_lost_is_sent_twice_at_most(double: LlmServer):
    double.script = [Mood(reset=True)] * 6
    kept = KeptHere()
    items = [Item(0, None, question("claude"))]
    results: list[Any] = [run_batch(items, kept, "t").result for _ in range(2)]
    assert results[0] is None
    assert results[1]["stats"]["failed"] == 1
    assert len(double.requests) == 2


@each_provider
@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "text/plain", "application/xml"])
def test_a_page_instead_of_an_answer_is_named_with_its_host(double: LlmServer, provider: Provider, kind: str):
    double.script = [Mood(body=PAGE, content_type=kind)]
    error = failure(provider)
    assert isinstance(error, BadAnswer)
    assert f'malformed: 127.0.0.1 sent {kind.partition(";")[0]} "Sign in to Proxy" instead of JSON' in str(error)
    assert VARIABLE[provider] in str(error)


@each_provider
@pytest.mark.parametrize(("status", "expected"), [(502, TransientError), (404, ProviderRefused)])
def test_an_error_page_is_named_with_its_host(
    double: LlmServer, provider: Provider, status: int, expected: type[TaskError]
):
    double.script = [Mood(status=status, body=PAGE, content_type="text/html")]
    error = failure(provider)
    assert type(error) is expected
    assert '127.0.0.1 sent text/html "Sign in to Proxy" instead of JSON' in str(error)


@each_provider
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_names_both_hosts(double: LlmServer, provider: Provider, status: int):
    target = (("location", f"http://localhost:{double.url.rpartition(':')[2]}/elsewhere?key={KEY}"),)
    double.script = [Mood(status=status, body=b"", headers=target)]
    error = failure(provider)
    assert isinstance(error, ProviderRefused)
    assert f"127.0.0.1 redirects to localhost ({status})" in str(error)
    assert VARIABLE[provider] in str(error)
    assert len(double.requests) == 1


@each_provider
@pytest.mark.parametrize("plain", [True, False])
def test_an_answer_that_is_too_large_is_refused(
    double: LlmServer, provider: Provider, plain: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("workers.services.llm.wire.MAX_ANSWER_BYTES", 100_000)
    double.script = [Mood(text="x" * 200_000, plain=plain)]
    error = failure(provider)
    assert isinstance(error, BadAnswer)
    assert "too_large: " in str(error)


@each_provider
def test_an_answer_that_unpacks_to_too_much_is_refused(
    double: LlmServer, provider: Provider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("workers.services.llm.wire.MAX_ANSWER_BYTES", 100_000)
    double.script = [Mood(body=gzip.compress(b" " * 10_000_000), headers=(("content-encoding", "gzip"),))]
    assert "too_large: 127.0.0.1 sends more than" in str(failure(provider))


@each_provider
def test_an_answer_below_the_limit_is_taken_whole(double: LlmServer, provider: Provider):
    double.script = [Mood(text="x" * 3_000_000, plain=True)]
    assert len(ask(question(provider)).content) == 3_000_000
