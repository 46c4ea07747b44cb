"""Notifications: the templates beside this module, filled with a caller's values.

A template is two files: ``NAME.txt``, whose first line is ``Subject: …``, and ``NAME.html``. Values are data,
never templates; HTML is escaped; the sandbox keeps templates from reaching into objects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from celery_nexus.task_errors import InvalidArgument
from workers.services.storage import spell_name

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import ImmutableSandboxedEnvironment

TemplateName = Literal[
    "welcome",
    "verify_email",
    "password_reset",
    "task_completed",
    "task_failed",
    "report_ready",
    "system_alert",
    "maintenance_notice",
]
"""The templates that exist; forms offer them as a choice."""

FOLDER = Path(__file__).parent / "templates"
_SUBJECT = "Subject: "


@dataclass(frozen=True)
class Notification:
    """A filled template."""

    subject: str
    text: str
    html: str


def names() -> list[str]:
    """List the templates that exist."""
    return sorted(path.stem for path in FOLDER.glob("[!_]*.txt"))


def variables(template: str) -> list[str]:
    """List the values that a template can use, needed or not; its HTML uses the same ones."""
    from jinja2 import meta

    environment = _environment()
    found: set[str] = set()
    for name in (f"{template}.txt", "_layout.html"):
        found |= meta.find_undeclared_variables(environment.parse(_source(name)))
    return sorted(found - {"self"})


def render(template: str, context: Mapping[str, Any]) -> Notification:
    """Fill a template.

    Raises:
        InvalidArgument: There is no such template, a value is missing or of the wrong kind; names it.
    """
    from jinja2 import TemplateError, UndefinedError

    if template not in names():
        raise InvalidArgument(f"template: there is no {spell_name(template, 60)!r}; possible: {', '.join(names())}")
    values = {name: value for name, value in context.items() if value is not None}
    try:
        subject, text, html = (part.render(values) for part in _parts(template))
    except UndefinedError as error:
        raise InvalidArgument(
            f"context: {_missing(error)} for template {template!r}; it can use: {', '.join(variables(template))}"
        ) from None
    except (TemplateError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        reason = spell_name(str(error), 200)
        raise InvalidArgument(f"context: a value does not fit template {template!r}: {reason}") from None
    return Notification(_one_line(subject), text.strip() + "\n", html)


def _missing(error: Exception) -> str:
    name = re.match(r"'([^']+)' is undefined", str(error))
    return f"{name[1]!r} is missing" if name else spell_name(str(error), 200)


def _one_line(subject: str) -> str:
    """A value with line breaks must not end the header."""
    return " ".join(subject.split())[:900]


def _web_url(value: Any) -> str:
    url = str(value)
    if not re.match(r"(?i)(https?://|mailto:)[^\s\"<>]+\Z", url):
        raise ValueError(f"{url[:80]!r} is no web address (https://…)")
    return url


def _is_html(name: str | None) -> bool:
    return name is not None and name.endswith(".html")


def _source(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


@lru_cache(maxsize=64)
def _parts(template: str) -> tuple[Template, Template, Template]:
    """Subject, text and HTML; apart, so that a value can't end the subject."""
    environment = _environment()
    subject, _, text = _source(f"{template}.txt").removeprefix(_SUBJECT).partition("\n\n")
    return environment.from_string(subject), environment.from_string(text), environment.get_template(f"{template}.html")


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(FOLDER),
        autoescape=_is_html,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["web_url"] = _web_url
    return environment
