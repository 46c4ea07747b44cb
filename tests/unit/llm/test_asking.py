"""Every outcome of a call, over the wire, with both SDKs."""

from __future__ import annotations

import logging
import pickle
import time
from dataclasses import replace

import pytest

from celery_nexus.task_errors import TaskError, TooLarge, TransientError
from tests.harness.llm_server import LlmServer, Mood
from tests.unit.llm.conftest import KEY
from workers.errors import BadAnswer, NotConfigured, ProviderRefused, TimedOut
from workers.services.llm.asking import ask
from workers.services.llm.choices import Provider
from workers.services.llm.questions import Question

PROMPT = "Tell me about the CANARY-PROMPT-42 and nothing else"

each_provider = pytest.mark.parametrize("provider", ["claude", "openai"])


def question(provider: Provider, prompt: str = PROMPT, timeout_s: float = 10) -> Question:
    return Question(provider, "model-x", ({"role": "user", "content": prompt},), timeout_s=timeout_s)


def failure(provider: Provider, timeout_s: float = 10) -> TaskError:
    with pytest.raises(TaskError) as caught:
        ask(question(provider, timeout_s=timeout_s))
    return caught.value


@each_provider
def test_an_answer_has_its_text_model_stop_reason_and_tokens(double: LlmServer, provider: Provider):
    answer = ask(question(provider)).as_dict()
    assert answer.pop("latency_s") > 0
    assert answer == {
        "content": "Hello from the double",
        "provider": provider,
        "model": "model-x",
        "stop_reason": "end_turn" if provider == "claude" else "stop",
        "usage": {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12},
        "warnings": [],
    }


@each_provider
def test_limits_are_sent_only_when_given(double: LlmServer, provider: Provider):
    ask(question(provider))
    ask(replace(question(provider), max_tokens=77, temperature=0.0, system="Be brief"))
    plain, limited = (body for _, _, body in double.requests)
    name = "max_tokens" if provider == "claude" else "max_completion_tokens"
    assert "temperature" not in plain
    assert plain.get(name) == (4096 if provider == "claude" else None)
    assert (limited[name], limited["temperature"]) == (77, 0.0)
    system = limited["system"] if provider == "claude" else limited["messages"][0]
    assert system == ("Be brief" if provider == "claude" else {"role": "system", "content": "Be brief"})


@each_provider
def test_progress_tells_the_characters_so_far(double: LlmServer, provider: Provider):
    heard: list[int] = []
    ask(question(provider), lambda done, total, note="": heard.append(done))
    assert heard[-1] == len("Hello from the double")
    assert len(heard) > 3


@each_provider
def test_a_gateway_that_does_not_stream_is_understood(double: LlmServer, provider: Provider):
    double.script = [Mood(plain=True)]
    answer = ask(question(provider))
    assert (answer.content, answer.usage.total_tokens) == ("Hello from the double", 12)


@each_provider
@pytest.mark.parametrize(
    ("status", "kind"), [(408, "timeout_error"), (409, "conflict"), (429, "rate_limit_error"), (500, "api_error"),
                         (503, "unavailable"), (529, "overloaded_error")]
)  # fmt: skip
def test_what_can_pass_by_itself_is_transient_and_asked_once(
    double: LlmServer, provider: Provider, status: int, kind: str
):
    double.script = [Mood(status=status, kind=kind)]
    error = failure(provider)
    assert type(error) is TransientError
    assert error.retry_after_s is None
    assert len(double.requests) == 1


@each_provider
@pytest.mark.parametrize(
    ("header", "wait_s"), [("1", 1), ("3600", 900), ("99999999999", 900), ("-5", None), ("nan", None), ("0", None),
                           ("soon", None), ("Fri, 31 Dec 2100 23:59:59 GMT", 900), ("1000000000", 900),
                           ("Fri, 31 Dec 1999 23:59:59 GMT", None), ("Fri, 99 Dec 99999 99:99:99 GMT", None),
                           ("1 Jan 99999999999 00:00:00", None)]
)  # fmt: skip
def test_retry_after_is_handed_on_up_to_15_minutes_and_never_slept(
    double: LlmServer, provider: Provider, header: str, wait_s: float | None
):
    double.script = [Mood(status=429, kind="rate_limit_error", headers=(("retry-after", header),))]
    error = failure(provider)
    assert isinstance(error, TransientError)
    assert error.retry_after_s == wait_s


@each_provider
def test_a_used_up_quota_is_final(double: LlmServer, provider: Provider):
    double.script = [Mood(status=429, kind="insufficient_quota")]
    assert isinstance(failure(provider), ProviderRefused)


@each_provider
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_final_and_names_the_variable(double: LlmServer, provider: Provider, status: int):
    double.script = [Mood(status=status, kind="authentication_error", message=f"invalid x-api-key {KEY}")]
    error = failure(provider)
    assert isinstance(error, ProviderRefused)
    assert {"claude": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}[provider] in str(error)
    assert "CANARY" not in str(error)


@each_provider
@pytest.mark.parametrize(
    ("status", "message"), [(400, "prompt is too long: 300000 tokens > 200000 maximum"), (413, "request_too_large")]
)
def test_a_prompt_too_long_is_final(double: LlmServer, provider: Provider, status: int, message: str):
    double.script = [Mood(status=status, kind="invalid_request_error", message=message)]
    assert isinstance(failure(provider), TooLarge)


@each_provider
def test_an_unknown_model_is_named(double: LlmServer, provider: Provider):
    double.script = [Mood(status=404, kind="not_found_error", message="no")]
    error = failure(provider)
    assert isinstance(error, ProviderRefused)
    assert "'model-x'" in str(error)


