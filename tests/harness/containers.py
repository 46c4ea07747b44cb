"""compose.yaml and Dockerfile as Docker reads them, so far as ours use it: there is no daemon where the tests run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest

from tests.harness.places import ROOT

yaml: Any = pytest.importorskip("yaml")


_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_REFERENCE = re.compile(rf"\$(?:(\$)|({_NAME})|\{{({_NAME})(?:(:?[-?])([^}}]*))?\}})")


class Unset(Exception):
    """A variable that compose.yaml requires is not set; the message is the file's own."""


@dataclass(frozen=True)
class Service:
    """One service of compose.yaml.

    Attributes:
        name: Its name.
        command: Its program and arguments.
        environment: Its variables; what is passed through and not set is not there.
        check: Program and arguments of its health check.
        stop_grace_s: Seconds between SIGTERM and SIGKILL.
        raw: All of it.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    check: tuple[str, ...]
    stop_grace_s: float
    raw: Mapping[str, Any]


def read_services(variables: Mapping[str, str]) -> dict[str, Service]:
    """Read compose.yaml, its variables put in as Docker does.

    Raises:
        Unset: One that it requires is missing.
    """
    document = _interpolated(yaml.safe_load((ROOT / "compose.yaml").read_text()), variables)
    return {name: _service(name, raw, variables) for name, raw in document["services"].items()}


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Put variables into a text: ``$NAME``, ``${NAME}``, ``${NAME:-default}``, ``${NAME:?message}``; ``$$`` is ``$``.

    Raises:
        Unset: One that is required is missing.
    """

    def value(found: re.Match[str]) -> str:
        dollar, bare, name, kind, words = found.groups()
        if dollar:
            return "$"
        known = variables.get(bare or name)
        if kind and (known is None or (kind.startswith(":") and not known)):
            if kind.endswith("?"):
                raise Unset(f"{name}: {words}")
            return str(words)
        return known or ""

    return _REFERENCE.sub(value, text)


def _interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return interpolate(value, variables)
    if isinstance(value, dict):
        return {key: _interpolated(item, variables) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_interpolated(item, variables) for item in cast("list[Any]", value)]
    return value


def _service(name: str, raw: Mapping[str, Any], variables: Mapping[str, str]) -> Service:
    command = raw["command"]
    given = {key: variables.get(key) if value is None else str(value) for key, value in raw["environment"].items()}
    kind, *words = raw["healthcheck"]["test"]
    return Service(
        name=name,
        command=tuple(shlex.split(command) if isinstance(command, str) else command),
        environment={key: value for key, value in given.items() if value is not None},
        check=("sh", "-c", *words) if kind == "CMD-SHELL" else tuple(words),
        stop_grace_s=float(str(raw["stop_grace_period"]).removesuffix("s")),
        raw=raw,
    )


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile.

    Attributes:
        line: Where it begins; 1 is the first.
        name: In capitals.
        words: What follows, on one line.
    """

    line: int
    name: str
    words: str


def read_dockerfile(text: str) -> list[list[Instruction]]:
    """Split a Dockerfile into its stages, each beginning with its FROM.

    Raises:
        ValueError: Something is no instruction, or stands before the first FROM.
    """
    stages: list[list[Instruction]] = []
    begun, words = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        begun = begun or number
        words += line.strip().removesuffix("\\")
        if line.rstrip().endswith("\\"):
            continue
        name, _, rest = words.strip().partition(" ")
        if name not in _INSTRUCTIONS or not rest.strip():
            raise ValueError(f"line {begun}: {words!r} is no instruction")
        if name == "FROM":
            stages.append([])
        if not stages:
            raise ValueError(f"line {begun}: {name} stands before the first FROM")
        stages[-1].append(Instruction(begun, name, rest.strip()))
        begun, words = 0, ""
    if words:
        raise ValueError(f"line {begun}: the file ends in the middle of an instruction")
    return stages


_INSTRUCTIONS = frozenset(
    {"FROM", "ARG", "ENV", "WORKDIR", "RUN", "COPY", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD", "ENTRYPOINT"}
    | {"LABEL", "STOPSIGNAL", "SHELL"}
)
"""Those of the Dockerfile reference; ADD, MAINTAINER and ONBUILD are not wanted here."""
