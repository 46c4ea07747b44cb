"""Fields of Word documents: what their codes hide, where links lead, and the values of legacy form fields."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from workers.services.documents import ooxml

CHECKED, UNCHECKED = "☒", "☐"
_LINK_CODE = re.compile(r'\s*HYPERLINK\s+(?:"([^"]*)"|([^\s"\\]\S*))', re.IGNORECASE)
MAX_CODE = 4000
"""Characters of a field's code that are kept."""
_ON = (None, "1", "true", "on")


def is_on(element: ooxml.Element) -> bool:
    """Tell what a switch says; one without a value is on (ECMA-376, 17.17.4)."""
    return ooxml.attribute(element, "val") in _ON


@dataclass
class _Field:
    """One field: its form value and code, where its text begins, and whether the code ended and a text was shown."""

    value: str
    code: str = ""
    first_piece: int = 0
    has_result: bool = False
    has_text: bool = False

    @property
    def address(self) -> str:
        """Where a link leads; empty for other fields."""
        return field_address(self.code)


@dataclass
class Fields:
    """The fields that are open at a place of the text, outermost first, and the one that the last mark ended."""

    ended: _Field | None = None
    open: list[_Field] = field(default_factory=lambda: [])

    def shows_text(self) -> bool:
        """Tell whether a text at this place is seen: not as a result inside of another field's code."""
        if any(not outer.has_result for outer in self.open[:-1]):
            return False
        for item in self.open:
            item.has_text = item.has_result
        return True

    def take_code(self, text: str) -> None:
        """Take a piece of the innermost field's code."""
        if self.open and not self.open[-1].has_result and len(self.open[-1].code) < MAX_CODE:
            self.open[-1].code += text

    def mark(self, element: ooxml.Element, pieces: int) -> str:
        """Take the mark of a field's begin, middle or end; return a form value that no text shows, at the end.

        Args:
            element: The mark.
            pieces: How many pieces of text its paragraph has by now.
        """
        self.ended = None
        kind = ooxml.attribute(element, "fldCharType")
        if kind == "begin":
            self.open.append(_Field(_form_value(element)))
        elif kind == "separate" and self.open:
            self.open[-1].has_result = True
            self.open[-1].first_piece = pieces
        elif kind == "end" and self.open:
            ended = self.ended = self.open.pop()
            return "" if ended.has_text else ended.value
        return ""


def field_address(code: str) -> str:
    """Give the address that the code of a link's field leads to; empty for other fields, and places inside."""
    match = _LINK_CODE.match(code)
    return (match[1] or match[2] or "") if match else ""


def _form_value(mark: ooxml.Element) -> str:
    for data in mark.iterchildren("{*}ffData"):
        for item in data:
            name = ooxml.local_name(item)
            if name == "checkBox":
                return _check_box(item)
            if name == "ddList":
                return _choice(item)
    return ""


def _check_box(item: ooxml.Element) -> str:
    states = {ooxml.local_name(state): is_on(state) for state in item}
    return CHECKED if states.get("checked", states.get("default", False)) else UNCHECKED


def _choice(item: ooxml.Element) -> str:
    entries = [ooxml.attribute(entry, "val") or "" for entry in item.iterchildren("{*}listEntry")]
    numbers = {ooxml.local_name(number): ooxml.attribute(number, "val") or "" for number in item}
    chosen = numbers.get("result", numbers.get("default", "0"))
    return entries[int(chosen)] if chosen.isdecimal() and int(chosen) < len(entries) else ""
