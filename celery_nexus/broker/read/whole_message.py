"""Full view of one message: its body decoded, its secrets masked."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any, cast

from celery_nexus.application_code import ApplicationCode
from celery_nexus.broker.wire.decode import decode
from celery_nexus.privacy.masking import mask, mask_text
from celery_nexus.privacy.secret_text import MASK
from celery_nexus.rows.broker import Message

if TYPE_CHECKING:
    from celery import Celery

_BODY = re.compile(r'("body"\s*:\s*")[A-Za-z0-9+/=]{16,}')
"""The body in what is no JSON, as when it was cut: base64 hides what is in it from the mask, not from a reader."""


def show_message(raw: bytes, code: ApplicationCode) -> tuple[str, bool]:
    """Write a message as one line, and tell whether something in it was masked.

    Args:
        raw: Its bytes, whatever they are.
        code: The application's, whose tasks say which arguments are private.
    """
    try:
        envelope = json.loads(raw)
    except (ValueError, RecursionError):
        text = raw.decode("utf-8", "backslashreplace")
        shown = mask_text(_BODY.sub(r"\1…", text))
        return shown, shown != text
    if not isinstance(envelope, dict):
        return _compared(envelope, mask(envelope))
    message = decode(raw, queue="", priority=0, position=0, now=0)
    opened = {**cast("dict[str, Any]", envelope), "body": _body(envelope, message)}
    shown = mask(opened)
    app = None if message.args is None else code.app_of(message.task)
    if app is not None:
        shown["body"] = _redacted(app, message)
    return _compared(opened, shown)


def _body(envelope: Any, message: Message) -> Any:
    if message.args is not None:
        return [message.args, message.kwargs]
    body = envelope.get("body")
    try:
        return base64.b64decode(body, validate=True).decode()
    except (TypeError, ValueError, binascii.Error):
        return f"{len(body):,} characters, not opened: {message.problem}" if isinstance(body, str) else body


def _redacted(app: Celery, message: Message) -> Any:
    from celery_nexus.history.capture.redaction import redact_arguments

    return list(redact_arguments(app, message.task, message.args or [], message.kwargs or {}))


def _compared(value: Any, shown: Any) -> tuple[str, bool]:
    text = json.dumps(shown, ensure_ascii=False)
    is_masked = text.count(MASK) > json.dumps(value, ensure_ascii=False).count(MASK)
    return text, is_masked or "‹private" in text
