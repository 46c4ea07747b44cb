"""Links in the records of binary workbooks: of cells in old ones ([MS-OSHARED] 2.3.7), and of formulas in both."""

from __future__ import annotations

import re

from workers.services.documents.graphics import Warn

_URL_MONIKER = bytes.fromhex("e0c9ea79f9bace118c8200aa004ba90b")
_FILE_MONIKER = bytes.fromhex("0303000000000000c000000000000046")
_HAS_TARGET, _HAS_PLACE, _HAS_NAME, _HAS_FRAME, _IS_TEXT = 0x1, 0x8, 0x10, 0x80, 0x100
_HYPERLINK_CALL = re.compile(rb"[\x22\x42\x62][\x01\x02]\x67\x01", re.DOTALL)
"""A call with one or two arguments of the function 359 ([MS-XLS] 2.5.198.63)."""


def is_link_formula(body: bytes) -> bool:
    """Tell whether a formula's record calls HYPERLINK."""
    return _HYPERLINK_CALL.search(body) is not None


def warn_of_link_formulas(sheet: str, count: int, warn: Warn) -> None:
    """Say that the addresses of HYPERLINK formulas are not read."""
    if count:
        warn("links", f"the addresses of {count} links of the sheet {sheet!a} are made by formulas and not read")


def read_link(body: bytes) -> tuple[str, str]:
    """Read a link's object: its address and the place in it; empty ones for what is not known.

    Args:
        body: The object, from its version on.
    """
    flags, at = int.from_bytes(body[4:8], "little"), 8
    address = place = ""
    for flag in (_HAS_NAME, _HAS_FRAME):
        if flags & flag:
            _, at = _string(body, at)
    if flags & _HAS_TARGET:
        address, at = _string(body, at) if flags & _IS_TEXT else _moniker(body, at)
    if flags & _HAS_PLACE and at:
        place, at = _string(body, at)
    return address, place


def _moniker(body: bytes, at: int) -> tuple[str, int]:
    """Read what names a target: an address, or a file's path; place 0 for others, after which nothing is known."""
    kind, at = body[at : at + 16], at + 16
    if kind == _URL_MONIKER:
        length = int.from_bytes(body[at : at + 4], "little")
        address = body[at + 4 : at + 4 + length].decode("utf-16-le", "replace").partition("\0")[0]
        return address, at + 4 + length
    if kind == _FILE_MONIKER:
        return _file(body, at)
    return "", 0


def _file(body: bytes, at: int) -> tuple[str, int]:
    parents = int.from_bytes(body[at : at + 2], "little")
    length = int.from_bytes(body[at + 2 : at + 6], "little")
    short = body[at + 6 : at + 6 + length].partition(b"\0")[0].decode("cp1252", "replace")
    at += 6 + length + 24
    size, at = int.from_bytes(body[at : at + 4], "little"), at + 4
    long = ""
    if size:
        length = int.from_bytes(body[at : at + 4], "little")
        long = body[at + 6 : at + 6 + length].decode("utf-16-le", "replace")
    return "../" * min(parents, 100) + (long or short), at + size


def _string(body: bytes, at: int) -> tuple[str, int]:
    """Read characters of two bytes, their number before them and a zero at their end."""
    end = at + 4 + 2 * int.from_bytes(body[at : at + 4], "little")
    return body[at + 4 : end].decode("utf-16-le", "replace").rstrip("\0"), end
