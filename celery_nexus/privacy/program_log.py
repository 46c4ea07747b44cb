"""Log lines of our programs: secrets masked, control characters inert.

A log is read with ``cat``, ``tail -f`` and ``supervisorctl tail`` as well as in the dashboard: what a document, a
server or a client put into a message must not reach the terminal as a command of it.
"""

from __future__ import annotations

import logging
import sys

from celery_nexus.privacy.masking import mask_text

MAX_LINE = 100_000
"""Longest entry of a log, in characters."""

_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_formatter = logging.Formatter()
_ESCAPES = {
    code: ascii(chr(code))[1:-1]
    for code in (*range(0x20), *range(0x7F, 0xA0), 0x061C, *range(0x200B, 0x2010), *range(0x2028, 0x202F),
                 *range(0x2060, 0x2070), 0xFEFF)
    if chr(code) not in "\n\t"
}  # fmt: skip
"""Control characters, also C1, and those that change the direction of text or hide in it."""


class MaskingFilter(logging.Filter):
    """Masks a record's text, and the traceback that belongs to it, before a handler writes it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, masked and inert."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):  # wrong arguments: the handler reports that itself
            return True
        shown = _shown(text)
        if shown != text:
            record.msg, record.args = shown, None
        if record.exc_info and not record.exc_text:
            record.exc_text = _shown(_formatter.formatException(record.exc_info))
        return True


def mask_logger(logger: logging.Logger) -> None:
    """Put the filter before every handler of a logger."""
    for handler in logger.handlers:
        if not any(isinstance(item, MaskingFilter) for item in handler.filters):
            handler.addFilter(MaskingFilter())


def begin_log() -> None:
    """Let this program log to standard error, which Supervisor writes to its file."""
    logging.basicConfig(level=logging.INFO, format=_FORMAT, stream=sys.stderr)
    mask_logger(logging.getLogger())


def _shown(text: str) -> str:
    text = mask_text(text, MAX_LINE)
    return text if text.isascii() and text.isprintable() else text.translate(_ESCAPES)
