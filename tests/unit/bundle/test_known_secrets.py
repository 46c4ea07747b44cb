"""Secrets that are known by their value are taken out wherever they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from celery_nexus.rows.settings import Setting
from nexus_tui.bundle.known_secrets import KnownSecrets, find_in, find_in_environment, find_in_revealed


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"redis": {"sentinel_kwargs": {"password": "canary-one"}}}, ["canary-one"]),
        ("redis://user:canary-two@host/0", ["canary-two"]),
        ("sentinel://:canary-a@one:1;sentinel://:canary-b@two:2", ["canary-a", "canary-b"]),
        (["amqp://host/?password=canary-three"], ["canary-three"]),
        ("redis://host:6379/0", []),
        ("http://[broken", []),
        ({"pool": 4, "name": "x", "password": None}, []),
    ],
)
def test_settings_tell_their_secrets(settings: object, found: list[str]) -> None:
    assert list(find_in(settings)) == found


def test_the_environment_tells_secrets_and_no_file_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "canary-four")
    monkeypatch.setenv("DATABASE_URL", "postgres://ann:canary-five@db/shop")
    monkeypatch.setenv("PWD", str(tmp_path))
    found = set(find_in_environment())
    assert {"canary-four", "canary-five"} <= found
    assert str(tmp_path) not in found


def test_what_is_listed_otherwise_without_its_secret_is_one() -> None:
    urls = ("smtp://ann:***@mail", "smtp://ann:canary-7@mail")
    masked = [Setting("key", "***", ""), Setting("home", "/var", ""), Setting("mail", urls[0], "")]
    bare = [Setting("key", "canary-six", ""), Setting("home", "/var", ""), Setting("mail", urls[1], "")]
    assert list(find_in_revealed(masked, bare)) == ["canary-six", "canary-7"]


def test_a_secret_is_found_as_it_is_in_a_url_and_in_json() -> None:
    secrets = KnownSecrets(['pa"ss/w:rd ä'])
    assert secrets.mask('set to pa"ss/w:rd ä!') == "set to ***!"
    assert secrets.mask("redis://:pa%22ss%2Fw%3Ard%20%C3%A4@host") == "redis://:***@host"
    assert secrets.mask(json.dumps(['pa"ss/w:rd ä'])) == '["***"]'


def test_the_longest_goes_first_and_what_is_short_stays() -> None:
    assert KnownSecrets(["canary", "canary-long", "guest"]).mask("canary-long guest") == "*** guest"
