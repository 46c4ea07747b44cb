"""The built wheel in environments of its own: clean-room tests and the benchmark of its size."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.harness.places import ROOT

FOLDER = ROOT / ".peers"
"""Environments are kept here between runs; what is not of the wheel itself is installed once."""

_TOOLS = frozenset({"pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils", "_virtualenv"})
_PARTS = ("celery_nexus", "nexus_tui", "pyproject.toml", "README.md", "LICENSE")


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def packages(self) -> Path:
        """Its folder of installed packages."""
        return next((self.folder / "lib").glob("python3*/site-packages"))

    def names(self) -> list[str]:
        """Names of the installed distributions, without the installer's own."""
        found = {path.name.partition("-")[0].lower() for path in self.packages.glob("*.dist-info")}
        return sorted(found - _TOOLS)

    def megabytes(self) -> float:
        """Size of what is installed, without the installer's own and compiled files."""
        sizes = (
            path.lstat().st_size
            for path in self.packages.rglob("*")
            if path.is_file() and path.suffix != ".pyc" and not self._is_tool(path)
        )
        return sum(sizes) / 1e6

    def _is_tool(self, path: Path) -> bool:
        return re.split(r"[-.]", path.relative_to(self.packages).parts[0])[0] in _TOOLS

    def run(
        self, *command: str, folder: Path, timeout_s: float = 60, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment that knows nothing of the checkout."""
        clean = {"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TERM": "dumb"}
        return subprocess.run(
            [str(self.folder / "bin" / command[0]), *command[1:]],
            cwd=folder,
            env={**clean, **variables},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout, from a copy."""
    source = folder / "source"
    source.mkdir(parents=True)
    for name in _PARTS:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / name)
    _pip(Path(sys.executable), "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source))
    return next(folder.glob("celery_nexus-*.whl"))


def interpreters(minor: int) -> Iterator[Path]:
    """Find interpreters of Python 3.``minor`` that can make environments."""
    found = shutil.which(f"python3.{minor}")
    managed = sorted((Path.home() / ".pyenv" / "versions").glob(f"3.{minor}.*/bin/python3.{minor}"))
    for path in (*([Path(found)] if found else []), *managed):
        works = subprocess.run([str(path), "-c", "import ensurepip, venv"], capture_output=True, check=False)
        if works.returncode == 0:
            yield path


def make_environment(
    python: Path, name: str, requirements: tuple[str, ...], *, own: tuple[str, ...] = ()
) -> Environment:
    """Make an environment with what is required, or take the one that an earlier run made.

    Args:
        python: Its interpreter.
        name: What it is for.
        requirements: As for pip.
        own: Wheels that are installed anew each time, without what they need.
    """
    mark = hashlib.sha256("\n".join((str(python), *requirements)).encode()).hexdigest()[:12]
    environment = Environment(FOLDER / f"{name}-{mark}")
    if not (environment.folder / "complete").exists():
        shutil.rmtree(environment.folder, ignore_errors=True)
        _make(python, environment.folder)
        _install(environment.python, *requirements)
        (environment.folder / "complete").touch()
    if own:
        _install(environment.python, "--no-deps", "--force-reinstall", *own)
    return environment


def requirements_of(wheel: Path, *extras: str) -> tuple[str, ...]:
    """Read what a wheel requires, with some of its extras."""
    code = (
        "import sys\n"
        "from importlib.metadata import PathDistribution\n"
        "from zipfile import Path as Zip\n"
        "root = Zip(sys.argv[1])\n"
        "info = next(path for path in root.iterdir() if path.name.endswith('.dist-info'))\n"
        "for line in PathDistribution(info).requires or ():\n"
        "    print(line)\n"
    )
    said = subprocess.run([sys.executable, "-c", code, str(wheel)], capture_output=True, text=True, check=True).stdout
    marks = {f'extra == "{extra}"' for extra in extras}
    lines = [line.partition(";") for line in said.splitlines()]
    chosen = [name.strip() for name, _, marker in lines if not marker or marker.strip() in marks]
    return tuple(sorted(line for line in chosen if not line.startswith("celery-nexus")))


def _make(python: Path, folder: Path) -> None:
    if uv := shutil.which("uv"):
        _run(uv, "venv", "--quiet", "--python", str(python), str(folder))
    else:
        _run(str(python), "-m", "venv", str(folder))


def _install(python: Path, *words: str) -> None:
    if uv := shutil.which("uv"):
        _run(uv, "pip", "install", "--quiet", "--python", str(python), *words)
    else:
        _pip(python, "install", *words)


def _pip(python: Path, *words: str) -> None:
    _run(str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", *words)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment(), cwd="/")
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()[-2000:]}")


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
