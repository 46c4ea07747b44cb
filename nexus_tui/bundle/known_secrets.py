"""Secrets that are known here by their value: wherever one stands, it is taken out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from celery_nexus.privacy.secret_names import is_secret_name
from celery_nexus.privacy.secret_text import MASK
from celery_nexus.rows.settings import Setting

LEAST_CHARACTERS = 6
"""A shorter one would be found in words that are none."""


class KnownSecrets:
    """Takes secrets out of texts.

    Args:
        values: The secrets, as they were set.
    """

    def __init__(self, values: Iterable[str]) -> None:
        plain = {each for value in values for each in (value, unquote(value))}
        spelled = {each for value in plain for each in (value, quote(value, safe=""), json.dumps(value)[1:-1])}
        self._values = sorted((each for each in spelled if len(each) >= LEAST_CHARACTERS), key=len, reverse=True)

    def mask(self, text: str) -> str:
        """Copy a text without them."""
        for value in self._values:
            text = text.replace(value, MASK)
        return text


def find_in(value: Any) -> Iterator[str]:
    """Yield the secrets in settings: values of secret names, and passwords of URLs."""
    if isinstance(value, Mapping):
        for name, item in cast("Mapping[Any, Any]", value).items():
            if isinstance(item, str) and is_secret_name(str(name)):
                yield item
            yield from find_in(item)
    elif isinstance(value, list | tuple):
        for item in cast("Iterable[Any]", value):
            yield from find_in(item)
    elif isinstance(value, str) and "://" in value:
        for url in value.replace(";", " ").split():
            yield from _find_in_url(url)


def find_in_environment() -> Iterator[str]:
    """Yield the secrets in this process's environment; the name of a file is none, as in ``PWD``."""
    return find_in({name: value for name, value in os.environ.items() if not _is_file(value)})


def find_in_revealed(masked: Iterable[Setting], revealed: Iterable[Setting]) -> Iterator[str]:
    """Yield the secrets of settings that are listed once with and once without them."""
    for shown, bare in zip(masked, revealed, strict=True):
        if shown.value != bare.value and isinstance(bare.value, str):
            yield from find_in(bare.value) if "://" in bare.value else [bare.value]


def _is_file(value: str) -> bool:
    try:
        return value.startswith("/") and Path(value).exists()
    except (OSError, ValueError):  # too long, or no name at all
        return False


def _find_in_url(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
    except ValueError:  # no URL after all
        return
    login, at, _ = parts.netloc.rpartition("@")
    if at and login.partition(":")[2]:
        yield login.partition(":")[2]
    for name, text in parse_qsl(parts.query):
        if is_secret_name(name):
            yield text
