"""Words for the lines of a workflow's tree, the same on the screen and on the command line."""

from __future__ import annotations

from celery_nexus.rows.text import duration, short_id
from celery_nexus.rows.workflows import AHEAD, NEVER, UNKNOWN_OUTLOOK, Node, Workflow

_SIGNS = {
    "PENDING": "○", "RECEIVED": "◌", "STARTED": "▶", "SUCCESS": "✓", "FAILURE": "✗", "RETRY": "↻", "REVOKED": "⊘",
    "REJECTED": "⊘", "LOST": "✗", AHEAD: "·", NEVER: "⊘", UNKNOWN_OUTLOOK: "?",
}  # fmt: skip
_STATES = {"LOST": "lost", AHEAD: "still to run", NEVER: "never runs", UNKNOWN_OUTLOOK: "unknown"}
_ROLES = {
    "next": "then", "body": "then", "callback": "on success", "errback": "on error", "published": "published",
}  # fmt: skip


def sign_of(state: str) -> str:
    """Return the sign of a state or outlook."""
    return _SIGNS.get(state, "?")


def spell_state(state: str) -> str:
    """Spell a state or outlook."""
    return _STATES.get(state, state)


def spell_counts(counts: tuple[tuple[str, int], ...]) -> str:
    """Write how many are in which state: ``✗ 2 ✓ 94``."""
    return " ".join(f"{sign_of(state)} {count:,}" for state, count in counts)


def spell_role(node: Node) -> str:
    """Say what a line is to the one above; empty for members and first lines."""
    return _ROLES.get(node.role, "")


def spell_name(node: Node) -> str:
    """Name what a line is about: a task, a fold of it, a group or chord with the number of its members."""
    if node.kind in ("group", "chord"):
        return f"{node.kind} of {'?' if node.total is None else f'{node.total:,}'}"
    task = node.task or "?"
    return f"{task} ×{node.total:,}" if node.kind == "fold" else task


def spell_facts(node: Node) -> str:
    """Write what there is to say of a line beside its name and state: id, times, retries."""
    parts = [short_id(node.id)] if node.id and node.kind in ("run", "step") else []
    longest = "≤ " if node.kind in ("fold", "group", "chord") else ""
    if node.ran_s is not None:
        parts.append(f"ran {longest}{duration(node.ran_s)}")
    if node.waited_s is not None:
        parts.append(f"waited {longest}{duration(node.waited_s)}")
    if node.retries:
        parts.append(f"{node.retries:,} retr{'y' if node.retries == 1 else 'ies'}")
    return ", ".join(parts)


def spell_state_of(node: Node) -> str:
    """Write the state of a line; of a group or fold how many are in which."""
    if node.counts and (node.kind != "fold" or len(node.counts) > 1):
        return spell_counts(node.counts)
    return spell_state(node.state)


def summarize(workflow: Workflow) -> str:
    """Write a workflow in one line: ``98 runs: ✗ 2 ✓ 96``."""
    at_least = "" if workflow.is_whole else "≥ "
    return f"{at_least}{workflow.total:,} run{'' if workflow.total == 1 else 's'}: {spell_counts(workflow.counts)}"
