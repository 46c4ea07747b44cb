"""Types of the mail tasks' arguments: checked where a task is submitted and again where it starts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from workers.services.mail import addresses, attachments, message, scheduled
from workers.upload_path import UploadPath


def _named(check: Callable[[Any, str], object]) -> AfterValidator:
    """Check a value with its argument's name for the error, and keep it as it is."""

    def validate(value: Any, info: ValidationInfo) -> Any:
        check(value, info.field_name or "argument")
        return value

    return AfterValidator(validate)


def _subject(value: str, _: str) -> str:
    return message.check_subject(value)


def _within_limit(value: list[str], _: str) -> int:
    return attachments.check_total(value)


def _spelled(value: Any) -> Any:
    # Celery's JSON brings a datetime back as one
    return value.isoformat() if isinstance(value, datetime) else value


Addresses = Annotated[str | list[str], _named(addresses.parse_all)]
"""One mailbox, or a list of them."""

Sender = Annotated[str, _named(addresses.parse)]
Subject = Annotated[str, _named(_subject)]
Text = Annotated[str, _named(message.check_text)]
Attachments = Annotated[list[UploadPath], _named(_within_limit)]
SendAt = Annotated[str, BeforeValidator(_spelled), _named(scheduled.parse_time)]
"""An ISO 8601 time with its zone."""
