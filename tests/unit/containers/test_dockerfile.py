"""The Dockerfile: stages, user, health check, and that it copies what there is and nothing else."""

from __future__ import annotations

import fnmatch
import json
import shlex

import pytest

from tests.harness.containers import Instruction, read_dockerfile
from tests.harness.places import ROOT

BUILD, IMAGE = read_dockerfile((ROOT / "Dockerfile").read_text())


def words_of(stage: list[Instruction], name: str) -> list[str]:
    return [instruction.words for instruction in stage if instruction.name == name]


def copied() -> list[str]:
    """What is copied out of the checkout."""
    found = [shlex.split(words)[:-1] for words in words_of(BUILD, "COPY") if "--from" not in words]
    return [name.removeprefix("./") for names in found for name in names]


def is_ignored(name: str) -> bool:
    """Whether .dockerignore keeps a name out; its last line that matches counts."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text().split("\n"):
        pattern = line.strip()
        if pattern and not pattern.startswith("#") and fnmatch.fnmatch(name, pattern.lstrip("!").removeprefix("**/")):
            ignored = not pattern.startswith("!")
    return ignored


def test_what_is_built_with_is_not_in_the_image() -> None:
    assert [stage[0].words for stage in (BUILD, IMAGE)] == [
        "python:3.11-slim-bookworm AS build",
        "python:3.11-slim-bookworm",
    ]
    assert all(words.startswith("--from=build ") for words in words_of(IMAGE, "COPY"))


def test_every_package_is_locked() -> None:
    installs = [words for words in words_of(BUILD, "RUN") if "pip install" in words]
    assert all("--require-hashes -r requirements.lock" in words or "--no-deps" in words for words in installs)


def test_it_runs_as_nobody_in_particular_in_a_home_of_its_own() -> None:
    assert words_of(IMAGE, "USER") == ["10001:10001"]
    names = [instruction.name for instruction in IMAGE]
    assert "RUN" not in names[names.index("USER") :]
    assert "install -d -o nexus -g nexus -m 0700 /var/lib/nexus" in words_of(IMAGE, "RUN")[-1]
    assert words_of(IMAGE, "VOLUME") == ["/var/lib/nexus"]


def test_its_programs_get_the_signals_themselves() -> None:
    [command] = words_of(IMAGE, "CMD")
    assert json.loads(command)[:4] == ["celery", "-A", "config.celery_config", "worker"]
    assert words_of(IMAGE, "ENTRYPOINT") == []


def test_it_has_a_health_check() -> None:
    [check] = words_of(IMAGE, "HEALTHCHECK")
    assert json.loads(check.partition(" CMD ")[2]) == ["nexus-tui", "probe", "broker"]


def test_what_it_copies_is_there_and_not_ignored() -> None:
    assert "config" in copied()
    assert [name for name in copied() if not (ROOT / name).exists() or is_ignored(name)] == []


@pytest.mark.parametrize("name", [".env", ".git", ".venv", "var", "tests", "benchmarks", "config/__pycache__"])
def test_what_is_secret_or_of_this_machine_stays_out(name: str) -> None:
    assert is_ignored(name) or is_ignored(name.rpartition("/")[2])


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("RUN x\nFROM a\n", "line 1: RUN stands before the first FROM"),
        ("FROM a\nRUNN x\n", "line 2: 'RUNN x' is no instruction"),
        ("FROM a\nRUN x \\\n", "line 2: the file ends in the middle"),
        ("FROM a\nCMD\n", "line 2: 'CMD' is no instruction"),
    ],
)
def test_a_dockerfile_that_is_none_is_refused_with_its_line(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        read_dockerfile(text)


def test_an_instruction_goes_on_over_lines_and_comments() -> None:
    [stage] = read_dockerfile("# c\nFROM a\nRUN x \\\n  # c\n  && y\n")
    assert stage == [Instruction(2, "FROM", "a"), Instruction(3, "RUN", "x && y")]
