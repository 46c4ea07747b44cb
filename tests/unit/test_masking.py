"""Secrets never pass :func:`celery_nexus.privacy.masking.mask`, and what is no secret stays readable."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from celery_nexus.privacy.masking import MAX_TEXT, MAX_TOTAL, mask, mask_text
from celery_nexus.privacy.secret_names import SECRET_NAMES, is_secret_name

_KEYS = (
    "sk-ant-CANARY",
    "sk-ant-api03-AbCdEf0123456789_-AbCdEf",
    "sk-proj-AbCdEf0123456789AbCdEf",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_0123456789abcdefghij0123456789abcdef",
    "github_pat_11ABCDEFG0123456789_abcdefghij",
    "xoxb-123456789012-abcdefghijkl",
    "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "sk_live_0123456789abcdefghij",
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("key", _KEYS)
@pytest.mark.parametrize("frame", ["{}", "use {} please", "('{}',)", "x={}&y=1", "[{}]", '"{}"', "a\n{}\nb"])
def test_a_key_is_masked_wherever_it_stands_in_a_text(key: str, frame: str) -> None:
    masked = mask_text(frame.format(key))
    assert key not in masked
    assert "***" in masked


def test_what_stands_around_a_key_stays_readable() -> None:
    assert mask_text("call with sk-ant-CANARY now") == "call with *** now"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:hunter2@host:6379/0", "redis://:***@host:6379/0"),
        ("smtp+starttls://me:p%40ss@mail.example.org:587", "smtp+starttls://me:***@mail.example.org:587"),
        ("see https://u:a/b@c@example.org/x", "see https://u:***@example.org/x"),
        ("http://localhost:8080/@scope/name", "http://localhost:8080/@scope/name"),
        ("https://example.org/a:b", "https://example.org/a:b"),
    ],
)
def test_the_password_of_a_url_is_masked_and_nothing_else(url: str, shown: str) -> None:
    assert mask_text(url) == shown


def test_a_private_key_is_masked_whole() -> None:
    body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7\n"
    pem = f"-----BEGIN RSA PRIVATE KEY-----\n{body}-----END RSA PRIVATE KEY-----"
    assert mask_text(f"before\n{pem}\nafter") == "before\n***\nafter"


def test_a_private_key_that_was_cut_is_masked_to_the_end() -> None:
    assert mask_text("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqh") == "***"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=hunter2", "password=***"),
        ("?token=abc&page=2", "?token=***&page=2"),
        ("{'smtp_password': 'hunter 2', 'to': 'a'}", "{'smtp_password': ***, 'to': 'a'}"),
        ('{"api_key": "a\\"b", "n": 1}', '{"api_key": ***, "n": 1}'),
        ('"{\\"secret\\": \\"x y\\", \\"n\\": 1}"', '"{\\"secret\\": ***, \\"n\\": 1}"'),
        ('{"api_keys": ["abc", "def"]}', '{"api_keys": ***}'),
        ("{'password': 'hunter2 and then it was cu", "{'password': ***"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("X-Api-Key: abc", "X-Api-Key: ***"),
        ("Set-Cookie: a=b; c=d", "Set-Cookie: ***"),
        ("got Bearer abcdef123456 back", "got Bearer *** back"),
    ],
)
def test_a_value_assigned_to_a_secret_name_is_masked_in_text(text: str, shown: str) -> None:
    assert mask_text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "invalid_argument: password: missing; expected text",
        "the bearer authentication and the basic authentication",
        "token_count=5, max_tokens: 100",
        "compass=north, monkey: brown, broken=1 of 2",
        "task-management-and-more, risk-analysis-of-things",
        "Reset your password today",
        "Grüße, 2026-11-22 10:30 at https://example.org:443/",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize(
    "name",
    ["password", "smtpPassword", "SMTP_PASSWORD", "X-Api-Key", "password2", "new.password", "dbpassword",
     "clientSecret", "Authorization", "password_confirmation", "refresh-token", "set-cookie", "apiKey",
     "AWS_SECRET_ACCESS_KEY"],
)  # fmt: skip
def test_secret_names_are_known_in_every_spelling(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["token_count", "max_tokens", "tokens", "input_tokens", "author", "key", "sort_key", "public_key", "compass",
     "secretary", "to_email", "", "1", "…", "secret_santa_list", "passed", "password_required"],
)  # fmt: skip
def test_harmless_names_are_not_taken_for_secret(name: str) -> None:
    assert not is_secret_name(name)


def test_values_of_secret_names_are_masked_at_any_depth_and_of_any_kind() -> None:
    value = {"a": [{"password": 1234, "user": "u"}], "credentials": {"x": "y"}, "api_keys": ["a", "b"]}
    assert mask(value) == {"a": [{"password": "***", "user": "u"}], "credentials": "***", "api_keys": "***"}


def test_numbers_and_flags_that_are_no_secrets_stay() -> None:
    value = {"token_count": 5, "pass": 12, "fail": 3, "secret": False, "token": None, "ratio": 0.5}
    assert mask(value) == value


def test_headers_as_pairs_and_as_named_objects_are_masked() -> None:
    pair, named = ["X-Api-Key", "abc"], {"name": "Authorization", "value": "abc"}
    assert mask([pair, named]) == [["X-Api-Key", "***"], {"name": "Authorization", "value": "***"}]


def test_a_key_as_the_name_of_a_field_is_masked() -> None:
    assert mask({"sk-ant-CANARY": 1}) == {"***": 1}


def test_the_value_given_stays_untouched() -> None:
    value = {"password": "x", "list": ["sk-ant-CANARY"]}
    mask(value)
    assert value == {"password": "x", "list": ["sk-ant-CANARY"]}


def test_what_is_no_json_becomes_the_name_of_its_type() -> None:
    assert mask({"o": object(), "b": b"abc", "t": (1, 2)}) == {"o": "<object>", "b": "<3 bytes>", "t": [1, 2]}


def test_a_long_text_is_cut_and_says_so() -> None:
    assert mask_text("ab " * 10_000) == "ab " * 3333 + "a… (20000 more characters)"


def test_a_key_on_the_edge_of_a_cut_shows_no_part_of_itself() -> None:
    key = "sk-ant-" + "K" * 60
    for gap in range(MAX_TEXT - 80, MAX_TEXT + 1100, 7):
        assert "KKK" not in mask_text("a " * (gap // 2) + key + " tail" * 2000)


def test_a_huge_value_is_cut_as_a_whole() -> None:
    masked = mask([["x" * MAX_TEXT] * 200] * 200)
    assert len(json.dumps(masked)) < 2 * MAX_TOTAL


def test_a_circle_ends() -> None:
    circle: list[Any] = []
    circle.append(circle)
    assert "…" in json.dumps(mask(circle), ensure_ascii=False)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine makes them slowly
@given(json_values)
def test_any_json_value_is_masked_to_a_json_value_and_masking_again_changes_nothing(value: Any) -> None:
    once = mask(value)
    json.dumps(once)
    assert mask(once) == once


@given(st.text())
def test_any_text_is_masked_without_failing(text: str) -> None:
    assert isinstance(mask_text(text), str)


@given(st.sampled_from(sorted(SECRET_NAMES)), st.text(min_size=1), st.sampled_from(["{}", "my_{}", "X-{}", "{}2"]))
def test_no_text_under_a_secret_name_passes(name: str, secret: str, frame: str) -> None:
    assert mask({frame.format(name): secret}) == {frame.format(name): "***"}


@given(
    st.sampled_from(["password", "api_key", "client_secret"]), st.text(st.characters(categories=("L", "N")), min_size=8)
)
def test_no_secret_passes_in_the_printed_form_of_arguments(name: str, secret: str) -> None:
    for text in (repr({name: secret}), json.dumps({name: secret}), json.dumps(json.dumps({name: secret}))):
        assert secret not in mask_text(text).replace(name, "")


@given(st.text(max_size=60), st.sampled_from(_KEYS), st.text(max_size=60))
def test_a_key_between_any_other_text_is_masked(before: str, key: str, after: str) -> None:
    assert key not in mask({"text": f"{before} {key} {after}"})["text"]
