"""A secret in any of the shapes in which programs write one never passes the mask; ordinary text does."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celery_nexus.privacy.masking import mask, mask_text

_AZURE = "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={};EndpointSuffix=core.windows.net"
_BUS = "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=root;SharedAccessKey={}"
_SQL = "Server=tcp:db.example.org,1433;Database=shop;User ID=sa;Password={};Encrypt=true"


def _basic(secret: str) -> str:
    return f"Authorization: Basic {base64.b64encode(f'user:{secret}'.encode()).decode()}"


_SHAPES: dict[str, Callable[[str], str]] = {
    "assignment": "password={}".format,
    "assignment in quotes": "password='{}'".format,
    "comparison": "if password == '{}': pass".format,
    "name and colon": "Password: {}".format,
    "yaml block": "password: |\n  {}\n".format,
    "default of a typed parameter": 'def connect(password: str = "{}"):'.format,
    "option with a space": "mysqldump --password {} shop".format,
    "option with an equals sign": "mysqldump --password={} shop".format,
    "option in quotes": "deploy --api-key '{}' --verbose".format,
    "option with one dash": "java -password {} -jar x.jar".format,
    "curl -u": "curl -u admin:{} https://example.org".format,
    "curl -u without a space": "curl -uadmin:{} https://example.org".format,
    "curl -u in quotes": "curl -u 'admin:{}' https://example.org".format,
    "curl --user=": "curl --user=admin:{} https://example.org".format,
    "mysql -p": "mysql -u root -p{} shop".format,
    "sshpass": "sshpass -p {} ssh host".format,
    "list of words": lambda s: str(["mysqldump", "--password", s, "shop"]),
    "list of words as JSON": lambda s: json.dumps(["curl", "-u", f"admin:{s}", "https://example.org"]),
    "dict": lambda s: str({"user": "a", "password": s}),
    "JSON": lambda s: json.dumps({"user": "a", "password": s}),
    "JSON in JSON": lambda s: json.dumps(json.dumps({"user": "a", "password": s, "n": 1})),
    "JSON in JSON in JSON": lambda s: json.dumps(json.dumps(json.dumps({"password": s, "n": 1}))),
    "nested dict": lambda s: str({"credentials": {"user": "a", "inner": {"x": s}}}),
    "nested dict as JSON": lambda s: json.dumps({"credentials": {"user": "a", "inner": [[1], [s]]}, "n": 1}),
    "list under a name": lambda s: str({"api_keys": [["first"], [s]], "n": 1}),
    "tuple under a name": lambda s: str({"passwords": ("first", s)}),
    "pair": lambda s: str(("password", s)),
    "pairs": lambda s: str([("user", "a"), ("password", s), ("host", "h")]),
    "pair as JSON": lambda s: json.dumps([["Authorization", s], ["Accept", "text/html"]]),
    "pairs in JSON in JSON": lambda s: json.dumps(json.dumps([["user", "a"], ["password", s]])),
    "name and value": lambda s: json.dumps({"name": "DB_PASSWORD", "value": s}),
    "bytes": lambda s: str({"password": s.encode()}),
    "call": "Login(user='a', password=SecretStr('{}'))".format,
    "keyword of a call": "connect(host='h', passwd='{}', port=1)".format,
    "environment": "PATH=/usr/bin\nPGPASSWORD={} and more\nHOME=/root".format,
    "environment as a dict": lambda s: f"environ({ {'HOME': '/root', 'AWS_SECRET_ACCESS_KEY': s} })",
    "URL": "postgres://user:{}@db.example.org:5432/shop".format,
    "URL without a user": "redis://:{}@localhost:6379/0".format,
    "query": "https://example.org/?page=1&access_token={}&size=2".format,
    "SAS": "https://shop.blob.core.windows.net/c/b?sv=2024&sig={}&se=2030".format,
    "Azure storage": _AZURE.format,
    "Azure bus": _BUS.format,
    "ODBC": _SQL.format,
    "Basic": _basic,
    "Basic alone": lambda s: _basic(s).partition(": ")[2],
    "Bearer": "Authorization: Bearer {}".format,
    "header of curl": "curl -H 'Authorization: Bearer {}' https://example.org".format,
    "digest": 'Authorization: Digest username="a", response="{}"'.format,
    "cookie": "Cookie: session={}; theme=dark".format,
    "xml": "<db><user>a</user><password>{}</password></db>".format,
    "SQL": "ALTER USER shop IDENTIFIED BY '{}'".format,
    "netrc": "machine example.org login a password {}".format,
    "HTML-escaped JSON": "{{&quot;password&quot;: &quot;{}&quot;}}".format,
    "PEM": "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----".format,
    "PGP": "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{}\n-----END PGP PRIVATE KEY BLOCK-----".format,
    "AWS pair": lambda s: f"AKIAIOSFODNN7EXAMPLE:{(s * 40)[:40]}",
}
_PLAIN = st.text(st.sampled_from("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"), min_size=12, max_size=40)
_HARD = st.text(st.sampled_from("abcXYZ789/+=.!#$%^*~|?-"), min_size=10, max_size=30).map(lambda text: f"hX7{text}q9Z")
_OUTSIDE = ("{}", "failed: {}", "ValueError({!r})", "a\n{}\nb", "x {} y")


def _shown(shape: str, secret: str) -> tuple[str, str]:
    """Write a secret in a shape; return what of it must not be seen, and the text."""
    text = _SHAPES[shape](secret)
    if shape.startswith("Basic"):
        return base64.b64encode(f"user:{secret}".encode()).decode(), text
    return (secret[:40], text) if shape == "AWS pair" else (secret, text)


@pytest.mark.parametrize("frame", _OUTSIDE)
@pytest.mark.parametrize("shape", _SHAPES)
def test_a_secret_is_masked_in_every_shape_and_in_every_text_around_it(shape: str, frame: str) -> None:
    secret, text = _shown(shape, "hunter2Correct9Horse")
    assert secret not in mask_text(frame.format(text))


@given(st.sampled_from(sorted(_SHAPES)), _PLAIN, st.sampled_from(_OUTSIDE))
def test_any_secret_is_masked_in_every_shape(shape: str, plain: str, frame: str) -> None:
    secret, text = _shown(shape, plain)
    assert secret not in mask_text(frame.format(text))


@given(st.sampled_from(["assignment in quotes", "dict", "JSON", "pair", "option in quotes", "list of words"]), _HARD)
def test_a_quoted_secret_may_hold_any_sign(shape: str, secret: str) -> None:
    assert secret not in mask_text(_SHAPES[shape](secret))


@given(st.sampled_from(["JSON in JSON", "JSON in JSON in JSON", "pairs in JSON in JSON"]), st.text(min_size=8))
def test_no_part_of_a_secret_with_quotes_and_backslashes_passes_at_any_level_of_escaping(shape: str, odd: str) -> None:
    secret = f'HEAD{odd}"\'\\MIDDLE\\"{odd}TAIL'
    masked = mask_text(_SHAPES[shape](secret))
    assert not {"HEAD", "MIDDLE", "TAIL"} & {part for part in ("HEAD", "MIDDLE", "TAIL") if part in masked}


@given(st.sampled_from(sorted(_SHAPES)), _PLAIN)
def test_masking_what_is_masked_changes_nothing(shape: str, plain: str) -> None:
    once = mask_text(_shown(shape, plain)[1])
    assert mask_text(once) == once


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (_AZURE.format("abc+/=="), _AZURE.format("***")),
        ("mysqldump --password hunter2 shop", "mysqldump --password *** shop"),
        ("curl -u admin:hunter2 https://example.org", "curl -u admin:*** https://example.org"),
        ("[('user', 'a'), ('password', 'x'), ('n', 1)]", "[('user', 'a'), ('password', ***), ('n', 1)]"),
        ("['mysql', '--password', 'x', 'shop']", "['mysql', '--password', ***, 'shop']"),
        ('{"credentials": {"a": ["}"]}, "n": 1}', '{"credentials": ***, "n": 1}'),
        ("PGPASSWORD=a b c\nHOME=/root", "PGPASSWORD=***\nHOME=/root"),
        ("?sv=2024&sig=a%2Bb&se=2030", "?sv=2024&sig=***&se=2030"),
        ("<password>x</password><n>1</n>", "<password>***</password><n>1</n>"),
        ("password=a,b,user=c", "password=***,user=c"),
        ("got Basic dXNlcjpodW50ZXI= back", "got Basic *** back"),
    ],
)
def test_what_stands_around_a_secret_stays(text: str, shown: str) -> None:
    assert mask_text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "docker run -u 1000:1000 -p 8080:80 image",
        "git push -u origin main; mongosh -u http://localhost:8080/x",
        "basic Configuration and Basic JavaScript for beginners",
        "['username', 'password', 'email']",
        "SELECT password, name FROM users WHERE token IS NULL",
        "--password-file /run/secrets/x --no-pass --verbose",
        "passing: 3, failed: 0, author: Ann, compass: north, monkey: 1",
        "{'token_count': 5, 'max_tokens': 9, 'keyboard': 'de', 'tokens': [1, 2]}",
        "the key to success: work; a pair ('key', 'value'), ('sort_key', 'name')",
        "password: missing; expected text",
        "<password/> is empty, <passwords> too",
        "signing=off design=flat assignment=3",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert mask_text(text) == text


@given(st.text(st.characters(categories=("L", "N", "Zs")), max_size=200))
def test_words_without_any_sign_are_left_alone(text: str) -> None:
    lowered = text.lower()
    if not any(word in lowered for word in ("sk", "pk", "rk", "akia", "asia", "eyj", "bearer", "basic", "aiza")):
        assert mask_text(text) == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (("password", "x"), ["password", "***"]),
        ([["user", "a"], ["password", "x"]], [["user", "a"], ["password", "***"]]),
        ({"a": [("api_key", ["x", "y"])]}, {"a": [["api_key", "***"]]}),
        (["mysqldump", "--password", "x", "shop"], ["mysqldump", "--password", "***", "shop"]),
        (["curl", "-u", "admin:x"], ["curl", "-u", "admin:***"]),
        (["username", "password", "email"], ["username", "password", "email"]),
        ([{"name": "DB_PASSWORD", "value": "x"}], [{"name": "DB_PASSWORD", "value": "***"}]),
        ({"AccountKey": "x", "SharedAccessKey": "y", "n": 1}, {"AccountKey": "***", "SharedAccessKey": "***", "n": 1}),
    ],
)
def test_values_in_pairs_lists_and_objects_are_masked_by_their_names(value: Any, shown: Any) -> None:
    assert mask(value) == shown
