"""Documents damaged by chance: seeded, so that a failing one can be made again."""

from __future__ import annotations

import io
import random
import re
import zipfile
import zlib
from collections.abc import Callable

Mutation = Callable[[bytes, random.Random], bytes]

_HUGE = (b"0", b"-1", b"65536", b"99999999", b"2147483648", b"4294967295", b"99999999999999999999", b"1e308", b"NaN")


def truncate(data: bytes, chance: random.Random) -> bytes:
    """Cut the end off."""
    return data[: chance.randrange(len(data))]


def behead(data: bytes, chance: random.Random) -> bytes:
    """Cut the start off."""
    return data[chance.randrange(min(len(data), 2000)) :]


def flip(data: bytes, chance: random.Random) -> bytes:
    """Change some bytes anywhere."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 5, 50, 500))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def flip_head(data: bytes, chance: random.Random) -> bytes:
    """Change some bytes of the header."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 3, 10))):
        changed[chance.randrange(min(len(changed), 120))] = chance.randrange(256)
    return bytes(changed)


def blank(data: bytes, chance: random.Random) -> bytes:
    """Fill a stretch with zeros."""
    start = chance.randrange(len(data))
    length = chance.randrange(1, 1 + len(data) // 4)
    return data[:start] + bytes(len(data[start : start + length])) + data[start + length :]


def repeat(data: bytes, chance: random.Random) -> bytes:
    """Say a stretch again, many times."""
    start = chance.randrange(len(data))
    piece = data[start : start + chance.randrange(1, 4000)]
    return data[:start] + piece * chance.choice((2, 10, 100)) + data[start:]


def numbers(data: bytes, chance: random.Random) -> bytes:
    """Exchange written numbers for absurd ones; in a package inside of a part."""
    if zipfile.is_zipfile(io.BytesIO(data)):
        return _in_a_part(data, chance, lambda part: _absurd(part, chance))
    return _absurd(data, chance)


def _absurd(data: bytes, chance: random.Random) -> bytes:
    share = chance.choice((0.01, 0.1, 0.9))
    return re.sub(rb"\d+", lambda found: chance.choice(_HUGE) if chance.random() < share else found[0], data)


def tags(data: bytes, chance: random.Random) -> bytes:
    """Change, drop or double elements of a part, or bytes of what is no package."""
    return _in_a_part(data, chance, lambda part: chance.choice((flip, truncate, repeat, _drop))(part, chance))


def _drop(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.randrange(1, 2000) :]


def swap(data: bytes, chance: random.Random) -> bytes:
    """Give the contents of two parts each other's names."""
    return _rezipped(data, lambda parts: _swapped(parts, chance))


def _swapped(parts: dict[str, bytes], chance: random.Random) -> dict[str, bytes]:
    one, other = chance.choice(list(parts)), chance.choice(list(parts))
    return parts | {one: parts[other], other: parts[one]}


def lose(data: bytes, chance: random.Random) -> bytes:
    """Leave parts out."""
    return _rezipped(data, lambda parts: {name: part for name, part in parts.items() if chance.random() > 0.2})


def rename(data: bytes, chance: random.Random) -> bytes:
    """Give parts odd names."""
    odd = (
        "../../evil",
        "/etc/passwd",
        "a" * 60_000,
        "con\n",
        "\x1b[31m",
        "[Content_Types].xml",
        "mimetype",
        "_rels/.rels",
    )
    return _rezipped(
        data, lambda parts: {(chance.choice(odd) if chance.random() < 0.2 else name): parts[name] for name in parts}
    )


def nest(data: bytes, chance: random.Random) -> bytes:
    """Put the document into a ZIP, or into itself."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in chance.choice(
            (("a.docx",), ("word/document.xml", "[Content_Types].xml"), ("xl/workbook.xml", "_rels/.rels"))
        ):
            archive.writestr(name, data)
    return target.getvalue()


MUTATIONS: tuple[Mutation, ...] = (
    truncate, behead, flip, flip_head, blank, repeat, numbers, numbers, tags, tags, swap, lose, rename, nest,
)  # fmt: skip


def mutated(data: bytes, seed: int) -> tuple[str, bytes]:
    """Damage a document once or twice; returns how, and the outcome."""
    chance = random.Random(seed)
    chosen = chance.sample(MUTATIONS, chance.choice((1, 1, 2)))
    for mutation in chosen:
        data = mutation(data, chance) or b"\0"
    return "+".join(mutation.__name__ for mutation in chosen), data


def _in_a_part(data: bytes, chance: random.Random, change: Callable[[bytes], bytes]) -> bytes:
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return change(data)

    def changed(parts: dict[str, bytes]) -> dict[str, bytes]:
        names = [name for name in parts if parts[name]]
        for name in chance.sample(names, min(len(names), chance.choice((1, 3)))):
            parts[name] = change(parts[name])
        return parts

    return _rezipped(data, changed)


def _rezipped(data: bytes, change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> bytes:
    """Change a package's parts; what is no package, or no longer, stays."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old:
            parts = {name: old.read(name) for name in old.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError, zlib.error):
        return data
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name, part in change(parts).items():
            new.writestr(name, part)
    return target.getvalue()
