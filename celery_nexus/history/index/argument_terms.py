"""Terms about arguments, matched with the values of many rows at once."""

from __future__ import annotations

import numpy as np

from celery_nexus.filters.parser import Argument
from celery_nexus.filters.texts import is_wild
from celery_nexus.history.filter.needles import argument_needles
from celery_nexus.history.filter.sql import Names
from celery_nexus.history.index.arguments.zone_map import all_contain, all_match, may_match
from celery_nexus.history.index.batch import Batch
from celery_nexus.history.index.match_mask import MatchMask
from celery_nexus.history.index.pages import Mask
from celery_nexus.history.index.segments import Segment

IN_MANY = 4
"""Inverse of the share of candidate rows above which it pays to find those that match for certain."""

_SEPARATE = frozenset("\"'\\")


def find_certain_rows(batch: Batch, needle: str, wanted: Mask) -> Mask:
    """Return rows of which some argument has a text: what can be told without reading the rows' texts."""
    found = np.zeros(batch.count, np.bool_)
    if not needle.isascii() or not needle.isprintable() or _SEPARATE & set(needle):
        return found  # as it is stored, it may be spelt otherwise
    for segment, rows in batch.rows_by_segment():
        named = batch.read_value_names(segment)
        if named is None:
            continue
        shared = named.shared
        for number in sorted(named.numbers, key=lambda number: number not in shared):
            lacking = np.count_nonzero(wanted[rows] & ~found[rows])
            if lacking * (IN_MANY if number in shared else 2) < segment.count:
                break
            if all_contain(named.zone_maps[str(number)], needle):
                found[rows] |= batch.rows_with(segment, number)
            else:
                found[rows][batch.values(segment, number).find_containing(needle)] = True
    return found


def match_argument(batch: Batch, names: Names, node: Argument, wanted: Mask) -> MatchMask:
    """Match rows with a term; of rows that aren't wanted anything may be said.

    Args:
        batch: Whose rows.
        names: The names of the file: those of arguments have numbers.
        node: The term.
        wanted: Rows.
    """
    first, *rest = node.path.split(".")
    if not first or (first.isdecimal() and not first.isascii()):
        return MatchMask(wanted, np.zeros_like(wanted))
    if first.isdecimal():
        first = str(int(first))
    number = names.get("argument", {}).get(first)
    found, unknown = np.zeros_like(wanted), np.zeros_like(wanted)
    # What looks at texts one by one has fewer to look at; numbers and order are told at once.
    looked_for = _may_have(batch, node, wanted) if rest or is_wild(node.value) else wanted
    for segment, rows in batch.rows_by_segment():
        if looked_for[rows].any():
            said = _in_segment(batch, segment, number, node, rest, looked_for[rows])
            found[rows], unknown[rows] = said if said is not None else (False, True)
    if unknown.any():
        unknown &= _may_have(batch, node, unknown & wanted)
    found &= looked_for
    return MatchMask(found | unknown, found & ~unknown)


def _in_segment(
    batch: Batch, segment: Segment, number: int | None, node: Argument, rest: list[str], wanted: Mask
) -> tuple[Mask, Mask] | None:
    """Return where a term holds and where that can't be told; None when it can be told nowhere."""
    named = batch.read_value_names(segment)
    if named is None:
        return None
    none = np.zeros(segment.count, np.bool_)
    if number is not None and number in named.numbers:
        zone_map = named.zone_maps[str(number)]
        if not may_match(zone_map, node, rest):
            return none, none
        if not rest and all_match(zone_map, node):
            return batch.rows_with(segment, number), none
        return batch.values(segment, number).match_term(node, rest, wanted)
    return (none, none) if named.are_all else None


def _may_have(batch: Batch, node: Argument, wanted: Mask) -> Mask:
    needles = argument_needles(node) if node.operator == "=" else []
    if not needles:
        return wanted
    found = np.zeros_like(wanted)
    for needle in needles:
        found |= batch.may_contain([needle], wanted)
    return found
