"""The user's file of saved filters."""

from __future__ import annotations

from pathlib import Path

import pytest

from celery_nexus.connection.errors import ConfigError
from nexus_tui.preferences.saved_filters import filters_path, read_filters, remove_filter, save_filter

EVIL = 'a "b" \\ \t\x1b]0;x\x07 \u202e é 語 \x7f = [x] # y'


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_without_a_file_there_are_none() -> None:
    assert read_filters() == {}


def test_what_is_saved_is_read_again_whatever_is_in_it_and_only_by_its_owner() -> None:
    save_filter("tasks", 'new "one"', EVIL)
    save_filter("queues", "deep", "waiting:>100")
    save_filter("queues", "deep", "waiting:>200")
    assert read_filters() == {"tasks": {'new "one"': EVIL}, "queues": {"deep": "waiting:>200"}}
    assert filters_path().stat().st_mode & 0o777 == 0o600


def test_one_is_removed_and_the_others_stay() -> None:
    save_filter("tasks", "a", "x")
    save_filter("tasks", "b", "y")
    remove_filter("tasks", "a")
    assert read_filters() == {"tasks": {"b": "y"}}


@pytest.mark.parametrize("name", ["", "\x1b", "x" * 61])
def test_a_name_that_can_not_be_shown_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="a name has 1 to 60 visible characters"):
        save_filter("tasks", name, "x")


@pytest.mark.parametrize(
    ("text", "words"),
    [("[tasks\n", "line 1"), ("a = 1\n", "a stands outside of a table"), ("[tasks]\na = 1\n", "must be a text")],
)
def test_a_file_that_is_wrong_is_named_and_never_overwritten(text: str, words: str) -> None:
    filters_path().parent.mkdir()
    filters_path().write_text(text)
    with pytest.raises(ConfigError, match=words):
        save_filter("tasks", "b", "y")
    assert filters_path().read_text() == text
