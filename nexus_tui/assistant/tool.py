"""One tool: what an assistant may call, and what it is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from celery_nexus.client import Nexus
from celery_nexus.errors import Invalid

MAX_NAME = 1_000
"""Longest name of a queue, worker or task, and longest id, in characters."""


class Parameters(BaseModel):
    """What a tool takes: nothing that it does not know."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False, frozen=True)


class Page(Parameters):
    """Which rows of many."""

    limit: int = Field(20, ge=1, le=200, description="Rows at most.")
    offset: int = Field(0, ge=0, le=1_000_000, description="Rows to skip: next_offset of the page before.")


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool.

    Attributes:
        name: What it is called by.
        description: When to call it, in a sentence or two.
        parameters: What it takes.
        run: Does it; blocks. Raises errors of the sources.
        is_change: Whether it may change something.
        can_destroy: Whether what it changes can't be taken back.
    """

    name: str
    description: str
    parameters: type[Parameters]
    run: Callable[[Nexus, Any], dict[str, Any]]
    is_change: bool = False
    can_destroy: bool = False

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of what it takes, as short as it can be: assistants read it each time."""
        schema = self.parameters.model_json_schema()
        properties = {name: _shorten(each) for name, each in schema.get("properties", {}).items()}
        needed = {"required": schema["required"]} if "required" in schema else {}
        return {"type": "object", "properties": properties, **needed, "additionalProperties": False}

    def call(self, nexus: Nexus, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
        """Check the arguments and do it. Blocks.

        Raises:
            Invalid: The arguments are not what it takes; one sentence.
            SourceError: What it raises itself.
        """
        try:
            given = self.parameters.model_validate(dict(arguments or {}))
        except ValidationError as error:
            known = ", ".join(self.schema().get("properties", {})) or "nothing"
            raise Invalid(f"{self.name}: {_first_fault(error)}; it takes {known}") from None
        return self.run(nexus, given)


def _shorten(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out titles that repeat names, and that what may be left out may also be null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    own = {name: value for name, value in schema.items() if name not in ("anyOf", "title") and value not in (None, [])}
    return {**kinds[0], **own} if len(kinds) == 1 else own


def _first_fault(error: ValidationError) -> str:
    """Say what is wrong with the first wrong argument, and never its value."""
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part)[:100] for part in fault["loc"])
    match fault["type"]:
        case "extra_forbidden":
            return f"there is no argument {place}"
        case "missing":
            return f"the argument {place} is missing"
        case _:
            return f"{place}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"
