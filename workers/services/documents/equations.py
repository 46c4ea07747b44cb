"""Equations of Office documents (OMML) on one line, as people type them: ``(a+b)/2``, ``x^2``, ``√(n)``."""

from __future__ import annotations

from collections.abc import Callable

from workers.services.documents import ooxml

_PROPERTIES = frozenset(
    {"rPr", "ctrlPr", "fPr", "sSupPr", "sSubPr", "sSubSupPr", "sPrePr", "radPr", "dPr", "naryPr", "mPr", "funcPr",
     "limLowPr", "limUppPr", "accPr", "barPr", "eqArrPr", "groupChrPr", "boxPr", "borderBoxPr", "phantPr",
     "oMathParaPr", "del", "moveFrom"}
)  # fmt: skip


def spell(element: ooxml.Element) -> str:
    """Write an equation, or a part of one."""
    name = ooxml.local_name(element)
    if name == "t":
        return element.text or ""
    if name in _PROPERTIES:
        return ""
    shape = _SHAPES.get(name)
    return shape(element) if shape else "".join(map(spell, element))


def _of(element: ooxml.Element, name: str) -> str:
    return "".join(spell(part) for part in element.iterchildren(f"{{*}}{name}"))


def _grouped(text: str) -> str:
    return text if len(text) <= 1 or text.isalnum() else f"({text})"


def _property(element: ooxml.Element, name: str, default: str) -> str:
    mark = next(element.iterfind(f"*/{{*}}{name}"), None)
    return default if mark is None else (ooxml.attribute(mark, "val") or "")


def _fraction(element: ooxml.Element) -> str:
    return f"{_grouped(_of(element, 'num'))}/{_grouped(_of(element, 'den'))}"


def _scripts(element: ooxml.Element) -> str:
    below, above = _of(element, "sub"), _of(element, "sup")
    return _of(element, "e") + (f"_{_grouped(below)}" if below else "") + (f"^{_grouped(above)}" if above else "")


def _root(element: ooxml.Element) -> str:
    degree = _of(element, "deg")
    return f"{degree}√({_of(element, 'e')})"


def _brackets(element: ooxml.Element) -> str:
    between = _property(element, "sepChr", "|")
    inside = between.join(spell(part) for part in element.iterchildren("{*}e"))
    return f"{_property(element, 'begChr', '(')}{inside}{_property(element, 'endChr', ')')}"


def _sum(element: ooxml.Element) -> str:
    below, above = _of(element, "sub"), _of(element, "sup")
    limits = (f"_{_grouped(below)}" if below else "") + (f"^{_grouped(above)}" if above else "")
    return f"{_property(element, 'chr', '∫')}{limits} {_of(element, 'e')}"


def _matrix(element: ooxml.Element) -> str:
    rows = (", ".join(map(spell, row.iterchildren("{*}e"))) for row in element.iterchildren("{*}mr"))
    return f"[{'; '.join(rows)}]"


def _function(element: ooxml.Element) -> str:
    return f"{_of(element, 'fName')}({_of(element, 'e')})"


def _limit(element: ooxml.Element) -> str:
    return f"{_of(element, 'e')}_{_grouped(_of(element, 'lim'))}"


def _rows(element: ooxml.Element) -> str:
    return "\n".join(map(spell, element.iterchildren("{*}e")))


_SHAPES: dict[str, Callable[[ooxml.Element], str]] = {
    "f": _fraction, "sSup": _scripts, "sSub": _scripts, "sSubSup": _scripts, "sPre": _scripts, "rad": _root,
    "d": _brackets, "nary": _sum, "m": _matrix, "func": _function, "limLow": _limit, "limUpp": _limit, "eqArr": _rows,
}  # fmt: skip