@each_provider
def test_a_refused_request_says_the_provider_s_words_on_one_harmless_line(double: LlmServer, provider: Provider):
    words = "temperature: must be\x1b[31m at most\n1"
    double.script = [Mood(status=400, kind="invalid_request_error", message=words)]
    assert "temperature: must be [31m at most 1" in str(failure(provider))


@each_provider
def test_an_error_never_quotes_the_prompt_nor_holds_the_sdk_s_exception(double: LlmServer, provider: Provider):
    double.script = [Mood(status=400, kind="invalid_request_error", message=f"bad input: {PROMPT[:40]}")]
    error = failure(provider)
    assert "CANARY" not in str(error)
    assert (error.__cause__, error.__context__) == (None, None)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@each_provider
@pytest.mark.parametrize(
    ("kind", "expected"), [("overloaded_error", TransientError), ("rate_limit_error", TransientError),
                           ("server_error", TransientError), ("invalid_request_error", ProviderRefused)]
)  # fmt: skip
def test_an_error_in_the_middle_of_a_stream_is_read_by_its_type(
    double: LlmServer, provider: Provider, kind: str, expected: type[TaskError]
):
    double.script = [Mood(fail_after=4, kind=kind)]
    assert type(failure(provider)) is expected


@each_provider
def test_a_broken_connection_is_transient(double: LlmServer, provider: Provider):
    double.script = [Mood(reset=True)]
    assert type(failure(provider)) is TransientError


@each_provider
def test_nobody_listening_is_transient_and_names_the_address_variable(
    double: LlmServer, provider: Provider, monkeypatch: pytest.MonkeyPatch
):
    variable = {"claude": "ANTHROPIC_BASE_URL", "openai": "OPENAI_BASE_URL"}[provider]
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    error = failure(provider)
    assert type(error) is TransientError
    assert variable in str(error)


@each_provider
def test_a_hang_ends_with_the_wall_clock_and_is_transient(double: LlmServer, provider: Provider):
    double.script = [Mood(wait_s=30)]
    started = time.monotonic()
    assert type(failure(provider, timeout_s=1)) is TransientError
    assert time.monotonic() - started < 10


@each_provider
def test_a_slow_drip_ends_with_the_wall_clock(double: LlmServer, provider: Provider):
    double.script = [Mood(drip_s=0.3, text="x" * 100_000)]
    started = time.monotonic()
    assert isinstance(failure(provider, timeout_s=2), TimedOut)
    assert time.monotonic() - started < 10


@each_provider
@pytest.mark.parametrize(
    ("mood", "kind"),
    [
        (Mood(body=b"{}"), "malformed"),
        (Mood(body=b"[1]"), "malformed"),
        (Mood(body=b'{"content": 3, "choices": [null]}'), "malformed"),
        (Mood(body=b'{"id": "msg_1", "content": [{"ty'), "truncated"),
        (Mood(body=b""), "truncated"),
        (Mood(cut_after=4), "truncated"),
        (Mood(cut_after=0), "malformed"),
        (Mood(text=""), "empty"),
        (Mood(text=" \n"), "empty"),
        (Mood(text="", plain=True), "empty"),
        (Mood(text="", stop="max_tokens"), "empty"),
    ],
)
def test_unusable_answers_are_told_apart_and_final(double: LlmServer, provider: Provider, mood: Mood, kind: str):
    double.script = [mood]
    error = failure(provider)
    assert isinstance(error, BadAnswer)
    assert str(error).startswith(f"bad_answer: {kind}: ")
    assert len(double.requests) == 1


@each_provider
@pytest.mark.parametrize("plain", [False, True])
def test_a_refusal_is_an_answer_that_says_so(double: LlmServer, provider: Provider, plain: bool):
    double.script = [Mood(text="I can't help with that", refusal=True, plain=plain)]
    answer = ask(question(provider))
    assert answer.warnings == ("refused",)
    assert answer.content == "I can't help with that"


@each_provider
@pytest.mark.parametrize("plain", [False, True])
def test_an_answer_at_the_limit_of_tokens_says_that_it_is_cut_off(double: LlmServer, provider: Provider, plain: bool):
    double.script = [Mood(text="Once upon", stop="max_tokens", plain=plain)]
    assert ask(question(provider)).warnings == ("cut_off",)


def test_a_stream_of_openai_without_a_stop_reason_is_whole_when_its_end_is_marked(double: LlmServer):
    double.script = [Mood(stop=None)]
    assert ask(question("openai")).content == "Hello from the double"


@each_provider
def test_without_a_key_the_variable_is_named_and_nothing_is_sent(
    double: LlmServer, provider: Provider, monkeypatch: pytest.MonkeyPatch
):
    variable = {"claude": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}[provider]
    monkeypatch.setenv(variable, "  ")
    error = failure(provider)
    assert isinstance(error, NotConfigured)
    assert variable in str(error)
    assert double.requests == []


@each_provider
def test_a_key_that_no_header_carries_is_not_quoted(
    double: LlmServer, provider: Provider, monkeypatch: pytest.MonkeyPatch
):
    variable = {"claude": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}[provider]
    monkeypatch.setenv(variable, "sk-CANARY\nX: 1")
    error = failure(provider)
    assert isinstance(error, NotConfigured)
    assert "CANARY" not in str(error)


@each_provider
def test_debug_logging_prints_neither_key_nor_prompt(
    double: LlmServer, provider: Provider, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    ask(question(provider))
    assert "CANARY" not in caplog.text
