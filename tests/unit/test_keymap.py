"""Keys that the user chose herself."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.binding import Binding, BindingsMap

from nexus_tui.app import NexusApp
from nexus_tui.places import list_places
from nexus_tui.preferences.keymap import name_of, parse_keys, read_keys, rebind, use_keymap, write_keys

PLACES = list_places(list(Binding.make_bindings(NexusApp.BINDINGS)))


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("offer('revoke')", "revoke"),
        ("view('queues')", "view-queues"),
        ("move(1)", "move-1"),
        ("move(-1)", "move-back-1"),
        ("app.focus_next", "focus-next"),
        ("copy_value", "copy-value"),
    ],
)
def test_what_a_binding_does_has_a_name(action: str, name: str) -> None:
    assert name_of(action) == name


def test_names_are_told_apart_by_what_they_do() -> None:
    actions = {binding.action.rpartition(".")[2] for bindings in PLACES.values() for binding in bindings}
    assert len({name_of(action) for action in actions}) == len(actions)


def test_the_usual_keys_are_written_as_lines_that_change_nothing_until_one_loses_its_sign() -> None:
    text = write_keys(PLACES)
    assert parse_keys(text, PLACES) == ({}, [])
    [line] = [line for line in text.splitlines() if line.startswith("# revoke ")]
    assert parse_keys("[keys]\n" + line.removeprefix("# "), PLACES) == ({"revoke": ("K",)}, [])


def test_keys_of_the_file_take_the_place_of_the_usual_ones() -> None:
    keymap, problems = parse_keys('[keys]\nrevoke = "ctrl+x"\nhelp = ["?", "f1"]\nfreeze = []\n', PLACES)
    assert (keymap, problems) == (
        {"revoke": ("ctrl+x",), "help": ("question_mark", "f1"), "freeze": ()},
        [],
    )
    use_keymap(keymap)
    try:
        bound = rebind(
            BindingsMap(
                [
                    Binding("K", "offer('revoke')", "revoke"),
                    Binding("question_mark,h", "help", "keys"),
                    Binding("p", "freeze", "freeze"),
                    Binding("y", "raw", "raw"),
                ]
            )
        )
    finally:
        use_keymap({})
    assert {key: binding.action for key, binding in bound} == {
        "ctrl+x": "offer('revoke')",
        "question_mark": "help",
        "f1": "help",
        "y": "raw",
    }


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[keys]\n\nrevok = "X"', 3, "nothing is called 'revok' (did you mean revoke?)"),
        ('[keys]\nrevoke = "hyper+x"', 2, "'hyper+x' is no key"),
        ("[keys]\nrevoke = 7", 2, "'7' is no key"),
        ('[keys]\nhelp = "escape"', 2, "escape keeps its meaning"),
        ('[keys]\nhelp = "f1"\nrevoke = "B"', 3, "B is the key of priority as well (Tasks)"),
        ('[keys]\nfilter = "3"', 2, "3 is the key of view-tasks as well"),
        ('[keys]\nfilter = "j"', 2, "j is the key of move-1 as well"),
        ("[more]\na = 1", 1, "more is not [keys]"),
        ("[keys\n", 1, "Expected"),
    ],
)
def test_a_mistake_or_conflict_is_refused_with_its_line_and_reason(text: str, line: int, words: str) -> None:
    _, problems = parse_keys(text, PLACES)
    assert problems
    assert problems[0][0] == line
    assert words in problems[0][1]


def test_two_that_change_places_are_no_conflict() -> None:
    assert parse_keys('[keys]\nsort = "o"\nreverse = "s"\n', PLACES)[1] == []


def test_of_a_file_with_a_mistake_nothing_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "nexus").mkdir()
    (tmp_path / "nexus" / "keys.toml").write_text('[keys]\nhelp = "f1"\nrevoke = "escape"\n')
    found = read_keys(PLACES)
    assert (found.keymap, found.problems) == ({}, ("keys.toml line 3: escape keeps its meaning",))
