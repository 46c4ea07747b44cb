"""Pickle decoder for plain values, opcode by opcode: nothing is imported or called.

A pickle is a program; loading one from a broker would run it. Here its opcodes are read as :mod:`pickletools` lists
them. What names a class or calls anything becomes an :class:`Opaque` that says so.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import Any, cast

MOST_OPCODES = 200_000
_MARK: Any = object()
_ONES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTIES = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple, "EMPTY_SET": set}
_IGNORED = frozenset({"PROTO", "FRAME", "STOP"})
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MEMO_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_MEMO_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_LITERALS = frozenset(
    {
        "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
        "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
        "BINBYTES8", "BYTEARRAY8",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Opaque:
    """Something that a pickle would build by calling code."""

    what: str

    def __str__(self) -> str:
        """Say what it would be."""
        return f"‹{self.what}›"


def read(data: bytes) -> Any:
    """Read the value of a pickle without running it.

    Raises:
        ValueError: It can't be read so.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count > MOST_OPCODES:
                raise ValueError("a pickle of too many steps")
            machine.step(opcode.name, argument)
        return machine.stack[-1]
    except (IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"a pickle that can't be read: {type(error).__name__}") from None


class _Machine:
    """The stack of a pickle, on which only plain containers are filled."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _ONES:
            self.stack.append(_ONES[name])
        elif name in _EMPTIES:
            self.stack.append(cast("Any", _EMPTIES[name])())
        elif name in _TUPLES:
            count = _TUPLES[name]
            self.stack[-count:] = [tuple(self.stack[-count:])]
        elif name == "MARK":
            self.stack.append(_MARK)
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self.stack[-1]
        elif name in _MEMO_PUTS:
            self._memo[argument] = self.stack[-1]
        elif name in _MEMO_GETS:
            self.stack.append(self._memo[argument])
        elif name not in _IGNORED:
            self._gather(name, argument)

    def _gather(self, name: str, argument: Any) -> None:
        match name:
            case "POP":
                self.stack.pop()
            case "POP_MARK":
                self._since_mark()
            case "DUP":
                self.stack.append(self.stack[-1])
            case "TUPLE":
                self.stack.append(tuple(self._since_mark()))
            case "LIST":
                self.stack.append(self._since_mark())
            case "DICT":
                self.stack.append(_pairs(self._since_mark()))
            case "APPEND":
                item = self.stack.pop()
                self._fill([item])
            case "APPENDS" | "ADDITEMS":
                self._fill(self._since_mark())
            case "SETITEM":
                value, key = self.stack.pop(), self.stack.pop()
                self._set([key, value])
            case "SETITEMS":
                self._set(self._since_mark())
            case _:
                self._opaque(name, argument)

    def _fill(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            cast("list[Any]", target).extend(items)
        elif isinstance(target, set):
            cast("set[Any]", target).update(items)

    def _set(self, flat: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, dict):
            cast("dict[Any, Any]", target).update(_pairs(flat))

    def _since_mark(self) -> list[Any]:
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
        items, self.stack[place:] = self.stack[place + 1 :], []
        return items

    def _opaque(self, name: str, argument: Any) -> None:
        match name:
            case "GLOBAL":
                self.stack.append(Opaque(str(argument).replace(" ", ".")))
            case "STACK_GLOBAL":
                attribute, module = self.stack.pop(), self.stack.pop()
                self.stack.append(Opaque(f"{module}.{attribute}"))
            case "REDUCE" | "NEWOBJ":
                self.stack.pop()
            case "NEWOBJ_EX":
                self.stack[-2:] = []
            case "BUILD":
                self.stack.pop()
            case "INST" | "OBJ":
                items = self._since_mark()
                self.stack.append(Opaque(str(argument or (items[0] if items else "object"))))
            case _:
                raise ValueError(f"a pickle with {name}")


def _pairs(flat: list[Any]) -> dict[Any, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
