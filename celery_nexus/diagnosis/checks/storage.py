"""Checks of what piles up on the broker: results, and answers to remote control; and of holes in the history."""

from __future__ import annotations

from celery_nexus.diagnosis.evidence import Evidence
from celery_nexus.diagnosis.kind import Kind
from celery_nexus.rows.diagnosis.findings import Finding
from celery_nexus.rows.text import size

MANY_RESULTS = 1000
"""Results that nobody reads from which on it is told."""

UNREAD_SHARE = 0.95
"""Share of the aged results of a sample that nobody read."""

LEAST_SAMPLE = 20

REPLIES = Kind(
    "leaked replies",
    "broker",
    "warning",
    "Answers to remote control lie on the broker without an expiry: who asked for them is gone.",
    "They fill the broker's memory, some kilobytes with each question that was broken off.",
    "Remove them.",
    is_safe=True,
)
LASTING_RESULTS = Kind(
    "results without expiry",
    "application",
    "warning",
    "Results of runs are kept for ever.",
    "They fill the broker's memory.",
    "Set result_expires, or task_ignore_result where nobody reads them.",
)
UNREAD_RESULTS = Kind(
    "results never read",
    "application",
    "warning",
    "Nearly no result is read by anybody.",
    "Each run costs a write and memory for nothing.",
    "Set task_ignore_result = True where nobody reads them.",
)
EVENT_GAPS = Kind(
    "event gaps",
    "history",
    "warning",
    "Parts of the event stream were never recorded, or a worker does work and sends no events of it.",
    "The history has holes: runs that were seen to start and never to end, or not at all.",
    "Let the recorder run all the time; start workers with -E, or enable their events.",
)


def check_replies(evidence: Evidence) -> list[Finding]:
    """Say how many leaked answers there are, and what they take."""
    if evidence.census is None:
        return []
    rows = evidence.census.replies
    if not rows:
        return [REPLIES.make_well(evidence.broker, "no leaked answers to remote control")]
    share = evidence.census.share
    seen = "" if share >= 1 else f" among the {share:.0%} of the keys that were looked at"
    used = size(sum(row.size_bytes for row in rows))
    proof = f"{len(rows):,} lists of answers without an expiry, {used}{seen}, as {rows[0].key}"
    return [REPLIES.make(evidence.broker, proof, "nexus-tui remove-replies")]


def check_results(evidence: Evidence) -> list[Finding]:
    """Say whether results stay for ever, and whether anybody reads them."""
    census = evidence.census
    found: list[Finding] = []
    if census is None or not census.sampled:
        return []
    if census.lasting:
        proof = f"{census.lasting} of {census.sampled} results that were looked at never expire; {_count(evidence)}"
        found.append(LASTING_RESULTS.make("results", proof, "celery -A APPLICATION inspect conf"))
    is_unread = census.aged >= LEAST_SAMPLE and census.unread >= UNREAD_SHARE * census.aged
    if is_unread and census.results >= MANY_RESULTS:
        proof = f"{census.unread} of {census.aged} results a minute old or more were never read; {_count(evidence)}"
        found.append(UNREAD_RESULTS.make("results", proof, "celery -A APPLICATION inspect conf"))
    return found


def _count(evidence: Evidence) -> str:
    census = evidence.census
    count = 0 if census is None else census.results
    return f"there are {count:,}" + ("" if census is None or census.share >= 1 else " or more")


def check_events(evidence: Evidence) -> list[Finding]:
    """Say where the history has holes."""
    past = evidence.past
    found: list[Finding] = []
    if past is None:
        return []
    if past.gaps:
        proof = f"{len(past.gaps)} parts of the event stream were never recorded"
        found.append(EVENT_GAPS.make("event stream", proof, "nexus-tui history verify"))
    for name in past.silent_workers:
        proof = f"{name} does work and sends no events of it"
        found.append(EVENT_GAPS.make(name, proof, "nexus-tui events enable"))
    return found


KINDS = (REPLIES, LASTING_RESULTS, UNREAD_RESULTS, EVENT_GAPS)
CHECKS = (check_replies, check_results, check_events)
