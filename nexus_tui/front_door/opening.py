"""Sources of a context, restricted to what it allows."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace

from celery_nexus.connection.errors import ConfigError
from celery_nexus.errors import Refused
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.sources import Sources
from nexus_tui.front_door.contexts import Context, ContextsFile, read_contexts
from nexus_tui.front_door.door import Door, open_sources


@dataclass(frozen=True, slots=True)
class Opened:
    """A context and its sources.

    Attributes:
        context: As the file says it: without the variables' values.
        sources: Where everything is read; those of a production context refuse every change.
        can_unlock: Whether it may be opened for changes for a while.
    """

    context: Context
    sources: Sources
    can_unlock: bool


def user_contexts() -> ContextsFile:
    """Read the user's contexts.

    Raises:
        ConfigError: The file can't be read.
    """
    from celery_nexus.actions.registry import ACTION_NAMES

    return read_contexts(ACTION_NAMES)


def open_context(name: str, *, read_only: bool = False) -> Opened:
    """Make the sources of a context. Blocks: the layout of a broker's keys is read.

    Args:
        name: What it is called in the file.
        read_only: Whether every change is refused, whatever the file says.

    Raises:
        ConfigError: There is no such context, something is wrong with it, or a variable is not set.
        Unreachable: Its broker does not answer.
    """
    context = user_contexts().get(name)
    expanded = context.expand_variables(os.environ)
    sources = open_sources(Door(expanded.app, expanded.broker, expanded.prefix))
    can_unlock = context.production and not context.read_only and not read_only
    sources = replace(
        sources,
        read_only=read_only or context.read_only or context.production,
        how_to_write=_how_to_write(context, read_only=read_only) or sources.how_to_write,
        allowed=None if context.allow is None else frozenset(context.allow),
        address=f"--context {shlex.quote(name)}",
    )
    return Opened(context, sources, can_unlock)


def open_broker_of(context: Context) -> Sources:
    """Make sources of a context's broker alone, to look at: its application is not imported. Blocks.

    Raises:
        ConfigError: It names no broker, or a variable is not set.
        Unreachable: Its broker does not answer.
    """
    expanded = context.expand_variables(os.environ)
    if expanded.broker is None:
        raise ConfigError(f"context {context.name} names no broker")
    return replace(open_sources(Door(None, expanded.broker, expanded.prefix)), read_only=True)


def _how_to_write(context: Context, *, read_only: bool) -> str:
    if read_only:
        return ""
    if context.read_only:
        return f"the context {context.name} is read-only"
    name = shlex.quote(context.name)
    return f"{context.name} is production: :unlock 15m REASON, or nexus-tui --context {name} --unlock REASON …"


def unlock(opened: Opened, reason: str, lasts: str) -> Sources:
    """Write down who opens a context for changes and why, and return sources that take them. Blocks.

    Args:
        opened: The context.
        reason: Why.
        lasts: For how long, in words: ``for 15 min``.

    Raises:
        Refused: It can't be unlocked, or nobody would learn of it.
        SourceError: The broker does not answer, or takes no line for its audit log.
    """
    if not opened.can_unlock:
        raise Refused(f"not unlocked: {opened.sources.how_to_write}")
    name = opened.context.name
    told = Outcome((TargetOutcome(name, True, f"open for changes {lasts}: {reason}"),))
    command = f"nexus-tui --context {shlex.quote(name)} --unlock {shlex.quote(reason)}"
    opened.sources.broker.audit.record("Unlock", command, told)
    return replace(opened.sources, read_only=False)
