"""A message's statements about its run, from headers and body of both task protocols, read without Celery."""

from __future__ import annotations

import base64
import bz2
import json
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from celery_nexus.delivery import validation


@dataclass(frozen=True, slots=True)
class Part:
    """A result that ends with a run: its own, or that of a run that was to follow it in its chain.

    Attributes:
        id: Id of the run.
        group: Id of the group that it is a member of; None when of none.
        place: Its place in the group, as Celery's counters spell it.
    """

    id: str
    group: str | None
    place: str


def fields_of(message: validation.Json) -> validation.Json:
    """Gather the headers, ``args``, ``kwargs``, and ``chord``, ``chain``, ``callbacks``, ``errbacks``.

    Of a body that can't be read nothing is there.
    """
    headers: Any = message.get("headers")
    fields: validation.Json = dict(cast("validation.Json", headers)) if isinstance(headers, dict) else {}
    body = _body(message, fields.get("compression"))
    if isinstance(body, dict):  # protocol 1
        old = cast("validation.Json", body)
        return {**old, "group": old.get("taskset"), **{name: value for name, value in fields.items() if value}}
    parts = cast("list[Any]", body) if isinstance(body, list) else []
    if len(parts) == 3:
        embed = cast("validation.Json", parts[2]) if isinstance(parts[2], dict) else {}
        fields |= {"args": parts[0], "kwargs": parts[1], **embed}
    return fields


def parts_of(message: validation.Json) -> Iterator[Part]:
    """List the results that end with a run."""
    fields = fields_of(message)
    run_id, _ = validation.run_of({"headers": fields})
    if run_id is not None:
        yield _part(run_id, fields.get("group"), fields.get("group_index"))
    for link in validation.keep_signatures(fields.get("chain")):
        options: Any = link.get("options") or {}
        if isinstance(options.get("task_id"), str):
            yield _part(options["task_id"], options.get("group_id"), options.get("group_index"))


def _part(run_id: str, group: Any, place: Any) -> Part:
    return Part(run_id, group if isinstance(group, str) else None, "+inf" if place is None else str(place))


def _body(message: validation.Json, compression: Any) -> Any:
    try:
        body: Any = message["body"]
        if message["properties"].get("body_encoding") == "base64":
            body = base64.b64decode(body)
        return json.loads(_unpack(body, compression) if compression else body)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OSError, EOFError):
        return None
    except (zlib.error, lzma.LZMAError):
        return None


def _unpack(packed: bytes, compression: str) -> bytes:
    """Decompress as kombu does, but no more than a body may have."""
    if "gzip" in compression or compression == "zlib":
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(packed, validation.MAX_BODY_BYTES)
    if "bz" in compression:
        return bz2.BZ2Decompressor().decompress(packed, validation.MAX_BODY_BYTES)
    return lzma.LZMADecompressor(memlimit=validation.MAX_BODY_BYTES).decompress(packed, validation.MAX_BODY_BYTES)
